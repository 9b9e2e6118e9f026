//! Rejects on their way out: a hostile file can have millions, so only some wait in memory.

use std::sync::{Mutex, PoisonError};

use super::Sink;
use super::books::FileReject;
use crate::error::Result;

/// Bytes of rejects that wait.
const MOST_WAITING: usize = 16 << 20;
/// Rejects that are remembered for people, the first by file and position.
const SHOWN: usize = 20;

/// See the module.
pub(super) struct Rejects<'s> {
    sink: &'s dyn Sink,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<FileReject>,
    bytes: usize,
    first: Vec<FileReject>,
}

impl<'s> Rejects<'s> {
    pub(super) fn new(sink: &'s dyn Sink) -> Rejects<'s> {
        Rejects { sink, state: Mutex::default() }
    }

    /// Adds some; whoever makes them too many writes them.
    pub(super) fn add(&self, rejects: Vec<FileReject>) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes += rejects.iter().map(FileReject::bytes).sum::<usize>();
        state.waiting.extend(rejects);
        if state.bytes < MOST_WAITING {
            return Ok(());
        }
        let full = state.take();
        drop(state);
        self.sink.rejects(full)
    }

    /// Writes what is left, and gives the first of all.
    pub(super) fn finish(self) -> Result<Vec<FileReject>> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let rest = state.take();
        if !rest.is_empty() {
            self.sink.rejects(rest)?;
        }
        Ok(state.first)
    }
}

impl State {
    fn take(&mut self) -> Vec<FileReject> {
        self.bytes = 0;
        let mut full = std::mem::take(&mut self.waiting);
        sort(&mut full);
        note_first(&mut self.first, &full);
        full
    }
}

/// Adds the first of `some`, which are sorted, to the first of all.
pub(super) fn note_first(first: &mut Vec<FileReject>, some: &[FileReject]) {
    first.extend(some.iter().take(SHOWN).cloned());
    sort(first);
    first.truncate(SHOWN);
}

/// By file and position.
fn sort(rejects: &mut [FileReject]) {
    rejects.sort_by(|a, b| (&a.path, &a.reject.position).cmp(&(&b.path, &b.reject.position)));
}
