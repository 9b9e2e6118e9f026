//! Where to go on after something that could not be read, so that one bad record costs one record.

use super::raw::{Member, RawRecord};

/// How every record begins, spelled compactly or not.
const OBJECT_START: &[u8] = b"{";
/// Places that are tried as the start of the next record after a broken one. The limit keeps text
/// made of nothing but opening braces from costing the square of its length.
const MOST_TRIES: usize = 256;

/// Where the next whole record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    At(usize),
    Nowhere,
    /// Something that may be a record goes on beyond these bytes.
    Cut,
}

/// Looks for text that parses as a record and has a time. Inside a record's strings there is none,
/// because there quotes are escaped.
pub(super) fn next_record(rest: &[u8], from: usize) -> Next {
    let mut cut = false;
    let tail = rest.get(from..).unwrap_or(&[]);
    let starts = memchr::memmem::find_iter(tail, OBJECT_START).map(|n| n + from);
    let listed = |start: &usize| {
        let before = rest[..*start].iter().rev().find(|b| !b.is_ascii_whitespace());
        matches!(before, None | Some(b',' | b'['))
    };
    for start in starts.filter(listed).take(MOST_TRIES) {
        let mut values = serde_json::Deserializer::from_slice(&rest[start..]).into_iter();
        match values.next() {
            Some(Ok(record)) if is_record(&record) => return Next::At(start),
            Some(Err(e)) if e.is_eof() => cut = true,
            _ => {}
        }
    }
    if cut { Next::Cut } else { Next::Nowhere }
}

fn is_record(record: &RawRecord) -> bool {
    let named = [Member::EventSource, Member::EventName].iter().any(|m| record.get(*m).is_some());
    named && record.get(Member::EventTime).is_some()
}

/// Where to go on after a broken record. Braces say where it ends, unless a quote is missing; so
/// when a whole record follows, and more than blanks and commas lie in between, the braces are not
/// believed.
pub(super) fn resume_at(rest: &[u8], close: Option<usize>, next: Next) -> Option<usize> {
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
pub(super) struct Extent {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Extent {
    /// Bytes up to and including the closing brace, if it is among these.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        for (i, byte) in bytes.iter().enumerate() {
            match (self.in_string, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_string = !self.in_string,
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
