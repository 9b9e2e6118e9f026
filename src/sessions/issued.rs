//! What grants issued: the sessions that they started, whether anybody used them, until when they last.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::candidates::{ACCESS_KEY, Candidates, LOGIN_PROFILE};
use super::facts::{CredentialFacts, Facts};
use super::held::Held;
use super::link::{LinkedCredential, LinkedGrant};
use super::propagation::propagation;
use super::scope::Scope;
use super::twins::WholeGrant;
use crate::grants::{Grant, Join};
use crate::model::{ids, time};

/// Credentials that were issued under a key that no call shows: they get a row, so that a session
/// nobody used can be seen and asked for.
pub(super) fn unused_credentials(
    grants: &[WholeGrant],
    found: &[Candidates],
    facts: &Facts,
    scope: Scope,
) -> BTreeMap<String, CredentialFacts> {
    let used: HashSet<usize> = found
        .iter()
        .flat_map(|candidates| &candidates.found)
        .filter(|candidate| candidate.rule == ACCESS_KEY)
        .map(|candidate| candidate.grant)
        .collect();
    let in_scope = |grant: &Grant| (grant.join == Join::LongTermKey) == (scope == Scope::Undated);
    let unused =
        grants.iter().enumerate().filter(|(i, whole)| !used.contains(i) && in_scope(whole.grant));
    unused
        .filter_map(|(_, whole)| issued_credential(whole.grant))
        .filter(|(id, _)| !facts.credentials.contains_key(id.as_str()))
        .collect()
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

/// All grants, with what became of them.
pub(super) fn linked_grants<'f>(
    calls: &[Held<'f, Grant>],
    grants: &[WholeGrant],
    credentials: &[LinkedCredential],
    sessions: &BTreeMap<String, Vec<usize>>,
    scope: Scope,
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
                home: scope.holds(whole.grant.second()),
            }
        })
        .collect()
}

/// How long issued credentials last: as recorded, else as asked for. Microseconds since 1970.
pub fn expiry(grant: &Grant) -> Option<i64> {
    let asked = || {
        let seconds = grant.duration_seconds?;
        grant.event_time.checked_add(seconds.checked_mul(time::SECOND)?)
    };
    grant.expires_at.or_else(asked).filter(|_| !grant.denied)
}
