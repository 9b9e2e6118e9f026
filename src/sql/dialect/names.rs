//! Names of tables: those that published queries use, and what stands in the brackets of ours.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query, Statement, TableAlias,
    TableFactor, Value, VisitMut, VisitorMut,
};

use super::super::Params;
use super::words::{STORE, is_uuid};

const ATHENA: &str = "cloudtrail_logs";
const LAKE: &str = "event_data_store";

/// Gives tables of Athena and CloudTrail Lake, whatever they were called, the names they have here;
/// says whether there is one of Lake.
pub(super) fn known_tables(ast: &mut Statement) -> bool {
    let mut ctes = Ctes::default();
    let _ = VisitMut::visit(ast, &mut ctes);
    let mut tables = Tables { ctes: ctes.0, lake: false };
    let _ = VisitMut::visit(ast, &mut tables);
    tables.lake
}

#[derive(Default)]
struct Ctes(HashSet<String>);

impl VisitorMut for Ctes {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.0.extend(tables.map(|cte| cte.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }
}

struct Tables {
    ctes: HashSet<String>,
    lake: bool,
}

impl Tables {
    /// What a table is called here; `None` where the name stays.
    fn here(&self, name: &ObjectName) -> Option<&'static str> {
        let parts: Vec<String> = name.0.iter().filter_map(|p| p.as_ident()).map(small).collect();
        let (last, before) = parts.split_last()?;
        if before.is_empty() && self.ctes.contains(last) {
            return None;
        }
        let lake = [STORE, "eds_id", "edsid"].contains(&last.as_str());
        if lake || is_uuid(last) || last.starts_with(LAKE) {
            return Some(LAKE);
        }
        last.starts_with("cloudtrail").then_some(ATHENA)
    }
}

fn small(name: &Ident) -> String {
    name.value.to_lowercase()
}

impl VisitorMut for Tables {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, alias, args: None, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let Some(here) = self.here(name) else { return ControlFlow::Continue(()) };
        self.lake |= here == LAKE;
        let Some(last) = name.0.last().and_then(|part| part.as_ident()).cloned() else {
            return ControlFlow::Continue(());
        };
        if alias.is_none() && small(&last) != here {
            let name = Ident { value: small(&last), ..last.clone() };
            *alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
        }
        *name = ObjectName::from(vec![Ident {
            value: here.to_owned(),
            quote_style: None,
            span: last.span,
        }]);
        ControlFlow::Continue(())
    }
}

/// Table functions are called while a statement is planned, before values are bound; so values are
/// put in here, as literals of the tree.
pub(super) fn bind_table_functions(ast: &mut Statement, params: &Params) {
    let _ = VisitMut::visit(ast, &mut Binding { params });
}

struct Binding<'p> {
    params: &'p Params,
}

impl VisitorMut for Binding<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { args: Some(args), .. } = factor {
            for arg in &mut args.args {
                let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) = arg else {
                    continue;
                };
                let Value::Placeholder(name) = &value.value else { continue };
                if let Some(ScalarValue::Utf8(Some(text))) = self.params.get(name) {
                    value.value = Value::SingleQuotedString(text.clone());
                }
            }
        }
        ControlFlow::Continue(())
    }
}
