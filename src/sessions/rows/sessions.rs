//! Rows of **sessions**: each put together from its credentials.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    TableRows, build, chain, count, instant, link_strength, list, role_arn, session_name, text,
};
use crate::grants::Grant;
use crate::model::strength::Strength;
use crate::sessions::columns::SESSIONS;
use crate::sessions::facts::CredentialFacts;
use crate::sessions::link::{Linked, LinkedCredential, expiry};
use crate::sessions::origin::Origin;
use crate::sessions::properties::{Properties, Tags, common, seconds_given};
use crate::sessions::values::SmallestValues;
use crate::table::build::Cell;

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
            let evidence = std::cmp::Reverse((o.link_strength, o.chain_strength));
            // Who made one of a user's long-term keys says nothing of the others.
            let one_key_only = c.facts.created.is_none() && o.link_rule.is_some();
            // The console's keys come of its sign-in, which came from elsewhere.
            let within = c.is_role() && o.parent.is_some_and(|parent| members.contains(&parent));
            let unlinked = c.facts.created.is_some() && o.link_rule.is_none();
            // Of the names that a user had, the last one stands for all.
            let user = c.facts.identity_type.as_deref() == Some("IAMUser");
            let last = std::cmp::Reverse(c.facts.last_event_at.filter(|_| user));
            (o.unresolved_reason.is_some(), one_key_only, within, unlinked, evidence, last)
        });
        let speaker = *voters_by_evidence.first()?;
        let disagree = voters.iter().any(|c| !c.origin.names_same(&speaker.origin));
        let facts = match credentials.as_slice() {
            [only] => Cow::Borrowed(&*only.facts),
            several => Cow::Owned(together(several, speaker)),
        };
        Some(Session { credentials, facts, speaker, disagree })
    }

    /// Issuing events that could have started it.
    fn candidates(&self) -> u64 {
        if self.disagree {
            let all: BTreeSet<usize> = self
                .credentials
                .iter()
                .flat_map(|c| c.candidates.found.iter().chain(&c.candidates.refused))
                .map(|candidate| candidate.grant)
                .collect();
            return all.len() as u64;
        }
        self.speaker.candidates.count() as u64
    }

    /// The credentials that were used; all of them when none was.
    fn voters(&self) -> impl Iterator<Item = &'l LinkedCredential<'l>> {
        let any_used = self.credentials.iter().any(|c| c.facts.events > 0);
        self.credentials.iter().copied().filter(move |c| !any_used || c.facts.events > 0)
    }

    /// The session that all credentials which were used come from. Those that come of another credential
    /// of the same session, as the console's keys of its sign-in, add nothing to that; and a user who
    /// makes a second key with the first one is nobody's child.
    fn parent(&self, linked: &'l Linked<'l>, id: &str) -> Option<&'l str> {
        let any_used = self.credentials.iter().any(|c| c.facts.events > 0);
        let voters = self.credentials.iter().filter(|c| !any_used || c.facts.events > 0);
        let session = |i: usize| linked.credentials[i].facts.session_id.as_deref();
        let mut parents =
            voters.map(|c| c.origin.parent.and_then(session)).filter(|parent| *parent != Some(id));
        let first = parents.next()??;
        parents.all(|parent| parent == Some(first)).then_some(first)
    }

    /// One value if all credentials that were used have the same.
    fn common<T: PartialEq>(&self, value: impl Fn(&'l LinkedCredential<'l>) -> T) -> Option<T> {
        let mut voters = self.voters();
        let first = value(voters.next()?);
        voters.all(|c| value(c) == first).then_some(first)
    }
}

fn together(credentials: &[&LinkedCredential], speaker: &LinkedCredential) -> CredentialFacts {
    let mut facts = CredentialFacts::default();
    if let Some(first) = credentials.first() {
        facts.partition.clone_from(&first.facts.partition);
    }
    credentials.iter().for_each(|c| facts.merge(CredentialFacts::clone(&c.facts)));
    if facts.identity_type.as_deref() == Some("IAMUser") {
        facts.principal_arn.clone_from(&speaker.facts.principal_arn);
        facts.user_name.clone_from(&speaker.facts.user_name);
    }
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

pub(super) fn rows<'l>(linked: &'l Linked<'l>) -> TableRows<'l> {
    let created = |members: &[usize]| {
        members.iter().filter_map(|i| linked.credentials[*i].facts.created).min()
    };
    let mut all: Vec<_> =
        linked.sessions.iter().map(|(id, members)| (created(members), id, members)).collect();
    all.sort_unstable();
    build(&SESSIONS, all, |rows, (_, id, members)| {
        if let Some(session) = Session::of(linked, members) {
            rows.push(session_row(linked, id, &session));
        }
    })
}

fn session_row<'l>(linked: &'l Linked<'l>, id: &'l str, session: &'l Session<'l>) -> Vec<Cell<'l>> {
    let facts = &session.facts;
    let origin = &session.speaker.origin;
    let known = !session.disagree;
    let grant = session.common(|c| c.origin.grant).flatten().map(|i| &linked.grants[i]);
    let parent = session.parent(linked, id);
    let keys: BTreeSet<&str> =
        session.credentials.iter().filter_map(|c| c.facts.access_key_id.as_deref()).collect();
    let expires = session.credentials.iter().filter_map(|c| {
        let grants = c.candidates.found.iter().map(|c| &linked.grants[c.grant].grant);
        grants.filter_map(|grant| expiry(grant)).max()
    });
    let known_text = |value: &'l Option<String>| if known { text(value) } else { Cell::Null };
    let reason =
        if known { origin.unresolved_reason.as_deref() } else { Some("credentials_disagree") };
    let strength = if known { origin.chain_strength } else { Strength::None };
    let set = |values: &'l SmallestValues| list(values.values());
    let mut cells = vec![
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
    ];
    cells.extend(property_cells(linked, session));
    cells
}

/// The columns after those that identify and attribute.
fn property_cells<'l>(linked: &'l Linked<'l>, session: &'l Session<'l>) -> Vec<Cell<'l>> {
    let grants = issuing_grants(linked, session);
    let shown =
        |value: fn(&'l Grant) -> Option<&'l str>| -> Cell<'l> { common(&grants, value).into() };
    let only = session.common(|c| c.origin.grant).flatten();
    let tags = |tags: fn(&Properties) -> &Option<Arc<Tags>>| -> Cell<'l> {
        let tags = session.common(|c| tags(&c.properties).as_deref()).flatten();
        tags.and_then(|tags| serde_json::to_string(tags).ok()).into()
    };
    let since = session.common(|c| c.properties.source_identity_session_id.as_deref()).flatten();
    let wrong: BTreeSet<&str> =
        session.credentials.iter().flat_map(|c| &c.properties.contradictions).copied().collect();
    vec![
        session.credentials.iter().any(|c| is_used(&c.facts)).into(),
        shown(|grant| Some(&grant.kind)),
        only.map(|i| linked.grants[i].grant.event_id.as_str()).into(),
        common(&grants, |grant| grant.duration_seconds).into(),
        common(&grants, seconds_given).into(),
        shown(|grant| grant.mfa_serial.as_deref()),
        shown(|grant| grant.external_id.as_deref()),
        shown(|grant| grant.session_policy.as_deref()),
        tags(|properties| &properties.tags),
        tags(|properties| &properties.transitive_tags),
        since.into(),
        list(wrong.into_iter()),
    ]
}

/// The grants that could have started the session. Of a user's long-term keys those count whose making
/// is known only if that is known of all: they are the properties of keys, not of the user.
fn issuing_grants<'l>(linked: &'l Linked, session: &Session<'l>) -> Vec<&'l Grant> {
    let hops = |c: &'l LinkedCredential<'l>| c.candidates.found.iter().filter(|c| c.is_hop());
    let long_term = session.facts.created.is_none();
    if long_term && session.voters().any(|c| hops(c).next().is_none()) {
        return Vec::new();
    }
    session.voters().flat_map(hops).map(|c| linked.grants[c.grant].grant.as_ref()).collect()
}

/// Whether calls used a credential: to sign in is not to use.
fn is_used(facts: &CredentialFacts) -> bool {
    let beyond = |source: &str| !source.starts_with("signin.amazonaws.com");
    facts.events > 0 && facts.event_sources.values().any(beyond)
}
