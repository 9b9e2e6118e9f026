//! Reading columns of a table's data files directly, without the SQL engine: for the parts of an
//! ingest that need a few columns of everything and run on plain threads.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use super::datafile::parse_day;
use crate::error::{Error, Result};
use crate::table::{Column, Kind, TableDef};

/// Rows in one batch.
const BATCH_ROWS: usize = 64 * 1024;

/// The named columns of `def`, in the order asked for.
fn wanted(def: &TableDef, names: &[&str]) -> Result<Vec<Column>> {
    let find = |name: &&str| {
        def.columns
            .iter()
            .find(|c| c.name == *name)
            .copied()
            .ok_or_else(|| Error::usage(format!("table {} has no column {name}", def.name)))
    };
    names.iter().map(find).collect()
}

/// A whole-number column and the values of it that are wanted, the last one included. Groups of rows
/// that have none are not read; the others come whole.
#[derive(Debug, Clone, Copy)]
pub struct Within {
    /// Name of the column.
    pub column: &'static str,
    /// Smallest wanted value.
    pub from: i64,
    /// Largest wanted value.
    pub to: i64,
}

impl Within {
    /// The groups of rows that may hold wanted values.
    fn groups(self, file: &ParquetMetaData) -> Vec<usize> {
        let leaves = file.file_metadata().schema_descr().columns();
        let leaf = leaves.iter().position(|leaf| leaf.path().string() == self.column);
        let may_have = |group: &usize| {
            let statistics = leaf.and_then(|i| file.row_group(*group).column(i).statistics());
            let Some(Statistics::Int64(values)) = statistics else { return true };
            values.min_opt().is_none_or(|min| *min <= self.to)
                && values.max_opt().is_none_or(|max| *max >= self.from)
        };
        (0..file.num_row_groups()).filter(may_have).collect()
    }
}

/// Calls `each` with the named columns of every file, batch by batch.
pub(super) fn each_batch(
    def: &TableDef,
    names: &[&str],
    files: &[(PathBuf, Option<String>)],
    within: Option<Within>,
    mut each: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let columns = wanted(def, names)?;
    let fields: Vec<Field> =
        columns.iter().map(|c| Field::new(c.name, c.kind.arrow(), true)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    for (path, partition) in files {
        let file = Data { path, partition: partition.as_deref(), within };
        read_file(def, file, &columns, &schema, &mut each)?;
    }
    Ok(())
}

/// A file, and what is wanted of it.
struct Data<'f> {
    path: &'f Path,
    partition: Option<&'f str>,
    within: Option<Within>,
}

fn read_file(
    def: &TableDef,
    data: Data,
    columns: &[Column],
    schema: &SchemaRef,
    each: &mut impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    open(def, data, columns, schema, BATCH_ROWS)?.try_for_each(|batch| each(batch?))
}

/// All rows of a file with all columns, in batches of at most `rows`.
pub(super) fn whole_file(
    def: &TableDef,
    path: &Path,
    partition: Option<&str>,
    rows: usize,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    open(def, Data { path, partition, within: None }, def.columns, &def.schema(), rows)
}

fn open(
    def: &TableDef,
    data: Data,
    columns: &[Column],
    schema: &SchemaRef,
    rows: usize,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    let Data { path, partition, within } = data;
    let file = File::open(path).map_err(Error::io(path))?;
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    if let Some(within) = within {
        let groups = within.groups(builder.metadata());
        builder = builder.with_row_groups(groups);
    }
    let in_file = columns.iter().filter(|c| def.partition_by != Some(c.name)).map(|c| c.name);
    let mask = ProjectionMask::roots(
        builder.parquet_schema(),
        in_file.filter_map(|name| builder.schema().index_of(name).ok()),
    );
    let (columns, schema) = (columns.to_vec(), schema.clone());
    let partition = partition.map(str::to_owned);
    let batches = builder.with_projection(mask).with_batch_size(rows).build()?;
    Ok(batches.map(move |batch| {
        let batch = batch?;
        let arrays = columns
            .iter()
            .map(|c| match batch.column_by_name(c.name) {
                Some(array) => array.clone(),
                None => constant(c.kind, partition.as_deref(), batch.num_rows()),
            })
            .collect();
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)
    }))
}

/// The partition column of a file, whose value is in the log and not in the file.
fn constant(kind: Kind, partition: Option<&str>, rows: usize) -> ArrayRef {
    match (kind, partition.and_then(parse_day)) {
        (Kind::Date, Some(day)) => Arc::new(Date32Array::from_value(day, rows)),
        _ => new_null_array(&kind.arrow(), rows),
    }
}
