//! Facts that an ingest brings, on their way from the intake to the linking: out of memory, in a file that
//! vanishes with the process. Rows are in order of time, some hundreds to a block, so that those of a
//! stretch of time are read without the others.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::state::Seconds;
use crate::error::{Error, Result};

/// Bytes of values in one block before it is compressed.
const BLOCK_BYTES: usize = 256 * 1024;

/// It is read once or twice, soon after it was written.
const LEVEL: i32 = 1;

/// What a fact is chosen by; see the columns of **linking_state**.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'l> {
    /// Second since 1970 that it belongs to.
    pub second: i64,
    /// What kind of fact this is.
    pub kind: &'l str,
    /// Its key.
    pub key: &'l str,
    /// A number that stands for what it is about.
    pub about: i64,
}

/// The file that all spills of an ingest share: there may be more of them than a process may open files.
pub struct SpillFile {
    dir: PathBuf,
    /// With its length.
    file: Mutex<(File, u64)>,
}

impl SpillFile {
    /// An empty file without a name in a folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(dir: &Path) -> Result<SpillFile> {
        let file = tempfile::tempfile_in(dir).map_err(Error::io(dir))?;
        Ok(SpillFile { dir: dir.to_path_buf(), file: Mutex::new((file, 0)) })
    }

    /// Where the bytes are from now on.
    pub(super) fn append(&self, bytes: &[u8]) -> Result<u64> {
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, length) = &mut *held;
        let start = *length;
        file.seek(SeekFrom::Start(start)).map_err(Error::io(&self.dir))?;
        file.write_all(bytes).map_err(Error::io(&self.dir))?;
        *length += bytes.len() as u64;
        Ok(start)
    }

    /// So many bytes from there on.
    pub(super) fn read(&self, start: u64, bytes: usize) -> Result<Vec<u8>> {
        let mut read = vec![0; bytes];
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        held.0.seek(SeekFrom::Start(start)).map_err(Error::io(&self.dir))?;
        held.0.read_exact(&mut read).map_err(Error::io(&self.dir))?;
        Ok(read)
    }
}

/// Facts that are out of memory.
pub struct Spill {
    file: Arc<SpillFile>,
    blocks: Vec<Block>,
}

/// Some hundred rows: their heads, and behind these their values, each compressed for itself. Many are
/// looked through for a few.
struct Block {
    /// The seconds of its first and its last row.
    from: i64,
    to: i64,
    heads: Piece,
    values: Piece,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    start: u64,
    bytes: usize,
    plain_bytes: usize,
}

/// Writes a spill; rows come in order of time.
pub struct Writer {
    spill: Spill,
    compressor: zstd::bulk::Compressor<'static>,
    /// The block that is being filled, and the seconds of its first and its last row.
    heads: Vec<u8>,
    values: Vec<u8>,
    seconds: Option<(i64, i64)>,
}

impl Writer {
    /// Begins a spill.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(file: Arc<SpillFile>) -> Result<Writer> {
        let compressor = zstd::bulk::Compressor::new(LEVEL).map_err(Error::io(&file.dir))?;
        let (heads, values) = (Vec::new(), Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8));
        let spill = Spill { file, blocks: Vec::new() };
        Ok(Writer { spill, compressor, heads, values, seconds: None })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn push(&mut self, head: Head, value: &[u8]) -> Result<()> {
        let (from, _) = *self.seconds.get_or_insert((head.second, head.second));
        self.seconds = Some((from, head.second));
        self.heads.extend_from_slice(&head.second.to_le_bytes());
        self.heads.extend_from_slice(&head.about.to_le_bytes());
        self.heads.extend_from_slice(&(value.len() as u64).to_le_bytes());
        for text in [head.kind, head.key] {
            self.heads.extend_from_slice(&(text.len() as u64).to_le_bytes());
            self.heads.extend_from_slice(text.as_bytes());
        }
        self.values.extend_from_slice(value);
        if self.values.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<()> {
        let Some((from, to)) = self.seconds.take() else { return Ok(()) };
        let [heads, values] = [&mut self.heads, &mut self.values].map(std::mem::take);
        let block = Block { from, to, heads: self.write(&heads)?, values: self.write(&values)? };
        self.spill.blocks.push(block);
        // Their memory is used again.
        (self.heads, self.values) = (heads, values);
        self.heads.clear();
        self.values.clear();
        Ok(())
    }

    fn write(&mut self, plain: &[u8]) -> Result<Piece> {
        let packed = self.compressor.compress(plain).map_err(Error::io(&self.spill.file.dir))?;
        let start = self.spill.file.append(&packed)?;
        Ok(Piece { start, bytes: packed.len(), plain_bytes: plain.len() })
    }

    /// All rows.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(mut self) -> Result<Spill> {
        self.end_block()?;
        Ok(self.spill)
    }
}

impl Spill {
    /// Calls `each` with the rows of these times that are wanted, and their values. Times are in order and
    /// apart from each other; rows beside them may be asked about as well.
    ///
    /// # Errors
    /// [`Error::Io`]; those of `each`.
    pub fn read(
        &self,
        times: &[Seconds],
        wanted: impl Fn(Head) -> bool,
        mut each: impl FnMut(Head, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let near = |block: &&Block| {
            let next = times.partition_point(|seconds| seconds.to <= block.from);
            times.get(next).is_some_and(|seconds| seconds.from <= block.to)
        };
        let damaged = || Error::Encoding("a row that was put out of memory".to_owned());
        for block in self.blocks.iter().filter(near) {
            let heads = self.plain(block.heads)?;
            let (mut rest, mut at, mut chosen) = (heads.as_slice(), 0_usize, Vec::new());
            while !rest.is_empty() {
                let (head, length) = head(&mut rest).ok_or_else(damaged)?;
                if wanted(head) {
                    chosen.push((head, at..at.saturating_add(length)));
                }
                at = at.saturating_add(length);
            }
            if chosen.is_empty() {
                continue;
            }
            let values = self.plain(block.values)?;
            for (head, place) in chosen {
                each(head, values.get(place).ok_or_else(damaged)?)?;
            }
        }
        Ok(())
    }

    fn plain(&self, piece: Piece) -> Result<Vec<u8>> {
        let packed = self.file.read(piece.start, piece.bytes)?;
        zstd::bulk::decompress(&packed, piece.plain_bytes).map_err(Error::io(&self.file.dir))
    }
}

/// Takes the next head off; with the length of its value.
fn head<'l>(rest: &mut &'l [u8]) -> Option<(Head<'l>, usize)> {
    let number = |rest: &mut &'l [u8]| -> Option<[u8; 8]> {
        let (number, others) = rest.split_first_chunk()?;
        *rest = others;
        Some(*number)
    };
    let second = i64::from_le_bytes(number(rest)?);
    let about = i64::from_le_bytes(number(rest)?);
    let length = usize::try_from(u64::from_le_bytes(number(rest)?)).ok()?;
    let mut text = || -> Option<&'l str> {
        let length = u64::from_le_bytes(number(rest)?);
        let (text, others) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        *rest = others;
        std::str::from_utf8(text).ok()
    };
    let (kind, key) = (text()?, text()?);
    Some((Head { second, kind, key, about }, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_time_come_back_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let file = Arc::new(SpillFile::new(dir.path()).unwrap());
        let mut other = Writer::new(file.clone()).unwrap();
        let mut writer = Writer::new(file).unwrap();
        let keys: Vec<String> = (0..2000).map(|n| format!("key {n}")).collect();
        let values: Vec<Vec<u8>> = (0..2000).map(|n| vec![n as u8; n % 700]).collect();
        let head = |n: usize| Head {
            second: if n < 5 { i64::MIN } else { n as i64 / 3 },
            kind: "grant",
            key: &keys[n],
            about: -(n as i64),
        };
        for (n, value) in values.iter().enumerate() {
            writer.push(head(n), value).unwrap();
            other.push(Head { kind: "other", ..head(n) }, value).unwrap();
        }
        let spill = writer.finish().unwrap();
        other.finish().unwrap();
        assert!(spill.blocks.len() > 2, "{} blocks", spill.blocks.len());
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "the file has no name");
        for (from, to) in [(i64::MIN, i64::MAX), (i64::MIN, 0), (100, 101), (0, 0), (660, 700)] {
            let holds = |second: i64| (from..to).contains(&second);
            let mut met = Vec::new();
            let mut meet = |head: Head, value: &[u8]| {
                met.push((head.key.to_owned(), head.about, value.to_vec()));
                Ok(())
            };
            let wanted = |head: Head| holds(head.second) && head.about % 2 == 0;
            spill.read(&[Seconds { from, to }], wanted, &mut meet).unwrap();
            let all = (0..2000).filter(|n| wanted(head(*n)));
            let all = all.map(|n| (keys[n].clone(), head(n).about, values[n].clone()));
            assert_eq!(met, all.collect::<Vec<_>>());
        }
        spill.read(&[], |_| true, |_, _| panic!("nothing is wanted")).unwrap();
    }
}
