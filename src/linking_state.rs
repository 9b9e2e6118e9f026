//! Keeps the facts of linking between ingests, so that old events need not be read again.

use arrow::array::{RecordBatch, StringArray};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::grants::Grant;
use crate::ledger::typed;
use crate::sessions::Facts;
use crate::sessions::facts::{CredentialFacts, SharedCall};
use crate::store::Transaction;
use crate::store::columns::LINKING_STATE;
use crate::table::build::RowsBuilder;

const CREDENTIAL: &str = "credential";
const GRANT: &str = "grant";
const SHARED_CALL: &str = "shared_call";

/// The facts of all earlier ingests.
///
/// # Errors
/// The store's, or JSON's when the table was changed by somebody else.
pub fn read(tx: &Transaction) -> Result<Facts> {
    let mut facts = Facts::default();
    tx.read_each(&LINKING_STATE, &["kind", "key", "value"], |batch| {
        let kinds: &StringArray = typed(&batch, "kind")?;
        let keys: &StringArray = typed(&batch, "key")?;
        let values: &StringArray = typed(&batch, "value")?;
        for row in 0..batch.num_rows() {
            let value = values.value(row);
            match kinds.value(row) {
                CREDENTIAL => {
                    let credential: CredentialFacts = parse(value)?;
                    facts.credentials.insert(keys.value(row).to_owned(), Box::new(credential));
                }
                GRANT => {
                    let grant: Grant = parse(value)?;
                    facts.add_grant((grant.event_id.clone(), grant.record_hash), grant);
                }
                SHARED_CALL => {
                    let call: SharedCall = parse(value)?;
                    facts.shared_calls.insert(call);
                }
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok(facts)
}

/// Rows of one batch; the text of all facts at once would take more memory than the facts.
const BATCH_ROWS: usize = 16 * 1024;

/// Hands the facts over as batches of **linking_state**, ordered.
///
/// # Errors
/// Those of `each`; Arrow's or JSON's: a defect of ours.
pub fn each_batch(facts: &Facts, mut each: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let mut rows = RowsBuilder::new(&LINKING_STATE);
    let mut push = |kind: &str, key: &str, value: Result<String>| {
        rows.push(vec![kind.into(), key.into(), value?.into()]);
        if rows.rows() >= BATCH_ROWS { each(rows.finish()?) } else { Ok(()) }
    };
    let mut credentials: Vec<_> = facts.credentials.iter().collect();
    credentials.sort_by_key(|(id, _)| *id);
    for (id, credential) in credentials {
        push(CREDENTIAL, id, text(credential))?;
    }
    for grant in facts.grants.values() {
        push(GRANT, &grant.event_id, text(grant))?;
    }
    for call in &facts.shared_calls {
        push(SHARED_CALL, &call.event_id, text(call))?;
    }
    each(rows.finish()?)
}

fn parse<T: DeserializeOwned>(value: &str) -> Result<T> {
    Ok(serde_json::from_str(value)?)
}

fn text<T: Serialize>(value: &T) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}
