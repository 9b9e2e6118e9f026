//! One issuing event starts one session. Where more sessions than events claim the same events, at
//! least one of them came from an event that the logs lack, and nobody knows which.
//!
//! That happens where a grant shows no principal (services leave it out) and a role was made again under
//! its old name, with EKS's requests for a pod's role, which show neither key nor name, and among sessions
//! one second apart.
//!
//! All lookups are near in time: events and the sessions that claim them lie a second apart at the most,
//! save for calls without creation date, which a key joins.

use hashbrown::{HashMap, HashSet};

use super::agreement::second_of;
use super::candidates::{
    ACCESS_KEY, CREATION_TIME, Candidate, Candidates, FORWARDED, POD_IDENTITY,
};
use super::facts::CredentialFacts;
use super::twins::WholeGrant;
use crate::grants::{Grant, Join, pod_identity};

/// Most claims looked at for one credential; where there are more, nobody could tell them apart either.
const MOST_CLAIMS: usize = 100_000;

/// A session that an event may have started: principal, and second of creation where it is known.
type Claimant<'f> = (&'f str, Option<i64>);

/// Claims on each grant, with the rung of their evidence.
type Claims<'f> = HashMap<usize, HashMap<Claimant<'f>, usize>>;

/// Refuses the candidates of every credential that competes for them with too many sessions of equal
/// or better evidence.
pub(super) fn refuse_contested<'f>(
    found: &mut [Candidates],
    all: impl Iterator<Item = &'f CredentialFacts>,
    grants: &'f [WholeGrant<'f>],
) {
    let all: Vec<&CredentialFacts> = all.collect();
    let ids = ids_by_arn(&all);
    let claimants: Vec<Option<Claimant>> = all.iter().map(|facts| claimant(facts, &ids)).collect();
    let mut claims: Claims = Claims::new();
    for (candidates, claimant) in found.iter().zip(&claimants) {
        let Some(claimant) = claimant else { continue };
        for candidate in claimed(candidates, grants) {
            let rungs = claims.entry(candidate.grant).or_default();
            let rung = rungs.entry(*claimant).or_insert(candidates.rung);
            *rung = candidates.rung.min(*rung);
        }
    }
    answered_requests(grants, &mut claims);
    let contested: Vec<bool> =
        found.iter().map(|candidates| is_contested(candidates, grants, &claims)).collect();
    for (candidates, contested) in found.iter_mut().zip(contested) {
        if contested {
            candidates.refuse_all();
            candidates.contested = true;
        }
    }
}

/// Principal ids by the ARN and the second of creation that other calls show with them. Calls without
/// that date may be of any time, and not all of them are here.
fn ids_by_arn<'f>(all: &[&'f CredentialFacts]) -> HashMap<Claimant<'f>, &'f str> {
    let mut ids: HashMap<Claimant, &str> = HashMap::new();
    for facts in all.iter().filter(|facts| facts.created.is_some()) {
        if let (Some(id), Some(arn)) = (&facts.principal_id, &facts.principal_arn) {
            let known = ids.entry((arn, second_of(facts))).or_insert(id);
            *known = id.as_str().min(known);
        }
    }
    ids
}

/// A call without principal id is of the session that shows the same ARN, and is no claim of its own.
fn claimant<'f>(
    facts: &'f CredentialFacts,
    ids: &HashMap<Claimant<'f>, &'f str>,
) -> Option<Claimant<'f>> {
    let second = second_of(facts);
    let by_arn = || {
        let arn = facts.principal_arn.as_deref()?;
        Some(ids.get(&(arn, second)).copied().unwrap_or(arn))
    };
    Some((facts.principal_id.as_deref().or_else(by_arn)?, second))
}

/// The candidates that claim to have issued this very session; a sign-in or a token may lead to several.
fn claimed<'c>(
    candidates: &'c Candidates,
    grants: &'c [WholeGrant],
) -> impl Iterator<Item = &'c Candidate> {
    let rules = [ACCESS_KEY, CREATION_TIME, FORWARDED, POD_IDENTITY];
    candidates.found.iter().filter(move |candidate| {
        let join = grants[candidate.grant].grant.join;
        rules.contains(&candidate.rule) && matches!(join, Join::Issued | Join::PodIdentity)
    })
}

fn is_contested(candidates: &Candidates, grants: &[WholeGrant], claims: &Claims) -> bool {
    let events = claimed(candidates, grants).count();
    if events == 0 || events < candidates.found.len() {
        return false; // Something else leads here as well.
    }
    let mut dated: HashSet<Claimant> = HashSet::new();
    let mut undated: HashSet<&str> = HashSet::new();
    let all = claimed(candidates, grants).filter_map(|candidate| claims.get(&candidate.grant));
    let mut seen = 0;
    for ((principal, second), rung) in all.flatten() {
        seen += 1;
        if *rung > candidates.rung {
            continue;
        }
        match second {
            Some(_) => _ = dated.insert((principal, *second)),
            None => _ = undated.insert(principal),
        }
        if dated.len() > events || seen > MOST_CLAIMS {
            return true;
        }
    }
    // Calls that show no creation date belong to a session of theirs that does.
    let principals: HashSet<&str> = dated.iter().map(|(principal, _)| *principal).collect();
    dated.len() + undated.difference(&principals).count() > events
}

/// The requests for a pod's role that an issue by EKS answers are spent.
fn answered_requests<'f>(grants: &'f [WholeGrant<'f>], claims: &mut Claims<'f>) {
    let mut requests: HashMap<(&str, i64), Vec<usize>> = HashMap::new();
    for (i, WholeGrant { grant, .. }) in grants.iter().enumerate() {
        if let (Join::PodIdentity, false, Some(account)) =
            (grant.join, grant.denied, grant.child.account_id.as_deref())
        {
            requests.entry((account, grant.second())).or_default().push(i);
        }
    }
    if requests.is_empty() {
        return;
    }
    for WholeGrant { grant: issue, .. } in grants.iter().filter(|w| is_by_eks(w.grant)) {
        let account = issue.child.account_id.as_deref().unwrap_or("");
        let Some(name) = issue.child.session_name.as_deref() else { continue };
        let claimant = issue.child.principal_id.as_deref().unwrap_or(name);
        for second in issue.second() - 1..=issue.second() + 1 {
            for i in requests.get(&(account, second)).into_iter().flatten() {
                let start = grants[*i].grant.child.session_name.as_deref();
                if start.is_some_and(|start| name.starts_with(start)) {
                    let claimant = (claimant, Some(issue.second()));
                    claims.entry(*i).or_default().insert(claimant, 0);
                }
            }
        }
    }
}

fn is_by_eks(grant: &Grant) -> bool {
    let service = grant.caller.invoked_by.as_deref().unwrap_or("");
    grant.join == Join::Issued && !grant.denied && service.starts_with(pod_identity::SERVICE)
}
