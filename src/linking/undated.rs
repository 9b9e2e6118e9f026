//! Callers that belong to no time: users and root with long-term keys, principals of other accounts,
//! services, outside identities. They are linked first, and all of them at every ingest; those without
//! session in shares, for nothing joins them to anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use arrow::array::{Array, StringArray, TimestampMicrosecondArray};
use hashbrown::{HashMap, HashSet};

use super::TableParts;
use super::brought::{Held, issued_one_of};
use super::pieces::encode_tables;
use super::plan::{Stretch, UNDATED_PART, any_stored};
use super::questions;
use super::state::{Choice, Kept, Rows, Share, UNDATED, Wanted, single};
use super::without_date::{Encoded, WithoutDate};
use super::{Parts, both};
use crate::error::Result;
use crate::grants::Join;
use crate::grants::columns::GRANTS;
use crate::model::{ids, time};
use crate::sessions::corrections::joined_to;
use crate::sessions::link::{Scope, first_calls};
use crate::sessions::names::Names;
use crate::sessions::outside::{
    Outside, Question, Undated, add_answer, answers_by_number, number_of,
};
use crate::sessions::{Facts, Linked, link};
use crate::store::columns::{LINKING_QUESTIONS, LINKING_STATE};
use crate::store::{Place, Transaction};
use crate::table::typed;

/// Shares that are linked at the same time, and held in memory.
const MOST_AT_ONCE: usize = 2;

/// What linking says of what belongs to no time.
pub struct Told {
    /// Who is behind the callers.
    pub answers: Undated,
    /// What is known of them.
    pub facts: WithoutDate,
    /// Numbers of questions whose answers have changed, with the second from which on they have.
    pub changed: BTreeMap<u64, i64>,
    /// Seconds whose role sessions without date have changed, those where they stood before among them.
    pub moved: BTreeSet<i64>,
}

/// Links what belongs to no time and writes it. Of callers without session, of which there may be any
/// number, no more than about `most` are linked at once.
///
/// # Errors
/// The store's.
pub fn link_and_write(
    tx: &Transaction,
    (most, threads): (usize, usize),
    held: &Held,
    stretches: &[Stretch],
    parts: &mut Parts,
) -> Result<Told> {
    let mut names = read(tx, Choice::Names)?.names;
    names.merge(read_brought(held, Choice::Names)?.names);
    let callers = callers_without_session(tx, held)?;
    let mut shares = vec![Choice::All];
    if callers > most {
        let of = callers.div_ceil(most.max(1)) as u64;
        let others = (0..of).map(|number| Choice::WithoutSession(Share { number, of }));
        // The last is taken first, and has the most to do.
        shares = others.chain([Choice::WithSession]).collect();
    }
    parts.names.insert(UNDATED_PART.to_owned());
    let at_once = threads.min(shares.len()).clamp(1, MOST_AT_ONCE);
    let told = Told {
        answers: Undated::default(),
        facts: WithoutDate::new(&tx.scratch())?,
        changed: BTreeMap::new(),
        moved: BTreeSet::new(),
    };
    let done = Mutex::new(Done { told, keys: Keys::default(), parts });
    let run = Run { tx, threads: threads / at_once, held, stretches, names: &names, done };
    run.link_all(&Mutex::new(shares), at_once)?;
    run.finish(names.clone())
}

/// The linking of all shares.
struct Run<'r> {
    tx: &'r Transaction,
    threads: usize,
    held: &'r Held,
    stretches: &'r [Stretch],
    names: &'r Names,
    done: Mutex<Done<'r>>,
}

/// What shares have given.
struct Done<'r> {
    told: Told,
    keys: Keys,
    parts: &'r mut Parts,
}

impl Run<'_> {
    /// Links the shares, one or two at once.
    fn link_all(&self, shares: &Mutex<Vec<Choice>>, at_once: usize) -> Result<()> {
        let some = || -> Result<()> {
            loop {
                let next = shares.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let Some(share) = next else { return Ok(()) };
                self.link(share)?;
            }
        };
        if at_once < MOST_AT_ONCE {
            return some();
        }
        let (others, mine) = both(at_once, some, some);
        mine.and(others)
    }

    /// Links a share and writes it.
    fn link(&self, share: Choice) -> Result<()> {
        let (tx, stored) = (self.tx, any_stored(self.stretches));
        let mut facts = read(tx, share)?;
        let before = Before::of(&facts);
        let brought = read_brought(self.held, share)?;
        let mut moved = sessions_without_date(&brought);
        let changed = passwords(&brought);
        facts.merge(brought);
        self.add_issues(share, &mut facts, &before)?;
        moved.extend(sessions_whose_keys_are_used(&facts, self.held));
        moved.retain(|_| stored);
        let moved = before.moved(&facts, &moved);
        let encoded = Encoded::of(&facts)?;
        let mut rows = Rows::encoded(&facts, &encoded);
        if !matches!(share, Choice::WithoutSession(_)) {
            rows = rows.and(Rows::names(self.names));
        }
        if rows.is_empty() {
            return Ok(());
        }
        let write_state = || rows.write(tx, Place::Part(UNDATED_PART));
        let (state, linked) =
            both(self.threads, write_state, || self.link_and_write_tables(&facts));
        let (answers, tables) = linked?;
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.parts.add(&LINKING_STATE, state?);
        done.parts.add_tables(tx, None, tables)?;
        done.keys.add(&facts);
        done.told.changed.extend(changed);
        done.told.moved.extend(moved);
        done.told.answers.merge(answers);
        done.told.facts.add(&facts, &encoded)
    }

    /// Adds the grants that issued a key which calls without date show, with the records that put them right
    /// and those that they put right: nothing but all of them together is the grant. Keys that last are linked where their
    /// users are: without those they would look like keys that nobody used.
    ///
    /// # Errors
    /// The store's.
    fn add_issues(&self, share: Choice, facts: &mut Facts, before: &Before) -> Result<()> {
        let (tx, held) = (self.tx, self.held);
        let all: HashSet<String> = keys(facts).into_iter().map(str::to_owned).collect();
        let keys: HashSet<&str> = all.iter().map(String::as_str).collect();
        let new: HashSet<&str> =
            keys.iter().copied().filter(|k| !before.keys.contains(*k)).collect();
        let mut seconds = held.issues_of(keys.iter().copied());
        // The record that one of them puts right may have come later.
        let corrections = facts.grants.values().filter(|grant| grant.corrects.is_some());
        seconds.extend(corrections.map(|grant| grant.second()));
        if !new.is_empty() && any_stored(self.stretches) {
            seconds.extend(stored_issues(tx, &new)?);
        }
        let holds_one = |stretch: &&Stretch| {
            seconds.range(stretch.seconds.from..stretch.seconds.to).next().is_some()
        };
        let stored = self.stretches.iter().filter(holds_one).flat_map(|stretch| &stretch.files);
        let files: Vec<PathBuf> = stored.cloned().collect();
        let seconds = single(seconds.iter().copied());
        let mut kept = Kept::default();
        let wanted = Wanted { seconds: &seconds, facts: Choice::Grants, answers: Choice::None };
        kept.read(tx, &files, wanted)?;
        held.spills.iter().try_for_each(|spill| kept.read_spill(spill, wanted))?;
        let users_are_elsewhere = matches!(share, Choice::WithoutSession(_));
        let grants = kept.facts.grants;
        let known = facts.grants.keys().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        let issued = grants.values().filter(|grant| issued_one_of(grant, &keys));
        let wanted = issued.map(|grant| grant.event_id.as_str());
        let wanted = joined_to(
            wanted.chain(known.iter().map(String::as_str)),
            grants.values().filter_map(|grant| grant.correction()),
        );
        for (id, grant) in &grants {
            let is_elsewhere = users_are_elsewhere && grant.join == Join::LongTermKey;
            if wanted.contains(id.0.as_str()) && !is_elsewhere {
                facts.add_grant(id.clone(), grant.clone());
            }
        }
        Ok(())
    }

    fn link_and_write_tables(&self, facts: &Facts) -> Result<(Undated, TableParts)> {
        let linked = linked(facts, self.names);
        let mut answers = Undated::default();
        answers.add(&linked)?;
        let tables = encode_tables(self.tx, self.threads, &linked, UNDATED_PART)?;
        Ok((answers, tables))
    }

    /// Writes what everybody may ask, and says what of it has changed.
    fn finish(self, names: Names) -> Result<Told> {
        let done = self.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Done { mut told, keys, parts } = done;
        let mut answers = answers_by_number(&names, &told.answers);
        keys.add_answers(&mut answers);
        if any_stored(self.stretches) {
            let others = changed(&questions::undated_answers(self.tx)?, &answers);
            told.changed.extend(others.into_iter().map(|number| (number, i64::MIN)));
        }
        let numbers = answers.iter().map(|(question, answer)| (*question, Some(*answer)));
        let file = questions::write(self.tx, UNDATED_PART, numbers)?;
        parts.add(&LINKING_QUESTIONS, file);
        told.facts.names = names;
        Ok(told)
    }
}

/// How many callers without session there are, some of them perhaps counted twice.
fn callers_without_session(tx: &Transaction, held: &Held) -> Result<usize> {
    let parts = tx.parts(&LINKING_STATE)?;
    let files = parts.get(UNDATED_PART).map_or(&[][..], Vec::as_slice);
    let mut count = held.callers_without_session.len();
    tx.read_files(&LINKING_STATE, &["key"], files, None, |batch| {
        let keys: &StringArray = typed(&batch, "key")?;
        count += keys.iter().flatten().filter(|key| ids::is_external(key)).count();
        Ok(())
    })?;
    Ok(count)
}

/// Reads what the store has.
fn read(tx: &Transaction, share: Choice) -> Result<Facts> {
    let parts = tx.parts(&LINKING_STATE)?;
    let files = parts.get(UNDATED_PART).map_or(&[][..], Vec::as_slice);
    of_no_time(share, |kept, wanted| kept.read(tx, files, wanted))
}

/// Reads what an ingest brings.
fn read_brought(held: &Held, share: Choice) -> Result<Facts> {
    let mut spills = held.spills.iter();
    of_no_time(share, |kept, wanted| spills.try_for_each(|spill| kept.read_spill(spill, wanted)))
}

fn of_no_time(share: Choice, read: impl FnOnce(&mut Kept, Wanted) -> Result<()>) -> Result<Facts> {
    let mut kept = Kept::default();
    let seconds = single(std::iter::once(UNDATED));
    read(&mut kept, Wanted { seconds: &seconds, facts: share, answers: Choice::None })?;
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
    let linked = linked(facts, &facts.names);
    let mut undated = Undated::default();
    undated.add(&linked)?;
    each(&linked, undated)
}

/// Callers of no time, linked: what they rest on is nowhere else.
fn linked<'f>(facts: &'f Facts, names: &Names) -> Linked<'f> {
    let (nobody, nothing) = (Undated::default(), HashMap::new());
    link(facts, Scope::Undated, Outside { names, undated: &nobody, earlier: &nothing })
}

/// What the store knew of a share before, as far as it bears on anything else.
struct Before {
    /// First calls of role sessions without date, by session.
    first_calls: HashMap<String, i64>,
    keys: HashSet<String>,
}

impl Before {
    fn of(facts: &Facts) -> Before {
        let first_calls = first_calls(facts);
        Before {
            first_calls: first_calls.into_iter().map(|(id, at)| (id.to_owned(), at)).collect(),
            keys: keys(facts).into_iter().map(str::to_owned).collect(),
        }
    }

    /// Seconds in which sessions have begun: now, and as it was known before.
    fn moved(&self, facts: &Facts, sessions: &HashSet<String>) -> BTreeSet<i64> {
        let now = first_calls(facts);
        let both = |id: &String| [now.get(id.as_str()), self.first_calls.get(id)];
        sessions.iter().flat_map(both).flatten().copied().collect()
    }
}

/// Numbers of the questions whose answers are others now.
fn changed(before: &BTreeMap<u64, u64>, now: &BTreeMap<u64, u64>) -> BTreeSet<u64> {
    let differ = |a: &BTreeMap<u64, u64>, b: &BTreeMap<u64, u64>| -> Vec<u64> {
        a.iter().filter(|(q, answer)| b.get(q) != Some(answer)).map(|(q, _)| *q).collect()
    };
    differ(now, before).into_iter().chain(differ(before, now)).collect()
}

/// Access keys with what is known of each: times, and the grants and credentials that they are of.
#[derive(Default)]
struct Keys {
    issued: BTreeMap<String, Vec<(i64, String)>>,
    used: Vec<(String, (i64, String))>,
}

impl Keys {
    fn add(&mut self, facts: &Facts) {
        for grant in facts.grants.values() {
            if let Some(key) = grant.issued_access_key_id.as_deref() {
                let known = self.issued.entry(key.to_owned()).or_default();
                known.push((grant.event_time, grant.event_id.clone()));
                let original = grant.correction().map(|(_, original)| original);
                let original = original.filter(|id| facts.has_grant(id));
                known.extend(original.map(|id| (grant.event_time, id.to_owned())));
            }
        }
        for (id, credential) in &facts.credentials {
            if let Some(key) = &credential.access_key_id {
                let first = credential.first_event_at.unwrap_or(i64::MIN);
                self.used.push((key.clone(), (first, id.clone())));
            }
        }
    }

    /// Adds the answers about keys that were issued.
    fn add_answers(mut self, all: &mut BTreeMap<u64, u64>) {
        for (key, by) in self.used {
            if let Some(known) = self.issued.get_mut(&key) {
                known.push(by);
            }
        }
        for (key, mut known) in self.issued {
            known.sort_unstable();
            // A grant may have come with several shares.
            known.dedup();
            add_answer(all, Question::Key(&key), number_of(&known));
        }
    }
}

/// Sessions of roles without date, as ids.
fn sessions_without_date(facts: &Facts) -> HashSet<String> {
    let without = facts.credentials.values().filter(|facts| facts.lacks_date());
    without.filter_map(|facts| facts.session_id.clone()).collect()
}

/// Those of them whose keys calls with a date have used now.
fn sessions_whose_keys_are_used(facts: &Facts, held: &Held) -> HashSet<String> {
    let without = facts.credentials.values().filter(|facts| facts.lacks_date());
    let used = without.filter(|f| f.access_key_id.as_deref().is_some_and(|key| held.uses(key)));
    used.filter_map(|facts| facts.session_id.clone()).collect()
}

/// From when on new passwords count: questions, with the second of the earliest one. Which one was typed
/// before it was set, nobody asks.
fn passwords(brought: &Facts) -> BTreeMap<u64, i64> {
    let mut since = BTreeMap::new();
    for grant in brought.grants.values().filter(|grant| grant.join == Join::Password) {
        let account = grant.child.account_id.as_deref().unwrap_or("");
        let Some(user) = grant.child.user_name.as_deref() else { continue };
        let first = since.entry(Question::Passwords(account, user).number()).or_insert(i64::MAX);
        *first = grant.second().min(*first);
    }
    since
}

/// Access keys of calls that do not show when their session began.
fn keys(facts: &Facts) -> HashSet<&str> {
    facts.credentials.values().filter_map(|facts| facts.access_key_id.as_deref()).collect()
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
