//! What the store remembers of its input: which files and events are in, what was rejected, which
//! hours are covered. Turns the books of an intake into rows, and rows back into what the next
//! ingest must know.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::error::Result;
use crate::events::EVENTS;
use crate::intake::FileBook;
use crate::intake::books::FileReject;
use crate::intake::coverage::{Count, Coverage, Hour};
use crate::intake::seen::{EventKey, event_key};
use crate::model::time;
use crate::sources::LogFile;
use crate::sources::open::sha256_of;
use crate::store::columns::{COVERAGE, FILES, REJECTS};
use crate::store::{Place, Transaction};
use crate::table::build::{Cell, RowsBuilder};
use crate::table::typed;

/// The files that are in. There may be millions: texts are kept as hashes under a key that nobody knows.
#[derive(Default)]
pub struct KnownFiles {
    by_path: HashMap<EventKey, KnownFile>,
    /// Further versions of the few paths that have several.
    others: HashMap<EventKey, Vec<KnownFile>>,
    /// The working folder, which is asked for only once.
    here: PathBuf,
}

struct KnownFile {
    size: i64,
    modified: i64,
    etag: Option<EventKey>,
    sha256: EventKey,
}

/// The same text for `./logs/a`, `logs//a` and the whole path of it, so that a folder that is named in
/// another way is not read again. Other addresses than paths stay as they are. `here` is the working folder.
fn one_spelling<'p>(path: &'p str, here: &Path) -> Cow<'p, str> {
    if path == "-" || path.contains("://") {
        return Cow::Borrowed(path);
    }
    let whole = std::path::absolute(here.join(path));
    whole.map_or(Cow::Borrowed(path), |whole| Cow::Owned(whole.to_string_lossy().into_owned()))
}

impl KnownFiles {
    /// Reads them from the store.
    ///
    /// # Errors
    /// The store's.
    pub fn read(tx: &Transaction) -> Result<KnownFiles> {
        let here = std::env::current_dir().unwrap_or_default();
        let mut known = KnownFiles { here, ..KnownFiles::default() };
        let columns = ["path", "size_bytes", "modified_at", "etag", "sha256"];
        for batch in tx.read(&FILES, &columns)? {
            let path: &StringArray = typed(&batch, "path")?;
            let size: &Int64Array = typed(&batch, "size_bytes")?;
            let modified: &TimestampMicrosecondArray = typed(&batch, "modified_at")?;
            let etag: &StringArray = typed(&batch, "etag")?;
            let sha256: &StringArray = typed(&batch, "sha256")?;
            // Without a hash it was never read: it is tried again.
            for row in (0..batch.num_rows()).filter(|row| sha256.is_valid(*row)) {
                let file = KnownFile {
                    size: size.value(row),
                    modified: modified.value(row),
                    etag: etag.is_valid(row).then(|| event_key(etag.value(row))),
                    sha256: event_key(sha256.value(row)),
                };
                let path = event_key(&one_spelling(path.value(row), &known.here));
                match known.by_path.entry(path) {
                    Entry::Vacant(entry) => _ = entry.insert(file),
                    Entry::Occupied(_) => known.others.entry(path).or_default().push(file),
                }
            }
        }
        Ok(known)
    }

    /// The files that are not in yet, and the number of those that are. Path, size and entity tag (for
    /// files: modification time) settle it without a look inside; where only those differ, the hash
    /// decides. `shown` makes of a path what is stored of it.
    pub fn new_among(
        &self,
        files: Vec<LogFile>,
        shown: &(dyn Fn(&Path) -> PathBuf + Sync),
    ) -> (Vec<LogFile>, u64) {
        if self.by_path.is_empty() {
            return (files, 0);
        }
        let all = files.len();
        let same_content = self.same_content(&files, shown);
        let held = |(n, file): (usize, &LogFile)| {
            self.same_size(file, shown).any(|known| known.is_as_new_as(file))
                || same_content.contains(&n)
        };
        let held: Vec<bool> = files.iter().enumerate().map(held).collect();
        let new = files.into_iter().zip(held).filter(|(_, held)| !held).map(|(file, _)| file);
        let new: Vec<LogFile> = new.collect();
        let already_in = all - new.len();
        (new, already_in as u64)
    }

    /// What was read at the path of a file, of its size. Standard input is never what it was.
    fn same_size<'k>(
        &'k self,
        file: &LogFile,
        shown: &(dyn Fn(&Path) -> PathBuf + Sync),
    ) -> impl Iterator<Item = &'k KnownFile> + use<'k> {
        let size = i64::try_from(file.size).unwrap_or(i64::MAX);
        let stdin = file.is_stdin();
        let path = event_key(&one_spelling(&shown(&file.path).to_string_lossy(), &self.here));
        let first = self.by_path.get(&path).into_iter();
        first
            .chain(self.others.get(&path).into_iter().flatten())
            .filter(move |known| !stdin && known.size == size)
    }

    /// Those among the files, by number, that were touched and have the content they had. Several are
    /// hashed at once: most of the time goes by waiting for S3.
    fn same_content(
        &self,
        files: &[LogFile],
        shown: &(dyn Fn(&Path) -> PathBuf + Sync),
    ) -> HashSet<usize> {
        let doubtful = |file: &LogFile| {
            let mut same = self.same_size(file, shown).peekable();
            same.peek().is_some() && !same.any(|known| known.is_as_new_as(file))
        };
        let doubtful: Vec<usize> = (0..files.len()).filter(|n| doubtful(&files[*n])).collect();
        let (next, same) = (AtomicUsize::new(0), Mutex::new(HashSet::new()));
        let work = || {
            while let Some(n) = doubtful.get(next.fetch_add(1, Ordering::Relaxed)) {
                // A file that cannot be hashed cannot be read either; the intake will report it.
                let hash = event_key(&sha256_of(&files[*n]).unwrap_or_default());
                if self.same_size(&files[*n], shown).any(|known| known.sha256 == hash) {
                    same.lock().unwrap_or_else(PoisonError::into_inner).insert(*n);
                }
            }
        };
        std::thread::scope(|scope| {
            (1..HASHING_THREADS.min(doubtful.len())).for_each(|_| _ = scope.spawn(work));
            work();
        });
        same.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Files that are hashed at once.
const HASHING_THREADS: usize = 8;

impl KnownFile {
    /// Whether what the place of an object says of its content is what it said when it was read.
    fn is_as_new_as(&self, file: &LogFile) -> bool {
        match (&self.etag, &file.etag) {
            (Some(known), Some(found)) => *known == event_key(found),
            _ => self.modified == file.modified,
        }
    }
}

/// The events of a day that are in: calls `each` with id and content.
///
/// # Errors
/// The store's.
pub fn stored_events(tx: &Transaction, day: i32, each: &mut dyn FnMut(&str, u64)) -> Result<()> {
    tx.read_day(&EVENTS, &["event_id", "record_hash"], &time::format_date(day), |batch| {
        let ids: &StringArray = typed(&batch, "event_id")?;
        let hashes: &Int64Array = typed(&batch, "record_hash")?;
        for row in 0..batch.num_rows() {
            each(ids.value(row), hashes.value(row).cast_unsigned());
        }
        Ok(())
    })
}

/// Rows of **files**. `now` is the time of the ingest, microseconds since 1970.
///
/// # Errors
/// Arrow's: a defect of ours.
pub fn file_rows(books: &[FileBook], now: i64) -> Result<RecordBatch> {
    let mut rows = RowsBuilder::new(&FILES);
    let texts = books.iter().map(|book| (book.path.to_string_lossy(), book));
    let mut books: Vec<(Cow<str>, &FileBook)> = texts.collect();
    // Of names that are no text, two may be shown alike.
    books.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.path.cmp(&y.path)));
    let count = |n: u64| Cell::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let instant = |t: Option<i64>| t.map_or(Cell::Null, Cell::Time);
    for (path, book) in &books {
        rows.push(vec![
            path.as_ref().into(),
            count(book.size_bytes),
            book.sha256.clone().into(),
            Cell::Time(book.modified_at),
            book.etag.clone().into(),
            book.version_id.clone().into(),
            count(book.records),
            count(book.kept),
            count(book.duplicates),
            count(book.rejected),
            count(book.conflicts),
            instant(book.first_event_time),
            instant(book.last_event_time),
            Cell::Time(now),
            book.status().into(),
        ]);
    }
    rows.finish()
}

/// Rows of **rejects**.
///
/// # Errors
/// Arrow's: a defect of ours.
pub fn reject_rows(rejects: &[FileReject]) -> Result<RecordBatch> {
    let mut rows = RowsBuilder::new(&REJECTS);
    for FileReject { path, reject } in rejects {
        rows.push(vec![
            path.to_string_lossy().as_ref().into(),
            reject.position.as_str().into(),
            reject.reason.as_str().into(),
            reject.content.clone().into(),
        ]);
    }
    rows.finish()
}

/// Adds to **coverage** what this intake adds; days of which it has nothing stay as they are.
///
/// # Errors
/// The store's.
pub fn add_coverage(tx: &mut Transaction, added: &Coverage) -> Result<()> {
    let mut days: BTreeMap<i32, BTreeMap<Hour, Count>> = BTreeMap::new();
    for (hour, count) in added.counts() {
        days.entry(time::day_of(hour.2)).or_default().insert(hour, count);
    }
    let parts = tx.parts(&COVERAGE)?;
    let (mut names, mut files) = (BTreeSet::new(), Vec::new());
    for (day, mut counts) in days {
        let part = time::format_date(day);
        add_stored_coverage(tx, parts.get(&part).map_or(&[], Vec::as_slice), &mut counts)?;
        let batch = coverage_batch(&counts)?;
        let rows = batch.num_rows();
        let place = Place::Part(&part);
        files.push(tx.write_sorted(&COVERAGE, place, rows, std::iter::once(Ok(batch)))?);
        names.insert(part);
    }
    tx.replace_parts(&COVERAGE, names, files)
}

fn add_stored_coverage(
    tx: &Transaction,
    files: &[PathBuf],
    counts: &mut BTreeMap<Hour, Count>,
) -> Result<()> {
    let columns = ["account_id", "aws_region", "hour", "files", "events"];
    tx.read_files(&COVERAGE, &columns, files, None, |batch| {
        let account: &StringArray = typed(&batch, "account_id")?;
        let region: &StringArray = typed(&batch, "aws_region")?;
        let hour: &TimestampMicrosecondArray = typed(&batch, "hour")?;
        let files: &Int64Array = typed(&batch, "files")?;
        let events: &Int64Array = typed(&batch, "events")?;
        for row in 0..batch.num_rows() {
            let text = |column: &StringArray| {
                if column.is_valid(row) { column.value(row).to_owned() } else { String::new() }
            };
            let count = counts.entry((text(account), text(region), hour.value(row))).or_default();
            count.files += files.value(row).cast_unsigned();
            count.events += events.value(row).cast_unsigned();
        }
        Ok(())
    })
}

/// Rows of **coverage**.
///
/// # Errors
/// Arrow's: a defect of ours.
pub fn coverage_batch(counts: &BTreeMap<Hour, Count>) -> Result<RecordBatch> {
    let mut rows = RowsBuilder::new(&COVERAGE);
    let text = |value: &String| Some(value.clone()).filter(|v| !v.is_empty());
    for ((account, region, hour), count) in counts {
        rows.push(vec![
            text(account).into(),
            text(region).into(),
            Cell::Time(*hour),
            Cell::Int(i64::try_from(count.files).unwrap_or(i64::MAX)),
            Cell::Int(i64::try_from(count.events).unwrap_or(i64::MAX)),
        ]);
    }
    rows.finish()
}
