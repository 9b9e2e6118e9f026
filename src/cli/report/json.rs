//! The report as one JSON object, for programs.

use arrow::array::RecordBatch;
use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::Head;
use crate::answers::report::{Finding, Report};
use crate::error::Result;
use crate::output::{self, Format, Style};

/// The object; the data is as it is in the logs, what cannot be seen is written as `\uXXXX`.
pub fn page(head: &Head, report: &Report) -> Result<String> {
    let mut page = serde_json::to_value(report)?;
    if let Some(findings) = page["findings"].as_array_mut() {
        for (shown, finding) in findings.iter_mut().zip(&report.findings) {
            shown["first_rows"] = rows(finding)?.into();
        }
    }
    page["report"] = json!({
        "name": head.name,
        "title": head.title,
        "generated_at": head.generated_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "tool_version": env!("CARGO_PKG_VERSION"),
        "snapshot": head.snapshot,
        "sources": head.sources,
        "notes": head.notes,
    });
    let text = serde_json::to_string_pretty(&page)?;
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match c {
            c if c != '\n' && output::safe::is_hidden(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    safe.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => safe.push(c),
        }
    }
    safe.push('\n');
    Ok(safe)
}

/// The rows of a finding that are kept, as objects.
pub fn rows(finding: &Finding) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for batch in &finding.first {
        all.extend(objects(batch)?);
    }
    Ok(all)
}

fn objects(batch: &RecordBatch) -> Result<Vec<Value>> {
    let mut text = Vec::new();
    let rows = [Ok(batch.clone())];
    output::write(Format::Json, &batch.schema(), rows, &mut text, &Style::default())?;
    Ok(serde_json::from_slice(&text)?)
}
