//! The rows that come first, read from the first days that there are as far as these have enough of them.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Date32Type;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::common::collect;
use datafusion::physical_plan::execute_stream;

use super::reading::{Decided, Held, Reader};
use super::sides::{EVENTS, Sides, only};
use super::top::Top;

/// Into so many days is looked before all are.
const NEAR: [i32; 2] = [1, 7];

impl Reader<'_> {
    /// A plan that gives the first rows; `None` where that needs all of them.
    pub async fn first(
        &self,
        whole: &LogicalPlan,
        sides: &Sides,
        top: &Top,
    ) -> Result<Option<Decided>> {
        if !top.of_events_alone {
            return self.first_of_callers(whole, sides, top).await;
        }
        match self.first_events(&sides.events, top).await? {
            Some(events) => self.around(whole, sides, events).await,
            None => Ok(None),
        }
    }

    /// The same where credentials tell which rows are wanted. Which events of a day are theirs only the
    /// whole view tells, so it is asked for them all.
    async fn first_of_callers(
        &self,
        whole: &LogicalPlan,
        sides: &Sides,
        top: &Top,
    ) -> Result<Option<Decided>> {
        if !sides.credentials_decide {
            return Ok(None);
        }
        let Some(first_day) = self.first_day(&sides.events, top).await? else { return Ok(None) };
        for count in NEAR {
            let then = only(&sides.events, top.days(first_day, count).condition(EVENTS))?;
            let near = sides.with_events(self.state.optimize(&then)?);
            let Some(wanted) = self.wanted(&near).await? else { return Ok(None) };
            let reads = wanted.reads(&near.events)?;
            let Some(events) = self.rows(&sides.events, &reads).await? else { return Ok(None) };
            let Some(decided) = self.around(whole, sides, events).await? else { return Ok(None) };
            let rows = first_rows(&decided.plan, top)?;
            let Some(rows) = self.rows(&rows, std::slice::from_ref(&rows)).await? else {
                return Ok(None);
            };
            if rows.rows() == top.rows {
                let plan = rows.as_plan(EVENTS)?;
                return Ok(Some(Decided { plan, memory: vec![rows.memory], ..decided }));
            }
        }
        Ok(None)
    }

    /// The events that come first; `None` where they are too many. Of those that come first in time most
    /// likely lie in the first days that there are, and the files of other days need not be opened.
    async fn first_events(&self, events: &LogicalPlan, top: &Top) -> Result<Option<Held>> {
        if let Some(first_day) = self.first_day(events, top).await? {
            for count in NEAR {
                let days = top.days(first_day, count);
                let near = self.state.optimize(&top.of(&days.of(events)?)?)?;
                let Some(held) = self.rows(events, &[near]).await? else { return Ok(None) };
                if held.rows() == top.rows && days.hold_all(&held.batches)? {
                    return Ok(Some(held));
                }
            }
        }
        let all = self.state.optimize(&top.of(events)?)?;
        self.rows(events, &[all]).await
    }

    /// The first day that has events, in the order that is wanted, as days since 1970-01-01; `None` where
    /// the order is not that of time.
    async fn first_day(&self, events: &LogicalPlan, top: &Top) -> Result<Option<i32>> {
        let Some(plan) = top.first_day(events)? else { return Ok(None) };
        let physical = self.state.create_physical_plan(&plan).await?;
        let batches = collect(execute_stream(physical, self.context.clone())?).await?;
        let days = batches.iter().filter(|batch| batch.num_rows() > 0).map(|batch| {
            batch.column(0).as_primitive_opt::<Date32Type>().filter(|day| day.is_valid(0))
        });
        Ok(days.flatten().map(|day| day.value(0)).next())
    }
}

/// The rows of a plan of the view that come first.
fn first_rows(plan: &LogicalPlan, top: &Top) -> Result<LogicalPlan> {
    let mut order = Vec::new();
    for (name, how) in &top.order {
        let column = plan.schema().qualified_field_with_unqualified_name(name)?;
        order.push(Expr::Column(Column::from(column)).sort(!how.descending, how.nulls_first));
    }
    let sorted = LogicalPlanBuilder::from(plan.clone()).sort(order)?;
    sorted.limit(0, Some(top.rows))?.build()
}
