//! `FROM table CROSS JOIN UNNEST(list) AS t(item)`: the engine unnests columns in a SELECT only, so the
//! table becomes `(SELECT table.*, unnest(list) AS item FROM table)`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinOperator, ObjectName, Query, Select, SetExpr, Statement, TableAlias,
    TableFactor, TableWithJoins, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;

use super::Grammar;
use crate::error::{Error, Result};

/// Members of an entry of `resources`, in the order of Athena's table.
const RESOURCE: [&str; 3] = ["arn", "accountid", "type"];

/// Rewrites all SELECTs.
///
/// # Errors
/// [`Error::Usage`] for forms that are not known.
pub(super) fn apply(ast: &mut Statement) -> Result<()> {
    match VisitMut::visit(ast, &mut Rewriter) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let SetExpr::Select(select) = &mut *query.body else { return ControlFlow::Continue(()) };
        match in_select(select) {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                let _ = VisitMut::visit(&mut query.order_by, &mut Renamed(found));
            }
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        match in_select(select) {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// One UNNEST: what it takes apart, and what the pieces are called.
struct Unnest {
    alias: Ident,
    columns: Vec<Ident>,
    lists: Vec<Expr>,
}

fn in_select(select: &mut Select) -> Result<Vec<(Ident, Vec<Ident>)>> {
    let mut from: Vec<TableWithJoins> = Vec::new();
    let mut found = Vec::new();
    for mut table in std::mem::take(&mut select.from) {
        // FROM a, UNNEST(a.list) AS t(item)
        if let (Some(unnest), Some(before)) = (read(&table.relation)?, from.last_mut()) {
            found.push((unnest.alias.clone(), unnest.columns.clone()));
            wrap(&mut before.relation, unnest)?;
            before.joins.append(&mut table.joins);
            continue;
        }
        let mut joins: Vec<Join> = Vec::new();
        for join in std::mem::take(&mut table.joins) {
            let Some(unnest) = read(&join.relation)? else {
                joins.push(join);
                continue;
            };
            if !matches!(join.join_operator, JoinOperator::CrossJoin(_)) {
                return Err(Error::usage_hint(
                    "UNNEST is joined by CROSS JOIN only",
                    "write FROM table CROSS JOIN UNNEST(list) AS t(item)",
                ));
            }
            found.push((unnest.alias.clone(), unnest.columns.clone()));
            let owner = owner(&unnest, &table.relation, &joins);
            match owner.and_then(|i| joins.get_mut(i)) {
                Some(join) => wrap(&mut join.relation, unnest)?,
                None => wrap(&mut table.relation, unnest)?,
            }
        }
        table.joins = joins;
        from.push(table);
    }
    select.from = from;
    if !found.is_empty() {
        let _ = VisitMut::visit(select, &mut Renamed(found.clone()));
    }
    Ok(found)
}

/// Reads an UNNEST that takes something of another table apart.
fn read(factor: &TableFactor) -> Result<Option<Unnest>> {
    let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = factor else {
        return Ok(None);
    };
    if array_exprs.iter().all(|list| matches!(list, Expr::Array(_))) {
        return Ok(None);
    }
    if *with_ordinality {
        return Err(Error::usage("WITH ORDINALITY is not known here"));
    }
    let (alias, mut columns) = match alias {
        Some(alias) => {
            let names = alias.columns.iter().map(|column| column.name.clone());
            (alias.name.clone(), names.collect())
        }
        None => (Ident::new("item"), Vec::new()),
    };
    if columns.is_empty() {
        columns = vec![alias.clone()];
    }
    Ok(Some(Unnest { alias, columns, lists: array_exprs.clone() }))
}

fn called(factor: &TableFactor) -> Option<Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. } => Some(alias.name.clone()),
        TableFactor::Table { name, .. } => name.0.last()?.as_ident().cloned(),
        _ => None,
    }
}

/// Which of the joined tables the list belongs to; `None` for the first.
fn owner(unnest: &Unnest, first: &TableFactor, joins: &[Join]) -> Option<usize> {
    let mut names = Mentioned(Vec::new());
    for list in &unnest.lists {
        let _ = VisitMut::visit(&mut list.clone(), &mut names);
    }
    let is = |factor: &TableFactor| {
        called(factor).is_some_and(|name| names.0.contains(&name.value.to_lowercase()))
    };
    if is(first) { None } else { joins.iter().position(|join| is(&join.relation)) }
}

struct Mentioned(Vec<String>);

impl VisitorMut for Mentioned {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(way) = expr {
            self.0.extend(way.first().map(|name| name.value.to_lowercase()));
        }
        ControlFlow::Continue(())
    }
}

fn wrap(factor: &mut TableFactor, unnest: Unnest) -> Result<()> {
    let Some(name) = called(factor) else {
        return Err(Error::usage_hint(
            "UNNEST needs a table with a name before it",
            "write FROM (SELECT …) AS name CROSS JOIN UNNEST(name.list) AS t(item)",
        ));
    };
    let text = match (unnest.lists.len(), unnest.columns.len()) {
        (1, 3) => {
            let members = RESOURCE.iter().zip(1..);
            let members = members.map(|(member, i)| format!("__entry.{member} AS __column{i}"));
            let members = members.collect::<Vec<_>>().join(", ");
            format!("SELECT __all.*, {members} FROM (SELECT __table.*, unnest(__list1) AS __entry FROM __table) AS __all")
        }
        (1, 2) => "SELECT __table.*, unnest(map_keys(__list1)) AS __column1, unnest(map_values(__list1)) AS __column2 FROM __table".to_owned(),
        (lists, columns) if lists == columns => {
            let items = (1..=lists).map(|i| format!("unnest(__list{i}) AS __column{i}"));
            format!("SELECT __table.*, {} FROM __table", items.collect::<Vec<_>>().join(", "))
        }
        (lists, columns) => {
            return Err(Error::usage(format!("UNNEST of {lists} lists cannot give {columns} columns")));
        }
    };
    let parsed =
        Parser::new(&Grammar).try_with_sql(&text).and_then(|mut parser| parser.parse_query());
    let mut query = parsed.map_err(|error| Error::usage(error.to_string()))?;
    let mut put = PutIn { table: name.clone(), unnest: &unnest };
    let _ = VisitMut::visit(&mut query, &mut put);
    innermost(&mut query, factor);
    let alias = TableAlias { explicit: true, name, columns: Vec::new(), at: None };
    *factor =
        TableFactor::Derived { lateral: false, subquery: query, alias: Some(alias), sample: None };
    Ok(())
}

/// Puts the table itself in the innermost FROM.
fn innermost(query: &mut Query, table: &TableFactor) {
    let SetExpr::Select(select) = &mut *query.body else { return };
    let Some(from) = select.from.first_mut() else { return };
    match &mut from.relation {
        TableFactor::Derived { subquery, .. } => innermost(subquery, table),
        relation => *relation = table.clone(),
    }
}

/// Puts names and lists in the place of our own words.
struct PutIn<'u> {
    table: Ident,
    unnest: &'u Unnest,
}

impl VisitorMut for PutIn<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        use datafusion::sql::sqlparser::ast::{
            SelectItem, SelectItemQualifiedWildcardKind as Kind,
        };
        for item in &mut select.projection {
            match item {
                SelectItem::QualifiedWildcard(Kind::ObjectName(name), _)
                    if name.to_string() == "__table" =>
                {
                    *name = ObjectName::from(vec![self.table.clone()]);
                }
                SelectItem::ExprWithAlias { alias, .. } => {
                    let number =
                        alias.value.strip_prefix("__column").and_then(|n| n.parse::<usize>().ok());
                    let column = number.and_then(|n| self.unnest.columns.get(n.checked_sub(1)?));
                    if let Some(column) = column {
                        *alias = column.clone();
                    }
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && let Some(number) = name.value.strip_prefix("__list")
            && let Ok(number) = number.parse::<usize>()
            && let Some(list) = number.checked_sub(1).and_then(|i| self.unnest.lists.get(i))
        {
            *expr = list.clone();
        }
        ControlFlow::Continue(())
    }
}

/// `t.item` is a column of the table before it now.
struct Renamed(Vec<(Ident, Vec<Ident>)>);

impl VisitorMut for Renamed {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::CompoundIdentifier(way) = expr else { return ControlFlow::Continue(()) };
        let same = |a: &Ident, b: &Ident| a.value.eq_ignore_ascii_case(&b.value);
        let [first, second, ..] = way.as_slice() else { return ControlFlow::Continue(()) };
        let is_column = self.0.iter().any(|(alias, columns)| {
            same(alias, first) && columns.iter().any(|column| same(column, second))
        });
        if is_column {
            way.remove(0);
            if let [only] = way.as_slice() {
                *expr = Expr::Identifier(only.clone());
            }
        }
        ControlFlow::Continue(())
    }
}
