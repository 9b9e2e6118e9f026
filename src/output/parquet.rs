//! Parquet, compressed with zstd, written row group by row group as rows arrive.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::arrow::{cast_batch, without_views};
use super::{Out, Sink};
use crate::error::Result;

/// Rows in one row group.
const ROW_GROUP_ROWS: usize = 128 * 1024;

pub(super) struct Parquet<'w> {
    schema: SchemaRef,
    writer: ArrowWriter<Out<'w>>,
}

impl<'w> Parquet<'w> {
    pub(super) fn new(schema: &SchemaRef, out: Out<'w>) -> Result<Parquet<'w>> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_created_by(concat!("roletrail ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let schema = without_views(schema);
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))?;
        Ok(Parquet { schema, writer })
    }
}

impl Sink for Parquet<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        Ok(self.writer.write(&cast_batch(batch, &self.schema)?)?)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.writer.into_inner()?.flush()
    }
}
