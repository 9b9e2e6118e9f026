//! Parquet, compressed with zstd, written row group by row group as rows arrive.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::arrow::{cast_batch, without_views};
use super::{Out, Sink};
use crate::error::Result;

/// Rows in one row group.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Bytes in one row group: rows may be long, and all of a group are in memory.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Share of lookups for a value that is not there which a bloom filter lets through.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// What a Parquet file says of itself.
#[derive(Debug, Clone, Default)]
pub struct FileNotes {
    /// Key-value metadata of the file.
    pub metadata: Vec<(String, String)>,
    /// Columns that rows are looked up by: text among them gets bloom filters.
    pub lookup: Vec<String>,
    /// Columns that the rows are sorted by, ascending, nulls first.
    pub sorted_by: Vec<String>,
}

pub(super) struct Parquet<'w> {
    schema: SchemaRef,
    writer: ArrowWriter<Out<'w>>,
}

impl<'w> Parquet<'w> {
    pub(super) fn new(schema: &SchemaRef, out: Out<'w>, notes: &FileNotes) -> Result<Parquet<'w>> {
        let schema = without_views(schema);
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties(&schema, notes)?))?;
        Ok(Parquet { schema, writer })
    }
}

fn properties(schema: &SchemaRef, notes: &FileNotes) -> Result<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_created_by(concat!("roletrail ", env!("CARGO_PKG_VERSION")).to_owned());
    for name in &notes.lookup {
        let text = schema.field_with_name(name).is_ok_and(|f| *f.data_type() == DataType::Utf8);
        if text {
            let path = ColumnPath::from(name.as_str());
            // Sized for as many values as rows; the writer folds a filter that has fewer.
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path, ROW_GROUP_ROWS as u64);
        }
    }
    if !notes.sorted_by.is_empty() {
        let leaves = ArrowSchemaConverter::new().convert(schema)?;
        let number = |name: &String| {
            let at = leaves.columns().iter().position(|c| c.path().string() == *name)?;
            let column_idx = i32::try_from(at).ok()?;
            Some(SortingColumn { column_idx, descending: false, nulls_first: true })
        };
        builder = builder.set_sorting_columns(notes.sorted_by.iter().map(number).collect());
    }
    if !notes.metadata.is_empty() {
        let pair = |(key, value): &(String, String)| KeyValue::new(key.clone(), value.clone());
        builder = builder.set_key_value_metadata(Some(notes.metadata.iter().map(pair).collect()));
    }
    Ok(builder.build())
}

impl Sink for Parquet<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        Ok(self.writer.write(&cast_batch(batch, &self.schema)?)?)
    }

    fn kept_back(&self) -> u64 {
        self.writer.in_progress_size() as u64
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.writer.into_inner()?.flush()
    }
}
