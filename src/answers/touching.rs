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
    condition_by(sql, filter, resource, window, MOST).await
}

async fn condition_by(
    sql: &Sql,
    filter: &mut Filter,
    resource: &str,
    window: Window,
    most: usize,
) -> Result<()> {
    let (named, wanted) = (by_events(resource), by_grants(resource));
    let (named, wanted) =
        try_join!(events(sql, named, window, most), events(sql, wanted, window, most))?;
    // Two records can have one id.
    let by_record = naming(filter, resource);
    let by_role = match &wanted {
        Some(wanted) => {
            let ids = filter.bind_texts(wanted.ids.iter().map(String::as_str));
            format!("among(event_id, {ids})")
        }
        None => {
            let role = wanting(filter, resource);
            format!("event_id IN (SELECT event_id FROM grants WHERE {role})")
        }
    };
    filter.add(format!("{by_record} OR {by_role}"));
    if let (Some(named), Some(wanted)) = (named, wanted) {
        let ids: BTreeSet<&String> = named.ids.union(&wanted.ids).collect();
        let ids = filter.bind_texts(ids.into_iter().map(String::as_str));
        filter.add(format!("among(event_id, {ids})"));
        let since = named.first.into_iter().chain(wanted.first).min();
        let until = named.last.max(wanted.last).map(|last| last.saturating_add(1));
        filter.events_in(Window { since, until }, "activity");
    }
    Ok(())
}

/// Whether any call touched it.
pub(super) fn probe(resource: &str) -> Probe<'_> {
    let ((events, naming), (grants, wanting)) = (by_events(resource), by_grants(resource));
    Probe::new(Sought::Resource, resource, events, naming).or(grants, wanting)
}

/// Events whose own columns name it.
fn by_events(resource: &str) -> (&'static str, Filter) {
    let mut filter = Filter::default();
    let naming = naming(&mut filter, resource);
    filter.add(naming);
    ("events", filter)
}

/// Events that are known to have asked for a role of that name.
fn by_grants(resource: &str) -> (&'static str, Filter) {
    let mut filter = Filter::default();
    let wanting = wanting(&mut filter, resource);
    filter.add(wanting);
    ("grants", filter)
}

fn naming(filter: &mut Filter, resource: &str) -> String {
    let (text, arn) = (filter.bind(&like_text(resource)), filter.bind(&like_arn(resource)));
    format!("request_parameters LIKE {text} OR touches_like(resources, {arn})")
}

fn wanting(filter: &mut Filter, resource: &str) -> String {
    let arn = filter.bind(&like_arn(resource));
    format!("role_arn LIKE {arn}")
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
    most: usize,
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
        if found.ids.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{Options, Silent};
    use crate::pipeline;
    use crate::sql::{Source, Sql};

    #[tokio::test]
    async fn too_many_to_be_named_are_found_all_the_same() {
        let logs = [concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs").to_owned()];
        let loaded = pipeline::load(&logs, &Options::default(), 1 << 30, &Silent).unwrap();
        let sql = Sql::open(Source::Memory(loaded.tables), 256 << 20).await.unwrap();
        for (resource, least) in [("arn:aws:iam::*:role/*", 100), ("PayrollAdmin", 1), ("*", 500)] {
            let mut answers = Vec::new();
            for most in [MOST, 20, 0] {
                let mut filter = Filter::default();
                let window = Window { since: Some(0), until: None };
                condition_by(&sql, &mut filter, resource, window, most).await.unwrap();
                let (clause, params) = filter.finish();
                let one_by_one = clause.contains(" AND (among(event_id, ");
                assert!(one_by_one || most < MOST, "{clause}");
                let statement = format!("SELECT event_id FROM activity {clause} ORDER BY 1");
                answers.push(
                    super::super::rows::texts(&sql, &statement, params, "event_id").await.unwrap(),
                );
            }
            assert!(answers[0].len() >= least, "{resource}: {}", answers[0].len());
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{resource}");
        }
    }
}
