//! A piece of decoded input on its way from a worker to the gate and on.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use hashbrown::HashMap;

use super::books::{FileBook, FileReject};
use super::coverage::Coverage;
use super::seen::{Claim, EventKey};
use crate::decode::{Actor, Event, Identity};
use crate::error::Result;
use crate::events::EventsBuilder;
use crate::grants::Grant;
use crate::sessions::Facts;
use crate::sessions::facts::{Observed, SharedCall};
use crate::sources::Stored;

/// What the gate and the bookkeeping need of one row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Row of the batch.
    pub number: usize,
    /// Index of the file in the list of files.
    pub file: usize,
    /// Key of the event id.
    pub key: EventKey,
    /// Hash of the content.
    pub content: u64,
    /// `eventTime`.
    pub time: i64,
    /// Index of its caller.
    caller: usize,
}

/// Who the record of a row says is calling.
#[derive(Debug)]
struct Caller {
    identity: Arc<Identity>,
    actor: Actor,
}

/// What was learned about one file in this chunk; files may span chunks.
#[derive(Debug, Clone, Default)]
pub struct FilePart {
    /// Index of the file.
    pub file: usize,
    /// Records found, rejected ones included.
    pub records: u64,
    /// Rejected ones.
    pub rejected: u64,
    /// Set by the first part of a file that was found in an archive.
    pub begin: Option<Box<FileBook>>,
    /// Set by the last part of the file.
    pub end: Option<FileEnd>,
}

/// What is known when a file was read to its end.
#[derive(Debug, Clone, Default)]
pub struct FileEnd {
    /// What was stored, if all bytes could be read.
    pub stored: Option<Stored>,
    /// Uncompressed bytes.
    pub inflated_bytes: u64,
    /// Why it is no log.
    pub not_a_log: Option<&'static str>,
    /// Whether nothing in it could be read.
    pub unreadable: bool,
    /// Whether it is an archive, whose files have books of their own.
    pub archive: bool,
}

/// Decoded input.
pub struct Chunk {
    /// The rows, as columns of **events**.
    pub batch: RecordBatch,
    /// The same rows, for the gate; behind it, those that are kept.
    pub rows: Vec<Row>,
    /// Their callers.
    callers: Vec<Caller>,
    /// Grants among them, by row.
    pub grants: Vec<(usize, Box<Grant>)>,
    /// Shared calls among them, by row.
    pub shared_calls: Vec<(usize, SharedCall)>,
    /// The files they came from.
    pub parts: Vec<FilePart>,
    /// What could not be read.
    pub rejects: Vec<FileReject>,
    /// About how much memory the rejects take.
    pub reject_bytes: usize,
}

/// Files in one chunk.
const MOST_PARTS: usize = 4096;

/// Collects one chunk.
#[derive(Default)]
pub struct ChunkBuilder {
    events: EventsBuilder,
    rows: Vec<Row>,
    callers: Vec<Caller>,
    /// Where a caller stands among them, by the places in memory of its identity and credential id, which
    /// [`Caller`] holds: one caller makes many calls.
    known_callers: HashMap<(usize, usize), usize>,
    grants: Vec<(usize, Box<Grant>)>,
    shared_calls: Vec<(usize, SharedCall)>,
    parts: Vec<FilePart>,
    rejects: Vec<FileReject>,
    reject_bytes: usize,
    /// Bytes of JSON that went in.
    pub bytes: usize,
}

impl ChunkBuilder {
    /// Adds an event.
    pub fn push(&mut self, file: usize, path: &str, number: u64, event: &Event) {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let row = self.rows.len();
        self.events.push(event, path, number);
        if let Some(grant) = crate::grants::read(event, path, number) {
            self.grants.push((row, Box::new(grant)));
        }
        if let Some(call) = crate::sessions::facts::shared_call(event) {
            self.shared_calls.push((row, call));
        }
        let caller = self.caller(event);
        self.rows.push(Row {
            number: row,
            file,
            key: super::seen::event_key(&event.event_id),
            content: event.record_hash,
            time: event.event_time,
            caller,
        });
        self.part(file).records += 1;
    }

    fn caller(&mut self, event: &Event) -> usize {
        let Event { identity, actor, .. } = event;
        let place = (Arc::as_ptr(identity).addr(), Arc::as_ptr(&actor.credential_id).addr());
        *self.known_callers.entry(place).or_insert_with(|| {
            self.callers.push(Caller { identity: identity.clone(), actor: actor.clone() });
            self.callers.len() - 1
        })
    }

    /// Adds something that could not be read.
    pub fn reject(&mut self, file: usize, reject: FileReject) {
        self.bytes += reject.bytes();
        self.reject_bytes += reject.bytes();
        self.rejects.push(reject);
        let part = self.part(file);
        part.records += 1;
        part.rejected += 1;
    }

    /// Opens the book of a file that was found in an archive.
    pub fn begin_member(&mut self, file: usize, book: FileBook) {
        self.part(file).begin = Some(Box::new(book));
    }

    /// Whether it is time to hand in: many empty files take memory too.
    pub fn is_full(&self) -> bool {
        self.bytes >= super::worker::CHUNK_BYTES || self.parts.len() >= MOST_PARTS
    }

    /// Says that a file is read.
    pub fn end_file(&mut self, file: usize, end: FileEnd) {
        self.part(file).end = Some(end);
    }

    /// The part of the file that is being read.
    fn part(&mut self, file: usize) -> &mut FilePart {
        if self.parts.last().is_none_or(|part| part.file != file) {
            self.parts.push(FilePart { file, ..FilePart::default() });
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }

    /// The chunk so far; the builder is empty afterwards.
    ///
    /// # Errors
    /// Arrow's: a defect of ours.
    pub fn finish(&mut self) -> Result<Chunk> {
        let batch = self.events.finish()?;
        self.bytes = 0;
        self.known_callers.clear();
        Ok(Chunk {
            batch,
            rows: std::mem::take(&mut self.rows),
            callers: std::mem::take(&mut self.callers),
            grants: std::mem::take(&mut self.grants),
            shared_calls: std::mem::take(&mut self.shared_calls),
            parts: std::mem::take(&mut self.parts),
            rejects: std::mem::take(&mut self.rejects),
            reject_bytes: std::mem::take(&mut self.reject_bytes),
        })
    }
}

impl Chunk {
    /// About how much memory it takes.
    pub fn memory_size(&self) -> usize {
        self.batch.get_array_memory_size() + self.reject_bytes
    }

    /// Leaves out the rows that are duplicates, but not from the batch; `claims` are those of the
    /// rows, in order.
    pub fn leave_out_duplicates(&mut self, claims: &[Claim]) {
        let keep = |row: usize| claims.get(row) != Some(&Claim::Duplicate);
        self.rows.retain(|row| keep(row.number));
        self.grants.retain(|(row, _)| keep(*row));
        self.shared_calls.retain(|(row, _)| keep(*row));
    }

    /// Notes what linking and coverage look at.
    pub fn observe(&self, facts: &mut Facts, coverage: &mut Coverage) {
        let view = View::of(&self.batch);
        let mut of_callers = vec![Vec::new(); self.callers.len()];
        for row in &self.rows {
            let account = view.text(&view.recipient_account_id, row.number).unwrap_or("");
            let region = view.text(&view.aws_region, row.number).unwrap_or("");
            coverage.add(account, region, row.time, row.file);
            of_callers[row.caller].push(row.number);
        }
        for (caller, rows) in self.callers.iter().zip(&of_callers) {
            facts.observe(rows.iter().map(|row| view.observed(caller, *row)));
        }
    }
}

/// The columns that [`Chunk::observe`] reads, found once.
struct View<'b> {
    event_time: Option<&'b TimestampMicrosecondArray>,
    event_source: Option<&'b StringArray>,
    event_type: Option<&'b StringArray>,
    aws_region: Option<&'b StringArray>,
    recipient_account_id: Option<&'b StringArray>,
    error_code: Option<&'b StringArray>,
    error_message: Option<&'b StringArray>,
    source_ip_address: Option<&'b StringArray>,
    user_agent: Option<&'b StringArray>,
    read_only: Option<&'b BooleanArray>,
    from_console: Option<&'b BooleanArray>,
}

impl<'b> View<'b> {
    fn of(batch: &'b RecordBatch) -> View<'b> {
        fn typed<'b, T: 'static>(batch: &'b RecordBatch, name: &str) -> Option<&'b T> {
            batch.column_by_name(name)?.as_any().downcast_ref::<T>()
        }
        View {
            event_time: typed(batch, "event_time"),
            event_source: typed(batch, "event_source"),
            event_type: typed(batch, "event_type"),
            aws_region: typed(batch, "aws_region"),
            recipient_account_id: typed(batch, "recipient_account_id"),
            error_code: typed(batch, "error_code"),
            error_message: typed(batch, "error_message"),
            source_ip_address: typed(batch, "source_ip_address"),
            user_agent: typed(batch, "user_agent"),
            read_only: typed(batch, "read_only"),
            from_console: typed(batch, "from_console"),
        }
    }

    fn observed(&self, Caller { identity, actor }: &'b Caller, row: usize) -> Observed<'b> {
        Observed {
            identity,
            session_id: actor.session_id.as_deref(),
            credential_id: &actor.credential_id,
            event_time: self.time(row),
            event_source: self.text(&self.event_source, row).unwrap_or(""),
            signs_in: actor.signs_in,
            event_type: self.text(&self.event_type, row),
            aws_region: self.text(&self.aws_region, row).unwrap_or(""),
            read_only: self.flag(&self.read_only, row),
            failed: self.text(&self.error_code, row).is_some()
                || self.text(&self.error_message, row).is_some(),
            from_console: self.flag(&self.from_console, row) == Some(true),
            source_ip_address: self.text(&self.source_ip_address, row),
            user_agent: self.text(&self.user_agent, row),
        }
    }

    fn time(&self, row: usize) -> i64 {
        self.event_time.map_or(0, |column| column.value(row))
    }

    fn text(&self, column: &Option<&'b StringArray>, row: usize) -> Option<&'b str> {
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
    }

    fn flag(&self, column: &Option<&'b BooleanArray>, row: usize) -> Option<bool> {
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
    }
}
