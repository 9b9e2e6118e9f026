//! The parts of the page but for its head and its sessions.

use maud::{Markup, html};
use serde_json::Value;

use super::super::words;
use super::{Head, charts, json, text};
use crate::answers::report::{Finding, Outcome, Report, Stripe};
use crate::error::Result;
use crate::sql::saved::Severity;

/// Input files that are listed.
const MOST_FILES: usize = 200;

/// What the colours mean.
pub fn legend() -> Markup {
    html! {
        ul.legend {
            li { span.key.reads {} "other calls" }
            li { span.key.writes {} "changes" }
            li { span.key.errors {} "failed" }
        }
    }
}

/// A severity as a word in its colour.
pub fn badge(severity: &str) -> Markup {
    html! { span class=(format!("badge {severity}")) { (severity) } }
}

/// What the queries found, the gravest first; then those that found nothing.
pub fn findings(head: &Head, report: &Report) -> Result<Markup> {
    let mut found = Vec::new();
    for finding in text::found(report) {
        found.push(one_finding(head, finding)?);
    }
    let silent: Vec<&Finding> = report.findings.iter().filter(|f| f.rows == 0).collect();
    Ok(html! {
        section #findings aria-labelledby="h-findings" {
            h2 id="h-findings" { "Findings" }
            @if found.is_empty() { p.none { "No query found anything." } }
            @for finding in &found { (finding) }
            @if !silent.is_empty() {
                details.silent {
                    summary { (text::count(silent.len() as u64, "query").replace("querys", "queries")) " found nothing" }
                    @for finding in silent {
                        details.finding {
                            summary { (badge(finding.severity)) span.title { (finding.title) } span.rows { "none" } }
                            (behind(finding))
                        }
                    }
                }
            }
        }
    })
}

fn one_finding(head: &Head, finding: &Finding) -> Result<Markup> {
    let rows = json::rows(finding)?;
    // A column that says nothing takes room from those that do.
    let telling: Vec<&String> =
        finding.columns.iter().filter(|c| rows.iter().any(|r| !is_empty(&r[c.as_str()]))).collect();
    let numeric = |column: &str| {
        rows.iter().map(|row| &row[column]).filter(|v| !v.is_null()).all(Value::is_number)
    };
    Ok(html! {
        details.finding open[finding.rank >= Severity::High] {
            summary {
                (badge(finding.severity))
                span.title { (finding.title) }
                span.rows { (text::count(finding.rows, "row")) }
            }
            div.scroll tabindex="0" role="region" aria-label=(finding.title) {
                // On a phone rows become cards; the roles keep it a table to those who do not see it.
                table.cards role="table" {
                    caption.hidden { (finding.title) }
                    thead role="rowgroup" { tr role="row" { @for c in &telling { th.number[numeric(c)] role="columnheader" scope="col" { (heading(c)) } } } }
                    tbody role="rowgroup" {
                        @for row in &rows {
                            tr role="row" { @for c in &telling { td.number[numeric(c)] role="cell" data-label=(heading(c)) { (shown(c, &row[c.as_str()])) } } }
                        }
                    }
                }
            }
            @if finding.rows > rows.len() as u64 {
                p.note { "The first " (rows.len()) " of " (text::number(finding.rows)) " rows. All of them: "
                    code { (text::command(head, finding)) } }
            }
            (behind(finding))
        }
    })
}

fn heading(column: &str) -> String {
    column.replace('_', " ")
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn shown(column: &str, value: &Value) -> Markup {
    let plain = text::cell(column, value);
    let id = column.ends_with("_id") || column.ends_with("_key") || column.ends_with("arn");
    // An instant is one word to a reader, and stands on one line.
    let is_time = plain.len() == 20 && plain.ends_with('Z') && plain.as_bytes()[10] == b'T';
    html! {
        div.v { @if plain.is_empty() {}
        @else if is_time { span.time { (plain.trim_end_matches('Z').replacen('T', " ", 1)) } }
        @else if id { span.id { (plain) } }
        @else { (plain) } }
    }
}

/// How a finding was made, and what it cannot tell.
fn behind(finding: &Finding) -> Markup {
    html! {
        @if !finding.cannot_know.is_empty() {
            p.cannot { strong { "Cannot know: " } (finding.cannot_know) }
        }
        @if !finding.windowed {
            p.note { "This query has no window: it looks at all logs." }
        }
        details.sql {
            summary { "How it was found: " code { (finding.query) } }
            @if !finding.shows.is_empty() { p { strong { "Shows: " } (finding.shows) } }
            @if !finding.params.is_empty() {
                p { strong { "With: " } @for (name, value) in &finding.params { code { (name) " = " (value) } " " } }
            }
            pre tabindex="0" { code { (finding.sql) } }
        }
    }
}

/// Who and which roles made most calls.
pub fn busiest(report: &Report) -> Markup {
    let most_origin = report.origins.first().map_or(0, |o| o.calls);
    let most_role = report.roles.first().map_or(0, |r| r.calls);
    html! {
        div.columns {
            section aria-labelledby="h-origins" {
                h2 id="h-origins" { "Who was most active" }
                p.lead { "People, workloads and outside identities, followed through all their roles. AWS's own services are left out." }
                ol.ranking {
                    @for origin in &report.origins {
                        @let name = words::origin(origin.origin_type.as_deref().unwrap_or("Unknown"), origin.origin.as_deref(), origin.origin_account_id.as_deref(), origin.origin_detail.as_deref());
                        li {
                            div.row { span.name { (name) } span.amount { (text::count(origin.calls, "call")) } }
                            (charts::meter(origin.calls, most_origin))
                            p.small { (origin.origin_type.as_deref().unwrap_or("Unknown")) " · " (text::count(origin.roles, "role")) " · " (text::count(origin.writes, "change")) " · " (text::number(origin.errors)) " failed" }
                        }
                    }
                }
                @if report.origins.is_empty() { p.none { "Nobody." } }
            }
            section aria-labelledby="h-roles" {
                h2 id="h-roles" { "Which roles were used most" }
                p.lead { "Calls under each role, whoever wore it." }
                ol.ranking {
                    @for role in &report.roles {
                        li {
                            div.row { span.name { (role_name(role.role_arn.as_deref(), role.role_name.as_deref())) } span.amount { (text::count(role.calls, "call")) } }
                            (charts::meter(role.calls, most_role))
                            p.small { (text::count(role.origins, "origin")) " · " (text::count(role.sessions, "session")) " · " (text::count(role.writes, "change")) @if role.unknown > 0 { " · " (text::number(role.unknown)) " of unknown origin" } }
                        }
                    }
                }
                @if report.roles.is_empty() { p.none { "None." } }
            }
        }
    }
}

fn role_name(arn: Option<&str>, name: Option<&str>) -> String {
    let account = arn.and_then(|arn| arn.split(':').nth(4)).filter(|account| !account.is_empty());
    match (account, name) {
        (Some(account), Some(name)) => format!("{account}/{name}"),
        (_, name) => name.unwrap_or("?").to_owned(),
    }
}

/// Who reached which role through which.
pub fn chains(report: &Report) -> Markup {
    let paths = &report.paths;
    html! {
        section aria-labelledby="h-chains" {
            h2 id="h-chains" { "Role chains" }
            p.lead { "Who reached which role through which. Wider arrows stand for more sessions; " span.crossing-word { "orange ones" } " lead to another account." }
            @if paths.shown.is_empty() { p.none { "Nobody took a role." } }
            @else {
                div.scroll.drawing tabindex="0" role="region" aria-label="Drawing of the role chains" { (charts::chains(&paths.shown)) }
                @if paths.all > paths.shown.len() as u64 {
                    p.note { (paths.shown.len()) " of " (text::number(paths.all)) " ways are drawn: those through several roles and with changes first." }
                }
                details {
                    summary { "The same as a table" }
                    div.scroll tabindex="0" role="region" aria-label="Role chains as a table" {
                        table {
                            caption.hidden { "Role chains" }
                            thead { tr { th scope="col" { "Way" } th.number scope="col" { "Sessions" } th.number scope="col" { "Calls" } th.number scope="col" { "Changes" } } }
                            tbody { @for path in &paths.shown {
                                tr {
                                    td { (path.chain.join(" → ")) }
                                    td.number { (text::number(path.sessions)) } td.number { (text::number(path.calls)) } td.number { (text::number(path.writes)) }
                                }
                            } }
                        }
                    }
                }
            }
        }
    }
}

/// Columns of the table that tells it.
const HOW_KNOWN: [&str; 5] = ["Origin", "Calls", "Share", "Sessions", "What to do"];

/// Of how many calls the origin is known, and why not of the rest.
pub fn attribution(report: &Report) -> Markup {
    let known = &report.attribution;
    let whole = known.known + known.unknown;
    let class = |o: &Outcome| match (o.unresolved_reason.is_some(), o.chain_strength.as_deref()) {
        (true, _) => "unknown",
        (_, Some("exact")) => "exact",
        (_, Some("inferred")) => "inferred",
        _ => "ambiguous",
    };
    html! {
        section aria-labelledby="h-known" {
            h2 id="h-known" { "How many calls have a known origin" }
            @if whole == 0 { p.none { "No calls." } } @else {
                p.lead { strong { (text::share(known.known, whole)) } " of " (text::count(whole, "call")) ". Unknown is said where the logs cannot tell; nothing is guessed." }
                div.parts aria-hidden="true" {
                    @for o in &known.outcomes { span class=(class(o)) style=(format!("flex-grow:{}", o.calls)) {} }
                }
                div.scroll tabindex="0" role="region" aria-label="Calls by how their origin is known" {
                    table.cards.wraps role="table" {
                        caption.hidden { "Calls by how well their origin is known" }
                        thead role="rowgroup" { tr role="row" { @for (i, name) in HOW_KNOWN.iter().enumerate() { th.number[(1..4).contains(&i)] role="columnheader" scope="col" { (name) } } } }
                        tbody role="rowgroup" { @for o in &known.outcomes {
                            @let numbers = [text::number(o.calls), text::share(o.calls, whole), text::number(o.sessions)];
                            tr role="row" {
                                td role="cell" data-label=(HOW_KNOWN[0]) { div.v { span class=(format!("key {}", class(o))) {} (text::outcome(o.chain_strength.as_deref(), o.unresolved_reason.as_deref())) } }
                                @for (name, n) in HOW_KNOWN[1..].iter().zip(&numbers) { td.number role="cell" data-label=(name) { div.v { (n) } } }
                                td role="cell" data-label=(HOW_KNOWN[4]) { div.v { @if let Some(reason) = &o.unresolved_reason { (words::advice(reason)) } } }
                            }
                        } }
                    }
                }
            }
        }
    }
}

/// Where there are logs, and where not.
pub fn coverage(report: &Report) -> Markup {
    let coverage = &report.coverage;
    let silent = |s: &&Stripe| s.events == 0;
    let without = coverage.stripes.iter().filter(silent).count();
    html! {
        section aria-labelledby="h-logs" {
            h2 id="h-logs" { "Where the logs are" }
            p.lead { "One cell: " (text::duration(coverage.cell_seconds.saturating_mul(1_000_000))) ". An empty cell means that nothing was logged there: because nothing happened, or because the log is missing." @if without > 0 { " " strong { (without) " of these had events before, and none in this window." } } }
            div.stripes {
                @for stripe in &coverage.stripes {
                    div.stripe-row {
                        div.where { span.name { (stripe.account_id) } " " span.region { (stripe.aws_region) } }
                        (charts::stripe(stripe))
                        p.small {
                            (text::number(stripe.hours_with_events)) " of " (text::count(stripe.hours, "hour")) " have events"
                            @if stripe.longest_silence > 0 { " · longest silence " (text::count(stripe.longest_silence, "hour")) ", from " (text::instant(stripe.silent_since)) }
                        }
                    }
                }
            }
            @if coverage.stripes.is_empty() { p.none { "No logs of this window." } }
            @if coverage.more > 0 { p.note { (coverage.more) " more accounts and regions are not listed." } }
            @else if !coverage.stripes.is_empty() { div.scale aria-hidden="true" { span { (text::instant(report.window.since)) } span { (text::instant(report.window.until)) } } }
        }
    }
}

/// Where the report itself comes from.
pub fn about(head: &Head, report: &Report) -> Markup {
    let files = head.sources["list"].as_array();
    html! {
        section aria-labelledby="h-about" {
            h2 id="h-about" { "About this report" }
            dl.facts {
                @for (label, value) in text::origin(head) { div { dt { (label) } dd { (value) } } }
                div { dt { "Queries" } dd { @for f in &report.findings { code { (f.query) } " " } } }
            }
            @if let Some(files) = files.filter(|files| !files.is_empty()) {
                details {
                    summary { "Input files and their SHA-256" }
                    ul.files { @for file in files.iter().take(MOST_FILES) {
                        li { code { (file["sha256"].as_str().unwrap_or_default()) } " " (file["path"].as_str().unwrap_or_default()) }
                    } }
                    @if files.len() > MOST_FILES { p.note { (files.len() - MOST_FILES) " more: " code { "roletrail query \"SELECT path, sha256 FROM files\"" } } }
                }
            }
        }
    }
}
