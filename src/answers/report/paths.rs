//! Ways through roles: from an origin, hop by hop, to the role that was used.

use serde::Serialize;

use super::super::filter::{Filter, Window};
use super::super::rows::Rows;
use crate::error::Result;
use crate::sql::Sql;

/// Ways that are drawn.
const MOST_PATHS: usize = 18;

/// The ways of the window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Paths {
    /// Those that matter most: with several roles first, then with changes, then with many sessions.
    pub shown: Vec<Path>,
    /// How many there are in all, AWS's own services aside.
    pub all: u64,
}

/// One way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Path {
    /// Labels from the origin to the last role.
    pub chain: Vec<String>,
    /// The identity type it starts with.
    pub origin_type: Option<String>,
    /// Sessions at its end.
    pub sessions: u64,
    /// Their calls.
    pub calls: u64,
    /// Their changes.
    pub writes: u64,
    /// Whether a hop leads to another account.
    pub cross_account: bool,
}

pub(super) async fn paths(sql: &Sql, window: Window) -> Result<Paths> {
    let mut filter = Filter::default();
    filter.add("coalesce(depth, cardinality(chain)) >= 1 AND cardinality(chain) >= 2");
    filter.add("event_count > 0 AND origin_type IS DISTINCT FROM 'AWSService'");
    filter.sessions_in(window);
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT chain, origin_type, count(*) AS sessions, sum(event_count)::bigint AS calls,
                sum(write_count)::bigint AS writes, bool_or(cross_account) AS cross_account,
                count(*) OVER () AS paths
         FROM sessions {clause} GROUP BY chain, origin_type
         ORDER BY cardinality(chain) > 2 DESC, writes > 0 DESC, sessions DESC, calls DESC,
                  array_to_string(chain, '/')
         LIMIT {MOST_PATHS}"
    );
    let mut found = Paths::default();
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        for row in 0..rows.len() {
            found.all = rows.count("paths", row);
            found.shown.push(Path {
                chain: rows.list("chain", row),
                origin_type: rows.string("origin_type", row),
                sessions: rows.count("sessions", row),
                calls: rows.count("calls", row),
                writes: rows.count("writes", row),
                cross_account: rows.flag("cross_account", row).unwrap_or(false),
            });
        }
    }
    Ok(found)
}
