//! What the chosen queries found.

use arrow::array::RecordBatch;
use futures::StreamExt;
use serde::Serialize;

use super::super::filter::Window;
use super::sets::Chosen;
use crate::error::{Error, Result};
use crate::model::time;
use crate::sql::saved::{Saved, Severity};
use crate::sql::{Given, ParamType, Sql, own};

/// Rows of a finding that are kept.
const MOST_ROWS: usize = 50;

/// A query and its answer.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The query.
    pub query: String,
    /// The question.
    pub title: String,
    /// What a row means: `info`, `low`, `medium`, `high`, `critical`.
    pub severity: &'static str,
    /// The same, to be compared.
    #[serde(skip)]
    pub rank: Severity,
    /// What the rows are.
    pub shows: String,
    /// What the query misses.
    pub cannot_know: String,
    /// The statement.
    pub sql: String,
    /// The values that were bound to it, as text.
    pub params: Vec<(String, String)>,
    /// Whether the query looks at the window alone.
    pub windowed: bool,
    /// Rows of the whole answer.
    pub rows: u64,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The first rows.
    #[serde(skip)]
    pub first: Vec<RecordBatch>,
}

pub(super) async fn findings(
    sql: &Sql,
    window: Window,
    queries: &[Chosen],
    now: i64,
) -> Result<Vec<Finding>> {
    let mut found = Vec::with_capacity(queries.len());
    for query in queries {
        let made = finding(sql, window, query, now).await;
        found.push(made.map_err(|error| failed(&query.saved, error))?);
    }
    // Stable: within a severity in the order of the set; what found nothing comes last.
    found.sort_by_key(|f: &Finding| (f.rows == 0, std::cmp::Reverse(f.rank)));
    Ok(found)
}

/// The error of a query with its name and what to do. A report that left a check out would read like one
/// whose check found nothing.
fn failed(saved: &Saved, error: Error) -> Error {
    let name = &saved.name;
    let advice = match (error.hint(), &saved.file) {
        (Some(hint), Some(file)) => format!("{hint}; the query is {}", file.display()),
        (Some(hint), None) => hint.to_owned(),
        (None, Some(file)) => format!("mend {}, or take {name} out of its set", file.display()),
        (None, None) => format!("until it works, ask for a set without {name}: --sets FILE"),
    };
    let hint = format!(
        "{advice}; this report was not written, and the next one --since last takes up its window"
    );
    match error {
        Error::Usage { message, .. } => {
            Error::Usage { message: format!("query {name}: {message}"), hint: Some(hint) }
        }
        cause => Error::Query { query: name.clone(), cause: Box::new(cause), hint },
    }
}

async fn finding(sql: &Sql, window: Window, query: &Chosen, now: i64) -> Result<Finding> {
    let saved = &query.saved;
    let mut given = query.given.clone();
    for (name, value) in [("since", window.since), ("until", window.until)] {
        // A query without window tells of the whole store, and the report says so.
        let Some(value) = value.filter(|_| saved.takes(name)) else { continue };
        let (name, kind) = (name.to_owned(), Some(ParamType::Time));
        given.push(Given { name, kind, value: time::format_instant(value) });
    }
    let params = saved.bind(&given, now)?;
    let frame = sql.plan_exactly(&saved.sql, params, saved.dialect()).await?;
    let mut rows = sql.run(frame).await?;
    let columns = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
    let (mut first, mut kept, mut count) = (Vec::new(), 0usize, 0u64);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        count += batch.num_rows() as u64;
        let wanted = batch.num_rows().min(MOST_ROWS - kept);
        if wanted > 0 {
            kept += wanted;
            first.push(own(&batch.slice(0, wanted))?);
        }
    }
    Ok(Finding {
        query: saved.name.clone(),
        title: saved.title.clone(),
        severity: query.severity.name(),
        rank: query.severity,
        shows: saved.shows.clone(),
        cannot_know: saved.cannot_know.clone(),
        sql: saved.sql.clone(),
        params: given.into_iter().map(|given| (given.name, given.value)).collect(),
        windowed: saved.takes("since") || saved.takes("until"),
        rows: count,
        columns,
        first,
    })
}
