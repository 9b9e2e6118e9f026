//! Callers that belong to no time, which are linked first: users and root with long-term keys, all of them at
//! every ingest; and those without session, see [`callers`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::{Array, StringArray, TimestampMicrosecondArray};
use hashbrown::{HashMap, HashSet};

use super::TableParts;
use super::brought::{Held, issued_one_of};
use super::callers::{self, Callers, Given};
use super::pieces::encode_tables;
use super::plan::{Stretch, UNDATED_PART, any_stored};
use super::questions::{self, Asked};
use super::state::{Choice, Kept, Rows, Wanted, no_time, single};
use super::without_date::{Encoded, WithoutDate};
use super::{Parts, both};
use crate::error::Result;
use crate::grants::Join;
use crate::grants::columns::GRANTS;
use crate::model::time;
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

/// What linking says of callers with a session that belong to no time.
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

/// Links what belongs to no time and writes it: callers with a session as one, callers without in shares.
/// About `most` facts of these are linked at once.
///
/// # Errors
/// The store's.
pub fn link_and_write<'t>(
    tx: &'t Transaction,
    (most, threads): (usize, usize),
    held: &Held,
    (stretches, asked): (&[Stretch], &Asked<'t>),
    parts: &mut Parts,
) -> Result<(Told, Callers<'t>)> {
    let mut names = read(tx, Choice::Names)?.names;
    names.merge(read_brought(held, Choice::Names)?.names);
    let before = match any_stored(stretches) {
        true => Some(asked.answers(UNDATED_PART)?),
        false => None,
    };
    let of_names = answers_by_number(&names, &Undated::default());
    let renamed = before.as_ref().map(|before| {
        let other = |(question, answer): &(&u64, &u64)| before.get(*question) != Some(*answer);
        of_names.iter().filter(other).map(|(question, _)| *question).collect()
    });
    let renamed = &renamed.unwrap_or_default();
    let given = Given { tx, held, asked, names: &names, renamed, most };
    let run = Run { tx, threads, held, stretches, names: &names };
    let (others, own) =
        both(threads, || callers::link_and_write(given), || run.link_and_write(before, parts));
    let (callers::Linked { callers, changed, parts: others }, mut told) = (others?, own?);
    parts.merge(tx, others)?;
    if any_stored(stretches) {
        told.changed.extend(changed.into_iter().map(|number| (number, i64::MIN)));
    }
    told.facts.names = names;
    Ok((told, callers))
}

/// The linking of callers with a session.
struct Run<'r> {
    tx: &'r Transaction,
    threads: usize,
    held: &'r Held,
    stretches: &'r [Stretch],
    names: &'r Names,
}

impl Run<'_> {
    /// Links them and writes them; `before` are the answers that the store has.
    fn link_and_write(
        &self,
        before: Option<BTreeMap<u64, u64>>,
        parts: &mut Parts,
    ) -> Result<Told> {
        let tx = self.tx;
        parts.names.insert(UNDATED_PART.to_owned());
        let mut facts = read(tx, Choice::WithSession)?;
        let known = Before::of(&facts);
        let brought = read_brought(self.held, Choice::WithSession)?;
        let mut moved = sessions_without_date(&brought);
        let mut changed = passwords(&brought);
        facts.merge(brought);
        self.add_issues(&mut facts, &known)?;
        moved.extend(sessions_whose_keys_are_used(&facts, self.held));
        if before.is_none() {
            moved.clear();
        }
        let moved = known.moved(&facts, &moved);
        let encoded = Encoded::of(&facts)?;
        let rows = Rows::encoded(&facts, &encoded).and(Rows::names(self.names));
        let write_state = || rows.write(tx, Place::Part(UNDATED_PART));
        let (state, linked) =
            both(self.threads, write_state, || self.link_and_write_tables(&facts));
        let (answers, tables) = linked?;
        parts.add(&LINKING_STATE, state?);
        parts.add_tables(tx, None, tables)?;
        let now = self.write_answers(&facts, &answers, parts)?;
        let others = before.map(|before| differing(&before, &now)).unwrap_or_default();
        changed.extend(others.into_iter().map(|number| (number, i64::MIN)));
        let mut without_date = WithoutDate::new(&tx.scratch())?;
        without_date.add(&facts, &encoded)?;
        Ok(Told { answers, facts: without_date, changed, moved })
    }

    /// Writes what everybody may ask.
    fn write_answers(
        &self,
        facts: &Facts,
        answers: &Undated,
        parts: &mut Parts,
    ) -> Result<BTreeMap<u64, u64>> {
        let mut all = answers_by_number(self.names, answers);
        Keys::of(facts).add_answers(&mut all);
        let numbers = all.iter().map(|(question, answer)| (*question, Some(*answer)));
        let file = questions::write(self.tx, UNDATED_PART, numbers)?;
        parts.add(&LINKING_QUESTIONS, file);
        Ok(all)
    }

    /// Adds the grants that issued a key which calls without date show, with the records that put them right
    /// and those that they put right: nothing but all of them together is the grant.
    fn add_issues(&self, facts: &mut Facts, before: &Before) -> Result<()> {
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
        let grants = kept.facts.grants;
        let known = facts.grants.keys().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        let issued = grants.values().filter(|grant| issued_one_of(grant, &keys));
        let wanted = issued.map(|grant| grant.event_id.as_str());
        let wanted = joined_to(
            wanted.chain(known.iter().map(String::as_str)),
            grants.values().filter_map(|grant| grant.correction()),
        );
        for (id, grant) in grants.iter().filter(|(id, _)| wanted.contains(id.0.as_str())) {
            facts.add_grant(id.clone(), grant.clone());
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
    let seconds = no_time();
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
pub fn linked<'f>(facts: &'f Facts, names: &Names) -> Linked<'f> {
    let (nobody, nothing) = (Undated::default(), HashMap::new());
    link(facts, Scope::Undated, Outside { names, undated: &nobody, earlier: &nothing })
}

/// What the store knew before, as far as it bears on anything else.
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
fn differing(before: &BTreeMap<u64, u64>, now: &BTreeMap<u64, u64>) -> BTreeSet<u64> {
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
    fn of(facts: &Facts) -> Keys {
        let mut keys = Keys::default();
        for grant in facts.grants.values() {
            if let Some(key) = grant.issued_access_key_id.as_deref() {
                let known = keys.issued.entry(key.to_owned()).or_default();
                known.push((grant.event_time, grant.event_id.clone()));
                let original = grant.correction().map(|(_, original)| original);
                let original = original.filter(|id| facts.has_grant(id));
                known.extend(original.map(|id| (grant.event_time, id.to_owned())));
            }
        }
        for (id, credential) in &facts.credentials {
            if let Some(key) = &credential.access_key_id {
                let first = credential.first_event_at.unwrap_or(i64::MIN);
                keys.used.push((key.clone(), (first, id.clone())));
            }
        }
        keys
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
