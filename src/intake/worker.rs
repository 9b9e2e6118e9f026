//! The workers: each takes the next run of files, decodes it, passes the gate, and deals with
//! whatever the gate lets through.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::books::{FileBook, FileReject};
use super::by_day::ByDay;
use super::chunk::{ChunkBuilder, FileEnd};
use super::coverage::Coverage;
use super::gate::{Gate, Passed};
use super::seen::Seen;
use super::{Options, Progress, Sink};
use crate::decode::{Decoder, Item, Place, RecordStream, Reject};
use crate::error::{Error, Result};
use crate::model::time;
use crate::sessions::Facts;
use crate::sessions::packed::PackedGrants;
use crate::sources::{Ahead, LogFile};

/// Compressed bytes that make a unit of work: many small files, or one that is large enough.
const UNIT_BYTES: u64 = 512 * 1024;
/// Bytes of JSON after which a chunk is handed in.
const CHUNK_BYTES: usize = 8 << 20;

/// What an intake found out.
#[derive(Default)]
pub struct Intake {
    /// One book a file, in the order of the files.
    pub books: Vec<FileBook>,
    /// What could not be read, by file and position.
    pub rejects: Vec<FileReject>,
    /// What linking needs.
    pub facts: Facts,
    /// Hours that have logs.
    pub coverage: Coverage,
}

/// Reads all files into `sink`. `seen` are the events that are in already.
///
/// # Errors
/// The sink's, such as a full disk; trouble with input is no error but a reject.
pub fn run(
    files: &[LogFile],
    seen: Seen,
    options: &Options,
    sink: &dyn Sink,
    progress: &dyn Progress,
) -> Result<Intake> {
    progress.start(files.len() as u64, files.iter().map(|f| f.size).sum());
    let books = files.iter().map(|file| FileBook {
        path: file.path.clone(),
        size_bytes: file.size,
        modified_at: file.modified,
        etag: file.etag.clone(),
        ..FileBook::default()
    });
    let workers = options.workers();
    let shared = Shared {
        files,
        ahead: Ahead::new(files),
        units: units(files),
        next_unit: AtomicUsize::new(0),
        gate: Gate::new(seen, books.collect()),
        by_day: ByDay::new(sink, options.waiting_bytes, workers),
        options,
        progress,
        failure: Mutex::new(None),
        facts: Mutex::default(),
        grants: Mutex::default(),
    };
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..workers).map(|_| scope.spawn(|| Worker::new(&shared).run())).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut intake = Intake::default();
    for result in results {
        match result {
            Ok(part) => intake.merge(part),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    progress.finish();
    if let Some(error) = shared.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    intake.facts = shared.facts.into_inner().unwrap_or_else(PoisonError::into_inner);
    for grant in shared.grants.into_inner().unwrap_or_else(PoisonError::into_inner).into_grants() {
        let grant = grant?;
        intake.facts.add_grant((grant.event_id.clone(), grant.record_hash), grant);
    }
    intake.books = shared.gate.into_books();
    intake
        .rejects
        .sort_by(|a, b| (&a.path, &a.reject.position).cmp(&(&b.path, &b.reject.position)));
    Ok(intake)
}

impl Intake {
    fn merge(&mut self, other: Intake) {
        self.rejects.extend(other.rejects);
        self.coverage.merge(other.coverage);
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

/// What was found in one stream so far.
#[derive(Default)]
struct Count {
    readable: u64,
    rejected: u64,
    /// Records of no call at its beginning. A file of nothing else is no log; in a log they are
    /// rejected.
    others: Vec<(&'static str, Place)>,
}

/// Files of Insights hold no more records than this; it bounds what is remembered of one.
const MOST_OTHERS: usize = 10_000;

impl Count {
    fn nothing(&self) -> bool {
        self.readable + self.rejected == 0
    }

    fn note_other(&mut self, what: &'static str, place: Place) {
        self.others.push((what, place));
    }
}

fn no_call(what: &str) -> String {
    format!("a record of kind {what} tells of no call")
}

struct Shared<'a> {
    files: &'a [LogFile],
    ahead: Ahead<'a>,
    units: Vec<std::ops::Range<usize>>,
    next_unit: AtomicUsize,
    gate: Gate,
    by_day: ByDay<'a>,
    options: &'a Options,
    progress: &'a dyn Progress,
    failure: Mutex<Option<Error>>,
    /// One for all workers: each worker's own would hold the same callers again.
    facts: Mutex<Facts>,
    grants: Mutex<PackedGrants>,
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
struct CloseOnPanic<'a>(&'a Gate);

impl Drop for CloseOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}

struct Worker<'a> {
    shared: &'a Shared<'a>,
    decoder: Decoder,
    chunk: ChunkBuilder,
    result: Intake,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared<'a>) -> Worker<'a> {
        Worker {
            shared,
            decoder: Decoder::default(),
            chunk: ChunkBuilder::default(),
            result: Intake::default(),
        }
    }

    fn run(mut self) -> Intake {
        let _guard = CloseOnPanic(&self.shared.gate);
        if let Err(error) = self.work() {
            self.shared.fail(error);
        }
        self.result
    }

    fn work(&mut self) -> Result<()> {
        while !self.shared.failed() {
            let unit = self.shared.next_unit.fetch_add(1, Ordering::Relaxed);
            let Some(range) = self.shared.units.get(unit) else { break };
            let mut piece = 0;
            for file in range.clone() {
                self.read_file(file, unit, &mut piece)?;
                self.shared.progress.advance(1, self.shared.files[file].size);
            }
            self.hand_in(unit, &mut piece, true)?;
        }
        while !self.shared.failed() && self.shared.by_day.write_next()? {}
        Ok(())
    }

    fn read_file(&mut self, index: usize, unit: usize, piece: &mut usize) -> Result<()> {
        let file = &self.shared.files[index];
        let path = file.path.to_string_lossy().into_owned();
        let opened = match self.shared.ahead.open(index, self.shared.options.inflated_bytes) {
            Ok(opened) => opened,
            Err(e) => {
                self.reject_file(index, &file.path, e.to_string());
                let end = FileEnd { unreadable: true, ..FileEnd::default() };
                self.chunk.end_file(index, end);
                return Ok(());
            }
        };
        let gzip = opened.is_gzip();
        let limits = self.shared.options.limits;
        let mut stream = RecordStream::new(opened, limits);
        let mut end = FileEnd::default();
        let mut count = Count::default();
        while let Some(item) = stream.next() {
            match item {
                Item::Record(place, record, text) => match record.other_than_call() {
                    Some(what) if count.nothing() && count.others.len() < MOST_OTHERS => {
                        count.note_other(what, place);
                    }
                    Some(what) => {
                        self.reject_others(index, &file.path, &mut count);
                        let reason = no_call(what);
                        let reject = place.reject(reason, text, limits.reject_bytes);
                        self.reject(index, &file.path, reject, &mut count);
                    }
                    None => {
                        self.reject_others(index, &file.path, &mut count);
                        match self.decoder.event(&record) {
                            Ok(event) => {
                                self.chunk.push(index, &path, place.number, &event);
                                self.chunk.bytes += text.len();
                                count.readable += 1;
                            }
                            Err(why) => {
                                let cap = limits.reject_bytes;
                                let reject = place.reject(why.to_string(), text, cap);
                                self.reject(index, &file.path, reject, &mut count);
                            }
                        }
                    }
                },
                // A file that only lies beside logs, and is none, is nobody's mistake.
                Item::Bad(_) if !file.expected && !gzip && count.nothing() => {
                    end.not_a_log = Some("not a log");
                    break;
                }
                Item::Bad(reject) => {
                    self.reject_others(index, &file.path, &mut count);
                    self.reject(index, &file.path, reject, &mut count);
                }
                Item::NotALog(what) => end.not_a_log = Some(what),
            }
            if self.chunk.bytes >= CHUNK_BYTES {
                self.hand_in(unit, piece, false)?;
            }
        }
        end.not_a_log = end.not_a_log.or(count.others.first().map(|(what, _)| *what));
        let (readable, rejected) = (count.readable, count.rejected);
        end.inflated_bytes = stream.bytes_read();
        end.unreadable = readable == 0 && rejected > 0;
        end.stored = stream.into_reader().finish().ok();
        self.chunk.end_file(index, end);
        Ok(())
    }

    fn reject(&mut self, index: usize, path: &Path, reject: Reject, count: &mut Count) {
        self.chunk.reject(index, FileReject { path: path.to_path_buf(), reject });
        count.rejected += 1;
    }

    /// What began like a file of Insights turns out to be a log with some among its records.
    fn reject_others(&mut self, index: usize, path: &Path, count: &mut Count) {
        for (what, place) in std::mem::take(&mut count.others) {
            self.reject(index, path, place.reject(no_call(what), "", 0), count);
        }
    }

    fn reject_file(&mut self, index: usize, path: &Path, reason: String) {
        let reject = Reject { position: "file".to_owned(), reason, content: None };
        self.chunk.reject(index, FileReject { path: path.to_path_buf(), reject });
    }

    fn hand_in(&mut self, unit: usize, piece: &mut usize, last: bool) -> Result<()> {
        let chunk = self.chunk.finish()?;
        let passed = self.shared.gate.submit((unit, *piece), chunk, last);
        *piece += 1;
        passed.into_iter().try_for_each(|passed| self.take_over(passed))
    }

    /// Counts what passed the gate and sends it on.
    fn take_over(&mut self, Passed { mut chunk, claims }: Passed) -> Result<()> {
        chunk.leave_out_duplicates(&claims);
        self.result.rejects.append(&mut chunk.rejects);
        let coverage = &mut self.result.coverage;
        let mut facts = self.shared.facts.lock().unwrap_or_else(PoisonError::into_inner);
        chunk.observe(|row, observed, account| {
            facts.observe(observed);
            coverage.add(account, observed.aws_region, row.time, row.file);
        });
        facts.shared_calls.extend(chunk.shared_calls.drain(..).map(|(_, call)| call));
        drop(facts);
        let mut grants = self.shared.grants.lock().unwrap_or_else(PoisonError::into_inner);
        chunk.grants.iter().try_for_each(|(_, grant)| grants.add(grant))?;
        drop(grants);
        let kept = chunk.rows.iter().map(|row| (time::day_of(row.time), row.number));
        self.shared.by_day.add(&chunk.batch, kept)
    }
}
