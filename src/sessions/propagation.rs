//! Denials that ended by themselves: a new role, or a change of a policy, takes seconds to spread,
//! and clients try again until it has. Such a run says nothing about anybody's intentions.

use std::collections::BTreeMap;

use super::twins::WholeGrant;
use crate::grants::{Grant, Join, denial};
use crate::model::time;

/// Longest time between a denial and the success that explains it. Measured: 10 s at the most in
/// public samples.
const SPREADING: i64 = 60 * time::SECOND;

/// Who asked for what: caller, kind of call, account and name of the role.
type Attempt<'g> = (&'g str, &'g str, Option<&'g str>, &'g str);

/// For every grant: whether it is a denial that the same caller's success for the same role follows
/// within a minute, with none but equal denials between. `None` for what was not denied, and for
/// denials that do not show caller or role.
pub fn propagation(grants: &[WholeGrant]) -> Vec<Option<bool>> {
    let mut attempts: BTreeMap<Attempt, Vec<usize>> = BTreeMap::new();
    for (i, whole) in grants.iter().enumerate() {
        if let Some(attempt) = attempt(whole.grant) {
            attempts.entry(attempt).or_default().push(i);
        }
    }
    let mut said = vec![None; grants.len()];
    for mut tries in attempts.into_values() {
        // Of one second, denials count as earlier: a success in it may explain them.
        tries.sort_by_key(|i| {
            let grant = grants[*i].grant;
            (grant.event_time, !grant.denied, &grant.error_message, &grant.event_id)
        });
        let mut success: Option<&Grant> = None;
        let mut run: Option<&Grant> = None;
        for i in tries.into_iter().rev() {
            let grant = grants[i].grant;
            if !grant.denied {
                (success, run) = (Some(grant), None);
                continue;
            }
            let equal = run.is_none_or(|later| {
                later.error_code == grant.error_code && later.error_message == grant.error_message
            });
            if !equal {
                success = None;
            }
            run = Some(grant);
            let soon = success.is_some_and(|s| s.event_time - grant.event_time <= SPREADING);
            let passing = grant.denial_cause.as_deref().is_some_and(denial::may_pass);
            said[i] = Some(soon && passing);
        }
    }
    said
}

fn attempt(grant: &Grant) -> Option<Attempt<'_>> {
    let caller = &grant.caller;
    let name = caller.principal_id.as_deref().or(caller.invoked_by.as_deref());
    let role = (grant.child.account_id.as_deref(), grant.child.role_name.as_deref()?);
    (grant.join == Join::Issued).then_some((name?, grant.kind.as_str(), role.0, role.1))
}
