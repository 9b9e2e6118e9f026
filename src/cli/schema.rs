//! `schema`: tables and columns with their meaning, from the same lists that make the tables.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::args::Schema;
use super::destination;
use super::exit::Outcome;
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::output;
use crate::sql::{self, VIEWS};
use crate::store::TABLES;
use crate::store::columns::is_internal;
use crate::table::build::RowsBuilder;
use crate::table::{Column, Kind, TableDef, col};

const TABLE_LIST: TableDef = TableDef::answer("tables", TABLE_COLUMNS);
const TABLE_COLUMNS: &[Column] = &[col("table", Kind::Text, ""), col("meaning", Kind::Text, "")];
const COLUMN_LIST: TableDef = TableDef::answer("columns", COLUMN_COLUMNS);
const COLUMN_COLUMNS: &[Column] =
    &[col("column", Kind::Text, ""), col("type", Kind::Text, ""), col("meaning", Kind::Text, "")];

const FUNCTION_LIST: TableDef = TableDef::answer("functions", FUNCTION_COLUMNS);
const FUNCTION_COLUMNS: &[Column] = &[
    col("function", Kind::Text, ""),
    col("meaning", Kind::Text, ""),
    col("example", Kind::Text, ""),
    col("answer", Kind::Text, ""),
];

/// All tables and views that SQL sees, the answer first.
pub fn tables() -> impl Iterator<Item = &'static TableDef> {
    let stored = TABLES.iter().filter(|def| !is_internal(def));
    VIEWS.iter().map(|view| view.def).chain(stored)
}

/// The tables, the columns of one, or the functions with a part in their name.
///
/// # Errors
/// [`Error::NotFound`] with near names.
pub fn listing(table: Option<&str>, functions: Option<&str>) -> Result<(SchemaRef, RecordBatch)> {
    let (def, mut rows): (&'static TableDef, RowsBuilder);
    match (table, functions) {
        (_, Some(part)) => {
            (def, rows) = (&FUNCTION_LIST, RowsBuilder::new(&FUNCTION_LIST));
            for function in sql::functions().into_iter().filter(|f| f.name.contains(part)) {
                let call = format!("{}({})", function.name, function.arguments);
                let answer = Some(function.answer).filter(|answer| !answer.is_empty());
                rows.push(vec![
                    call.into(),
                    function.meaning.into(),
                    function.example.into(),
                    answer.into(),
                ]);
            }
        }
        (None, None) => {
            (def, rows) = (&TABLE_LIST, RowsBuilder::new(&TABLE_LIST));
            tables().for_each(|table| rows.push(vec![table.name.into(), table.doc.into()]));
        }
        (Some(name), None) => {
            (def, rows) = (&COLUMN_LIST, RowsBuilder::new(&COLUMN_LIST));
            for column in named(name)?.columns {
                rows.push(vec![
                    column.name.into(),
                    column.kind.sql_name().into(),
                    column.doc.into(),
                ]);
            }
        }
    }
    Ok((def.schema(), rows.finish()?))
}

fn named(name: &str) -> Result<&'static TableDef> {
    tables().find(|table| table.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let names: Vec<_> = tables().map(|table| table.name).collect();
        let all = || format!("there are: {}", names.join(", "));
        Error::NotFound {
            message: format!("there is no table {name}"),
            hint: Some(sql::offered(name, names.iter().copied()).unwrap_or_else(all)),
        }
    })
}

/// Runs the command.
pub async fn run(command: Schema, ui: &Ui) -> Result<Outcome> {
    let functions = command.functions.then_some("");
    let (schema, batch) = listing(command.table.as_deref(), functions)?;
    let args = &command.output;
    let rows = batch.num_rows().min(args.limit.unwrap_or(usize::MAX));
    let batch = batch.slice(0, rows);
    let style = ui.style(args.limit, args.output.is_some());
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    output::write(args.format, &schema, [Ok(batch)], &mut *out, &style)?;
    Ok(Outcome::Done)
}
