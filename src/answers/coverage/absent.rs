//! Accounts that the logs of others name, and whose own logs are not there.

use super::{CoverageFilter, Finding};
use crate::answers::filter::Filter;
use crate::answers::rows::Rows;
use crate::error::Result;
use crate::sql::Sql;

/// By account. Named means: somebody of it called, or a role of it was asked for.
pub(super) async fn accounts(sql: &Sql, wanted: &CoverageFilter) -> Result<Vec<Finding>> {
    let mut filter = Filter::default();
    // What names an account is text of a record: AWS writes `anonymous` there, too.
    filter.add("account ~ '^[0-9]{12}$'");
    filter.add("account NOT IN (SELECT account_id FROM coverage WHERE account_id IS NOT NULL)");
    filter.fits(&["account", "seen_in"], wanted.account.as_deref());
    filter.fits(&["aws_region"], wanted.region.as_deref());
    if let Some(since) = wanted.window.since {
        let name = filter.bind_instant(since);
        filter.add(format!("event_time >= {name}"));
    }
    if let Some(until) = wanted.window.until {
        let name = filter.bind_instant(until);
        filter.add(format!("event_time < {name}"));
    }
    let (clause, params) = filter.finish();
    let statement = format!(
        "WITH named AS (
           SELECT account_id AS account, recipient_account_id AS seen_in, aws_region, event_time,
                  event_id FROM events WHERE account_id IS NOT NULL
           UNION ALL
           SELECT role_account_id AS account, recipient_account_id AS seen_in, aws_region,
                  event_time, event_id FROM grants WHERE role_account_id IS NOT NULL
         )
         SELECT named.*, begun.sessions FROM (
           SELECT account, count(DISTINCT event_id) AS calls, min(event_time) AS first,
                  max(event_time) AS last, array_agg(DISTINCT seen_in) AS seen_in
           FROM named {clause} GROUP BY account) AS named
         LEFT JOIN (SELECT origin_account_id, count(*) AS sessions FROM sessions
                    WHERE origin_account_id IS NOT NULL GROUP BY origin_account_id) AS begun
           ON begun.origin_account_id = named.account
         ORDER BY account"
    );
    let mut found = Vec::new();
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        found.extend((0..rows.len()).map(|row| {
            let mut seen_in = rows.list("seen_in", row);
            seen_in.sort();
            Finding {
                account_id: rows.string("account", row),
                since: rows.time("first", row),
                until: rows.time("last", row),
                events: rows.int("calls", row),
                sessions: Some(rows.int("sessions", row).unwrap_or(0)),
                seen_in,
                ..Finding::default()
            }
        }));
    }
    Ok(found)
}
