//! The one point that all chunks pass in the order of the input, however many threads decode them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::books::FileBook;
use super::chunk::{Chunk, FilePart};
use super::seen::{Claim, Seen};
use crate::error::Result;
use crate::model::time;

/// Place of a chunk in the input: unit of work, piece of the unit.
pub type Ticket = (usize, usize);

/// Bytes of chunks that may wait for an earlier one.
const MOST_WAITING: usize = 16 << 20;

/// A chunk that passed, and what its rows are to what passed before.
pub struct Passed {
    /// The chunk, duplicates still in it.
    pub chunk: Chunk,
    /// One claim a row.
    pub claims: Vec<Claim>,
}

/// See the module.
pub struct Gate<'s> {
    state: Mutex<State<'s>>,
    moved: Condvar,
}

struct State<'s> {
    next: Ticket,
    waiting: BTreeMap<Ticket, (Chunk, bool)>,
    waiting_bytes: usize,
    seen: Seen<'s>,
    /// Of the files, by number.
    books: Vec<FileBook>,
    /// Of files that were found in archives, by number.
    members: BTreeMap<usize, FileBook>,
    closed: bool,
}

impl<'s> Gate<'s> {
    /// A gate that knows the events of earlier ingests, and one book a file.
    pub fn new(seen: Seen<'s>, books: Vec<FileBook>) -> Gate<'s> {
        let state = State {
            next: (0, 0),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            seen,
            books,
            members: BTreeMap::new(),
            closed: false,
        };
        Gate { state: Mutex::new(state), moved: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<'s>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands in a chunk; `last` when it is the last piece of its unit. Gives back all chunks whose
    /// turn has come, this one or others; blocks while too much waits. After [`Gate::close`]
    /// nothing passes any more.
    ///
    /// # Errors
    /// Those of reading which events are stored.
    pub fn submit(&self, ticket: Ticket, chunk: Chunk, last: bool) -> Result<Vec<Passed>> {
        let size = chunk.memory_size();
        let mut state = self.lock();
        while state.waiting_bytes > MOST_WAITING && ticket != state.next && !state.closed {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Ok(Vec::new());
        }
        state.waiting.insert(ticket, (chunk, last));
        state.waiting_bytes += size;
        let mut passed = Vec::new();
        loop {
            let next = state.next;
            let Some((chunk, last)) = state.waiting.remove(&next) else { break };
            state.waiting_bytes = state.waiting_bytes.saturating_sub(chunk.memory_size());
            state.next = if last { (next.0 + 1, 0) } else { (next.0, next.1 + 1) };
            passed.push(state.pass(chunk)?);
        }
        drop(state);
        self.moved.notify_all();
        Ok(passed)
    }

    /// Waits until every unit before this one has passed. What takes much memory is read then: by one
    /// worker at a time.
    pub fn wait_for_turn(&self, unit: usize) {
        let mut state = self.lock();
        while state.next.0 < unit && !state.closed {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets nothing pass any more, and wakes whoever waits: a worker has failed.
    pub fn close(&self) {
        self.lock().closed = true;
        self.moved.notify_all();
    }

    /// The books of all files; those of files in archives come last, by path.
    pub fn into_books(self) -> Vec<FileBook> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut members: Vec<FileBook> = state.members.into_values().collect();
        members.sort_by(|a, b| a.path.cmp(&b.path));
        let mut books = state.books;
        books.append(&mut members);
        books
    }
}

impl State<'_> {
    fn pass(&mut self, mut chunk: Chunk) -> Result<Passed> {
        let mut claims = Vec::with_capacity(chunk.rows.len());
        for part in &mut chunk.parts {
            if let Some(book) = part.begin.take() {
                self.members.insert(part.file, *book);
            }
        }
        for row in &chunk.rows {
            let claim = self.seen.claim(time::day_of(row.time), row.key, row.content)?;
            claims.push(claim);
            if let Some(book) = book_of(&mut self.books, &mut self.members, row.file) {
                book.note_time(row.time);
                book.kept += u64::from(claim != Claim::Duplicate);
                book.duplicates += u64::from(claim == Claim::Duplicate);
                book.conflicts += u64::from(claim == Claim::Conflict);
            }
        }
        for part in &chunk.parts {
            self.note_part(part);
        }
        Ok(Passed { chunk, claims })
    }

    fn note_part(&mut self, part: &FilePart) {
        let Some(book) = book_of(&mut self.books, &mut self.members, part.file) else { return };
        book.records += part.records;
        book.rejected += part.rejected;
        if let Some(end) = &part.end {
            if let Some(stored) = &end.stored {
                book.note_stored(stored);
            }
            book.inflated_bytes = end.inflated_bytes;
            book.not_a_log = end.not_a_log;
            book.unreadable = end.unreadable;
            book.archive = end.archive;
        }
    }
}

fn book_of<'b>(
    books: &'b mut [FileBook],
    members: &'b mut BTreeMap<usize, FileBook>,
    file: usize,
) -> Option<&'b mut FileBook> {
    match books.get_mut(file) {
        Some(book) => Some(book),
        None => members.get_mut(&file),
    }
}
