//! `timeline`: everything a session did, in order; with `--tree` all that came of it too.

use std::path::Path;

use arrow::array::RecordBatch;
use futures::StreamExt;

use super::args::Timeline;
use super::exit::Outcome;
use super::query::write_stream;
use super::ui::Ui;
use super::{destination, source, subject, words};
use crate::answers::sessions::{self, Session};
use crate::answers::{Rows, timeline};
use crate::error::Result;
use crate::output::{self, Format};
use crate::sql::Sql;
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

const HATS: TableDef = line(&[
    col("time", Kind::Time, ""),
    col("hat", Kind::Text, ""),
    col("action", Kind::Text, ""),
    col("target", Kind::Text, ""),
    col("account", Kind::Text, ""),
    col("region", Kind::Text, ""),
    col("from", Kind::Text, ""),
    col("result", Kind::Text, ""),
]);
const ONE_HAT: TableDef = line(&[
    col("time", Kind::Time, ""),
    col("action", Kind::Text, ""),
    col("target", Kind::Text, ""),
    col("account", Kind::Text, ""),
    col("region", Kind::Text, ""),
    col("from", Kind::Text, ""),
    col("result", Kind::Text, ""),
]);

const fn line(columns: &'static [Column]) -> TableDef {
    TableDef::answer("timeline", columns)
}

/// Runs the command.
pub async fn run(store: &Path, command: Timeline, ui: &Ui) -> Result<Outcome> {
    let tables = source::open(store, &command.source, ui).await?;
    let session = subject::one(&tables, &command.id, ui).await?;
    let sessions = if command.tree { tree_of(&tables, session, ui).await? } else { vec![session] };
    let args = &command.output;
    let mut rows = timeline::timeline(&tables, &sessions, args.limit).await?;
    if args.format != Format::Table {
        write_stream(rows, args, ui).await?;
        return Ok(Outcome::Done);
    }
    let def = if command.tree { &HATS } else { &ONE_HAT };
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    let style = ui.style(args.limit, args.output.is_some());
    let mut sink = output::sink(Format::Table, &def.schema(), &mut *out, &style)?;
    while let Some(batch) = rows.next().await {
        sink.write(&lines(&batch?, def)?)?;
    }
    sink.finish()?;
    Ok(Outcome::Done)
}

async fn tree_of(tables: &Sql, session: Session, ui: &Ui) -> Result<Vec<Session>> {
    let (ids, cut) = timeline::with_descendants(tables, &[session.session_id]).await?;
    if cut {
        ui.note(&format!(
            "warning: more than {} sessions came of it; the nearest are shown",
            timeline::MOST_SESSIONS
        ));
    }
    sessions::load(tables, ids.iter().map(String::as_str)).await
}

fn lines(batch: &RecordBatch, def: &'static TableDef) -> Result<RecordBatch> {
    let rows = Rows::new(batch)?;
    let mut lines = RowsBuilder::new(def);
    for row in 0..rows.len() {
        let text = |name| rows.text(name, row);
        let action =
            words::action(text("event_source").unwrap_or(""), text("event_name").unwrap_or(""));
        let mut cells = vec![rows.time("event_time", row).map_or(Cell::Null, Cell::Time)];
        if def.columns.len() == HATS.columns.len() {
            cells.push(text("hat").into());
        }
        cells.extend([
            action.into(),
            words::target(text("resource_arn"), text("request_parameters")).into(),
            text("recipient_account_id").into(),
            text("aws_region").into(),
            text("source_ip_address").into(),
            text("error_code").or(text("error_message")).unwrap_or("ok").into(),
        ]);
        lines.push(cells);
    }
    lines.finish()
}
