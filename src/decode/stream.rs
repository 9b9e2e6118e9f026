//! Finds the records in a stream of bytes and hands them out one by one, each with its number and
//! position. Holds one window of the stream, never the whole.

use std::io::Read;

use serde_json::value::RawValue;

use super::raw::{RawRecord, Spans};
use super::redact;
use super::resume::{Extent, Next, next_record, resume_at};

/// What may not be exceeded; hitting a limit is reported, never a silent cut.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest record, bytes of uncompressed JSON. CloudTrail's own limit is 256 KB (1 MB in Lake).
    pub record_bytes: usize,
    /// Most content kept of something that cannot be read, bytes.
    pub reject_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { record_bytes: 16 << 20, reject_bytes: 256 << 10 }
    }
}

/// What a stream yields.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // one at a time, never stored
pub enum Item<'b> {
    /// A record: its number from 1, the offset of its first byte, its members, its text.
    Record(u64, u64, RawRecord<'b>, &'b str),
    /// Something that should have been a record.
    Bad(Reject),
    /// The file is fine, but holds no log of API calls: the reason.
    NotALog(&'static str),
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Record number and byte offset in the uncompressed text.
    pub position: String,
    /// What is wrong.
    pub reason: String,
    /// The text, without session tokens; `None` when there is none to show.
    pub content: Option<String>,
}

const WINDOW: usize = 256 * 1024;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    InRecords,
    AfterRecords,
    Done,
}

/// The records of one stream.
pub struct RecordStream<R> {
    reader: R,
    limits: Limits,
    buffer: Vec<u8>,
    /// Next unread byte in `buffer`.
    at: usize,
    /// End of what was read into `buffer`; what lies behind is room.
    filled: usize,
    /// Stream offset of `buffer[0]`.
    base: u64,
    number: u64,
    state: State,
    /// The end of the stream was reached: cleanly, or with this error.
    end: Option<Option<String>>,
}

impl<R: Read> RecordStream<R> {
    /// A stream over uncompressed bytes.
    pub fn new(reader: R, limits: Limits) -> RecordStream<R> {
        RecordStream {
            reader,
            limits,
            buffer: Vec::new(),
            at: 0,
            filled: 0,
            base: 0,
            number: 0,
            state: State::Start,
            end: None,
        }
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.base + self.filled as u64
    }

    /// The reader, for what is to be learned from it after the end.
    pub fn into_reader(self) -> R {
        self.reader
    }

    /// The next record or reject; `None` at the end.
    #[allow(clippy::should_implement_trait)] // items borrow from the stream
    pub fn next(&mut self) -> Option<Item<'_>> {
        if self.state == State::Start {
            match self.open_list() {
                Ok(()) => {}
                Err(stop) => return self.finish_with(stop.into()),
            }
        }
        if self.state == State::InRecords {
            match self.seek_record() {
                Sought::Record => return Some(self.record()),
                Sought::End => self.state = State::AfterRecords,
                Sought::Broken(reject) => return self.finish_with(Item::Bad(reject)),
            }
        }
        if self.state == State::AfterRecords {
            self.state = State::Done;
            let item = self.check_tail();
            if item.is_none() && self.state != State::Done {
                return self.next(); // another list, or another document
            }
            return item;
        }
        None
    }

    fn finish_with(&mut self, item: Item<'static>) -> Option<Item<'static>> {
        self.state = State::Done;
        Some(item)
    }

    // --- the window -------------------------------------------------------------------------

    fn rest(&self) -> &[u8] {
        &self.buffer[self.at..self.filled]
    }

    /// Reads more; false at the end of the stream. Unread bytes stay, read ones are forgotten.
    fn refill(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        self.base += self.at as u64;
        self.filled -= self.at;
        self.at = 0;
        let old = self.filled;
        let room = WINDOW.max(old.min(self.limits.record_bytes));
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

    /// Steps over white space; the byte after it, or `None` at the end.
    fn peek(&mut self) -> Option<u8> {
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

    fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    // --- the container ------------------------------------------------------------------------

    /// Goes to the first element of `Records`.
    fn open_list(&mut self) -> Result<(), Stop> {
        self.refill();
        if self.rest().starts_with(b"\xef\xbb\xbf") {
            self.advance(3);
        }
        match self.peek() {
            Some(b'{') => self.advance(1),
            Some(_) => {
                return Err(self.reject("not JSON: does not begin with {".to_owned()).into());
            }
            None => {
                let error = self.stream_error().unwrap_or_else(|| "empty file".to_owned());
                return Err(self.reject(error).into());
            }
        }
        let mut seen = Seen::default();
        loop {
            match self.peek() {
                Some(b'"') => {}
                Some(b',') => {
                    self.advance(1);
                    continue;
                }
                Some(b'}') => return Err(self.no_records(seen)),
                Some(_) => {
                    return Err(self.reject("not JSON: member name expected".to_owned()).into());
                }
                None => return Err(self.reject(self.early_end()).into()),
            }
            let name: String = self.small_value()?;
            if self.peek() != Some(b':') {
                return Err(self.reject("not JSON: colon expected".to_owned()).into());
            }
            self.advance(1);
            let next = self.peek();
            if name == "Records" && next == Some(b'[') {
                self.advance(1);
                self.state = State::InRecords;
                return Ok(());
            }
            seen.note(&name);
            self.small_value::<serde::de::IgnoredAny>()?;
        }
    }

    /// Parses one value that is not a record: a member name, or a member beside `Records`.
    fn small_value<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Stop> {
        loop {
            let mut values = serde_json::Deserializer::from_slice(self.rest()).into_iter::<T>();
            let parsed = values.next();
            let used = values.byte_offset();
            let exhausted = used >= self.rest().len() && self.end.is_none();
            match parsed {
                // A number at the end of the window may go on in the next one.
                Some(Ok(value)) if !exhausted => {
                    self.advance(used);
                    return Ok(value);
                }
                Some(Err(e)) if !e.is_eof() => {
                    return Err(self.reject(format!("not JSON: {}", message_of(&e))).into());
                }
                Some(Ok(_)) | Some(Err(_)) | None => {}
            }
            if self.rest().len() > self.limits.record_bytes {
                let limit = self.limits.record_bytes;
                return Err(self
                    .reject(format!("a value beside Records exceeds {limit} bytes"))
                    .into());
            }
            if !self.refill() {
                return Err(self.reject(self.early_end()).into());
            }
        }
    }

    fn no_records(&self, seen: Seen) -> Stop {
        if seen.digest {
            return Stop::NotALog("digest");
        }
        if seen.signature {
            return Stop::NotALog("signature");
        }
        self.reject("not a CloudTrail log file: no Records in it".to_owned()).into()
    }

    /// Goes to the next element of the list.
    fn seek_record(&mut self) -> Sought {
        loop {
            match self.peek() {
                Some(b',') => self.advance(1),
                Some(b']') => {
                    self.advance(1);
                    return Sought::End;
                }
                Some(_) => {
                    self.number += 1;
                    return Sought::Record;
                }
                None => {
                    self.number += 1;
                    return Sought::Broken(self.reject(self.early_end()));
                }
            }
        }
    }

    /// Nothing but other members, `}`, and further documents may follow the list. Files that were
    /// joined with `cat` hold several documents.
    fn check_tail(&mut self) -> Option<Item<'static>> {
        let mut depth_closed = false;
        loop {
            match self.peek() {
                Some(b'}') if !depth_closed => {
                    depth_closed = true;
                    self.advance(1);
                }
                Some(b',') if !depth_closed => self.advance(1),
                Some(b'"') if !depth_closed => {
                    let member: Result<String, _> = self.small_value();
                    let colon = self.peek() == Some(b':');
                    if member.is_err() || !colon {
                        return self.bad_tail("unexpected text after Records");
                    }
                    self.advance(1);
                    let next = self.peek();
                    if member.is_ok_and(|name| name == "Records") && next == Some(b'[') {
                        self.advance(1);
                        self.state = State::InRecords;
                        return None;
                    }
                    if let Err(stop) = self.small_value::<serde::de::IgnoredAny>() {
                        self.number += 1;
                        return Some(stop.into());
                    }
                }
                Some(b'{') if depth_closed => {
                    self.state = State::Start;
                    return None;
                }
                Some(_) => return self.bad_tail("trailing junk after the end of the document"),
                None => break,
            }
        }
        match self.stream_error() {
            Some(error) => self.bad_tail(&error),
            None if !depth_closed => self.bad_tail("the document is not closed"),
            None => None,
        }
    }

    // --- one record -----------------------------------------------------------------------------

    fn record(&mut self) -> Item<'_> {
        match self.record_in_window() {
            Some((spans, length)) => {
                let (number, offset, start) = (self.number, self.offset(), self.at);
                self.advance(length);
                // The parser has checked that it is UTF-8.
                let text = std::str::from_utf8(&self.buffer[start..start + length]).unwrap_or("");
                Item::Record(number, offset, spans.over(text), text)
            }
            None => self.odd_record(),
        }
    }

    /// The usual case: a record that is in order and lies in the window whole; its members and its
    /// length.
    fn record_in_window(&self) -> Option<(Spans, usize)> {
        let rest = self.rest();
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<RawRecord>();
        let spans = values.next()?.ok()?.spans(rest);
        let length = values.byte_offset();
        (length <= self.limits.record_bytes).then_some((spans, length))
    }

    /// A record that the window cuts, or that is none.
    fn odd_record(&mut self) -> Item<'_> {
        let (number, offset) = (self.number, self.offset());
        let mut widened = false;
        let length = loop {
            let rest = self.rest();
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
            let parsed = values.next();
            let used = values.byte_offset();
            match parsed {
                // A bare number at the end of the window may go on in the next one.
                Some(Ok(_)) if used < rest.len() || self.end.is_some() => break Ok(used),
                // What the window cuts in the middle of a number or a character may look wrong
                // rather than cut: only an error that stays with more text is one.
                Some(Err(e)) if !e.is_eof() && (widened || self.end.is_some()) => {
                    break Err(message_of(&e));
                }
                Some(Err(e)) if !e.is_eof() => widened = true,
                _ if self.end.is_some() => break Err(self.early_end()),
                _ => {}
            }
            if rest.len() > self.limits.record_bytes {
                break Err(format!("record exceeds {} bytes", self.limits.record_bytes));
            }
            self.refill();
        };
        match length {
            Ok(length) if length <= self.limits.record_bytes => self.whole_record(length),
            Ok(length) => {
                let reason = format!("record exceeds {} bytes", self.limits.record_bytes);
                let reject = self.reject_slice(number, offset, reason, length);
                self.advance(length);
                Item::Bad(reject)
            }
            Err(reason) => self.broken_record(number, offset, reason),
        }
    }

    /// The record is valid JSON of `length` bytes at the position.
    fn whole_record(&mut self, length: usize) -> Item<'_> {
        let (number, offset, start) = (self.number, self.offset(), self.at);
        self.advance(length);
        // The parser has checked that it is UTF-8.
        let whole = std::str::from_utf8(&self.buffer[start..start + length]).unwrap_or("");
        match serde_json::from_str::<RawRecord>(whole) {
            Ok(record) => Item::Record(number, offset, record, whole),
            Err(e) => {
                let cap = self.limits.reject_bytes;
                Item::Bad(reject_of(number, offset, message_of(&e), whole, cap))
            }
        }
    }

    /// Steps over a broken record and keeps its text.
    fn broken_record(&mut self, number: u64, offset: u64, mut reason: String) -> Item<'static> {
        let mut content: Vec<u8> = Vec::new();
        loop {
            let rest = self.rest();
            let close = Extent::default().feed(rest);
            let next = next_record(rest, 1);
            let undecided = next == Next::Cut || (close.is_none() && next == Next::Nowhere);
            if undecided && rest.len() <= self.limits.record_bytes && self.refill() {
                continue;
            }
            let rest = self.rest();
            let end = resume_at(rest, close, next);
            let take = end.unwrap_or(rest.len());
            let kept = self.limits.reject_bytes.saturating_sub(content.len()).min(take);
            content.extend_from_slice(&rest[..kept]);
            self.advance(take);
            if end.is_some() {
                break;
            }
            if !self.refill() {
                // Nothing is left; what ended the stream early belongs to this reject.
                self.state = State::Done;
                let error = self.stream_error().filter(|error| *error != reason);
                reason.extend(error.map(|error| format!("; {error}")));
                break;
            }
        }
        let text = String::from_utf8_lossy(&content);
        Item::Bad(reject_of(number, offset, reason, &text, self.limits.reject_bytes))
    }

    /// After the list has ended in a way it should not: goes on at the next text that is a record,
    /// so that the rest of a damaged file is not lost.
    fn bad_tail(&mut self, reason: &str) -> Option<Item<'static>> {
        self.number += 1;
        let reject = self.reject(reason.to_owned());
        self.state = State::Done;
        loop {
            match next_record(self.rest(), 0) {
                Next::At(start) => {
                    self.advance(start);
                    self.state = State::InRecords;
                    break;
                }
                Next::Cut if self.rest().len() <= self.limits.record_bytes => {}
                Next::Cut | Next::Nowhere => self.advance(self.rest().len()),
            }
            if !self.refill() {
                break;
            }
        }
        Some(Item::Bad(reject))
    }

    // --- what to say ------------------------------------------------------------------------------

    fn stream_error(&self) -> Option<String> {
        self.end.clone().flatten()
    }

    fn early_end(&self) -> String {
        self.stream_error().unwrap_or_else(|| "the file ends inside the list of records".to_owned())
    }

    fn reject_slice(&self, number: u64, offset: u64, reason: String, length: usize) -> Reject {
        let bytes = &self.rest()[..length.min(self.rest().len())];
        let shown = &bytes[..bytes.len().min(self.limits.reject_bytes + 4)];
        let text = String::from_utf8_lossy(shown);
        reject_of(number, offset, reason, &text, self.limits.reject_bytes)
    }

    /// A reject at the position, with what is left in the window as its content.
    fn reject(&self, reason: String) -> Reject {
        let shown = &self.rest()[..self.rest().len().min(4096)];
        let text = String::from_utf8_lossy(shown);
        let number = self.number.max(1);
        reject_of(number, self.offset(), reason, &text, self.limits.reject_bytes)
    }
}

/// The parser's message without its line and column: they count from the record's start, while
/// positions shown to people count from the file's.
fn message_of(e: &serde_json::Error) -> String {
    let text = e.to_string().replace("invalid unicode code point", "invalid UTF-8");
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

fn reject_of(number: u64, offset: u64, reason: String, text: &str, cap: usize) -> Reject {
    let clean = redact::scrub(text);
    let mut end = clean.len().min(cap);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    Reject {
        position: format!("record {number}, byte {offset}"),
        reason,
        content: (end > 0).then(|| clean[..end].to_owned()),
    }
}

/// Makes a reject out of a record that is valid JSON but no event.
pub fn reject_record(number: u64, offset: u64, reason: String, text: &str, cap: usize) -> Reject {
    reject_of(number, offset, reason, text, cap)
}

enum Sought {
    Record,
    End,
    Broken(Reject),
}

/// Why there is nothing to read in a stream.
enum Stop {
    Bad(Reject),
    NotALog(&'static str),
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Stop {
        Stop::Bad(reject)
    }
}

impl From<Stop> for Item<'static> {
    fn from(stop: Stop) -> Item<'static> {
        match stop {
            Stop::Bad(reject) => Item::Bad(reject),
            Stop::NotALog(what) => Item::NotALog(what),
        }
    }
}

/// Tell-tale members of documents that are no logs.
#[derive(Default, Clone, Copy)]
struct Seen {
    digest: bool,
    signature: bool,
}

impl Seen {
    fn note(&mut self, name: &str) {
        self.digest |= name == "digestS3Object" || name == "digestStartTime";
        self.signature |= name == "hashSignature";
    }
}
