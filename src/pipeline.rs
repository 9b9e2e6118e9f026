//! The one place that knows the order of the stages:
//! find files → leave out what is in → read, decode, free of duplicates → link → write.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;

use crate::decode::Reject;
use crate::error::{Error, Result};
use crate::events::EVENTS;
use crate::intake::books::FileReject;
use crate::intake::seen::Seen;
use crate::intake::{self, Books, FileBook, Intake, Options, Progress, Run, Sink};
use crate::ledger;
use crate::linking::{self, Brought};
use crate::model::time;
use crate::redact::{self, Note};
use crate::sessions::Facts;
use crate::sessions::packed::PackedFacts;
use crate::sources::{Found, LeftOut, discover};
use crate::store::columns::{COVERAGE, FILES, REJECTS};
use crate::store::compact::{self, AtOnce, Merging};
use crate::store::{DataFile, Location, Place, Snapshot, SortedFile, Transaction};
use crate::table::TableDef;

/// What an ingest did.
#[derive(Debug)]
pub struct Ingested {
    /// The sums.
    pub books: Books,
    /// The first things that could not be read, for people: file, position, reason.
    pub problems: Vec<FileReject>,
    /// Files in which an event id came with another content than before.
    pub conflicts: Vec<FileBook>,
    /// What was merged at the end, where a day or table had many small files; the error where that
    /// failed, which costs nothing but the merging.
    pub merged: Option<Result<Merging>>,
    /// The state of the store now.
    pub snapshot: Snapshot,
}

/// All tables, in memory.
#[derive(Debug)]
pub struct Loaded {
    /// Batches by table name.
    pub tables: BTreeMap<&'static str, Vec<RecordBatch>>,
    /// The sums.
    pub books: Books,
    /// The first things that could not be read: file, position, reason.
    pub problems: Vec<FileReject>,
}

/// Loads logs into the store, which is made if there is none. Safe to repeat: files that are in are
/// not read again, and an ingest that is killed leaves the store as it was. Where another ingest into
/// a bucket came first it begins again on top of that one.
///
/// # Errors
/// [`Error::NothingReadable`] when no source holds a log; trouble with the store. Trouble with
/// single files and records is in [`Ingested::problems`].
pub async fn ingest(
    at: impl Into<Location>,
    sources: &[String],
    options: &Options,
    progress: &dyn Progress,
) -> Result<Ingested> {
    let at = at.into();
    // Standard input cannot be read again.
    let repeatable = !sources.iter().any(|source| source == "-");
    for attempt in 0.. {
        match ingest_once(&at, sources, options, progress).await {
            Err(Error::Conflict { .. }) if repeatable && attempt < MOST_REPEATS => {
                progress.waiting();
                let most = FIRST_PAUSE_MILLIS << attempt;
                let pause = rand::random::<u64>() % most;
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            done => return done,
        }
    }
    Err(Error::Conflict { path: at.path() })
}

/// How often an ingest begins again because another came first.
const MOST_REPEATS: u32 = 8;
/// Longest pause before the first time; each further one may take twice as long.
const FIRST_PAUSE_MILLIS: u64 = 500;

async fn ingest_once(
    at: &Location,
    sources: &[String],
    options: &Options,
    progress: &dyn Progress,
) -> Result<Ingested> {
    let mut found = discover(sources, &options.sources)?;
    if found.files.is_empty() {
        // Before a store is made for nothing.
        let mut intake = Intake::default();
        add_unreadable(&found, &mut intake, options);
        return Err(nothing_readable(sources, &found, &intake));
    }
    let mut tx = match Transaction::try_begin(at.clone()).await? {
        Some(tx) => tx,
        None => {
            progress.waiting();
            Transaction::begin(at.clone()).await?
        }
    };
    note_redaction(&tx, options)?;
    let known = ledger::KnownFiles::read(&tx)?;
    let (files, already_in) =
        known.new_among(std::mem::take(&mut found.files), &|path: &Path| options.shown(path));
    let sink = StoreSink::new(&tx);
    let stored = |day: i32, each: &mut dyn FnMut(&str, u64)| ledger::stored_events(&tx, day, each);
    let mut intake = {
        let seen = Seen::new(&stored).spilling_to(&tx.scratch());
        intake::run(&files, seen, options, &sink, progress)?
    };
    sink.rejects(add_unreadable(&found, &mut intake, options))?;
    let StoreSink { brought, files: event_files, rejects: reject_files, .. } = sink;
    let [event_files, reject_files] = [event_files, reject_files]
        .map(|files| files.into_inner().unwrap_or_else(PoisonError::into_inner));
    let books = sum(&intake, &found, already_in);
    if books.nothing_readable() {
        return Err(nothing_readable(sources, &found, &intake));
    }

    let unchanged = event_files.is_empty();
    let linked = if unchanged {
        None
    } else {
        Some(linking::link_and_write(&tx, brought, options.most_facts, options.workers())?)
    };
    let now = chrono::Utc::now().timestamp_micros();
    append(&mut tx, &FILES, ledger::file_rows(&intake.books, now)?)?;
    tx.append(&REJECTS, reject_files)?;
    if let Some(linked) = linked {
        tx.append(&EVENTS, event_files)?;
        ledger::add_coverage(&mut tx, &intake.coverage)?;
        linked.replace(&mut tx)?;
    }
    let pays = compact::pays(&tx)?;
    let mut snapshot = tx.commit().await?;
    let merged =
        if pays { merge_small_files(at, &mut snapshot, options.memory).await } else { None };
    let conflicts = intake.books.into_iter().filter(|file| file.conflicts > 0).collect();
    Ok(Ingested { books, problems: intake.first_rejects, conflicts, merged, snapshot })
}

fn note_redaction(tx: &Transaction, options: &Options) -> Result<()> {
    let note = tx.location().read(redact::MARKER)?;
    match redact::check_store(note.as_deref(), options.redactor.as_ref(), tx.base().is_none())? {
        Note::Stays => Ok(()),
        Note::Write(text) => tx.location().replace(redact::MARKER, text.as_bytes()),
        Note::Remove => tx.location().remove(redact::MARKER),
    }
}

/// A transaction of its own: what was loaded is in, whatever comes of this. Where another process has
/// begun to write meanwhile it is left to that one.
async fn merge_small_files(
    at: &Location,
    snapshot: &mut Snapshot,
    memory: u64,
) -> Option<Result<Merging>> {
    let at_once = AtOnce::of_memory(memory);
    let merged = async {
        match Transaction::try_begin(at.clone()).await? {
            Some(tx) => compact::compact(tx, compact::PAYS_FROM, at_once).await.map(Some),
            None => Ok(None),
        }
    };
    match merged.await {
        Ok(Some((merging, now))) => {
            *snapshot = now;
            Some(Ok(merging))
        }
        Ok(None) => None,
        Err(error) => Some(Err(error)),
    }
}

/// Reads logs into memory; nothing is written.
///
/// # Errors
/// As [`ingest`]; [`Error::TooLarge`] when the events take more than `memory_bytes`.
pub fn load(
    sources: &[String],
    options: &Options,
    memory_bytes: usize,
    progress: &dyn Progress,
) -> Result<Loaded> {
    let found = discover(sources, &options.sources)?;
    let sink = MemorySink { limit: memory_bytes, state: Mutex::default(), facts: Mutex::default() };
    let mut intake = intake::run(&found.files, Seen::nothing(), options, &sink, progress)?;
    sink.rejects(add_unreadable(&found, &mut intake, options))?;
    let books = sum(&intake, &found, 0);
    if books.nothing_readable() {
        return Err(nothing_readable(sources, &found, &intake));
    }
    let state = sink.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let now = chrono::Utc::now().timestamp_micros();
    let coverage = ledger::coverage_batch(&intake.coverage.counts())?;
    let mut tables = BTreeMap::from([
        (EVENTS.name, state.batches),
        (FILES.name, vec![ledger::file_rows(&intake.books, now)?]),
        (REJECTS.name, vec![ledger::reject_rows(&state.rejects)?]),
        (COVERAGE.name, vec![coverage]),
    ]);
    let facts = sink.facts.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (def, batches) in linking::link_in_memory(&facts)? {
        tables.insert(def.name, batches);
    }
    Ok(Loaded { tables, books, problems: intake.first_rejects })
}

/// Files that could not even be looked at are in the books like those that could not be read.
fn add_unreadable(found: &Found, intake: &mut Intake, options: &Options) -> Vec<FileReject> {
    let mut rejects = Vec::new();
    for (path, reason) in &found.unreadable {
        let path = options.shown(path);
        let book = FileBook {
            path: path.clone(),
            records: 1,
            rejected: 1,
            unreadable: true,
            ..FileBook::default()
        };
        let (position, reason) = ("file".to_owned(), reason.clone());
        let reject = options.shown_reject(Reject { position, reason, content: None });
        let reject = FileReject { path, reject };
        intake.add_unreadable(book, &reject);
        rejects.push(reject);
    }
    rejects
}

fn sum(intake: &Intake, found: &Found, already_in: u64) -> Books {
    let mut books = Books { already_in, ..Books::default() };
    intake.books.iter().for_each(|file| books.add(file));
    for (what, count) in &found.passed_over {
        *books.passed_over.entry((*what).to_owned()).or_default() += count;
    }
    books.left_out = found.left_out;
    books.left_out.files += intake.left_out;
    books.accounts = intake.coverage.accounts();
    books
}

fn nothing_readable(sources: &[String], found: &Found, intake: &Intake) -> Error {
    let mut what = sources.join(", ");
    let left_out = found.left_out;
    if left_out != LeftOut::default() {
        let (folders, files) = (left_out.folders, left_out.files);
        what.push_str(&format!(
            "; {folders} folders and {files} files were left out by their paths"
        ));
    }
    if let Some(first) = intake.first_rejects.first() {
        let place = format!("{}, {}", first.path.display(), first.reject.position);
        what.push_str(&format!("; first trouble: {place}: {}", first.reject.reason));
    }
    Error::NothingReadable { what }
}

fn write(tx: &Transaction, def: &TableDef, batch: RecordBatch) -> Result<Vec<DataFile>> {
    if batch.num_rows() == 0 {
        return Ok(Vec::new());
    }
    Ok(vec![tx.write_file(def, None, &[batch])?])
}

fn append(tx: &mut Transaction, def: &TableDef, batch: RecordBatch) -> Result<()> {
    let files = write(tx, def, batch)?;
    tx.append(def, files)
}

/// Events go to the store as Parquet files, one a run.
struct StoreSink<'t> {
    tx: &'t Transaction,
    brought: Brought<'t>,
    files: Mutex<Vec<DataFile>>,
    rejects: Mutex<Vec<DataFile>>,
}

impl StoreSink<'_> {
    fn new(tx: &Transaction) -> StoreSink<'_> {
        let (files, rejects) = (Mutex::default(), Mutex::default());
        let brought = Brought::new(tx);
        StoreSink { tx, brought, files, rejects }
    }
}

impl Sink for StoreSink<'_> {
    fn begin(&self, day: i32, most: usize) -> Result<Box<dyn Run + '_>> {
        let day = time::format_date(day);
        let file = self.tx.begin_sorted(&EVENTS, Place::Day(&day), most)?;
        Ok(Box::new(StoredRun { file, files: &self.files }))
    }

    fn rejects(&self, rejects: Vec<FileReject>) -> Result<()> {
        let files = write(self.tx, &REJECTS, ledger::reject_rows(&rejects)?)?;
        self.rejects.lock().unwrap_or_else(PoisonError::into_inner).extend(files);
        Ok(())
    }

    fn keep(&self, facts: PackedFacts) -> Result<()> {
        self.brought.add(facts)
    }
}

struct StoredRun<'s> {
    file: SortedFile<'s>,
    files: &'s Mutex<Vec<DataFile>>,
}

impl Run for StoredRun<'_> {
    fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.file.write(batch)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let file = self.file.finish()?;
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        Ok(())
    }
}

/// Events stay in memory, up to a limit.
struct MemorySink {
    limit: usize,
    state: Mutex<Held>,
    facts: Mutex<Facts>,
}

#[derive(Default)]
struct Held {
    batches: Vec<RecordBatch>,
    rejects: Vec<FileReject>,
    bytes: usize,
}

impl MemorySink {
    fn hold(&self, held: &mut Held, bytes: usize) -> Result<()> {
        held.bytes += bytes;
        if held.bytes <= self.limit {
            return Ok(());
        }
        let mib = self.limit >> 20;
        let message = format!(
            "the logs need more than {mib} MiB in memory; load them with \
             `roletrail ingest` and ask the store instead of using --logs"
        );
        Err(Error::TooLarge { message })
    }
}

impl Sink for MemorySink {
    fn begin(&self, _: i32, _: usize) -> Result<Box<dyn Run + '_>> {
        Ok(Box::new(self))
    }

    fn rejects(&self, rejects: Vec<FileReject>) -> Result<()> {
        let mut held = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.hold(&mut held, rejects.iter().map(FileReject::bytes).sum())?;
        held.rejects.extend(rejects);
        Ok(())
    }

    fn keep(&self, facts: PackedFacts) -> Result<()> {
        let facts = facts.unpacked()?;
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).merge(facts);
        Ok(())
    }
}

impl Run for &MemorySink {
    fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let mut held = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.hold(&mut held, batch.get_array_memory_size())?;
        held.batches.push(batch);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
