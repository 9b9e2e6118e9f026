//! Merging small data files: ingests that come often leave many, and every one of them costs each
//! reader an opening.
//!
//! Files are merged within a day's partition, and in tables that every ingest adds a file to; rows,
//! order, statistics and bloom filters are as an ingest writes them. Tables that linking makes are
//! left alone: their files hold parts, which an ingest replaces ([`super::parts`]). The merged files are one
//! more snapshot; the small ones stay for earlier snapshots until [`super::vacuum`] removes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use parquet::file::metadata::PageIndexPolicy;

use super::delta::TARGET_BYTES;
use super::location::Location;
use super::merge::{Merged, Part, joined};
use super::opened::Opened;
use super::{DataFile, Place, Snapshot, TABLES, Transaction};
use crate::error::{Error, Result};
use crate::table::TableDef;

/// A file below this size is small, bytes.
pub const SMALL_BYTES: u64 = 32 << 20;

/// An ingest ends with merging when a day, or another table, has this many small files.
pub const PAYS_FROM: usize = 32;

/// How much is merged at the same time.
#[derive(Debug, Clone, Copy)]
pub struct AtOnce {
    /// Days.
    days: usize,
    /// Files of a day: one that is read holds a page for each of its columns.
    inputs: usize,
}

impl AtOnce {
    /// What fits where so many bytes may be used: half of a gibibyte for two days, so that what an ingest
    /// ends with takes no more than the ingest itself.
    pub fn of_memory(bytes: u64) -> AtOnce {
        const ENOUGH: u64 = 1 << 30;
        let inputs = usize::try_from(bytes.min(ENOUGH) * 16 / ENOUGH).unwrap_or(16);
        AtOnce { days: if bytes < ENOUGH { 1 } else { 2 }, inputs: inputs.max(4) }
    }
}

/// What merging did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merging {
    /// Files that were replaced.
    pub files_before: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// Files that took their place.
    pub files_after: u64,
    /// Their bytes.
    pub bytes_after: u64,
    /// Rows in them.
    pub rows: u64,
}

/// Merges small files wherever a day or table has at least `least` of them (two at the least), as one
/// snapshot. Without anything to merge the snapshot stays.
///
/// # Errors
/// The store's; it is then as it was.
pub async fn compact(
    mut tx: Transaction,
    least: usize,
    at_once: AtOnce,
) -> Result<(Merging, Snapshot)> {
    let mut done = Merging::default();
    for def in TABLES {
        let mut days = small_files(&tx, def)?;
        days.retain(|_, files| files.len() >= least.max(2));
        let change = merge_days(&tx, def, days, at_once)?;
        if !change.gone.is_empty() {
            done.count(&change);
            tx.rewrite(def, change.gone, change.files)?;
        }
    }
    Ok((done, tx.commit().await?))
}

/// Merges the files of each partition, several of them at the same time.
fn merge_days(tx: &Transaction, def: &TableDef, days: Days, at_once: AtOnce) -> Result<Rewritten> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(at_once.days).min(days.len());
    let days = Mutex::new(days);
    let next = || days.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
    let some = || -> Result<Rewritten> {
        let mut change = Rewritten::default();
        while let Some((partition, files)) = next() {
            change.add(merge_all(tx, def, partition.as_deref(), files, at_once.inputs)?);
        }
        Ok(change)
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(some)).collect();
        let mut change = some()?;
        for other in others {
            let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            change.add(other?);
        }
        Ok(change)
    })
}

/// Whether the store will have so many small files that merging them pays, once the transaction is
/// committed.
///
/// # Errors
/// The store's.
pub fn pays(tx: &Transaction) -> Result<bool> {
    for def in TABLES {
        let mut counts: BTreeMap<Option<String>, usize> = BTreeMap::new();
        for (partition, files) in small_files(tx, def)? {
            *counts.entry(partition).or_default() += files.len();
        }
        let small = |file: &&DataFile| file.size < SMALL_BYTES && !file.path.contains('/');
        let daily = |file: &&DataFile| file.size < SMALL_BYTES && file.partition.is_some();
        for file in tx.appended(def).iter().filter(|file| small(file) || daily(file)) {
            *counts.entry(file.partition.clone()).or_default() += 1;
        }
        if counts.into_values().any(|count| count >= PAYS_FROM) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A file that is to be merged.
struct Small {
    part: Part,
    size: u64,
    /// Path in the table, of a file that the table has; otherwise this transaction has written it.
    active: Option<String>,
    written: Option<DataFile>,
}

/// Files that may be merged with each other, by partition.
type Days = BTreeMap<Option<String>, Vec<Small>>;

fn small_files(tx: &Transaction, def: &TableDef) -> Result<Days> {
    let table = tx.table(def)?;
    let mut found = Days::new();
    for file in table.active_files() {
        if file.in_part || file.size >= SMALL_BYTES {
            continue;
        }
        let part = Part { path: table.dir().join(&file.path), partition: file.partition.clone() };
        let small = Small { part, size: file.size, active: Some(file.path), written: None };
        found.entry(file.partition).or_default().push(small);
    }
    Ok(found)
}

/// Files that go, and those that come.
#[derive(Default)]
struct Rewritten {
    gone: BTreeSet<String>,
    files: Vec<DataFile>,
    bytes_before: u64,
}

impl Rewritten {
    fn add(&mut self, mut other: Rewritten) {
        self.gone.append(&mut other.gone);
        self.files.append(&mut other.files);
        self.bytes_before += other.bytes_before;
    }
}

impl Merging {
    fn count(&mut self, change: &Rewritten) {
        self.files_before += change.gone.len() as u64;
        self.bytes_before += change.bytes_before;
        self.files_after += change.files.len() as u64;
        self.bytes_after += change.files.iter().map(|file| file.size).sum::<u64>();
        self.rows += change.files.iter().map(|file| file.rows).sum::<u64>();
    }
}

/// Merges the smallest, again and again, until there is nothing to merge: so a row is rewritten only
/// a few times however many files there are.
fn merge_all(
    tx: &Transaction,
    def: &TableDef,
    partition: Option<&str>,
    mut waiting: Vec<Small>,
    most_inputs: usize,
) -> Result<Rewritten> {
    let mut done = Rewritten::default();
    // The largest first: they are taken from the end.
    let largest_first = |a: &Small, b: &Small| (b.size, &b.part.path).cmp(&(a.size, &a.part.path));
    waiting.sort_by(largest_first);
    while waiting.len() > 1 {
        let mut bytes = 0;
        let mut inputs = Vec::new();
        while let Some(small) = waiting.pop_if(|next| {
            let fits = bytes + next.size <= TARGET_BYTES.unsigned_abs();
            inputs.len() < 2 || (inputs.len() < most_inputs && fits)
        }) {
            bytes += small.size;
            inputs.push(small);
        }
        let file = merge(tx, def, partition, &inputs)?;
        for input in inputs {
            match input.active {
                Some(path) => {
                    done.bytes_before += input.size;
                    done.gone.insert(path);
                }
                None => tx.discard(&input.part.path)?,
            }
        }
        if file.size >= SMALL_BYTES {
            done.files.push(file);
            continue;
        }
        let part = Part { path: tx.path_of(def, &file)?, partition: partition.map(str::to_owned) };
        waiting.push(Small { part, size: file.size, active: None, written: Some(file) });
        waiting.sort_by(largest_first);
    }
    done.files.extend(waiting.into_iter().filter_map(|small| small.written));
    Ok(done)
}

/// Merges files into one.
fn merge(
    tx: &Transaction,
    def: &TableDef,
    partition: Option<&str>,
    inputs: &[Small],
) -> Result<DataFile> {
    let parts: Vec<Part> = inputs.iter().map(|input| input.part.clone()).collect();
    let (mut rows, mut sorted) = (0, true);
    for part in &parts {
        let header = header(tx.location(), &part.path)?;
        rows += header.rows;
        sorted &= header.sorted;
    }
    let place = partition.map_or(Place::Table, Place::Day);
    let file = if sorted {
        tx.write_sorted(def, place, rows, Merged::open(tx.location(), def, &parts)?)?
    } else {
        tx.write_unsorted(def, place, rows, joined(tx.location(), def, &parts))?
    };
    if file.rows != rows as u64 {
        let message = format!("merging {rows} rows of {} gave {}", def.name, file.rows);
        return Err(Error::Store { path: tx.location().path(), message });
    }
    Ok(file)
}

/// What a data file says of itself.
struct Header {
    rows: usize,
    /// Whether its rows are in the table's order.
    sorted: bool,
}

fn header(at: &Location, path: &Path) -> Result<Header> {
    let metadata = Opened::open(at, path)?.metadata(PageIndexPolicy::Skip)?;
    let metadata = metadata.metadata();
    let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let sorted = metadata.row_groups().iter().all(|group| group.sorting_columns().is_some());
    Ok(Header { rows, sorted })
}
