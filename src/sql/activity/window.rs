//! When the events that are wanted happened. Files of other tables, and of events, that hold nothing of
//! then need not be opened: a credential is known to have made its calls between its first and its last.
//!
//! What follows from it is only a hint: a table may give rows of other times as well, and no row of then
//! is ever left out.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, lit};

use super::sides::{DATE, TIME, hinted};
use crate::model::time::DAY;
use crate::store::Comparison;

/// From the first to the last microsecond, since 1970, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub from: i64,
    pub to: i64,
}

const ALWAYS: Window = Window { from: i64::MIN, to: i64::MAX };

impl Window {
    /// Outside of it no event fulfils the conditions of a plan of events; `None` where these say nothing
    /// of time.
    ///
    /// # Errors
    /// The engine's.
    pub fn of_conditions(events: &LogicalPlan) -> Result<Option<Window>> {
        let mut window = ALWAYS;
        events.apply(|node| {
            let conditions: &[Expr] = match node {
                LogicalPlan::Filter(filter) => std::slice::from_ref(&filter.predicate),
                LogicalPlan::TableScan(scan) => &scan.filters,
                _ => &[],
            };
            for condition in conditions.iter().flat_map(split_conjunction) {
                window = window.and(of_condition(condition));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(Some(window).filter(|window| *window != ALWAYS))
    }

    /// From the earliest time in one column to the latest in another, of the rows that have one.
    pub fn of_columns(batch: &RecordBatch, (first, last): (&str, &str)) -> Option<Window> {
        let times =
            |name| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        Some(Window { from: min(times(first)?)?, to: max(times(last)?)? })
    }

    /// Whether so little time is worth telling: of a longer one most files hold something, and the ids
    /// that are looked for are better looked for all at once.
    pub fn is_short(&self) -> bool {
        const DAYS: i64 = 7;
        // With an open end it is mostly the end of the logs.
        let open = self.from == ALWAYS.from || self.to == ALWAYS.to;
        open || self.to.saturating_sub(self.from) <= DAYS * DAY
    }

    /// What holds both.
    pub fn or(self, other: Window) -> Window {
        Window { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    fn and(self, other: Window) -> Window {
        Window { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// A side, told that only rows are wanted whose time from one column to the other meets the window.
    ///
    /// # Errors
    /// The engine's.
    pub fn hint(self, side: &LogicalPlan, (first, last): (&str, &str)) -> Result<LogicalPlan> {
        hinted(side, |table: &TableReference| {
            let column = |name: &str| Expr::Column(Column::new(Some(table.clone()), name));
            let time =
                |micros| lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())));
            column(first).lt_eq(time(self.to)).and(column(last).gt_eq(time(self.from)))
        })
    }
}

/// What one condition says of the time of an event.
fn of_condition(condition: &Expr) -> Window {
    let comparison = Comparison::of(condition);
    let Some(Comparison { op, from, to, .. }) =
        // A moment compared with a day would mean its beginning.
        comparison.filter(|found| match found.column {
            TIME => found.from == found.to,
            column => column == DATE,
        })
    else {
        return ALWAYS;
    };
    match op {
        Operator::Eq => Window { from, to },
        Operator::Gt => Window { from: to.saturating_add(1), ..ALWAYS },
        Operator::GtEq => Window { from, ..ALWAYS },
        Operator::Lt => Window { to: from.saturating_sub(1), ..ALWAYS },
        Operator::LtEq => Window { to, ..ALWAYS },
        _ => ALWAYS,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::ident;

    use super::*;

    fn day(day: i32) -> Expr {
        lit(ScalarValue::Date32(Some(day)))
    }

    fn moment(micros: i64) -> Expr {
        lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
    }

    #[test]
    fn conditions_on_days_and_times_bound_the_time() {
        let (date, time) = (|| ident(DATE), || ident(TIME));
        let last_of_first = DAY - 1;
        let cases = [
            (date().eq(day(1)), DAY, 2 * DAY - 1),
            (date().gt(day(1)), 2 * DAY, i64::MAX),
            (date().lt(day(1)), i64::MIN, last_of_first),
            (date().lt_eq(day(0)), i64::MIN, last_of_first),
            (day(1).lt_eq(date()), DAY, i64::MAX),
            (time().gt_eq(moment(7)), 7, i64::MAX),
            (moment(7).gt(time()), i64::MIN, 6),
            (time().not_eq(moment(1)), i64::MIN, i64::MAX),
            (time().gt(day(1)), i64::MIN, i64::MAX),
            (ident("session_created_at").eq(moment(1)), i64::MIN, i64::MAX),
        ];
        for (condition, from, to) in cases {
            assert_eq!(of_condition(&condition), Window { from, to }, "{condition}");
        }
        let both = of_condition(&time().gt_eq(moment(5))).and(of_condition(&time().lt(moment(9))));
        assert_eq!(both, Window { from: 5, to: 8 });
    }
}
