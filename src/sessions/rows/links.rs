//! Rows of **links** and **attributions**.

use arrow::array::RecordBatch;

use super::{build, candidate_count, text};
use crate::error::Result;
use crate::sessions::columns::{ATTRIBUTIONS, LINKS};
use crate::sessions::link::{Attribution, Linked, LinkedGrant};
use crate::table::build::Cell;

pub(super) fn rows(linked: &Linked) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for credential in &linked.credentials {
        let candidates = &credential.candidates;
        for candidate in candidates.found.iter().chain(&candidates.refused) {
            let LinkedGrant { grant, twin_event_id, .. } = &linked.grants[candidate.grant];
            let (facts, parent) = (&credential.facts, grant.obtained_by());
            let cells = vec![
                text(&facts.session_id),
                text(&facts.access_key_id),
                text(&parent.session_id),
                text(&parent.access_key_id),
                candidate.rule.into(),
                candidate.strength.as_str().into(),
                grant.event_id.as_str().into(),
                text(twin_event_id),
                candidate_count(credential),
                grant.source_file.as_str().into(),
                Cell::Int(grant.source_record),
            ];
            let (session, key) = (facts.session_id.as_deref(), facts.access_key_id.as_deref());
            rows.push(((session, key, grant.event_id.as_str()), cells));
        }
    }
    rows.sort_by_key(|(place, _)| *place);
    build(&LINKS, rows.into_iter().map(|(_, cells)| cells))
}

pub(super) fn attributions(linked: &Linked) -> Result<RecordBatch> {
    let row = |a: &Attribution| {
        vec![
            a.event_id.as_str().into(),
            a.credential_id.as_str().into(),
            a.rule.into(),
            a.strength.as_str().into(),
            a.proof_event_id.as_str().into(),
        ]
    };
    build(&ATTRIBUTIONS, linked.attributions.iter().map(row))
}
