//! Sessions worth a look: who, why, when, on what evidence.

use maud::{Markup, html};

use super::super::words;
use super::sections::badge;
use super::{charts, text};
use crate::answers::report::{Call, Notable, Report};
use crate::answers::sessions::Session;

/// The sessions.
pub fn notable(report: &Report) -> Markup {
    html! {
        section aria-labelledby="h-sessions" {
            h2 id="h-sessions" { "Sessions worth a look" }
            p.lead { "Those that findings name, then those under roles that changed something. Open one for its calls and for the records that prove whose it is." }
            @if report.notable.is_empty() { p.none { "None." } }
            @for one in &report.notable { (session(one)) }
        }
    }
}

fn session(one: &Notable) -> Markup {
    let s = &one.session;
    html! {
        article.session {
            h3 {
                @if let Some(severity) = one.severity { (badge(severity)) " " }
                (words::hat(s)) " "
                span.region { (s.account_id.as_deref().unwrap_or("unknown account")) }
            }
            p.who { (who(s)) }
            (chips(s))
            p.small {
                (words::calls(s))
                @if let Some(began) = s.begins() { " · from " (text::instant(Some(began))) }
                @if let Some(name) = &s.session_name { " · session name " q { (text::cut(name)) } }
            }
            @for name in &s.contradictions { p.small.bad { "But: " (words::contradiction(name)) } }
            @if !one.named_by.is_empty() { p.small { "Named by: " (one.named_by.join(" · ")) } }
            (charts::ticks(one))
            details {
                summary { "Evidence and calls" }
                (evidence(one))
                (calls(&one.calls))
                @if one.more_calls {
                    p.note { "The first " (one.calls.len()) " calls of this window; " (text::count(s.event_count, "call")) " in all: " code { "roletrail timeline " (s.session_id) } }
                } @else if s.event_count > one.calls.len() as u64 {
                    p.note { (text::count(s.event_count, "call")) " in all, others before or after this window: " code { "roletrail timeline " (s.session_id) } }
                } @else {
                    p.note { "More: " code { "roletrail session " (s.session_id) } }
                }
            }
        }
    }
}

fn who(s: &Session) -> Markup {
    let kind = s.origin_type.as_deref().unwrap_or("Unknown");
    html! {
        @match &s.origin {
            Some(_) => {
                strong { (words::origin(kind, s.origin.as_deref(), s.origin_account_id.as_deref(), s.origin_detail.as_deref())) }
                " " span.region { (kind) ", " (s.chain_strength.as_deref().unwrap_or("exact")) }
            }
            None => {
                strong.bad { "unknown" }
                ": " (words::reason_short(s.unresolved_reason.as_deref().unwrap_or("identity_not_recorded")))
            }
        }
    }
}

/// The chain, label by label.
fn chips(s: &Session) -> Markup {
    html! {
        ol.chain aria-label="Chain" {
            @for (i, label) in s.chain.iter().enumerate() { li.unknown[i == 0 && s.origin.is_none()] { (label) } }
        }
    }
}

fn evidence(one: &Notable) -> Markup {
    html! {
        h4 { "How it was obtained" }
        @if one.evidence.is_empty() { p { (super::super::page::no_evidence(&one.session)) } }
        @for e in &one.evidence {
            dl.facts {
                div { dt { "Call" } dd { (e.kind.as_deref().unwrap_or("?")) " at " (text::instant(e.event_time)) " UTC" } }
                @if let Some(caller) = e.caller_arn.as_ref().or(e.caller_principal_id.as_ref()) { div { dt { "Caller" } dd { (caller) } } }
                @if let Some(by) = &e.obtained_by { div { dt { "Obtained by" } dd { (by) } } }
                @if let Some(address) = &e.source_ip_address { div { dt { "From" } dd { (address) } } }
                div { dt { "Proof" } dd { (e.strength) ": " (words::rule(&e.rule)) @if let Some(key) = &e.child_access_key_id { ", for " code { (key) } } @if e.candidates > 1 { ", one of " (e.candidates) } } }
                @if let Some(id) = &e.grant_event_id { div { dt { "Event" } dd { code { (id) } @if let Some(twin) = &e.twin_event_id { ", other half " code { (twin) } } } } }
                @if let (Some(file), Some(record)) = (&e.source_file, e.source_record) { div { dt { "Record" } dd { (record) " of " (file) } } }
            }
        }
    }
}

fn calls(calls: &[Call]) -> Markup {
    html! {
        h4 { "What it did" }
        @if calls.is_empty() { p { "Nothing in this window, as far as these logs show." } }
        ol.calls {
            @for call in calls {
                li class=(charts::kind(call)) {
                    span.time { (text::clock(call.event_time)) }
                    span.what {
                        span.action { (words::action(&call.event_source, &call.event_name)) }
                        " " (text::cut(&words::target(call.resource_arn.as_deref(), call.request_parameters.as_deref())))
                        @if call.failed() {
                            " " span.bad { "failed: " (text::cut(call.error_code.as_deref().or(call.error_message.as_deref()).unwrap_or_default())) }
                        }
                        span.small { " " (call.source_ip_address.as_deref().unwrap_or_default()) " · " code { (call.event_id) } }
                    }
                }
            }
        }
    }
}
