//! The part of a stream that is in memory: read a window at a time, never as a whole.

use std::io::Read;

/// Bytes that are read at a time.
const WINDOW: usize = 256 * 1024;
/// The first time fewer: most files are small, and room must be cleared before it is used.
const FIRST_WINDOW: usize = 16 * 1024;

/// A window over a stream of bytes.
pub(super) struct Window<R> {
    reader: R,
    /// A value of this size is held whole if it has to be.
    most: usize,
    buffer: Vec<u8>,
    /// Next unread byte in `buffer`.
    at: usize,
    /// End of what was read into `buffer`; what lies behind is room.
    filled: usize,
    /// Stream offset of `buffer[0]`.
    base: u64,
    /// The end of the stream was reached: cleanly, or with this error.
    end: Option<Option<String>>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(reader: R, most: usize) -> Window<R> {
        Window { reader, most, buffer: Vec::new(), at: 0, filled: 0, base: 0, end: None }
    }

    /// Bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.base + self.filled as u64
    }

    pub(super) fn into_reader(self) -> R {
        self.reader
    }

    pub(super) fn reader(&mut self) -> &mut R {
        &mut self.reader
    }

    /// What is in memory and unread.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.at..self.filled]
    }

    /// Where in the memory the unread bytes begin; good until the next [`Window::refill`].
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    /// Bytes that were passed since a [`Window::mark`].
    pub(super) fn since(&self, mark: usize, length: usize) -> &[u8] {
        self.buffer.get(mark..mark + length).unwrap_or(&[])
    }

    /// Reads more; false at the end of the stream. Unread bytes stay, read ones are forgotten.
    pub(super) fn refill(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        self.base += self.at as u64;
        self.filled -= self.at;
        self.at = 0;
        let old = self.filled;
        let usual = if self.buffer.is_empty() { FIRST_WINDOW } else { WINDOW };
        let room = usual.max(old.min(self.most));
        if self.buffer.len() < old + room {
            self.buffer.resize(old + room, 0);
        }
        while self.filled < self.buffer.len() {
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    self.end = Some(None);
                    break;
                }
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.end = Some(Some(e.to_string()));
                    break;
                }
            }
        }
        self.filled > old
    }

    /// Goes on after an error of the reader, which has found more to read.
    pub(super) fn reopen(&mut self) {
        self.end = None;
    }

    /// Steps over white space; the byte after it, or `None` at the end.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let blank = self.rest().iter().take_while(|b| b.is_ascii_whitespace()).count();
            self.advance(blank);
            if let Some(byte) = self.rest().first() {
                return Some(*byte);
            }
            if !self.refill() {
                return None;
            }
        }
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Offset of the next unread byte in the stream.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Whether nothing is left to be read into memory.
    pub(super) fn at_end(&self) -> bool {
        self.end.is_some()
    }

    /// What ended the stream early.
    pub(super) fn error(&self) -> Option<String> {
        self.end.clone().flatten()
    }

    /// What ended the stream inside of something.
    pub(super) fn early_end(&self) -> String {
        self.error().unwrap_or_else(|| "the file ends inside the list of records".to_owned())
    }
}
