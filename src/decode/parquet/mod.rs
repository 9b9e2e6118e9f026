//! Records in Parquet: tables as Athena, CloudTrail Lake and notebooks write them, a column a member or
//! a column that holds the event as JSON.
//!
//! A row becomes the text of a record and goes the way of all others, by the rules for tables
//! ([`table`](super::table)). A row group is read at a time, some rows at a time; what would take too much
//! memory is refused ([`pages`]), and so is what no table of CloudTrail's can be read from without loss.

mod cells;
mod pages;
mod thrift;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::SchemaDescriptor;

use super::raw::RawRecord;
use super::reject::{Inside, Limits, Place, Reject, message_of};
use super::stream::Item;
use super::table::Layout;
use crate::panics::caught;
use pages::{Pages, Shared};

pub use pages::Source;

/// How every Parquet file begins and ends.
const MAGIC: &[u8] = b"PAR1";
/// Bytes of a footer.
const MOST_FOOTER: u64 = 16 << 20;
/// Columns, those in structs among them.
const MOST_COLUMNS: usize = 2048;

/// Bytes of a value of fixed length: those of a large decimal.
const MOST_WIDTH: i32 = 32;
/// Rows that are decoded at once.
const ROWS: usize = 512;
/// What a row counts for beside its text, so that rows of nothing come to an end.
const ROW_BYTES: u64 = 64;

/// How much a file may take.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Text that all rows together may be, bytes.
    pub text_bytes: u64,
    /// Memory for the pages of a row group, bytes.
    pub page_bytes: u64,
}

/// The records of one file.
pub struct ParquetRecords {
    /// `None` where the file cannot be read at all.
    file: Option<Opened>,
    limits: Limits,
    room: Room,
    /// The next row group.
    group: usize,
    /// Rows of the group in hand that are still to come.
    left: u64,
    reader: Option<ParquetRecordBatchReader>,
    rows: Option<(RecordBatch, usize)>,
    number: u64,
    bytes: u64,
    /// What is to be said first, or next.
    trouble: Option<String>,
    is_log: bool,
    scratch: String,
}

struct Opened {
    shared: Shared,
    metadata: ArrowReaderMetadata,
    layout: Layout,
}

impl ParquetRecords {
    /// Reads what the file says of itself; trouble with it is the first reject.
    pub fn open(source: impl Source + 'static, limits: Limits, room: Room) -> ParquetRecords {
        let opened = guarded(|| open(Box::new(source)));
        let is_log = !matches!(opened, Err(Trouble::NoLog(_)));
        let (file, trouble) = match opened {
            Ok(file) => (Some(file), None),
            Err(Trouble::NoLog(reason) | Trouble::Damage(reason)) => (None, Some(reason)),
        };
        ParquetRecords {
            file,
            limits,
            room,
            group: 0,
            left: 0,
            reader: None,
            rows: None,
            number: 0,
            bytes: 0,
            trouble,
            is_log,
            scratch: String::new(),
        }
    }

    /// Whether it has the columns of a log, or may have them.
    pub fn is_log(&self) -> bool {
        self.is_log
    }

    /// Bytes of text that the rows were so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// The next record or reject; `None` at the end.
    #[allow(clippy::should_implement_trait)] // items borrow from the stream
    pub fn next(&mut self) -> Option<Item<'_>> {
        let place = |number| Place { number, offset: None, inside: Inside::default() };
        loop {
            if let Some(reason) = self.trouble.take() {
                self.number += 1;
                return Some(Item::Bad(place(self.number).reject(reason, "", 0)));
            }
            if self.rows.is_some() {
                break;
            }
            self.advance()?;
        }
        self.number += 1;
        let mut place = place(self.number);
        let found = self.row(&mut place);
        self.bytes += ROW_BYTES + self.scratch.len() as u64;
        if self.bytes > self.room.text_bytes {
            self.trouble = Some(format!(
                "the rows are more than the allowed {} bytes (--max-inflated)",
                self.room.text_bytes
            ));
            (self.file, self.reader, self.rows) = (None, None, None);
        }
        Some(self.item(place, found))
    }

    fn item(&self, place: Place, found: Result<(), String>) -> Item<'_> {
        let (text, cap) = (self.scratch.as_str(), self.limits.reject_bytes);
        let reject = |reason| -> Reject { place.reject(reason, text, cap) };
        if let Err(reason) = found {
            return Item::Bad(reject(reason));
        }
        if let Some(reason) = self.limits.broken_by(text) {
            return Item::Bad(reject(reason));
        }
        match serde_json::from_str::<RawRecord>(text) {
            Ok(record) => Item::Record(place, record, text),
            Err(e) => Item::Bad(reject(message_of(&e))),
        }
    }

    /// Puts the text of the next row into `scratch`.
    fn row(&mut self, place: &mut Place) -> Result<(), String> {
        self.scratch.clear();
        let (Some(file), Some((batch, row))) = (&self.file, &mut self.rows) else { return Ok(()) };
        let at = *row;
        *row += 1;
        let mut left = self.limits.record_bytes;
        let exceeds = || self.limits.record_exceeds();
        let cells: Result<Vec<Option<Cow<'_, str>>>, cells::Odd> =
            batch.columns().iter().map(|column| cells::text(column, at, &mut left)).collect();
        let text = match cells {
            Ok(cells) => {
                let inside = Inside::default().step("Parquet column").unwrap_or_default();
                file.layout.record(&cells, inside, place)
            }
            Err(cells::Odd::TooLong) => Err(exceeds()),
            Err(cells::Odd::Lossy(what)) => Err(what),
        };
        if batch.num_rows() == *row {
            self.rows = None;
        }
        let text = text?;
        if text.len() > self.limits.record_bytes {
            return Err(self.limits.record_exceeds());
        }
        self.scratch = text;
        Ok(())
    }

    /// Reads the next rows, or puts into words why there are none; `None` at the end of the file.
    fn advance(&mut self) -> Option<()> {
        let file = self.file.as_ref()?;
        let Some(reader) = &mut self.reader else {
            let groups = file.metadata.metadata().num_row_groups();
            let group = self.group;
            if group >= groups {
                self.file = None;
                return None;
            }
            self.group += 1;
            let rows = file.metadata.metadata().row_group(group).num_rows();
            self.left = u64::try_from(rows).unwrap_or(0);
            match guarded(|| file.group(group, self.room.page_bytes)) {
                Ok(reader) => self.reader = reader,
                Err(trouble) => self.lost(&trouble),
            }
            return Some(());
        };
        match guarded(|| reader.next().transpose().map_err(|e| Trouble::Damage(said(&e)))) {
            Ok(Some(batch)) if batch.num_rows() > 0 => {
                self.left = self.left.wrapping_sub(batch.num_rows() as u64);
                self.rows = Some((batch, 0));
            }
            Ok(Some(_)) => {}
            // The library ends where pages end.
            Ok(None) if self.left != 0 => {
                let lost = "it has not as many rows as the footer says".to_owned();
                self.lost(&Trouble::Damage(lost));
            }
            Ok(None) => self.reader = None,
            Err(trouble) => self.lost(&trouble),
        }
        Some(())
    }

    /// Costs the rest of a row group.
    fn lost(&mut self, trouble: &Trouble) {
        let (Trouble::Damage(reason) | Trouble::NoLog(reason)) = trouble;
        self.reader = None;
        self.trouble = Some(format!("Parquet: row group {}: {reason}", self.group));
    }
}

impl Opened {
    /// The rows of a row group; `None` when it has none.
    fn group(
        &self,
        group: usize,
        page_bytes: u64,
    ) -> Result<Option<ParquetRecordBatchReader>, Trouble> {
        let damage = |e: parquet::errors::ParquetError| Trouble::Damage(said(&e));
        let groups = self.metadata.metadata().row_groups();
        let Some(of_group) = groups.get(group) else {
            return Err(Trouble::Damage("it is not there".to_owned()));
        };
        match of_group.num_rows() {
            0 => return Ok(None),
            ..0 => return Err(Trouble::Damage("a negative number of rows".to_owned())),
            _ => {}
        }
        let pages = Pages::new(self.shared.clone(), of_group, page_bytes).map_err(damage)?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(pages, self.metadata.clone());
        let reader = builder.with_row_groups(vec![group]).with_batch_size(ROWS).build();
        reader.map(Some).map_err(damage)
    }
}

/// Why a file cannot be read.
enum Trouble {
    Damage(String),
    /// It is in order, but none of ours.
    NoLog(String),
}

/// A panic of the library is damage of the file.
fn guarded<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    caught(work).unwrap_or_else(|_| Err(Trouble::Damage("corrupt data".to_owned())))
}

fn said(e: &dyn std::error::Error) -> String {
    let text = e.to_string();
    let text =
        text.trim_start_matches("Parquet error: ").trim_start_matches("Parquet argument error: ");
    text.trim_start_matches("Parquet error: ").to_owned()
}

/// Values of fixed length are laid out as long as the footer says, whatever the pages hold; so are
/// decimals of any length.
fn widths(schema: &SchemaDescriptor) -> Result<(), String> {
    for column in schema.columns() {
        let decimal = column.converted_type() == ConvertedType::DECIMAL
            || matches!(column.logical_type_ref(), Some(LogicalType::Decimal { .. }));
        let what = match column.physical_type() {
            Type::FIXED_LEN_BYTE_ARRAY if column.type_length() > MOST_WIDTH => {
                "values of a great fixed length"
            }
            Type::BYTE_ARRAY if decimal => "decimals of any length",
            _ => continue,
        };
        return Err(format!("column {} has {what}, which are not read", column.name()));
    }
    Ok(())
}

fn open(source: Box<dyn Source>) -> Result<Opened, Trouble> {
    let damage = |what: String| Trouble::Damage(format!("Parquet: {what}"));
    let shared = Shared::new(source).map_err(|e| damage(e.to_string()))?;
    let footer = footer(&shared).map_err(damage)?;
    let metadata = ParquetMetaDataReader::decode_metadata(&footer).map_err(|e| damage(said(&e)))?;
    drop(footer);
    let columns = metadata.file_metadata().schema_descr().num_columns();
    if columns > MOST_COLUMNS {
        return Err(damage(format!("{columns} columns; up to {MOST_COLUMNS} are read")));
    }
    widths(metadata.file_metadata().schema_descr()).map_err(damage)?;
    let metadata = typed(Arc::new(metadata)).map_err(|e| damage(said(&e)))?;
    let names: Vec<String> = metadata.schema().fields().iter().map(|f| f.name().clone()).collect();
    match Layout::of_columns(&names) {
        Some(layout) => Ok(Opened { shared, metadata, layout }),
        None => Err(other(&names)),
    }
}

/// With texts as views into the pages: a page may say one long text many times.
fn typed(metadata: Arc<ParquetMetaData>) -> parquet::errors::Result<ArrowReaderMetadata> {
    // What a writer noted of its own types is not needed, and one more thing to be made up.
    let options = || ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let plain = ArrowReaderMetadata::try_new(metadata.clone(), options())?;
    let views = Arc::new(cells::with_views(plain.schema()));
    ArrowReaderMetadata::try_new(metadata, options().with_schema(views))
}

fn footer(shared: &Shared) -> Result<Vec<u8>, String> {
    const TAIL: u64 = 8;
    let cut = || "truncated, the footer at its end is missing".to_owned();
    let at = shared.length.checked_sub(TAIL).ok_or_else(cut)?;
    let tail = shared.bytes(at, TAIL).map_err(|e| e.to_string())?;
    if tail.ends_with(b"PARE") {
        return Err("the footer is encrypted; write the table again without encryption".to_owned());
    }
    if !tail.ends_with(MAGIC) {
        return Err(cut());
    }
    let length = tail.iter().take(4).rev().fold(0, |n, byte| n << 8 | u64::from(*byte));
    if length > MOST_FOOTER {
        return Err(format!("a footer of {length} bytes; up to {MOST_FOOTER} are read"));
    }
    let start = at.checked_sub(length).ok_or_else(cut)?;
    let footer = shared.bytes(start, length).map_err(|e| e.to_string())?;
    match thrift::is_bearable(&footer) {
        true => Ok(footer),
        false => Err("the footer is damaged".to_owned()),
    }
}

/// What a table is that has no columns of a log.
fn other(names: &[String]) -> Trouble {
    let has = |name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    if has("class_uid") || (has("metadata") && has("activity_id")) {
        // Security Lake's tables.
        return Trouble::Damage(
            "a Parquet file of OCSF events (Security Lake): OCSF keeps other members under other names, so \
             records cannot be made of it without loss; read the bucket that CloudTrail itself delivers to, \
             or write the original events, where they are kept (raw_data), to a column of JSON"
                .to_owned(),
        );
    }
    let shown: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
    Trouble::NoLog(format!(
        "a Parquet file without columns of a log: it has {}{}; eventTime, eventName, eventSource, \
         userIdentity and so on are read, or one column that holds the event as JSON (raw_data, event, \
         message, CloudTrailEvent)",
        shown.join(", "),
        if names.len() > shown.len() { ", …" } else { "" }
    ))
}
