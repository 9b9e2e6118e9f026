//! Rows of **credentials**.

use arrow::array::RecordBatch;

use super::{
    build, candidate_count, chain, count, instant, link_strength, role_arn, session_name, text,
};
use crate::error::Result;
use crate::sessions::columns::CREDENTIALS;
use crate::sessions::link::{Linked, LinkedCredential};
use crate::table::build::Cell;

pub(super) fn rows(linked: &Linked) -> Result<RecordBatch> {
    let mut all: Vec<&LinkedCredential> = linked.credentials.iter().collect();
    all.sort_by_key(|credential| &credential.id);
    build(&CREDENTIALS, all.into_iter().map(|c| credential_row(linked, c)))
}

fn credential_row(linked: &Linked, credential: &LinkedCredential) -> Vec<Cell> {
    let (facts, origin) = (&credential.facts, &credential.origin);
    vec![
        credential.id.as_ref().into(),
        text(&facts.session_id),
        text(&facts.access_key_id),
        text(&facts.identity_type),
        text(&facts.principal_id),
        text(&facts.principal_arn),
        text(&facts.account_id),
        role_arn(facts).into(),
        facts.role_name().into(),
        session_name(facts).into(),
        text(&facts.ec2_role_delivery),
        instant(facts.first_event_at),
        instant(facts.last_event_at),
        count(facts.events),
        count(facts.forwarded),
        origin.parent.map(|i| linked.credentials[i].id.as_ref()).into(),
        origin.grant.map(|i| linked.grants[i].grant.event_id.clone()).into(),
        origin.origin_type.as_str().into(),
        text(&origin.origin),
        text(&origin.account_id),
        text(&origin.detail),
        origin.depth.map(i64::from).into(),
        chain(&origin.chain),
        origin.link_rule.into(),
        link_strength(origin),
        origin.chain_strength.as_str().into(),
        candidate_count(credential),
        origin.unresolved_reason.into(),
    ]
}
