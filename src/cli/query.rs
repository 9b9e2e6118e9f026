//! `query`: SQL from the argument, a file, or the saved queries.

use std::fs::File;
use std::path::Path;

use super::args::{OutputArgs, Query};
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
    let mut frame = tables.plan(&sql, params).await?;
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
    match &args.output {
        Some(path) => {
            let mut file = File::create(path).map_err(Error::io(path))?;
            output::write_stream(args.format, rows, &mut file, &style).await?;
        }
        None => {
            refuse_binary_on_terminal(args, ui)?;
            let mut out = std::io::stdout();
            output::write_stream(args.format, rows, &mut out, &style).await?;
        }
    }
    Ok(())
}

fn refuse_binary_on_terminal(args: &OutputArgs, ui: &Ui) -> Result<()> {
    if args.format.is_binary() && ui.stdout_is_terminal() {
        return Err(Error::usage_hint(
            "this format is not for a terminal",
            "write it to a file with -o FILE",
        ));
    }
    Ok(())
}
