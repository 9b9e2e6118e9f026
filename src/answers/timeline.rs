//! Everything that sessions did, in order.
//!
//! Read from **events** by session id: of a call that two accounts recorded only the caller's own
//! copy is shown, so that every call stands there once.

use datafusion::execution::SendableRecordBatchStream;

use super::filter::{Filter, Window};
use super::kinship::Kinship;
use super::sessions::Session;
use crate::error::Result;
use crate::model::time;
use crate::sql::Sql;

/// Most sessions in one timeline.
pub const MOST_SESSIONS: usize = 5_000;

/// These sessions and all that came of them; the flag tells whether some were left out.
///
/// # Errors
/// The engine's.
pub async fn with_descendants(sql: &Sql, ids: &[String]) -> Result<(Vec<String>, bool)> {
    Ok(Kinship::around(sql, ids, MOST_SESSIONS).await?.descendants(ids, MOST_SESSIONS))
}

/// Conditions for the events of these sessions; names the days too, so that the others are skipped.
pub(super) fn events_of(filter: &mut Filter, sessions: &[Session]) {
    let list = filter.bind_list(sessions.iter().map(|s| s.session_id.as_str()));
    filter.add(format!("events.session_id IN ({list})"));
    let first = sessions.iter().filter_map(|s| s.first_event_at).min();
    let last = sessions.iter().filter_map(|s| s.last_event_at).max();
    let window = Window { since: first, until: last.map(|last| last + time::SECOND) };
    filter.events_in(window, "events");
}

/// Streams the calls of these sessions by time. Columns: those of **events** that tell what was
/// done, and `hat` (role, federated user, or nothing) with `chain`.
///
/// # Errors
/// The engine's.
pub async fn timeline(
    sql: &Sql,
    sessions: &[Session],
    limit: Option<usize>,
) -> Result<SendableRecordBatchStream> {
    let mut filter = Filter::default();
    events_of(&mut filter, sessions);
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT events.event_time, coalesce(s.role_name, s.session_name, s.identity_type) AS hat,
                s.chain, events.event_source, events.event_name, events.read_only,
                events.resources[1]['arn'] AS resource_arn, events.recipient_account_id,
                events.aws_region, events.source_ip_address, events.user_agent,
                events.error_code, events.error_message, events.request_parameters,
                events.resources, events.access_key_id, events.session_id, events.event_id
         FROM events JOIN sessions s ON s.session_id = events.session_id
         {clause}
         ORDER BY events.event_time, events.event_id"
    );
    let mut frame = sql.plan(&statement, params).await?;
    if limit.is_some() {
        frame = frame.limit(0, limit)?;
    }
    sql.run(frame).await
}
