//! `who`: who did what, one line a call.

use std::collections::HashSet;
use std::path::Path;

use arrow::array::RecordBatch;
use futures::StreamExt;

use super::args::Who;
use super::exit::Outcome;
use super::ui::Ui;
use super::{destination, source, unmatched, words};
use crate::answers::activity::{self, ActivityFilter, Columns};
use crate::answers::{Rows, Window, typed};
use crate::error::Result;
use crate::output::{self, Format};
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

const LINE: TableDef = TableDef::answer("who", LINE_COLUMNS);
const LINE_COLUMNS: &[Column] = &[
    col("time", Kind::Time, ""),
    col("origin", Kind::Text, ""),
    col("chain", Kind::TextList, ""),
    col("action", Kind::Text, ""),
    col("target", Kind::Text, ""),
    col("from", Kind::Text, ""),
    col("result", Kind::Text, ""),
    col("strength", Kind::Text, ""),
];

/// Left out one after the other where the terminal is too narrow.
const OPTIONAL: &[&str] = &["strength", "from", "chain", "target"];

/// Runs the command.
pub async fn run(store: &Path, command: Who, ui: &Ui) -> Result<Outcome> {
    let args = command.output.clone();
    let filter = filter_of(&command)?;
    let tables = source::open(store, &command.source, ui).await?;
    let people = args.format == Format::Table;
    let columns = if people { Columns::ForPeople } else { Columns::All };
    let mut rows = activity::list(&tables, &filter, columns, args.limit).await?;
    let schema = if people { LINE.schema() } else { rows.schema() };
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    let mut style = ui.style(args.limit, args.output.is_some());
    style.optional = OPTIONAL;
    let mut sink = output::sink(args.format, &schema, &mut *out, &style)?;
    let mut tally = Tally::default();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let read = Rows::new(&batch)?;
        tally.add(&read);
        if people { sink.write(&lines(&read)?)? } else { sink.write(&batch)? }
    }
    sink.finish()?;
    // What was not asked for is not missing.
    if args.limit == Some(0) {
        return Ok(Outcome::Done);
    }
    if tally.calls > 0 {
        ui.note(&tally.line());
    } else {
        let why = activity::unmatched(&tables, &filter).await?;
        unmatched::tell("calls", &why, &tables, ui).await?;
    }
    Ok(Outcome::Done)
}

fn filter_of(command: &Who) -> Result<ActivityFilter> {
    let now = chrono::Utc::now().timestamp_micros();
    let window = &command.window;
    typed::account(command.account.as_deref())?;
    typed::address(command.source_ip.as_deref())?;
    let errors = match (command.errors, command.no_errors) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    Ok(ActivityFilter {
        action: command.action.clone(),
        resource: command.resource.clone(),
        role: command.role.clone(),
        origin: command.origin.clone(),
        account: command.account.clone(),
        source_ip: command.source_ip.clone(),
        access_key: command.access_key.clone(),
        window: Window::parse(window.since.as_deref(), window.until.as_deref(), now)?,
        errors,
        writes: command.writes,
        no_services: command.no_services,
        unresolved: command.unresolved,
    })
}

fn lines(rows: &Rows) -> Result<RecordBatch> {
    let mut lines = RowsBuilder::new(&LINE);
    for row in 0..rows.len() {
        let text = |name| rows.text(name, row);
        let account = text("origin_account_id");
        let kind = text("origin_type").unwrap_or("Unknown");
        let origin = words::origin(kind, text("origin"), account, text("origin_detail"));
        let action =
            words::action(text("event_source").unwrap_or(""), text("event_name").unwrap_or(""));
        let strength = text("chain_strength").filter(|strength| *strength != "exact");
        lines.push(vec![
            rows.time("event_time", row).map_or(Cell::Null, Cell::Time),
            origin.into(),
            words::chain(&rows.list("chain", row), account).into(),
            action.into(),
            words::target(text("resource_arn"), text("request_parameters")).into(),
            text("source_ip_address").into(),
            text("failure").unwrap_or("ok").into(),
            strength.into(),
        ]);
    }
    lines.finish()
}

/// How many calls, by how many origins.
#[derive(Default)]
struct Tally {
    calls: u64,
    unknown: u64,
    origins: HashSet<String>,
}

impl Tally {
    fn add(&mut self, rows: &Rows) {
        self.calls += rows.len() as u64;
        for row in 0..rows.len() {
            let text = |name| rows.string(name, row);
            match text("origin") {
                None => self.unknown += 1,
                Some(name) => {
                    let kind = text("origin_type").unwrap_or_default();
                    // Instances and functions are workloads of one service, as before.
                    let detail = text("origin_detail").filter(|_| kind != "AWSService");
                    let account = text("origin_account_id");
                    let shown =
                        words::origin(&kind, Some(&name), account.as_deref(), detail.as_deref());
                    self.origins.insert(format!("{kind} {shown}"));
                }
            }
        }
    }

    fn line(&self) -> String {
        let many =
            |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        let calls = many(self.calls, "call", "calls");
        let origins = many(self.origins.len() as u64, "origin", "origins");
        match (self.calls, self.unknown) {
            (_, 0) => format!("{calls} by {origins}"),
            (all, unknown) if all == unknown => format!("{calls}, origin unknown"),
            (_, unknown) => format!("{calls} by {origins}; origin unknown for {unknown}"),
        }
    }
}
