//! Puts calls together with the later records that put them right, before anything is linked.

use hashbrown::{HashMap, HashSet};

use super::facts::Facts;
use super::held::Held;
use crate::grants::Grant;

/// All grants, every call once: a record that puts another one right is merged into that one, and so is
/// a record that puts the correction right. It stands for itself where the other is missing. Nothing
/// tells which of two records that put the same one right is the later one, so where they differ none of
/// them counts.
///
/// Lookups are by event id over the whole store: AWS says nothing of when a correction comes.
pub fn corrected(facts: &Facts) -> Vec<Held<'_, Grant>> {
    let later = Later::of(facts);
    if later.0.is_empty() {
        return facts.grants.values().map(|grant| Held::Borrowed(grant.as_ref())).collect();
    }
    let known: HashSet<(&str, Call)> =
        facts.grants.values().map(|grant| (grant.event_id.as_str(), call(grant))).collect();
    let stands_alone = |grant: &Grant| {
        let original = grant.corrects.as_ref().map(|c| c.original_event_id.as_str());
        original.is_none_or(|original| !known.contains(&(original, call(grant))))
    };
    let mut covered: HashSet<Record> = HashSet::new();
    let mut all: Vec<Held<Grant>> = Vec::new();
    for grant in facts.grants.values().filter(|grant| stands_alone(grant)) {
        all.push(later.put_right(grant, &mut covered));
    }
    // What puts each other right in a circle stands for itself, like what puts nothing right.
    let circles = facts
        .grants
        .values()
        .filter(|grant| !stands_alone(grant) && !covered.contains(&record(grant)));
    all.extend(circles.map(|grant| Held::Borrowed(grant.as_ref())));
    all.sort_by(|a, b| (&a.event_id, a.record_hash).cmp(&(&b.event_id, b.record_hash)));
    all
}

/// The event ids among which corrections join records to one of these; themselves as well. A correction is
/// given as its own id and that of the record that it puts right.
pub fn joined_to<'g>(
    ids: impl Iterator<Item = &'g str>,
    corrections: impl Iterator<Item = (&'g str, &'g str)>,
) -> HashSet<&'g str> {
    let mut next: HashMap<&str, Vec<&str>> = HashMap::new();
    for (later, original) in corrections {
        next.entry(later).or_default().push(original);
        next.entry(original).or_default().push(later);
    }
    let mut joined = HashSet::new();
    let mut waiting: Vec<&str> = ids.collect();
    while let Some(id) = waiting.pop() {
        if joined.insert(id) {
            waiting.extend(next.get(id).into_iter().flatten());
        }
    }
    joined
}

/// What tells two contents under one event id apart.
type Record<'f> = (&'f str, u64);

fn record(grant: &Grant) -> Record<'_> {
    (&grant.event_id, grant.record_hash)
}

/// By event id: the records that put it right.
struct Later<'f>(HashMap<&'f str, Vec<&'f Grant>>);

impl<'f> Later<'f> {
    fn of(facts: &'f Facts) -> Later<'f> {
        let mut later: HashMap<&str, Vec<&Grant>> = HashMap::new();
        for grant in facts.grants.values() {
            if let Some(correction) = &grant.corrects {
                later.entry(&correction.original_event_id).or_default().push(grant);
            }
        }
        Later(later)
    }

    /// The grant with what later records say of it, one after the other; all that lead back to it are
    /// covered by it, also those that do not count.
    fn put_right(&self, grant: &'f Grant, covered: &mut HashSet<Record<'f>>) -> Held<'f, Grant> {
        let mut whole = Held::Borrowed(grant);
        let mut counts = true;
        let mut met: HashSet<&str> = HashSet::from([grant.event_id.as_str()]);
        let mut round: Vec<&Grant> = vec![grant];
        loop {
            let next = round.iter().filter_map(|known| self.0.get(known.event_id.as_str()));
            let mut next: Vec<&'f Grant> = next.flatten().copied().collect();
            next.retain(|later| call(later) == call(grant) && !met.contains(&*later.event_id));
            let Some((first, others)) = next.split_first() else { return whole };
            counts &= others.iter().all(|other| other.corrects_alike(first));
            if let Some(correction) = first.corrects.as_ref().filter(|_| counts) {
                whole = Held::own(whole.corrected_by(first, correction));
            }
            met.extend(next.iter().map(|later| later.event_id.as_str()));
            covered.extend(next.iter().map(|later| record(later)));
            round = next;
        }
    }
}

/// What a correction cannot change: account of the log, name and time. A record of another call that
/// claims to put this one right is no correction; whoever writes another account's log could make one.
type Call<'g> = (Option<&'g str>, &'g str, i64);

fn call(grant: &Grant) -> Call<'_> {
    (grant.recipient_account_id.as_deref(), &grant.kind, grant.event_time)
}
