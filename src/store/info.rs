//! What a store holds, from its logs and file names alone: nothing is decoded.

use chrono::DateTime;
use serde_json::Value;

use super::columns::is_internal;
use super::compact::SMALL_BYTES;
use super::delta::Table;
use super::{Store, TABLES};
use crate::error::Result;

/// One table of a store at its snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name.
    pub name: &'static str,
    /// Whether it is none of the contract.
    pub internal: bool,
    /// Delta Lake version.
    pub version: u64,
    /// Rows.
    pub rows: u64,
    /// Data files.
    pub files: u64,
    /// Files among them that merging would take.
    pub small_files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of files in its folder that the snapshot does not need: earlier ones may.
    pub other_bytes: u64,
    /// Earliest of [`TIMES`], microseconds since 1970.
    pub first: Option<i64>,
    /// Latest.
    pub last: Option<i64>,
}

/// The column that tells when the rows of a table are: the first that a table has.
const TIMES: &[&str] = &["event_time", "hour", "ingested_at", "started_at", "first_event_at"];

impl Store {
    /// What each table holds.
    ///
    /// # Errors
    ///
    /// As [`Store::provider`]; [`Error::Io`] when the folder cannot be listed.
    pub async fn info(&self) -> Result<Vec<TableInfo>> {
        let mut all = Vec::new();
        for def in TABLES {
            let Some(version) = self.snapshot().version_of(def.name) else { continue };
            let table = Table::open(self.location(), def, Some(version)).await?;
            let mut info = TableInfo {
                name: def.name,
                internal: is_internal(def),
                version,
                ..TableInfo::default()
            };
            let time = TIMES.iter().find(|name| def.columns.iter().any(|c| c.name == **name));
            for file in table.active_files() {
                info.files += 1;
                info.bytes += file.size;
                info.small_files += u64::from(!file.in_part && file.size < SMALL_BYTES);
                let stats = file.stats.as_deref().unwrap_or_default();
                let stats: Value = serde_json::from_str(stats).unwrap_or_default();
                info.rows += stats["numRecords"].as_u64().unwrap_or(0);
                let instant = |bounds: &str| {
                    let text = stats[bounds][time?].as_str()?;
                    DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_micros())
                };
                info.first = info.first.into_iter().chain(instant("minValues")).min();
                info.last = info.last.into_iter().chain(instant("maxValues")).max();
            }
            let on_disk = self.location().data_files(def.name)?;
            let on_disk: u64 = on_disk.iter().map(|file| file.size).sum();
            info.other_bytes = on_disk.saturating_sub(info.bytes);
            all.push(info);
        }
        Ok(all)
    }
}
