//! How far the reports of a name have come: what `--since last` goes on from.
//!
//! A small file a name below `reports/`, replaced atomically when a report was written whole. It is no
//! part of a snapshot: it is about readers, not about logs.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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

/// The reports of a name, held so that no two are made at once.
pub struct Marks {
    path: PathBuf,
    _lock: File,
}

impl Marks {
    /// Takes hold of a name, which consists of letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Store`] when another process holds it.
    pub fn hold(store: &Path, name: &str) -> Result<Marks> {
        let dir = store.join("reports");
        fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
        let path = dir.join(format!(".{name}.lock"));
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(Error::io(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Marks { path: dir.join(format!("{name}.json")), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Store {
                path: store.to_path_buf(),
                message: format!(
                    "another run is making the report {name}; its window is left to it"
                ),
            }),
            Err(TryLockError::Error(e)) => Err(Error::io(&path)(e)),
        }
    }

    /// The end of the last report; `None` before the first.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Store`] for a file that cannot be understood.
    pub fn read(&self) -> Result<Option<Mark>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(&self.path)(e)),
        };
        let mark = serde_json::from_slice(&bytes).map_err(|e| Error::Store {
            path: self.path.clone(),
            message: format!("this does not tell where the last report ended: {e}"),
        })?;
        Ok(Some(mark))
    }

    /// Moves the mark, durably.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, mark: &Mark) -> Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir).map_err(Error::io(dir))?;
        let mut text = serde_json::to_vec_pretty(mark)?;
        text.push(b'\n');
        let written = file.write_all(&text).and_then(|()| file.as_file().sync_all());
        written.map_err(Error::io(&self.path))?;
        file.persist(&self.path).map_err(|e| Error::io(&self.path)(e.error))?;
        Ok(())
    }
}
