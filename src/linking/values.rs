//! Values out of memory that are read one by one: in a file without a name, each found by its place.

use std::path::Path;

use super::spill::SpillFile;
use crate::error::Result;

/// Bytes that wait until they are written together.
const WAITING_BYTES: usize = 256 * 1024;

/// See the module.
pub struct Values {
    file: SpillFile,
    /// What is yet to be written, and where it will begin.
    waiting: Vec<u8>,
    written: u64,
}

/// Where a value is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    start: u64,
    bytes: usize,
}

impl Values {
    /// None yet; the file will be in the folder `dir`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io).
    pub fn new(dir: &Path) -> Result<Values> {
        Ok(Values { file: SpillFile::new(dir)?, waiting: Vec::new(), written: 0 })
    }

    /// Puts a value behind the others.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io).
    pub fn put(&mut self, value: &[u8]) -> Result<Place> {
        let start = self.written + self.waiting.len() as u64;
        self.waiting.extend_from_slice(value);
        if self.waiting.len() >= WAITING_BYTES {
            self.file.append(&self.waiting)?;
            self.written += self.waiting.len() as u64;
            self.waiting.clear();
        }
        Ok(Place { start, bytes: value.len() })
    }

    /// The value at a place.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io).
    pub fn get(&self, place: Place) -> Result<Vec<u8>> {
        let Some(start) = place.start.checked_sub(self.written) else {
            return self.file.read(place.start, place.bytes);
        };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let waiting = self.waiting.get(start..).and_then(|rest| rest.get(..place.bytes));
        Ok(waiting.unwrap_or_default().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_written_or_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let mut values = Values::new(dir.path()).unwrap();
        let value = |n: usize| vec![n as u8; n % 3000];
        let places: Vec<Place> = (0..1000).map(|n| values.put(&value(n)).unwrap()).collect();
        assert!(values.written > 0 && !values.waiting.is_empty());
        for (n, place) in places.into_iter().enumerate() {
            assert_eq!(values.get(place).unwrap(), value(n));
        }
    }
}
