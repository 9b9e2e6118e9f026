//! Finds the records in a stream of bytes and hands them out one by one, each with its number and
//! position. Holds one window of the stream, never the whole.
//!
//! A stream is a row of JSON values: log files, documents of other tools, arrays, single records, in
//! any mixture and with or without a line's prefix; or it is a table in CSV ([`table`](super::table)).
//! What a list or a line holds is an element; see [`element`](super::element).

use std::io::Read;

use serde_json::value::RawValue;

use super::document;
use super::element::{self, Shape};
use super::raw::{Member, RawRecord, Spans};
use super::reject::message_of;
pub use super::reject::{Inside, Limits, Place, Reject};
use super::scan;
use super::table::Table;
use super::window::Window;

/// What a stream yields.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // one at a time, never stored
pub enum Item<'b> {
    /// A record: its place, its members, its text.
    Record(Place, RawRecord<'b>, &'b str),
    /// Something that should have been a record.
    Bad(Reject),
    /// The file is fine, but holds no log of API calls: the reason.
    NotALog(&'static str),
}

/// What the position is inside of, from the outermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// A list of elements; under this name they are shown.
    List(&'static str),
    /// A list whose elements are no records and are stepped over.
    Passed,
    /// An object, behind one of its members.
    Members,
    /// Something that was lost and found again: how it began is not known.
    Lost,
}

/// Documents in lists in documents: deeper than that nothing is one.
const MOST_FRAMES: usize = 8;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The records of one stream.
pub struct RecordStream<R> {
    pub(super) window: Window<R>,
    pub(super) limits: Limits,
    /// Elements met so far.
    pub(super) number: u64,
    pub(super) frames: Vec<Frame>,
    /// Whether values outside of lists are elements themselves, as far as is known: then that is
    /// tried first.
    bare: bool,
    /// Whether anything but white space was met.
    begun: bool,
    pub(super) done: bool,
    table: Option<Table>,
    /// The text of a record that was taken out of an envelope or a table.
    pub(super) scratch: String,
}

/// What was found at the position.
#[allow(clippy::large_enum_variant)] // one at a time, never stored
pub(super) enum Taken {
    /// A record in the window: from this mark, of this length.
    InWindow(Place, Spans, usize, usize),
    /// A record whose text is in `scratch`.
    InScratch(Place),
    /// Not for the caller: look again.
    Nothing,
    Item(Item<'static>),
}

impl From<Reject> for Taken {
    fn from(reject: Reject) -> Taken {
        Taken::Item(Item::Bad(reject))
    }
}

impl<R: Read> RecordStream<R> {
    /// A stream over uncompressed bytes.
    pub fn new(reader: R, limits: Limits) -> RecordStream<R> {
        RecordStream {
            window: Window::new(reader, limits.record_bytes),
            limits,
            number: 0,
            frames: Vec::new(),
            bare: false,
            begun: false,
            done: false,
            table: None,
            scratch: String::new(),
        }
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.window.bytes_read()
    }

    /// The reader, for what is to be learned from it after the end.
    pub fn into_reader(self) -> R {
        self.window.into_reader()
    }

    /// The reader, which may be able to go on behind an error: see [`RecordStream::go_on`].
    pub fn reader(&mut self) -> &mut R {
        self.window.reader()
    }

    /// Whether the stream ended early, by an error of its reader.
    pub fn failed(&self) -> bool {
        self.window.error().is_some()
    }

    /// Reads on after the end, because the reader has found more.
    pub fn go_on(&mut self) {
        self.window.reopen();
        self.frames.clear();
        self.frames.push(Frame::Lost);
        (self.done, self.table) = (false, None);
    }

    /// The next record or reject; `None` at the end.
    #[allow(clippy::should_implement_trait)] // items borrow from the stream
    pub fn next(&mut self) -> Option<Item<'_>> {
        let taken = loop {
            match self.take()? {
                Taken::Nothing => {}
                taken => break taken,
            }
        };
        Some(match taken {
            Taken::InWindow(place, spans, mark, length) => {
                // Whoever found it has checked that it is UTF-8.
                let text = std::str::from_utf8(self.window.since(mark, length)).unwrap_or("");
                match self.limits.broken_by(text) {
                    Some(reason) => Item::Bad(place.reject(reason, text, self.limits.reject_bytes)),
                    None => Item::Record(place, spans.over(text), text),
                }
            }
            Taken::InScratch(place) => self.record_in_scratch(place),
            Taken::Item(item) => item,
            Taken::Nothing => return None,
        })
    }

    fn record_in_scratch(&self, place: Place) -> Item<'_> {
        let (text, cap) = (self.scratch.as_str(), self.limits.reject_bytes);
        let too_long =
            (text.len() > self.limits.record_bytes).then(|| self.limits.record_exceeds());
        if let Some(reason) = too_long.or_else(|| self.limits.broken_by(text)) {
            return Item::Bad(place.reject(reason, text, cap));
        }
        match serde_json::from_str::<RawRecord>(text) {
            Ok(record) => Item::Record(place, record, text),
            Err(e) => Item::Bad(place.reject(message_of(&e), text, cap)),
        }
    }

    fn take(&mut self) -> Option<Taken> {
        if self.done {
            return None;
        }
        if self.table.is_some() {
            return self.take_row();
        }
        match self.frames.last() {
            None => self.between_documents(),
            Some(Frame::List(_)) => self.in_list(),
            Some(Frame::Passed) => self.pass_element(),
            Some(Frame::Members) => self.in_members(),
            Some(Frame::Lost) => self.in_lost(),
        }
    }

    fn take_row(&mut self) -> Option<Taken> {
        let mut table = self.table.take()?;
        let taken = table.next(self);
        self.table = Some(table);
        taken
    }

    // --- outside of elements ------------------------------------------------------------------

    /// At the beginning, or behind a value that stands for itself.
    fn between_documents(&mut self) -> Option<Taken> {
        let byte = self.window.peek();
        if self.window.rest().starts_with(BYTE_ORDER_MARK) {
            self.window.advance(BYTE_ORDER_MARK.len());
            return Some(Taken::Nothing);
        }
        let first = !self.begun;
        self.begun |= byte.is_some();
        if let Some(what) = foreign(self.window.rest()).filter(|_| first) {
            return Some(self.cut_off(what.to_owned()));
        }
        match byte {
            Some(b'{') => Some(self.value()),
            Some(b'[') => {
                self.window.advance(1);
                self.frames.push(Frame::List(""));
                Some(Taken::Nothing)
            }
            Some(b',') if self.bare => {
                self.window.advance(1);
                Some(Taken::Nothing)
            }
            Some(_) => Some(self.text_line(first)),
            None => {
                self.done = true;
                let error = self.window.error();
                let reason = error.or_else(|| first.then(|| "empty file".to_owned()))?;
                self.number += 1;
                Some(self.reject_here(reason).into())
            }
        }
    }

    /// A value outside of lists: a document, or an element by itself.
    fn value(&mut self) -> Taken {
        if !self.bare && self.enter_document() {
            return Taken::Nothing;
        }
        self.bare = true;
        self.element()
    }

    /// Text that is not JSON: the prefix of a line, the header of a table, or nothing of use.
    fn text_line(&mut self, first: bool) -> Taken {
        let rest = self.window.rest();
        let line = &rest[..rest.len().min(64 << 10)];
        let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
        let brace = memchr::memchr(b'{', line);
        if let Some(brace) = brace.filter(|n| element::is_prefix(&line[..*n])) {
            self.window.advance(brace);
            self.bare = true;
            return Taken::Nothing;
        }
        if first && let Some(table) = Table::open(&mut self.window) {
            self.table = Some(table);
            return Taken::Nothing;
        }
        let reason = if self.number == 0 {
            "not JSON: does not begin with {"
        } else {
            "trailing junk after the end of the document"
        };
        self.lost(reason.to_owned()).into()
    }

    /// Goes into the list of a document at the position; false when there is none in sight. What is
    /// an element by itself stays where it is.
    fn enter_document(&mut self) -> bool {
        if self.frames.len() + 2 > MOST_FRAMES {
            return false;
        }
        let any_name = self.frames.is_empty();
        let found = document::find_list(&mut self.window, any_name, &self.limits);
        let Some((to_list, frame)) = found else { return false };
        self.window.advance(to_list);
        self.frames.extend([Frame::Members, frame]);
        true
    }

    fn in_list(&mut self) -> Option<Taken> {
        match self.window.peek() {
            Some(b',') => self.window.advance(1),
            Some(b']') => {
                self.window.advance(1);
                self.frames.pop();
            }
            Some(_) => return Some(self.element()),
            None => return Some(self.cut_off(self.window.early_end())),
        }
        Some(Taken::Nothing)
    }

    /// Steps over what is in a list of no interest.
    fn pass_element(&mut self) -> Option<Taken> {
        match self.window.peek() {
            Some(b',') => self.window.advance(1),
            Some(b']') => {
                self.window.advance(1);
                self.frames.pop();
            }
            Some(_) => match document::value_length(&mut self.window, &self.limits) {
                Ok(length) => self.window.advance(length),
                Err(reason) => return Some(self.lost(reason).into()),
            },
            None => return Some(self.cut_off(self.window.early_end())),
        }
        Some(Taken::Nothing)
    }

    /// Behind the list of a document: other members may follow, another list among them.
    fn in_members(&mut self) -> Option<Taken> {
        match self.window.peek() {
            Some(b'}') => {
                self.window.advance(1);
                self.frames.pop();
            }
            Some(b',') => self.window.advance(1),
            Some(b'"') => match document::next_member(&mut self.window, &self.limits) {
                Ok(frame) => self.frames.extend(frame),
                Err(reason) => return Some(self.lost(reason).into()),
            },
            Some(_) => return Some(self.lost("trailing junk after Records".to_owned()).into()),
            None => {
                let open = || "the document is not closed".to_owned();
                return Some(self.cut_off(self.window.error().unwrap_or_else(open)));
            }
        }
        Some(Taken::Nothing)
    }

    /// After something was lost: whatever closes is taken as it comes.
    fn in_lost(&mut self) -> Option<Taken> {
        match self.window.peek() {
            Some(b',') => self.window.advance(1),
            Some(b']') => {
                self.window.advance(1);
                self.frames.pop();
                self.frames.push(Frame::Members);
            }
            Some(b'{') => {
                if !self.enter_document() {
                    return Some(self.element());
                }
            }
            // Behind it is what may stand between documents.
            Some(b'}') => {
                self.window.advance(1);
                self.frames.pop();
            }
            Some(_) => {
                self.frames.pop();
            }
            None => {
                self.done = true;
                let error = self.window.error()?;
                self.number += 1;
                return Some(self.reject_here(error).into());
            }
        }
        Some(Taken::Nothing)
    }

    // --- elements -----------------------------------------------------------------------------

    /// What stands at the position.
    fn element(&mut self) -> Taken {
        match self.record_in_window() {
            Some((spans, length)) => {
                self.number += 1;
                let place = self.place();
                let mark = self.window.mark();
                self.window.advance(length);
                Taken::InWindow(place, spans, mark, length)
            }
            None => self.odd_element(),
        }
    }

    /// The usual case: a record that is in order and lies in the window whole; its members and its
    /// length.
    fn record_in_window(&self) -> Option<(Spans, usize)> {
        let rest = self.window.rest();
        let fits = |length: &usize| *length <= self.limits.record_bytes;
        if let Some((spans, length)) = scan::record(rest)
            && spans.has(Member::EventTime)
        {
            return fits(&length).then_some((spans, length));
        }
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<RawRecord>();
        let record = values.next()?.ok()?;
        record.get(Member::EventTime)?;
        let spans = record.spans(rest);
        let length = Some(values.byte_offset()).filter(fits)?;
        Some((spans, length))
    }

    /// An element that the window cuts, that is none, or that holds something else.
    fn odd_element(&mut self) -> Taken {
        let (mut tried, mut widened) = (0, false);
        let length = loop {
            let rest = self.window.rest();
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
            let parsed = values.next();
            let used = values.byte_offset();
            match parsed {
                // A bare number at the end of the window may go on in the next one.
                Some(Ok(_)) if used < rest.len() || self.window.at_end() => break Ok(used),
                // What the window cuts in the middle of a number or a character may look wrong
                // rather than cut: only an error that stays with more text is one.
                Some(Err(e)) if !e.is_eof() && (widened || self.window.at_end()) => {
                    break Err(Odd::Broken(message_of(&e)));
                }
                Some(Err(e)) if !e.is_eof() && rest.len() <= self.limits.record_bytes => {
                    widened = true;
                }
                _ if rest.len() > self.limits.record_bytes => break Err(Odd::TooLong),
                _ if self.window.at_end() => break Err(Odd::Broken(self.window.early_end())),
                _ => {}
            }
            // A document in a list is entered rather than held.
            if tried == 0 && rest.starts_with(b"{") && self.enter_document() {
                return Taken::Nothing;
            }
            tried += 1;
            self.window.refill();
        };
        match length {
            Ok(length) if length <= self.limits.record_bytes => self.whole_element(length),
            Ok(_) | Err(Odd::TooLong) => self.too_long(),
            Err(Odd::Broken(reason)) => self.broken_element(reason),
        }
    }

    /// The element is valid JSON of `length` bytes at the position.
    fn whole_element(&mut self, length: usize) -> Taken {
        let text = self.window.rest().get(..length).unwrap_or(&[]);
        // The parser has checked that it is UTF-8.
        let text = std::str::from_utf8(text).unwrap_or("");
        let inside = self.list_name();
        let found = match serde_json::from_str::<RawRecord>(text) {
            Ok(record) => match element::shape(&record, inside) {
                Shape::Record => Found::Record(text.to_owned(), Inside::default()),
                Shape::Holds(text, inside) => Found::Record(text.into_owned(), inside),
                Shape::Document => Found::Document,
                Shape::NotALog(what) => Found::NotALog(what),
                Shape::Control => Found::Control,
                Shape::Unknown(reason) => Found::Bad(reason),
            },
            Err(e) => Found::Bad(message_of(&e)),
        };
        match found {
            Found::Document if self.enter_document() => return Taken::Nothing,
            Found::Control => {
                self.window.advance(length);
                return Taken::Nothing;
            }
            _ => self.number += 1,
        }
        let mut place = self.place();
        let mut no_log = None;
        let reason = match found {
            Found::Record(text, inside) => {
                place.inside = inside;
                self.scratch = text;
                self.window.advance(length);
                return Taken::InScratch(place);
            }
            Found::NotALog(what) => {
                no_log = Some(what);
                format!("a {what}, no record of a call")
            }
            Found::Bad(reason) => reason,
            Found::Document | Found::Control => "log files inside of log files, too deep: take \
                                                 them out and give them by themselves"
                .to_owned(),
        };
        let text = self.window.rest().get(..length).unwrap_or(&[]);
        let shown = &text[..text.len().min(self.limits.reject_bytes.saturating_add(1024))];
        let shown = String::from_utf8_lossy(shown);
        let reject = place.reject(reason, &shown, self.limits.reject_bytes);
        self.window.advance(length);
        if let Some(what) = no_log.filter(|_| self.is_all()) {
            self.done = true;
            self.number -= 1;
            return Taken::Item(Item::NotALog(what));
        }
        reject.into()
    }

    /// Whether the one element that was met is all there is in the stream, by itself.
    fn is_all(&mut self) -> bool {
        let alone = self.number == 1 && self.frames.is_empty();
        alone && self.window.peek().is_none() && self.window.error().is_none()
    }

    // --- what to say ------------------------------------------------------------------------------

    fn list_name(&self) -> Inside {
        match self.frames.last() {
            Some(Frame::List(name)) if !name.is_empty() => {
                Inside::default().step(name).unwrap_or_default()
            }
            _ => Inside::default(),
        }
    }

    pub(super) fn place(&self) -> Place {
        Place {
            number: self.number.max(1),
            offset: Some(self.window.offset()),
            inside: Inside::default(),
        }
    }

    /// A reject at the position, with what is left in the window as its content.
    pub(super) fn reject_here(&self, reason: String) -> Reject {
        let rest = self.window.rest();
        let text = String::from_utf8_lossy(&rest[..rest.len().min(4096)]);
        self.place().reject(reason, &text, self.limits.reject_bytes)
    }

    /// The stream ends inside of something.
    fn cut_off(&mut self, reason: String) -> Taken {
        self.done = true;
        self.number += 1;
        self.reject_here(reason).into()
    }
}

/// What a file is that is neither JSON nor text, with what to do.
fn foreign(head: &[u8]) -> Option<&'static str> {
    const UTF_16: &str =
        "text in UTF-16: save it as UTF-8 first, for example iconv -f UTF-16 -t UTF-8";
    const BEGINNINGS: [(&[u8], &str); 14] = [
        (b"\xff\xfe", UTF_16),
        (b"\xfe\xff", UTF_16),
        // Without a byte order mark.
        (b"{\0", "text in UTF-16: save it as UTF-8 first, for example iconv -f UTF-16LE -t UTF-8"),
        (b"[\0", "text in UTF-16: save it as UTF-8 first, for example iconv -f UTF-16LE -t UTF-8"),
        (b"\0{", "text in UTF-16: save it as UTF-8 first, for example iconv -f UTF-16BE -t UTF-8"),
        (b"\0[", "text in UTF-16: save it as UTF-8 first, for example iconv -f UTF-16BE -t UTF-8"),
        (b"\xfd7zXZ", "compressed with xz: unpack it first, with xz -d"),
        (b"BZh", "compressed with bzip2: unpack it first, with bzip2 -d"),
        (b"7z\xbc\xaf", "a 7z archive: unpack it first, with 7z x"),
        (b"Rar!\x1a", "a RAR archive: unpack it first, with unrar x"),
        (b"H4sIA", "gzip in Base64: decode it first, with base64 -d"),
        (b"Obj\x01", "an Avro file: write it as JSON lines first, with avro-tools tojson"),
        (b"ORC", "an ORC file: write it as Parquet or JSON lines first"),
        (b"SQLite format 3", "an SQLite database: export the events as JSON lines first"),
    ];
    BEGINNINGS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what)
}

/// What was found in an element; the text is on its way into `scratch`.
enum Found {
    Record(String, Inside),
    Document,
    NotALog(&'static str),
    Control,
    Bad(String),
}

enum Odd {
    TooLong,
    Broken(String),
}
