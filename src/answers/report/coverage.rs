//! For which accounts, regions and stretches of the window there are logs at all.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::filter::{Filter, Window};
use super::super::rows::Rows;
use super::super::sessions::instant;
use super::Span;
use super::figures::bucket_length;
use crate::error::Result;
use crate::model::time;
use crate::sql::Sql;

/// Stretches that a stripe has at most.
const MOST_CELLS: i64 = 48;
/// Accounts and regions that are listed.
const MOST_STRIPES: usize = 40;

/// The logs of the window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Length of a cell in seconds, an hour at least.
    pub cell_seconds: i64,
    /// One an account and region that has events in the window, or has had some before.
    pub stripes: Vec<Stripe>,
    /// Further accounts and regions that are not listed.
    pub more: usize,
}

/// An account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stripe {
    /// The account whose log it is.
    pub account_id: String,
    /// The region.
    pub aws_region: String,
    /// Hours of the window, begun ones counted.
    pub hours: u64,
    /// Hours among them that have events.
    pub hours_with_events: u64,
    /// Events.
    pub events: u64,
    /// The longest run of hours without events, in hours.
    pub longest_silence: u64,
    /// When that began.
    #[serde(serialize_with = "instant")]
    pub silent_since: Option<i64>,
    /// Events by cell, from the beginning of the window on.
    pub cells: Vec<u64>,
}

pub(super) async fn coverage(sql: &Sql, window: Window, shown: Span) -> Result<Coverage> {
    let length = bucket_length(shown, MOST_CELLS).max(time::HOUR);
    let mut found = Coverage { cell_seconds: length / time::SECOND, ..Coverage::default() };
    let (Some(since), Some(until)) = (shown.since, shown.until) else { return Ok(found) };
    let (first, last) =
        (since.div_euclid(time::HOUR), (until - 1).max(since).div_euclid(time::HOUR));
    let mut filter = Filter::default();
    if window.until.is_some() {
        let name = filter.bind_instant(until);
        filter.add(format!("hour < {name}"));
    }
    let (clause, params) = filter.finish();
    let statement = format!("SELECT account_id, aws_region, hour, events FROM coverage {clause}");
    let mut hours: BTreeMap<(String, String), BTreeMap<i64, u64>> = BTreeMap::new();
    let mut rows = sql.stream(&statement, params).await?;
    while let Some(batch) = futures::StreamExt::next(&mut rows).await {
        let rows = Rows::new(&batch?)?;
        for row in 0..rows.len() {
            let text = |name| rows.string(name, row).unwrap_or_default();
            // Whoever had logs before and has none now is listed too.
            let stripe = hours.entry((text("account_id"), text("aws_region"))).or_default();
            let hour = rows.time("hour", row).unwrap_or(0).div_euclid(time::HOUR);
            if (first..=last).contains(&hour) {
                *stripe.entry(hour).or_default() += rows.count("events", row);
            }
        }
    }
    found.more = hours.len().saturating_sub(MOST_STRIPES);
    let stripe = |((account_id, aws_region), hours)| {
        let mut stripe = Stripe { account_id, aws_region, ..Stripe::default() };
        stripe.fill(&hours, first..=last, length);
        stripe
    };
    found.stripes = hours.into_iter().take(MOST_STRIPES).map(stripe).collect();
    Ok(found)
}

impl Stripe {
    fn fill(
        &mut self,
        hours: &BTreeMap<i64, u64>,
        all: std::ops::RangeInclusive<i64>,
        length: i64,
    ) {
        let (first, last) = (*all.start(), *all.end());
        let per_cell = (length / time::HOUR).max(1);
        self.hours = u64::try_from(last - first + 1).unwrap_or(0);
        self.hours_with_events = hours.len() as u64;
        self.events = hours.values().sum();
        let cell =
            |hour: i64| usize::try_from(hour.div_euclid(per_cell) - first.div_euclid(per_cell));
        self.cells = vec![0; cell(last).map_or(0, |last| last + 1)];
        for (hour, events) in hours {
            if let Some(cell) = cell(*hour).ok().and_then(|at| self.cells.get_mut(at)) {
                *cell += events;
            }
        }
        let mut from = first;
        for hour in hours.keys().copied().chain([last + 1]) {
            let silent = u64::try_from(hour - from).unwrap_or(0);
            if silent > self.longest_silence {
                self.longest_silence = silent;
                self.silent_since = Some(from * time::HOUR);
            }
            from = hour + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silences_are_found_at_both_ends_and_between() {
        let mut stripe = Stripe::default();
        stripe.fill(&BTreeMap::from([(11, 3), (12, 1), (15, 2)]), 10..=16, time::HOUR);
        assert_eq!((stripe.hours, stripe.hours_with_events, stripe.events), (7, 3, 6));
        assert_eq!(stripe.cells, [0, 3, 1, 0, 0, 2, 0]);
        assert_eq!((stripe.longest_silence, stripe.silent_since), (2, Some(13 * time::HOUR)));
        let mut never = Stripe::default();
        never.fill(&BTreeMap::new(), 0..=47, time::DAY);
        assert_eq!((never.longest_silence, never.cells.len()), (48, 2));
    }
}
