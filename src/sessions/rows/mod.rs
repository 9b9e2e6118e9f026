//! The linked answer as batches of its five tables.

mod credentials;
mod grants;
mod links;
mod sessions;

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::columns::{ATTRIBUTIONS, CREDENTIALS, LINKS, SESSIONS};
use super::facts::CredentialFacts;
use super::link::{Linked, LinkedCredential};
use super::origin::Origin;
use crate::error::Result;
use crate::grants::columns::GRANTS;
use crate::table::TableDef;
use crate::table::build::{Cell, RowsBuilder};

/// A table and what builds its rows.
pub type Table = (&'static TableDef, fn(&Linked) -> Result<RecordBatch>);

/// All five, each in its table's order. They are built one by one, so that one can be written and
/// forgotten before the next.
///
/// The builders fail with Arrow's errors, if rows and schema disagree: a defect of ours.
pub const TABLES: [Table; 5] = [
    (&SESSIONS, sessions::rows),
    (&CREDENTIALS, credentials::rows),
    (&LINKS, links::rows),
    (&ATTRIBUTIONS, links::attributions),
    (&GRANTS, grants::rows),
];

fn build(def: &'static TableDef, rows: impl Iterator<Item = Vec<Cell>>) -> Result<RecordBatch> {
    let mut builder = RowsBuilder::new(def);
    rows.for_each(|row| builder.push(row));
    builder.finish()
}

fn text(value: &Option<String>) -> Cell {
    value.clone().into()
}

fn instant(value: Option<i64>) -> Cell {
    value.map_or(Cell::Null, Cell::Time)
}

fn count(value: u64) -> Cell {
    Cell::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn list<'s>(values: impl Iterator<Item = &'s str>) -> Cell {
    Cell::List(values.map(str::to_owned).collect())
}

fn chain(labels: &[Arc<str>]) -> Cell {
    list(labels.iter().map(AsRef::as_ref))
}

/// The strength of the hop; an origin that nobody obtained has no hop.
fn link_strength(origin: &Origin) -> Cell {
    let no_hop = origin.link_rule.is_none() && origin.unresolved_reason.is_none();
    if no_hop { Cell::Null } else { origin.link_strength.as_str().into() }
}

fn candidate_count(credential: &LinkedCredential) -> Cell {
    count(credential.candidates.count() as u64)
}

fn role_arn(facts: &CredentialFacts) -> Option<String> {
    let role = facts.identity_type.as_deref() == Some("AssumedRole");
    facts.issuer_arn.clone().filter(|_| role)
}

fn session_name(facts: &CredentialFacts) -> Option<String> {
    let named = matches!(facts.identity_type.as_deref(), Some("AssumedRole" | "FederatedUser"));
    facts.session_name().filter(|_| named).map(str::to_owned)
}
