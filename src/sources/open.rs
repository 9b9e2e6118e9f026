//! Opens one object: hashes the bytes as stored, recognises gzip by content, inflates under a cap.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use super::discover::LogFile;
use super::s3::Refused;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const READ_BUFFER: usize = 128 * 1024;

/// The bytes of one object as stored, wherever it lies.
pub trait Object: Read + Send {
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
pub struct OpenedFile {
    body: Body,
    inflated: u64,
    cap: u64,
}

enum Body {
    Plain(BufReader<Hashing>),
    Gzip(Box<Members>),
}

/// All members of a gzip file, one after the other: logs joined with `cat a.gz b.gz` are legal gzip.
struct Members {
    /// Always there, except while one decoder gives its reader to the next.
    current: Option<GzDecoder<BufReader<Hashing>>>,
    clean_end: bool,
}

/// Opens a file that was found; what it inflates to may not exceed `cap` bytes.
///
/// # Errors
/// Whatever the operating system says. An empty file is no error here: it reads as no bytes.
pub fn open(file: &LogFile, cap: u64) -> io::Result<OpenedFile> {
    open_object(object(file)?, cap)
}

/// As [`open`], for bytes that come from anywhere.
///
/// # Errors
/// Those of the first read.
pub fn open_object(object: Box<dyn Object>, cap: u64) -> io::Result<OpenedFile> {
    let mut raw = BufReader::with_capacity(READ_BUFFER, Hashing::new(object));
    let gzip = raw.fill_buf()?.starts_with(&GZIP_MAGIC);
    let body = if gzip {
        let current = Some(GzDecoder::new(raw));
        Body::Gzip(Box::new(Members { current, clean_end: false }))
    } else {
        Body::Plain(raw)
    };
    Ok(OpenedFile { body, inflated: 0, cap })
}

/// The bytes of a file that was found, as stored.
fn object(file: &LogFile) -> io::Result<Box<dyn Object>> {
    match &file.bucket {
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

impl OpenedFile {
    /// Whether the content was recognised as gzip.
    pub fn is_gzip(&self) -> bool {
        matches!(self.body, Body::Gzip(_))
    }

    /// Reads what is left unread, then says what was stored.
    pub fn finish(self) -> io::Result<Stored> {
        let mut raw = match self.body {
            Body::Plain(raw) => raw,
            Body::Gzip(members) => match members.current {
                Some(decoder) => decoder.into_inner(),
                None => return Err(io::Error::other("the file was not read to its end")),
            },
        };
        io::copy(&mut raw, &mut io::sink())?;
        Ok(raw.into_inner().finish())
    }
}

impl Read for OpenedFile {
    /// As [`Read::read`]; trouble with gzip comes as an error whose text says what is wrong.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // One byte past the cap is asked for, so that a file of exactly the cap passes.
        let room = self.cap.saturating_add(1).saturating_sub(self.inflated);
        let wanted = out.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let n = match &mut self.body {
            Body::Plain(raw) => raw.read(&mut out[..wanted])?,
            Body::Gzip(members) => members.read(&mut out[..wanted])?,
        };
        self.inflated += n as u64;
        if self.inflated > self.cap {
            let text = format!("inflates to more than the allowed {} bytes", self.cap);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(n)
    }
}

impl Read for Members {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.clean_end && !out.is_empty() {
            let Some(decoder) = &mut self.current else { break };
            let n = decoder.read(out).map_err(explain_gzip)?;
            if n > 0 {
                return Ok(n);
            }
            self.next_member()?;
        }
        Ok(0)
    }
}

impl Members {
    /// Goes on behind a member that has ended with a right checksum.
    fn next_member(&mut self) -> io::Result<()> {
        let Some(decoder) = self.current.take() else { return Ok(()) };
        let mut raw = decoder.into_inner();
        let behind = raw.fill_buf().map(|bytes| (bytes.is_empty(), bytes.starts_with(&GZIP_MAGIC)));
        self.current = Some(GzDecoder::new(raw));
        match behind? {
            (true, _) => self.clean_end = true,
            (false, true) => {}
            (false, false) => {
                self.clean_end = true;
                let text = "gzip: trailing junk: what follows the last member is not gzip";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        Ok(())
    }
}

fn explain_gzip(e: io::Error) -> io::Error {
    // Bytes that did not come are no fault of the bytes that came.
    if e.get_ref().is_some_and(|inner| inner.is::<Refused>()) {
        return e;
    }
    let text = match e.kind() {
        io::ErrorKind::UnexpectedEof => "gzip: truncated, the stream ends early".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("gzip: corrupt data ({e})")
        }
        _ => format!("gzip: {e}"),
    };
    io::Error::new(e.kind(), text)
}

/// Passes bytes through and keeps their hash and number.
struct Hashing {
    object: Box<dyn Object>,
    hasher: Sha256,
    size: u64,
}

impl Hashing {
    fn new(object: Box<dyn Object>) -> Hashing {
        Hashing { object, hasher: Sha256::new(), size: 0 }
    }

    fn finish(self) -> Stored {
        let digest = self.hasher.finalize();
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Stored { size: self.size, sha256, version: self.object.version() }
    }
}

impl Read for Hashing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.object.read(out)?;
        self.hasher.update(&out[..n]);
        self.size += n as u64;
        Ok(n)
    }
}

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
