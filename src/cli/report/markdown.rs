//! The report as Markdown, as GitHub has it: for tickets, mail and the terminal.

use serde_json::Value;

use super::super::words;
use super::{Head, json, text};
use crate::answers::report::{Finding, Report};
use crate::error::Result;
use crate::output::safe;

/// Rows of a finding that are shown.
const MOST_ROWS: usize = 20;

/// The report; what comes from logs is neutralised.
pub fn page(head: &Head, report: &Report) -> Result<String> {
    let mut out = format!("# {}\n\n{}\n", md(&head.title), md(&text::window(report.window)));
    for sentence in text::summary(report).iter().chain(&head.notes) {
        out.push_str(&format!("\n- {}", md(sentence)));
    }
    out.push_str("\n\n## Findings\n");
    for finding in text::found(report) {
        push_finding(&mut out, head, finding)?;
    }
    let silent: Vec<String> = report
        .findings
        .iter()
        .filter(|f| f.rows == 0)
        .map(|f| format!("`{}`", md(&f.query)))
        .collect();
    if !silent.is_empty() {
        out.push_str(&format!("\nFound nothing: {}\n", silent.join(", ")));
    }
    push_ranking(&mut out, report);
    let ways = report.paths.shown.iter().map(|path| {
        let way = md(&path.chain.join(" → "));
        format!("| {way} | {} | {} | {} |\n", path.sessions, path.calls, path.writes)
    });
    let columns = "| Way | Sessions | Calls | Changes |\n| --- | ---: | ---: | ---: |\n";
    push_table(&mut out, "Role chains", columns, ways, "Nobody took a role.");
    push_trust(&mut out, report);
    out.push_str("\n## About this report\n\n");
    for (label, value) in text::origin(head) {
        out.push_str(&format!("- {label}: {}\n", md(&value)));
    }
    Ok(out)
}

fn md(text: &str) -> String {
    safe::markdown(text).into_owned()
}

/// A command as code, within more backticks than it holds itself.
fn code(command: &str) -> String {
    let command = safe::terminal(command);
    match command.split(|c| c != '`').map(str::len).max() {
        None | Some(0) => format!("`{command}`"),
        Some(most) => {
            let fence = "`".repeat(most + 1);
            format!("{fence} {command} {fence}")
        }
    }
}

fn push_finding(out: &mut String, head: &Head, finding: &Finding) -> Result<()> {
    let rows = json::rows(finding)?;
    let empty = |v: &Value| v.is_null() || v.as_array().is_some_and(Vec::is_empty);
    let columns: Vec<&String> =
        finding.columns.iter().filter(|c| rows.iter().any(|r| !empty(&r[c.as_str()]))).collect();
    let count = text::count(finding.rows, "row");
    let (severity, title) = (finding.severity, md(&finding.title));
    out.push_str(&format!("\n### {severity}: {title} ({count})\n\n"));
    let names: Vec<String> = columns.iter().map(|c| md(c)).collect();
    out.push_str(&format!("| {} |\n|{}\n", names.join(" | "), " --- |".repeat(names.len())));
    for row in rows.iter().take(MOST_ROWS) {
        let cells: Vec<String> =
            columns.iter().map(|c| md(&text::cell(c, &row[c.as_str()]))).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    if finding.rows > rows.len().min(MOST_ROWS) as u64 {
        out.push_str(&format!("\nAll rows: {}\n", code(&text::command(head, finding))));
    }
    if !finding.cannot_know.is_empty() {
        out.push_str(&format!("\n*Cannot know: {}*\n", md(&finding.cannot_know)));
    }
    Ok(())
}

/// A section of one table; where there are no lines it says so.
fn push_table(
    out: &mut String,
    title: &str,
    head: &str,
    lines: impl Iterator<Item = String>,
    none: &str,
) {
    let lines: String = lines.collect();
    let body = if lines.is_empty() { format!("{none}\n") } else { format!("{head}{lines}") };
    out.push_str(&format!("\n## {title}\n\n{body}"));
}

fn push_ranking(out: &mut String, report: &Report) {
    let lines = report.origins.iter().map(|o| {
        let kind = o.origin_type.as_deref().unwrap_or("Unknown");
        let (account, detail) = (o.origin_account_id.as_deref(), o.origin_detail.as_deref());
        let name = words::origin(kind, o.origin.as_deref(), account, detail);
        format!("| {} | {} | {} | {} |\n", md(&name), o.calls, o.writes, o.roles)
    });
    let head = "| Origin | Calls | Changes | Roles |\n| --- | ---: | ---: | ---: |\n";
    push_table(out, "Who was most active", head, lines, "Nobody.");
}

fn push_trust(out: &mut String, report: &Report) {
    let lines = report.attribution.outcomes.iter().map(|o| {
        let what = text::outcome(o.chain_strength.as_deref(), o.unresolved_reason.as_deref());
        format!("| {} | {} |\n", md(&what), o.calls)
    });
    let head = "| Origin | Calls |\n| --- | ---: |\n";
    push_table(out, "How many calls have a known origin", head, lines, "No calls.");
    let lines = report.coverage.stripes.iter().map(|s| {
        let silence = match s.longest_silence {
            0 => String::new(),
            n => format!("{} from {}", text::count(n, "hour"), text::instant(s.silent_since)),
        };
        let (account, region) = (md(&s.account_id), md(&s.aws_region));
        let hours = format!("{} of {}", s.hours_with_events, s.hours);
        format!("| {account} | {region} | {hours} | {silence} |\n")
    });
    let head =
        "| Account | Region | Hours with events | Longest silence |\n| --- | --- | ---: | --- |\n";
    push_table(out, "Where the logs are", head, lines, "No logs of this window.");
}
