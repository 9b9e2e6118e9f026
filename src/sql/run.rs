//! Running a planned statement within the memory limit.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::DataFrame;
use futures::{FutureExt, StreamExt, stream};

use super::Sql;
use crate::error::{Error, Result};
use crate::panics;

impl Sql {
    /// Runs a statement; rows come as a stream. A join keeps one side in memory: where that does not fit,
    /// the statement is run once more with both sides sorted, on disk where they are large. That is
    /// slower, and gives the same rows.
    ///
    /// # Errors
    /// The engine's, those that come before the first rows at once.
    pub async fn run(&self, frame: DataFrame) -> Result<SendableRecordBatchStream> {
        let plan = frame.logical_plan().clone();
        match begin(frame).await {
            Err(error) if is_out_of_memory(&error) => {
                let on_disk = self.on_disk()?;
                begin(DataFrame::new(on_disk.context.state(), plan)).await
            }
            begun => begun,
        }
    }
}

/// The rows, when the first of them are there. A panic in the engine, of which damaged files are the
/// usual reason, is an error of the statement.
async fn begin(frame: DataFrame) -> Result<SendableRecordBatchStream> {
    let rows = AssertUnwindSafe(frame.execute_stream()).catch_unwind().await;
    let rows = rows.unwrap_or_else(|panic| Err(panicked(panic)))?;
    let schema = rows.schema();
    let rows = AssertUnwindSafe(rows).catch_unwind();
    let mut rows = rows.map(|batch| batch.unwrap_or_else(|panic| Err(panicked(panic))));
    let first = rows.next().await.transpose()?;
    let all = stream::iter(first.map(Ok)).chain(rows);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, all)))
}

fn panicked(panic: Box<dyn Any + Send>) -> DataFusionError {
    DataFusionError::External(Box::new(Error::Panicked { message: panics::said(panic) }))
}

/// Whether a statement needs more memory than it may have.
pub fn is_out_of_memory(error: &Error) -> bool {
    let Error::Sql(error) = error else { return false };
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}
