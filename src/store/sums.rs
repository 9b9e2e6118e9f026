//! Sums of data files. Most of what may happen to a byte on a disk leaves a file readable, with another
//! text or number in it, or a bloom filter that denies what is there. So the name of a data file has the
//! sum of all its bytes in it, where it stays through whatever keeps the names of files:
//! `part-‹uuid›-‹sum›.parquet`, XXH3 in 16 hexadecimal digits. It finds accidents; it is no signature.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3Default;

use crate::error::{Error, Result};

const EXTENSION: &str = ".parquet";

/// Bytes that are written and read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// A file that is written once, from its beginning to its end, and summed on the way.
pub(super) struct Summed {
    file: Arc<File>,
    sum: Box<Xxh3Default>,
}

impl Summed {
    pub(super) fn buffered(file: Arc<File>) -> BufWriter<Summed> {
        let sum = Box::new(Xxh3Default::new());
        BufWriter::with_capacity(BUFFER_BYTES, Summed { file, sum })
    }

    /// The sum of what was written.
    pub(super) fn sum(&self) -> u64 {
        self.sum.digest()
    }
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = (&*self.file).write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.file).flush()
    }
}

/// The name of a file when its sum is known.
pub(super) fn with_sum(path: &str, sum: u64) -> String {
    let stem = path.strip_suffix(EXTENSION).unwrap_or(path);
    format!("{stem}-{sum:016x}{EXTENSION}")
}

/// The sum in the name of a file; files of others, and of earlier versions, have none.
fn in_name(path: &Path) -> Option<u64> {
    let stem = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?;
    let (_, sum) = stem.rsplit_once('-')?;
    let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let is_sum = sum.len() == 16 && sum.bytes().all(digits);
    is_sum.then(|| u64::from_str_radix(sum, 16).ok()).flatten()
}

/// Compares the bytes of a file, all of which are there, with the sum in its name.
///
/// # Errors
/// [`Error::Damaged`] where they differ; [`Error::Io`].
pub(super) fn check(path: &Path, file: &File) -> Result<()> {
    let Some(written) = in_name(path) else { return Ok(()) };
    let of = |mut file: &File| {
        file.rewind()?;
        let mut bytes = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut sum = Xxh3Default::new();
        loop {
            match bytes.read(&mut buffer)? {
                0 => return Ok(sum.digest()),
                read => sum.update(&buffer[..read]),
            }
        }
    };
    if of(file).map_err(Error::io(path))? == written {
        return Ok(());
    }
    let message = "its bytes are not those that were written: another sum stands in its name";
    Err(Error::Damaged { path: path.to_path_buf(), message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_sums() {
        let name = "events/event_date=2024-05-01/part-6f1c2f3e-0b5c-4a53-a3a4-8f3f6b1c2d3e.parquet";
        assert_eq!(in_name(Path::new(name)), None);
        let summed = with_sum(name, 0xab);
        assert!(summed.ends_with("-8f3f6b1c2d3e-00000000000000ab.parquet"), "{summed}");
        assert_eq!(in_name(Path::new(&summed)), Some(0xab));
        for other in ["part-00000.parquet", "part-0-00000000000000AB.parquet", "x", "part-1"] {
            assert_eq!(in_name(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn one_bit_makes_another_sum() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut out = Summed::buffered(file.clone());
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * BUFFER_BYTES + 7).collect();
        bytes.chunks(1000).for_each(|part| out.write_all(part).unwrap());
        out.flush().unwrap();
        let name = with_sum("part-x.parquet", out.get_ref().sum());
        check(Path::new(&name), &file).unwrap();
        (&*file).seek(io::SeekFrom::Start(300_000)).unwrap();
        (&*file).write_all(&[bytes[300_000] ^ 1]).unwrap();
        let error = check(Path::new(&name), &file).unwrap_err();
        assert!(error.to_string().contains("not those that were written"), "{error}");
    }
}
