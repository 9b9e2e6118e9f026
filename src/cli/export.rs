//! `export`: a table, a view or any SQL into files for other tools.

use std::path::Path;

use arrow::array::RecordBatch;
use chrono::{SecondsFormat, Utc};
use clap::ValueEnum;
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::args::{Export, ExportFormat};
use super::exit::Outcome;
use super::export_statement::{Statement, statement};
use super::ingest::redactor;
use super::source;
use super::ui::Ui;
use crate::answers::{Rows, Window};
use crate::error::{Error, Result};
use crate::output::export::{Layout, Written, export, is_export_file};
use crate::output::target::{Asked, Target};
use crate::output::{FileNotes, Format};
use crate::redact::Redactor;
use crate::sql::{Params, Sql, is_out_of_memory};

/// Files that the metadata of an export lists one by one.
const MOST_LISTED: usize = 1000;

/// Runs the command.
pub async fn run(store: &Path, command: Export, ui: &Ui) -> Result<Outcome> {
    let now = Utc::now();
    let window = Window::parse(
        command.window.since.as_deref(),
        command.window.until.as_deref(),
        now.timestamp_micros(),
    )?;
    let format = format_of(&command)?;
    let most_bytes = command.max_file_size.as_deref().map(parse_size).transpose()?;
    let s3 = command.source.s3.settings();
    let asked = Asked { address: &command.output, overwrite: command.overwrite, s3: &s3 };
    let folder = asked.is_folder() || !command.partition_by.is_empty() || most_bytes.is_some();
    let open = || if folder { asked.folder(is_export_file) } else { asked.file() };
    let redactor = redactor(store, command.redact, command.redact_key_file.as_deref(), ui)?;
    // Before the work, not after it: what is there already may not be replaced.
    let target = open()?;
    let tables = source::open(store, &command.source, ui).await?;
    let statement = statement(&command, window, now.timestamp_micros(), ui)?;
    let mut layout = Layout {
        format,
        partition_by: command.partition_by.clone(),
        most_bytes,
        notes: FileNotes {
            metadata: metadata(&tables, &statement, now, redactor.is_some()).await?,
            ..FileNotes::default()
        },
    };
    let redactor = redactor.as_ref();
    let written = match attempt((&tables, redactor), &statement, &mut layout, target).await {
        // Joins want one side in memory; the slower way sorts both sides on disk.
        Err(e) if is_out_of_memory(&e) => {
            ui.note(
                "note: the answer does not fit into memory; sorting on disk, which takes longer",
            );
            attempt((&tables.on_disk()?, redactor), &statement, &mut layout, open()?).await?
        }
        written => written?,
    };
    ui.print(&done(&written, &command.output))?;
    Ok(Outcome::Done)
}

fn done(written: &Written, place: &str) -> String {
    let count = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let place = crate::output::safe::terminal(place);
    format!("{} in {}: {place}\n", count(written.rows, "row"), count(written.files, "file"))
}

async fn attempt(
    (tables, redactor): (&Sql, Option<&Redactor>),
    statement: &Statement,
    layout: &mut Layout,
    mut target: Box<dyn Target>,
) -> Result<Written> {
    let (rows, lookup, sorted_by) = statement.rows(tables, &layout.partition_by).await?;
    layout.notes.lookup = lookup;
    layout.notes.sorted_by = sorted_by;
    let rows = match redactor {
        Some(redactor) => {
            // Pseudonyms sort in another way than what they stand for.
            layout.notes.sorted_by.clear();
            redacted(rows, redactor.clone())?
        }
        None => rows,
    };
    let written = export(rows, layout, &mut *target).await?;
    target.commit()?;
    Ok(written)
}

/// The rows with pseudonyms.
fn redacted(
    rows: SendableRecordBatchStream,
    redactor: Redactor,
) -> Result<SendableRecordBatchStream> {
    let schema = redactor.batch(&RecordBatch::new_empty(rows.schema()))?.schema();
    let rows = rows.map(move |batch| {
        redactor.batch(&batch?).map_err(|e| DataFusionError::External(Box::new(e)))
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// The format asked for, or that of the file's ending, or Parquet.
fn format_of(command: &Export) -> Result<Format> {
    if let Some(format) = command.format {
        return Ok(format.format());
    }
    let name = command.output.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    Ok(match ending.as_deref() {
        Some("csv") => Format::Csv,
        Some("ndjson" | "jsonl") => Format::Ndjson,
        Some("arrow" | "feather" | "ipc") => Format::Arrow,
        Some(other @ ("json" | "md" | "txt" | "html" | "xlsx")) => {
            let names: Vec<String> = ExportFormat::value_variants()
                .iter()
                .filter_map(|f| Some(f.to_possible_value()?.get_name().to_owned()))
                .collect();
            return Err(Error::usage_hint(
                format!("export writes no .{other} files"),
                format!("give --format with one of: {}", names.join(", ")),
            ));
        }
        _ => Format::Parquet,
    })
}

/// `128MB`, `1GiB`, or bytes.
fn parse_size(text: &str) -> Result<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" => Some(1000),
        "kib" => Some(1 << 10),
        "m" | "mb" => Some(1_000_000),
        "mib" => Some(1 << 20),
        "g" | "gb" => Some(1_000_000_000),
        "gib" => Some(1 << 30),
        _ => None,
    };
    let number: Option<u64> = text[..digits].parse().ok();
    let bytes = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| {
        let text = format!("--max-file-size {text} is no size");
        Error::usage_hint(text, "write 128MB, 1GiB, or a number of bytes")
    })
}

/// What every file says of where it comes from; `redacted` without statement, parameters and paths, in
/// which names may stand.
async fn metadata(
    tables: &Sql,
    statement: &Statement,
    now: chrono::DateTime<Utc>,
    redacted: bool,
) -> Result<Vec<(String, String)>> {
    let mut sources = sources(tables).await?;
    if redacted {
        sources.as_object_mut().map(|sources| sources.remove("list"));
    }
    let mut all = vec![
        ("roletrail.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("roletrail.exported_at".to_owned(), now.to_rfc3339_opts(SecondsFormat::Secs, true)),
        ("roletrail.sql".to_owned(), statement.sql.clone()),
        ("roletrail.parameters".to_owned(), parameters(&statement.params).to_string()),
        ("roletrail.sources".to_owned(), sources.to_string()),
    ];
    if redacted {
        all.retain(|(name, _)| name != "roletrail.sql" && name != "roletrail.parameters");
        all.push(("roletrail.redacted".to_owned(), "true".to_owned()));
    }
    if let Some(snapshot) = tables.snapshot() {
        all.push(("roletrail.snapshot".to_owned(), snapshot.to_string()));
    }
    Ok(all)
}

fn parameters(params: &Params) -> serde_json::Value {
    let shown = |value: &ScalarValue| match value {
        ScalarValue::TimestampMicrosecond(Some(micros), _) => {
            json!(crate::model::time::format_instant(*micros))
        }
        value if value.is_null() => serde_json::Value::Null,
        value => json!(value.to_string()),
    };
    params.iter().map(|(name, value)| (name.to_owned(), shown(value))).collect()
}

/// The input files: how many, and one hash over all of them, which is that of the lines
/// `SHA-256  path` that `sha256sum` prints, in the order of the paths; each one while they are few.
pub(super) async fn sources(tables: &Sql) -> Result<serde_json::Value> {
    let statement = "SELECT DISTINCT path, sha256 FROM files
                     WHERE sha256 IS NOT NULL AND status <> 'skipped' ORDER BY path, sha256";
    let mut rows = tables.stream(statement, Params::none()).await?;
    let (mut hash, mut count, mut list) = (Sha256::new(), 0usize, Vec::new());
    while let Some(batch) = rows.next().await {
        let rows = Rows::new(&batch?)?;
        for row in 0..rows.len() {
            let path = rows.text("path", row).unwrap_or_default();
            let sha256 = rows.text("sha256", row).unwrap_or_default();
            hash.update(format!("{sha256}  {path}\n"));
            count += 1;
            if count <= MOST_LISTED {
                list.push(json!({ "path": path, "sha256": sha256 }));
            }
        }
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut sources = json!({ "files": count, "sha256": hash });
    if count <= MOST_LISTED {
        sources["list"] = list.into();
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let sizes = ["1", "128MB", "1 GiB", "5k"].map(|text| parse_size(text).unwrap());
        assert_eq!(sizes, [1, 128_000_000, 1 << 30, 5000]);
        for wrong in ["", "0", "MB", "1.5GB", "-1", "9999999999999GB"] {
            assert!(matches!(parse_size(wrong), Err(Error::Usage { .. })), "{wrong}");
        }
    }
}
