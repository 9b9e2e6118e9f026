//! `query`: SQL from the argument, a file, or the saved queries.

use std::path::Path;

use arrow::array::RecordBatch;

use super::args::{OutputArgs, Query};
use super::destination;
use super::exit::Outcome;
use super::library;
use super::source;
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::output::{self, Format};
use crate::sql::{Dialect, Given, Params, parse_param};

/// Runs the command.
pub async fn run(store: &Path, command: Query, ui: &Ui) -> Result<Outcome> {
    let now = chrono::Utc::now().timestamp_micros();
    let given = command.params.iter().map(|text| parse_param(text)).collect::<Result<Vec<_>>>()?;
    let mut asked = None;
    let (sql, params) = match (&command.name, &command.file) {
        _ if command.list => {
            let library = library::open(&command.library, ui)?;
            if command.output.format == Format::Table && command.output.output.is_none() {
                ui.print(&library::list(&library))?;
            } else {
                write_rows(library::rows(&library)?, &command.output, ui)?;
            }
            return Ok(Outcome::Done);
        }
        (Some(name), _) => {
            let library = library::open(&command.library, ui)?;
            let saved = library.by_name(name)?;
            if command.describe {
                ui.print(&library::describe(saved, ui.width()))?;
                return Ok(Outcome::Done);
            }
            let params = saved.bind(&given, now)?;
            (asked.insert(saved.clone()).sql.clone(), params)
        }
        (None, Some(file)) => {
            (std::fs::read_to_string(file).map_err(Error::io(file))?, untyped(&given, now)?)
        }
        (None, None) => (command.sql.clone().unwrap_or_default(), untyped(&given, now)?),
    };
    let tables = source::open(store, &command.source, ui).await?;
    // The built-in queries are written in the engine's own words.
    let built_in = asked.as_ref().is_some_and(|saved| saved.file.is_none());
    let dialect = if built_in { Dialect::Plain } else { command.dialect.into() };
    let planned = tables.plan_exactly(&sql, params, dialect).await;
    let mut frame = planned.map_err(|error| match &asked {
        Some(saved) => saved.blame(error),
        None => error,
    })?;
    if let Some(limit) = command.output.limit {
        frame = frame.limit(0, Some(limit))?;
    }
    write_stream(tables.run(frame).await?, &command.output, ui).await?;
    Ok(Outcome::Done)
}

/// Values for a statement that declares no parameters.
pub fn untyped(given: &[Given], now: i64) -> Result<Params> {
    let mut params = Params::none();
    for value in given {
        let (name, value) = value.scalar(now)?;
        params.insert(name, value);
    }
    Ok(params)
}

/// Writes rows that are there.
fn write_rows(rows: RecordBatch, args: &OutputArgs, ui: &Ui) -> Result<()> {
    let style = ui.style(None, args.output.is_some());
    let rows = rows.slice(0, args.limit.unwrap_or(usize::MAX).min(rows.num_rows()));
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    output::write(args.format, &rows.schema(), [Ok(rows)], &mut *out, &style)?;
    Ok(())
}

/// Writes rows where and how the user wants them; gives their number.
pub async fn write_stream(
    rows: datafusion::execution::SendableRecordBatchStream,
    args: &OutputArgs,
    ui: &Ui,
) -> Result<u64> {
    let style = ui.style(args.limit, args.output.is_some());
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    output::write_stream(args.format, rows, &mut *out, &style).await
}
