//! The two copies of a cross-account call: one in the caller's account, with the full identity, one
//! in the resource owner's account, which names only the caller's principal id.
//!
//! Both carry the same `sharedEventID`. It pairs copies, it does not make them one event.
//! Source: CloudTrail User Guide, "CloudTrail record contents", sharedEventID.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::facts::{RecordId, SharedCall};
use super::held::Held;
use crate::grants::{Caller, Grant, cognito, roles_anywhere};

/// An issuing event with its other half.
#[derive(Debug, Clone, Copy)]
pub struct WholeGrant<'f> {
    /// The caller's copy where there is one, else the owner's.
    pub grant: &'f Grant,
    /// The other record of the same issue, where both are there: the owner's copy, or what STS shows of
    /// a service's grant.
    pub twin: Option<&'f Grant>,
    /// Place of `grant` among the grants that were put together.
    pub place: usize,
}

/// For each owner's copy, the caller's copy.
pub type CallerCopies<'f> = HashMap<RecordId<'f>, &'f SharedCall>;

/// Finds the caller's copy for every owner's copy that has exactly one.
pub fn caller_copies(shared_calls: &BTreeSet<SharedCall>) -> CallerCopies<'_> {
    let calls: Vec<&SharedCall> = shared_calls.iter().collect();
    let mut copies = CallerCopies::new();
    // The set is ordered by shared id first, so that copies stand together.
    for group in calls.chunk_by(|a, b| a.shared_event_id == b.shared_event_id) {
        let named = |call: &&&SharedCall| !call.shared_event_id.is_empty();
        for owner in group.iter().filter(|call| call.names_account_only).filter(named) {
            let mut callers = group.iter().filter(|call| is_caller_copy(call, owner));
            let Some(first) = callers.next() else { continue };
            // Redacted logs may show one shared id everywhere: rivals make the pair worthless.
            if callers.all(|other| other.credential_id == first.credential_id) {
                copies.insert(owner.record(), first);
            }
        }
    }
    copies
}

fn is_caller_copy(call: &SharedCall, owner: &SharedCall) -> bool {
    let principals_differ = match (&call.principal_id, &owner.principal_id) {
        (Some(a), Some(b)) => a != b,
        _ => false,
    };
    !call.names_account_only
        && call.event_time == owner.event_time
        && call.event_name == owner.event_name
        && !principals_differ
}

/// Joins the halves of cross-account grants; every grant comes out once, ordered by event id.
pub fn whole_grants<'f>(
    grants: &'f [Held<'_, Grant>],
    copies: &CallerCopies<'f>,
) -> Vec<WholeGrant<'f>> {
    let all = grants.iter().map(AsRef::as_ref).enumerate();
    let (owners, others): (Vec<_>, Vec<_>) = all.partition(|(_, grant)| grant.is_owner_half());
    let mut by_record: HashMap<RecordId, usize> = HashMap::new();
    let mut by_addendum: HashMap<&str, usize> = HashMap::new();
    for (i, (_, grant)) in others.iter().enumerate() {
        by_record.insert(grant.record(), i);
        grant.addendum_event_id.iter().for_each(|id| _ = by_addendum.insert(id, i));
    }
    let mut whole: Vec<WholeGrant> = others
        .iter()
        .map(|(place, grant)| WholeGrant { grant, twin: None, place: *place })
        .collect();
    let others: Vec<&Grant> = others.into_iter().map(|(_, grant)| grant).collect();
    let by_issue = index_by_issue(&others);
    for (place, owner) in owners {
        let shared = copies.get(&owner.record());
        let mate = shared
            .and_then(|copy| {
                let own = by_record.get(&copy.record()).copied();
                own.or_else(|| by_addendum.get(copy.event_id.as_str()).copied())
            })
            .filter(|i| same_issue(others[*i], owner))
            .or_else(|| issue_key(owner).and_then(|key| by_issue.get(&key).copied().flatten()))
            .filter(|i| agree(&others[*i].caller.principal_id, &owner.caller.principal_id));
        match mate {
            // A second owner's half of one call shows nothing new.
            Some(i) => whole[i].twin = whole[i].twin.or(Some(owner)),
            None => whole.push(WholeGrant { grant: owner, twin: None, place }),
        }
    }
    whole.sort_by(|a, b| {
        let key = |w: &WholeGrant<'f>| (&w.grant.event_id, w.grant.record_hash);
        key(a).cmp(&key(b))
    });
    join_with_what_sts_shows(&mut whole);
    whole
}

/// Services that hand out a role's credentials may show a second time, as callers of STS. One key was
/// issued, so the two are one grant: the service's own record names who asked.
fn join_with_what_sts_shows(whole: &mut Vec<WholeGrant>) {
    let mut pairs = issues_shown_twice(whole);
    let mut taken = vec![0_usize; whole.len()];
    pairs.iter().for_each(|(_, by_sts)| taken[*by_sts] += 1);
    pairs.retain(|(_, by_sts)| taken[*by_sts] == 1);
    let mut kept = vec![true; whole.len()];
    for (own, by_sts) in pairs {
        whole[own].twin = Some(whole[by_sts].grant);
        kept[by_sts] = false;
    }
    let mut kept = kept.into_iter();
    whole.retain(|_| kept.next().unwrap_or(true));
}

/// Pairs of a service's own record and the one that STS wrote. A key that stands in several of either
/// was rewritten, and nothing follows.
fn issues_shown_twice(whole: &[WholeGrant]) -> Vec<(usize, usize)> {
    let mut by_sts: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, WholeGrant { grant, twin, .. }) in whole.iter().enumerate() {
        let sts = matches!(grant.kind.as_str(), "AssumeRole" | "AssumeRoleWithWebIdentity");
        let caller = grant.caller.identity_type.as_deref();
        let outside = matches!(caller, Some("AWSService" | "WebIdentityUser"));
        if let (true, true, None, Some(key)) = (sts, outside, twin, &grant.issued_access_key_id) {
            by_sts.entry(key).or_default().push(i);
        }
    }
    let own = whole.iter().enumerate().filter(|(_, w)| {
        w.grant.kind == roles_anywhere::NAME || w.grant.kind == cognito::CREDENTIALS_NAME
    });
    own.filter_map(|(i, own)| {
        let with_key = by_sts.get(own.grant.issued_access_key_id.as_deref()?)?.iter();
        let mut fitting = with_key.filter(|j| is_one_issue(own.grant, whole[**j].grant));
        let first = *fitting.next()?;
        fitting.next().is_none().then_some((i, first))
    })
    .collect()
}

fn is_one_issue(own: &Grant, by_sts: &Grant) -> bool {
    (own.second() - by_sts.second()).abs() <= 1
        && asked_by(own, &by_sts.caller)
        && agree(&own.child.role_arn, &by_sts.child.role_arn)
        && agree(&own.child.account_id, &by_sts.child.account_id)
}

/// Whether a caller of STS is the service that handed out a role's credentials.
fn asked_by(own: &Grant, caller: &Caller) -> bool {
    let service = if own.kind == roles_anywhere::NAME { "rolesanywhere." } else { "cognito-" };
    let names = [&caller.invoked_by, &caller.identity_provider];
    names.into_iter().flatten().any(|name| name.starts_with(service))
}

/// Whether two values are the same as far as both are known.
fn agree(a: &Option<String>, b: &Option<String>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// What both halves of a call show alike: issued key, second and role.
type IssueKey<'f> = (&'f str, i64, &'f str);

fn issue_key(grant: &Grant) -> Option<IssueKey<'_>> {
    let key = grant.issued_access_key_id.as_deref()?;
    Some((key, grant.event_time, grant.child.role_arn.as_deref()?))
}

fn index_by_issue<'f>(grants: &[&'f Grant]) -> HashMap<IssueKey<'f>, Option<usize>> {
    let mut index = HashMap::new();
    for (i, grant) in grants.iter().enumerate() {
        // A call without partner in another account has no second half to be found.
        if grant.cross_account() != Some(true) {
            continue;
        }
        if let Some(key) = issue_key(grant) {
            // Two callers with one issued key: the logs were rewritten, and nothing follows.
            index.entry(key).and_modify(|slot| *slot = None).or_insert(Some(i));
        }
    }
    index
}

fn same_issue(caller: &Grant, owner: &Grant) -> bool {
    caller.kind == owner.kind
        && agree(&caller.issued_access_key_id, &owner.issued_access_key_id)
        && agree(&caller.child.role_arn, &owner.child.role_arn)
}
