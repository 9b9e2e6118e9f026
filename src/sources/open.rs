//! Opens one object: hashes the bytes as stored, takes off compression under a cap, and tells an archive
//! from text.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::PathBuf;
use std::rc::Rc;

use sha2::{Digest, Sha256};
use tempfile::SpooledTempFile;

use super::discover::LogFile;
use super::inflate::{Budget, Form, Layer, Peeled, peel};

/// Bytes that come only once are kept in memory up to this many.
const KEPT_IN_MEMORY: usize = 16 << 20;

/// The bytes of one object as stored, wherever it lies.
pub trait Object: Read {
    /// What the place it lies in says of the very bytes that are read.
    fn version(&self) -> Version {
        Version::default()
    }
}

/// How a place that keeps versions of objects tells them apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// Entity tag, without quotes.
    pub etag: Option<String>,
    /// Id of the version, in a bucket that keeps old ones.
    pub version_id: Option<String>,
    /// Last modification, microseconds since 1970.
    pub modified: Option<i64>,
}

impl Object for File {}
impl Object for io::Stdin {}

/// What is known of an object when all of it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bytes as stored.
    pub size: u64,
    /// SHA-256 of them, hexadecimal.
    pub sha256: String,
    /// What its place says of them.
    pub version: Version,
}

/// An object as a stream of uncompressed bytes.
pub struct OpenedFile<'a> {
    raw: Rc<RefCell<Hashing<'a>>>,
    pub(super) peeled: Peeled<'a>,
    pub(super) budget: Budget,
    /// Where it lies, if it is a file whose parts can be read in any order.
    pub(super) file: Option<PathBuf>,
}

/// Opens a file that was found; what it inflates to may not exceed `cap` bytes.
///
/// # Errors
/// Whatever the operating system says. An empty file is no error here: it reads as no bytes.
pub fn open(file: &LogFile, cap: u64) -> io::Result<OpenedFile<'static>> {
    let mut opened = open_object(object(file)?, cap)?;
    let plain = file.bucket.is_none() && !file.is_stdin() && !opened.peeled.packed;
    opened.file = plain.then(|| file.path.clone());
    Ok(opened)
}

/// As [`open`], for bytes that come from anywhere.
///
/// # Errors
/// Those of the first read.
pub fn open_object<'a>(object: Box<dyn Object + 'a>, cap: u64) -> io::Result<OpenedFile<'a>> {
    open_within(object, Budget::new(cap))
}

/// As [`open_object`], for a file in an archive.
pub(super) fn open_within<'a>(
    object: Box<dyn Object + 'a>,
    budget: Budget,
) -> io::Result<OpenedFile<'a>> {
    let raw = Rc::new(RefCell::new(Hashing::new(object)));
    let peeled = peel(Box::new(Stream(raw.clone())), &budget)?;
    Ok(OpenedFile { raw, peeled, budget, file: None })
}

/// The bytes of a file that was found, as stored.
fn object(file: &LogFile) -> io::Result<Box<dyn Object>> {
    match &file.bucket {
        None if file.is_stdin() => Ok(Box::new(io::stdin())),
        None => Ok(Box::new(File::open(&file.path)?)),
        Some(bucket) => {
            let coming = bucket.fetch(&file.path.to_string_lossy(), file.size);
            Ok(Box::new(coming.open()?))
        }
    }
}

/// SHA-256 (hexadecimal) of a file as stored.
///
/// # Errors
/// The operating system's.
pub fn sha256_of(file: &LogFile) -> io::Result<String> {
    let mut raw = Hashing::new(object(file)?);
    io::copy(&mut raw, &mut io::sink())?;
    Ok(raw.finish().sha256)
}

impl OpenedFile<'_> {
    /// Whether the content was recognised as compressed.
    pub fn is_packed(&self) -> bool {
        self.peeled.packed
    }

    /// Whether it is an archive, whose bytes are no text; see
    /// [`each_member`](OpenedFile::each_member).
    pub fn is_archive(&self) -> bool {
        matches!(self.peeled.form, Form::Zip | Form::Tar)
    }

    /// Whether it is a Parquet file, which is read in no order: see [`keep`](OpenedFile::keep).
    pub fn is_parquet(&self) -> bool {
        self.peeled.form == Form::Parquet
    }

    /// All its bytes, to be read in any order. Those of a plain file are where they are; all others are
    /// kept in memory or, if they are many, in a file without a name in the folder for such files
    /// (`$TMPDIR`). What could be read before an error is there as well.
    ///
    /// # Errors
    /// The operating system's: nothing is there.
    pub fn keep(&mut self) -> io::Result<(Kept, Option<io::Error>)> {
        if let Some(path) = &self.file {
            return Ok((Box::new(BufReader::new(File::open(path)?)), None));
        }
        let mut kept = SpooledTempFile::new(KEPT_IN_MEMORY);
        let mut buffer = vec![0; 64 << 10];
        let ended = loop {
            match self.peeled.body.read(&mut buffer) {
                Ok(0) => break None,
                Ok(n) => kept.write_all(&buffer[..n]).map_err(no_room)?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(e),
            }
        };
        kept.rewind()?;
        Ok((Box::new(kept), ended))
    }

    /// After an error: whether more can be read behind what is damaged.
    pub fn recover(&mut self) -> bool {
        self.peeled.body.recover()
    }

    /// Reads what is left unread, then says what was stored.
    ///
    /// # Errors
    /// Those of the object itself.
    pub fn finish(self) -> io::Result<Stored> {
        drop(self.peeled);
        io::copy(&mut Stream(self.raw.clone()), &mut io::sink())?;
        match Rc::try_unwrap(self.raw) {
            Ok(raw) => Ok(raw.into_inner().finish()),
            Err(_) => Err(io::Error::other("the file is still being read")),
        }
    }
}

impl Read for OpenedFile<'_> {
    /// As [`Read::read`]; trouble with compression comes as an error whose text says what is wrong.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.peeled.body.read(out)
    }
}

/// Bytes that can be read in any order.
pub type Kept = Box<dyn Seekable>;

/// See [`Kept`].
pub trait Seekable: Read + Seek + Send {}
impl<T: Read + Seek + Send> Seekable for T {}

fn no_room(e: io::Error) -> io::Error {
    let place = std::env::temp_dir();
    let text = format!(
        "it must be kept to be read, and {} has no room for it ({e}); set TMPDIR to a folder that has",
        place.display()
    );
    io::Error::new(e.kind(), text)
}

/// Passes bytes through and keeps their hash and number.
struct Hashing<'a> {
    object: Box<dyn Object + 'a>,
    hasher: Sha256,
    size: u64,
}

impl<'a> Hashing<'a> {
    fn new(object: Box<dyn Object + 'a>) -> Hashing<'a> {
        Hashing { object, hasher: Sha256::new(), size: 0 }
    }

    fn finish(self) -> Stored {
        let digest = self.hasher.finalize();
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Stored { size: self.size, sha256, version: self.object.version() }
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.object.read(out)?;
        self.hasher.update(&out[..n]);
        self.size += n as u64;
        Ok(n)
    }
}

/// The bytes as stored, for the layers above; whoever opened them gets them back in the end.
struct Stream<'a>(Rc<RefCell<Hashing<'a>>>);

impl Read for Stream<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let raw = self.0.try_borrow_mut();
        raw.map_err(|_| io::Error::other("the file is being read twice"))?.read(out)
    }
}

impl Layer for Stream<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(stored: &[u8], cap: u64) -> (Vec<u8>, Option<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), stored).unwrap();
        let mut opened = open(&LogFile::at(file.path()), cap).unwrap();
        let mut out = Vec::new();
        let error = opened.read_to_end(&mut out).err().map(|e| e.to_string());
        let known = opened.finish().unwrap();
        assert_eq!(known.size, stored.len() as u64, "all is hashed, whatever happened");
        assert_eq!(known.sha256.len(), 64);
        (out, error)
    }

    #[test]
    fn reads_all_members_and_insists_on_a_clean_end() {
        let two = [gz(b"one "), gz(b"two")].concat();
        assert_eq!(read(&two, 100), (b"one two".to_vec(), None));
        // What fills the last block of a disk is no junk.
        assert_eq!(
            read(&[two.clone(), vec![0; 300_000]].concat(), 100),
            (b"one two".to_vec(), None)
        );
        let (_, error) = read(&[two.clone(), vec![0; 300_000], vec![1]].concat(), 100);
        assert!(error.unwrap().contains("junk"));
        let (out, error) = read(&two[..two.len() - 4], 100);
        assert_eq!(out, b"one two");
        assert!(error.unwrap().contains("truncated"));
        let (out, error) = read(&[gz(b"one"), b"junk".to_vec()].concat(), 100);
        assert_eq!(out, b"one");
        assert!(error.unwrap().contains("gzip"));
    }

    #[test]
    fn cap_is_an_error_and_never_a_silent_cut() {
        let bomb = gz(&vec![b' '; 1_000_000]);
        assert!(read(&bomb, 10_000).1.unwrap().contains("more than the allowed 10000 bytes"));
        assert_eq!(read(&gz(b"12345"), 5), (b"12345".to_vec(), None));
        assert!(read(b"123456", 5).1.is_some());
    }
}
