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
//!   credentials/from-1714521600_from-1714532400/part-….parquet    parts that share a file
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
//! A store may also be a place in a bucket, under the same names. Nobody holds a lock there: tables are
//! committed, and snapshots kept, only where nobody else has done so meanwhile, and a transaction that
//! comes second has changed nothing ([`Error::Conflict`]) and can be made again on top.
//!
//! Everything that knows Delta Lake is in this room. No file or folder name is ever made from text
//! that came out of a log: table names are constants, partition values are checked dates, data
//! files are named by random ids, and by the sum of their bytes.

mod asked;
pub mod check;
pub mod columns;
pub mod compact;
mod datafile;
mod delta;
mod dictionary;
mod info;
mod layout;
mod location;
mod log;
mod lookup;
pub mod marks;
mod merge;
mod opened;
mod parts;
mod read;
mod snapshot;
mod stats;
mod sums;
mod transaction;
pub mod vacuum;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::catalog::TableProvider;

use crate::error::{Error, Result};
use crate::events::columns::EVENTS;
use crate::grants::columns::GRANTS;
use crate::sessions::columns::{ATTRIBUTIONS, CREDENTIALS, LINKS, SESSIONS};
use crate::table::TableDef;

pub use asked::Comparison;
pub use datafile::{DataFile, Place};
pub use info::TableInfo;
pub use location::Location;
pub use parts::EncodedPart;
pub use read::Select;
use snapshot::Current;
pub use snapshot::{FORMAT, Snapshot};
pub use transaction::{SortedFile, Transaction};

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
    at: Location,
    snapshot: Snapshot,
    damage: Option<String>,
}

impl Store {
    /// Whether there is a store that can be opened, that is, whether an ingest into it ever completed.
    /// Says nothing about whether this version can read it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when that cannot be found out.
    pub fn exists(at: impl Into<Location>) -> Result<bool> {
        let at = at.into();
        Ok(at.read("snapshot.json")?.is_some() || !snapshot::kept_ids(&at)?.is_empty())
    }

    /// Opens the store at its current snapshot.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when there is no store or a newer format wrote it; [`Error::Io`] when it cannot
    /// be read.
    pub async fn open(at: impl Into<Location>) -> Result<Store> {
        let at = at.into();
        match snapshot::read_current(&at)? {
            Some(Current { snapshot, damage, .. }) => {
                Ok(Store { at: absolute(at)?, snapshot, damage })
            }
            None => Err(not_a_store(&at)),
        }
    }

    /// Opens the store as it was when snapshot `id` was current.
    ///
    /// # Errors
    ///
    /// As [`Store::open`], and [`Error::NotFound`] when there is no such snapshot.
    pub async fn open_as_of(at: impl Into<Location>, id: u64) -> Result<Store> {
        let at = at.into();
        let current = snapshot::read_current(&at)?.ok_or_else(|| not_a_store(&at))?.snapshot;
        // A file with a higher number is what an ingest left that was killed just before its
        // snapshot became current: it never was.
        let snapshot = if id <= current.id { snapshot::read_kept(&at, id)? } else { None };
        match snapshot {
            Some(snapshot) => Ok(Store { at: absolute(at)?, snapshot, damage: None }),
            None => {
                let first = snapshot::kept_ids(&at)?.first().copied().unwrap_or(current.id);
                Err(Error::NotFound {
                    message: format!("store {} has no snapshot {id}", at.path().display()),
                    hint: Some(format!("snapshots run from {first} to {}", current.id)),
                })
            }
        }
    }

    /// The snapshot this reader is pinned to.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What is wrong with `snapshot.json`, where the newest snapshot that is kept stands in for it. The
    /// next ingest puts it right.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// All snapshots that can be asked for, by number; the current one is the last.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        snapshot::up_to(&self.at, self.snapshot.id)
    }

    /// Where it is; a folder is absolute.
    pub fn location(&self) -> &Location {
        &self.at
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
    /// [`Error::Damaged`] when a file of a folder is not there or has another size, or the table's log
    /// is damaged; [`Error::Delta`] when the log cannot be read for another reason.
    pub async fn provider(&self, def: &TableDef) -> Result<Arc<dyn TableProvider>> {
        let version = self.snapshot.version_of(def.name).ok_or_else(|| Error::Store {
            path: self.at.path(),
            message: format!(
                "snapshot {} has no table {}; an older version wrote it: ingest again to add it",
                self.snapshot.id, def.name
            ),
        })?;
        let table = delta::Table::open(&self.at, def, Some(version)).await?;
        table.check_files(self.snapshot.files.get(def.name).copied())?;
        table.provider().await
    }
}

fn not_a_store(at: &Location) -> Error {
    let message = match at {
        Location::Folder(dir) if dir.is_dir() => {
            "this folder is not a roletrail store (it has no snapshot.json)"
        }
        Location::Folder(_) => "there is no such folder",
        Location::Bucket(_) => "there is no store (no snapshot.json)",
    };
    Error::Store { path: at.path(), message: message.to_owned() }
}

/// The absolute form of a folder that exists, without links and `..`: a table's address must not
/// change with the working directory.
fn absolute(at: Location) -> Result<Location> {
    let Location::Folder(dir) = at else { return Ok(at) };
    let dir = std::fs::canonicalize(&dir).map_err(Error::io(&dir))?;
    // Delta Lake readers, ours among them, take it for an escape and look in another folder.
    if dir.to_string_lossy().contains('%') {
        let message = "its path contains a % sign, which Delta Lake readers cannot handle; choose another folder".to_owned();
        return Err(Error::Store { path: dir, message });
    }
    Ok(Location::Folder(dir))
}
