//! What the logs cover, and which questions they can therefore not answer: hours with logs and
//! without, changes to the recording itself, accounts that are only named by others, and sessions
//! whose issuing event is missing.
//!
//! The end of logs is not the end of activity. CloudTrail delivers nothing for a region in which
//! nothing happens, so an hour without logs is told together with what speaks for either reading:
//! files that came in it with earlier events, files that could not be read, events elsewhere in the
//! account.

mod absent;
mod changes;
mod hours;
mod unexplained;
mod without_sts;

use crate::error::Result;
use crate::sql::Sql;
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

use super::filter::Window;

pub use hours::Grain;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct CoverageFilter {
    /// Account whose logs are meant, with wildcards.
    pub account: Option<String>,
    /// Region, with wildcards.
    pub region: Option<String>,
    /// When.
    pub window: Window,
    /// How finely logs are listed.
    pub grain: Grain,
}

/// What kind of thing a row of the answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// An account and region with logs.
    Logs,
    /// Hours without events between hours with events.
    Hole,
    /// A call that changed what is recorded, or tried to.
    TrailChange,
    /// An account that others' logs name and whose own logs are not there.
    AbsentAccount,
    /// Sessions whose origin is not known because an issuing event is missing.
    Unexplained,
    /// A region that such sessions called, without any event of STS.
    WithoutSts,
}

impl Kinds {
    fn name(self) -> &'static str {
        match self {
            Kinds::Logs => "logs",
            Kinds::Hole => "hole",
            Kinds::TrailChange => "trail_change",
            Kinds::AbsentAccount => "absent_account",
            Kinds::Unexplained => "unexplained",
            Kinds::WithoutSts => "without_sts",
        }
    }
}

/// One row of the answer; the fields are the columns of [`FINDINGS`], described there.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Finding {
    pub account_id: Option<String>,
    pub aws_region: Option<String>,
    pub since: Option<i64>,
    pub until: Option<i64>,
    pub hours: Option<i64>,
    pub hours_without: Option<i64>,
    pub hours_before: Option<i64>,
    pub hours_after: Option<i64>,
    pub files: Option<i64>,
    pub events: Option<i64>,
    pub events_elsewhere: Option<i64>,
    pub sessions: Option<i64>,
    pub state: Option<String>,
    pub seen_in: Vec<String>,
    pub event_source: Option<String>,
    pub event_name: Option<String>,
    pub resource_arn: Option<String>,
    pub request_parameters: Option<String>,
    pub origin_type: Option<String>,
    pub origin: Option<String>,
    pub origin_account_id: Option<String>,
    pub origin_detail: Option<String>,
    pub chain: Vec<String>,
    pub chain_strength: Option<String>,
    pub failure: Option<String>,
    pub event_id: Option<String>,
}

/// The answer as rows.
pub const FINDINGS: TableDef = TableDef {
    name: "coverage_findings",
    doc: "What the logs cover and what they do not.",
    columns: FINDING_COLUMNS,
    partition_by: None,
    lookup: &[],
    sort_by: &[],
};

#[rustfmt::skip]
const FINDING_COLUMNS: &[Column] = &[
    col("kind", Kind::Text, "logs, hole, trail_change, absent_account, unexplained or without_sts"),
    col("account_id", Kind::Text, "account whose log is meant; for absent_account the account that has none"),
    col("aws_region", Kind::Text, "region"),
    col("since", Kind::Time, "first hour, or time of the call"),
    col("until", Kind::Time, "end of the last hour; it does not belong to it"),
    col("hours", Kind::Int, "logs: hours with events; hole: its length"),
    col("hours_without", Kind::Int, "logs: hours without events between hours with events"),
    col("hours_before", Kind::Int, "logs: hours from the beginning of the window, or of all logs, to its first"),
    col("hours_after", Kind::Int, "logs: hours from its last to the end of the window, or of all logs"),
    col("files", Kind::Int, "files with events of that hour; only with one row an hour"),
    col("events", Kind::Int, "events; absent_account, unexplained and without_sts: calls concerned"),
    col("events_elsewhere", Kind::Int, "hole: events of the account in other regions meanwhile"),
    col("sessions", Kind::Int, "absent_account: sessions with this origin account; unexplained and without_sts: sessions without origin"),
    col("state", Kind::Text, "hole: no_files, no_events, unreadable; trail_change: stops, narrows, starts; unexplained: what is missing"),
    col("seen_in", Kind::TextList, "absent_account: accounts whose logs name it"),
    col("event_source", Kind::Text, "trail_change: service"),
    col("event_name", Kind::Text, "trail_change: call"),
    col("resource_arn", Kind::Text, "trail_change: what was changed, where the record says so"),
    col("request_parameters", Kind::Json, "trail_change: what was asked for"),
    col("origin_type", Kind::Text, "trail_change: as in activity"),
    col("origin", Kind::Text, "trail_change: who was behind it; null when unknown"),
    col("origin_account_id", Kind::Text, "trail_change: as in activity"),
    col("origin_detail", Kind::Text, "trail_change: as in activity"),
    col("chain", Kind::TextList, "trail_change: as in activity"),
    col("chain_strength", Kind::Text, "trail_change: as in activity"),
    col("failure", Kind::Text, "trail_change: errorCode; null when it succeeded"),
    col("event_id", Kind::Text, "trail_change: joins events"),
];

impl Finding {
    fn cells(&self, kind: Kinds) -> Vec<Cell<'_>> {
        let text = |value: &'_ Option<String>| value.clone().into();
        let instant = |t: Option<i64>| t.map_or(Cell::Null, Cell::Time);
        let list = |values: &[String]| match values {
            [] => Cell::Null,
            all => all.to_vec().into(),
        };
        vec![
            kind.name().into(),
            text(&self.account_id),
            text(&self.aws_region),
            instant(self.since),
            instant(self.until),
            self.hours.into(),
            self.hours_without.into(),
            self.hours_before.into(),
            self.hours_after.into(),
            self.files.into(),
            self.events.into(),
            self.events_elsewhere.into(),
            self.sessions.into(),
            text(&self.state),
            list(&self.seen_in),
            text(&self.event_source),
            text(&self.event_name),
            text(&self.resource_arn),
            text(&self.request_parameters),
            text(&self.origin_type),
            text(&self.origin),
            text(&self.origin_account_id),
            text(&self.origin_detail),
            list(&self.chain),
            text(&self.chain_strength),
            text(&self.failure),
            text(&self.event_id),
        ]
    }
}

/// The whole answer.
#[derive(Debug, Default)]
pub struct CoverageAnswer {
    /// By account and region.
    pub logs: Vec<Finding>,
    /// By account, region and time.
    pub holes: Vec<Finding>,
    /// By time.
    pub trail_changes: Vec<Finding>,
    /// By account.
    pub absent_accounts: Vec<Finding>,
    /// By account and what is missing.
    pub unexplained: Vec<Finding>,
    /// By account and region.
    pub without_sts: Vec<Finding>,
}

impl CoverageAnswer {
    /// All findings with their kind, section by section.
    pub fn all(&self) -> impl Iterator<Item = (Kinds, &Finding)> {
        [
            (Kinds::Logs, &self.logs),
            (Kinds::Hole, &self.holes),
            (Kinds::TrailChange, &self.trail_changes),
            (Kinds::AbsentAccount, &self.absent_accounts),
            (Kinds::Unexplained, &self.unexplained),
            (Kinds::WithoutSts, &self.without_sts),
        ]
        .into_iter()
        .flat_map(|(kind, findings)| findings.iter().map(move |finding| (kind, finding)))
    }

    /// The findings as rows of [`FINDINGS`], at most `limit`, in batches of bounded size.
    pub fn batches(
        &self,
        limit: Option<usize>,
    ) -> impl Iterator<Item = Result<arrow::array::RecordBatch>> {
        let mut left = self.all().take(limit.unwrap_or(usize::MAX)).peekable();
        std::iter::from_fn(move || {
            left.peek()?;
            let mut rows = RowsBuilder::new(&FINDINGS);
            left.by_ref().take(BATCH_ROWS).for_each(|(kind, f)| rows.push(f.cells(kind)));
            Some(rows.finish())
        })
    }
}

const BATCH_ROWS: usize = 8192;

/// Answers what the logs cover.
///
/// # Errors
/// The engine's.
pub async fn coverage(sql: &Sql, wanted: &CoverageFilter) -> Result<CoverageAnswer> {
    let (logs, holes) = hours::logs_and_holes(sql, wanted).await?;
    Ok(CoverageAnswer {
        logs,
        holes,
        trail_changes: changes::trail_changes(sql, wanted).await?,
        absent_accounts: absent::accounts(sql, wanted).await?,
        unexplained: unexplained::sessions(sql, wanted).await?,
        without_sts: without_sts::regions(sql, wanted).await?,
    })
}
