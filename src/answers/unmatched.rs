//! Why a filter found nothing: a name that these logs do not hold, another time, or options that no row
//! fits together. Asked only when there is nothing to show.

use super::filter::Filter;
use super::pattern::like;
use super::rows::{Rows, texts};
use crate::error::Result;
use crate::sql::Sql;

/// Most edits between a name and one that may have been meant.
const MOST_EDITS: usize = 3;
/// Names that are offered.
const OFFERED: usize = 3;

/// What an option asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Sought {
    Role,
    Action,
    Resource,
    Origin,
    Principal,
    Account,
    Address,
    AccessKey,
}

/// A value of an option that nothing in the whole of the logs fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What was asked for.
    pub sought: Sought,
    /// As it was typed.
    pub value: String,
    /// Names that the logs do hold and that are alike, the nearest first.
    pub near: Vec<String>,
    /// Whether the logs name it in another part: a role only in denied attempts, an account only in
    /// the logs of others, a key only where it was issued.
    pub named: bool,
}

/// Rows that fit everything but the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Elsewhere {
    pub rows: u64,
    pub first: Option<i64>,
    pub last: Option<i64>,
}

/// Why nothing was found, as far as that can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unmatched {
    /// Values that nothing fits.
    pub unknown: Vec<Unknown>,
    /// Rows outside the window, where one was given and all values are known.
    pub elsewhere: Option<Elsewhere>,
    /// How many options were asked.
    pub options: usize,
}

/// How one option is looked for by itself.
pub(super) struct Probe<'a> {
    pub sought: Sought,
    pub value: &'a str,
    /// The tables that tell whether there is any such thing, and the condition on each.
    pub there: Vec<(&'static str, Filter)>,
    /// Another table that may name it.
    pub named: Option<(&'static str, Filter)>,
    /// Rows of one column `name`: what the logs hold of the kind, and what ends with the part that is
    /// most easily remembered.
    pub names: Option<(&'static str, char)>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(
        sought: Sought,
        value: &'a str,
        table: &'static str,
        filter: Filter,
    ) -> Probe<'a> {
        Probe { sought, value, there: vec![(table, filter)], named: None, names: None }
    }

    /// Another table that tells so.
    pub(super) fn or(mut self, table: &'static str, filter: Filter) -> Probe<'a> {
        self.there.push((table, filter));
        self
    }

    pub(super) fn named(mut self, table: &'static str, filter: Filter) -> Probe<'a> {
        self.named = Some((table, filter));
        self
    }

    pub(super) fn names(mut self, names: &'static str, last_after: char) -> Probe<'a> {
        self.names = Some((names, last_after));
        self
    }

    async fn ask(self, sql: &Sql) -> Result<Option<Unknown>> {
        for (table, filter) in self.there {
            if any(sql, table, filter).await? {
                return Ok(None);
            }
        }
        let named = match self.named {
            Some((table, filter)) => any(sql, table, filter).await?,
            None => false,
        };
        let near = match self.names {
            Some((names, last_after)) if !named => near(sql, self.value, names, last_after).await?,
            _ => Vec::new(),
        };
        Ok(Some(Unknown { sought: self.sought, value: self.value.to_owned(), near, named }))
    }
}

/// Asks each option by itself.
///
/// # Errors
/// The engine's.
pub(super) async fn unmatched(sql: &Sql, probes: Vec<Probe<'_>>) -> Result<Unmatched> {
    let mut found = Unmatched { options: probes.len(), ..Unmatched::default() };
    for probe in probes {
        found.unknown.extend(probe.ask(sql).await?);
    }
    Ok(found)
}

/// What fits everything but the window: of a table, and by its column for time.
///
/// # Errors
/// The engine's.
pub(super) async fn elsewhere(
    sql: &Sql,
    (table, time): (&str, &str),
    filter: Filter,
) -> Result<Option<Elsewhere>> {
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT count(*) AS found, min({time}) AS first, max({time}) AS last FROM {table} {clause}"
    );
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        if !rows.is_empty() && rows.count("found", 0) > 0 {
            return Ok(Some(Elsewhere {
                rows: rows.count("found", 0),
                first: rows.time("first", 0),
                last: rows.time("last", 0),
            }));
        }
    }
    Ok(None)
}

async fn any(sql: &Sql, table: &str, filter: Filter) -> Result<bool> {
    let (clause, params) = filter.finish();
    let found =
        sql.rows(&format!("SELECT 1 AS found FROM {table} {clause} LIMIT 1"), params).await?;
    Ok(found.iter().any(|batch| batch.num_rows() > 0))
}

/// Names that are alike as a whole or in their last part, or hold the text.
async fn near(sql: &Sql, text: &str, names: &str, last_after: char) -> Result<Vec<String>> {
    let text = text.replace('*', "");
    let last = text.rsplit(last_after).next().unwrap_or_default();
    let length = last.chars().count();
    if length < 3 {
        return Ok(Vec::new());
    }
    let most = (length / 4).clamp(1, MOST_EDITS);
    let mut filter = Filter::default();
    let (whole, part) = (filter.bind(&text), filter.bind(last));
    let inside = filter.bind(&format!("%{}%", like(last)));
    let edits = format!(
        "least(levenshtein(lower(name), lower({whole})),
               levenshtein(lower(split_part(name, '{last_after}', -1)), lower({part})))"
    );
    filter.add("name IS NOT NULL");
    filter.add(format!("{edits} <= {most} OR name ILIKE {inside}"));
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT name FROM (SELECT DISTINCT name FROM ({names})) {clause}
         ORDER BY {edits}, name LIMIT {OFFERED}"
    );
    texts(sql, &statement, params, "name").await
}

/// A role that a session had; else perhaps one that was only asked for.
pub(super) fn role(role: &str) -> Probe<'_> {
    let columns = ["role_name", "role_arn"];
    let names = match role.starts_with("arn:") {
        true => "SELECT role_arn AS name FROM sessions",
        false => "SELECT role_name AS name FROM sessions",
    };
    Probe::new(Sought::Role, role, "sessions", Filter::of_fitting(&columns, role))
        .named("grants", Filter::of_fitting(&columns, role))
        .names(names, '/')
}

/// Somebody behind a session or a call.
pub(super) fn origin(origin: &str) -> Probe<'_> {
    let mut filter = Filter::default();
    filter.contains(&["origin"], Some(origin));
    let names = "SELECT origin AS name FROM credentials";
    Probe::new(Sought::Origin, origin, "credentials", filter).names(names, '/')
}

/// An address that a call came from.
pub(super) fn address(address: &str) -> Probe<'_> {
    let mut filter = Filter::default();
    let from = filter.in_network("source_ip_address", address);
    filter.add(from);
    Probe::new(Sought::Address, address, "events", filter)
}
