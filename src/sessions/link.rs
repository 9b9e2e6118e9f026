//! Puts the parts together: facts in; sessions, credentials, links, attributions and grants out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};

use super::candidates::{CONSOLE_SWITCH, Candidate, Candidates, Index, RUNGS, is_by_second};
pub use super::candidates::{MARGIN, SIGN_IN_SESSION};
use super::contest::refuse_contested;
use super::corrections::corrected;
use super::facts::{CredentialFacts, Facts, RecordId};
use super::forwarded;
use super::held::Held;
pub use super::issued::expiry;
use super::issued::{linked_grants, unused_credentials};
use super::origin::Origin;
use super::outside::{Answer, Outside};
use super::properties::{Chains, Properties};
use super::scope::{Home, known};
pub use super::scope::{Scope, first_calls};
pub use super::seen_from_outside::LONGEST;
use super::seen_from_outside::{PRINCIPAL_AT_TIME, SeenFromOutside, seen_from_outside};
use super::solve::{Node, solve};
use super::twins::{CallerCopies, WholeGrant, caller_copies, whole_grants};
use crate::grants::{Caller, Grant};
use crate::model::strength::Strength;
use crate::model::time;

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
    /// Whether it is in scope; else it is only there for what is.
    pub home: bool,
    /// Whether it was linked elsewhere.
    pub given: bool,
    /// Whether it is none of its own, but stands for a caller whom only another account's record shows.
    pub stands_in: bool,
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
    /// Whether it is in scope; else it is only evidence for what is.
    pub home: bool,
}

/// The rule of attributions whose event another record shows with its caller: a copy of the same call, made
/// at the same time by a credential that is known by it.
pub const SHARED_EVENT: &str = "shared_event";

/// An event that another record attributes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribution {
    /// The event.
    pub event_id: String,
    /// Its content.
    pub record_hash: u64,
    /// When it happened, microseconds since 1970.
    pub event_time: i64,
    /// Second since 1970 of the time that it is linked in.
    pub second: i64,
    /// The credential behind it.
    pub credential_id: String,
    /// The record that proves it.
    pub proof_event_id: String,
    /// What joins the two.
    pub rule: &'static str,
    /// How strong that is.
    pub strength: Strength,
}

/// Links what is in scope. The result depends on the facts alone, not on how they were collected; and not
/// on the bounds of the scope, if the facts hold what is within [`MARGIN`] of it.
pub fn link<'f>(facts: &'f Facts, scope: Scope, outside: Outside) -> Linked<'f> {
    let copies = caller_copies(&facts.shared_calls);
    let calls = corrected(facts);
    let grants = whole_grants(&calls, &copies);
    let home = Home::of(facts, scope);
    let known = known(facts, &grants, &home);
    let console = console_sessions(known.iter().map(|(_, facts)| facts.as_ref()));
    let index = Index::new(&grants, console.iter().map(String::as_str).collect());
    let mut found = on_all_cores(&known, |(id, facts)| index.of(id, facts));
    let all = || known.iter().map(|(_, facts)| facts.as_ref());
    withhold_where_a_grant_is_missing(&mut found, all(), &grants);
    refuse_contested(&mut found, all(), &grants);
    let unused = unused_credentials(&grants, &found, facts, scope);
    let (mut ids, mut all): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    for (id, facts) in unused {
        found.push(index.of(&id, &facts));
        // Elsewhere it may have made calls, which show more of it than its grant, and when it was used.
        let elsewhere = outside.answer(&id).filter(|_| !home.holds(&facts));
        all.push(Held::own(elsewhere.map_or(facts, Answer::facts)));
        ids.push(Cow::Owned(id));
    }
    drop(index); // large, and of no use for what follows
    let mut given: Vec<Option<&Answer>> = ids
        .iter()
        .zip(&all)
        .map(|(id, facts)| outside.answer(id).filter(|_| !home.holds(facts)))
        .collect();
    let unlinked =
        if scope == Scope::Undated { unlinked_callers(&grants) } else { BTreeMap::new() };
    let mut elsewhere = parents_elsewhere(&ids, &all, &grants, outside);
    elsewhere.extend(absent(&ids, &unlinked));
    for (id, answer) in elsewhere {
        found.push(Candidates::default());
        ids.push(Cow::Owned(id));
        all.push(Held::own(answer.facts()));
        given.push(Some(answer));
    }
    let seen = if scope == Scope::Undated {
        SeenFromOutside::default()
    } else {
        let all: Vec<&CredentialFacts> = all.iter().map(AsRef::as_ref).collect();
        let expiries = expiries(&found, &given, &grants);
        let callers = |id: &str| facts.credentials.get(id).map(AsRef::as_ref);
        let has_logs = |account: &str| outside.names.has_logs_of(account);
        let calls = facts.shared_calls.iter().filter(|call| !copies.contains_key(&call.record()));
        seen_from_outside(calls, callers, has_logs, &all, &expiries)
    };
    let first = all.len();
    for stand_in in &seen.stand_ins {
        ids.push(Cow::Owned(stand_in.id.clone()));
        all.push(Held::own(stand_in.facts.clone()));
        found.push(Candidates::default());
        given.push(None);
    }
    let callers = callers_seen(&seen, &grants, first);

    let origins = origins_of(&ids, &all, &found, &grants, &given, (&seen, &callers), outside);
    let chains = Chains {
        facts: &all,
        found: &found,
        origins: &origins,
        grants: &grants,
        given: &given,
        names: outside.names,
    };
    let properties = chains.properties();
    let own = all[..first].iter().zip(&given);
    let own = own.map(|(facts, given)| given.is_none() && home.holds(facts));
    // One that stands for others belongs to the time of the calls that show it.
    let stand_ins = seen.stand_ins.iter().map(|stand_in| scope.holds(stand_in.second));
    let at_home: Vec<bool> = own.chain(stand_ins).collect();
    let credentials = ids
        .into_iter()
        .enumerate()
        .zip(all)
        .zip(found)
        .zip(origins)
        .zip(properties)
        .zip(at_home)
        .zip(given)
        .map(|(((((((i, id), facts), candidates), origin), properties), home), given)| {
            LinkedCredential {
                id,
                facts,
                candidates,
                origin,
                properties,
                home,
                given: given.is_some(),
                stands_in: i >= first,
            }
        })
        .collect::<Vec<_>>();
    let mut sessions = group_sessions(&credentials[..first]);
    let mut attributions = attributions(&copies, &grants, facts, &seen);
    attributions.retain(|attribution| scope.holds(attribution.second));
    let mut grants = linked_grants(&calls, &grants, &credentials, &sessions, scope);
    callers.iter().for_each(|(grant, caller)| grants[*grant].caller = Some(*caller));
    sessions.retain(|_, members| members.iter().any(|i| credentials[*i].home));
    Linked { sessions, grants, attributions, credentials }
}

/// Callers that obtained something here and are linked elsewhere, and whoever else may matter.
fn parents_elsewhere<'o>(
    ids: &[Cow<str>],
    all: &[Held<CredentialFacts>],
    grants: &[WholeGrant],
    outside: Outside<'o>,
) -> BTreeMap<String, &'o Answer> {
    let here: HashSet<&str> = ids.iter().map(AsRef::as_ref).collect();
    let callers = grants.iter().map(|whole| whole.grant.obtained_by().credential_id.as_str());
    let keys = all.iter().filter_map(|facts| outside.only_key(&forwarded::long_term(facts)?));
    let earlier = outside.earlier.keys().map(String::as_str);
    let wanted = callers.chain(keys).chain(earlier).filter(|id| !here.contains(id));
    wanted.filter_map(|id| Some((id.to_owned(), outside.answer(id)?))).collect()
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

/// When each credential expires, as far as the logs tell; microseconds since 1970.
fn expiries(
    found: &[Candidates],
    given: &[Option<&Answer>],
    grants: &[WholeGrant],
) -> Vec<Option<i64>> {
    let told = |candidates: &Candidates| {
        let issued = candidates.found.iter().map(|c| grants[c.grant].grant);
        issued.filter_map(expiry).max()
    };
    let both = found.iter().zip(given);
    both.map(|(found, given)| given.map_or_else(|| told(found), |answer| answer.expires_at()))
        .collect()
}

/// Of grants whose caller is only seen from outside: the credential that stands for the caller.
fn callers_seen(
    seen: &SeenFromOutside,
    grants: &[WholeGrant],
    first: usize,
) -> HashMap<usize, usize> {
    let by_record: HashMap<RecordId, usize> =
        seen.records.iter().map(|(record, _, place)| (*record, first + place)).collect();
    let halves = grants.iter().enumerate().filter(|(_, whole)| whole.grant.is_owner_half());
    halves.filter_map(|(i, w)| Some((i, *by_record.get(&w.grant.record())?))).collect()
}

fn origins_of(
    ids: &[Cow<str>],
    all: &[Held<CredentialFacts>],
    found: &[Candidates],
    grants: &[WholeGrant],
    given: &[Option<&Answer>],
    (seen, callers): (&SeenFromOutside, &HashMap<usize, usize>),
    outside: Outside,
) -> Vec<Origin> {
    let mut nodes: Vec<Node> = ids
        .iter()
        .zip(all)
        .zip(found)
        .zip(given)
        .map(|(((id, facts), candidates), given)| Node {
            id,
            facts,
            candidates,
            given: *given,
            may_be: &[],
        })
        .collect();
    let first = nodes.len() - seen.stand_ins.len();
    for (node, stand_in) in nodes[first..].iter_mut().zip(&seen.stand_ins) {
        node.may_be = &stand_in.may_be;
    }
    solve(&nodes, grants, callers, outside)
}

/// Those who made keys and passwords for users: they are linked later, and here only their ids count.
fn unlinked_callers(grants: &[WholeGrant]) -> BTreeMap<String, Answer> {
    let callers = grants.iter().map(|whole| whole.grant.obtained_by());
    let by_id: BTreeMap<&str, &Caller> =
        callers.map(|caller| (caller.credential_id.as_str(), caller)).collect();
    by_id.into_iter().map(|(id, caller)| (id.to_owned(), Answer::unlinked(caller))).collect()
}

/// Those that are not among the credentials.
fn absent<'a>(
    ids: &[Cow<str>],
    answers: &'a BTreeMap<String, Answer>,
) -> Vec<(String, &'a Answer)> {
    let here: HashSet<&str> = ids.iter().map(AsRef::as_ref).collect();
    let absent = answers.iter().filter(|(id, _)| !here.contains(id.as_str()));
    absent.map(|(id, answer)| (id.clone(), answer)).collect()
}

/// Sessions whose keys no record announces: the console's own, and those that the sign-in service took
/// to the console or to a program.
fn console_sessions<'f>(all: impl Iterator<Item = &'f CredentialFacts>) -> BTreeSet<String> {
    all.filter(|facts| facts.from_console || facts.at_sign_in_service)
        .filter_map(|facts| facts.session_id.clone())
        .collect()
}

/// A key that no grant issued shows that its session had a further grant, which the logs lack. Calls
/// of that session whose keys cannot decide may come from either, so they are given to neither.
fn withhold_where_a_grant_is_missing<'f>(
    found: &mut [Candidates],
    all: impl Iterator<Item = &'f CredentialFacts>,
    grants: &[WholeGrant],
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
        let by_second = |c: &Candidate| candidates.rung < RUNGS && is_by_second(c, grants);
        let any = candidates.found.iter().any(by_second);
        let all = |c: &Candidate| by_second(c) || c.rule == CONSOLE_SWITCH;
        if doubtful && any && candidates.found.iter().all(all) {
            candidates.refuse_all();
        }
    }
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

/// Events whose caller another record names, or their own request and response.
fn attributions(
    copies: &CallerCopies,
    grants: &[WholeGrant],
    facts: &Facts,
    seen: &SeenFromOutside,
) -> Vec<Attribution> {
    let by_copy = copies.iter().map(|(owner, caller)| Attribution {
        event_id: owner.0.to_owned(),
        record_hash: owner.1,
        // That of its own record: the two are copies only where they agree in it.
        event_time: caller.event_time,
        second: caller.event_time.div_euclid(time::SECOND),
        credential_id: caller.credential_id.clone(),
        proof_event_id: caller.event_id.clone(),
        rule: SHARED_EVENT,
        strength: Strength::Exact,
    });
    let by_principal = seen.records.iter().map(|(record, event_time, place)| Attribution {
        event_id: record.0.to_owned(),
        record_hash: record.1,
        event_time: *event_time,
        second: seen.stand_ins[*place].second,
        credential_id: seen.stand_ins[*place].id.clone(),
        proof_event_id: record.0.to_owned(),
        rule: PRINCIPAL_AT_TIME,
        strength: Strength::Inferred,
    });
    let both = grants.iter().flat_map(|whole| [Some(whole.grant), whole.twin]).flatten();
    // A record that put another one right is an event too.
    let later = facts.grants.values().map(AsRef::as_ref).filter(|grant| grant.corrects.is_some());
    let by_content =
        both.chain(later).filter(|grant| grant.names_caller_elsewhere()).map(|grant| Attribution {
            event_id: grant.event_id.clone(),
            record_hash: grant.record_hash,
            event_time: grant.event_time,
            second: grant.second(),
            credential_id: grant.obtained_by().credential_id.clone(),
            proof_event_id: grant.event_id.clone(),
            rule: "named_in_response",
            strength: Strength::Inferred,
        });
    let mut all: Vec<Attribution> = by_copy.chain(by_principal).chain(by_content).collect();
    all.sort();
    all.dedup();
    // Two answers for one record are none.
    let record =
        |attribution: &Attribution| (attribution.event_id.clone(), attribution.record_hash);
    let records = all.chunk_by(|a, b| record(a) == record(b));
    let unsure: BTreeSet<(String, u64)> =
        records.filter(|same| same.len() > 1).map(|same| record(&same[0])).collect();
    all.retain(|attribution| !unsure.contains(&record(attribution)));
    all
}
