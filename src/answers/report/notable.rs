//! Sessions worth a look: those that findings name, and those under roles that changed most.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::filter::{Filter, Window};
use super::super::rows::{Rows, texts};
use super::super::session::{self, Evidence};
use super::super::sessions::{self, Session, instant};
use super::Finding;
use crate::error::Result;
use crate::model::time;
use crate::sql::Sql;
use crate::sql::saved::Severity;

/// Sessions that are shown.
const MOST_SESSIONS: usize = 12;
/// Sessions that are shown only because they changed something.
const MOST_BUSY: usize = 6;
/// Calls of a session that are shown.
const MOST_CALLS: usize = 60;

/// A session, why it is shown, and what it did.
#[derive(Debug, Clone, Serialize)]
pub struct Notable {
    /// The session.
    pub session: Session,
    /// Titles of the findings that name it, the gravest first.
    pub named_by: Vec<String>,
    /// The gravest severity among them.
    pub severity: Option<&'static str>,
    /// The issuing events that could have started it.
    pub evidence: Vec<Evidence>,
    /// Its first calls in the window, in order.
    pub calls: Vec<Call>,
    /// Whether it made more of them in the window.
    pub more_calls: bool,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Call {
    #[serde(serialize_with = "instant")]
    pub event_time: Option<i64>,
    pub event_source: String,
    pub event_name: String,
    pub read_only: Option<bool>,
    pub resource_arn: Option<String>,
    pub request_parameters: Option<String>,
    pub source_ip_address: Option<String>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub event_id: String,
}

impl Call {
    /// Whether it failed.
    pub fn failed(&self) -> bool {
        self.error_code.is_some() || self.error_message.is_some()
    }
}

/// By session: the gravest severity that names it, and the titles.
type Named = BTreeMap<String, (Severity, Vec<String>)>;

pub(super) async fn notable(
    sql: &Sql,
    window: Window,
    findings: &[Finding],
) -> Result<Vec<Notable>> {
    let mut named = Named::new();
    for finding in findings.iter().filter(|finding| finding.rank > Severity::Info) {
        for batch in &finding.first {
            let rows = Rows::new(batch)?;
            for id in (0..rows.len()).filter_map(|row| rows.text("session_id", row)) {
                let (severity, titles) =
                    named.entry(id.to_owned()).or_insert((finding.rank, Vec::new()));
                *severity = (*severity).max(finding.rank);
                if !titles.contains(&finding.title) {
                    titles.push(finding.title.clone());
                }
            }
        }
    }
    let mut chosen: Vec<String> = named.keys().cloned().collect();
    for id in busy(sql, window).await? {
        if !named.contains_key(&id) {
            chosen.push(id);
        }
    }
    let mut sessions = sessions::load(sql, chosen.iter().map(String::as_str)).await?;
    let grade = |s: &Session| named.get(&s.session_id).map(|(severity, _)| *severity);
    sessions.sort_by_key(|s| std::cmp::Reverse((grade(s), s.write_count, s.event_count)));
    sessions.truncate(MOST_SESSIONS);
    let ids: Vec<&str> = sessions.iter().map(|s| s.session_id.as_str()).collect();
    let mut evidence =
        if ids.is_empty() { Vec::new() } else { session::evidence(sql, &ids).await? };
    let mut found = Vec::with_capacity(sessions.len());
    for session in sessions {
        let (mine, others) =
            evidence.into_iter().partition(|e| e.child_session_id == session.session_id);
        evidence = others;
        let named_by = named.get(&session.session_id);
        let (calls, more_calls) = calls(sql, window, &session).await?;
        found.push(Notable {
            calls,
            more_calls,
            named_by: named_by.map(|(_, titles)| titles.clone()).unwrap_or_default(),
            severity: named_by.map(|(severity, _)| severity.name()),
            evidence: mine,
            session,
        });
    }
    Ok(found)
}

/// Sessions under roles that changed most, services' own aside.
async fn busy(sql: &Sql, window: Window) -> Result<Vec<String>> {
    let mut filter = Filter::default();
    filter.add("coalesce(depth, 1) >= 1 AND write_count > 0");
    filter.add("origin_type IS DISTINCT FROM 'AWSService'");
    filter.sessions_in(window);
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT session_id FROM
            (SELECT session_id, write_count, count(*) FILTER (WHERE origin IS NULL) AS unknown,
                    count(*) FILTER (WHERE depth > 1) AS chained
             FROM sessions {clause} GROUP BY session_id, write_count)
         ORDER BY unknown DESC, chained DESC, write_count DESC, session_id
         LIMIT {MOST_BUSY}"
    );
    texts(sql, &statement, params, "session_id").await
}

/// Its first calls in the window, and whether there are more. From the events alone, by time: the
/// engine stops reading when it has enough of them.
async fn calls(sql: &Sql, window: Window, session: &Session) -> Result<(Vec<Call>, bool)> {
    let mut filter = Filter::default();
    let id = filter.bind(&session.session_id);
    filter.add(format!("events.session_id = {id}"));
    // Days in which it did nothing are not opened.
    let last = session.last_event_at.map(|last| last + time::SECOND);
    let until = window.until.into_iter().chain(last).min();
    filter.events_in(Window { since: window.since.max(session.first_event_at), until }, "events");
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT event_time, event_source, event_name, read_only, resources[1]['arn'] AS resource_arn,
                request_parameters, source_ip_address, error_code, error_message, event_id
         FROM events {clause} ORDER BY event_time, event_id LIMIT {}",
        MOST_CALLS + 1
    );
    let mut found = Vec::new();
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        found.extend((0..rows.len()).map(|row| {
            let text = |name| rows.string(name, row);
            Call {
                event_time: rows.time("event_time", row),
                event_source: text("event_source").unwrap_or_default(),
                event_name: text("event_name").unwrap_or_default(),
                read_only: rows.flag("read_only", row),
                resource_arn: text("resource_arn"),
                request_parameters: text("request_parameters"),
                source_ip_address: text("source_ip_address"),
                error_code: text("error_code"),
                error_message: text("error_message"),
                event_id: text("event_id").unwrap_or_default(),
            }
        }));
    }
    let more = found.len() > MOST_CALLS;
    found.truncate(MOST_CALLS);
    Ok((found, more))
}
