//! Writing one Parquet data file of a table.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use uuid::Uuid;

use super::stats;
use crate::error::{Error, Result};
use crate::table::{Kind, TableDef};

/// Rows in one row group, the unit that a reader skips or decodes.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Share of lookups for a value that is not there which a bloom filter lets through.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// Columns where hardly a value repeats: a dictionary would be built only to be thrown away.
const NEVER_REPEATED: &[&str] = &["event_id", "request_id", "record_hash"];

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

/// Writes `batches` as one durable file of `def` below `table_dir`; see
/// [`super::Transaction::write_file`].
pub(super) fn write(
    table_dir: &Path,
    def: &TableDef,
    partition: Option<&str>,
    batches: &[RecordBatch],
) -> Result<DataFile> {
    check(def, partition, batches)?;
    let name = format!("part-{}.parquet", Uuid::new_v4());
    let path = match (def.partition_by, partition) {
        (Some(column), Some(value)) => format!("{column}={value}/{name}"),
        _ => name,
    };
    let full: PathBuf = table_dir.join(&path);
    if let Some(parent) = full.parent() {
        fs::create_dir_all(parent).map_err(Error::io(parent))?;
    }
    let written = write_parquet(&full, def, batches);
    let size = match written {
        Ok(size) => size,
        Err(e) => {
            // Half a file is of no use to anybody; that it cannot be removed is not the news.
            let _ = fs::remove_file(&full);
            return Err(e);
        }
    };
    Ok(DataFile {
        path,
        size,
        rows: batches.iter().map(|b| b.num_rows() as u64).sum(),
        partition: partition.map(str::to_owned),
        stats: stats::json(def, batches),
        modified_at: now_millis(),
    })
}

/// Refuses batches that would make the table lie: other columns than the table's, rows of another
/// partition, or a partition value that is no plain date.
fn check(def: &TableDef, partition: Option<&str>, batches: &[RecordBatch]) -> Result<()> {
    let wrong = |message: String| {
        Error::Arrow(ArrowError::SchemaError(format!("table {}: {message}", def.name)))
    };
    let schema = def.schema();
    if batches.iter().any(|b| b.schema_ref().fields() != schema.fields()) {
        return Err(wrong("a batch does not have the table's columns".to_owned()));
    }
    let (column, value) = match (def.partition_by, partition) {
        (None, None) => return Ok(()),
        (Some(column), Some(value)) => (column, value),
        _ => return Err(wrong("a partition is given exactly where the table has one".to_owned())),
    };
    let day = parse_day(value).ok_or_else(|| wrong(format!("{value:?} is no partition")))?;
    for batch in batches {
        let days = batch.column_by_name(column).and_then(|c| c.as_primitive_opt::<Date32Type>());
        let same =
            days.is_some_and(|d| d.null_count() == 0 && d.values().iter().all(|v| *v == day));
        if !same {
            return Err(wrong(format!("a row of the file for {value} has another {column}")));
        }
    }
    Ok(())
}

/// Days since 1970-01-01 of a date written `2024-05-01`; nothing else is accepted, because it
/// becomes the name of a folder.
pub(super) fn parse_day(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && date.format("%Y-%m-%d").to_string() == text)
        .then(|| Date32Type::from_naive_date(date))
}

/// Writes and syncs the file; returns its size.
fn write_parquet(path: &Path, def: &TableDef, batches: &[RecordBatch]) -> Result<u64> {
    let schema = file_schema(def);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let sorted = stats::is_sorted(def, batches)?;
    let properties = properties(def, &schema, rows, sorted)?;
    let file = File::create_new(path).map_err(Error::io(path))?;
    let mut writer = ArrowWriter::try_new(BufWriter::new(file), schema.clone(), Some(properties))?;
    let wanted: Vec<usize> =
        (0..def.columns.len()).filter(|i| def.partition_by != Some(def.columns[*i].name)).collect();
    for batch in batches {
        writer.write(&batch.project(&wanted)?)?;
    }
    let buffered = writer.into_inner()?;
    let file = buffered.into_inner().map_err(|e| Error::io(path)(e.into_error()))?;
    file.sync_all().map_err(Error::io(path))?;
    Ok(file.metadata().map_err(Error::io(path))?.len())
}

fn properties(
    def: &TableDef,
    schema: &Schema,
    rows: usize,
    sorted: bool,
) -> Result<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(concat!("roletrail ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_statistics_enabled(EnabledStatistics::Page);
    for column in def.columns {
        let path = ColumnPath::from(column.name);
        if column.kind == Kind::Json {
            // Nobody looks for the page whose smallest JSON text is below another.
            builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
        }
        if NEVER_REPEATED.contains(&column.name) {
            builder = builder.set_column_dictionary_enabled(path.clone(), false);
        }
        if def.lookup.contains(&column.name) {
            // Sized for as many values as rows; the writer folds a filter that has fewer.
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path, rows.clamp(1, ROW_GROUP_ROWS) as u64);
        }
    }
    if sorted {
        let leaves = ArrowSchemaConverter::new().convert(schema)?;
        builder = builder.set_sorting_columns(sorting(def, &leaves));
    }
    Ok(builder.build())
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
