//! The step of a plan that searches.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{filter, filter_record_batch, is_not_null};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;

use super::table::Table;

/// How rows are joined.
pub(super) struct Joined {
    /// What is searched for, of a row.
    pub key: Vec<Arc<dyn PhysicalExpr>>,
    /// Where.
    pub table: Arc<Table>,
    /// Whether rows stay for which nothing is found.
    pub all: bool,
    /// Those that are wanted of the row's and of what is found.
    pub columns: Vec<usize>,
    /// Their names.
    pub schema: SchemaRef,
}

/// The step.
pub(super) struct LookupExec {
    input: Arc<dyn ExecutionPlan>,
    joined: Arc<Joined>,
    properties: Arc<PlanProperties>,
}

impl LookupExec {
    /// Searches for every row of `input`.
    pub fn new(input: Arc<dyn ExecutionPlan>, joined: Joined) -> LookupExec {
        LookupExec::of(input, Arc::new(joined))
    }

    fn of(input: Arc<dyn ExecutionPlan>, joined: Arc<Joined>) -> LookupExec {
        let partitions = input.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(joined.schema.clone()),
            Partitioning::UnknownPartitioning(partitions),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        LookupExec { input, joined, properties: Arc::new(properties) }
    }
}

impl Joined {
    fn rows(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let key = self.key.iter().map(|e| e.evaluate(&batch)?.into_array(batch.num_rows()));
        let mut found = self.table.find(&key.collect::<Result<Vec<_>>>()?)?;
        let mut rows = batch;
        if !self.all && found.null_count() > 0 {
            let with = is_not_null(&found)?;
            rows = filter_record_batch(&rows, &with)?;
            found = filter(&found, &with)?.as_primitive().clone();
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let mut columns = rows.columns().to_vec();
        columns.extend(self.table.rows(&found)?);
        let columns = self.columns.iter().map(|i| columns[*i].clone()).collect();
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

impl fmt::Debug for LookupExec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("LookupExec").field("input", &self.input).finish_non_exhaustive()
    }
}

impl DisplayAs for LookupExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let key: Vec<String> = self.joined.key.iter().map(ToString::to_string).collect();
        write!(f, "LookupExec: key=[{}]", key.join(", "))
    }
}

impl ExecutionPlan for LookupExec {
    fn name(&self) -> &str {
        "LookupExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for key in &self.joined.key {
            if visit(key)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(LookupExec::of(input, self.joined.clone()))),
            _ => internal_err!("a search has one input"),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let joined = self.joined.clone();
        let rows = self.input.execute(partition, context)?;
        let rows = rows.map(move |batch| joined.rows(batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.joined.schema.clone(), rows)))
    }
}
