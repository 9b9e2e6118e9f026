//! Columns that carry their meaning into the files they are written to.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

/// The name under which Spark and others keep a column's meaning.
const COMMENT: &str = "comment";

/// The schema with the meaning of each column, by its number, in the column's metadata.
pub fn described(schema: &Schema, meaning: impl Fn(usize) -> Option<&'static str>) -> SchemaRef {
    let field = |(i, field): (usize, &Arc<Field>)| {
        let mut metadata = field.metadata().clone();
        metadata.extend(meaning(i).map(|text| (COMMENT.to_owned(), text.to_owned())));
        Field::clone(field).with_metadata(metadata)
    };
    let fields: Vec<Field> = schema.fields().iter().enumerate().map(field).collect();
    Arc::new(Schema::new(fields))
}

/// The same rows under a schema of the same columns, whose types remain those of the rows.
pub fn with_schema(
    rows: SendableRecordBatchStream,
    described: SchemaRef,
) -> SendableRecordBatchStream {
    let own = rows.schema();
    let typed = own.fields().iter().zip(described.fields()).map(|(own, described)| {
        Field::clone(own).with_metadata(described.metadata().clone()).with_nullable(true)
    });
    let schema: SchemaRef = Arc::new(Schema::new(typed.collect::<Vec<_>>()));
    let named = schema.clone();
    let renamed = rows.map(move |batch| {
        let batch = batch?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        Ok(RecordBatch::try_new_with_options(named.clone(), columns, &options)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, renamed))
}
