//! Where to go on after something that could not be read, so that one bad record costs one record.

use std::io::Read;

use super::element::{is_element, is_prefix, list_named};
use super::reject::Reject;
use super::stream::{Frame, RecordStream, Taken};

/// How every record begins, spelled compactly or not.
const OBJECT_START: &[u8] = b"{";
/// Text is looked through so many times in search of the next record after a broken one. The limit keeps
/// text made of nothing but beginnings from costing the square of its length.
const MOST_PASSES: usize = 64;
/// The name of a list and what stands between it and its bracket.
const LONGEST_NAME: usize = 64;

/// Where the next whole record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    At(usize),
    Nowhere,
    /// Something that may be a record goes on beyond these bytes.
    Cut,
}

impl<R: Read> RecordStream<R> {
    /// Steps over a broken element and keeps its text.
    pub(super) fn broken_element(&mut self, mut reason: String) -> Taken {
        self.number += 1;
        let place = self.place();
        let mut content: Vec<u8> = Vec::new();
        let (mut extent, mut fed, mut close) = (Extent::default(), 0, None);
        loop {
            let rest = self.window.rest();
            close = close.or_else(|| Some(extent.feed(rest.get(fed..)?)? + fed));
            fed = rest.len();
            let next = next_record(rest, 1);
            let undecided = next == Next::Cut || (close.is_none() && next == Next::Nowhere);
            let small = rest.len() <= self.limits.record_bytes;
            if undecided && small && self.window.refill() {
                continue;
            }
            let rest = self.window.rest();
            let end = resume_at(rest, close, next);
            let take = end.unwrap_or(rest.len());
            let kept = self.limits.reject_bytes.saturating_sub(content.len()).min(take);
            content.extend_from_slice(&rest[..kept]);
            self.window.advance(take);
            if end.is_some() {
                if self.frames.is_empty() && end != close {
                    self.frames.push(Frame::Lost);
                }
                break;
            }
            fed = 0;
            if !self.window.refill() {
                // Nothing is left; what ended the stream early belongs to this reject.
                self.done = true;
                let error = self.window.error().filter(|error| *error != reason);
                reason.extend(error.map(|error| format!("; {error}")));
                break;
            }
        }
        place.reject(reason, &String::from_utf8_lossy(&content), self.limits.reject_bytes).into()
    }

    /// Steps over an element that is too long. Its braces are believed: what lies in it may be anything,
    /// and must not be taken for records. Only an object that has a list of them by name is entered.
    pub(super) fn too_long(&mut self) -> Taken {
        self.number += 1;
        let reject = {
            let rest = self.window.rest();
            let shown = &rest[..rest.len().min(self.limits.reject_bytes.saturating_add(1024))];
            let text = String::from_utf8_lossy(shown);
            self.place().reject(self.limits.record_exceeds(), &text, self.limits.reject_bytes)
        };
        let outside = matches!(self.frames.last(), None | Some(Frame::Lost));
        let (mut extent, mut fed) = (Extent::default(), 0);
        loop {
            let rest = self.window.rest();
            extent.find_list = outside;
            if let Some(end) = extent.feed(rest.get(fed..).unwrap_or(&[])).map(|n| n + fed) {
                let list = (extent.at_list && outside).then(|| name_before(&rest[..end])).flatten();
                if extent.at_list && list.is_none() {
                    // Some other list: its bracket is taken as a step down.
                    extent.depth += 1;
                    fed = end;
                    continue;
                }
                self.window.advance(end);
                if let Some(shown) = list {
                    self.frames.extend([Frame::Members, Frame::List(shown)]);
                }
                return reject.into();
            }
            // The name of a list must still be there when its bracket comes.
            let kept = rest.len().min(LONGEST_NAME);
            self.window.advance(rest.len() - kept);
            fed = kept;
            if !self.window.refill() {
                self.window.advance(kept);
                self.done = true;
                return self.with_error(reject).into();
            }
        }
    }

    fn with_error(&self, mut reject: Reject) -> Reject {
        let error = self.window.error().filter(|error| *error != reject.reason);
        reject.reason.extend(error.map(|error| format!("; {error}")));
        reject
    }

    /// Where something else than the container's form allows stands: goes on at the next text that is a
    /// record, so that the rest of a damaged file is not lost.
    pub(super) fn lost(&mut self, reason: String) -> Reject {
        self.number += 1;
        let reason =
            self.window.error().filter(|_| self.window.rest().is_empty()).unwrap_or(reason);
        let reject = self.reject_here(reason);
        self.frames.clear();
        loop {
            match next_record(self.window.rest(), 0) {
                Next::At(start) => {
                    self.window.advance(start);
                    self.frames.push(Frame::Lost);
                    return reject;
                }
                Next::Cut if self.window.rest().len() <= self.limits.record_bytes => {}
                Next::Cut | Next::Nowhere => self.window.advance(self.window.rest().len()),
            }
            if !self.window.refill() {
                self.done = true;
                return self.with_error(reject);
            }
        }
    }
}

/// Looks for text that parses as a record or as something that holds one. Inside a record's strings
/// there is none, because there quotes are escaped.
fn next_record(rest: &[u8], from: usize) -> Next {
    let mut cut = false;
    let tail = rest.get(from..).unwrap_or(&[]);
    let starts = memchr::memmem::find_iter(tail, OBJECT_START).map(|n| n + from);
    let mut budget = tail.len().saturating_mul(MOST_PASSES).max(64 << 10);
    for start in starts.filter(|start| may_begin(rest, *start)) {
        let text = &rest[start..];
        let mut values = serde_json::Deserializer::from_slice(text).into_iter();
        let cost = match values.next() {
            Some(Ok(record)) if is_element(&record) => return Next::At(start),
            Some(Err(e)) if e.is_eof() => {
                cut = true;
                text.len()
            }
            Some(Err(e)) => place_of(&e, text),
            Some(Ok(_)) | None => values.byte_offset(),
        };
        budget = budget.saturating_sub(cost.max(1));
        if budget == 0 {
            break;
        }
    }
    if cut { Next::Cut } else { Next::Nowhere }
}

/// How far into the text the parser came.
fn place_of(e: &serde_json::Error, text: &[u8]) -> usize {
    let lines = e.line().saturating_sub(1);
    let before = match lines.checked_sub(1) {
        None => 0,
        Some(n) => memchr::memchr_iter(b'\n', text).nth(n).unwrap_or(text.len()),
    };
    before + e.column()
}

/// Whether an element may begin here: in a list, behind another one, on a line of its own, or behind
/// the prefix of a line.
fn may_begin(rest: &[u8], start: usize) -> bool {
    let before = rest[..start].trim_ascii_end();
    let line = || {
        let near = &rest[start.saturating_sub(300)..start];
        let line = memchr::memrchr(b'\n', near).map(|n| &near[n + 1..]);
        line.is_some_and(|line| line.trim_ascii().is_empty() || is_prefix(line))
    };
    matches!(before.last(), None | Some(b',' | b'[' | b'}')) || line()
}

/// The list of elements whose bracket ends this text, by its name.
fn name_before(text: &[u8]) -> Option<&'static str> {
    let text = text.strip_suffix(b"[")?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let text = text.strip_suffix(b"\"")?;
    let open = memchr::memrchr(b'"', text)?;
    list_named(std::str::from_utf8(&text[open + 1..]).ok()?)
}

/// Where to go on after a broken record. Braces say where it ends, unless a quote is missing; so
/// when a whole record follows, and more than blanks and commas lie in between, the braces are not
/// believed.
fn resume_at(rest: &[u8], close: Option<usize>, next: Next) -> Option<usize> {
    match (close, next) {
        (Some(close), Next::At(start)) if close <= start => {
            let between = &rest[close..start];
            let plain = between.iter().all(|b| b.is_ascii_whitespace() || *b == b',');
            Some(if plain { close } else { start })
        }
        (_, Next::At(start)) => Some(start),
        (close, _) => close,
    }
}

/// Where a JSON value ends, judged by braces and quotes alone.
#[derive(Default)]
struct Extent {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Whether to stop behind the bracket of a list that is a member of the value itself.
    find_list: bool,
    /// It stopped there.
    at_list: bool,
}

impl Extent {
    /// Bytes up to and including the closing brace, if it is among these.
    fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        self.at_list = false;
        for (i, byte) in bytes.iter().enumerate() {
            match (self.in_string, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_string = !self.in_string,
                (true, _) => {}
                (false, b'[') if self.depth == 1 && self.find_list => {
                    self.at_list = true;
                    return Some(i + 1);
                }
                (false, b'{' | b'[') => self.depth += 1,
                // A lone closing bracket belongs to the list, not to the record.
                (false, b']') if self.depth == 0 => return Some(i),
                (false, b'}' | b']') if self.depth <= 1 => return Some(i + 1),
                (false, b'}' | b']') => self.depth -= 1,
                (false, b',') if self.depth == 0 => return Some(i),
                _ => {}
            }
        }
        None
    }
}
