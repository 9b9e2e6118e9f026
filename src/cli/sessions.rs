//! `sessions`: lists sessions, one line each.

use std::path::Path;

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::args::{OutputArgs, Sessions};
use super::exit::Outcome;
use super::query::write_stream;
use super::ui::Ui;
use super::{destination, source, subject, unmatched, words};
use crate::answers::sessions::{self, Session, SessionFilter};
use crate::answers::{Rows, Window, typed};
use crate::error::Result;
use crate::output::{self, Format};
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

const LINE: TableDef = TableDef::answer("sessions", LINE_COLUMNS);
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
    typed::account(command.account.as_deref())?;
    typed::address(command.source_ip.as_deref())?;
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
    let rows = sessions::list(&tables, &filter, command.output.limit).await?;
    let found = match command.output.format {
        Format::Table => write_lines(rows, &command.output, ui).await?,
        _ => write_stream(rows, &command.output, ui).await?,
    };
    if found == 0 && command.output.limit != Some(0) {
        let why = sessions::unmatched(&tables, &filter).await?;
        unmatched::tell("sessions", &why, &tables, ui).await?;
    }
    Ok(Outcome::Done)
}

/// Writes lines for people; gives their number.
async fn write_lines(
    mut rows: SendableRecordBatchStream,
    args: &OutputArgs,
    ui: &Ui,
) -> Result<u64> {
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    let mut style = ui.style(args.limit, args.output.is_some());
    style.optional = OPTIONAL;
    let mut sink = output::sink(Format::Table, &LINE.schema(), &mut *out, &style)?;
    let mut found = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        found += batch.num_rows() as u64;
        sink.write(&lines(&batch)?)?;
    }
    sink.finish()?;
    Ok(found)
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
