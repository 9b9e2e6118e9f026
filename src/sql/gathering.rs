//! Gathers texts into lists without waste: a list of texts as views takes at least a block of eight
//! kilobytes a group, however short it is, and an answer has tens of thousands of groups.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

/// Makes `array_agg(text)` gather plain texts instead of views.
#[derive(Debug)]
pub(super) struct GatherPlainTexts;

impl AnalyzerRule for GatherPlainTexts {
    fn name(&self) -> &'static str {
        "gather_plain_texts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let gathered = plan.transform_up_with_subqueries(|plan| {
            let mut schema = DFSchema::empty();
            plan.inputs().iter().for_each(|input| schema.merge(input.schema()));
            let names = NamePreserver::new(&plan);
            let plain = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let plain = expr.transform_up(|expr| Ok(plain(expr, &schema)))?;
                Ok(plain.update_data(|expr| name.restore(expr)))
            })?;
            // What stands above has other types now, too.
            plain.map_data(LogicalPlan::recompute_schema)
        })?;
        Ok(gathered.data)
    }
}

fn plain(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::AggregateFunction(AggregateFunction { func, mut params }) = expr else {
        return Transformed::no(expr);
    };
    let texts = params.args.iter_mut().filter(|_| func.name() == "array_agg");
    let texts = texts.filter(|arg| matches!(arg.get_type(schema), Ok(DataType::Utf8View)));
    let mut changed = false;
    for text in texts {
        *text = cast(std::mem::take(text), DataType::Utf8);
        changed = true;
    }
    let expr = Expr::AggregateFunction(AggregateFunction { func, params });
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use crate::sql::{Params, Source, Sql};

    #[tokio::test]
    async fn lists_of_texts_are_plain_wherever_they_are_gathered() {
        let sql = Sql::open(Source::Memory(Default::default()), 64 << 20).await.unwrap();
        for statement in [
            "SELECT array_agg(event_id) AS l FROM events",
            "SELECT array_agg(DISTINCT event_name ORDER BY event_name) AS l FROM events GROUP BY aws_region",
            "SELECT l FROM (SELECT array_sort(array_agg(event_id) FILTER (WHERE read_only)) AS l FROM events)",
            "SELECT l FROM events JOIN (SELECT max(event_id) i, array_agg(event_id) l FROM events) ON i = event_id",
        ] {
            let schema = sql.stream(statement, Params::none()).await.unwrap().schema();
            let list = schema.field(0).data_type().clone();
            assert!(
                matches!(&list, DataType::List(item) if *item.data_type() == DataType::Utf8),
                "{list}"
            );
            sql.rows(statement, Params::none()).await.unwrap();
        }
        let count = "SELECT count(event_id) AS n FROM events";
        assert_eq!(sql.rows(count, Params::none()).await.unwrap().len(), 1);
    }
}
