//! The linked answer as batches of its five tables.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::columns::{ATTRIBUTIONS, CREDENTIALS, LINKS, SESSIONS};
use super::facts::{CredentialFacts, SmallestValues};
use super::link::{Linked, LinkedCredential, LinkedGrant, expiry};
use super::origin::Origin;
use crate::error::Result;
use crate::grants::columns::GRANTS;
use crate::model::strength::Strength;
use crate::table::TableDef;
use crate::table::build::{Cell, RowsBuilder};

/// A table and what builds its rows.
pub type Table = (&'static TableDef, fn(&Linked) -> Result<RecordBatch>);

/// All five, each in its table's order. They are built one by one, so that one can be written and
/// forgotten before the next.
///
/// The builders fail with Arrow's errors, if rows and schema disagree: a defect of ours.
pub const TABLES: [Table; 5] = [
    (&SESSIONS, sessions),
    (&CREDENTIALS, credentials),
    (&LINKS, links),
    (&ATTRIBUTIONS, attributions),
    (&GRANTS, grants),
];

fn build(def: &'static TableDef, rows: impl Iterator<Item = Vec<Cell>>) -> Result<RecordBatch> {
    let mut builder = RowsBuilder::new(def);
    rows.for_each(|row| builder.push(row));
    builder.finish()
}

fn text(value: &Option<String>) -> Cell {
    value.clone().into()
}

fn instant(value: Option<i64>) -> Cell {
    value.map_or(Cell::Null, Cell::Time)
}

fn count(value: u64) -> Cell {
    Cell::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn list<'s>(values: impl Iterator<Item = &'s str>) -> Cell {
    Cell::List(values.map(str::to_owned).collect())
}

fn chain(labels: &[Arc<str>]) -> Cell {
    list(labels.iter().map(AsRef::as_ref))
}

/// The strength of the hop; an origin that nobody obtained has no hop.
fn link_strength(origin: &Origin) -> Cell {
    let no_hop = origin.link_rule.is_none() && origin.unresolved_reason.is_none();
    if no_hop { Cell::Null } else { origin.link_strength.as_str().into() }
}

fn candidate_count(credential: &LinkedCredential) -> Cell {
    let candidates = &credential.candidates;
    count((candidates.found.len() + candidates.refused.len()) as u64)
}

/// A session put together from its credentials.
struct Session<'l> {
    credentials: Vec<&'l LinkedCredential<'l>>,
    facts: Cow<'l, CredentialFacts>,
    /// The credential that stands for the session where all agree.
    speaker: &'l LinkedCredential<'l>,
    disagree: bool,
}

impl<'l> Session<'l> {
    fn of(linked: &'l Linked<'l>, members: &[usize]) -> Option<Session<'l>> {
        let credentials: Vec<_> = members.iter().map(|i| &linked.credentials[*i]).collect();
        // Issued but unused keys say nothing about who used the session, as long as others do.
        let used: Vec<_> = credentials.iter().copied().filter(|c| c.facts.events > 0).collect();
        let voters = if used.is_empty() { &credentials } else { &used };
        let mut voters_by_evidence = voters.clone();
        voters_by_evidence.sort_by_key(|c| {
            let o = &c.origin;
            (o.unresolved_reason.is_some(), std::cmp::Reverse((o.link_strength, o.chain_strength)))
        });
        let speaker = *voters_by_evidence.first()?;
        let disagree = voters.iter().any(|c| !c.origin.names_same(&speaker.origin));
        let facts = match credentials.as_slice() {
            [only] => Cow::Borrowed(only.facts.as_ref()),
            several => Cow::Owned(together(several)),
        };
        Some(Session { credentials, facts, speaker, disagree })
    }

    /// Issuing events that could have started it.
    fn candidates(&self) -> u64 {
        let count = |c: &&LinkedCredential| c.candidates.found.len() + c.candidates.refused.len();
        if self.disagree {
            let all: BTreeSet<usize> = self
                .credentials
                .iter()
                .flat_map(|c| c.candidates.found.iter().chain(&c.candidates.refused))
                .map(|candidate| candidate.grant)
                .collect();
            return all.len() as u64;
        }
        count(&self.speaker) as u64
    }

    /// One value if all credentials that were used have the same.
    fn common<T: PartialEq>(&self, value: impl Fn(&'l LinkedCredential<'l>) -> T) -> Option<T> {
        let used = |c: &&&LinkedCredential| c.facts.events > 0;
        let any_used = self.credentials.iter().any(|c| c.facts.events > 0);
        let mut voters = self.credentials.iter().filter(|c| !any_used || used(c));
        let first = value(voters.next()?);
        voters.all(|c| value(c) == first).then_some(first)
    }
}

fn together(credentials: &[&LinkedCredential]) -> CredentialFacts {
    let mut facts = CredentialFacts::default();
    if let Some(first) = credentials.first() {
        facts.partition.clone_from(&first.facts.partition);
    }
    credentials.iter().for_each(|c| facts.merge(c.facts.clone().into_owned()));
    facts
}

/// The chain of a session whose credentials come from different callers: its own label is all they share.
fn unknown_chain(origin: &Origin) -> Vec<&str> {
    let own = origin.chain.last().map(AsRef::as_ref);
    std::iter::once("unknown").chain(own).collect()
}

/// `service-linked`, `service`, `sso` or `ordinary`, from the role's path and name.
fn role_kind(facts: &CredentialFacts) -> Option<&'static str> {
    let name = facts.role_name()?;
    let arn = facts.issuer_arn.as_deref().unwrap_or("");
    Some(if name.starts_with("AWSReservedSSO_") {
        "sso"
    } else if arn.contains(":role/aws-service-role/") || name.starts_with("AWSServiceRoleFor") {
        "service-linked"
    } else if arn.contains(":role/service-role/") {
        "service"
    } else {
        "ordinary"
    })
}

fn role_arn(facts: &CredentialFacts) -> Option<String> {
    let role = facts.identity_type.as_deref() == Some("AssumedRole");
    facts.issuer_arn.clone().filter(|_| role)
}

fn session_name(facts: &CredentialFacts) -> Option<String> {
    let named = matches!(facts.identity_type.as_deref(), Some("AssumedRole" | "FederatedUser"));
    facts.session_name().filter(|_| named).map(str::to_owned)
}

fn sessions(linked: &Linked) -> Result<RecordBatch> {
    let mut all: Vec<(&String, Session)> = linked
        .sessions
        .iter()
        .filter_map(|(id, members)| Some((id, Session::of(linked, members)?)))
        .collect();
    all.sort_by_key(|(id, session)| (session.facts.created, *id));
    build(&SESSIONS, all.iter().map(|(id, session)| session_row(linked, id, session)))
}

fn session_row(linked: &Linked, id: &str, session: &Session) -> Vec<Cell> {
    let facts = &session.facts;
    let origin = &session.speaker.origin;
    let known = !session.disagree;
    let grant = session.common(|c| c.origin.grant).flatten().map(|i| &linked.grants[i]);
    let parent = session.common(|c| c.origin.parent).flatten();
    let parent = parent.and_then(|i| linked.credentials[i].facts.session_id.clone());
    let keys: BTreeSet<&str> =
        session.credentials.iter().filter_map(|c| c.facts.access_key_id.as_deref()).collect();
    let expires = session.credentials.iter().filter_map(|c| {
        let grants = c.candidates.found.iter().map(|c| &linked.grants[c.grant].grant);
        grants.filter_map(|grant| expiry(grant)).max()
    });
    let known_text = |value: &Option<String>| if known { text(value) } else { Cell::Null };
    let reason = if known { origin.unresolved_reason } else { Some("credentials_disagree") };
    let strength = if known { origin.chain_strength } else { Strength::None };
    let set = |values: &SmallestValues| list(values.values());
    vec![
        id.into(),
        text(&facts.identity_type),
        text(&facts.principal_id),
        text(&facts.principal_arn),
        text(&facts.account_id),
        role_arn(facts).into(),
        facts.role_name().into(),
        role_kind(facts).into(),
        session_name(facts).into(),
        instant(facts.created),
        instant(expires.max()),
        instant(facts.first_event_at),
        instant(facts.last_event_at),
        count(facts.events),
        count(facts.writes),
        count(facts.errors),
        list(keys.into_iter()),
        set(&facts.source_ip_addresses),
        set(&facts.user_agents),
        set(&facts.aws_regions),
        set(&facts.event_sources),
        facts.mfa_authenticated.into(),
        text(&facts.source_identity),
        facts.from_console.then_some(true).into(),
        parent.into(),
        if known { origin.origin_type.as_str() } else { "Unknown" }.into(),
        known_text(&origin.origin),
        known_text(&origin.account_id),
        known_text(&origin.detail),
        if known { origin.depth.map(i64::from).into() } else { Cell::Null },
        if known { chain(&origin.chain) } else { list(unknown_chain(origin).into_iter()) },
        if known { origin.link_rule.into() } else { Cell::Null },
        if known { link_strength(origin) } else { Strength::None.as_str().into() },
        strength.as_str().into(),
        count(session.candidates()),
        reason.into(),
        grant.and_then(|linked| linked.grant.cross_account()).into(),
    ]
}

fn credentials(linked: &Linked) -> Result<RecordBatch> {
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

fn links(linked: &Linked) -> Result<RecordBatch> {
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

fn attributions(linked: &Linked) -> Result<RecordBatch> {
    let row = |a: &super::link::Attribution| {
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

fn grants(linked: &Linked) -> Result<RecordBatch> {
    let mut all: Vec<&LinkedGrant> = linked.grants.iter().collect();
    all.sort_by_key(|g| (g.grant.event_time, &g.grant.event_id, g.grant.record_hash));
    build(&GRANTS, all.into_iter().map(grant_row))
}

fn grant_row(linked: &LinkedGrant) -> Vec<Cell> {
    let grant = &linked.grant;
    let (caller, child) = (&grant.caller, &grant.child);
    let keys = &grant.transitive_tag_keys;
    vec![
        grant.event_id.as_str().into(),
        text(&linked.twin_event_id),
        Cell::Time(grant.event_time),
        grant.kind.as_str().into(),
        if grant.denied { "denied" } else { "granted" }.into(),
        text(&grant.denial_cause),
        text(&grant.error_code),
        text(&grant.error_message),
        text(&caller.identity_type),
        text(&caller.arn),
        text(&caller.principal_id),
        text(&caller.account_id),
        text(&caller.access_key_id),
        text(&caller.session_id),
        text(&child.role_arn),
        text(&child.role_name),
        text(&child.account_id),
        text(&child.session_name),
        text(&child.principal_id),
        text(&grant.issued_access_key_id),
        text(&linked.issued_session_id),
        grant.duration_seconds.into(),
        instant(expiry(grant)),
        text(&grant.external_id),
        text(&grant.source_identity),
        text(&grant.mfa_serial),
        text(&grant.tags),
        if keys.is_empty() { Cell::Null } else { keys.clone().into() },
        text(&grant.incoming_transitive_tags),
        text(&grant.session_policy),
        grant.cross_account().into(),
        linked.used.into(),
        text(&grant.recipient_account_id),
        text(&grant.aws_region),
        text(&grant.source_ip_address),
        text(&grant.user_agent),
        grant.source_file.as_str().into(),
        Cell::Int(grant.source_record),
    ]
}
