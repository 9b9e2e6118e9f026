//! Arrow IPC: the stream format, or the file format (Feather 2) where the output is a file.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::ipc::writer::{FileWriter, StreamWriter};

use super::{Out, Sink};
use crate::error::Result;

pub(super) enum Ipc<'w> {
    Stream(SchemaRef, StreamWriter<Out<'w>>),
    File(SchemaRef, FileWriter<Out<'w>>),
}

impl<'w> Ipc<'w> {
    pub(super) fn new(schema: &SchemaRef, out: Out<'w>, file: bool) -> Result<Ipc<'w>> {
        let schema = without_views(schema);
        Ok(if file {
            let writer = FileWriter::try_new(out, &schema)?;
            Ipc::File(schema, writer)
        } else {
            let writer = StreamWriter::try_new(out, &schema)?;
            Ipc::Stream(schema, writer)
        })
    }
}

impl Sink for Ipc<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Ipc::Stream(schema, writer) => writer.write(&cast_batch(batch, schema)?)?,
            Ipc::File(schema, writer) => writer.write(&cast_batch(batch, schema)?)?,
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        match *self {
            Ipc::Stream(_, mut writer) => {
                writer.finish()?;
                writer.get_mut().flush()
            }
            Ipc::File(_, mut writer) => {
                writer.finish()?;
                writer.get_mut().flush()
            }
        }
    }
}

/// The schema with plain text and bytes in place of views, which many readers do not know yet.
pub(super) fn without_views(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    SchemaRef::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    };
    // The plan may promise that nothing is NULL where the file should not depend on it.
    let field: &Field = field;
    FieldRef::new(field.clone().with_data_type(data_type).with_nullable(true))
}

/// The batch with the types of `schema`.
pub(super) fn cast_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| {
            if array.data_type() == field.data_type() {
                Ok(array.clone())
            } else {
                Ok(cast(array, field.data_type())?)
            }
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
