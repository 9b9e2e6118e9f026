//! Keeps the facts of linking between ingests, so that old events need not be read again.

use std::sync::LazyLock;

use arrow::array::{BinaryArray, Int64Array, RecordBatch, StringArray};
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::grants::{Grant, Join};
use crate::sessions::Facts;
use crate::sessions::facts::{CredentialFacts, SharedCall};
use crate::sessions::packed::{pack, unpack};
use crate::store::Transaction;
use crate::store::columns::LINKING_STATE;
use crate::table::build::RowsBuilder;
use crate::table::typed;

const CREDENTIAL: &str = "credential";
const GRANT: &str = "grant";
const SHARED_CALL: &str = "shared_call";

/// Names and order of all fields that are kept, and of the values of [`Join`], as a number. What is
/// kept does not describe itself, so that of another version must not be read as if it were ours.
static FORMAT: LazyLock<i64> = LazyLock::new(|| {
    let version = env!("CARGO_PKG_VERSION");
    let call = SharedCall::default();
    let fields = (version, Join::ALL, CredentialFacts::default(), Grant::default(), call);
    let described = serde_json::to_vec(&fields).unwrap_or_default();
    xxh3_64(&described).cast_signed()
});

/// The facts of all earlier ingests.
///
/// # Errors
/// The store's; [`Error::Store`] when another version of the program wrote them.
pub fn read(tx: &Transaction) -> Result<Facts> {
    let mut facts = Facts::default();
    tx.read_each(&LINKING_STATE, &["kind", "key", "format", "value"], |batch| {
        let kinds: &StringArray = typed(&batch, "kind")?;
        let keys: &StringArray = typed(&batch, "key")?;
        let formats: &Int64Array = typed(&batch, "format")?;
        let values: &BinaryArray = typed(&batch, "value")?;
        if formats.values().iter().any(|format| *format != *FORMAT) {
            return Err(damaged(tx, "was written by another version of roletrail"));
        }
        for row in 0..batch.num_rows() {
            let value = values.value(row);
            match kinds.value(row) {
                CREDENTIAL => {
                    let credential: Box<CredentialFacts> = parse(tx, value)?;
                    facts.add_credential(keys.value(row).to_owned(), credential);
                }
                GRANT => {
                    let grant: Box<Grant> = parse(tx, value)?;
                    facts.add_grant((grant.event_id.clone(), grant.record_hash), grant);
                }
                SHARED_CALL => {
                    let call: SharedCall = parse(tx, value)?;
                    facts.shared_calls.insert(call);
                }
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok(facts)
}

/// Rows of one batch; the bytes of all facts at once would take more memory than the facts.
const BATCH_ROWS: usize = 16 * 1024;

/// Hands the facts over as batches of **linking_state**, ordered.
///
/// # Errors
/// Those of `each`; Arrow's or the encoder's: a defect of ours.
pub fn each_batch(facts: &Facts, mut each: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let mut rows = RowsBuilder::new(&LINKING_STATE);
    let mut push = |kind: &str, key: &str, value: Vec<u8>| {
        rows.push(vec![kind.into(), key.into(), (*FORMAT).into(), value.into()]);
        if rows.rows() >= BATCH_ROWS { each(rows.finish()?) } else { Ok(()) }
    };
    let mut credentials: Vec<_> = facts.credentials.iter().collect();
    credentials.sort_unstable_by_key(|(id, _)| *id);
    for (id, credential) in credentials {
        push(CREDENTIAL, id, pack(credential)?)?;
    }
    for grant in facts.grants.values() {
        push(GRANT, &grant.event_id, pack(grant)?)?;
    }
    for call in &facts.shared_calls {
        push(SHARED_CALL, &call.event_id, pack(call)?)?;
    }
    each(rows.finish()?)
}

fn parse<T: DeserializeOwned>(tx: &Transaction, value: &[u8]) -> Result<T> {
    unpack(value).map_err(|e| damaged(tx, &format!("cannot be read ({e})")))
}

fn damaged(tx: &Transaction, what: &str) -> Error {
    let name = LINKING_STATE.name;
    Error::Store {
        path: tx.dir().to_path_buf(),
        message: format!("its table {name} {what}; ingest the logs into a new store"),
    }
}
