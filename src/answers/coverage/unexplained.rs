//! Sessions whose origin is unknown because an issuing event is not in the logs, and where it would
//! have to be.

use super::{CoverageFilter, Finding};
use crate::answers::filter::Filter;
use crate::answers::rows::Rows;
use crate::error::Result;
use crate::sql::Sql;

/// What is missing, from the hours that the account's logs cover. A successful call from another
/// account is written in the role's account too, so the role's own logs of that hour should have it.
const CAUSE: &str = "
  CASE WHEN s.unresolved_reason = 'parent_unresolved' THEN 'caller_unexplained'
       WHEN own.first IS NULL THEN 'account_has_no_logs'
       WHEN s.started_at < own.first THEN 'began_before_logs'
       WHEN here.account_id IS NULL THEN 'began_in_a_hole'
       WHEN us.account_id IS NULL AND s.role_arn LIKE 'arn:aws:%' THEN 'us_east_1_missing'
       ELSE 'another_region_or_account' END";

/// By account and cause.
pub(super) async fn sessions(sql: &Sql, wanted: &CoverageFilter) -> Result<Vec<Finding>> {
    let mut filter = Filter::default();
    filter.add(
        "s.unresolved_reason IN ('grant_missing', 'grant_issued_another_key', 'grant_contested',
                                 'parent_unresolved', 'root_session_without_grant')",
    );
    filter.fits(&["s.account_id"], wanted.account.as_deref());
    if let Some(region) = wanted.region.as_deref() {
        // Which calls a session made where is told by its events.
        let fits = filter.fitting(&["aws_region"], region);
        filter.add(format!("s.session_id IN (SELECT session_id FROM events WHERE {fits})"));
    }
    if let Some(since) = wanted.window.since {
        let name = filter.bind_instant(since);
        filter.add(format!("coalesce(s.last_event_at, s.started_at) >= {name}"));
    }
    if let Some(until) = wanted.window.until {
        let name = filter.bind_instant(until);
        filter.add(format!("coalesce(s.started_at, s.first_event_at) < {name}"));
    }
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT account_id, cause, count(*) AS sessions, sum(event_count) AS calls,
                min(started_at) AS first, max(started_at) AS last
         FROM (
           SELECT s.account_id, s.started_at, s.event_count, {CAUSE} AS cause
           FROM sessions s
           LEFT JOIN (SELECT account_id, min(hour) AS first FROM coverage GROUP BY account_id) own
             ON own.account_id = s.account_id
           LEFT JOIN (SELECT DISTINCT account_id, hour FROM coverage) here
             ON here.account_id = s.account_id AND here.hour = date_trunc('hour', s.started_at)
           LEFT JOIN (SELECT DISTINCT account_id, hour FROM coverage
                      WHERE aws_region = 'us-east-1') us
             ON us.account_id = s.account_id AND us.hour = date_trunc('hour', s.started_at)
           {clause}
         ) GROUP BY account_id, cause ORDER BY account_id, cause"
    );
    let mut found = Vec::new();
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        found.extend((0..rows.len()).map(|row| Finding {
            account_id: rows.string("account_id", row),
            since: rows.time("first", row),
            until: rows.time("last", row),
            events: rows.int("calls", row),
            sessions: rows.int("sessions", row),
            state: rows.string("cause", row),
            ..Finding::default()
        }));
    }
    Ok(found)
}
