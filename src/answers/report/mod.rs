//! A report: what happened in a window, who was behind it, what the chosen queries found, and how far
//! the logs can be trusted to tell. Typed values; nothing here formats or prints.

mod attribution;
mod coverage;
mod figures;
mod findings;
mod notable;
mod paths;
pub mod sets;
mod tally;

use serde::Serialize;

use super::filter::{Filter, Window};
use super::sessions::instant;
use crate::error::Result;
use crate::model::time;
use crate::sql::{Params, Sql};

pub use attribution::{Attribution, Outcome};
pub use coverage::{Coverage, Stripe};
pub use figures::{Activity, Bucket, Figures, Origin, Role};
pub use findings::Finding;
pub use notable::{Call, Notable};
pub use paths::{Path, Paths};
use sets::Chosen;

/// Version of the JSON shape; grows when members change their meaning.
pub const VERSION: u32 = 1;

/// Everything that a report tells, but for its texts.
#[derive(Debug, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// The time that the numbers are about.
    pub window: Span,
    /// The totals.
    pub figures: Figures,
    /// Calls over time.
    pub activity: Activity,
    /// Who made most calls, AWS's own services aside.
    pub origins: Vec<Origin>,
    /// Which roles most calls were made under.
    pub roles: Vec<Role>,
    /// Who reached which role through which.
    pub paths: Paths,
    /// Whose calls they were, as far as that is known.
    pub attribution: Attribution,
    /// Where the logs are.
    pub coverage: Coverage,
    /// What the queries found, the gravest first.
    pub findings: Vec<Finding>,
    /// Sessions worth a look.
    pub notable: Vec<Notable>,
}

/// A span of time; the end does not belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Its beginning; where none was asked for, that of the logs.
    #[serde(serialize_with = "instant")]
    pub since: Option<i64>,
    /// Its end; where none was asked for, that of the logs.
    #[serde(serialize_with = "instant")]
    pub until: Option<i64>,
}

/// Makes the report.
///
/// # Errors
/// The engine's; that of a query names it.
pub async fn report(sql: &Sql, window: Window, queries: &[Chosen], now: i64) -> Result<Report> {
    let tally::Tally { figures, origins, roles, attribution } = tally::tally(sql, window).await?;
    let window_shown = Span {
        since: window.since.or(figures.first_event_at),
        until: window.until.or(figures.last_event_at.map(|last| last + time::SECOND)),
    };
    let findings = findings::findings(sql, window, queries, now).await?;
    Ok(Report {
        version: VERSION,
        window: window_shown,
        activity: figures::activity(sql, window, window_shown).await?,
        origins,
        roles,
        paths: paths::paths(sql, window).await?,
        attribution,
        coverage: coverage::coverage(sql, window, window_shown).await?,
        notable: notable::notable(sql, window, &findings).await?,
        findings,
        figures,
    })
}

/// `WHERE` for the calls of the window, with more conditions, and the values.
fn calls(window: Window, more: &[&str]) -> (String, Params) {
    let mut filter = Filter::default();
    filter.events_in(window, "a");
    for condition in more {
        filter.add(*condition);
    }
    filter.finish()
}
