//! Rows of **links** and **attributions**.

use arrow::array::RecordBatch;

use super::{build, candidate_count, text};
use crate::error::Result;
use crate::model::strength::Strength;
use crate::sessions::columns::{ATTRIBUTIONS, LINKS};
use crate::sessions::link::{Attribution, Linked, LinkedGrant};
use crate::table::build::Cell;

pub(super) fn rows(linked: &Linked) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for credential in &linked.credentials {
        let candidates = &credential.candidates;
        for candidate in candidates.found.iter().chain(&candidates.refused) {
            let LinkedGrant { grant, twin_event_id, .. } = &linked.grants[candidate.grant];
            let facts = &credential.facts;
            let cells = vec![
                text(&facts.session_id),
                text(&facts.access_key_id),
                text(&grant.caller.session_id),
                text(&grant.caller.access_key_id),
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
            "shared_event".into(),
            Strength::Exact.as_str().into(),
            a.proof_event_id.as_str().into(),
        ]
    };
    build(&ATTRIBUTIONS, linked.attributions.iter().map(row))
}
