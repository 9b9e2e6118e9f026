//! What logs suffer before they are read: records lost, repeated and corrected later, keys rewritten
//! and rotated, sessions that coincide, clocks that differ.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// One accident.
#[derive(Debug, Clone)]
pub enum Harm {
    Lose(Index),
    /// Every other issuing call of one name.
    LoseGrantsOf(Index),
    Repeat(Index),
    OneKeyForAll,
    NoKeys,
    /// Two keys become one: ids repeat.
    SameKey(Index, Index),
    /// From a call on, a session uses a key that nobody announced.
    Rotate(Index),
    /// Two sessions get one role, name and second; their keys stay.
    Coincide(Index, Index),
    /// The clock of one issuing call is a second off.
    Skew(Index),
    /// A response arrives in a later record.
    Correct(Index),
    /// A service does not tell which session it made.
    HideSession(Index),
    /// A call shows no creation date.
    HideCreation(Index),
    /// A call shows no key.
    HideKey(Index),
}

pub fn harm() -> impl Strategy<Value = Harm> {
    let one = any::<Index>;
    prop_oneof![
        8 => one().prop_map(Harm::Lose),
        2 => one().prop_map(Harm::LoseGrantsOf),
        4 => one().prop_map(Harm::Repeat),
        1 => Just(Harm::OneKeyForAll),
        1 => Just(Harm::NoKeys),
        5 => (one(), one()).prop_map(|(a, b)| Harm::SameKey(a, b)),
        4 => one().prop_map(Harm::Rotate),
        6 => (one(), one()).prop_map(|(a, b)| Harm::Coincide(a, b)),
        4 => one().prop_map(Harm::Skew),
        4 => one().prop_map(Harm::Correct),
        3 => one().prop_map(Harm::HideSession),
        3 => one().prop_map(Harm::HideCreation),
        3 => one().prop_map(Harm::HideKey),
    ]
}

const KEY: &str = "/userIdentity/accessKeyId";
const ISSUED: &str = "/responseElements/credentials/accessKeyId";
const CREATED: &str = "/userIdentity/sessionContext/attributes/creationDate";
const SESSION: &str = "/responseElements/assumedRoleUser";

impl Harm {
    pub fn inflict(&self, records: &mut Vec<Value>) {
        if records.len() < 2 {
            return;
        }
        match self {
            Harm::Lose(which) => _ = records.remove(which.index(records.len())),
            Harm::LoseGrantsOf(which) => {
                let name = records[which.index(records.len())]["eventName"].clone();
                let mut every_other = false;
                records.retain(|r| {
                    every_other = !every_other;
                    every_other || r["eventName"] != name || r["eventSource"] != "sts.amazonaws.com"
                });
            }
            Harm::Repeat(which) => records.push(records[which.index(records.len())].clone()),
            Harm::OneKeyForAll => super::rewrite_keys(records, Some("ASIAREDACTED00000000")),
            Harm::NoKeys => super::rewrite_keys(records, None),
            Harm::SameKey(a, b) => same_key(records, a, b),
            Harm::Rotate(which) => rotate(records, which),
            Harm::Coincide(a, b) => coincide(records, a, b),
            Harm::Skew(which) => with_one(records, which, ISSUED, |r| {
                let time =
                    r["eventTime"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>();
                let later = time.unwrap() + chrono::TimeDelta::seconds(1);
                r["eventTime"] = later.format("%Y-%m-%dT%H:%M:%SZ").to_string().into();
            }),
            Harm::Correct(which) => correct(records, which),
            Harm::HideSession(which) => with_one(records, which, SESSION, |r| {
                r["responseElements"].as_object_mut().unwrap().remove("assumedRoleUser");
            }),
            Harm::HideCreation(which) => with_one(records, which, CREATED, |r| {
                *r.pointer_mut(CREATED).unwrap() = Value::Null;
            }),
            Harm::HideKey(which) => with_one(records, which, KEY, |r| {
                *r.pointer_mut(KEY).unwrap() = Value::Null;
            }),
        }
    }
}

/// Indices of the records in which something stands.
fn having(records: &[Value], pointer: &str) -> Vec<usize> {
    let there = |i: &usize| records[*i].pointer(pointer).is_some_and(|v| !v.is_null());
    (0..records.len()).filter(there).collect()
}

/// Changes a record and its repeats alike: one event id has one content.
fn with_one(records: &mut [Value], which: &Index, pointer: &str, change: impl Fn(&mut Value)) {
    let having = having(records, pointer);
    if having.is_empty() {
        return;
    }
    let id = records[having[which.index(having.len())]]["eventID"].clone();
    records.iter_mut().filter(|r| r["eventID"] == id).for_each(change);
}

fn same_key(records: &mut [Value], a: &Index, b: &Index) {
    let having = having(records, KEY);
    if having.is_empty() {
        return;
    }
    let key =
        |which: &Index| records[having[which.index(having.len())]].pointer(KEY).cloned().unwrap();
    let (kept, gone) = (key(a), key(b));
    for record in records {
        for pointer in [KEY, ISSUED, "/responseElements/accessKey/accessKeyId"] {
            if let Some(slot) = record.pointer_mut(pointer).filter(|slot| **slot == gone) {
                *slot = kept.clone();
            }
        }
    }
}

fn rotate(records: &mut [Value], which: &Index) {
    let having = having(records, KEY);
    if having.is_empty() {
        return;
    }
    let time = |r: &Value| r["eventTime"].as_str().unwrap_or("").to_owned();
    let first = &records[having[which.index(having.len())]];
    let (key, since) = (first.pointer(KEY).cloned().unwrap(), time(first));
    let other = json!(format!("{}X", key.as_str().unwrap_or("")));
    for record in records.iter_mut().filter(|r| time(r) >= since) {
        if let Some(slot) = record.pointer_mut(KEY).filter(|slot| **slot == key) {
            *slot = other.clone();
        }
    }
}

/// The second session gets role, name and second of the first, in its grant and in its calls.
fn coincide(records: &mut [Value], a: &Index, b: &Index) {
    let having = having(records, SESSION);
    if having.is_empty() {
        return;
    }
    let grant = |which: &Index| records[having[which.index(having.len())]].clone();
    let (kept, gone) = (grant(a), grant(b));
    let principal = |grant: &Value| grant.pointer(SESSION).unwrap()["assumedRoleId"].clone();
    let of = |grant: &Value, r: &Value| {
        r["userIdentity"]["principalId"] == principal(grant)
            && r.pointer(CREATED) == Some(&grant["eventTime"])
    };
    let Some(model) = records.iter().find(|r| of(&kept, r)).cloned() else { return };
    for record in records.iter_mut() {
        if of(&gone, record) {
            let key = record["userIdentity"]["accessKeyId"].clone();
            record["userIdentity"] = model["userIdentity"].clone();
            record["userIdentity"]["accessKeyId"] = key;
        }
        let same_call = record["eventTime"] == gone["eventTime"]
            && record.pointer(ISSUED) == gone.pointer(ISSUED)
            && record.pointer(SESSION).is_some();
        if same_call {
            record["eventTime"] = kept["eventTime"].clone();
            *record.pointer_mut(SESSION).unwrap() = kept.pointer(SESSION).cloned().unwrap();
            for member in ["roleArn", "roleSessionName"] {
                record["requestParameters"][member] = kept["requestParameters"][member].clone();
            }
        }
    }
}

fn correct(records: &mut Vec<Value>, which: &Index) {
    let having = having(records, ISSUED);
    if having.is_empty() {
        return;
    }
    let mut later = records[having[which.index(having.len())]].clone();
    if !later["addendum"].is_null() {
        return;
    }
    let original = later["eventID"].as_str().unwrap().to_owned();
    let is_original = |r: &&mut Value| r["eventID"] == *original;
    records.iter_mut().filter(is_original).for_each(|r| _ = r["responseElements"].take());
    later["addendum"] = json!({
        "reason": "UPDATED_DATA", "updatedFields": "responseElements", "originalEventID": original
    });
    later["eventID"] = format!("{original}-later").into();
    records.push(later);
}
