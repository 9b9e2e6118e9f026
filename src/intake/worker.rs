//! The workers: each takes the next run of files, decodes it, passes the gate, and deals with
//! whatever the gate lets through.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::books::{FileBook, FileReject};
use super::by_day::ByDay;
use super::chunk::ChunkBuilder;
use super::coverage::Coverage;
use super::gate::{Gate, Passed};
use super::rejects::{Rejects, note_first};
use super::seen::Seen;
use super::{Options, Progress, Sink};
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::model::time;
use crate::sessions::packed::PackedFacts;
use crate::sources::{Ahead, LogFile};

/// Compressed bytes that make a unit of work: many small files, or one that is large enough.
const UNIT_BYTES: u64 = 512 * 1024;
/// Bytes of JSON after which a chunk is handed in.
pub(super) const CHUNK_BYTES: usize = 6 << 20;

/// What an intake found out.
#[derive(Default)]
pub struct Intake {
    /// One book a file, in the order of the files; behind them those of files in archives.
    pub books: Vec<FileBook>,
    /// Files in archives that nobody asked for.
    pub left_out: u64,
    /// The first things that could not be read, by file and position; the sink has all of them.
    pub first_rejects: Vec<FileReject>,
    /// Hours that have logs.
    pub coverage: Coverage,
}

/// Reads all files into `sink`. `seen` are the events that are in already.
///
/// # Errors
/// The sink's, such as a full disk; trouble with input is no error but a reject.
pub fn run(
    files: &[LogFile],
    seen: Seen<'_>,
    options: &Options,
    sink: &dyn Sink,
    progress: &dyn Progress,
) -> Result<Intake> {
    progress.start(files.len() as u64, files.iter().map(|f| f.size).sum());
    let books = files.iter().map(|file| FileBook {
        path: options.shown(&file.path),
        size_bytes: file.size,
        modified_at: file.modified,
        etag: file.etag.clone(),
        ..FileBook::default()
    });
    let workers = options.workers();
    let shared = Shared {
        files,
        ahead: Ahead::new(files),
        next_member: AtomicUsize::new(files.len()),
        left_out: AtomicU64::new(0),
        units: units(files),
        next_unit: AtomicUsize::new(0),
        gate: Gate::new(seen, books.collect()),
        rejects: Rejects::new(sink),
        by_day: ByDay::new(sink, options.waiting_bytes, workers),
        options,
        progress,
        failure: Mutex::new(None),
        sink,
        noted: Mutex::default(),
    };
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..workers).map(|_| scope.spawn(|| Worker::new(&shared).run())).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    for result in results {
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
    progress.finish();
    if let Some(error) = shared.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let Noted { facts, coverage } =
        shared.noted.into_inner().unwrap_or_else(PoisonError::into_inner);
    shared.by_day.finish()?;
    if !facts.is_empty() {
        sink.keep(facts)?;
    }
    let mut intake = Intake { coverage, ..Intake::default() };
    intake.left_out = shared.left_out.into_inner();
    intake.books = shared.gate.into_books();
    intake.first_rejects = shared.rejects.finish()?;
    Ok(intake)
}

impl Intake {
    /// Files that could not even be looked at are in the books like those that could not be read.
    pub fn add_unreadable(&mut self, book: FileBook, reject: &FileReject) {
        self.books.push(book);
        note_first(&mut self.first_rejects, std::slice::from_ref(reject));
    }
}

/// Runs of consecutive files, as ranges.
fn units(files: &[LogFile]) -> Vec<std::ops::Range<usize>> {
    let mut units = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (i, file) in files.iter().enumerate() {
        bytes += file.size;
        if bytes >= UNIT_BYTES {
            units.push(start..i + 1);
            (start, bytes) = (i + 1, 0);
        }
    }
    if start < files.len() {
        units.push(start..files.len());
    }
    units
}

pub(super) struct Shared<'a> {
    pub files: &'a [LogFile],
    pub ahead: Ahead<'a>,
    /// The number of the next file that is found in an archive.
    pub next_member: AtomicUsize,
    /// Files in archives that nobody asked for.
    pub left_out: AtomicU64,
    units: Vec<std::ops::Range<usize>>,
    next_unit: AtomicUsize,
    pub(super) gate: Gate<'a>,
    rejects: Rejects<'a>,
    by_day: ByDay<'a>,
    pub options: &'a Options,
    progress: &'a dyn Progress,
    failure: Mutex<Option<Error>>,
    sink: &'a dyn Sink,
    /// One for all workers: each worker's own would hold the same callers and hours again.
    noted: Mutex<Noted>,
}

/// What is noted of events on the way.
#[derive(Default)]
struct Noted {
    facts: PackedFacts,
    coverage: Coverage,
}

impl Shared<'_> {
    fn fail(&self, error: Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
        self.gate.close();
    }

    fn failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Closes the gate when its thread panics, so that the others do not wait for ever.
struct CloseOnPanic<'w, 'a>(&'w Gate<'a>);

impl Drop for CloseOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}

pub(super) struct Worker<'w, 'a> {
    pub shared: &'w Shared<'a>,
    pub decoder: Decoder,
    pub chunk: ChunkBuilder,
}

impl<'w, 'a> Worker<'w, 'a> {
    fn new(shared: &'w Shared<'a>) -> Worker<'w, 'a> {
        Worker { shared, decoder: Decoder::default(), chunk: ChunkBuilder::default() }
    }

    fn run(mut self) {
        let _guard = CloseOnPanic(&self.shared.gate);
        if let Err(error) = self.work() {
            self.shared.fail(error);
        }
    }

    fn work(&mut self) -> Result<()> {
        while !self.shared.failed() {
            let unit = self.shared.next_unit.fetch_add(1, Ordering::Relaxed);
            let Some(range) = self.shared.units.get(unit) else { break };
            let mut piece = 0;
            for file in range.clone() {
                self.read_file(file, (unit, &mut piece))?;
                self.shared.progress.advance(1, self.shared.files[file].size);
            }
            self.hand_in(unit, &mut piece, true)?;
        }
        Ok(())
    }

    pub(super) fn hand_in(&mut self, unit: usize, piece: &mut usize, last: bool) -> Result<()> {
        let chunk = self.chunk.finish()?;
        let passed = self.shared.gate.submit((unit, *piece), chunk, last)?;
        *piece += 1;
        passed.into_iter().try_for_each(|passed| self.take_over(passed))
    }

    /// Counts what passed the gate and sends it on.
    fn take_over(&mut self, Passed { mut chunk, claims }: Passed) -> Result<()> {
        chunk.leave_out_duplicates(&claims);
        self.shared.rejects.add(std::mem::take(&mut chunk.rejects))?;
        let mut noted = self.shared.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let Noted { facts, coverage } = &mut *noted;
        chunk.observe(&mut facts.facts, coverage);
        facts.facts.shared_calls.extend(chunk.shared_calls.drain(..).map(|(_, call)| call));
        chunk.grants.iter().try_for_each(|(_, grant)| facts.add_grant(grant))?;
        let full = facts.len() >= self.shared.options.most_facts;
        let full = full.then(|| std::mem::take(facts));
        drop(noted);
        if let Some(full) = full {
            self.shared.sink.keep(full)?;
        }
        let kept = chunk.rows.iter().map(|row| (time::day_of(row.time), row.number));
        self.shared.by_day.add(&chunk.batch, kept)
    }
}
