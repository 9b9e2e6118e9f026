//! `schema`: tables and columns with their meaning, from the same lists that make the tables.

use super::args::Schema;
use super::exit::Outcome;
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::output;
use crate::sql::VIEWS;
use crate::store::TABLES;
use crate::store::columns::is_internal;
use crate::table::build::RowsBuilder;
use crate::table::{Column, Kind, TableDef, col};

const TABLE_LIST: TableDef = listing("tables", TABLE_COLUMNS);
const TABLE_COLUMNS: &[Column] = &[col("table", Kind::Text, ""), col("meaning", Kind::Text, "")];
const COLUMN_LIST: TableDef = listing("columns", COLUMN_COLUMNS);
const COLUMN_COLUMNS: &[Column] =
    &[col("column", Kind::Text, ""), col("type", Kind::Text, ""), col("meaning", Kind::Text, "")];

const fn listing(name: &'static str, columns: &'static [Column]) -> TableDef {
    TableDef { name, doc: "", columns, partition_by: None, lookup: &[], sort_by: &[] }
}

/// All tables and views that SQL sees, the answer first.
pub fn tables() -> impl Iterator<Item = &'static TableDef> {
    let stored = TABLES.iter().filter(|def| !is_internal(def));
    VIEWS.iter().map(|view| view.def).chain(stored)
}

/// Runs the command.
pub async fn run(command: Schema, ui: &Ui) -> Result<Outcome> {
    let (def, mut rows): (&'static TableDef, RowsBuilder);
    match &command.table {
        None => {
            (def, rows) = (&TABLE_LIST, RowsBuilder::new(&TABLE_LIST));
            tables().for_each(|table| rows.push(vec![table.name.into(), table.doc.into()]));
        }
        Some(name) => {
            let table = tables().find(|table| table.name == name).ok_or_else(|| {
                let names: Vec<_> = tables().map(|table| table.name).collect();
                Error::NotFound {
                    message: format!("there is no table {name}"),
                    hint: Some(format!("there are: {}", names.join(", "))),
                }
            })?;
            (def, rows) = (&COLUMN_LIST, RowsBuilder::new(&COLUMN_LIST));
            for column in table.columns {
                rows.push(vec![
                    column.name.into(),
                    column.kind.sql_name().into(),
                    column.doc.into(),
                ]);
            }
        }
    }
    let batch = rows.finish()?;
    let style = ui.style(None, command.output.output.is_some());
    let format = command.output.format;
    match &command.output.output {
        Some(path) => {
            let mut file = std::fs::File::create(path).map_err(Error::io(path))?;
            output::write(format, &def.schema(), [Ok(batch)], &mut file, &style)?;
        }
        None => {
            let mut out = std::io::stdout();
            output::write(format, &def.schema(), [Ok(batch)], &mut out, &style)?;
        }
    }
    Ok(Outcome::Done)
}
