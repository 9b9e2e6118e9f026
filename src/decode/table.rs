//! Records in tables: a column holds the whole record as JSON, or the columns are a record's members, as
//! Athena and CloudTrail Lake export them. And the tables that are CSV; for others see
//! [`parquet`](super::parquet).
//!
//! A row becomes the text of a record and goes the way of all others. What CSV cannot say without loss
//! (structs that were printed as `{key=value}`) is rejected with what to do instead.

use std::borrow::Cow;
use std::io::Read;

use csv_core::{ReadRecordResult, Reader};
use serde_json::Value;

use super::element::{self, Shape};
use super::raw::{Member, RawRecord};
use super::reject::{Inside, Limits, Place};
use super::stream::{RecordStream, Taken};
use super::table_columns::{Column, columns};
use super::window::Window;

/// A header or a row has no more columns.
const MOST_COLUMNS: usize = 4096;

/// What the columns of a table are.
pub(super) struct Layout {
    columns: Vec<Column>,
    /// Whether they are members of a record.
    members: bool,
}

/// A cell as text; `None` where there is nothing in it.
type Cell<'c> = Option<Cow<'c, str>>;

/// The rows of one table in CSV.
pub(super) struct Table {
    layout: Layout,
    row: Row,
}

/// The cells of one row.
#[derive(Default)]
struct Row {
    text: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
}

/// How reading a row ended.
enum Read1 {
    /// It takes so many bytes.
    Row(usize),
    End,
    TooLong,
    /// A quote stays open beyond its line.
    OpenQuote,
}

impl Table {
    /// Reads the header at the position, if it is one of a table with records; the window stays where it
    /// is if not.
    pub(super) fn open<R: Read>(window: &mut Window<R>) -> Option<Table> {
        let head = Limits { record_bytes: 64 << 10, ..Limits::default() };
        let mut row = Row::default();
        let Read1::Row(length) = row.read(window, &head, 0) else { return None };
        let names: Vec<String> = row.strings()?;
        let layout = Layout::named(&names);
        let next = window.rest().get(length..).unwrap_or(&[]);
        let next = &next[..next.len().min(4096)];
        let json = memchr::memmem::find(next, b"{\"\"").is_some();
        let plain = || names.iter().all(|name| !name.contains(['{', '<']));
        (layout.members || (json && plain())).then(|| {
            window.advance(length);
            Table { layout, row: Row::default() }
        })
    }

    /// The next row.
    pub(super) fn next<R: Read>(&mut self, stream: &mut RecordStream<R>) -> Option<Taken> {
        let (limits, width) = (stream.limits, self.layout.columns.len());
        let read = self.row.read(&mut stream.window, &limits, width);
        let length = match read {
            Read1::Row(length) if self.row.is_blank() => {
                stream.window.advance(length);
                return Some(Taken::Nothing);
            }
            Read1::Row(length) => length,
            Read1::End => {
                stream.done = true;
                let error = stream.window.error()?;
                stream.number += 1;
                return Some(stream.reject_here(error).into());
            }
            Read1::TooLong | Read1::OpenQuote => {
                let reason = match read {
                    Read1::TooLong => limits.record_exceeds(),
                    _ => "a quote is not closed".to_owned(),
                };
                return Some(self.skip_line(stream, reason));
            }
        };
        stream.number += 1;
        let mut place = stream.place();
        let found = self.record(&mut place);
        let text = stream.window.rest().get(..length).unwrap_or(&[]);
        let shown = &text[..text.len().min(limits.reject_bytes.saturating_add(1024))];
        let reject = |reason| {
            place.reject(reason, String::from_utf8_lossy(shown).trim_end(), limits.reject_bytes)
        };
        let taken = match found {
            Ok(text) => {
                stream.scratch = text;
                Taken::InScratch(place)
            }
            Err(reason) => reject(reason).into(),
        };
        stream.window.advance(length);
        Some(taken)
    }

    /// Costs one line, and goes on behind it.
    fn skip_line<R: Read>(&mut self, stream: &mut RecordStream<R>, reason: String) -> Taken {
        stream.number += 1;
        let reject = stream.reject_here(reason);
        loop {
            let rest = stream.window.rest();
            let line = memchr::memchr(b'\n', rest).map(|n| n + 1);
            let all = rest.len();
            stream.window.advance(line.unwrap_or(all));
            if line.is_some() || !stream.window.refill() {
                return reject.into();
            }
        }
    }

    /// The text of the record in the row.
    fn record(&self, place: &mut Place) -> Result<String, String> {
        let cells = self.row.strings().ok_or("invalid UTF-8")?;
        // CSV does not tell an empty text from none.
        let some = |cell: String| Some(cell).filter(|cell| !cell.is_empty()).map(Cow::Owned);
        let cells: Vec<Cell> = cells.into_iter().map(some).collect();
        let inside = Inside::default().step("CSV column").unwrap_or_default();
        self.layout.record(&cells, inside, place)
    }
}

impl Layout {
    /// Columns of these names, whatever they are.
    fn named(names: &[String]) -> Layout {
        let columns = columns(names);
        let members = columns.iter().any(|c| c.is(Member::EventTime))
            && columns.iter().any(|c| c.is(Member::EventName) || c.is(Member::EventSource));
        Layout { columns, members }
    }

    /// Columns of these names, if some of them are known to be a record's members or to hold records.
    pub(super) fn of_columns(names: &[String]) -> Option<Layout> {
        let layout = Layout::named(names);
        let holds = names.iter().any(|name| element::may_hold_record(name));
        (layout.members || holds).then_some(layout)
    }

    /// The text of the record in these cells. Where it stands in one of them, `place` is told so.
    ///
    /// # Errors
    /// Why there is none, and what to do.
    pub(super) fn record(
        &self,
        cells: &[Cell],
        inside: Inside,
        place: &mut Place,
    ) -> Result<String, String> {
        let mut trouble = None;
        for (cell, column) in cells.iter().zip(&self.columns) {
            // What a caller wrote into a request must not be taken for the record.
            if column.is_member() {
                continue;
            }
            let Some(cell) = cell.as_deref().map(str::trim).filter(|c| c.starts_with('{')) else {
                continue;
            };
            let Ok(record) = serde_json::from_str::<RawRecord>(cell) else { continue };
            match element::shape(&record, inside) {
                Shape::Record => {
                    place.inside = inside;
                    return Ok(cell.to_owned());
                }
                Shape::Holds(text, inside) => {
                    place.inside = inside;
                    return Ok(text.into_owned());
                }
                Shape::Unknown(reason) => trouble = trouble.or(Some(reason)),
                Shape::Document | Shape::NotALog(_) | Shape::Control => {}
            }
        }
        if self.members {
            return self.members_as_record(cells);
        }
        Err(trouble.unwrap_or_else(|| {
            "no column of this row holds a CloudTrail record as JSON; export the whole event as JSON, \
             or the columns eventTime, eventName, eventSource, userIdentity and so on"
                .to_owned()
        }))
    }

    fn members_as_record(&self, cells: &[Cell]) -> Result<String, String> {
        if cells.len() != self.columns.len() {
            return Err(format!(
                "the row has {} cells, the header {}",
                cells.len(),
                self.columns.len()
            ));
        }
        let mut text = String::from("{");
        for (column, cell) in self.columns.iter().zip(cells) {
            let Some(cell) = cell else { continue };
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&Value::from(column.name.as_str()).to_string());
            text.push(':');
            text.push_str(&column.json(cell)?);
        }
        text.push('}');
        Ok(text)
    }
}

impl Row {
    /// Parses one row at the position, which stays; `width` is the number of columns, 0 if not known.
    fn read<R: Read>(&mut self, window: &mut Window<R>, limits: &Limits, width: usize) -> Read1 {
        self.text.resize(self.text.len().max(4096), 0);
        self.ends.resize(MOST_COLUMNS, 0);
        let mut reader = Reader::new();
        let (mut used, mut written, mut cells) = (0, 0, 0);
        loop {
            let input = window.rest().get(used..).unwrap_or(&[]);
            let last = input.is_empty() && window.at_end();
            if input.is_empty() && !last {
                if used > limits.record_bytes {
                    return Read1::TooLong;
                }
                window.refill();
                continue;
            }
            let out = &mut self.text[written..];
            let (result, read, wrote, ended) =
                reader.read_record(input, out, &mut self.ends[cells..]);
            (used, written, cells) = (used + read, written + wrote, cells + ended);
            self.cells = cells;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if written > limits.record_bytes => {
                    return Read1::TooLong;
                }
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => return Read1::TooLong,
                ReadRecordResult::End => return Read1::End,
                ReadRecordResult::Record => {
                    let lines = window.rest().get(..used).unwrap_or(&[]);
                    let lines = memchr::memchr(b'\n', lines.trim_ascii()).is_some();
                    let open = lines && width > 0 && cells != width;
                    return if open { Read1::OpenQuote } else { Read1::Row(used) };
                }
            }
        }
    }

    /// The cells as text; `None` when they are none.
    fn strings(&self) -> Option<Vec<String>> {
        let mut start = 0;
        let ends = self.ends.get(..self.cells)?;
        let cell = |end: &usize| {
            let bytes = self.text.get(start..*end)?;
            start = *end;
            Some(std::str::from_utf8(bytes).ok()?.to_owned())
        };
        ends.iter().map(cell).collect()
    }

    fn is_blank(&self) -> bool {
        self.ends.get(..self.cells).is_some_and(|ends| ends.iter().all(|end| *end == 0))
    }
}
