//! How far the reports of a name have come: what `--since last` goes on from.
//!
//! A small file a name below `reports/`, replaced atomically when a report was written whole. It is no
//! part of a snapshot: it is about readers, not about logs.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::location::Location;
use crate::error::{Error, Result};

/// The end of the last report of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// End of its window, RFC 3339.
    pub until: String,
    /// When the newest of the files that it saw was read; what comes in later is new to the next one.
    pub last_ingested_at: Option<String>,
    /// The snapshot that it saw.
    pub snapshot: u64,
    /// When it was written, RFC 3339.
    pub written_at: String,
}

/// The reports of a name, held so that no two are made at once. A name in a bucket cannot be held:
/// there the second of two cannot move the mark.
pub struct Marks {
    at: Location,
    /// Name of the file.
    name: String,
    /// Entity tag of the object as it was read.
    etag: OnceLock<Option<String>>,
    _lock: Option<File>,
}

impl Marks {
    /// Takes hold of a name, which consists of letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Store`] when another process holds it.
    pub fn hold(at: impl Into<Location>, name: &str) -> Result<Marks> {
        let at = at.into();
        let lock = match &at {
            Location::Folder(store) => Some(lock(store, name)?),
            Location::Bucket(_) => None,
        };
        Ok(Marks { at, name: format!("reports/{name}.json"), etag: OnceLock::new(), _lock: lock })
    }

    /// The end of the last report; `None` before the first.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Store`] for a file that cannot be understood.
    pub fn read(&self) -> Result<Option<Mark>> {
        let bytes = match &self.at {
            Location::Folder(_) => self.at.read(&self.name)?,
            Location::Bucket(place) => {
                let (bytes, etag) = place.read(&self.name)?.unzip();
                let _ = self.etag.set(etag.flatten());
                bytes
            }
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let mark = serde_json::from_slice(&bytes).map_err(|e| Error::Store {
            path: self.at.join(&self.name),
            message: format!("this does not tell where the last report ended: {e}"),
        })?;
        Ok(Some(mark))
    }

    /// Moves the mark, durably, from where it was when it was read.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Store`] when another process has moved it meanwhile.
    pub fn write(&self, mark: &Mark) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(mark)?;
        text.push(b'\n');
        let place = match &self.at {
            Location::Folder(_) => return self.at.replace(&self.name, &text),
            Location::Bucket(place) => place,
        };
        let moved = match self.etag.get() {
            Some(Some(etag)) => place.update(&self.name, &text, etag)?,
            _ => place.create(&self.name, &text)?,
        };
        if moved { Ok(()) } else { Err(another(&self.at.path(), &self.name)) }
    }
}

fn lock(store: &Path, name: &str) -> Result<File> {
    let dir = store.join("reports");
    fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
    let path = dir.join(format!(".{name}.lock"));
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(Error::io(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(another(store, name)),
        Err(TryLockError::Error(e)) => Err(Error::io(&path)(e)),
    }
}

fn another(store: &Path, name: &str) -> Error {
    let name = name.trim_start_matches("reports/").trim_end_matches(".json");
    Error::Store {
        path: store.to_path_buf(),
        message: format!("another run is making the report {name}; its window is left to it"),
    }
}
