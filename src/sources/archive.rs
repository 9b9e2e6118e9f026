//! The files in an archive, one after the other and without unpacking any to disk: zip and tar,
//! compressed or not, and archives in archives.
//!
//! Names in an archive are shown and never used as paths. A zip is read by its directory where that is
//! whole; where it is missing or damaged, by what stands before each file. Its bytes are kept for that
//! where they come only once (standard input, S3, in another archive).

use std::io::{self, Read, Seek, SeekFrom};

use super::inflate::{Budget, Form, Layer, explain};
use super::open::{Kept, Object, OpenedFile, open_within};
use super::s3::Refused;
use crate::error::Result;

/// A directory of more files would itself take much memory.
const MOST_FILES: u64 = 1 << 20;
/// Names and other things about a file in a tar are no longer.
const LONGEST_HEADER: u64 = 1 << 20;

/// What is met in an archive.
pub enum Member<'m> {
    /// A file: its name, and its bytes or why there are none.
    File(String, io::Result<OpenedFile<'m>>),
    /// Something is wrong with the archive itself.
    Trouble(String),
}

/// Takes the members.
type Each<'e> = &'e mut dyn FnMut(Member<'_>) -> Result<()>;

impl OpenedFile<'_> {
    /// Calls `each` with every file in the archive, in its order.
    ///
    /// # Errors
    /// Those of `each`; trouble with the archive is a [`Member::Trouble`].
    pub fn each_member(&mut self, each: Each<'_>) -> Result<()> {
        let budget = self.budget.clone();
        match self.peeled.form {
            Form::Text | Form::Parquet => Ok(()),
            Form::Tar => each_in_tar(&mut self.peeled.body, &budget, each),
            Form::Zip => match self.keep() {
                Ok((zip, None)) => each_in_zip(zip, &budget, each),
                Ok((mut zip, Some(e))) => {
                    each(Member::Trouble(explain("zip", e).to_string()))?;
                    each_by_headers(&mut zip, &budget, each)
                }
                Err(e) => each(Member::Trouble(format!("zip: {e}"))),
            },
        }
    }
}

fn each_in_tar(body: &mut dyn Read, budget: &Budget, each: Each<'_>) -> Result<()> {
    let mut tail = Tail { inner: body, zeros: 0 };
    if !each_entry(&mut tail, budget, &mut *each)? || tail.zeros >= TAR_BLOCK {
        return Ok(());
    }
    let reason =
        "tar: the blocks that end an archive are missing: it is cut, and files may be lost";
    each(Member::Trouble(reason.to_owned()))
}

/// Bytes of which a tar is made; some of nothing but zeros end it.
const TAR_BLOCK: u64 = 512;

/// Counts the zeros at the end of what was read.
struct Tail<'r> {
    inner: &'r mut dyn Read,
    zeros: u64,
}

impl Read for Tail<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        let zeros = out[..n].iter().rev().take_while(|byte| **byte == 0).count();
        self.zeros = zeros as u64 + if zeros == n { self.zeros } else { 0 };
        Ok(n)
    }
}

/// Whether all of it could be read.
fn each_entry(body: &mut dyn Read, budget: &Budget, each: Each<'_>) -> Result<bool> {
    let mut archive = tar::Archive::new(body);
    // Joined archives are read to the end of the last.
    archive.set_ignore_zeros(true);
    let entries = match archive.entries() {
        Ok(entries) => entries.raw(true),
        Err(e) => return each(damaged(e)).map(|()| false),
    };
    let mut said = Said::default();
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(e) => return each(damaged(e)).map(|()| false),
        };
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            if let Err(e) = said.read(&mut entry, kind.is_gnu_longname()) {
                return each(damaged(e)).map(|()| false);
            }
            continue;
        }
        if kind.is_pax_global_extensions() || kind.is_gnu_longlink() {
            continue;
        }
        let name = said.name.take();
        let name =
            name.unwrap_or_else(|| String::from_utf8_lossy(&entry.path_bytes()).into_owned());
        let size = entry.size();
        if std::mem::take(&mut said).size.is_some_and(|other| other != size) {
            let reason = format!("tar: {name} is too large for this form of tar; use --format=gnu");
            return each(Member::Trouble(reason)).map(|()| false);
        }
        if kind.is_gnu_sparse() {
            let e = io::Error::other("tar: a sparse file; pack it again without --sparse");
            each(Member::File(name, Err(e)))?;
        } else if kind.is_file() || kind.is_contiguous() {
            let whole = Whole { inner: &mut entry, left: size };
            each(Member::File(name, open_within(Box::new(whole), budget.clone())))?;
        }
    }
    Ok(true)
}

fn damaged(e: io::Error) -> Member<'static> {
    let own = e.kind() == io::ErrorKind::Other && !e.get_ref().is_some_and(|e| e.is::<Refused>());
    // The library would show the header's bytes.
    let text = "tar: a header is damaged; what follows is not read".to_owned();
    Member::Trouble(if own { text } else { explain("tar", e).to_string() })
}

/// What stands before a file in a tar because its header has no room for it.
#[derive(Default)]
struct Said {
    name: Option<String>,
    size: Option<u64>,
}

impl Said {
    fn read(&mut self, entry: &mut dyn Read, is_name: bool) -> io::Result<()> {
        let mut bytes = Vec::new();
        entry.take(LONGEST_HEADER).read_to_end(&mut bytes)?;
        if is_name {
            let name = bytes.split(|b| *b == 0).next().unwrap_or(&[]);
            self.name = Some(String::from_utf8_lossy(name).into_owned());
            return Ok(());
        }
        for pair in tar::PaxExtensions::new(&bytes) {
            let pair = pair?;
            match pair.key_bytes() {
                b"path" => {
                    self.name = Some(String::from_utf8_lossy(pair.value_bytes()).into_owned());
                }
                b"size" => self.size = pair.value().ok().and_then(|size| size.parse().ok()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A member whose size is known: an end before that is an error.
struct Whole<'a, R> {
    inner: &'a mut R,
    left: u64,
}

impl<R: Read> Read for Whole<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        if n == 0 && self.left > 0 && !out.is_empty() {
            let text = "tar: truncated, the archive ends inside of this file";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}

impl<R: Read> Object for Whole<'_, R> {}

fn each_in_zip(mut zip: Kept, budget: &Budget, each: Each<'_>) -> Result<()> {
    match directory(&mut zip) {
        Ok(archive) => each_in_directory(archive, budget, each),
        Err(reason) => {
            each(Member::Trouble(reason))?;
            match zip.seek(SeekFrom::Start(0)) {
                Ok(_) => each_by_headers(&mut zip, budget, each),
                Err(e) => each(Member::Trouble(format!("zip: {e}"))),
            }
        }
    }
}

/// A zip's directory, and how many files it says there are.
type Directory<'r, R> = (zip::ZipArchive<&'r mut R>, Option<u64>);

fn directory<R: Read + Seek>(zip: &mut R) -> Result<Directory<'_, R>, String> {
    let files = files_said(zip).ok().flatten();
    if files.is_some_and(|files| files > MOST_FILES) {
        return Err(format!("zip: more than {MOST_FILES} files in one archive"));
    }
    let archive = zip::ZipArchive::new(zip).map_err(|e| {
        format!(
            "zip: {e}; the directory at its end is missing or damaged, what stands before each \
                 file is read instead"
        )
    })?;
    Ok((archive, files))
}

/// How many files the end of a zip says that there are.
/// Source: APPNOTE.TXT, 4.3.14 to 4.3.16.
fn files_said<R: Read + Seek>(zip: &mut R) -> io::Result<Option<u64>> {
    const LONGEST_END: u64 = 22 + 65_535;
    let size = zip.seek(SeekFrom::End(0))?;
    let start = size.saturating_sub(LONGEST_END);
    zip.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    zip.take(LONGEST_END).read_to_end(&mut tail)?;
    let Some(end) = memchr::memmem::rfind(&tail, b"PK\x05\x06") else { return Ok(None) };
    let number = |bytes: Option<&[u8]>| {
        Some(bytes?.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte)))
    };
    let files = number(tail.get(end + 10..end + 12));
    if files != Some(0xffff) {
        return Ok(files);
    }
    let locator = end.checked_sub(20).filter(|at| tail[*at..].starts_with(b"PK\x06\x07"));
    let Some(large) = locator.and_then(|at| number(tail.get(at + 8..at + 16))) else {
        return Ok(files);
    };
    zip.seek(SeekFrom::Start(large.saturating_add(32)))?;
    let mut count = [0; 8];
    zip.read_exact(&mut count)?;
    Ok(Some(u64::from_le_bytes(count)))
}

fn each_in_directory<R: Read + Seek>(
    (mut archive, said): Directory<'_, R>,
    budget: &Budget,
    each: Each<'_>,
) -> Result<()> {
    for index in 0..archive.len() {
        let name = archive.name_for_index(index).unwrap_or_default().to_owned();
        match archive.by_index(index) {
            Ok(file) if !file.is_file() => {}
            Ok(file) => {
                let opened = open_within(Box::new(Zipped(file)), budget.clone());
                each(Member::File(name, opened))?;
            }
            Err(e) => each(Member::File(name, Err(refused(&e))))?,
        }
    }
    let read = archive.len() as u64;
    match said {
        Some(said) if said > read => each(Member::Trouble(format!(
            "zip: {} files have the same name as another and are not read; unpack them one by one",
            said - read
        ))),
        _ => Ok(()),
    }
}

fn each_by_headers(mut zip: &mut dyn Read, budget: &Budget, each: Each<'_>) -> Result<()> {
    loop {
        match zip::read::read_zipfile_from_stream(&mut zip) {
            Ok(None) => return Ok(()),
            Ok(Some(file)) if !file.is_file() => {}
            Ok(Some(file)) => {
                let name = file.name().to_owned();
                let opened = open_within(Box::new(Zipped(file)), budget.clone());
                each(Member::File(name, opened))?;
            }
            Err(e) => {
                let reason = format!("zip: {e}; what follows is not read. Repair it with zip -FF");
                return each(Member::Trouble(reason));
            }
        }
    }
}

fn refused(e: &zip::result::ZipError) -> io::Error {
    io::Error::other(format!("zip: {e}; pack it again without password and with deflate"))
}

/// A file in a zip.
struct Zipped<'a, R: Read>(zip::read::ZipFile<'a, R>);

impl<R: Read> Read for Zipped<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|e| explain("zip", e))
    }
}

impl<R: Read> Object for Zipped<'_, R> {}
impl<R: Read> Layer for Zipped<'_, R> {}
