//! Sessions: one row of the table **sessions** as a value, and the list that a filter gives.

use datafusion::execution::SendableRecordBatchStream;
use serde::{Serialize, Serializer};

use super::filter::{Filter, Window};
use super::rows::Rows;
use super::unmatched::{self, Probe, Sought, Unmatched};
use crate::error::Result;
use crate::model::time;
use crate::sql::Sql;

/// Ids in one statement: more would make planning slow.
pub(super) const IDS_AT_ONCE: usize = 1000;

/// Which sessions are wanted; everything that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Role name or ARN, with wildcards.
    pub role: Option<String>,
    /// Principal id, ARN or session name, with wildcards.
    pub principal: Option<String>,
    /// Account the session acts in.
    pub account: Option<String>,
    /// Part of the origin, or a pattern.
    pub origin: Option<String>,
    /// The session was at work in it.
    pub window: Window,
    /// An address it called from, with wildcards, or a network.
    pub source_ip: Option<String>,
    /// Only where the origin is not known.
    pub unresolved: bool,
    /// Without sessions that AWS services started.
    pub no_services: bool,
}

/// Streams the sessions in order of their start, with all columns of the table.
///
/// # Errors
/// The engine's.
pub async fn list(
    sql: &Sql,
    wanted: &SessionFilter,
    limit: Option<usize>,
) -> Result<SendableRecordBatchStream> {
    let (clause, params) = conditions(wanted, wanted.window).finish();
    let statement = format!(
        "SELECT * FROM sessions {clause}
         ORDER BY coalesce(started_at, first_event_at), session_id"
    );
    let mut frame = sql.plan(&statement, params).await?;
    if limit.is_some() {
        frame = frame.limit(0, limit)?;
    }
    sql.run(frame).await
}

/// Everything that is wanted, in this window.
fn conditions(wanted: &SessionFilter, window: Window) -> Filter {
    let mut filter = Filter::default();
    filter.fits(&["role_name", "role_arn"], wanted.role.as_deref());
    let principal = ["principal_id", "principal_arn", "session_name"];
    filter.fits(&principal, wanted.principal.as_deref());
    filter.fits(&["account_id"], wanted.account.as_deref());
    filter.contains(&["origin"], wanted.origin.as_deref());
    if let Some(since) = window.since {
        let name = filter.bind_instant(since);
        filter.add(format!("coalesce(last_event_at, started_at) >= {name}"));
    }
    if let Some(until) = window.until {
        let name = filter.bind_instant(until);
        filter.add(format!("coalesce(started_at, first_event_at) < {name}"));
    }
    if let Some(address) = &wanted.source_ip {
        // The session's own list is cut after a hundred addresses; the events are whole.
        let fits = filter.in_network("source_ip_address", address);
        filter.add(format!("session_id IN (SELECT session_id FROM events WHERE {fits})"));
    }
    if wanted.unresolved {
        filter.add("origin_type = 'Unknown'");
    }
    if wanted.no_services {
        filter.add("origin_type IS DISTINCT FROM 'AWSService'");
    }
    filter
}

/// Why [`list`] found nothing.
///
/// # Errors
/// The engine's.
pub async fn unmatched(sql: &Sql, wanted: &SessionFilter) -> Result<Unmatched> {
    let mut probes = Vec::new();
    if let Some(role) = &wanted.role {
        probes.push(unmatched::role(role));
    }
    if let Some(principal) = &wanted.principal {
        let columns = ["principal_id", "principal_arn", "session_name"];
        let there = Filter::of_fitting(&columns, principal);
        let names = match principal.starts_with("arn:") {
            true => "SELECT principal_arn AS name FROM sessions",
            false => {
                "SELECT session_name AS name FROM sessions
                 UNION ALL SELECT split_part(principal_arn, '/', -1) FROM sessions
                 UNION ALL SELECT principal_id FROM sessions"
            }
        };
        probes.push(Probe::new(Sought::Principal, principal, "sessions", there).names(names, '/'));
    }
    if let Some(account) = &wanted.account {
        let there = Filter::of_fitting(&["account_id"], account);
        let by_others = Filter::of_fitting(&["origin_account_id"], account);
        let probe = Probe::new(Sought::Account, account, "sessions", there);
        let names = "SELECT account_id AS name FROM sessions";
        probes.push(probe.named("sessions", by_others).names(names, ':'));
    }
    if let Some(origin) = &wanted.origin {
        probes.push(unmatched::origin(origin));
    }
    if let Some(address) = &wanted.source_ip {
        probes.push(unmatched::address(address));
    }
    let mut found = unmatched::unmatched(sql, probes).await?;
    if found.unknown.is_empty() && wanted.window != Window::default() {
        let anytime = conditions(wanted, Window::default());
        let began = ("sessions", "coalesce(started_at, first_event_at)");
        found.elsewhere = unmatched::elsewhere(sql, began, anytime).await?;
    }
    Ok(found)
}

/// One row of **sessions**; the fields are its columns, described there.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Session {
    pub session_id: String,
    pub identity_type: Option<String>,
    pub principal_id: Option<String>,
    pub principal_arn: Option<String>,
    pub account_id: Option<String>,
    pub role_arn: Option<String>,
    pub role_name: Option<String>,
    pub role_kind: Option<String>,
    pub session_name: Option<String>,
    #[serde(serialize_with = "instant")]
    pub started_at: Option<i64>,
    #[serde(serialize_with = "instant")]
    pub expires_at: Option<i64>,
    #[serde(serialize_with = "instant")]
    pub first_event_at: Option<i64>,
    #[serde(serialize_with = "instant")]
    pub last_event_at: Option<i64>,
    pub event_count: u64,
    pub write_count: u64,
    pub error_count: u64,
    pub access_key_ids: Vec<String>,
    pub source_ip_addresses: Vec<String>,
    pub user_agents: Vec<String>,
    pub aws_regions: Vec<String>,
    pub event_sources: Vec<String>,
    pub mfa_authenticated: Option<bool>,
    pub source_identity: Option<String>,
    pub from_console: Option<bool>,
    pub parent_session_id: Option<String>,
    pub origin_type: Option<String>,
    pub origin: Option<String>,
    pub origin_account_id: Option<String>,
    pub origin_detail: Option<String>,
    pub depth: Option<i64>,
    pub chain: Vec<String>,
    pub link_rule: Option<String>,
    pub link_strength: Option<String>,
    pub chain_strength: Option<String>,
    pub candidates: u64,
    pub unresolved_reason: Option<String>,
    pub cross_account: Option<bool>,
    pub used: Option<bool>,
    pub issued_by_kind: Option<String>,
    pub grant_event_id: Option<String>,
    pub duration_asked_seconds: Option<i64>,
    pub duration_seconds: Option<i64>,
    pub mfa_serial: Option<String>,
    pub external_id: Option<String>,
    pub session_policy: Option<String>,
    pub session_tags: Option<String>,
    pub transitive_tags: Option<String>,
    pub source_identity_session_id: Option<String>,
    pub contradictions: Vec<String>,
}

/// Writes an instant as the tables show it.
pub(super) fn instant<S: Serializer>(micros: &Option<i64>, out: S) -> Result<S::Ok, S::Error> {
    micros.map(time::format_instant).serialize(out)
}

impl Session {
    /// Reads one row; columns that were not asked for stay empty.
    pub fn read(rows: &Rows, row: usize) -> Session {
        let text = |name| rows.string(name, row);
        Session {
            session_id: text("session_id").unwrap_or_default(),
            identity_type: text("identity_type"),
            principal_id: text("principal_id"),
            principal_arn: text("principal_arn"),
            account_id: text("account_id"),
            role_arn: text("role_arn"),
            role_name: text("role_name"),
            role_kind: text("role_kind"),
            session_name: text("session_name"),
            started_at: rows.time("started_at", row),
            expires_at: rows.time("expires_at", row),
            first_event_at: rows.time("first_event_at", row),
            last_event_at: rows.time("last_event_at", row),
            event_count: rows.count("event_count", row),
            write_count: rows.count("write_count", row),
            error_count: rows.count("error_count", row),
            access_key_ids: rows.list("access_key_ids", row),
            source_ip_addresses: rows.list("source_ip_addresses", row),
            user_agents: rows.list("user_agents", row),
            aws_regions: rows.list("aws_regions", row),
            event_sources: rows.list("event_sources", row),
            mfa_authenticated: rows.flag("mfa_authenticated", row),
            source_identity: text("source_identity"),
            from_console: rows.flag("from_console", row),
            parent_session_id: text("parent_session_id"),
            origin_type: text("origin_type"),
            origin: text("origin"),
            origin_account_id: text("origin_account_id"),
            origin_detail: text("origin_detail"),
            depth: rows.int("depth", row),
            chain: rows.list("chain", row),
            link_rule: text("link_rule"),
            link_strength: text("link_strength"),
            chain_strength: text("chain_strength"),
            candidates: rows.count("candidates", row),
            unresolved_reason: text("unresolved_reason"),
            cross_account: rows.flag("cross_account", row),
            used: rows.flag("used", row),
            issued_by_kind: text("issued_by_kind"),
            grant_event_id: text("grant_event_id"),
            duration_asked_seconds: rows.int("duration_asked_seconds", row),
            duration_seconds: rows.int("duration_seconds", row),
            mfa_serial: text("mfa_serial"),
            external_id: text("external_id"),
            session_policy: text("session_policy"),
            session_tags: text("session_tags"),
            transitive_tags: text("transitive_tags"),
            source_identity_session_id: text("source_identity_session_id"),
            contradictions: rows.list("contradictions", row),
        }
    }

    /// Whether this is what a user or root did with long-term credentials.
    pub fn is_long_term(&self) -> bool {
        self.started_at.is_none() && self.depth == Some(0)
    }

    /// When it began: its creation, or its first call where there is none.
    pub fn begins(&self) -> Option<i64> {
        self.started_at.or(self.first_event_at)
    }
}

/// Loads the sessions with these ids, in order of their start.
///
/// # Errors
/// The engine's.
pub async fn load<'i>(sql: &Sql, ids: impl IntoIterator<Item = &'i str>) -> Result<Vec<Session>> {
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut found = Vec::with_capacity(ids.len());
    for part in ids.chunks(IDS_AT_ONCE) {
        let mut filter = Filter::default();
        let list = filter.bind_list(part.iter().copied());
        filter.add(format!("session_id IN ({list})"));
        let (clause, params) = filter.finish();
        for batch in sql.rows(&format!("SELECT * FROM sessions {clause}"), params).await? {
            let rows = Rows::new(&batch)?;
            found.extend((0..rows.len()).map(|row| Session::read(&rows, row)));
        }
    }
    found.sort_by(|a, b| (a.begins(), &a.session_id).cmp(&(b.begins(), &b.session_id)));
    Ok(found)
}

/// Streams the row of one session.
///
/// # Errors
/// The engine's.
pub async fn row(sql: &Sql, id: &str) -> Result<SendableRecordBatchStream> {
    let mut filter = Filter::default();
    filter.fits(&["session_id"], Some(id));
    let (clause, params) = filter.finish();
    sql.stream(&format!("SELECT * FROM sessions {clause}"), params).await
}
