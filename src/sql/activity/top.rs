//! The first rows in an order of events: every event has one row in the view, so where only the events'
//! own columns say which rows come first, the others need not be joined. Where time says so, most files of
//! events need not even be opened.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column as ColumnName, Result, ScalarValue};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions};

use super::exec::ActivityExec;
use super::sides::{self, DATE, TIME};
use crate::model::time::DAY;

/// How many rows are wanted, and in which order they come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Top {
    /// Columns of the view, the most important one first.
    pub order: Vec<(String, SortOptions)>,
    pub rows: usize,
    /// Whether events alone tell which rows are wanted.
    pub of_events_alone: bool,
}

/// The days near one end of time.
pub(super) struct Days {
    /// The last one, in the order that is wanted; days since 1970-01-01.
    last: i32,
    descending: bool,
}

impl Top {
    /// The rows of a plan of events that come first.
    pub fn of(&self, events: &LogicalPlan) -> Result<LogicalPlan> {
        let key = |(name, how): &(String, SortOptions)| {
            sides::column(sides::EVENTS, name).sort(!how.descending, how.nulls_first)
        };
        let sorted = LogicalPlanBuilder::from(events.clone()).sort(self.order.iter().map(key))?;
        sorted.limit(0, Some(self.rows))?.build()
    }

    /// Asks for the first day in this order, whatever the conditions; `None` where it is not that of time.
    pub fn first_day(&self, events: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        let Some((_, how)) = self.order.first().filter(|(name, _)| name == TIME) else {
            return Ok(None);
        };
        let mut table = None;
        events.apply(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                table = Some(scan.source.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let Some(table) = table else { return Ok(None) };
        let day = ident(DATE);
        let first = if how.descending { max(day) } else { min(day) };
        let days = LogicalPlanBuilder::scan("days", table, None)?;
        Ok(Some(days.aggregate(Vec::<Expr>::new(), [first])?.build()?))
    }

    /// So many days from this one on.
    pub fn days(&self, first: i32, count: i32) -> Days {
        let descending = self.order.first().is_some_and(|(_, how)| how.descending);
        let further = count.saturating_sub(1);
        let further = if descending { -further } else { further };
        Days { last: first.saturating_add(further), descending }
    }
}

impl Days {
    /// That an event lies in them.
    pub fn condition(&self, events: &str) -> Expr {
        let time = sides::column(events, TIME);
        let day = i64::from(self.last);
        let moment = |day: i64| {
            let micros = Some(day.saturating_mul(DAY));
            lit(ScalarValue::TimestampMicrosecond(micros, Some("UTC".into())))
        };
        if self.descending { time.gt_eq(moment(day)) } else { time.lt(moment(day + 1)) }
    }

    /// The plan where it reads no other days, if its table can tell them apart.
    pub fn of(&self, events: &LogicalPlan) -> Result<LogicalPlan> {
        sides::hinted(events, |table| {
            let date = Expr::Column(ColumnName::new(Some(table.clone()), DATE));
            let last = lit(ScalarValue::Date32(Some(self.last)));
            if self.descending { date.gt_eq(last) } else { date.lt_eq(last) }
        })
    }

    /// Whether all these events lie in them.
    pub fn hold_all(&self, events: &[RecordBatch]) -> Result<bool> {
        for batch in events {
            let times = batch.column_by_name(TIME);
            let times = times.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
            let Some(times) = times else { return Ok(false) };
            let day = |time: i64| time.div_euclid(DAY);
            let last = i64::from(self.last);
            let holds = |time: &i64| match self.descending {
                true => day(*time) >= last,
                false => day(*time) <= last,
            };
            if times.null_count() > 0 || !times.values().iter().all(holds) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Tells the view what a sort above it keeps.
#[derive(Debug)]
pub(in crate::sql) struct TopOfActivity;

impl PhysicalOptimizerRule for TopOfActivity {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let told = |plan: Arc<dyn ExecutionPlan>| match tell(&plan)? {
            Some(plan) => Ok(Transformed::yes(plan)),
            None => Ok(Transformed::no(plan)),
        };
        plan.transform_up(told).data()
    }

    fn name(&self) -> &str {
        "top_of_activity"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The sort over a view that knows of it; `None` where it is none, or where that helps nothing.
fn tell(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(sort) = plan.downcast_ref::<SortExec>() else { return Ok(None) };
    let Some(rows) = sort.fetch() else { return Ok(None) };
    let keys = sort.expr().iter();
    let keys: Option<Vec<_>> = keys.map(|key| Some((column(&key.expr)?, key.options))).collect();
    let Some(mut keys) = keys else { return Ok(None) };
    // Columns that only go by other names or places on the way.
    let mut between = Vec::new();
    let mut input = sort.input().clone();
    loop {
        let below = if let Some(projection) = input.downcast_ref::<ProjectionExec>() {
            for (key, _) in &mut keys {
                let Some(below) = projection.expr().get(*key) else { return Ok(None) };
                let Some(below) = column(&below.expr) else { return Ok(None) };
                *key = below;
            }
            projection.input().clone()
        } else if let Some(step) = input.downcast_ref::<CooperativeExec>() {
            step.input().clone()
        } else {
            break;
        };
        between.push(std::mem::replace(&mut input, below));
    }
    let Some(view) = input.downcast_ref::<ActivityExec>() else { return Ok(None) };
    let schema = view.schema();
    let order = keys.into_iter().map(|(key, how)| (schema.field(key).name().clone(), how));
    let top = Top { order: order.collect(), rows, of_events_alone: true };
    let Some(view) = view.with_top(top) else { return Ok(None) };
    let mut told: Arc<dyn ExecutionPlan> = Arc::new(view);
    for above in between.into_iter().rev().chain([plan.clone()]) {
        let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        told = above.replace_children(vec![told], recompute)?;
    }
    Ok(Some(told))
}

fn column(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    Some(expr.downcast_ref::<Column>()?.index())
}
