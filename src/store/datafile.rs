//! Writing one Parquet data file of a table.

use std::fs::{self, File};
use std::io::{BufWriter, Seek};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use super::location::Location;
use super::{layout, stats};
use crate::error::{Error, Result};
use crate::table::TableDef;

/// A data file that was written but belongs to no table yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Path inside the table's folder, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Number of rows.
    pub rows: u64,
    /// Value of the partition column, for a partitioned table.
    pub partition: Option<String>,
    /// Delta Lake's statistics of the file, as JSON.
    pub stats: String,
    /// When it was written, milliseconds since 1970-01-01 UTC.
    pub(super) modified_at: i64,
}

/// The schema of the table's data files: its columns without the partition column, whose value
/// Delta Lake keeps in the log.
pub(super) fn file_schema(def: &TableDef) -> SchemaRef {
    let all = def.schema();
    let kept = all.fields().iter().filter(|f| def.partition_by != Some(f.name().as_str()));
    SchemaRef::new(Schema::new(kept.cloned().collect::<Vec<_>>()))
}

/// Writes `batches` as one durable file of `def` in its folder; see
/// [`super::Transaction::write_file`].
pub(super) fn write(
    at: &Location,
    def: &TableDef,
    partition: Option<&str>,
    batches: &[RecordBatch],
) -> Result<DataFile> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let sorted = stats::is_sorted(def, batches)?;
    let batches = batches.iter().map(|batch| Ok(batch.clone()));
    let place = partition.map_or(Place::Table, Place::Day);
    write_all(at, def, place, Expected { rows, sorted }, batches)
}

/// Where in a table's folder a file belongs.
#[derive(Debug, Clone, Copy)]
pub enum Place<'p> {
    /// Anywhere.
    Table,
    /// To the rows with this value of the partition column, a day: `2024-05-01`.
    Day(&'p str),
    /// To a part of a table without partition column; parts are replaced as a whole. The name
    /// consists of lower-case letters, digits and dashes.
    Part(&'p str),
    /// To no table: it is discarded before the transaction ends, so it need not last.
    Spill,
}

/// As [`write`], for batches that come one by one; refuses rows out of order.
pub(super) fn write_sorted(
    at: &Location,
    def: &TableDef,
    place: Place,
    rows: usize,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<DataFile> {
    let mut last: Option<RecordBatch> = None;
    let checked = batches.map(|batch| {
        let batch = batch?;
        let both: Vec<RecordBatch> = last.iter().cloned().chain([batch.clone()]).collect();
        if !stats::is_sorted(def, &both)? {
            return Err(wrong(def, "rows are not in the table's order"));
        }
        if batch.num_rows() > 0 {
            last = Some(batch.slice(batch.num_rows() - 1, 1));
        }
        Ok(batch)
    });
    write_all(at, def, place, Expected { rows, sorted: true }, checked)
}

/// As [`write`], for batches that come one by one, in any order.
pub(super) fn write_unsorted(
    at: &Location,
    def: &TableDef,
    place: Place,
    rows: usize,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<DataFile> {
    write_all(at, def, place, Expected { rows, sorted: false }, batches)
}

/// What a file's header says of its content, before the content is there.
struct Expected {
    rows: usize,
    sorted: bool,
}

fn write_all(
    at: &Location,
    def: &TableDef,
    place: Place,
    expected: Expected,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<DataFile> {
    let name = format!("part-{}.parquet", Uuid::new_v4());
    let path = match (def.partition_by, place) {
        (Some(column), Place::Day(value)) => format!("{column}={value}/{name}"),
        (None, Place::Part(part)) if is_part(part) => format!("{part}/{name}"),
        (None, Place::Spill) => format!("spill/{name}"),
        (_, Place::Part(part)) => return Err(wrong(def, &format!("{part:?} is no part"))),
        _ => name,
    };
    let partition = match place {
        Place::Day(day) => Some(day),
        _ => None,
    };
    let check = Check::of(def, partition)?;
    let checked = batches.map(|batch| batch.and_then(|batch| check.batch(batch)));
    let lasts = !matches!(place, Place::Spill);
    let (size, metadata) = put(at, &format!("{}/{path}", def.name), lasts, |file, full| {
        let properties = layout::properties(def, expected.rows, expected.sorted, lasts)?;
        write_parquet(file, full, def, properties, checked)
    })?;
    Ok(DataFile {
        path,
        size,
        rows: u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0),
        partition: partition.map(str::to_owned),
        stats: stats::json(def, &metadata),
        modified_at: now_millis(),
    })
}

fn is_part(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.bytes().all(plain)
}

fn wrong(def: &TableDef, what: &str) -> Error {
    Error::Arrow(ArrowError::SchemaError(format!("table {}: {what}", def.name)))
}

/// Refuses batches that would make the table lie: other columns than the table's, rows of another
/// partition, or a partition value that is no plain date.
struct Check<'d> {
    def: &'d TableDef,
    schema: SchemaRef,
    /// Column and day of the partition.
    partition: Option<(&'static str, i32)>,
}

impl Check<'_> {
    fn of<'d>(def: &'d TableDef, partition: Option<&str>) -> Result<Check<'d>> {
        let partition = match (def.partition_by, partition) {
            (None, None) => None,
            (Some(column), Some(value)) => {
                let day = parse_day(value);
                Some((
                    column,
                    day.ok_or_else(|| wrong(def, &format!("{value:?} is no partition")))?,
                ))
            }
            _ => return Err(wrong(def, "a partition is given exactly where the table has one")),
        };
        Ok(Check { def, schema: def.schema(), partition })
    }

    fn batch(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if batch.schema_ref().fields() != self.schema.fields() {
            return Err(wrong(self.def, "a batch does not have the table's columns"));
        }
        if let Some((column, day)) = self.partition {
            let days =
                batch.column_by_name(column).and_then(|c| c.as_primitive_opt::<Date32Type>());
            let same =
                days.is_some_and(|d| d.null_count() == 0 && d.values().iter().all(|v| *v == day));
            if !same {
                return Err(wrong(self.def, &format!("a row of the file has another {column}")));
            }
        }
        Ok(batch)
    }
}

/// Days since 1970-01-01 of a date written `2024-05-01`; nothing else is accepted, because it
/// becomes the name of a folder.
pub(super) fn parse_day(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && date.format("%Y-%m-%d").to_string() == text)
        .then(|| Date32Type::from_naive_date(date))
}

/// Lets `write` write a file of the store, which `lasts` from now on. Where that fails there is no file.
fn put<T>(
    at: &Location,
    name: &str,
    lasts: bool,
    write: impl FnOnce(File, &Path) -> Result<(File, T)>,
) -> Result<(u64, T)> {
    let full = at.join(name);
    let size = |file: &File| file.metadata().map(|m| m.len()).map_err(Error::io(&full));
    let place = match at {
        Location::Folder(_) => {
            if let Some(parent) = full.parent() {
                fs::create_dir_all(parent).map_err(Error::io(parent))?;
            }
            let file = File::create_new(&full).map_err(Error::io(&full))?;
            let written = write(file, &full).and_then(|(file, told)| {
                if lasts {
                    file.sync_all().map_err(Error::io(&full))?;
                }
                Ok((size(&file)?, told))
            });
            if written.is_err() {
                // Half a file is of no use to anybody; that it cannot be removed is not the news.
                let _ = fs::remove_file(&full);
            }
            return written;
        }
        Location::Bucket(place) => place,
    };
    let temp = std::env::temp_dir();
    let file = tempfile::tempfile().map_err(Error::io(&temp))?;
    let (mut file, told) = write(file, &temp)?;
    let size = size(&file)?;
    file.rewind().map_err(Error::io(&temp))?;
    place.send(name, file, size)?;
    Ok((size, told))
}

/// Writes a file; returns it with what Parquet knows of it.
fn write_parquet(
    file: File,
    path: &Path,
    def: &TableDef,
    properties: WriterProperties,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<(File, ParquetMetaData)> {
    let schema = file_schema(def);
    let mut buffered = BufWriter::new(file);
    let mut writer = ArrowWriter::try_new(&mut buffered, schema.clone(), Some(properties))?;
    let wanted: Vec<usize> =
        (0..def.columns.len()).filter(|i| def.partition_by != Some(def.columns[*i].name)).collect();
    for batch in batches {
        writer.write(&batch?.project(&wanted)?)?;
    }
    let metadata = writer.close()?;
    let file = buffered.into_inner().map_err(|e| Error::io(path)(e.into_error()))?;
    Ok((file, metadata))
}

pub(super) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
