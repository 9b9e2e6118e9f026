//! Comparing what the tool says with what the slow twin says, and tables with tables.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use roletrail::output::{self, Format, Style};
use roletrail::pipeline::Loaded;
use serde_json::Value;

use super::oracle::{self, Answer};
use super::truth;

pub fn said(loaded: &Loaded) -> BTreeMap<String, Answer> {
    let answer = |said: truth::Said| Answer {
        origin_type: said.origin_type,
        origin: said.origin,
        account: said.account,
        depth: said.depth,
        bearer: (None, None),
    };
    truth::said(loaded).into_iter().map(|(id, said)| (id, answer(said))).collect()
}

pub fn assert_agree(loaded: &Loaded, records: &[Value]) {
    let said = said(loaded);
    let expected: BTreeMap<String, Answer> = oracle::answers(records).into_iter().collect();
    assert_eq!(said.len(), expected.len());
    for (id, expected) in &expected {
        let record = records.iter().find(|r| r["eventID"] == *id);
        assert_eq!(&said[id], expected, "{id}: {record:#?}");
    }
    assert_eq!(linked_keys(loaded), oracle::used_keys(records));
}

/// The CreateAccessKey calls that a link gives to a credential with calls of its own.
fn linked_keys(loaded: &Loaded) -> BTreeSet<String> {
    let rows = |table: &str, names: [&str; 2]| -> Vec<[String; 2]> {
        let batches = &loaded.tables[table];
        let cell = |batch: &RecordBatch, name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap();
            array_value_to_string(column, row).unwrap()
        };
        let cells =
            |b| (0..RecordBatch::num_rows(b)).map(move |row| names.map(|n| cell(b, n, row)));
        batches.iter().flat_map(cells).collect()
    };
    let calls = rows("credentials", ["session_id", "access_key_id"]);
    let counts = rows("credentials", ["event_count", "access_key_id"]);
    let used: BTreeSet<_> = calls
        .into_iter()
        .zip(counts)
        .filter(|(_, count)| count[0] != "0")
        .map(|(c, _)| c)
        .collect();
    let kinds: BTreeMap<_, _> =
        rows("grants", ["event_id", "kind"]).into_iter().map(|[id, kind]| (id, kind)).collect();
    let children = rows("links", ["child_session_id", "child_access_key_id"]);
    let grants = rows("links", ["grant_event_id", "rule"]);
    let keyed = children.iter().zip(&grants).filter(|(child, [grant, rule])| {
        used.contains(*child) && kinds[grant] == "CreateAccessKey" && rule == "access_key"
    });
    keyed.map(|(_, [grant, _])| grant.clone()).collect()
}

/// The tables that linking makes, as sorted lines of text, without where things were read.
pub fn linked_tables(tables: &BTreeMap<&'static str, Vec<RecordBatch>>) -> Vec<String> {
    let mut lines = Vec::new();
    for name in ["sessions", "credentials", "links", "attributions", "grants"] {
        for batch in &tables[name] {
            let schema = batch.schema();
            let place = ["source_file", "source_record"];
            let kept: Vec<usize> = (0..batch.num_columns())
                .filter(|i| !place.contains(&schema.field(*i).name().as_str()))
                .collect();
            let mut json = Vec::new();
            let batch = batch.project(&kept).unwrap();
            let schema = batch.schema();
            output::write(Format::Ndjson, &schema, [Ok(batch)], &mut json, &Style::default())
                .unwrap();
            let text = String::from_utf8(json).unwrap();
            lines.extend(text.lines().map(|line| format!("{name} {line}")));
        }
    }
    lines.sort();
    lines
}
