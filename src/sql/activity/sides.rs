//! The three tables of the view in its optimised plan, each with the conditions that reached it.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result, TableReference};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, TableScanBuilder,
};

use crate::sql::among::{Texts, among};

/// Names of the tables in the view's SELECT.
pub(super) const EVENTS: &str = "e";
pub(super) const ATTRIBUTIONS: &str = "a";
pub(super) const CREDENTIALS: &str = "c";

/// What events and attributions are joined by, and what names a credential everywhere.
pub(super) const EVENT_ID: &str = "event_id";
pub(super) const CREDENTIAL_ID: &str = "credential_id";

/// When an event happened, and its day.
pub(super) const TIME: &str = "event_time";
pub(super) const DATE: &str = "event_date";

/// The parts of a plan of the view.
pub(super) struct Sides {
    pub events: LogicalPlan,
    pub attributions: LogicalPlan,
    pub credentials: LogicalPlan,
    /// Whether only rows with one of these credentials are wanted, and not all credentials are.
    pub credentials_decide: bool,
}

impl Sides {
    /// Finds them. `None` where the plan has another shape than expected: then nothing is known of it.
    pub fn of(plan: &LogicalPlan) -> Result<Option<Sides>> {
        let (mut events, mut attributions, mut credentials) = (Vec::new(), Vec::new(), Vec::new());
        let mut must_join = false;
        plan.apply(|node| {
            match node {
                LogicalPlan::SubqueryAlias(alias) => match alias.alias.table() {
                    EVENTS => events.push(node.clone()),
                    ATTRIBUTIONS => attributions.push(node.clone()),
                    CREDENTIALS => credentials.push(node.clone()),
                    _ => {}
                },
                LogicalPlan::Join(join) if is_alias(&join.right, CREDENTIALS) => {
                    must_join = join.join_type == JoinType::Inner;
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let found = (events.pop(), attributions.pop(), credentials.pop());
        let (Some(e), Some(a), Some(c)) = found else { return Ok(None) };
        let once = events.is_empty() && attributions.is_empty() && credentials.is_empty();
        let keyed = has(&e, EVENT_ID)
            && has(&e, CREDENTIAL_ID)
            && has(&a, EVENT_ID)
            && has(&a, CREDENTIAL_ID)
            && has(&c, CREDENTIAL_ID);
        if !once || !keyed {
            return Ok(None);
        }
        let credentials_decide = must_join && is_restricted(&c)?;
        Ok(Some(Sides { events: e, attributions: a, credentials: c, credentials_decide }))
    }

    /// The same with other events.
    pub fn with_events(&self, events: LogicalPlan) -> Sides {
        let (attributions, credentials) = (self.attributions.clone(), self.credentials.clone());
        Sides { events, attributions, credentials, credentials_decide: self.credentials_decide }
    }

    /// The plan with other inputs in these places.
    ///
    /// # Errors
    /// The engine's.
    pub fn replaced(plan: &LogicalPlan, with: &[(&str, LogicalPlan)]) -> Result<LogicalPlan> {
        let replaced = plan.clone().transform_down(|node| {
            let LogicalPlan::SubqueryAlias(alias) = &node else { return Ok(Transformed::no(node)) };
            match with.iter().find(|(name, _)| *name == alias.alias.table()) {
                Some((_, other)) => {
                    let jump = TreeNodeRecursion::Jump;
                    Ok(Transformed::new(other.clone(), true, jump))
                }
                None => Ok(Transformed::no(node)),
            }
        })?;
        Ok(replaced.data)
    }
}

/// Whether every condition of the plan has reached one of its sides.
pub(super) fn conditions_are_in_sides(plan: &LogicalPlan) -> Result<bool> {
    let mut all = true;
    plan.apply(|node| {
        Ok(match node {
            LogicalPlan::SubqueryAlias(_) => TreeNodeRecursion::Jump,
            LogicalPlan::Projection(_) | LogicalPlan::Join(_) => TreeNodeRecursion::Continue,
            _ => {
                all = false;
                TreeNodeRecursion::Stop
            }
        })
    })?;
    Ok(all)
}

fn is_alias(plan: &LogicalPlan, name: &str) -> bool {
    matches!(plan, LogicalPlan::SubqueryAlias(alias) if alias.alias.table() == name)
}

fn has(plan: &LogicalPlan, column: &str) -> bool {
    plan.schema().has_column_with_unqualified_name(column)
}

/// Whether a side gives only some of its table's rows.
pub(super) fn is_restricted(side: &LogicalPlan) -> Result<bool> {
    side.exists(|node| {
        Ok(match node {
            LogicalPlan::TableScan(scan) => !scan.filters.is_empty() || scan.fetch.is_some(),
            LogicalPlan::SubqueryAlias(_) | LogicalPlan::Projection(_) => false,
            _ => true,
        })
    })
}

/// A column of a side.
pub(super) fn column(side: &str, name: &str) -> Expr {
    Expr::Column(Column::new(Some(side), name))
}

/// Condition that a column of a side is one of these texts.
///
/// # Errors
/// The engine's.
pub(super) fn one_of(side: &LogicalPlan, name: (&str, &str), texts: &Texts) -> Result<Expr> {
    let column = column(name.0, name.1);
    among(&column.get_type(side.schema())?, &column, texts)
}

/// The side, whose table is told that rows for which this does not hold are not wanted. It may give them
/// all the same.
///
/// # Errors
/// The engine's.
pub(super) fn hinted(
    side: &LogicalPlan,
    condition: impl Fn(&TableReference) -> Expr,
) -> Result<LogicalPlan> {
    let hinted = side.clone().transform_down(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        scan.filters.push(condition(&scan.table_name));
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    })?;
    Ok(hinted.data)
}

/// The side with further columns of its table; the side as it is where it cannot be widened.
///
/// # Errors
/// The engine's.
pub(super) fn widened(side: &LogicalPlan, columns: &[&str]) -> Result<LogicalPlan> {
    let wider = side.clone().transform_up(|node| {
        let LogicalPlan::TableScan(scan) = node else {
            return Ok(Transformed::yes(node.recompute_schema()?));
        };
        let schema = scan.source.schema();
        let Some(mut projection) = scan.projection.clone() else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        let further = columns.iter().filter_map(|name| schema.index_of(name).ok());
        for column in further {
            if !projection.contains(&column) {
                projection.push(column);
            }
        }
        let scan = TableScanBuilder::from(scan).with_projection(Some(projection)).build()?;
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    })?;
    let whole = columns.iter().all(|name| has(&wider.data, name));
    Ok(if whole { wider.data } else { side.clone() })
}

/// The rows of a side for which the condition holds.
///
/// # Errors
/// The engine's.
pub(super) fn only(side: &LogicalPlan, condition: Expr) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(side.clone()).filter(condition)?.build()
}
