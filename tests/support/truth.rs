//! Reads `truth.csv` and compares it with what the tool says.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::array::{Array, Int64Array, StringArray};
use roletrail::pipeline::Loaded;

/// One line of the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    pub origin_type: String,
    pub origin: String,
    pub account: String,
    pub depth: i64,
    pub resolvable: bool,
}

/// What the tool said of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub origin_type: String,
    pub origin: Option<String>,
    pub account: Option<String>,
    pub depth: Option<i64>,
    pub strength: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As the truth says.
    Right,
    /// As the truth says, and not called certain: no record proves it.
    RightlyInferred,
    /// Unknown, and nobody could know.
    RightlyUnknown,
    /// Unknown, though the logs tell.
    Missed,
    /// Somebody else was named.
    Wrong,
}

#[derive(Debug, Default)]
pub struct Score {
    counts: BTreeMap<Verdict, usize>,
    pub complaints: Vec<String>,
}

impl Score {
    pub fn count(&self, verdict: Verdict) -> usize {
        self.counts.get(&verdict).copied().unwrap_or(0)
    }
}

pub fn read(path: &Path) -> HashMap<String, Truth> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = csv_rows(&text);
    assert_eq!(
        lines.remove(0).join(","),
        "event_id,origin_type,origin,origin_account_id,depth,resolvable"
    );
    lines
        .into_iter()
        .map(|cells| {
            let truth = Truth {
                origin_type: cells[1].clone(),
                origin: cells[2].clone(),
                account: cells[3].clone(),
                depth: cells[4].parse().unwrap_or(-1),
                resolvable: cells[5] == "true",
            };
            (cells[0].clone(), truth)
        })
        .collect()
}

/// Cells may be quoted: subjects of tokens contain commas.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .map(|line| {
            let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
            for c in line.chars() {
                match c {
                    '"' => quoted = !quoted,
                    ',' if !quoted => cells.push(std::mem::take(&mut cell)),
                    c => cell.push(c),
                }
            }
            cells.push(cell);
            cells
        })
        .collect()
}

fn text<'b>(batch: &'b RecordBatch, name: &str) -> &'b StringArray {
    batch.column_by_name(name).unwrap().as_any().downcast_ref().unwrap()
}

/// The content of a record.
fn hash(batch: &RecordBatch, row: usize) -> i64 {
    let hashes = batch.column_by_name("record_hash").unwrap();
    hashes.as_any().downcast_ref::<Int64Array>().unwrap().value(row)
}

/// What `activity` says, by event id, straight from the tables, as the view joins them.
pub fn said(loaded: &Loaded) -> HashMap<String, Said> {
    let mut credentials = HashMap::new();
    for batch in &loaded.tables["credentials"] {
        let column = |name| text(batch, name);
        let depth: &Int64Array =
            batch.column_by_name("depth").unwrap().as_any().downcast_ref().unwrap();
        let optional = |array: &StringArray, row: usize| {
            array.is_valid(row).then(|| array.value(row).to_owned())
        };
        for row in 0..batch.num_rows() {
            let said = Said {
                origin_type: column("origin_type").value(row).to_owned(),
                origin: optional(column("origin"), row),
                account: optional(column("origin_account_id"), row),
                depth: depth.is_valid(row).then(|| depth.value(row)),
                strength: column("chain_strength").value(row).to_owned(),
            };
            credentials.insert(column("credential_id").value(row).to_owned(), said);
        }
    }
    let mut attributed = HashMap::new();
    for batch in &loaded.tables["attributions"] {
        for row in 0..batch.num_rows() {
            let value = |name| text(batch, name).value(row).to_owned();
            attributed.insert((value("event_id"), hash(batch, row)), value("credential_id"));
        }
    }
    let mut said = HashMap::new();
    for batch in &loaded.tables["events"] {
        for row in 0..batch.num_rows() {
            let event = text(batch, "event_id").value(row).to_owned();
            let own = text(batch, "credential_id").value(row);
            let record = (event.clone(), hash(batch, row));
            let credential = attributed.get(&record).map_or(own, String::as_str);
            said.insert(event.clone(), credentials[credential].clone());
        }
    }
    said
}

pub fn score(loaded: &Loaded, truth: &HashMap<String, Truth>) -> Score {
    let said = said(loaded);
    let mut score = Score::default();
    for (event, truth) in truth {
        let Some(said) = said.get(event) else {
            score.complaints.push(format!("{event} is not in the tables"));
            continue;
        };
        let verdict = judge(said, truth);
        *score.counts.entry(verdict).or_default() += 1;
        if matches!(verdict, Verdict::Missed | Verdict::Wrong) {
            score.complaints.push(format!("{verdict:?} {event}: {said:?}; {truth:?}"));
        }
    }
    if said.len() != truth.len() {
        score.complaints.push(format!("{} events, {} truths", said.len(), truth.len()));
    }
    score
}

fn judge(said: &Said, truth: &Truth) -> Verdict {
    let same_name = said.origin.as_deref() == Some(truth.origin.as_str())
        && said.origin_type == truth.origin_type
        && said.account.as_deref().unwrap_or("") == truth.account;
    if truth.resolvable {
        return match (same_name, said.depth == Some(truth.depth), said.origin_type.as_str()) {
            (true, true, _) => Verdict::Right,
            (false, _, "Unknown") => Verdict::Missed,
            _ => Verdict::Wrong,
        };
    }
    // Without the proof, other records may still lead to the right one; to say so is not to be sure.
    if same_name && said.depth == Some(truth.depth) && said.strength != "exact" {
        return Verdict::RightlyInferred;
    }
    match (said.origin_type.as_str(), &said.origin) {
        ("Unknown", None) => Verdict::RightlyUnknown,
        // Only the role owner's copy is left: the principal id is all that is known, and is shown.
        ("AWSAccount", Some(principal))
            if principal.starts_with("AROA") || principal.starts_with("AIDA") =>
        {
            Verdict::RightlyUnknown
        }
        _ => Verdict::Wrong,
    }
}

/// Whether the tool named one who was not behind the event. To show the principal id of another
/// account, when that account's own record is missing, names nobody.
pub fn names_somebody_else(said: &Said, truth: &Truth) -> bool {
    let named = said.origin.is_some() && said.origin_type != "AWSAccount";
    let same = said.origin.as_deref() == Some(truth.origin.as_str())
        && said.origin_type == truth.origin_type;
    named && !same
}
