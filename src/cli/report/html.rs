//! The report as one page that needs nothing else: no script, no network, no other file.
//!
//! Text from logs is escaped twice over: by the templates, and by one pass over the finished page that
//! makes visible whatever steers or hides text. A policy in the page forbids scripts and requests, should
//! anything slip through nevertheless.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Head, charts, sections, sessions, text};
use crate::answers::report::Report;
use crate::error::Result;
use crate::output::safe;
use crate::sql::saved::Severity;

const STYLE: &str = include_str!("style.css");

const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page.
///
/// # Errors
/// Arrow's, where a finding's rows cannot be read: a defect of ours.
pub fn page(head: &Head, report: &Report) -> Result<String> {
    let findings = sections::findings(head, report)?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!("roletrail ", env!("CARGO_PKG_VERSION")));
                title { (head.title) ", " (text::window(report.window)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#findings" { "To the findings" }
                (top(head, report))
                main {
                    (findings)
                    (over_time(report))
                    (sections::busiest(report))
                    (sections::chains(report))
                    (sessions::notable(report))
                    (sections::attribution(report))
                    (sections::coverage(report))
                    (sections::about(head, report))
                }
                footer { "Made by roletrail " (env!("CARGO_PKG_VERSION")) " from CloudTrail logs alone." }
            }
        }
    };
    Ok(visible(&page.into_string()))
}

/// Makes visible what cannot be seen; the page's own text has nothing of the kind but line ends.
fn visible(page: &str) -> String {
    let lines: Vec<_> = page.split('\n').map(safe::terminal).collect();
    lines.join("\n")
}

fn top(head: &Head, report: &Report) -> Markup {
    let figures = &report.figures;
    let grave = text::found(report).filter(|f| f.rank >= Severity::High).count();
    let found = text::found(report).filter(|f| f.rank > Severity::Info).count();
    let known = &report.attribution;
    html! {
        header {
            p.eyebrow { "roletrail · " (head.name) }
            h1 { (head.title) }
            p.window { (text::window(report.window)) }
            @if !head.about.is_empty() { p.about { (head.about) } }
            div.summary {
                @for sentence in text::summary(report) { p { (sentence) } }
                @for note in &head.notes { p.note { (note) } }
            }
            dl.tiles {
                (tile("Checks that found something", &text::number(found as u64), &format!("{grave} high or critical"), grave > 0))
                (tile("Calls", &text::number(figures.calls), &format!("{} failed", text::number(figures.errors)), false))
                (tile("Changes", &text::number(figures.writes), &format!("{} of the calls", text::share(figures.writes, figures.calls)), false))
                (tile("People and workloads", &text::number(figures.origins), &text::count(figures.sessions, "session"), false))
                (tile("Roles used", &text::number(figures.roles), &format!("in {}", text::count(figures.accounts, "account")), false))
                (tile("Origin known", &text::share(known.known, known.known + known.unknown), &format!("{} unknown", text::count(known.unknown, "call")), false))
            }
        }
    }
}

fn tile(label: &str, value: &str, below: &str, alarming: bool) -> Markup {
    html! {
        div class=(if alarming { "tile alarming" } else { "tile" }) {
            dt { (label) }
            dd.value { (value) }
            dd.below { (below) }
        }
    }
}

fn over_time(report: &Report) -> Markup {
    let activity = &report.activity;
    let (first, last) = (activity.buckets.first(), activity.buckets.last());
    let length = text::duration(activity.bucket_seconds.saturating_mul(1_000_000));
    html! {
        section aria-labelledby="h-time" {
            h2 id="h-time" { "Activity over time" }
            @if activity.buckets.is_empty() {
                p.none { "No calls." }
            } @else {
                (sections::legend())
                figure {
                    (charts::over_time(activity))
                    div.scale {
                        span { (text::instant(first.and_then(|b| b.start))) }
                        span { "one bar: " (length) }
                        span { (text::instant(last.and_then(|b| b.start))) }
                    }
                }
                details {
                    summary { "The same as a table" }
                    div.scroll tabindex="0" role="region" aria-label="Activity over time as a table" {
                        table {
                            caption.hidden { "Activity over time" }
                            thead { tr { th scope="col" { "From (UTC)" } th.number scope="col" { "Other calls" } th.number scope="col" { "Changes" } th.number scope="col" { "Failed" } } }
                            tbody {
                                @for b in activity.buckets.iter().filter(|b| b.reads + b.writes + b.errors > 0) {
                                    tr { td { (text::instant(b.start)) } td.number { (text::number(b.reads)) } td.number { (text::number(b.writes)) } td.number { (text::number(b.errors)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
