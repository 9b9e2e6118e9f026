//! Reading columns of a table's data files directly, without the SQL engine: for the parts of an
//! ingest that need a few columns of everything and run on plain threads.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

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

/// Calls `each` with the named columns of every file, batch by batch.
pub(super) fn each_batch(
    def: &TableDef,
    names: &[&str],
    files: &[(PathBuf, Option<String>)],
    mut each: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let columns = wanted(def, names)?;
    let fields: Vec<Field> =
        columns.iter().map(|c| Field::new(c.name, c.kind.arrow(), true)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    for (path, partition) in files {
        read_file(def, path, partition.as_deref(), &columns, &schema, &mut each)?;
    }
    Ok(())
}

fn read_file(
    def: &TableDef,
    path: &Path,
    partition: Option<&str>,
    columns: &[Column],
    schema: &SchemaRef,
    each: &mut impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let file = File::open(path).map_err(Error::io(path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let in_file = columns.iter().filter(|c| def.partition_by != Some(c.name)).map(|c| c.name);
    let mask = ProjectionMask::roots(
        builder.parquet_schema(),
        in_file.filter_map(|name| builder.schema().index_of(name).ok()),
    );
    for batch in builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()? {
        let batch = batch?;
        let arrays = columns
            .iter()
            .map(|c| match batch.column_by_name(c.name) {
                Some(array) => array.clone(),
                None => constant(c.kind, partition, batch.num_rows()),
            })
            .collect();
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        each(RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)?;
    }
    Ok(())
}

/// The partition column of a file, whose value is in the log and not in the file.
fn constant(kind: Kind, partition: Option<&str>, rows: usize) -> ArrayRef {
    match (kind, partition.and_then(parse_day)) {
        (Kind::Date, Some(day)) => Arc::new(Date32Array::from_value(day, rows)),
        _ => new_null_array(&kind.arrow(), rows),
    }
}
