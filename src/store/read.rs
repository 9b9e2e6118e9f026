//! Reading columns of a table's data files directly, without the SQL engine: for the parts of an
//! ingest that need a few columns of everything and run on plain threads.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::statistics::Statistics;

use super::datafile::parse_day;
use super::location::Location;
use super::opened::Opened;
use crate::error::{Error, Result};
use crate::table::{Column, Kind, TableDef};

/// Rows in one batch.
pub(super) const BATCH_ROWS: usize = 64 * 1024;

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

/// Rows that are wanted: of the groups of rows that may hold them, a few columns are read and judged
/// first, then of the rows that pass all the others.
pub struct Select<'s> {
    /// Name of a whole-number column by whose statistics groups of rows are skipped.
    pub column: &'static str,
    /// Values of it that are wanted, as ranges that include both ends; sorted, apart from each other.
    pub ranges: &'s [(i64, i64)],
    /// Columns that `judge` looks at.
    pub judge_by: &'static [&'static str],
    /// Whether a row is wanted, for every row of a batch.
    pub judge: &'s mut dyn FnMut(&RecordBatch) -> Result<BooleanArray>,
}

impl Select<'_> {
    /// The groups of rows that may hold wanted values.
    fn groups(&self, file: &ParquetMetaData) -> Vec<usize> {
        let leaves = file.file_metadata().schema_descr().columns();
        let leaf = leaves.iter().position(|leaf| leaf.path().string() == self.column);
        let may_have = |group: &usize| {
            let statistics = leaf.and_then(|i| file.row_group(*group).column(i).statistics());
            let Some(Statistics::Int64(values)) = statistics else { return true };
            let min = values.min_opt().copied().unwrap_or(i64::MIN);
            let max = values.max_opt().copied().unwrap_or(i64::MAX);
            let next = self.ranges.partition_point(|(_, to)| *to < min);
            self.ranges.get(next).is_some_and(|(from, _)| *from <= max)
        };
        (0..file.num_row_groups()).filter(may_have).collect()
    }

    /// The rows of some groups that are wanted.
    fn rows(
        &mut self,
        file: &Opened,
        metadata: &ArrowReaderMetadata,
        groups: &[usize],
    ) -> Result<RowSelection> {
        let builder = reader(file, metadata)?.with_row_groups(groups.to_vec());
        let mask = projection(&builder, self.judge_by.iter().copied());
        file.bring(metadata.metadata(), &[&mask], groups)?;
        let mut passed = Vec::new();
        let builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
        let mut batches = file.guarded(|| builder.build())?;
        while let Some(batch) = next(file, &mut batches)? {
            passed.push((self.judge)(&batch)?);
        }
        Ok(RowSelection::from_filters(&passed))
    }
}

fn next(file: &Opened, batches: &mut ParquetRecordBatchReader) -> Result<Option<RecordBatch>> {
    file.guarded(|| batches.next().transpose().map_err(ParquetError::from))
}

type Builder = ParquetRecordBatchReaderBuilder<File>;

fn reader(file: &Opened, metadata: &ArrowReaderMetadata) -> Result<Builder> {
    let file = file.file().try_clone().map_err(ParquetError::from)?;
    Ok(Builder::new_with_metadata(file, metadata.clone()))
}

fn projection<'n>(builder: &Builder, names: impl Iterator<Item = &'n str>) -> ProjectionMask {
    let roots = names.filter_map(|name| builder.schema().index_of(name).ok());
    ProjectionMask::roots(builder.parquet_schema(), roots)
}

/// Calls `each` with the named columns of every file, batch by batch.
pub(super) fn each_batch(
    at: &Location,
    def: &TableDef,
    names: &[&str],
    files: &[(PathBuf, Option<String>)],
    mut select: Option<Select>,
    mut each: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let columns = wanted(def, names)?;
    let fields: Vec<Field> =
        columns.iter().map(|c| Field::new(c.name, c.kind.arrow(), true)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    for (path, partition) in files {
        let file = Data { at, path, partition: partition.as_deref() };
        read_file(def, file, &columns, &schema, select.as_mut(), &mut each)?;
    }
    Ok(())
}

/// A file, and the partition that it belongs to.
struct Data<'f> {
    at: &'f Location,
    path: &'f Path,
    partition: Option<&'f str>,
}

fn read_file(
    def: &TableDef,
    data: Data,
    columns: &[Column],
    schema: &SchemaRef,
    select: Option<&mut Select>,
    each: &mut impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    open(def, data, columns, schema, (BATCH_ROWS, select))?.try_for_each(|batch| each(batch?))
}

/// All rows of a file with all columns, in batches of at most `rows`.
pub(super) fn whole_file(
    at: &Location,
    def: &TableDef,
    path: &Path,
    partition: Option<&str>,
    rows: usize,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    open(def, Data { at, path, partition }, def.columns, &def.schema(), (rows, None))
}

/// `which` says how many rows a batch may have, and which rows are wanted.
fn open(
    def: &TableDef,
    data: Data,
    columns: &[Column],
    schema: &SchemaRef,
    (rows, select): (usize, Option<&mut Select>),
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    let Data { at, path, partition } = data;
    let file = Opened::open(at, path)?;
    // Where the pages lie lets a reader pass over those without a wanted row.
    let pages = match select {
        Some(_) => PageIndexPolicy::Optional,
        None => PageIndexPolicy::Skip,
    };
    let metadata = file.metadata(pages)?;
    let mut groups: Vec<usize> = (0..metadata.metadata().num_row_groups()).collect();
    let mut builder = reader(&file, &metadata)?;
    if let Some(select) = select {
        groups = select.groups(metadata.metadata());
        let mut selection = select.rows(&file, &metadata, &groups)?;
        if !selection.selects_any() {
            (groups, selection) = (Vec::new(), RowSelection::default());
        }
        builder = builder.with_row_groups(groups.clone()).with_row_selection(selection);
    }
    let in_file = columns.iter().filter(|c| def.partition_by != Some(c.name)).map(|c| c.name);
    let mask = projection(&builder, in_file);
    file.bring(metadata.metadata(), &[&mask], &groups)?;
    let (columns, schema) = (columns.to_vec(), schema.clone());
    let partition = partition.map(str::to_owned);
    let builder = builder.with_projection(mask).with_batch_size(rows);
    let mut batches = file.guarded(|| builder.build())?;
    let batches = std::iter::from_fn(move || next(&file, &mut batches).transpose());
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
