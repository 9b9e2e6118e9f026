//! Which calls touched a resource: its ARN or name stands among the resources of the record, or in what
//! was asked for, as many services record no resources, or, of a role, only in the message of a denied
//! call.
//!
//! Which events these are is asked first, of the few columns that tell it. As one condition on everything
//! else that is wanted of a call it would keep the ids of all events in memory.

use std::collections::BTreeSet;

use futures::{StreamExt, try_join};

use super::filter::{Filter, Window};
use super::pattern::{like, like_anywhere};
use super::rows::Rows;
use super::unmatched::{Probe, Sought};
use crate::error::Result;
use crate::sql::Sql;

/// Most events that are named one by one.
const MOST: usize = 500_000;

/// The resources of all events, one a row.
const RESOURCES: &str = "(SELECT event_id, event_time, unnest(resources) AS resource FROM events)";

/// Adds that a call touched the resource; all that is wanted lies in `window`.
///
/// # Errors
/// The engine's.
pub(super) async fn condition(
    sql: &Sql,
    filter: &mut Filter,
    resource: &str,
    window: Window,
) -> Result<()> {
    let [asked, recorded, role] = ways(resource);
    let (asked, recorded, role) = try_join!(
        events(sql, asked, window),
        events(sql, recorded, window),
        events(sql, role, window)
    )?;
    let all = [asked, recorded, role].into_iter().flatten().collect::<Vec<Touched>>();
    if all.len() < 3 {
        let in_one = in_one(filter, resource);
        filter.add(in_one);
        return Ok(());
    }
    let ids: BTreeSet<&str> = all.iter().flat_map(|found| &found.ids).map(String::as_str).collect();
    let ids = filter.bind_texts(ids);
    filter.add(format!("among(event_id, {ids})"));
    let since = all.iter().filter_map(|found| found.first).min();
    let last = all.iter().filter_map(|found| found.last).max();
    let until = last.map(|last| last.saturating_add(1));
    filter.events_in(Window { since, until }, "activity");
    Ok(())
}

/// Whether any call touched it.
pub(super) fn probe(resource: &str) -> Probe<'_> {
    let [(asked, is_asked), (recorded, is_recorded), (role, is_role)] = ways(resource);
    Probe::new(Sought::Resource, resource, asked, is_asked)
        .or(recorded, is_recorded)
        .or(role, is_role)
}

/// The tables that tell which events touched it, and the condition on each.
fn ways(resource: &str) -> [(&'static str, Filter); 3] {
    let mut asked = Filter::default();
    let text = asked.bind(&like_text(resource));
    asked.add(format!("request_parameters LIKE {text}"));
    let of_arn = |column: &str| {
        let mut filter = Filter::default();
        let arn = filter.bind(&like_arn(resource));
        filter.add(format!("{column} LIKE {arn}"));
        filter
    };
    [("events", asked), (RESOURCES, of_arn("resource['arn']")), ("grants", of_arn("role_arn"))]
}

/// The same as one condition on **activity**, whatever the number of events.
fn in_one(filter: &mut Filter, resource: &str) -> String {
    let text = filter.bind(&like_text(resource));
    let arn = filter.bind(&like_arn(resource));
    format!(
        "request_parameters LIKE {text}
         OR event_id IN (SELECT event_id FROM {RESOURCES} WHERE resource['arn'] LIKE {arn})
         OR event_id IN (SELECT event_id FROM grants WHERE role_arn LIKE {arn})"
    )
}

/// What was asked for is JSON: the text may stand anywhere in it.
fn like_text(resource: &str) -> String {
    format!("%{}%", like(resource))
}

fn like_arn(resource: &str) -> String {
    if resource.starts_with("arn:") { like(resource) } else { like_anywhere(resource) }
}

/// Events, and from when to when they were.
#[derive(Default)]
struct Touched {
    ids: BTreeSet<String>,
    first: Option<i64>,
    last: Option<i64>,
}

/// The events that are found in one way; `None` where they are too many.
async fn events(
    sql: &Sql,
    (table, mut filter): (&str, Filter),
    window: Window,
) -> Result<Option<Touched>> {
    let then = filter.between("event_time", window);
    filter.add(then);
    let (clause, params) = filter.finish();
    let statement = format!("SELECT event_id, event_time FROM {table} {clause}");
    let mut rows = sql.stream(&statement, params).await?;
    let mut found = Touched::default();
    while let Some(batch) = rows.next().await {
        let rows = Rows::new(&batch?)?;
        for row in 0..rows.len() {
            let time = rows.time("event_time", row);
            found.first = found.first.into_iter().chain(time).min();
            found.last = found.last.max(time);
            found.ids.extend(rows.string("event_id", row));
        }
        if found.ids.len() > MOST {
            return Ok(None);
        }
    }
    Ok(Some(found))
}
