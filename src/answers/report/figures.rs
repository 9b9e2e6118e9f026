//! Totals, who and which role made most calls, and calls over time.

use serde::Serialize;

use super::super::filter::Window;
use super::super::rows::Rows;
use super::super::sessions::instant;
use super::{Span, calls};
use crate::error::Result;
use crate::model::time;
use crate::sql::Sql;

/// Most bars of the drawing over time.
const MOST_BUCKETS: i64 = 100;

/// The totals of the window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Figures {
    pub calls: u64,
    pub writes: u64,
    pub errors: u64,
    /// Calls that AWS's own services made.
    pub service_calls: u64,
    /// People, workloads and outside identities, services aside.
    pub origins: u64,
    pub sessions: u64,
    pub roles: u64,
    pub accounts: u64,
    pub regions: u64,
    #[serde(serialize_with = "instant")]
    pub first_event_at: Option<i64>,
    #[serde(serialize_with = "instant")]
    pub last_event_at: Option<i64>,
}

/// Calls over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Activity {
    /// Length of a bucket in seconds.
    pub bucket_seconds: i64,
    /// All buckets of the window, those without calls too.
    pub buckets: Vec<Bucket>,
}

/// The calls of one stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Bucket {
    #[serde(serialize_with = "instant")]
    pub start: Option<i64>,
    /// Calls that succeeded and changed nothing, or are not known to.
    pub reads: u64,
    /// Calls that succeeded and changed something.
    pub writes: u64,
    /// Calls that failed.
    pub errors: u64,
}

/// Somebody or something that calls began with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Origin {
    pub origin_type: Option<String>,
    pub origin: Option<String>,
    pub origin_account_id: Option<String>,
    pub origin_detail: Option<String>,
    pub calls: u64,
    pub writes: u64,
    pub errors: u64,
    pub sessions: u64,
    pub roles: u64,
}

/// A role that calls were made under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Role {
    pub role_arn: Option<String>,
    pub role_name: Option<String>,
    pub calls: u64,
    pub writes: u64,
    pub errors: u64,
    pub sessions: u64,
    pub origins: u64,
    /// Calls among them whose origin is not known.
    pub unknown: u64,
}

/// A length at which the window has not too many buckets.
pub(super) fn bucket_length(window: Span, most: i64) -> i64 {
    let (Some(since), Some(until)) = (window.since, window.until) else { return time::HOUR };
    let lengths = [time::HOUR / 4, time::HOUR, 6 * time::HOUR, time::DAY, 7 * time::DAY];
    let fits = |length: &i64| (until - since) / length < most;
    lengths.into_iter().find(fits).unwrap_or_else(|| {
        let days = (until - since) / time::DAY / most + 1;
        days * time::DAY
    })
}

/// The events alone tell: activity has a row for each of them.
pub(super) async fn activity(sql: &Sql, window: Window, shown: Span) -> Result<Activity> {
    let length = bucket_length(shown, MOST_BUCKETS);
    let seconds = length / time::SECOND;
    let (clause, params) = calls(window, &[]);
    let failed = "coalesce(a.error_code, a.error_message) IS NOT NULL";
    let statement = format!(
        "SELECT floor(date_part('epoch', a.event_time) / {seconds})::bigint AS number,
                count(*) FILTER (WHERE {failed}) AS errors,
                count(*) FILTER (WHERE NOT ({failed}) AND a.read_only = false) AS writes,
                count(*) AS calls
         FROM events a {clause} GROUP BY 1 ORDER BY 1"
    );
    let mut buckets = Vec::new();
    if let (Some(since), Some(until)) = (shown.since, shown.until) {
        let numbers = since.div_euclid(length)..=(until - 1).max(since).div_euclid(length);
        let empty = |n: i64| Bucket { start: Some(n * length), ..Bucket::default() };
        buckets.extend(numbers.map(empty));
    }
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        for row in 0..rows.len() {
            let start = rows.int("number", row).unwrap_or(0).saturating_mul(length);
            let Some(bucket) = buckets.iter_mut().find(|b| b.start == Some(start)) else {
                continue;
            };
            bucket.errors = rows.count("errors", row);
            bucket.writes = rows.count("writes", row);
            bucket.reads = rows.count("calls", row) - bucket.errors - bucket.writes;
        }
    }
    Ok(Activity { bucket_seconds: seconds, buckets })
}
