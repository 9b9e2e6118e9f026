//! `query`: SQL from the argument, a file, or the saved queries.

use std::path::Path;

use super::args::{OutputArgs, Query};
use super::destination;
use super::exit::Outcome;
use super::source;
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::output;
use crate::sql::saved::{self, SAVED};
use crate::sql::{Params, parse_param};

/// Runs the command.
pub async fn run(store: &Path, command: Query, ui: &Ui) -> Result<Outcome> {
    if command.list {
        let widest = SAVED.iter().map(|saved| saved.name.len()).max().unwrap_or(0);
        let line = |saved: &saved::Saved| format!("{:widest$}  {}\n", saved.name, saved.title());
        ui.print(&SAVED.iter().map(line).collect::<String>())?;
        return Ok(Outcome::Done);
    }
    let now = chrono::Utc::now().timestamp_micros();
    let mut params = Params::none();
    let sql = match (&command.name, &command.file) {
        (Some(name), _) => {
            let saved = saved::by_name(name)?;
            for (name, value) in saved.defaults() {
                let (name, value) = parse_param(&format!("{name}={value}"), now)?;
                params.insert(name, value);
            }
            saved.sql.to_owned()
        }
        (None, Some(file)) => std::fs::read_to_string(file).map_err(Error::io(file))?,
        (None, None) => command.sql.clone().unwrap_or_default(),
    };
    for param in &command.params {
        let (name, value) = parse_param(param, now)?;
        params.insert(name, value);
    }
    let tables = source::open(store, &command.source, ui).await?;
    let mut frame = tables.plan_exactly(&sql, params).await?;
    if let Some(limit) = command.output.limit {
        frame = frame.limit(0, Some(limit))?;
    }
    write_stream(frame.execute_stream().await?, &command.output, ui).await?;
    Ok(Outcome::Done)
}

/// Writes rows where and how the user wants them.
pub async fn write_stream(
    rows: datafusion::execution::SendableRecordBatchStream,
    args: &OutputArgs,
    ui: &Ui,
) -> Result<()> {
    let style = ui.style(args.limit, args.output.is_some());
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    output::write_stream(args.format, rows, &mut *out, &style).await?;
    Ok(())
}
