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
pub type Table = (&'static TableDef, for<'l> fn(&'l Linked<'l>) -> TableRows<'l>);

/// The rows of one table, in its order.
pub struct TableRows<'l> {
    /// How many there are.
    pub rows: usize,
    /// Some thousand rows at a time, each made when it is asked for. They fail with Arrow's errors, if
    /// rows and schema disagree: a defect of ours.
    pub batches: Box<dyn Iterator<Item = Result<RecordBatch>> + 'l>,
}

/// All five. They are built one by one, so that one can be written and forgotten before the next.
pub const TABLES: [Table; 5] = [
    (&SESSIONS, sessions::rows),
    (&CREDENTIALS, credentials::rows),
    (&LINKS, links::rows),
    (&ATTRIBUTIONS, links::attributions),
    (&GRANTS, grants::rows),
];

/// Rows of one batch.
const BATCH_ROWS: usize = 2 * 1024;

/// The rows that `push` makes of the items, which are in the table's order.
fn build<'l, T: 'l>(
    def: &'static TableDef,
    items: Vec<T>,
    push: impl Fn(&mut RowsBuilder, &T) + 'l,
) -> TableRows<'l> {
    let rows = items.len();
    let mut builder = RowsBuilder::new(def);
    // One batch even of no rows: a table in memory needs its columns.
    let starts = (0..rows.max(1)).step_by(BATCH_ROWS);
    let batches = starts.map(move |start| {
        items[start..rows.min(start + BATCH_ROWS)].iter().for_each(|item| push(&mut builder, item));
        builder.finish()
    });
    TableRows { rows, batches: Box::new(batches) }
}

fn text(value: &Option<String>) -> Cell<'_> {
    value.as_deref().into()
}

fn instant<'l>(value: Option<i64>) -> Cell<'l> {
    value.map_or(Cell::Null, Cell::Time)
}

fn count<'l>(value: u64) -> Cell<'l> {
    Cell::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn list<'l>(values: impl Iterator<Item = &'l str>) -> Cell<'l> {
    values.collect()
}

fn chain(labels: &[Arc<str>]) -> Cell<'_> {
    list(labels.iter().map(AsRef::as_ref))
}

/// The strength of the hop; an origin that nobody obtained has no hop.
fn link_strength<'l>(origin: &Origin) -> Cell<'l> {
    let no_hop = origin.link_rule.is_none() && origin.unresolved_reason.is_none();
    if no_hop { Cell::Null } else { origin.link_strength.as_str().into() }
}

fn candidate_count<'l>(credential: &LinkedCredential) -> Cell<'l> {
    count(credential.candidates.count() as u64)
}

fn role_arn(facts: &CredentialFacts) -> Option<&str> {
    let role = facts.identity_type.as_deref() == Some("AssumedRole");
    facts.issuer_arn.as_deref().filter(|_| role)
}

fn session_name(facts: &CredentialFacts) -> Option<&str> {
    let named = matches!(facts.identity_type.as_deref(), Some("AssumedRole" | "FederatedUser"));
    facts.session_name().filter(|_| named)
}
