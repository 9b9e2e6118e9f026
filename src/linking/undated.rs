//! Callers that belong to no time: users and root with long-term keys, principals of other accounts,
//! services, outside identities. They are linked first, and all of them at every ingest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::{Array, StringArray, TimestampMicrosecondArray};
use hashbrown::{HashMap, HashSet};

use super::brought::{Held, issued_one_of};
use super::plan::{Stretch, UNDATED_PART, any_stored};
use super::questions;
use super::state::{Choice, Kept, UNDATED, Wanted, single};
use crate::error::Result;
use crate::grants::Join;
use crate::grants::columns::GRANTS;
use crate::model::time;
use crate::sessions::Facts;
use crate::sessions::link::{Scope, first_calls};
use crate::sessions::outside::{
    Outside, Question, Undated, add_answer, answers_by_number, number_of,
};
use crate::sessions::{Linked, link};
use crate::store::Transaction;
use crate::store::columns::LINKING_STATE;
use crate::table::typed;

/// What the store knew of them before, as far as it bears on anything else.
pub struct Before {
    /// Answers by number of the question.
    answers: BTreeMap<u64, u64>,
    /// First calls of role sessions without date, by session.
    first_calls: HashMap<String, i64>,
    keys: HashSet<String>,
}

/// Reads what the store has.
///
/// # Errors
/// The store's.
pub fn read(tx: &Transaction) -> Result<Facts> {
    let parts = tx.parts(&LINKING_STATE)?;
    let files = parts.get(UNDATED_PART).map_or(&[][..], Vec::as_slice);
    of_no_time(|kept, wanted| kept.read(tx, files, wanted))
}

/// Reads what an ingest brings.
///
/// # Errors
/// As [`Kept::read_spill`].
pub fn read_brought(held: &Held) -> Result<Facts> {
    let mut spills = held.spills.iter();
    of_no_time(|kept, wanted| spills.try_for_each(|spill| kept.read_spill(spill, wanted)))
}

fn of_no_time(read: impl FnOnce(&mut Kept, Wanted) -> Result<()>) -> Result<Facts> {
    let mut kept = Kept::default();
    let seconds = single(std::iter::once(UNDATED));
    read(&mut kept, Wanted { seconds: &seconds, facts: Choice::All, answers: Choice::None })?;
    Ok(kept.facts)
}

/// Calls `each` with the linked callers and what is to be told of them.
///
/// # Errors
/// Those of `each`; the encoder's: a defect of ours.
pub fn with_linked<R>(
    facts: &Facts,
    each: impl FnOnce(&Linked, Undated) -> Result<R>,
) -> Result<R> {
    let (nobody, nothing) = (Undated::default(), HashMap::new());
    let outside = Outside { names: &facts.names, undated: &nobody, earlier: &nothing };
    let linked = link(facts, Scope::Undated, outside);
    let undated = Undated::of(&linked)?;
    each(&linked, undated)
}

impl Before {
    /// What the store's facts say, and what was said of them.
    ///
    /// # Errors
    /// The store's.
    pub fn of(tx: &Transaction, facts: &Facts) -> Result<Before> {
        let first_calls = first_calls(facts);
        Ok(Before {
            answers: questions::undated_answers(tx)?,
            first_calls: first_calls.into_iter().map(|(id, at)| (id.to_owned(), at)).collect(),
            keys: keys(facts).into_iter().map(str::to_owned).collect(),
        })
    }

    /// Numbers of the questions whose answers are others now.
    pub fn changed(&self, now: &BTreeMap<u64, u64>) -> BTreeSet<u64> {
        let differ = |a: &BTreeMap<u64, u64>, b: &BTreeMap<u64, u64>| -> Vec<u64> {
            a.iter().filter(|(q, answer)| b.get(q) != Some(answer)).map(|(q, _)| *q).collect()
        };
        differ(now, &self.answers).into_iter().chain(differ(&self.answers, now)).collect()
    }

    /// Seconds whose role sessions without date have changed, those where they stood before among them.
    pub fn moved(&self, facts: &Facts, brought: &HashSet<String>) -> BTreeSet<i64> {
        let now = first_calls(facts);
        let both = |id: &String| [now.get(id.as_str()), self.first_calls.get(id)];
        brought.iter().flat_map(both).flatten().copied().collect()
    }
}

/// Sessions of roles without date, as ids.
pub fn sessions_without_date(facts: &Facts) -> HashSet<String> {
    let without = facts.credentials.values().filter(|facts| facts.lacks_date());
    without.filter_map(|facts| facts.session_id.clone()).collect()
}

/// Those of them whose keys calls with a date have used now.
pub fn sessions_whose_keys_are_used(facts: &Facts, held: &Held) -> HashSet<String> {
    let without = facts.credentials.values().filter(|facts| facts.lacks_date());
    let used = without.filter(|f| f.access_key_id.as_deref().is_some_and(|key| held.uses(key)));
    used.filter_map(|facts| facts.session_id.clone()).collect()
}

/// From when on new passwords count: questions, with the second of the earliest one. Which one was typed
/// before it was set, nobody asks.
pub fn passwords(brought: &Facts) -> BTreeMap<u64, i64> {
    let mut since = BTreeMap::new();
    for grant in brought.grants.values().filter(|grant| grant.join == Join::Password) {
        let account = grant.child.account_id.as_deref().unwrap_or("");
        let Some(user) = grant.child.user_name.as_deref() else { continue };
        let first = since.entry(Question::Passwords(account, user).number()).or_insert(i64::MAX);
        *first = grant.second().min(*first);
    }
    since
}

/// Everything that stretches of time may ask, but for passwords: numbers of questions and answers.
pub fn all_answers(facts: &Facts, undated: &Undated) -> BTreeMap<u64, u64> {
    let mut all = answers_by_number(&facts.names, undated);
    let mut keys: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
    for grant in facts.grants.values() {
        if let Some(key) = grant.issued_access_key_id.as_deref() {
            keys.entry(key).or_default().push((grant.event_time, &grant.event_id));
        }
    }
    for (id, credential) in &facts.credentials {
        let key = credential.access_key_id.as_deref().and_then(|key| keys.get_mut(key));
        if let Some(known) = key {
            known.push((credential.first_event_at.unwrap_or(i64::MIN), id));
        }
    }
    for (key, mut known) in keys {
        known.sort_unstable();
        add_answer(&mut all, Question::Key(key), number_of(&known));
    }
    all
}

/// Access keys of calls that do not show when their session began.
fn keys(facts: &Facts) -> HashSet<&str> {
    facts.credentials.values().filter_map(|facts| facts.access_key_id.as_deref()).collect()
}

/// Adds the grants that issued a key which calls without date show.
///
/// # Errors
/// The store's.
pub fn add_issues(
    tx: &Transaction,
    facts: &mut Facts,
    before: &Before,
    held: &Held,
    stretches: &[Stretch],
) -> Result<()> {
    let all: HashSet<String> = keys(facts).into_iter().map(str::to_owned).collect();
    let keys: HashSet<&str> = all.iter().map(String::as_str).collect();
    let new: HashSet<&str> = keys.iter().copied().filter(|k| !before.keys.contains(*k)).collect();
    let mut seconds = held.issues_of(keys.iter().copied());
    if !new.is_empty() && any_stored(stretches) {
        seconds.extend(stored_issues(tx, &new)?);
    }
    let holds_one = |stretch: &&Stretch| {
        seconds.range(stretch.seconds.from..stretch.seconds.to).next().is_some()
    };
    let stored = stretches.iter().filter(holds_one).flat_map(|stretch| &stretch.files);
    let files: Vec<PathBuf> = stored.cloned().collect();
    let seconds = single(seconds.iter().copied());
    let mut kept = Kept::default();
    let wanted = Wanted { seconds: &seconds, facts: Choice::Grants, answers: Choice::None };
    kept.read(tx, &files, wanted)?;
    held.spills.iter().try_for_each(|spill| kept.read_spill(spill, wanted))?;
    for (id, grant) in kept.facts.grants {
        if issued_one_of(&grant, &keys) {
            facts.add_grant(id, grant);
        }
    }
    Ok(())
}

/// When the store's grants issued one of these keys.
fn stored_issues(tx: &Transaction, keys: &HashSet<&str>) -> Result<BTreeSet<i64>> {
    let mut seconds = BTreeSet::new();
    tx.read_each(&GRANTS, &["issued_access_key_id", "event_time"], |batch| {
        let issued: &StringArray = typed(&batch, "issued_access_key_id")?;
        let times: &TimestampMicrosecondArray = typed(&batch, "event_time")?;
        for row in (0..batch.num_rows()).filter(|row| issued.is_valid(*row)) {
            if keys.contains(issued.value(row)) {
                seconds.insert(times.value(row).div_euclid(time::SECOND));
            }
        }
        Ok(())
    })?;
    Ok(seconds)
}
