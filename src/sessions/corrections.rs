//! Puts calls together with the later records that put them right, before anything is linked.

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::facts::Facts;
use super::held::Held;
use crate::grants::Grant;

/// All grants, every call once: a record that puts another one right is merged into that one. It
/// stands for itself where the other is missing. Nothing tells which of two such records is the
/// later one, so where they differ none of them counts.
pub fn corrected(facts: &Facts) -> Vec<Held<'_, Grant>> {
    let mut later: BTreeMap<&str, Vec<&Grant>> = BTreeMap::new();
    for grant in facts.grants.values() {
        if let Some(correction) = &grant.corrects {
            later.entry(&correction.original_event_id).or_default().push(grant);
        }
    }
    if later.is_empty() {
        return facts.grants.values().map(|grant| Held::Borrowed(grant.as_ref())).collect();
    }
    let originals: HashSet<(&str, Call)> = facts
        .grants
        .values()
        .filter(|grant| grant.corrects.is_none())
        .map(|grant| (grant.event_id.as_str(), call(grant)))
        .collect();
    let stands_alone = |grant: &Grant| {
        let original = grant.corrects.as_ref().map(|c| c.original_event_id.as_str());
        original.is_none_or(|original| !originals.contains(&(original, call(grant))))
    };
    let standing = facts.grants.values().map(AsRef::as_ref).filter(|grant| stands_alone(grant));
    standing
        .map(|grant| {
            let later = later.get(grant.event_id.as_str()).map_or(&[][..], Vec::as_slice);
            let mut later = later.iter().filter(|later| call(later) == call(grant));
            let first = later.next().filter(|_| grant.corrects.is_none());
            let agreed = first.filter(|first| later.all(|other| other.corrects_alike(first)));
            match agreed.and_then(|later| Some((later, later.corrects.as_ref()?))) {
                Some((later, correction)) => Held::own(grant.corrected_by(later, correction)),
                None => Held::Borrowed(grant),
            }
        })
        .collect()
}

/// What a correction cannot change: account of the log, name and time. A record of another call that
/// claims to put this one right is no correction; whoever writes another account's log could make one.
type Call<'g> = (Option<&'g str>, &'g str, i64);

fn call(grant: &Grant) -> Call<'_> {
    (grant.recipient_account_id.as_deref(), &grant.kind, grant.event_time)
}
