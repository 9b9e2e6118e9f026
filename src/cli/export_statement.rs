//! What `export` asks: a whole table in its order, or the user's own statement.

use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{LogicalPlan, SortExpr};
use datafusion::prelude::{DataFrame, ident};

use super::args::Export;
use super::library;
use super::query::untyped;
use super::schema::tables;
use super::ui::Ui;
use crate::answers::Window;
use crate::error::{Error, Result};
use crate::model::time;
use crate::output::{described, with_schema};
use crate::sql::{Dialect, Given, ParamType, Params, Sql, parse_param};
use crate::table::{Kind, TableDef};

/// A statement with its values.
pub struct Statement {
    /// The text.
    pub sql: String,
    /// The values.
    pub params: Params,
    /// The table, where it is one as it is: the rows then come in its order.
    table: Option<&'static TableDef>,
}

/// What the command asks for.
///
/// # Errors
/// [`Error::Usage`], [`Error::NotFound`], [`Error::Io`].
pub fn statement(command: &Export, window: Window, now: i64, ui: &Ui) -> Result<Statement> {
    if let Some(name) = &command.table {
        return whole_table(name, window);
    }
    let mut given =
        command.params.iter().map(|text| parse_param(text)).collect::<Result<Vec<_>>>()?;
    for (name, value) in [("since", window.since), ("until", window.until)] {
        let kind = Some(ParamType::Time);
        given.extend(value.map(time::format_instant).map(|value| Given {
            name: name.to_owned(),
            kind,
            value,
        }));
    }
    let (sql, params) = match (&command.name, &command.file) {
        (Some(name), _) => {
            let library = library::open(&command.library, ui)?;
            let saved = library.by_name(name)?;
            (saved.sql.clone(), saved.bind(&given, now)?)
        }
        (None, Some(file)) => {
            (std::fs::read_to_string(file).map_err(Error::io(file))?, untyped(&given, now)?)
        }
        (None, None) => (command.sql.clone().unwrap_or_default(), untyped(&given, now)?),
    };
    Ok(Statement { sql, params, table: None })
}

fn whole_table(name: &str, window: Window) -> Result<Statement> {
    let table = tables().find(|table| table.name == name).ok_or_else(|| {
        let names: Vec<_> = tables().map(|table| table.name).collect();
        Error::NotFound {
            message: format!("there is no table {name}"),
            hint: Some(format!("there are: {}", names.join(", "))),
        }
    })?;
    let mut conditions = Vec::new();
    let mut params = Params::none();
    if window != Window::default() {
        let (first, last) = span(table)?;
        for (parameter, value, column, operator) in
            [("since", window.since, last, ">="), ("until", window.until, first, "<")]
        {
            let Some(value) = value else { continue };
            conditions.push(format!("{column} {operator} ${parameter}"));
            // Named too, so that whole days are skipped.
            if table.columns.iter().any(|c| c.name == "event_date") {
                let operator = if parameter == "since" { ">=" } else { "<=" };
                conditions.push(format!("event_date {operator} CAST(${parameter} AS DATE)"));
            }
            params = params.instant(parameter, Some(value));
        }
    }
    let clause = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    Ok(Statement { sql: format!("SELECT * FROM {name}{clause}"), params, table: Some(table) })
}

/// When a row of the table was: the first and the last instant of it, as SQL.
fn span(table: &TableDef) -> Result<(&'static str, &'static str)> {
    let has = |name: &str| table.columns.iter().any(|c| c.name == name);
    let spans = [
        ("event_time", ("event_time", "event_time")),
        (
            "started_at",
            ("coalesce(started_at, first_event_at)", "coalesce(last_event_at, started_at)"),
        ),
        ("first_event_at", ("first_event_at", "last_event_at")),
        ("first_event_time", ("first_event_time", "last_event_time")),
        ("hour", ("hour", "hour + INTERVAL '59 minutes 59 seconds'")),
    ];
    let found = spans.into_iter().find(|(name, _)| has(name)).map(|(_, span)| span);
    found.ok_or_else(|| {
        Error::usage_hint(
            format!("rows of {} have no time, so --since and --until mean nothing", table.name),
            "leave them out, or export a statement",
        )
    })
}

/// Rows as they are to be written, the columns to look up by, and what the rows are sorted by.
type Prepared = (SendableRecordBatchStream, Vec<String>, Vec<String>);

impl Statement {
    /// Runs it; rows come sorted by the partition columns first, then in the table's order or in
    /// the statement's own.
    ///
    /// # Errors
    /// The engine's; [`Error::Usage`] for a partition column that is not there.
    pub async fn rows(&self, sql: &Sql, partition_by: &[String]) -> Result<Prepared> {
        let frame = sql.plan_exactly(&self.sql, self.params.clone(), Dialect::Aws).await?;
        let schema = frame.schema().clone();
        let has = |name: &String| schema.has_column_with_unqualified_name(name);
        if let Some(absent) = partition_by.iter().find(|name| !has(name)) {
            let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            return Err(Error::usage_hint(
                format!("there is no column {absent} to partition by"),
                format!("columns: {}", names.join(", ")),
            ));
        }
        let lookup =
            schema.fields().iter().map(|f| f.name().clone()).filter(|n| is_id(n)).collect();
        let meanings = described(frame.schema().as_arrow(), |i| self.meaning(&frame, i));
        let (frame, sorted_by) = self.sorted(frame, partition_by)?;
        let rows = frame.execute_stream().await?;
        Ok((with_schema(rows, meanings), lookup, sorted_by))
    }

    fn sorted(
        &self,
        frame: DataFrame,
        partition_by: &[String],
    ) -> Result<(DataFrame, Vec<String>)> {
        let own: Vec<&str> = self.table.map_or(Vec::new(), |table| table.sort_by.to_vec());
        let own: Vec<&str> =
            own.into_iter().filter(|n| !partition_by.iter().any(|p| p == n)).collect();
        let ascending = |name: &str| ident(name).sort(true, true);
        let mut order: Vec<SortExpr> = partition_by.iter().map(|name| ascending(name)).collect();
        if self.table.is_some() {
            order.extend(own.iter().map(|name| ascending(name)));
        } else if !partition_by.is_empty() {
            order.extend(own_order(frame.logical_plan()));
        }
        let sorted_by = own.iter().map(|name| (*name).to_owned()).collect();
        let frame = if order.is_empty() { frame } else { frame.sort(order)? };
        Ok((frame, sorted_by))
    }

    /// What a column means: of a table's, or of one that a statement gives as it is.
    fn meaning(&self, frame: &DataFrame, at: usize) -> Option<&'static str> {
        let (qualifier, field) = frame.schema().qualified_field(at);
        let table = match self.table {
            Some(table) => table,
            None => tables().find(|t| qualifier.is_some_and(|q| q.table() == t.name))?,
        };
        Some(table.columns.iter().find(|c| c.name == field.name())?.doc)
    }
}

/// The order that the statement itself ends with, as far as its columns are in the answer.
fn own_order(plan: &LogicalPlan) -> Vec<SortExpr> {
    match plan {
        LogicalPlan::Sort(sort) => sort.expr.clone(),
        _ => Vec::new(),
    }
}

/// Names of columns that rows are looked up by, in any table.
fn is_id(name: &str) -> bool {
    tables().any(|table| {
        let text = |c: &&crate::table::Column| c.name == name && c.kind == Kind::Text;
        table.columns.iter().any(|c| text(&c)) && table.lookup.contains(&name)
    })
}
