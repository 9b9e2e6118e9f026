//! Callers whom another account's record shows by principal id alone, `AROA…:<session name>`, though
//! their own account's logs are there: the sessions of that principal that were live at the time.
//!
//! The lookup is near in time: by account and principal id, among sessions that began at most
//! [`LONGEST`] before.
//! Source: CloudTrail User Guide, "CloudTrail userIdentity element", AWSAccount.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::facts::{CredentialFacts, RecordId, SharedCall};
use crate::model::{ids, time};

/// The rule that joins such a call to a session.
pub const PRINCIPAL_AT_TIME: &str = "principal_at_time";

/// Longest life of a role session and of a user's federated one, where no record tells its expiry.
/// Sources: IAM User Guide, "Using IAM roles" and "Comparing STS API operations".
const LONGEST_ROLE: i64 = 12 * 3600 * time::SECOND;
const LONGEST_USER: i64 = 36 * 3600 * time::SECOND;

/// No session lasts longer, seconds.
pub const LONGEST: i64 = 36 * 3600;

/// Clocks differ.
const TOLERANCE: i64 = time::SECOND;
/// What a call that was begun in time may take.
const LATE: i64 = 60 * time::SECOND;

/// Somebody seen from outside: a credential of its own, which stands for one of others.
#[derive(Debug)]
pub(super) struct StandIn {
    /// Its id.
    pub id: String,
    /// What is known of all whom it may be.
    pub facts: CredentialFacts,
    /// Those, as indices.
    pub may_be: Vec<usize>,
    /// When its calls were made, to the minute: first second since 1970.
    pub second: i64,
}

/// Those seen from outside, and which events show them.
#[derive(Debug, Default)]
pub(super) struct SeenFromOutside<'f> {
    /// One for every set of credentials.
    pub stand_ins: Vec<StandIn>,
    /// Record, its time in microseconds since 1970, and place among the stand-ins.
    pub records: Vec<(RecordId<'f>, i64, usize)>,
}

/// Looks for the callers of `calls` whose other half is missing, as far as their own account `has_logs`:
/// where it has none, the one session that somebody else's logs show need not be the only one. `all` are
/// the credentials that `expiries` tells the end of.
pub(super) fn seen_from_outside<'f>(
    calls: impl Iterator<Item = &'f SharedCall>,
    outside: impl Fn(&str) -> Option<&'f CredentialFacts>,
    has_logs: impl Fn(&str) -> bool,
    all: &[&CredentialFacts],
    expiries: &[Option<i64>],
) -> SeenFromOutside<'f> {
    let mut seen = SeenFromOutside::default();
    let mut unpaired = calls.filter(|call| call.names_account_only).peekable();
    if unpaired.peek().is_none() {
        return seen;
    }
    let mut by_principal: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (i, facts) in all.iter().enumerate() {
        let holds = matches!(facts.identity_type.as_deref(), Some("AssumedRole" | "FederatedUser"));
        if let (Some(account), Some(principal), true) =
            (&facts.account_id, &facts.principal_id, holds && facts.session_id.is_some())
        {
            by_principal.entry((account, principal)).or_default().push(i);
        }
    }
    let mut places: BTreeMap<(Vec<usize>, i64), usize> = BTreeMap::new();
    for call in unpaired {
        let Some(caller) = outside(&call.credential_id) else { continue };
        let (Some(account), Some(principal)) = (&caller.account_id, &caller.principal_id) else {
            continue;
        };
        if !has_logs(account) {
            continue;
        }
        let same = by_principal.get(&(account.as_str(), principal.as_str())).into_iter().flatten();
        let live = |i: &&usize| {
            all[**i].partition == caller.partition
                && is_live(all[**i], expiries[**i], call.event_time)
        };
        let mut may_be: Vec<usize> = same.filter(live).copied().collect();
        may_be.sort_by_key(|i| (&all[*i].session_id, &all[*i].access_key_id));
        if may_be.is_empty() {
            continue;
        }
        let minute = call.event_time.div_euclid(60 * time::SECOND) * 60;
        let place = *places.entry((may_be, minute)).or_insert_with_key(|(may_be, minute)| {
            seen.stand_ins.push(stand_in(caller, all, may_be, *minute));
            seen.stand_ins.len() - 1
        });
        seen.records.push((call.record(), call.event_time, place));
    }
    seen
}

/// Whether a credential could be used at a time.
fn is_live(facts: &CredentialFacts, expires: Option<i64>, at: i64) -> bool {
    let longest = match facts.identity_type.as_deref() {
        Some("FederatedUser") => LONGEST_USER,
        _ => LONGEST_ROLE,
    };
    let (begin, end) = match facts.created {
        Some(created) => (created, expires.unwrap_or_else(|| created.saturating_add(longest))),
        // Before its first call nobody knows whether it had begun.
        None => {
            let first = facts.first_event_at.unwrap_or(i64::MAX);
            (first, first.saturating_add(longest))
        }
    };
    let end = facts.last_event_at.map_or(end, |last| last.max(end));
    let soon = at.saturating_sub(begin) <= LONGEST * time::SECOND;
    soon && begin.saturating_sub(TOLERANCE) <= at && at <= end.saturating_add(LATE)
}

/// Of one session, it is a credential of that session whose key nobody saw.
fn stand_in(
    caller: &CredentialFacts,
    all: &[&CredentialFacts],
    may_be: &[usize],
    second: i64,
) -> StandIn {
    let sessions = || may_be.iter().filter_map(|i| all[*i].session_id.as_deref());
    let only = sessions().next().filter(|first| sessions().all(|other| other == *first));
    let facts = match only.and(may_be.first()) {
        Some(one) => {
            let one = all[*one];
            CredentialFacts {
                session_id: one.session_id.clone(),
                partition: one.partition.clone(),
                identity_type: one.identity_type.clone(),
                principal_id: one.principal_id.clone(),
                principal_arn: one.principal_arn.clone(),
                account_id: one.account_id.clone(),
                issuer_type: one.issuer_type.clone(),
                issuer_arn: one.issuer_arn.clone(),
                issuer_principal_id: one.issuer_principal_id.clone(),
                issuer_account_id: one.issuer_account_id.clone(),
                issuer_user_name: one.issuer_user_name.clone(),
                created: one.created,
                ..CredentialFacts::default()
            }
        }
        None => CredentialFacts {
            partition: caller.partition.clone(),
            identity_type: caller.identity_type.clone(),
            principal_id: caller.principal_id.clone(),
            account_id: caller.account_id.clone(),
            ..CredentialFacts::default()
        },
    };
    let keys = may_be.iter().map(|i| all[*i].access_key_id.as_deref().unwrap_or(""));
    let minute = second.to_string();
    let parts: Vec<&str> = ["seen from outside", &minute]
        .into_iter()
        .chain(
            may_be
                .iter()
                .filter_map(|i| all[*i].session_id.as_deref())
                .zip(keys)
                .flat_map(|(session, key)| [session, key]),
        )
        .collect();
    StandIn { id: ids::external_credential_id(&parts), facts, may_be: may_be.to_vec(), second }
}
