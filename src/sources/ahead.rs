//! Opens files in about the order of a list, and asks for those that lie far away before their turn.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Mutex, PoisonError};

use super::discover::LogFile;
use super::open::{OpenedFile, open, open_object};
use super::s3::{Fetching, PART_BYTES};

/// Objects on their way at once.
const MOST_OBJECTS: usize = 32;
/// Bytes of them at once.
const MOST_BYTES: u64 = 32 << 20;

/// See the module. Several threads may open files through one of these.
pub struct Ahead<'f> {
    files: &'f [LogFile],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The next file that was not thought of yet.
    next: usize,
    /// Files from there on that were opened out of turn.
    opened: BTreeSet<usize>,
    coming: HashMap<usize, Fetching>,
    bytes: u64,
}

impl<'f> Ahead<'f> {
    /// For these files.
    pub fn new(files: &'f [LogFile]) -> Ahead<'f> {
        Ahead { files, state: Mutex::default() }
    }

    /// Opens the file at `index`, as [`open`] does.
    ///
    /// # Errors
    /// Those of [`open`].
    pub fn open(&self, index: usize, cap: u64) -> io::Result<OpenedFile<'static>> {
        let Some(file) = self.files.get(index) else {
            return Err(io::Error::other("there is no such file in the list"));
        };
        let Some(bucket) = &file.bucket else { return open(file, cap) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let coming = state.coming.remove(&index);
        if coming.is_some() {
            state.bytes -= first_bytes(file);
        } else if index >= state.next {
            state.opened.insert(index);
        }
        // Its own turn comes before that of any other.
        let coming =
            coming.unwrap_or_else(|| bucket.fetch(&file.path.to_string_lossy(), file.size));
        state.ask(self.files);
        drop(state);
        open_object(Box::new(coming.open()?), cap)
    }
}

impl State {
    /// Asks for what comes next, as far as there is room.
    fn ask(&mut self, files: &[LogFile]) {
        while self.coming.len() < MOST_OBJECTS && self.bytes < MOST_BYTES {
            let Some(file) = files.get(self.next) else { break };
            let index = self.next;
            self.next += 1;
            let opened = self.opened.remove(&index);
            if let (Some(bucket), false) = (&file.bucket, opened) {
                let coming = bucket.fetch(&file.path.to_string_lossy(), file.size);
                self.coming.insert(index, coming);
                self.bytes += first_bytes(file);
            }
        }
    }
}

/// What asking for a file brings by itself.
fn first_bytes(file: &LogFile) -> u64 {
    file.size.min(PART_BYTES)
}
