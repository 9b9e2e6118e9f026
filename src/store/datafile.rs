//! Writing one Parquet data file of a table.

use std::fs::{self, File};
use std::io::{BufWriter, Seek};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{ParquetMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use uuid::Uuid;

use super::location::Location;
use super::stats;
use crate::error::{Error, Result};
use crate::table::{Column, Kind, TableDef};

/// Rows in one row group, the unit that a reader skips or decodes.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// The same of tables that are read by small ranges of what they are sorted by.
const SMALL_ROW_GROUP_ROWS: usize = 8 * 1024;

/// Bytes of a page before compression. A file that is being written holds one for each column.
const PAGE_BYTES: usize = 256 * 1024;

/// The same of [`LARGE`] columns, and of tables with small row groups, of which a reader takes the whole:
/// what is in one page is compressed together.
const LARGE_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Share of lookups for a value that is not there which a bloom filter lets through.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// The same of what is seldom looked for: half the bytes.
const SELDOM: (&str, f64) = ("request_id", 0.1);

/// Ids, as many as rows or nearly so: a dictionary would be built only to be thrown away, and with the
/// lengths apart the texts compress to little more than the chance that is in them.
const IDS: &[&str] = &[
    "event_id",
    "request_id",
    "shared_event_id",
    "twin_event_id",
    "proof_event_id",
    "grant_event_id",
    "issued_session_id",
    "child_session_id",
    "key",
];

/// Access keys, as many as rows: those of one account begin alike.
const KEYS: &[&str] = &["issued_access_key_id", "child_access_key_id"];

/// The same where the name stands for what repeats in other tables.
const OWN: &[(&str, &str, Encoding)] = &[
    ("credentials", "access_key_id", Encoding::DELTA_BYTE_ARRAY),
    ("sessions", "session_id", Encoding::DELTA_LENGTH_BYTE_ARRAY),
];

/// Hashes, or mostly so.
const NUMBERS: &[&str] = &["record_hash", "answer", "about"];

/// The columns that hold most of what there is: a third of a store at the level of the others. They are
/// read a few rows at a time or not at all, and to compress them better takes one part in thirty of an
/// ingest.
const LARGE: &[&str] = &["request_parameters", "response_elements"];

/// The level of zstd for them.
const LARGE_LEVEL: i32 = 6;

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
        let properties = properties(def, expected, lasts)?;
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

fn properties(def: &TableDef, expected: Expected, lasts: bool) -> Result<WriterProperties> {
    let (row_group_rows, page_bytes, level) = shape(def);
    let level = if lasts { level } else { 1 };
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_created_by(concat!("roletrail ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_data_page_size_limit(page_bytes)
        .set_statistics_enabled(EnabledStatistics::None);
    // Sized for as many values as rows; the writer folds a filter that has fewer.
    let ndv = expected.rows.clamp(1, ROW_GROUP_ROWS) as u64;
    for column in def.columns {
        let path = ColumnPath::from(column.name);
        builder = builder.set_column_statistics_enabled(path.clone(), statistics(def, column));
        if let Some(encoding) = encoding(def, column) {
            builder = builder.set_column_encoding(path.clone(), encoding);
            builder = builder.set_column_dictionary_enabled(path.clone(), false);
        }
        if column.kind == Kind::Resources {
            let level = ZstdLevel::try_new(LARGE_LEVEL)?;
            let arn = [column.name, "list", "element", "arn"].map(str::to_owned).to_vec();
            builder =
                builder.set_column_compression(ColumnPath::new(arn), Compression::ZSTD(level));
        }
        if LARGE.contains(&column.name) {
            let level = ZstdLevel::try_new(LARGE_LEVEL)?;
            builder = builder
                .set_column_compression(path.clone(), Compression::ZSTD(level))
                .set_column_data_page_size_limit(path.clone(), LARGE_PAGE_BYTES);
        }
        if def.lookup.contains(&column.name) {
            let seldom = column.name == SELDOM.0;
            let false_positives = if seldom { SELDOM.1 } else { BLOOM_FALSE_POSITIVES };
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), false_positives)
                .set_column_bloom_filter_max_ndv(path, ndv);
        }
    }
    if expected.sorted {
        let leaves = ArrowSchemaConverter::new().convert(&file_schema(def))?;
        builder = builder.set_sorting_columns(sorting(def, &leaves));
    }
    Ok(builder.build())
}

/// Rows of a row group, bytes of a page, and the level of zstd. What only linking reads is a tenth of what
/// is written and compresses well, so that more trouble pays.
fn shape(def: &TableDef) -> (usize, usize, i32) {
    if def.name == super::columns::LINKING_STATE.name {
        (SMALL_ROW_GROUP_ROWS, LARGE_PAGE_BYTES, 3)
    } else {
        (ROW_GROUP_ROWS, PAGE_BYTES, 1)
    }
}

/// The encoding of a column for which a dictionary is the wrong one.
fn encoding(def: &TableDef, column: &Column) -> Option<Encoding> {
    let in_order = def.sort_by.first() == Some(&column.name);
    let looked_up = def.lookup.contains(&column.name);
    let own = OWN.iter().find(|(table, name, _)| (*table, *name) == (def.name, column.name));
    if let Some((_, _, encoding)) = own {
        return Some(*encoding);
    }
    match column.kind {
        Kind::Time | Kind::Int if in_order => Some(Encoding::DELTA_BINARY_PACKED),
        Kind::Text if in_order && looked_up => Some(Encoding::DELTA_BYTE_ARRAY),
        _ if KEYS.contains(&column.name) => Some(Encoding::DELTA_BYTE_ARRAY),
        _ if IDS.contains(&column.name) => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        // Times that are not in order differ from row to row.
        Kind::Time | Kind::Binary => Some(Encoding::PLAIN),
        _ if LARGE.contains(&column.name) || NUMBERS.contains(&column.name) => {
            Some(Encoding::PLAIN)
        }
        _ => None,
    }
}

/// Statistics cost two comparisons a value, so only columns have them by which a reader can skip
/// something: all but text, and the text that files are sorted by or that people filter by.
fn statistics(def: &TableDef, column: &Column) -> EnabledStatistics {
    if def.sort_by.first() == Some(&column.name) || column.kind == Kind::Time {
        EnabledStatistics::Page
    } else if !matches!(
        column.kind,
        Kind::Text | Kind::Json | Kind::Binary | Kind::TextList | Kind::Resources
    ) || stats::columns(def).any(|c| c.name == column.name)
    {
        EnabledStatistics::Chunk
    } else {
        EnabledStatistics::None
    }
}

/// The sort columns as Parquet names them: by their number among the leaf columns.
fn sorting(def: &TableDef, leaves: &SchemaDescriptor) -> Option<Vec<SortingColumn>> {
    let number = |name: &str| leaves.columns().iter().position(|c| c.path().string() == name);
    def.sort_by
        .iter()
        .map(|name| {
            let column_idx = i32::try_from(number(name)?).ok()?;
            Some(SortingColumn { column_idx, descending: false, nulls_first: true })
        })
        .collect()
}

pub(super) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
