//! Sorting within a memory limit.
//!
//! A sort asks for the memory of each batch that it is given. A text that was picked out of one side of
//! a join counts for all texts of that side there, so that a sort of little rows would ask for more than
//! there is and fail, on disk too. Before each sort, such batches are given memory of their own.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::StreamExt;

use super::compact::{Wasted, compact};

/// Puts a [`CompactExec`] before each sort of all rows.
#[derive(Debug)]
pub(super) struct CompactBeforeSorts;

impl PhysicalOptimizerRule for CompactBeforeSorts {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let before = |plan: Arc<dyn ExecutionPlan>| {
            // One that keeps only the first rows holds few, and tells the readers below what it needs.
            let sorts_all = plan.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_none());
            let Some(sort) = sorts_all.filter(|sort| !sort.input().is::<CompactExec>()) else {
                return Ok(Transformed::no(plan));
            };
            let input = Arc::new(CompactExec { input: sort.input().clone() });
            let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Ok(Transformed::yes(plan.replace_children(vec![input], recompute)?))
        };
        plan.transform_up(before).data()
    }

    fn name(&self) -> &str {
        "compact_before_sorts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Gives batches memory of their own where they keep far more than they need.
#[derive(Debug)]
struct CompactExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for CompactExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("CompactExec")
    }
}

impl ExecutionPlan for CompactExec {
    fn name(&self) -> &str {
        "CompactExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(CompactExec { input })),
            _ => internal_err!("batches come from one input"),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, recompute)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.input.schema();
        let rows = self.input.execute(partition, context)?;
        let rows = rows.map(move |batch| compact(&batch?, &schema, Wasted::ThreeTimes));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), rows)))
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::{Params, Source, Sql};

    async fn plan(statement: &str) -> String {
        let sql = Sql::open(Source::Memory(Default::default()), 64 << 20).await.unwrap();
        let rows = sql.rows(&format!("EXPLAIN {statement}"), Params::none()).await.unwrap();
        arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string()
    }

    #[tokio::test]
    async fn sorts_of_all_rows_get_compact_batches() {
        let all = plan("SELECT event_id FROM events ORDER BY event_time").await;
        assert!(all.contains("CompactExec"), "{all}");
        let first = plan("SELECT event_id FROM events ORDER BY event_time LIMIT 3").await;
        assert!(first.contains("TopK") && !first.contains("CompactExec"), "{first}");
    }
}
