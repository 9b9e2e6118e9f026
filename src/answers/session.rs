//! Everything about one session: who, by which evidence, what it did, what it started.

use serde::Serialize;

use super::filter::Filter;
use super::rows::{Rows, texts};
use super::sessions::{self, Session, instant};
use crate::error::{Error, Result};
use crate::sql::Sql;

/// Version of the JSON shape; grows when members change their meaning.
pub const VERSION: u32 = 1;

/// The answer.
#[derive(Debug, Serialize)]
pub struct SessionAnswer {
    /// [`VERSION`].
    pub version: u32,
    /// The session.
    pub session: Session,
    /// The issuing events that could have started it, one a credential and event.
    pub evidence: Vec<Evidence>,
    /// What it did: writes and errors first.
    pub actions: Vec<Action>,
    /// Sessions that it obtained.
    pub started: Vec<Session>,
}

/// One issuing event for one of the session's credentials; the fields are columns of **links** and
/// **grants**.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Evidence {
    #[serde(skip)]
    pub child_session_id: String,
    pub child_access_key_id: Option<String>,
    pub parent_session_id: Option<String>,
    pub parent_access_key_id: Option<String>,
    pub rule: String,
    pub strength: String,
    pub candidates: u64,
    pub grant_event_id: Option<String>,
    pub twin_event_id: Option<String>,
    pub source_file: Option<String>,
    pub source_record: Option<i64>,
    pub kind: Option<String>,
    #[serde(serialize_with = "instant")]
    pub event_time: Option<i64>,
    pub caller_type: Option<String>,
    pub caller_arn: Option<String>,
    pub caller_principal_id: Option<String>,
    pub caller_account_id: Option<String>,
    pub obtained_by: Option<String>,
    pub source_ip_address: Option<String>,
    pub user_agent: Option<String>,
    pub recipient_account_id: Option<String>,
    pub aws_region: Option<String>,
    pub addendum_event_id: Option<String>,
    pub duration_asked_seconds: Option<i64>,
    pub duration_seconds: Option<i64>,
    pub external_id: Option<String>,
    pub mfa_serial: Option<String>,
    pub source_identity: Option<String>,
    pub session_policy: Option<String>,
    pub tags: Option<String>,
    pub incoming_transitive_tags: Option<String>,
}

/// One kind of call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Action {
    pub event_source: String,
    pub event_name: String,
    pub calls: u64,
    pub writes: u64,
    pub errors: u64,
}

/// Collects everything about the session with this id.
///
/// # Errors
/// [`Error::NotFound`], and the engine's.
pub async fn session(sql: &Sql, id: &str) -> Result<SessionAnswer> {
    let found = sessions::load(sql, [id]).await?.into_iter().next();
    let session = found.ok_or_else(|| Error::NotFound {
        message: format!("there is no session {id}"),
        hint: None,
    })?;
    let started = async {
        let children = children(sql, id).await?;
        sessions::load(sql, children.iter().map(String::as_str)).await
    };
    let ids = [id];
    let (started, evidence, actions) =
        futures::try_join!(started, evidence(sql, &ids), actions(sql, &session))?;
    Ok(SessionAnswer { version: VERSION, evidence, actions, session, started })
}

/// The sessions that this one obtained, or may have.
async fn children(sql: &Sql, id: &str) -> Result<Vec<String>> {
    let mut filter = Filter::default();
    filter.fits(&["parent_session_id"], Some(id));
    filter.add("strength <> 'none' AND rule <> 'login_profile'");
    filter.add("child_session_id <> parent_session_id");
    let (clause, params) = filter.finish();
    let statement = format!("SELECT DISTINCT child_session_id FROM links {clause}");
    texts(sql, &statement, params, "child_session_id").await
}

/// All issuing events that could have started these sessions, refused ones too.
///
/// # Errors
/// The engine's.
pub(super) async fn evidence(sql: &Sql, ids: &[&str]) -> Result<Vec<Evidence>> {
    let mut filter = Filter::default();
    let list = filter.bind_list(ids.iter().copied());
    filter.add(format!("l.child_session_id IN ({list})"));
    let issuing = issuing_events(sql, ids).await?;
    let grants = match issuing.len() {
        0..=MOST_LOOKED_UP => {
            let list = filter.bind_list(issuing.iter().map(String::as_str));
            let list = if issuing.is_empty() { "NULL" } else { &list };
            format!("(SELECT * FROM grants WHERE event_id IN ({list}))")
        }
        _ => "grants".to_owned(),
    };
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT l.*, g.kind, g.event_time, g.caller_type, g.caller_arn, g.caller_principal_id,
                g.caller_account_id, g.obtained_by, g.source_ip_address, g.user_agent,
                g.recipient_account_id,
                g.aws_region, g.addendum_event_id, g.duration_asked_seconds, g.duration_seconds,
                g.external_id, g.mfa_serial, g.source_identity, g.session_policy, g.tags,
                g.incoming_transitive_tags
         FROM links l
         LEFT JOIN {grants} g ON g.event_id = l.grant_event_id AND g.source_file = l.source_file
              AND g.source_record = l.source_record
         {clause}
         ORDER BY g.event_time, l.grant_event_id, l.child_access_key_id"
    );
    let mut found = Vec::new();
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        found.extend((0..rows.len()).map(|row| read_evidence(&rows, row)));
    }
    Ok(found)
}

/// Ids that a reader looks for one by one. To look for more takes longer than to read everything.
const MOST_LOOKED_UP: usize = 500;

/// The issuing events that could have started these sessions. They are asked for first, so that not all
/// grants are read to find them.
async fn issuing_events(sql: &Sql, ids: &[&str]) -> Result<Vec<String>> {
    let mut filter = Filter::default();
    let list = filter.bind_list(ids.iter().copied());
    filter.add(format!("child_session_id IN ({list}) AND grant_event_id IS NOT NULL"));
    let (clause, params) = filter.finish();
    let statement = format!("SELECT DISTINCT grant_event_id FROM links {clause}");
    texts(sql, &statement, params, "grant_event_id").await
}

fn read_evidence(rows: &Rows, row: usize) -> Evidence {
    let text = |name| rows.string(name, row);
    Evidence {
        child_session_id: text("child_session_id").unwrap_or_default(),
        child_access_key_id: text("child_access_key_id"),
        parent_session_id: text("parent_session_id"),
        parent_access_key_id: text("parent_access_key_id"),
        rule: text("rule").unwrap_or_default(),
        strength: text("strength").unwrap_or_default(),
        candidates: rows.count("candidates", row),
        grant_event_id: text("grant_event_id"),
        twin_event_id: text("twin_event_id"),
        source_file: text("source_file"),
        source_record: rows.int("source_record", row),
        kind: text("kind"),
        event_time: rows.time("event_time", row),
        caller_type: text("caller_type"),
        caller_arn: text("caller_arn"),
        caller_principal_id: text("caller_principal_id"),
        caller_account_id: text("caller_account_id"),
        obtained_by: text("obtained_by"),
        source_ip_address: text("source_ip_address"),
        user_agent: text("user_agent"),
        recipient_account_id: text("recipient_account_id"),
        aws_region: text("aws_region"),
        addendum_event_id: text("addendum_event_id"),
        duration_asked_seconds: rows.int("duration_asked_seconds", row),
        duration_seconds: rows.int("duration_seconds", row),
        external_id: text("external_id"),
        mfa_serial: text("mfa_serial"),
        source_identity: text("source_identity"),
        session_policy: text("session_policy"),
        tags: text("tags"),
        incoming_transitive_tags: text("incoming_transitive_tags"),
    }
}

async fn actions(sql: &Sql, session: &Session) -> Result<Vec<Action>> {
    let mut filter = Filter::default();
    super::timeline::events_of(&mut filter, std::slice::from_ref(session));
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT event_source, event_name, count(*) AS calls,
                count(*) FILTER (WHERE read_only = false) AS writes, count(coalesce(error_code, error_message)) AS errors
         FROM events {clause}
         GROUP BY event_source, event_name
         ORDER BY count(*) FILTER (WHERE read_only = false) > 0 DESC, count(coalesce(error_code, error_message)) > 0 DESC,
                  calls DESC, event_source, event_name"
    );
    let mut found = Vec::new();
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        found.extend((0..rows.len()).map(|row| Action {
            event_source: rows.string("event_source", row).unwrap_or_default(),
            event_name: rows.string("event_name", row).unwrap_or_default(),
            calls: rows.count("calls", row),
            writes: rows.count("writes", row),
            errors: rows.count("errors", row),
        }));
    }
    Ok(found)
}
