//! `sessions`: lists sessions, one line each.

use std::path::Path;

use arrow::array::RecordBatch;
use futures::StreamExt;

use super::args::Sessions;
use super::exit::Outcome;
use super::query::write_stream;
use super::ui::Ui;
use super::{destination, source, subject, words};
use crate::answers::sessions::{self, Session, SessionFilter};
use crate::answers::{Rows, Window};
use crate::error::Result;
use crate::output::{self, Format};
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

const LINE: TableDef = TableDef {
    name: "sessions",
    doc: "",
    columns: LINE_COLUMNS,
    partition_by: None,
    lookup: &[],
    sort_by: &[],
};
const LINE_COLUMNS: &[Column] = &[
    col("started_at", Kind::Time, ""),
    col("origin", Kind::Text, ""),
    col("chain", Kind::TextList, ""),
    col("account", Kind::Text, ""),
    col("role", Kind::Text, ""),
    col("session_name", Kind::Text, ""),
    col("calls", Kind::Text, ""),
    col("writes", Kind::Int, ""),
    col("strength", Kind::Text, ""),
    col("session_id", Kind::Text, ""),
];

/// Left out one after the other where the terminal is too narrow.
const OPTIONAL: &[&str] = &["chain", "session_name", "writes", "strength", "account", "calls"];

/// Runs the command.
pub async fn run(store: &Path, command: Sessions, ui: &Ui) -> Result<Outcome> {
    let now = chrono::Utc::now().timestamp_micros();
    let window =
        Window::parse(command.window.since.as_deref(), command.window.until.as_deref(), now)?;
    let filter = SessionFilter {
        role: command.role,
        principal: command.principal,
        account: command.account,
        origin: command.origin,
        window,
        source_ip: command.source_ip,
        unresolved: command.unresolved,
        no_services: command.no_services,
    };
    let tables = source::open(store, &command.source, ui).await?;
    let mut rows = sessions::list(&tables, &filter, command.output.limit).await?;
    let args = &command.output;
    if args.format != Format::Table {
        write_stream(rows, args, ui).await?;
        return Ok(Outcome::Done);
    }
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    let mut style = ui.style(args.limit, args.output.is_some());
    style.optional = OPTIONAL;
    let mut sink = output::sink(Format::Table, &LINE.schema(), &mut *out, &style)?;
    let mut found = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        found += batch.num_rows();
        sink.write(&lines(&batch)?)?;
    }
    sink.finish()?;
    if found == 0 && args.limit != Some(0) {
        ui.note(&source::nothing_found("sessions", &tables).await?);
    }
    Ok(Outcome::Done)
}

fn lines(batch: &RecordBatch) -> Result<RecordBatch> {
    let rows = Rows::new(batch)?;
    let mut lines = RowsBuilder::new(&LINE);
    for row in 0..rows.len() {
        let session = Session::read(&rows, row);
        let calls = match session.event_count {
            0 => "never used".to_owned(),
            n => n.to_string(),
        };
        let strength = match &session.unresolved_reason {
            Some(reason) => Some(format!("none: {reason}")),
            None => session.chain_strength.clone(),
        };
        lines.push(vec![
            session.started_at.map_or(Cell::Null, Cell::Time),
            subject::origin_of(&session).into(),
            words::chain(&session.chain, session.origin_account_id.as_deref()).into(),
            session.account_id.clone().into(),
            session.role_name.clone().unwrap_or_else(|| words::hat(&session)).into(),
            session.session_name.clone().into(),
            calls.into(),
            Cell::Int(i64::try_from(session.write_count).unwrap_or(i64::MAX)),
            strength.into(),
            words::short_id(&session.session_id).into(),
        ]);
    }
    lines.finish()
}
