//! Regions that sessions without a known origin called, and of which the logs have no event of STS: what
//! was asked of the region's own endpoint there is missing.

use super::{CoverageFilter, Finding};
use crate::answers::filter::Filter;
use crate::answers::rows::Rows;
use crate::error::Result;
use crate::sql::Sql;

/// By account and region. Who asks the global endpoint is recorded in us-east-1, so a region may have no
/// events of STS for good reason; only where an issuing event is missing is its absence worth telling.
pub(super) async fn regions(sql: &Sql, wanted: &CoverageFilter) -> Result<Vec<Finding>> {
    let mut filter = Filter::default();
    filter.add(
        "s.unresolved_reason IN ('grant_missing', 'grant_issued_another_key', 'grant_contested',
                                 'root_session_without_grant')",
    );
    filter.fits(&["e.recipient_account_id"], wanted.account.as_deref());
    filter.fits(&["e.aws_region"], wanted.region.as_deref());
    filter.events_in(wanted.window, "e");
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT called.* FROM (
           SELECT e.recipient_account_id AS account, e.aws_region AS region, count(*) AS calls,
                  count(DISTINCT e.session_id) AS sessions, min(e.event_time) AS first,
                  max(e.event_time) AS last
           FROM events e JOIN sessions s ON s.session_id = e.session_id
           {clause} GROUP BY 1, 2) AS called
         LEFT JOIN (SELECT DISTINCT recipient_account_id, aws_region FROM events
                    WHERE event_source LIKE 'sts.%') AS sts
           ON sts.recipient_account_id = called.account AND sts.aws_region = called.region
         WHERE sts.aws_region IS NULL AND called.account IS NOT NULL AND called.region IS NOT NULL
         ORDER BY account, region"
    );
    let mut found = Vec::new();
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        found.extend((0..rows.len()).map(|row| Finding {
            account_id: rows.string("account", row),
            aws_region: rows.string("region", row),
            since: rows.time("first", row),
            until: rows.time("last", row),
            events: rows.int("calls", row),
            sessions: rows.int("sessions", row),
            ..Finding::default()
        }));
    }
    Ok(found)
}
