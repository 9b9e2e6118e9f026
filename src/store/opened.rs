//! A data file opened for reading.
//!
//! Readers want a file that they can seek in. Of an object in a bucket they are given one without a
//! name, as long as the object and full of holes, into which the parts that will be read are brought
//! before: what nobody reads is neither fetched nor takes room.

use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FooterTail, PageIndexPolicy, ParquetMetaData};

use super::location::Location;
use crate::error::{Error, Result};
use crate::panics::caught;
use crate::sources::s3::Prefix;

/// Bytes that are fetched from the end of an object in the hope that all of its footer is there.
const TAIL_BYTES: u64 = 64 << 10;

/// Parts of an object that are nearer to each other than this are fetched as one.
const GAP_BYTES: u64 = 64 << 10;

/// Bytes that one request asks for at the most, and those of all that are under way at once.
const REQUEST_BYTES: u64 = 8 << 20;
const ROUND_BYTES: u64 = 64 << 20;

/// Bytes of Parquet's last words: the footer's length and the magic.
const FOOTER_BYTES: u64 = 8;

/// A data file opened for reading.
pub(super) struct Opened {
    file: File,
    path: PathBuf,
    size: u64,
    /// For an object: the place, its name there, and from where on it was fetched.
    remote: Option<(Prefix, String, u64)>,
}

impl Opened {
    /// Opens a file that a table names.
    pub(super) fn open(at: &Location, path: &Path) -> Result<Opened> {
        let path = path.to_path_buf();
        let place = match at {
            Location::Folder(_) => {
                let file = File::open(&path).map_err(|e| gone(&path, e))?;
                let size = file.metadata().map_err(Error::io(&path))?.len();
                return Ok(Opened { file, path, size, remote: None });
            }
            Location::Bucket(place) => place,
        };
        let name = at.name_of(&path);
        let tail = place.tail(&name, TAIL_BYTES)?;
        let tail = tail.ok_or_else(|| gone(&path, ErrorKind::NotFound.into()))?;
        let file = tempfile::tempfile().map_err(Error::io(std::env::temp_dir()))?;
        file.set_len(tail.size).map_err(Error::io(&path))?;
        let from = tail.size.saturating_sub(tail.bytes.len() as u64);
        let remote = Some((place.clone(), name, from));
        let opened = Opened { file, path, size: tail.size, remote };
        opened.keep(from, &tail.bytes)?;
        Ok(opened)
    }

    /// The file. Of an object only that can be read which was brought.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// What the file says of itself.
    pub(super) fn metadata(&self, pages: PageIndexPolicy) -> Result<ArrowReaderMetadata> {
        let read = |pages| {
            let options = ArrowReaderOptions::new().with_offset_index_policy(pages);
            self.guarded(|| ArrowReaderMetadata::load(&self.file, options))
        };
        let Some((.., fetched_from)) = &self.remote else { return read(pages) };
        let footer = self.footer_bytes()?;
        let from = self.size.saturating_sub(footer);
        let missing = from..(*fetched_from).max(from);
        self.fetch(std::iter::once(missing).collect())?;
        let metadata = read(PageIndexPolicy::Skip)?;
        if pages == PageIndexPolicy::Skip {
            return Ok(metadata);
        }
        let chunks = metadata.metadata().row_groups().iter().flat_map(|group| group.columns());
        let indexes: Vec<Range<u64>> = chunks
            .filter_map(|c| span(c.offset_index_offset()?, c.offset_index_length()?))
            .collect();
        self.fetch(indexes)?;
        read(pages)
    }

    /// Bytes from the beginning of the footer to the end of the file.
    fn footer_bytes(&self) -> Result<u64> {
        use std::io::Read;
        let mut last = [0; FOOTER_BYTES as usize];
        let mut file = &self.file;
        let begin = self.size.saturating_sub(FOOTER_BYTES);
        let read = file.seek(SeekFrom::Start(begin)).and_then(|_| file.read_exact(&mut last));
        read.map_err(|e| self.damaged(&e.into()))?;
        let tail = FooterTail::try_new(&last).map_err(|e| self.damaged(&e))?;
        Ok((tail.metadata_length() as u64).saturating_add(FOOTER_BYTES).min(self.size))
    }

    /// Makes ready to read these columns of these groups of rows.
    pub(super) fn bring(
        &self,
        metadata: &ParquetMetaData,
        columns: &[&ProjectionMask],
        groups: &[usize],
    ) -> Result<()> {
        if self.remote.is_none() {
            return Ok(());
        }
        let mut wanted = Vec::new();
        for group in groups {
            for (leaf, chunk) in metadata.row_group(*group).columns().iter().enumerate() {
                if columns.iter().any(|mask| mask.leaf_included(leaf)) {
                    let (from, bytes) = chunk.byte_range();
                    wanted.push(from..from.saturating_add(bytes));
                }
            }
        }
        self.fetch(wanted)
    }

    /// Makes ready to read all of it.
    pub(super) fn bring_all(&self) -> Result<()> {
        self.fetch(std::iter::once(0..self.size).collect())
    }

    fn fetch(&self, wanted: Vec<Range<u64>>) -> Result<()> {
        let Some((place, name, _)) = &self.remote else { return Ok(()) };
        let (mut round, mut bytes) = (Vec::new(), 0);
        for range in requests(wanted, self.size) {
            bytes += range.end - range.start;
            round.push(range);
            if bytes >= ROUND_BYTES {
                bytes = 0;
                self.fetch_round(place, name, std::mem::take(&mut round))?;
            }
        }
        self.fetch_round(place, name, round)
    }

    fn fetch_round(&self, place: &Prefix, name: &str, round: Vec<Range<u64>>) -> Result<()> {
        for (from, bytes) in place.ranges(name, round)? {
            self.keep(from, &bytes)?;
        }
        Ok(())
    }

    fn keep(&self, from: u64, bytes: &[u8]) -> Result<()> {
        let mut file = &self.file;
        let written = file.seek(SeekFrom::Start(from)).and_then(|_| file.write_all(bytes));
        written.map_err(Error::io(std::env::temp_dir()))
    }

    /// Reads with Parquet, whose panics are damage of the file.
    pub(super) fn guarded<T>(&self, read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
        let read = caught(read).unwrap_or_else(|said| Err(ParquetError::General(said)));
        read.map_err(|e| self.damaged(&e))
    }

    /// What Parquet cannot make sense of.
    pub(super) fn damaged(&self, error: &ParquetError) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            message: format!("this is no whole Parquet file: {error}"),
        }
    }
}

/// A file of which only a part was written, or that somebody wrote over.
pub(super) fn check_size(path: &Path, found: u64, written: u64) -> Result<()> {
    if found == written {
        return Ok(());
    }
    let message = format!("this file of the store has {found} bytes; {written} were written");
    Err(Error::Damaged { path: path.to_path_buf(), message })
}

pub(super) fn gone(path: &Path, error: std::io::Error) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return Error::io(path)(error);
    }
    Error::Damaged {
        path: path.to_path_buf(),
        message: "this file of the store is missing".to_owned(),
    }
}

fn span(from: i64, bytes: i32) -> Option<Range<u64>> {
    let from = u64::try_from(from).ok()?;
    Some(from..from.checked_add(u64::try_from(bytes).ok()?)?)
}

/// The same bytes, in the order of the file, as requests of a sensible size.
fn requests(mut wanted: Vec<Range<u64>>, size: u64) -> Vec<Range<u64>> {
    wanted.iter_mut().for_each(|range| range.end = range.end.min(size));
    wanted.retain(|range| range.start < range.end);
    wanted.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in wanted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP_BYTES) => {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    let cut = |range: Range<u64>| {
        let parts = (range.end - range.start).div_ceil(REQUEST_BYTES);
        (0..parts).map(move |n| {
            let from = range.start + n * REQUEST_BYTES;
            from..range.end.min(from + REQUEST_BYTES)
        })
    };
    joined.into_iter().flat_map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_cover_what_is_wanted_and_little_else() {
        let near = vec![(1 << 20)..(1 << 20) + 10, 0..5, 3..9];
        assert_eq!(requests(near, 10 << 20), [0..9, (1 << 20)..(1 << 20) + 10]);
        let gap = vec![0..5, 5 + GAP_BYTES..6 + GAP_BYTES];
        assert_eq!(requests(gap, 1 << 20).first(), Some(&(0..6 + GAP_BYTES)));
        let large = requests(vec![0..2 * REQUEST_BYTES, 9..2 * REQUEST_BYTES + 1], u64::MAX);
        assert_eq!(large.len(), 3);
        assert_eq!(large[2], 2 * REQUEST_BYTES..2 * REQUEST_BYTES + 1);
        assert!(requests(vec![7..7, 20..30], 10).is_empty());
    }
}
