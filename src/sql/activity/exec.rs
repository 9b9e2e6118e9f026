//! The view as a step of a plan: what it is made of is decided when the first row is asked for.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::Limits;
use super::reading::Reader;
use super::top::Top;
use crate::sql::compact::{Wasted, compact};

/// Rows that are reckoned with where nothing is known: of all tables this is the largest, which is all
/// that the order of a join needs to know.
const MANY_ROWS: usize = 100_000_000;

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub filters: Vec<Expr>,
    pub limit: Option<usize>,
    /// Columns among those asked for that are columns of **events** under their own names.
    pub own_columns: Vec<String>,
    /// Whether the conditions are on such columns alone.
    pub own_filters: bool,
    /// Which rows will be kept of those that fit.
    pub top: Option<Top>,
}

/// The step.
pub(super) struct ActivityExec {
    asked: Asked,
    inner: Arc<Inner>,
    properties: Arc<PlanProperties>,
}

/// What all partitions share.
struct Inner {
    state: SessionState,
    /// The view's SELECT with what was asked for, optimised.
    whole: LogicalPlan,
    schema: SchemaRef,
    partitions: usize,
    limits: Limits,
    top: Option<Top>,
    decided: OnceCell<(Arc<dyn ExecutionPlan>, Vec<MemoryReservation>)>,
    metrics: ExecutionPlanMetricsSet,
}

impl ActivityExec {
    /// A step that runs `plan`, whose columns are those of `schema`.
    ///
    /// # Errors
    /// The engine's.
    pub fn new(
        state: SessionState,
        plan: LogicalPlan,
        schema: SchemaRef,
        asked: Asked,
        limits: Limits,
    ) -> Result<ActivityExec> {
        let whole = state.optimize(&plan)?;
        let partitions = state.config().target_partitions();
        let (decided, metrics) = (OnceCell::new(), ExecutionPlanMetricsSet::new());
        let top = asked.top.clone();
        let inner = Inner { state, whole, schema, partitions, limits, top, decided, metrics };
        Ok(Self::of(asked, inner))
    }

    /// The step where only these rows will be kept; `None` where events do not tell their order.
    pub fn with_top(&self, top: Top) -> Option<ActivityExec> {
        let own = |(name, _): &(String, _)| self.asked.own_columns.contains(name);
        let top = Top { of_events_alone: self.asked.own_filters, ..top };
        if !top.order.iter().all(own) || self.asked.top.is_some() || self.asked.limit.is_some() {
            return None;
        }
        let asked = Asked { top: Some(top), ..self.asked.clone() };
        Some(Self::of(asked.clone(), Inner { top: asked.top, ..self.inner.anew() }))
    }

    fn of(asked: Asked, inner: Inner) -> ActivityExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(inner.schema.clone()),
            Partitioning::UnknownPartitioning(inner.partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        ActivityExec { asked, inner: Arc::new(inner), properties: Arc::new(properties) }
    }
}

impl Inner {
    /// The same, before anything was decided.
    fn anew(&self) -> Inner {
        Inner {
            state: self.state.clone(),
            whole: self.whole.clone(),
            schema: self.schema.clone(),
            top: self.top.clone(),
            decided: OnceCell::new(),
            metrics: ExecutionPlanMetricsSet::new(),
            ..*self
        }
    }

    /// The plan, the same for all partitions.
    async fn plan(&self, context: &Arc<TaskContext>) -> Result<Arc<dyn ExecutionPlan>> {
        let decide = || async {
            let reader =
                Reader { state: &self.state, context: context.clone(), limits: self.limits };
            let decided = reader.decide(&self.whole, self.top.as_ref()).await?;
            if let Some(events) = decided.few_events {
                MetricBuilder::new(&self.metrics).global_counter("few_events").add(events);
            }
            if decided.searched > 0 {
                let counter = MetricBuilder::new(&self.metrics).global_counter("searched_tables");
                counter.add(decided.searched);
            }
            let planner = self.state.query_planner();
            let mut plan = planner.create_physical_plan(&decided.plan, &self.state).await?;
            if plan.output_partitioning().partition_count() > self.partitions {
                plan = Arc::new(CoalescePartitionsExec::new(plan));
            }
            Ok((plan, decided.memory))
        };
        self.decided.get_or_try_init(decide).await.map(|(plan, _)| plan.clone())
    }

    /// The rows of one partition.
    async fn rows(
        self: Arc<Self>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let plan = self.plan(&context).await?;
        let none = || Arc::new(EmptyExec::new(self.schema.clone()));
        let rows = match partition < plan.output_partitioning().partition_count() {
            true => plan.execute(partition, context)?,
            false => none().execute(0, context)?,
        };
        let schema = self.schema.clone();
        let named = rows.map(move |batch| compact(&batch?, &schema, Wasted::ThreeTimes));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), named)))
    }
}

impl fmt::Debug for ActivityExec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("ActivityExec").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl DisplayAs for ActivityExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let columns: Vec<&str> =
            self.inner.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "ActivityExec: columns=[{}]", columns.join(", "))?;
        if !self.asked.filters.is_empty() {
            let filters: Vec<String> = self.asked.filters.iter().map(Expr::to_string).collect();
            write!(f, ", filters=[{}]", filters.join(", "))?;
        }
        if let Some(top) = &self.asked.top {
            let order: Vec<String> =
                top.order.iter().map(|(name, how)| format!("{name} {how}")).collect();
            write!(f, ", first={} by [{}]", top.rows, order.join(", "))?;
        }
        match self.asked.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ActivityExec {
    fn name(&self) -> &str {
        "ActivityExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::of(self.asked.clone(), self.inner.anew())))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = stream::once(self.inner.clone().rows(partition, context)).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.inner.schema.clone(), rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.inner.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let top = self.asked.top.as_ref().map(|top| top.rows);
        let rows = self.asked.limit.or(top).unwrap_or(MANY_ROWS);
        let unknown = Statistics::new_unknown(&self.inner.schema);
        Ok(Arc::new(unknown.with_num_rows(Precision::Inexact(rows))))
    }
}
