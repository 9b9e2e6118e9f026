//! Where there are logs, by account and region, and the hours between them that have none.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use futures::StreamExt;

use super::{CoverageFilter, Finding};
use crate::answers::filter::Filter;
use crate::answers::rows::Rows;
use crate::error::Result;
use crate::model::time::{self, DAY, HOUR};
use crate::sources::layout;
use crate::sql::{Params, Sql};

/// How finely logs are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Grain {
    /// One row an account and region.
    #[default]
    Span,
    /// One row a day.
    Day,
    /// One row an hour.
    Hour,
}

/// How long before its delivery the events of a file may lie that could not be read. Ten minutes is the
/// longest delay that was measured.
const DELAY: i64 = 15 * 60 * time::SECOND;

/// An hour with events.
#[derive(Debug, Clone, Copy)]
struct Logged {
    hour: i64,
    files: i64,
    events: i64,
}

/// The hours of an account and region, in order.
struct Region {
    name: Option<String>,
    /// Whether it was asked for; the others tell what went on elsewhere.
    wanted: bool,
    hours: Vec<Logged>,
}

/// Hours without events between hours with events; the end does not belong to it.
struct Hole {
    account: Option<String>,
    region: Option<String>,
    since: i64,
    until: i64,
    elsewhere: i64,
    /// What files say about some of its hours.
    told: BTreeMap<i64, &'static str>,
}

const NO_FILES: &str = "no_files";
const NO_EVENTS: &str = "no_events";
const UNREADABLE: &str = "unreadable";

/// Logs by account and region, and the holes in them.
pub(super) async fn logs_and_holes(
    sql: &Sql,
    wanted: &CoverageFilter,
) -> Result<(Vec<Finding>, Vec<Finding>)> {
    let mut found = Collected::new(sql, wanted).await?;
    let mut filter = Filter::default();
    filter.fits(&["account_id"], wanted.account.as_deref());
    if let Some(since) = wanted.window.since {
        let name = filter.bind_instant(since.saturating_sub(HOUR));
        filter.add(format!("hour > {name}"));
    }
    if let Some(until) = wanted.window.until {
        let name = filter.bind_instant(until);
        filter.add(format!("hour < {name}"));
    }
    let asked_for = match wanted.region.as_deref() {
        Some(region) => filter.fitting(&["aws_region"], region),
        None => "true".to_owned(),
    };
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT account_id, aws_region, {asked_for} AS wanted, hour, files, events
         FROM coverage {clause} ORDER BY account_id, aws_region, hour"
    );
    let mut stream = sql.stream(&statement, params).await?;
    while let Some(batch) = stream.next().await {
        let rows = Rows::new(&batch?)?;
        (0..rows.len()).for_each(|row| found.add(&rows, row));
    }
    found.end_account();
    found.add_silent(sql, wanted).await?;
    found.ask_files(sql).await?;
    let holes = found.holes.iter().flat_map(Hole::findings).collect();
    Ok((found.logs, holes))
}

/// What was found so far; one account is held with all its hours.
struct Collected {
    grain: Grain,
    /// Begin and end of what was asked for, or of all logs.
    span: Option<(i64, i64)>,
    account: Option<String>,
    regions: Vec<Region>,
    logs: Vec<Finding>,
    holes: Vec<Hole>,
}

impl Collected {
    async fn new(sql: &Sql, wanted: &CoverageFilter) -> Result<Collected> {
        let mut span = None;
        let whole = "SELECT min(hour) AS first, max(hour) AS last FROM coverage";
        for batch in sql.rows(whole, Params::none()).await? {
            let rows = Rows::new(&batch)?;
            let (first, last) = (rows.time("first", 0), rows.time("last", 0));
            let first = wanted.window.since.or(first);
            let last = wanted.window.until.or(last.map(|last| last + HOUR));
            span = first.zip(last).or(span);
        }
        Ok(Collected {
            grain: wanted.grain,
            span,
            account: None,
            regions: Vec::new(),
            logs: Vec::new(),
            holes: Vec::new(),
        })
    }

    /// Adds an hour; they come in order.
    fn add(&mut self, rows: &Rows, row: usize) {
        let Some(hour) = rows.time("hour", row) else { return };
        if rows.text("account_id", row) != self.account.as_deref() {
            self.end_account();
            self.account = rows.string("account_id", row);
        }
        let name = rows.text("aws_region", row);
        if self.regions.last().is_none_or(|region| region.name.as_deref() != name) {
            let wanted = rows.flag("wanted", row) == Some(true);
            let name = name.map(str::to_owned);
            self.regions.push(Region { name, wanted, hours: Vec::new() });
        }
        let count = |name| rows.int(name, row).unwrap_or(0);
        let logged = Logged { hour, files: count("files"), events: count("events") };
        if let Some(region) = self.regions.last_mut() {
            region.hours.push(logged);
        }
    }

    fn end_account(&mut self) {
        let regions = std::mem::take(&mut self.regions);
        for (n, region) in regions.iter().enumerate().filter(|(_, region)| region.wanted) {
            self.list(region);
            for pair in region.hours.windows(2) {
                let (since, until) = (pair[0].hour + HOUR, pair[1].hour);
                if since >= until {
                    continue;
                }
                let others = regions.iter().enumerate().filter(|(other, _)| *other != n);
                let elsewhere = others.map(|(_, other)| other.events_in(since, until)).sum();
                self.holes.push(Hole {
                    account: self.account.clone(),
                    region: region.name.clone(),
                    since,
                    until,
                    elsewhere,
                    told: BTreeMap::new(),
                });
            }
        }
    }

    fn list(&mut self, region: &Region) {
        let unit = match self.grain {
            Grain::Span => i64::MAX,
            Grain::Day => DAY,
            Grain::Hour => HOUR,
        };
        for part in region.hours.chunk_by(|a, b| a.hour.div_euclid(unit) == b.hour.div_euclid(unit))
        {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let (since, until) = (first.hour, last.hour + HOUR);
            let hours = i64::try_from(part.len()).unwrap_or(i64::MAX);
            let around = self.span.filter(|_| self.grain == Grain::Span);
            self.logs.push(Finding {
                account_id: self.account.clone(),
                aws_region: region.name.clone(),
                since: Some(since),
                until: Some(until),
                hours: Some(hours),
                hours_without: Some((until - since) / HOUR - hours),
                hours_before: around.map(|(begin, _)| (since - begin).max(0) / HOUR),
                hours_after: around.map(|(_, end)| (end - until).max(0) / HOUR),
                files: Some(first.files).filter(|_| self.grain == Grain::Hour),
                events: Some(part.iter().map(|logged| logged.events).sum()),
                ..Finding::default()
            });
        }
    }

    /// Accounts and regions that have logs, but none in the window.
    async fn add_silent(&mut self, sql: &Sql, wanted: &CoverageFilter) -> Result<()> {
        let (Some(begin), Some(end)) = (wanted.window.since, self.span.map(|(_, end)| end)) else {
            return Ok(());
        };
        let mut filter = Filter::default();
        filter.fits(&["account_id"], wanted.account.as_deref());
        filter.fits(&["aws_region"], wanted.region.as_deref());
        let (since, until) =
            (filter.bind_instant(begin.saturating_sub(HOUR)), filter.bind_instant(end));
        let (clause, params) = filter.finish();
        let statement = format!(
            "SELECT account_id, aws_region, max(hour) AS last FROM coverage {clause}
             GROUP BY account_id, aws_region
             HAVING max(CASE WHEN hour > {since} AND hour < {until} THEN 1 ELSE 0 END) = 0
                AND max(hour) <= {since} ORDER BY account_id, aws_region"
        );
        for batch in sql.rows(&statement, params).await? {
            let rows = Rows::new(&batch)?;
            self.logs.extend((0..rows.len()).map(|row| Finding {
                account_id: rows.string("account_id", row),
                aws_region: rows.string("aws_region", row),
                until: rows.time("last", row).map(|last| last + HOUR),
                hours: Some(0),
                hours_after: rows.time("last", row).map(|last| (end - last) / HOUR - 1),
                events: Some(0),
                state: Some("stopped_before_window".to_owned()),
                ..Finding::default()
            }));
        }
        self.logs.sort_by(|a, b| {
            (&a.account_id, &a.aws_region, a.since).cmp(&(&b.account_id, &b.aws_region, b.since))
        });
        Ok(())
    }

    /// Files whose names tell account, region and time of delivery speak for hours without events.
    async fn ask_files(&mut self, sql: &Sql) -> Result<()> {
        let mut by_region: HashMap<(String, String), Vec<usize>> = HashMap::new();
        for (n, hole) in self.holes.iter().enumerate() {
            if let (Some(account), Some(region)) = (&hole.account, &hole.region) {
                by_region.entry((account.clone(), region.clone())).or_default().push(n);
            }
        }
        if by_region.is_empty() {
            return Ok(());
        }
        let named = "SELECT path, status FROM files
                     WHERE path LIKE '%CloudTrail%' AND status IN ('complete', 'partial', 'unreadable')";
        let mut stream = sql.stream(named, Params::none()).await?;
        while let Some(batch) = stream.next().await {
            let rows = Rows::new(&batch?)?;
            for row in 0..rows.len() {
                let delivery = rows.text("path", row).map(Path::new).and_then(layout::delivery);
                let Some(delivery) = delivery else { continue };
                let Some(holes) = by_region.get(&(delivery.account, delivery.region)) else {
                    continue;
                };
                let whole = rows.text("status", row) == Some("complete");
                let says = if whole { NO_EVENTS } else { UNREADABLE };
                // A whole file shows by its events for which hours it speaks; that it came in an hour tells
                // that delivery had not ended, not that nothing happened.
                let earliest = if whole { delivery.at } else { delivery.at - DELAY };
                for at in [earliest, delivery.at] {
                    let hour = at.div_euclid(HOUR) * HOUR;
                    let after = holes.partition_point(|n| self.holes[*n].since <= hour);
                    let Some(n) = after.checked_sub(1).and_then(|i| holes.get(i)) else { continue };
                    self.holes[*n].hear(hour, says);
                }
            }
        }
        Ok(())
    }
}

impl Region {
    fn events_in(&self, since: i64, until: i64) -> i64 {
        let first = self.hours.partition_point(|logged| logged.hour < since);
        let inside = self.hours[first..].iter().take_while(|logged| logged.hour < until);
        inside.map(|logged| logged.events).sum()
    }
}

impl Hole {
    /// A file that could not be read outweighs one that holds no event of the hour.
    fn hear(&mut self, hour: i64, says: &'static str) {
        if (self.since..self.until).contains(&hour) {
            let told = self.told.entry(hour).or_insert(says);
            if says == UNREADABLE {
                *told = says;
            }
        }
    }

    /// One finding for each run of hours of which the same is known.
    fn findings(&self) -> Vec<Finding> {
        let mut runs: Vec<(i64, i64, &str)> = Vec::new();
        let mut add = |since: i64, until: i64, state| match runs.last_mut() {
            _ if since >= until => {}
            Some(last) if last.2 == state => last.1 = until,
            _ => runs.push((since, until, state)),
        };
        let mut at = self.since;
        for (hour, state) in &self.told {
            add(at, *hour, NO_FILES);
            add(*hour, *hour + HOUR, state);
            at = *hour + HOUR;
        }
        add(at, self.until, NO_FILES);
        // What went on elsewhere is known of the hole as a whole.
        let elsewhere = Some(self.elsewhere).filter(|_| runs.len() == 1);
        let finding = |(since, until, state): (i64, i64, &str)| Finding {
            account_id: self.account.clone(),
            aws_region: self.region.clone(),
            since: Some(since),
            until: Some(until),
            hours: Some((until - since) / HOUR),
            events_elsewhere: elsewhere,
            state: Some(state.to_owned()),
            ..Finding::default()
        };
        runs.into_iter().map(finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_say_splits_a_hole() {
        let mut hole = Hole {
            account: None,
            region: None,
            since: 0,
            until: 6 * HOUR,
            elsewhere: 7,
            told: BTreeMap::new(),
        };
        let shown = |hole: &Hole| -> Vec<(i64, i64, String, Option<i64>)> {
            let row = |f: Finding| {
                let (since, until) = (f.since.unwrap() / HOUR, f.until.unwrap() / HOUR);
                (since, until, f.state.unwrap(), f.events_elsewhere)
            };
            hole.findings().into_iter().map(row).collect()
        };
        assert_eq!(shown(&hole), [(0, 6, "no_files".to_owned(), Some(7))]);
        hole.hear(6 * HOUR, NO_EVENTS);
        hole.hear(-HOUR, NO_EVENTS);
        assert_eq!(shown(&hole).len(), 1);
        hole.hear(2 * HOUR, UNREADABLE);
        hole.hear(2 * HOUR, NO_EVENTS);
        hole.hear(3 * HOUR, NO_EVENTS);
        hole.hear(5 * HOUR, NO_EVENTS);
        let states = ["no_files", "unreadable", "no_events", "no_files", "no_events"];
        let expected = [(0, 2), (2, 3), (3, 4), (4, 5), (5, 6)];
        for ((since, until, state, elsewhere), (span, name)) in
            shown(&hole).into_iter().zip(expected.iter().zip(states))
        {
            assert_eq!(((since, until), &*state, elsewhere), (*span, name, None));
        }
    }
}
