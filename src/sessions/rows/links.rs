//! Rows of **links** and **attributions**.

use super::{TableRows, build, candidate_count, text};
use crate::sessions::candidates::Candidate;
use crate::sessions::columns::{ATTRIBUTIONS, LINKS};
use crate::sessions::link::{Attribution, Linked, LinkedCredential, LinkedGrant};
use crate::table::build::Cell;

/// Refused candidates listed of one credential: they bear on no answer, and in a crowd of one second there
/// would be as many as there are pairs of grants and keys.
const MOST_REFUSED: usize = 100;

pub(super) fn rows<'l>(linked: &'l Linked<'l>) -> TableRows<'l> {
    let mut hops: Vec<Hop> = Vec::new();
    for credential in linked.credentials.iter().filter(|c| c.home) {
        let candidates = &credential.candidates;
        let refused = candidates.refused.iter().take(MOST_REFUSED);
        let all = candidates.found.iter().chain(refused);
        hops.extend(all.map(|candidate| {
            let grant = &linked.grants[candidate.grant];
            let caller = grant.caller.map(|caller| &linked.credentials[caller]);
            Hop { credential, candidate, grant, caller }
        }));
    }
    hops.sort_by_key(Hop::place);
    build(&LINKS, hops, |rows, hop| rows.push(hop.row()))
}

/// A credential and one grant that could have started it.
struct Hop<'l> {
    credential: &'l LinkedCredential<'l>,
    candidate: &'l Candidate,
    grant: &'l LinkedGrant<'l>,
    /// Who stands for a caller seen from outside.
    caller: Option<&'l LinkedCredential<'l>>,
}

impl<'l> Hop<'l> {
    fn place(&self) -> (Option<&'l str>, Option<&'l str>, &'l str) {
        let facts = &self.credential.facts;
        let (session, key) = (facts.session_id.as_deref(), facts.access_key_id.as_deref());
        (session, key, &self.grant.grant.event_id)
    }

    fn row(&self) -> Vec<Cell<'l>> {
        let LinkedGrant { grant, twin_event_id, .. } = self.grant;
        let (facts, parent) = (&self.credential.facts, grant.obtained_by());
        let own = (self.candidate.rule, self.candidate.strength);
        let hop = |caller: &LinkedCredential| caller.origin.hop_by(self.candidate);
        let (rule, strength) = self.caller.map_or(own, hop);
        vec![
            text(&facts.session_id),
            text(&facts.access_key_id),
            text(self.caller.map_or(&parent.session_id, |caller| &caller.facts.session_id)),
            text(&parent.access_key_id),
            rule.into(),
            strength.as_str().into(),
            grant.event_id.as_str().into(),
            text(twin_event_id),
            candidate_count(self.credential),
            grant.source_file.as_str().into(),
            Cell::Int(grant.source_record),
        ]
    }
}

pub(super) fn attributions<'l>(linked: &'l Linked<'l>) -> TableRows<'l> {
    let mut all: Vec<&Attribution> = linked.attributions.iter().collect();
    // The table's numbers have a sign.
    all.sort_by_key(|a| (&a.event_id, a.record_hash.cast_signed()));
    build(&ATTRIBUTIONS, all, |rows, attribution| rows.push(attribution_row(attribution)))
}

fn attribution_row(attribution: &Attribution) -> Vec<Cell<'_>> {
    vec![
        attribution.event_id.as_str().into(),
        Cell::Int(attribution.record_hash.cast_signed()),
        Cell::Time(attribution.event_time),
        attribution.credential_id.as_str().into(),
        attribution.rule.into(),
        attribution.strength.as_str().into(),
        attribution.proof_event_id.as_str().into(),
    ]
}
