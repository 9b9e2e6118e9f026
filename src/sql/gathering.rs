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
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;

/// Makes `array_agg(text)` gather plain texts instead of views.
#[derive(Debug)]
pub(super) struct GatherPlainTexts;

impl AnalyzerRule for GatherPlainTexts {
    fn name(&self) -> &'static str {
        "gather_plain_texts"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut changed = false;
        let gathered = plan.transform_up_with_subqueries(|plan| {
            let mut schema = DFSchema::empty();
            plan.inputs().iter().for_each(|input| schema.merge(input.schema()));
            let names = NamePreserver::new(&plan);
            let plain = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let plain = expr.transform_up(|expr| Ok(plain(expr, &schema)))?;
                changed |= plain.transformed;
                Ok(plain.update_data(|expr| name.restore(expr)))
            })?;
            // What stands above has other types now, too.
            if changed { plain.map_data(LogicalPlan::recompute_schema) } else { Ok(plain) }
        })?;
        if !changed {
            return Ok(gathered.data);
        }
        // It was fitted to the types before.
        TypeCoercion::new().analyze(gathered.data, config)
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
        let plain = cast(text.clone(), DataType::Utf8);
        // DISTINCT is ordered by what it gathers, and by nothing else.
        let same = params.order_by.iter_mut().filter(|sort| sort.expr == *text);
        same.for_each(|sort| sort.expr = plain.clone());
        *text = plain;
        changed = true;
    }
    let expr = Expr::AggregateFunction(AggregateFunction { func, params });
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatch;
    use arrow::util::display::array_value_to_string;

    use crate::sql::{Params, Source, Sql};

    /// The lists as text, over three events.
    async fn lists(statement: &str) -> String {
        let sql = Sql::open(Source::Memory(Default::default()), 64 << 20).await.unwrap();
        let events = "(SELECT arrow_cast(n, 'Utf8View') AS n, g FROM (VALUES ('b', 1), ('a', 1), ('a', 2)) AS v(n, g))";
        let statement = statement.replace("EVENTS", events);
        let rows = sql.rows(&statement, Params::none()).await;
        let rows = rows.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let text = |batch| array_value_to_string(RecordBatch::column(batch, 0), 0).unwrap();
        rows.iter().filter(|batch| batch.num_rows() > 0).map(text).collect()
    }

    #[tokio::test]
    async fn texts_are_gathered_without_views() {
        let sql = Sql::open(Source::Memory(Default::default()), 64 << 20).await.unwrap();
        let gathered = "SELECT array_agg(DISTINCT event_name) FROM events";
        let stream = sql.stream(gathered, Params::none()).await.unwrap();
        let kind = stream.schema().field(0).data_type().to_string();
        assert!(kind.contains("Utf8") && !kind.contains("View"), "{kind}");
    }

    #[tokio::test]
    async fn lists_of_texts_are_plain_wherever_they_are_gathered() {
        for (statement, list) in [
            ("SELECT array_sort(array_agg(n)) FROM EVENTS", "[a, a, b]"),
            (
                "SELECT array_agg(DISTINCT n ORDER BY n) FROM EVENTS GROUP BY g HAVING g = 1",
                "[a, b]",
            ),
            ("SELECT array_agg(n ORDER BY n DESC) FILTER (WHERE g = 1) FROM EVENTS", "[b, a]"),
            ("SELECT l FROM (SELECT array_agg(n ORDER BY n) AS l FROM EVENTS)", "[a, a, b]"),
        ] {
            assert_eq!(lists(statement).await, list, "{statement}");
        }
    }

    #[tokio::test]
    async fn what_stands_above_takes_plain_lists() {
        for (statement, shown) in [
            ("SELECT g FROM EVENTS GROUP BY g HAVING array_has(array_agg(n), 'b')", "1"),
            ("SELECT g FROM EVENTS GROUP BY g HAVING (array_agg(n ORDER BY n DESC))[1] = 'b'", "1"),
            (
                "SELECT count(*) FROM (SELECT unnest(array_agg(n)) AS u FROM EVENTS) WHERE u = 'a'",
                "2",
            ),
            (
                "SELECT CASE WHEN count(*) > 9 THEN make_array(arrow_cast('x', 'Utf8View')) ELSE array_agg(n ORDER BY n) END FROM EVENTS",
                "[a, a, b]",
            ),
            (
                "SELECT l[1] FROM (SELECT array_agg(n ORDER BY n) AS l FROM EVENTS UNION ALL SELECT make_array(arrow_cast('x', 'Utf8View')) WHERE false)",
                "a",
            ),
            (
                "SELECT array_concat(array_agg(n ORDER BY n), make_array(arrow_cast('x', 'Utf8View'))) FROM EVENTS",
                "[a, a, b, x]",
            ),
        ] {
            assert_eq!(lists(statement).await, shown, "{statement}");
        }
    }
}
