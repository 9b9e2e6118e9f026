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
        push_finding(&mut out, finding)?;
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
    out.push_str(
        "\n## Role chains\n\n| Way | Sessions | Calls | Changes |\n| --- | ---: | ---: | ---: |\n",
    );
    for path in &report.paths.shown {
        let way = path.chain.join(" → ");
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            md(&way),
            path.sessions,
            path.calls,
            path.writes
        ));
    }
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

fn push_finding(out: &mut String, finding: &Finding) -> Result<()> {
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
        let command = text::command(finding).replace('`', "'");
        out.push_str(&format!("\nAll rows: `{command}`\n"));
    }
    if !finding.cannot_know.is_empty() {
        out.push_str(&format!("\n*Cannot know: {}*\n", md(&finding.cannot_know)));
    }
    Ok(())
}

fn push_ranking(out: &mut String, report: &Report) {
    out.push_str("\n## Who was most active\n\n| Origin | Calls | Changes | Roles |\n| --- | ---: | ---: | ---: |\n");
    for o in &report.origins {
        let kind = o.origin_type.as_deref().unwrap_or("Unknown");
        let (account, detail) = (o.origin_account_id.as_deref(), o.origin_detail.as_deref());
        let name = words::origin(kind, o.origin.as_deref(), account, detail);
        out.push_str(&format!("| {} | {} | {} | {} |\n", md(&name), o.calls, o.writes, o.roles));
    }
}

fn push_trust(out: &mut String, report: &Report) {
    out.push_str("\n## How many calls have a known origin\n\n| Origin | Calls |\n| --- | ---: |\n");
    for o in &report.attribution.outcomes {
        let what = text::outcome(o.chain_strength.as_deref(), o.unresolved_reason.as_deref());
        out.push_str(&format!("| {} | {} |\n", md(&what), o.calls));
    }
    out.push_str("\n## Where the logs are\n\n| Account | Region | Hours with events | Longest silence |\n| --- | --- | ---: | --- |\n");
    for s in &report.coverage.stripes {
        let silence = match s.longest_silence {
            0 => String::new(),
            n => format!("{} from {}", text::count(n, "hour"), text::instant(s.silent_since)),
        };
        let (account, region) = (md(&s.account_id), md(&s.aws_region));
        let hours = format!("{} of {}", s.hours_with_events, s.hours);
        out.push_str(&format!("| {account} | {region} | {hours} | {silence} |\n"));
    }
}
