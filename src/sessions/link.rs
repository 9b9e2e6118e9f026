//! Puts the parts together: facts in; sessions, credentials, links, attributions and grants out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};

use super::candidates::{
    ACCESS_KEY, CONSOLE_SWITCH, CREATION_TIME, Candidates, FORWARDED, Index, LOGIN_PROFILE,
};
use super::contest::refuse_contested;
use super::corrections::corrected;
use super::facts::{CredentialFacts, Facts};
use super::held::Held;
use super::names::Names;
use super::origin::Origin;
use super::propagation::propagation;
use super::properties::{Chains, Properties};
use super::seen_from_outside::{PRINCIPAL_AT_TIME, SeenFromOutside, seen_from_outside};
use super::solve::{Node, solve};
use super::twins::{CallerCopies, WholeGrant, caller_copies, whole_grants};
use crate::grants::{Caller, Grant, Join};
use crate::model::strength::Strength;
use crate::model::{ids, time};

/// The answer, ordered by id.
#[derive(Debug)]
pub struct Linked<'f> {
    /// Every credential, by id.
    pub credentials: Vec<LinkedCredential<'f>>,
    /// Every session, by id: the credentials it consists of, as indices.
    pub sessions: BTreeMap<String, Vec<usize>>,
    /// Every grant with its other half, as (caller's copy, owner's copy).
    pub grants: Vec<LinkedGrant<'f>>,
    /// Events whose caller another record names: owner's copy, credential, caller's copy.
    pub attributions: Vec<Attribution>,
}

/// One credential with its origin and evidence.
#[derive(Debug)]
pub struct LinkedCredential<'f> {
    /// Stable id.
    pub id: Cow<'f, str>,
    /// What the records say of it.
    pub facts: Held<'f, CredentialFacts>,
    /// What could have started it.
    pub candidates: Candidates,
    /// Who is behind it.
    pub origin: Origin,
    /// What it carries along.
    pub properties: Properties,
}

impl LinkedCredential<'_> {
    /// Whether it belongs to a session of a role.
    pub fn is_role(&self) -> bool {
        self.facts.identity_type.as_deref() == Some("AssumedRole")
    }
}

/// One grant after linking.
#[derive(Debug)]
pub struct LinkedGrant<'f> {
    /// The caller's copy where there is one.
    pub grant: Held<'f, Grant>,
    /// Event id of the other record of the same issue, where both are there.
    pub twin_event_id: Option<String>,
    /// The credential that stands for a caller whom only another account's record shows.
    pub caller: Option<usize>,
    /// Session that was started.
    pub issued_session_id: Option<String>,
    /// Whether what was issued was used; `None` when the records cannot tell.
    pub used: Option<bool>,
    /// See [`propagation`].
    pub propagation: Option<bool>,
}

/// An event that another record attributes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribution {
    /// The event.
    pub event_id: String,
    /// The credential behind it.
    pub credential_id: String,
    /// The record that proves it.
    pub proof_event_id: String,
    /// What joins the two.
    pub rule: &'static str,
    /// How strong that is.
    pub strength: Strength,
}

/// Credentials with their ids: those of the facts, and those that only a grant mentions.
type Known<'f> = Vec<(Cow<'f, str>, Held<'f, CredentialFacts>)>;

/// Links everything. The result depends on the facts alone, not on how they were collected.
pub fn link(facts: &Facts) -> Linked<'_> {
    let copies = caller_copies(&facts.shared_calls);
    let calls = corrected(facts);
    let grants = whole_grants(&calls, &copies);
    let recorded = facts.credentials.iter();
    let mut known: Known = recorded
        .map(|(id, facts)| (Cow::from(id.as_str()), Held::Borrowed(facts.as_ref())))
        .collect();
    let unrecorded = callers_without_records(&grants, facts);
    known.extend(unrecorded.into_iter().map(|(id, facts)| (Cow::Owned(id), Held::own(facts))));
    known.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));

    let console = console_sessions(known.iter().map(|(_, facts)| facts.as_ref()));
    let index = Index::new(&grants, console.iter().map(String::as_str).collect());
    let mut found = on_all_cores(&known, |(id, facts)| index.of(id, facts));
    withhold_where_a_grant_is_missing(&mut found, known.iter().map(|(_, facts)| facts.as_ref()));
    refuse_contested(&mut found, known.iter().map(|(_, facts)| facts.as_ref()), &grants);
    let unused = unused_credentials(&grants, &found, facts);
    let (mut ids, mut all): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    for (id, facts) in unused {
        found.push(index.of(&id, &facts));
        ids.push(Cow::Owned(id));
        all.push(Held::own(facts));
    }

    drop(index); // large, and of no use for what follows
    let seen = {
        let all: Vec<&CredentialFacts> = all.iter().map(AsRef::as_ref).collect();
        let outside = |id: &str| facts.credentials.get(id).map(AsRef::as_ref);
        seen_from_outside(facts.shared_calls.iter(), &copies, outside, &all, &found, &grants)
    };
    let first = all.len();
    for stand_in in &seen.stand_ins {
        ids.push(Cow::Owned(stand_in.id.clone()));
        all.push(Held::own(stand_in.facts.clone()));
        found.push(Candidates::default());
    }
    let callers = callers_seen(&seen, &grants, first);
    let origins = origins_of(&ids, &all, &found, &grants, (&seen, &callers));
    let chains = Chains { facts: &all, found: &found, origins: &origins, grants: &grants };
    let properties = chains.properties();
    let credentials = ids
        .into_iter()
        .zip(all)
        .zip(found)
        .zip(origins)
        .zip(properties)
        .map(|((((id, facts), candidates), origin), properties)| LinkedCredential {
            id,
            facts,
            candidates,
            origin,
            properties,
        })
        .collect::<Vec<_>>();
    let sessions = group_sessions(&credentials);
    let attributions = attributions(&copies, &grants, facts, &seen);
    let mut grants = linked_grants(&calls, &grants, &credentials, &sessions);
    callers.iter().for_each(|(grant, caller)| grants[*grant].caller = Some(*caller));
    Linked { sessions, grants, attributions, credentials }
}

/// What `each` makes of every item, in their order, made on all cores.
fn on_all_cores<T: Sync, R: Send>(items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(cores).max(1024);
    let each = &each;
    std::thread::scope(|scope| {
        let run = |part| scope.spawn(move || <[T]>::iter(part).map(each).collect::<Vec<R>>());
        let parts: Vec<_> = items.chunks(share).map(run).collect();
        let results = parts.into_iter().map(|part| part.join());
        results.flat_map(|part| part.unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    })
}

/// Of grants whose caller is only seen from outside: the credential that stands for the caller.
fn callers_seen(
    seen: &SeenFromOutside,
    grants: &[WholeGrant],
    first: usize,
) -> HashMap<usize, usize> {
    let by_event: HashMap<&str, usize> =
        seen.events.iter().map(|(event, place)| (event.as_str(), first + place)).collect();
    let halves = grants.iter().enumerate().filter(|(_, whole)| whole.grant.is_owner_half());
    halves.filter_map(|(i, w)| Some((i, *by_event.get(w.grant.event_id.as_str())?))).collect()
}

fn origins_of(
    ids: &[Cow<str>],
    all: &[Held<CredentialFacts>],
    found: &[Candidates],
    grants: &[WholeGrant],
    (seen, callers): (&SeenFromOutside, &HashMap<usize, usize>),
) -> Vec<Origin> {
    let names = Names::collect(all.iter().map(AsRef::as_ref));
    let mut nodes: Vec<Node> = ids
        .iter()
        .zip(all)
        .zip(found)
        .map(|((id, facts), candidates)| Node { id, facts, candidates, may_be: &[] })
        .collect();
    let first = nodes.len() - seen.stand_ins.len();
    for (node, stand_in) in nodes[first..].iter_mut().zip(&seen.stand_ins) {
        node.may_be = &stand_in.may_be;
    }
    solve(&nodes, grants, &names, callers)
}

/// Callers that only a grant mentions: the previous principal of a role switch, the holder of a
/// certificate, an identity of a pool.
fn callers_without_records(grants: &[WholeGrant], facts: &Facts) -> Vec<(String, CredentialFacts)> {
    let callers = grants.iter().map(|whole| whole.grant.obtained_by());
    let unknown =
        callers.filter(|caller| !facts.credentials.contains_key(caller.credential_id.as_str()));
    let by_id: BTreeMap<&str, &Caller> =
        unknown.map(|caller| (caller.credential_id.as_str(), caller)).collect();
    by_id
        .into_iter()
        .map(|(id, caller)| {
            let facts = CredentialFacts {
                identity_type: caller.identity_type.clone(),
                principal_arn: caller.arn.clone(),
                account_id: caller.account_id.clone(),
                user_name: caller.user_name.clone(),
                identity_provider: caller.identity_provider.clone(),
                on_behalf_of_user_id: caller.on_behalf_of_user_id.clone(),
                vouched_by: caller.vouched_by.clone(),
                invoked_by: caller.invoked_by.clone(),
                ..CredentialFacts::default()
            };
            (id.to_owned(), facts)
        })
        .collect()
}

/// Sessions whose keys no record announces: the console's own, and those that the sign-in service took
/// to the console or to a program.
fn console_sessions<'f>(all: impl Iterator<Item = &'f CredentialFacts>) -> BTreeSet<String> {
    all.filter(|facts| facts.from_console || facts.at_sign_in_service)
        .filter_map(|facts| facts.session_id.clone())
        .collect()
}

/// Credentials that were issued under a key that no call shows: they get a row, so that a session
/// nobody used can be seen and asked for.
fn unused_credentials(
    grants: &[WholeGrant],
    found: &[Candidates],
    facts: &Facts,
) -> BTreeMap<String, CredentialFacts> {
    let used: HashSet<usize> = found
        .iter()
        .flat_map(|candidates| &candidates.found)
        .filter(|candidate| candidate.rule == ACCESS_KEY)
        .map(|candidate| candidate.grant)
        .collect();
    let unused = grants.iter().enumerate().filter(|(i, _)| !used.contains(i));
    unused
        .filter_map(|(_, whole)| issued_credential(whole.grant))
        .filter(|(id, _)| !facts.credentials.contains_key(id.as_str()))
        .collect()
}

/// A key that no grant issued shows that its session had a further grant, which the logs lack. Calls
/// of that session whose keys cannot decide may come from either, so they are given to neither.
fn withhold_where_a_grant_is_missing<'f>(
    found: &mut [Candidates],
    all: impl Iterator<Item = &'f CredentialFacts>,
) {
    let all: Vec<&CredentialFacts> = all.collect();
    let lacking: HashSet<&str> = found
        .iter()
        .zip(&all)
        .filter(|(candidates, _)| !candidates.refused.is_empty())
        .filter_map(|(_, facts)| facts.session_id.as_deref())
        .collect();
    for (candidates, facts) in found.iter_mut().zip(&all) {
        let doubtful = facts.session_id.as_deref().is_some_and(|id| lacking.contains(id));
        let by_second = |rule| [CREATION_TIME, FORWARDED].contains(&rule);
        let mut rules = candidates.found.iter().map(|c| c.rule);
        let any = rules.clone().any(by_second);
        if doubtful && any && rules.all(|rule| by_second(rule) || rule == CONSOLE_SWITCH) {
            candidates.refuse_all();
        }
    }
}

/// The credential that a grant issued, as its calls would show it.
fn issued_credential(grant: &Grant) -> Option<(String, CredentialFacts)> {
    let key = grant.issued_access_key_id.clone()?;
    if grant.denied || !matches!(grant.join, Join::Issued | Join::LongTermKey) {
        return None;
    }
    let session_id = issued_session(grant)?;
    let child = &grant.child;
    let facts = CredentialFacts {
        session_id: Some(session_id.clone()),
        partition: child.partition.clone(),
        identity_type: Some(child.identity_type.clone()),
        principal_id: child.principal_id.clone(),
        principal_arn: match child.identity_type.as_str() {
            "IAMUser" => grant.caller.arn.clone(),
            _ => None,
        },
        account_id: child.account_id.clone(),
        access_key_id: Some(key.clone()),
        issuer_arn: child.role_arn.clone(),
        source_identity: grant.source_identity.clone(),
        user_name: child.user_name.clone(),
        created: Some(grant.event_time).filter(|_| grant.join == Join::Issued),
        ..CredentialFacts::default()
    };
    let user = facts.principal_arn.as_deref();
    Some((ids::credential_id(&session_id, Some(&key), user), facts))
}

/// The id of the session that a grant starts, where the record shows enough.
fn issued_session(grant: &Grant) -> Option<String> {
    let child = &grant.child;
    let created = match grant.join {
        Join::LongTermKey => None,
        Join::Password | Join::Nothing | Join::SigninToken | Join::SignInSession => return None,
        _ => Some(grant.second()),
    };
    let (account, principal) = (child.account_id.as_deref()?, child.principal_id.as_deref()?);
    Some(ids::session_id(&child.partition, account, principal, created))
}

fn group_sessions(credentials: &[LinkedCredential]) -> BTreeMap<String, Vec<usize>> {
    let mut sessions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, credential) in credentials.iter().enumerate() {
        if let Some(session) = &credential.facts.session_id {
            sessions.entry(session.clone()).or_default().push(i);
        }
    }
    sessions
}

fn linked_grants<'f>(
    calls: &[Held<'f, Grant>],
    grants: &[WholeGrant],
    credentials: &[LinkedCredential],
    sessions: &BTreeMap<String, Vec<usize>>,
) -> Vec<LinkedGrant<'f>> {
    let mut users: HashMap<usize, Vec<(usize, bool)>> = HashMap::new();
    let mut crowded: HashSet<&str> = HashSet::new();
    let mut contests: HashSet<usize> = HashSet::new();
    for (i, credential) in credentials.iter().enumerate() {
        let Candidates { found, refused, takes_itself, more, contested, .. } =
            &credential.candidates;
        // Of the sessions that a contested one fits, one was started by it; nobody knows which.
        contests.extend(refused.iter().filter(|_| *contested).map(|candidate| candidate.grant));
        // Rivals with one key are rivals: which of them was used, the key does not tell.
        let certain = found.len() == 1 && !takes_itself;
        crowded.extend(credential.facts.session_id.as_deref().filter(|_| *more > 0));
        for candidate in found {
            if candidate.rule == LOGIN_PROFILE {
                continue;
            }
            users.entry(candidate.grant).or_default().push((i, certain));
        }
    }
    let none = Vec::new();
    let spreading = propagation(grants);
    grants
        .iter()
        .enumerate()
        .map(|(i, whole)| {
            let users = users.get(&i).unwrap_or(&none);
            let called = |(c, _): &&(usize, bool)| credentials[*c].facts.events > 0;
            let used = match users.iter().filter(called).map(|(_, certain)| *certain).max() {
                _ if whole.grant.denied => None,
                Some(true) => Some(true),
                Some(false) => None,
                None if contests.contains(&i) => None,
                None if issued_session(whole.grant).is_some_and(|id| crowded.contains(&*id)) => {
                    None
                }
                // A sign-in page only accompanies the grant: what counts is the session it names.
                None if matches!(whole.grant.join, Join::Issued | Join::LongTermKey) => Some(false),
                None => issued_session(whole.grant).map(|id| {
                    let members = sessions.get(&id).into_iter().flatten();
                    let called =
                        |facts: &CredentialFacts| facts.access_key_id.is_some() && facts.events > 0;
                    members.map(|i| credentials[*i].facts.as_ref()).any(called)
                }),
            };
            let session =
                users.iter().filter_map(|(c, _)| credentials[*c].facts.session_id.as_ref());
            LinkedGrant {
                grant: calls[whole.place].clone(),
                twin_event_id: whole.twin.map(|twin| twin.event_id.clone()),
                caller: None,
                issued_session_id: session
                    .min()
                    .cloned()
                    .or_else(|| issued_session(whole.grant).filter(|_| !whole.grant.denied)),
                used,
                propagation: spreading[i],
            }
        })
        .collect()
}

/// Events whose caller another record names, or their own request and response.
fn attributions(
    copies: &CallerCopies,
    grants: &[WholeGrant],
    facts: &Facts,
    seen: &SeenFromOutside,
) -> Vec<Attribution> {
    let by_copy = copies.iter().map(|(owner, caller)| Attribution {
        event_id: (*owner).to_owned(),
        credential_id: caller.credential_id.clone(),
        proof_event_id: caller.event_id.clone(),
        rule: "shared_event",
        strength: Strength::Exact,
    });
    let by_principal = seen.events.iter().map(|(event, place)| Attribution {
        event_id: event.clone(),
        credential_id: seen.stand_ins[*place].id.clone(),
        proof_event_id: event.clone(),
        rule: PRINCIPAL_AT_TIME,
        strength: Strength::Inferred,
    });
    let both = grants.iter().flat_map(|whole| [Some(whole.grant), whole.twin]).flatten();
    // A record that put another one right is an event too.
    let later = facts.grants.values().map(AsRef::as_ref).filter(|grant| grant.corrects.is_some());
    let by_content =
        both.chain(later).filter(|grant| grant.names_caller_elsewhere()).map(|grant| Attribution {
            event_id: grant.event_id.clone(),
            credential_id: grant.obtained_by().credential_id.clone(),
            proof_event_id: grant.event_id.clone(),
            rule: "named_in_response",
            strength: Strength::Inferred,
        });
    let mut all: Vec<Attribution> = by_copy.chain(by_principal).chain(by_content).collect();
    all.sort();
    all.dedup();
    // Two contents under one event id: nobody knows which of them counts.
    let ids = all.chunk_by(|a, b| a.event_id == b.event_id);
    let unsure: BTreeSet<String> =
        ids.filter(|same| same.len() > 1).map(|same| same[0].event_id.clone()).collect();
    all.retain(|attribution| !unsure.contains(&attribution.event_id));
    all
}

/// How long issued credentials last: as recorded, else as asked for. Microseconds since 1970.
pub fn expiry(grant: &Grant) -> Option<i64> {
    let asked = || {
        let seconds = grant.duration_seconds?;
        grant.event_time.checked_add(seconds.checked_mul(time::SECOND)?)
    };
    grant.expires_at.or_else(asked).filter(|_| !grant.denied)
}
