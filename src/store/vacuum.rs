//! Removing what no kept snapshot needs: data files that were replaced or merged, what killed ingests
//! left, and the parts of table logs from before the oldest kept version.
//!
//! It holds the store's lock, so no ingest is under way, and keeps whatever the current snapshot names,
//! so readers of it are not disturbed. Readers of a snapshot that goes fail: keep as many as readers may
//! be at work with. Killed at any instant, the kept snapshots are whole: files go after the snapshots
//! that name them, and what is left is removed the next time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use chrono::DateTime;

use super::info::data_files;
use super::{Snapshot, TABLES, Transaction, delta, snapshot};
use crate::error::{Error, Result};
use crate::table::TableDef;

/// Which snapshots stay. The current one always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The newest so many.
    Newest(usize),
    /// Those that were current at this instant or later, microseconds since 1970.
    CurrentSince(i64),
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Numbers of snapshots.
    pub snapshots: Vec<u64>,
    /// Snapshots that stay.
    pub kept: Vec<u64>,
    /// Data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files of table logs.
    pub log_files: u64,
}

/// Removes what only snapshots need that do not stay. With `dry_run` nothing is removed.
///
/// # Errors
/// The store's. Nothing is removed before all is known that stays.
pub async fn vacuum(tx: Transaction, keep: Keep, dry_run: bool) -> Result<Vacuumed> {
    let Some(current) = tx.base() else { return Ok(Vacuumed::default()) };
    let all = snapshot::up_to(tx.dir(), current.id)?;
    let (gone, kept) = divide(all, keep, current);
    let (mut data, mut logs) = (Vec::new(), Vec::new());
    for def in TABLES {
        let needed = needed(&tx, def, &kept).await?;
        let folder = tx.dir().join(def.name);
        let unneeded = data_files(&folder)?.into_iter().filter(|(p, _)| !needed.contains(p));
        data.extend(unneeded.map(|(path, size)| (folder.join(path), size)));
        let oldest = kept.iter().filter_map(|snapshot| snapshot.version_of(def.name)).min();
        if let Some(oldest) = oldest {
            logs.extend(unneeded_logs(&folder.join("_delta_log"), oldest)?);
        }
    }
    let done = Vacuumed {
        snapshots: gone.iter().map(|snapshot| snapshot.id).collect(),
        kept: kept.iter().map(|snapshot| snapshot.id).collect(),
        files: data.len() as u64,
        bytes: data.iter().map(|(_, size)| size).sum(),
        log_files: logs.len() as u64,
    };
    if !dry_run {
        remove(tx.dir(), &gone, &data, &logs)?;
    }
    Ok(done)
}

/// Snapshots that go, and those that stay.
fn divide(all: Vec<Snapshot>, keep: Keep, current: &Snapshot) -> (Vec<Snapshot>, Vec<Snapshot>) {
    let first = match keep {
        Keep::Newest(count) => all.len().saturating_sub(count),
        // A snapshot was current until the next one was written.
        Keep::CurrentSince(instant) => {
            let written = |snapshot: &Snapshot| {
                let at = DateTime::parse_from_rfc3339(&snapshot.written_at).ok();
                // Of a snapshot without a time nobody can say that it is old.
                at.map_or(i64::MAX, |at| at.timestamp_micros())
            };
            all.windows(2).take_while(|pair| written(&pair[1]) <= instant).count()
        }
    };
    let (mut gone, mut kept) = (all, Vec::new());
    let at = first.min(gone.len());
    kept.append(&mut gone.split_off(at));
    gone.retain(|snapshot| snapshot.id != current.id);
    if kept.last().is_none_or(|last| last.id != current.id) {
        kept.push(current.clone());
    }
    (gone, kept)
}

/// Files of a table that a kept snapshot, or whoever reads its newest version, needs.
async fn needed(tx: &Transaction, def: &TableDef, kept: &[Snapshot]) -> Result<BTreeSet<String>> {
    let newest = tx.table(def)?.active_files();
    let mut needed: BTreeSet<String> = newest.into_iter().map(|file| file.path).collect();
    let versions: BTreeSet<u64> = kept.iter().filter_map(|s| s.version_of(def.name)).collect();
    for version in versions {
        needed.append(&mut delta::paths_at(tx.dir(), def, version).await?);
    }
    Ok(needed)
}

/// Files of a table's log that reading `oldest` and later versions does not need: all before the last
/// checkpoint up to it. Source: Delta protocol, "Metadata Cleanup".
fn unneeded_logs(log_dir: &Path, oldest: u64) -> Result<Vec<PathBuf>> {
    let mut by_version: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    let mut checkpoint = None;
    for entry in fs::read_dir(log_dir).map_err(Error::io(log_dir))? {
        let entry = entry.map_err(Error::io(log_dir))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Some((digits, rest)) = name.split_once('.') else { continue };
        let Ok(version) = digits.parse::<u64>() else { continue };
        if digits.len() != 20 {
            continue;
        }
        if rest == "checkpoint.parquet" && version <= oldest {
            checkpoint = checkpoint.max(Some(version));
        }
        by_version.entry(version).or_default().push(entry.path());
    }
    let Some(checkpoint) = checkpoint else { return Ok(Vec::new()) };
    Ok(by_version.into_iter().take_while(|(v, _)| *v < checkpoint).flat_map(|(_, p)| p).collect())
}

fn remove(dir: &Path, gone: &[Snapshot], data: &[(PathBuf, u64)], logs: &[PathBuf]) -> Result<()> {
    gone.iter().try_for_each(|snapshot| snapshot::forget(dir, snapshot.id))?;
    if !gone.is_empty() {
        snapshot::sync_dir(&dir.join("snapshots"))?;
    }
    for path in data.iter().map(|(path, _)| path).chain(logs) {
        fs::remove_file(path).map_err(Error::io(path))?;
    }
    // Folders of days and parts that have no file any more; the others refuse.
    let folders: BTreeSet<&Path> = data.iter().filter_map(|(path, _)| path.parent()).collect();
    let inner = folders.into_iter().filter(|folder| folder.parent() != Some(dir));
    inner.for_each(|folder| _ = fs::remove_dir(folder));
    Ok(())
}
