//! Rows of **credentials**.

use super::{
    TableRows, build, candidate_count, chain, count, instant, link_strength, role_arn,
    session_name, text,
};
use crate::sessions::columns::CREDENTIALS;
use crate::sessions::link::{Linked, LinkedCredential};
use crate::table::build::Cell;

pub(super) fn rows<'l>(linked: &'l Linked<'l>) -> TableRows<'l> {
    let mut all: Vec<&LinkedCredential> = linked.credentials.iter().filter(|c| c.home).collect();
    all.sort_unstable_by_key(|credential| &credential.id);
    build(&CREDENTIALS, all, |rows, credential| rows.push(credential_row(linked, credential)))
}

fn credential_row<'l>(
    linked: &'l Linked<'l>,
    credential: &'l LinkedCredential<'l>,
) -> Vec<Cell<'l>> {
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
        origin.grant.map(|i| linked.grants[i].grant.event_id.as_str()).into(),
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
        origin.unresolved_reason.as_deref().into(),
    ]
}
