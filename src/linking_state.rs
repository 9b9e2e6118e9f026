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
                    facts.credentials.insert(keys.value(row).to_owned(), credential);
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

/// The facts as rows of **linking_state**, ordered.
///
/// # Errors
/// Arrow's or JSON's: a defect of ours.
pub fn rows(facts: &Facts) -> Result<RecordBatch> {
    let mut rows = RowsBuilder::new(&LINKING_STATE);
    let mut credentials: Vec<_> = facts.credentials.iter().collect();
    credentials.sort_by_key(|(id, _)| *id);
    for (id, credential) in credentials {
        rows.push(vec![CREDENTIAL.into(), id.as_str().into(), text(credential)?.into()]);
    }
    for grant in facts.grants.values() {
        rows.push(vec![GRANT.into(), grant.event_id.as_str().into(), text(grant)?.into()]);
    }
    for call in &facts.shared_calls {
        rows.push(vec![SHARED_CALL.into(), call.event_id.as_str().into(), text(call)?.into()]);
    }
    rows.finish()
}

fn parse<T: DeserializeOwned>(value: &str) -> Result<T> {
    Ok(serde_json::from_str(value)?)
}

fn text<T: Serialize>(value: &T) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}
