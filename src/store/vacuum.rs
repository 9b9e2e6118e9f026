//! Removing what no kept snapshot needs: data files that were replaced or merged, what killed ingests
//! left, and the parts of table logs from before the oldest kept version.
//!
//! It holds a folder's lock, so no ingest is under way, and keeps whatever the current snapshot names,
//! so readers of it are not disturbed. Readers of a snapshot that goes fail: keep as many as readers may
//! be at work with. Killed at any instant, the kept snapshots are whole: files go after the snapshots
//! that name them, and what is left is removed the next time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, SystemTime};

use chrono::DateTime;

use super::location::{Location, Present};
use super::{Snapshot, TABLES, Transaction, delta, snapshot};
use crate::error::Result;
use crate::table::TableDef;

/// Which snapshots stay. The current one always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The newest so many.
    Newest(usize),
    /// Those that were current at this instant or later, microseconds since 1970.
    CurrentSince(i64),
}

/// Longer than any ingest into a bucket takes.
const UNDER_WAY_FOR: Duration = Duration::from_secs(24 * 3600);

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
    let at = tx.location();
    let all = snapshot::up_to(at, current.id)?;
    let (gone, kept) = divide(all, keep, current);
    let (mut data, mut logs) = (Vec::new(), Vec::new());
    for def in TABLES {
        let needed = needed(&tx, def, &kept).await?;
        let left = left(at, def, &gone).await?;
        for file in at.data_files(def.name)? {
            if !needed.contains(&file.path) && left(&file) {
                data.push((format!("{}/{}", def.name, file.path), file.size));
            }
        }
        let oldest = kept.iter().filter_map(|snapshot| snapshot.version_of(def.name)).min();
        if let Some(oldest) = oldest {
            logs.extend(unneeded_logs(at, &format!("{}/_delta_log", def.name), oldest)?);
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
        tx.point_at_base()?;
        remove(at, &gone, &data, &logs)?;
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

/// Tells whether a file that nobody needs may go. In a bucket an ingest may be under way, whose files
/// no table names yet: there it must have been a snapshot's, or have lain for long.
async fn left(
    at: &Location,
    def: &TableDef,
    gone: &[Snapshot],
) -> Result<impl Fn(&Present) -> bool + use<>> {
    let remote = matches!(at, Location::Bucket(_));
    let mut named = BTreeSet::new();
    for version in gone.iter().filter_map(|s| s.version_of(def.name)).filter(|_| remote) {
        named.append(&mut delta::paths_at(at, def, version).await?);
    }
    let since = SystemTime::now().checked_sub(UNDER_WAY_FOR);
    Ok(move |file: &Present| {
        !remote || named.contains(&file.path) || since.is_some_and(|since| file.modified < since)
    })
}

/// Files of a table that a kept snapshot, or whoever reads its newest version, needs.
async fn needed(tx: &Transaction, def: &TableDef, kept: &[Snapshot]) -> Result<BTreeSet<String>> {
    let newest = tx.table(def)?.active_files();
    let mut needed: BTreeSet<String> = newest.into_iter().map(|file| file.path).collect();
    let versions: BTreeSet<u64> = kept.iter().filter_map(|s| s.version_of(def.name)).collect();
    for version in versions {
        needed.append(&mut delta::paths_at(tx.location(), def, version).await?);
    }
    Ok(needed)
}

/// Files of a table's log that reading `oldest` and later versions does not need: all before the last
/// checkpoint up to it. Source: Delta protocol, "Metadata Cleanup".
fn unneeded_logs(at: &Location, log: &str, oldest: u64) -> Result<Vec<String>> {
    let mut by_version: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut checkpoint = None;
    for name in at.names(log)? {
        let Some((digits, rest)) = name.split_once('.') else { continue };
        let Ok(version) = digits.parse::<u64>() else { continue };
        if digits.len() != 20 {
            continue;
        }
        if rest == "checkpoint.parquet" && version <= oldest {
            checkpoint = checkpoint.max(Some(version));
        }
        by_version.entry(version).or_default().push(format!("{log}/{name}"));
    }
    let Some(checkpoint) = checkpoint else { return Ok(Vec::new()) };
    Ok(by_version.into_iter().take_while(|(v, _)| *v < checkpoint).flat_map(|(_, p)| p).collect())
}

fn remove(at: &Location, gone: &[Snapshot], data: &[(String, u64)], logs: &[String]) -> Result<()> {
    gone.iter().try_for_each(|snapshot| snapshot::forget(at, snapshot.id))?;
    if !gone.is_empty() {
        at.sync("snapshots")?;
    }
    for name in data.iter().map(|(name, _)| name).chain(logs) {
        at.remove(name)?;
    }
    let Location::Folder(_) = at else { return Ok(()) };
    // Folders of days and parts that have no file any more; the others refuse.
    let folders: BTreeSet<&str> =
        data.iter().filter_map(|(name, _)| Some(name.rsplit_once('/')?.0)).collect();
    let inner = folders.into_iter().filter(|folder| folder.contains('/'));
    inner.for_each(|folder| _ = fs::remove_dir(at.join(folder)));
    Ok(())
}
