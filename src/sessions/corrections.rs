//! Puts calls together with the later records that put them right, before anything is linked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::facts::Facts;
use crate::grants::Grant;

/// All grants, every call once: a record that puts another one right is merged into that one. It
/// stands for itself where the other is missing. Nothing tells which of two such records is the
/// later one, so where they differ none of them counts.
pub fn corrected(facts: &Facts) -> Vec<Cow<'_, Grant>> {
    let mut later: BTreeMap<&str, Vec<&Grant>> = BTreeMap::new();
    for grant in facts.grants.values() {
        if let Some(correction) = &grant.corrects {
            later.entry(&correction.original_event_id).or_default().push(grant);
        }
    }
    if later.is_empty() {
        return facts.grants.values().map(|grant| Cow::Borrowed(grant.as_ref())).collect();
    }
    let originals: HashSet<&str> = facts
        .grants
        .values()
        .filter(|grant| grant.corrects.is_none())
        .map(|grant| grant.event_id.as_str())
        .collect();
    let stands_alone = |grant: &Grant| {
        let original = grant.corrects.as_ref().map(|c| c.original_event_id.as_str());
        original.is_none_or(|original| !originals.contains(original))
    };
    let standing = facts.grants.values().map(AsRef::as_ref).filter(|grant| stands_alone(grant));
    standing
        .map(|grant| match later.get(grant.event_id.as_str()).map(Vec::as_slice) {
            Some([first, others @ ..])
                if grant.corrects.is_none()
                    && first.kind == grant.kind
                    && others.iter().all(|other| other.corrects_alike(first)) =>
            {
                let correction = first.corrects.as_ref();
                correction
                    .map_or(Cow::Borrowed(grant), |c| Cow::Owned(grant.corrected_by(first, c)))
            }
            _ => Cow::Borrowed(grant),
        })
        .collect()
}
