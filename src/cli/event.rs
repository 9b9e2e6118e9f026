//! `event`: a record as it was, and where it came from.

use std::path::Path;

use super::args::Event;
use super::exit::Outcome;
use super::ui::Ui;
use super::{destination, json, query, source};
use crate::answers::event::{self, EventRecord, MOST_RECORDS, ObjectRead};
use crate::error::{Error, Result};
use crate::output::{Format, safe};
use crate::sql::{Params, Sql};

/// Runs the command.
pub async fn run(store: &Path, command: Event, ui: &Ui) -> Result<Outcome> {
    let tables = source::open(store, &command.source, ui).await?;
    let mut records = event::event(&tables, &command.id).await?;
    if records.is_empty() {
        return Err(absent(&command.id, &tables).await?);
    }
    let more = records.len() > MOST_RECORDS;
    records.truncate(MOST_RECORDS);
    let file = command.output.output.as_deref();
    match command.output.format {
        None => destination::write_text(&page(&command.id, &records), file, ui)?,
        Some(Format::Json) => {
            let value = serde_json::json!({ "event_id": command.id, "records": records });
            destination::write_text(&json::text(&value), file, ui)?;
        }
        Some(format) => {
            let all =
                "SELECT * FROM events WHERE event_id = $id ORDER BY source_file, source_record";
            let rows = tables.stream(all, Params::none().text("id", command.id.as_str())).await?;
            query::write_stream(rows, &command.output.rows(format), ui).await?;
        }
    }
    if records.len() > 1 {
        ui.note(&format!(
            "warning: {}{} records of this id contradict each other; all are kept",
            if more { "more than " } else { "" },
            records.len()
        ));
    }
    Ok(Outcome::Done)
}

async fn absent(id: &str, tables: &Sql) -> Result<Error> {
    let span = source::nothing_found("events", tables).await?;
    Ok(Error::NotFound {
        message: format!("there is no event {id}"),
        hint: Some(format!(
            "{span}; ids are written as in the log; a record that could not be read is in the \
             table rejects"
        )),
    })
}

/// The records, each with its origin; what comes from logs is neutralised.
fn page(id: &str, records: &[EventRecord]) -> String {
    let mut out = String::new();
    for (n, one) in records.iter().enumerate() {
        if records.len() > 1 {
            let line = format!("Record {} of {} with the id {id}", n + 1, records.len());
            out.push_str(&format!("{}{}\n", if n > 0 { "\n" } else { "" }, safe::terminal(&line)));
        }
        out.push_str(&json::text(&one.record));
        out.push_str("\nWhere it came from\n");
        line(&mut out, "file", one.source_file.as_deref());
        line(&mut out, "record", one.source_record.map(|n| n.to_string()).as_deref());
        if one.read_from.len() > 1 {
            let text = format!("read {} times; each may have held it", one.read_from.len());
            line(&mut out, "versions", Some(&text));
        }
        one.read_from.iter().for_each(|object| describe(&mut out, object));
        line(&mut out, "session", one.session_id.as_deref());
    }
    out
}

fn describe(out: &mut String, object: &ObjectRead) {
    let unread = "none: the object could not be read to its end";
    line(out, "sha256", Some(object.sha256.as_deref().unwrap_or(unread)));
    line(out, "etag", object.etag.as_deref());
    line(out, "version id", object.version_id.as_deref());
    line(out, "size", object.size_bytes.map(|n| format!("{n} bytes")).as_deref());
    line(out, "modified", object.modified_at.as_deref());
    line(out, "ingested", object.ingested_at.as_deref());
}

fn line(out: &mut String, label: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.push_str(&format!("  {label:13}{}\n", safe::terminal(value)));
    }
}
