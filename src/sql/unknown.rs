//! `IN` where something is null: what is not known stays unknown, as SQL has it. The engine's own
//! rules take `x NOT IN ('a', NULL)` for true where they merge it with another list, call
//! `x NOT IN ('a') OR x NOT IN ('b')` true before they look whether `x` is null, and answer false for
//! a null that is looked for in a subquery, whatever is made of that answer.
//!
//! Plans are written in other words before those rules see them: lists without nulls, `NOT` only at
//! what is compared, and a subquery's answer in three values where more than a yes is asked of it.

use std::mem::take;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{InList, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, exists, ident, lit,
    not, not_exists, when,
};
use datafusion::optimizer::AnalyzerRule;

/// Writes `IN` so that nulls are unknown.
#[derive(Debug)]
pub(super) struct UnknownStaysUnknown;

impl AnalyzerRule for UnknownStaysUnknown {
    fn name(&self) -> &'static str {
        "unknown_stays_unknown"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let written = plan.transform_up_with_subqueries(|plan| {
            let mut schema = DFSchema::empty();
            plan.inputs().iter().for_each(|input| schema.merge(input.schema()));
            let names = NamePreserver::new(&plan);
            let asks = matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
            let plan = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let mut written = expr.transform_up(|expr| lists_without_nulls(expr, &schema))?;
                if !asks {
                    written = written.transform_data(|expr| asked_anything(expr, &schema))?;
                }
                Ok(written.update_data(|expr| name.restore(expr)))
            })?;
            plan.map_data(|mut plan| {
                let asked = match &mut plan {
                    LogicalPlan::Filter(filter) => Some(&mut filter.predicate),
                    LogicalPlan::Join(join) => join.filter.as_mut(),
                    _ => None,
                };
                if let Some(asked) = asked {
                    *asked = condition(take(asked), Within::And, &schema)?;
                }
                Ok(plan)
            })
        })?;
        Ok(written.data)
    }
}

/// `x IN (a, null)` as `x IN (a) OR x = null`, and `x NOT IN (a, null)` as `x NOT IN (a) AND x <> null`.
fn lists_without_nulls(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let may_be_null = |item: &Expr| match item {
        Expr::Literal(value, _) => value.is_null(),
        other => other.nullable(schema).unwrap_or(true),
    };
    let Expr::InList(InList { expr, list, negated }) = expr else {
        return Ok(Transformed::no(expr));
    };
    if expr.is_volatile() || !list.iter().any(may_be_null) {
        return Ok(Transformed::no(Expr::InList(InList { expr, list, negated })));
    }
    let (null, mut known): (Vec<Expr>, Vec<Expr>) = list.into_iter().partition(may_be_null);
    let op = if negated { Operator::NotEq } else { Operator::Eq };
    let compared = |item| Expr::BinaryExpr(BinaryExpr::new(expr.clone(), op, Box::new(item)));
    let mut all: Vec<Expr> = null.into_iter().map(compared).collect();
    if known.len() == 1 {
        all.extend(known.pop().map(compared));
    } else if !known.is_empty() {
        all.push(Expr::InList(InList { expr: expr.clone(), list: known, negated }));
    }
    let joined = if negated { conjunction(all) } else { disjunction(all) };
    Ok(joined.map_or_else(|| Transformed::no(lit(negated)), Transformed::yes))
}

/// What a part of a condition stands in. Of a condition only a yes counts: where nothing turns its
/// parts around, no and unknown are the same.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    /// What must be true for the row to be taken.
    And,
    /// One of several that may be.
    Or,
}

/// A condition with `NOT` only at what is compared, taking the same rows.
fn condition(expr: Expr, within: Within, schema: &DFSchema) -> Result<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let within = if op == Operator::Or { Within::Or } else { within };
            let left = condition(*left, within, schema)?;
            let right = condition(*right, within, schema)?;
            Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
        }
        Expr::Not(inner) => match turned(*inner) {
            Turned::Inwards(expr) => condition(expr, within, schema),
            Turned::Compared(expr) => Ok(not(compared(expr, schema)?)),
        },
        Expr::InList(list) if within == Within::Or && list.negated => {
            // Another list beside it would make the engine forget to look.
            let known = (*list.expr).clone().is_not_null();
            let looks = list.expr.nullable(schema).unwrap_or(true) && !list.expr.is_volatile();
            let list = Expr::InList(list);
            Ok(if looks { known.and(list) } else { list })
        }
        // The engine looks for nulls itself only where the subquery is the same for all rows, and
        // the whole condition.
        Expr::InSubquery(inside)
            if inside.negated
                && (within == Within::Or || !inside.subquery.outer_ref_columns.is_empty()) =>
        {
            in_three_values(inside, schema)
        }
        other => compared(other, schema),
    }
}

/// What was turned around.
enum Turned {
    /// `NOT` went one step inwards.
    Inwards(Expr),
    /// It cannot: the expression is as it was.
    Compared(Expr),
}

fn turned(expr: Expr) -> Turned {
    Turned::Inwards(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            not(*left).or(not(*right))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            not(*left).and(not(*right))
        }
        Expr::InList(InList { expr, list, negated }) => {
            Expr::InList(InList { expr, list, negated: !negated })
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            Expr::InSubquery(InSubquery { expr, subquery, negated: !negated })
        }
        Expr::Not(inner) => *inner,
        other => return Turned::Compared(other),
    })
}

/// What is compared in a condition: of its parts anything may be asked, of itself only a yes.
fn compared(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(expr.map_children(|part| asked_anything(part, schema))?.data)
}

/// An expression in which it may make a difference whether its parts are false or unknown.
fn asked_anything(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| match expr {
        Expr::InSubquery(inside) => Ok(Transformed::yes(in_three_values(inside, schema)?)),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let left = Box::new(kept_apart(*left, schema)?);
            let right = Box::new(kept_apart(*right, schema)?);
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(left, op, right))))
        }
        other => Ok(Transformed::no(other)),
    })
}

/// A list, or what the engine makes one of, so that it is not made one with the list beside it.
fn kept_apart(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let sought = match &expr {
        Expr::Not(inner) => return Ok(not(kept_apart((**inner).clone(), schema)?)),
        Expr::InList(list) => &*list.expr,
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            match (&**left, &**right) {
                (column @ Expr::Column(_), Expr::Literal(..))
                | (Expr::Literal(..), column @ Expr::Column(_)) => column,
                _ => return Ok(expr),
            }
        }
        _ => return Ok(expr),
    };
    if sought.is_volatile() || !sought.nullable(schema).unwrap_or(true) {
        return Ok(expr);
    }
    when(sought.clone().is_not_null(), expr).end()
}

/// The column of a subquery, by a name that nothing else has.
const SOUGHT: &str = "__sought";

/// `x IN (subquery)`, as it is: true where it is among the rows; else unknown where `x` is null and
/// there are rows, or one of these is null; else false.
fn in_three_values(inside: InSubquery, schema: &DFSchema) -> Result<Expr> {
    let InSubquery { expr, subquery, negated } = inside;
    let rows = Arc::clone(&subquery.subquery);
    // Whether there is a row that all outer rows see is told by the first; each of them would meet all.
    let one = |rows: LogicalPlanBuilder| match subquery.outer_ref_columns.is_empty() {
        true => rows.limit(0, Some(1))?.build(),
        false => rows.build(),
    };
    let any_row = Arc::new(one(LogicalPlanBuilder::from(Arc::clone(&rows)))?);
    let column = rows.schema().columns().into_iter().next().map(Expr::Column);
    let null_rows = match column {
        Some(column) if column.nullable(rows.schema()).unwrap_or(true) => {
            let null = LogicalPlanBuilder::from(Arc::clone(&rows))
                .project([column.alias(SOUGHT)])?
                .filter(ident(SOUGHT).is_null())?;
            Some(exists(one(null)?.into()))
        }
        _ => None,
    };
    let null_sought = expr.nullable(schema).unwrap_or(true).then(|| (*expr).clone().is_null());
    let unknown = null_sought.into_iter().chain(null_rows).reduce(Expr::or);
    let among = Expr::InSubquery(InSubquery { expr: expr.clone(), subquery, negated: false });
    let answer = match unknown.filter(|_| !expr.is_volatile()) {
        None => among,
        Some(unknown) => when(among, lit(true))
            .when(not_exists(any_row), lit(false))
            .when(unknown, lit(ScalarValue::Boolean(None)))
            .otherwise(lit(false))?,
    };
    Ok(if negated { not(answer) } else { answer })
}
