//! The store: a folder of Delta Lake tables plus one small file that says which versions belong
//! together.
//!
//! ```text
//! store/
//!   snapshot.json          the current snapshot: table name -> Delta version; replaced atomically
//!   snapshots/1.json …     every snapshot that ever was current, for questions "as of"
//!   .lock                  held by the one transaction that may write
//!   events/_delta_log/…    one Delta Lake table for each entry of TABLES
//!   events/event_date=2024-05-01/part-….parquet
//! ```
//!
//! Delta Lake gives one atomic commit for each table, but an ingest changes several. So readers of
//! ours never ask for the newest version of a table: they read the versions that `snapshot.json`
//! names. It is written last; until then a killed ingest has changed nothing that anybody sees,
//! and the next transaction takes the half-made commits back.
//!
//! Other tools (DuckDB, polars, Spark) open the tables one by one and see each one's newest
//! version, which is the snapshot's except while an ingest is committing.
//!
//! Everything that knows Delta Lake is in this room. No file or folder name is ever made from text
//! that came out of a log: table names are constants, partition values are checked dates, data
//! files are named by random ids.

pub mod columns;
pub mod compact;
mod datafile;
mod delta;
mod info;
pub mod marks;
mod merge;
mod read;
mod snapshot;
mod stats;
mod transaction;
pub mod vacuum;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::catalog::TableProvider;

use crate::error::{Error, Result};
use crate::events::columns::EVENTS;
use crate::grants::columns::GRANTS;
use crate::sessions::columns::{ATTRIBUTIONS, CREDENTIALS, LINKS, SESSIONS};
use crate::table::TableDef;

pub use datafile::{DataFile, Place};
pub use info::TableInfo;
pub use read::Select;
pub use snapshot::{FORMAT, Snapshot};
pub use transaction::Transaction;

use columns::{COVERAGE, FILES, LINKING_QUESTIONS, LINKING_STATE, REJECTS};

/// Every table that a store holds.
pub const TABLES: &[TableDef] = &[
    EVENTS,
    GRANTS,
    SESSIONS,
    CREDENTIALS,
    LINKS,
    ATTRIBUTIONS,
    FILES,
    REJECTS,
    COVERAGE,
    LINKING_STATE,
    LINKING_QUESTIONS,
];

/// A store opened for reading, pinned to one snapshot: whatever is written meanwhile, every table
/// read through it stays as the snapshot names it.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    snapshot: Snapshot,
}

impl Store {
    /// Whether `dir` holds a store that can be opened, that is, whether an ingest into it ever
    /// completed. Says nothing about whether this version can read it.
    pub fn exists(dir: impl AsRef<Path>) -> bool {
        snapshot::current_path(dir.as_ref()).is_file()
    }

    /// Opens the store at its current snapshot.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when `dir` is no store or was written by a newer format; [`Error::Io`]
    /// when it cannot be read.
    pub async fn open(dir: impl AsRef<Path>) -> Result<Store> {
        let dir = dir.as_ref();
        match snapshot::read_current(dir)? {
            Some(snapshot) => Ok(Store { dir: absolute(dir)?, snapshot }),
            None => Err(not_a_store(dir)),
        }
    }

    /// Opens the store as it was when snapshot `id` was current.
    ///
    /// # Errors
    ///
    /// As [`Store::open`], and [`Error::NotFound`] when there is no such snapshot.
    pub async fn open_as_of(dir: impl AsRef<Path>, id: u64) -> Result<Store> {
        let dir = dir.as_ref();
        let current = snapshot::read_current(dir)?.ok_or_else(|| not_a_store(dir))?;
        // A file with a higher number is what an ingest left that was killed just before its
        // snapshot became current: it never was.
        let snapshot = if id <= current.id { snapshot::read_kept(dir, id)? } else { None };
        match snapshot {
            Some(snapshot) => Ok(Store { dir: absolute(dir)?, snapshot }),
            None => {
                let first = snapshot::kept_ids(dir)?.first().copied().unwrap_or(current.id);
                Err(Error::NotFound {
                    message: format!("store {} has no snapshot {id}", dir.display()),
                    hint: Some(format!("snapshots run from {first} to {}", current.id)),
                })
            }
        }
    }

    /// The snapshot this reader is pinned to.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// All snapshots that can be asked for, by number; the current one is the last.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        snapshot::up_to(&self.dir, self.snapshot.id)
    }

    /// The folder, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The table as DataFusion reads it, pinned at the snapshot's version.
    ///
    /// Files are skipped by partition and by minimum and maximum, row groups by statistics and
    /// bloom filters, rows by predicates pushed into the Parquet reader. The schema is
    /// [`TableDef::schema`] with text as `Utf8View`.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the snapshot has no such table or its columns are not ours;
    /// [`Error::Delta`] when its log cannot be read.
    pub async fn provider(&self, def: &TableDef) -> Result<Arc<dyn TableProvider>> {
        let version = self.snapshot.version_of(def.name).ok_or_else(|| Error::Store {
            path: self.dir.clone(),
            message: format!(
                "snapshot {} has no table {}; an older version wrote it: ingest again to add it",
                self.snapshot.id, def.name
            ),
        })?;
        let table = delta::Table::open(&self.dir, def, Some(version)).await?;
        table.provider().await
    }
}

fn not_a_store(dir: &Path) -> Error {
    let message = if dir.is_dir() {
        "this folder is not a roletrail store (it has no snapshot.json)"
    } else {
        "there is no such folder"
    };
    Error::Store { path: dir.to_path_buf(), message: message.to_owned() }
}

/// The absolute form of a folder that exists, without links and `..`: a table's address must not
/// change with the working directory.
fn absolute(dir: &Path) -> Result<PathBuf> {
    let dir = std::fs::canonicalize(dir).map_err(Error::io(dir))?;
    // Delta Lake readers, ours among them, take it for an escape and look in another folder.
    if dir.to_string_lossy().contains('%') {
        let message = "its path contains a % sign, which Delta Lake readers cannot handle; choose another folder".to_owned();
        return Err(Error::Store { path: dir, message });
    }
    Ok(dir)
}
