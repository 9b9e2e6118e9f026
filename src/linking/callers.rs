//! Callers without session: services, principals of other accounts, outside identities. Who is behind one is
//! what its records say of it, with the names that any record may need, and nothing joins it to anybody. So
//! they are kept in shares, by their ids, and an ingest links only the shares that it brings something for,
//! and those that asked for a name which is another one now. What the store has of the others is read where
//! a stretch of time asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hashbrown::{HashMap, HashSet};

use super::Parts;
use super::brought::Held;
use super::pieces::encode_tables;
use super::plan::{share_name, share_of};
use super::questions::{self, Asked};
use super::state::{Choice, Kept, Rows, Share, Wanted, count_stored, no_time};
use super::undated::linked;
use super::values::{Place as ValuePlace, Values};
use super::without_date::{Credentials, Encoded};
use crate::error::Result;
use crate::model::ids;
use crate::sessions::Facts;
use crate::sessions::corrections::corrected;
use crate::sessions::names::Names;
use crate::sessions::outside::{Answer, Undated};
use crate::sessions::packed::unpack;
use crate::store::columns::{LINKING_QUESTIONS, LINKING_STATE};
use crate::store::{Place, Transaction};

/// Callers of a share, about; one with twice as many is cut.
const SHARE: usize = 1024;

/// Shares whose facts are held in memory at once.
const AT_ONCE: u64 = 8;

/// What an ingest knows of callers without session, and finds in the store.
pub struct Callers<'t> {
    tx: &'t Transaction,
    /// How many shares there are.
    of: u64,
    /// Files of the shares that were not linked now, by number.
    stored: BTreeMap<u64, Vec<PathBuf>>,
    /// Who is behind those that were.
    answers: Undated,
    /// Their own calls.
    facts: HashMap<Box<str>, ValuePlace>,
    values: Values,
}

/// What is new of them.
pub struct Linked<'t> {
    /// All of them.
    pub callers: Callers<'t>,
    /// Numbers of questions whose answers have changed.
    pub changed: BTreeSet<u64>,
    /// The parts of the tables that they are.
    pub parts: Parts,
}

/// What the linking of callers rests on.
#[derive(Clone, Copy)]
pub struct Given<'g, 't> {
    /// The store.
    pub tx: &'t Transaction,
    /// What this ingest brings.
    pub held: &'g Held,
    /// What the store's parts asked, and what was answered.
    pub asked: &'g Asked<'t>,
    /// Names that any record may need.
    pub names: &'g Names,
    /// Numbers of the questions after names whose answers have changed.
    pub renamed: &'g HashSet<u64>,
    /// About how many facts may be linked at once.
    pub most: usize,
}

/// Links the shares in which something may have changed, and writes them.
///
/// # Errors
/// The store's.
pub fn link_and_write<'t>(given: Given<'_, 't>) -> Result<Linked<'t>> {
    let Given { tx, .. } = given;
    let cut = Cut::of_store(tx)?;
    let (of, touched) = given.shares(&cut)?;
    let mut stored = cut.files.clone();
    let mut parts = Parts::default();
    parts.names.extend(touched.iter().map(|number| share_name(*number, of)));
    if of == cut.of {
        stored.retain(|number, _| !touched.contains(number));
    } else {
        parts.names.extend(cut.files.keys().map(|number| share_name(*number, cut.of)));
        stored.clear();
    }
    let values = Values::new(&tx.scratch())?;
    let (answers, facts) = (Undated::default(), HashMap::new());
    let callers = Callers { tx, of, stored, answers, facts, values };
    let mut all = Linked { callers, changed: BTreeSet::new(), parts };
    let groups = (of / AT_ONCE).max(1);
    for group in 0..groups {
        let of_group = |number: &&u64| *number % groups == group;
        let numbers: Vec<u64> = touched.iter().filter(of_group).copied().collect();
        if numbers.is_empty() {
            continue;
        }
        let mut brought = given.brought(Share { number: group, of: groups }, of)?;
        for number in numbers {
            let new = brought.remove(&number).unwrap_or_default();
            let old = given.asked.answers(&share_name(number % cut.of, cut.of))?;
            all.link(given, Share { number, of }, (&cut, &old), new)?;
        }
    }
    Ok(all)
}

/// How the store has cut them.
struct Cut {
    of: u64,
    files: BTreeMap<u64, Vec<PathBuf>>,
}

impl Cut {
    fn of_store(tx: &Transaction) -> Result<Cut> {
        let mut cut = Cut { of: 1, files: BTreeMap::new() };
        for (part, files) in tx.parts(&LINKING_STATE)? {
            if let Some(Share { number, of }) = share_of(&part) {
                cut.of = of.max(cut.of);
                cut.files.insert(number, files);
            }
        }
        Ok(cut)
    }

    /// The files in which a share is, that was perhaps cut off a larger one.
    fn files_of(&self, number: u64) -> &[PathBuf] {
        self.files.get(&(number % self.of)).map_or(&[], Vec::as_slice)
    }
}

impl Given<'_, '_> {
    /// How many shares there are to be, and which of them are to be linked.
    fn shares(&self, cut: &Cut) -> Result<(u64, BTreeSet<u64>)> {
        let size = self.most.clamp(1, SHARE);
        let mut new: BTreeMap<u64, usize> = BTreeMap::new();
        for hash in &self.held.callers_without_session {
            *new.entry(hash % cut.of).or_default() += 1;
        }
        let mut most = 0;
        for (number, new) in &new {
            let mut callers = *new;
            count_stored(self.tx, cut.files_of(*number), |_| callers += 1)?;
            most = callers.max(most);
        }
        if cut.files.is_empty() || most > 2 * size {
            let times = most.div_ceil(size).next_power_of_two() as u64;
            let of = cut.of.saturating_mul(times.max(1));
            return Ok((of, (0..of).collect()));
        }
        let mut touched: BTreeSet<u64> = new.into_keys().collect();
        if !self.renamed.is_empty() {
            for number in cut.files.keys() {
                let part = share_name(*number, cut.of);
                if self.asked.one_of(&part, self.renamed)? {
                    touched.insert(*number);
                }
            }
        }
        Ok((cut.of, touched))
    }

    /// What the ingest brings of some shares at once, by share.
    fn brought(&self, group: Share, of: u64) -> Result<BTreeMap<u64, Facts>> {
        let mut kept = Kept::default();
        let seconds = no_time();
        let facts = Choice::WithoutSession(group);
        let wanted = Wanted { seconds: &seconds, facts, answers: Choice::None };
        self.held.spills.iter().try_for_each(|spill| kept.read_spill(spill, wanted))?;
        let mut shares: BTreeMap<u64, Facts> = BTreeMap::new();
        for (id, facts) in kept.facts.credentials {
            shares.entry(Share::number_of(&id, of)).or_default().add_credential(id, facts);
        }
        for (id, facts) in kept.facts.mentioned {
            shares.entry(Share::number_of(&id, of)).or_default().mention(id, facts);
        }
        Ok(shares)
    }
}

/// What the store has of some callers.
fn read(tx: &Transaction, files: &[PathBuf], facts: Choice) -> Result<Facts> {
    let mut kept = Kept::default();
    let seconds = no_time();
    kept.read(tx, files, Wanted { seconds: &seconds, facts, answers: Choice::None })?;
    Ok(kept.facts)
}

fn answers(facts: &Facts, names: &Names) -> Result<Undated> {
    let mut answers = Undated::default();
    answers.add(&linked(facts, names))?;
    Ok(answers)
}

impl Linked<'_> {
    /// Links a share and writes it.
    fn link(
        &mut self,
        given: Given,
        share: Share,
        (cut, old): (&Cut, &BTreeMap<u64, u64>),
        new: Facts,
    ) -> Result<()> {
        let Given { tx, names, .. } = given;
        let mut facts = read(tx, cut.files_of(share.number), Choice::WithoutSession(share))?;
        facts.merge(new);
        if facts.credentials.is_empty() && facts.mentioned.is_empty() {
            return Ok(());
        }
        let part = share_name(share.number, share.of);
        let encoded = Encoded::of(&facts)?;
        let linked = linked(&facts, names);
        let mut answers = Undated::default();
        answers.add(&linked)?;
        let told = answers.by_number();
        self.changed
            .extend(told.iter().filter(|(q, told)| old.get(q) != Some(told)).map(|(q, _)| *q));
        let asked = questions::asked_of_names(&linked, names).into_iter().map(|q| (q, None));
        let told = told.into_iter().map(|(question, answer)| (question, Some(answer)));
        let asked = questions::write(tx, &part, asked.chain(told))?;
        let tables = encode_tables(tx, 1, &linked, &part)?;
        let state = Rows::encoded(&facts, &encoded).write(tx, Place::Part(&part))?;
        self.parts.add(&LINKING_STATE, state);
        self.parts.add(&LINKING_QUESTIONS, asked);
        self.parts.add_tables(tx, None, tables)?;
        let callers = &mut self.callers;
        callers.answers.merge(answers);
        for (id, _, bytes) in &encoded.credentials {
            callers.facts.insert((*id).into(), callers.values.put(bytes)?);
        }
        Ok(())
    }
}

impl Callers<'_> {
    /// What is known of the calls of some of them.
    ///
    /// # Errors
    /// The store's.
    pub fn facts_of(&self, ids: &HashSet<&str>) -> Result<Credentials> {
        let mut found = Credentials::new();
        let mut elsewhere = HashSet::new();
        for id in ids {
            match self.facts.get(*id) {
                Some(place) => {
                    found.push(((*id).to_owned(), unpack(&self.values.get(*place)?)?));
                }
                None => _ = elsewhere.insert(*id),
            }
        }
        for facts in self.read(&elsewhere)? {
            found.extend(facts.credentials);
        }
        Ok(found)
    }

    /// Who is behind some of them.
    ///
    /// # Errors
    /// The store's.
    pub fn answers_of(
        &self,
        ids: &HashSet<&str>,
        names: &Names,
    ) -> Result<HashMap<String, Answer>> {
        let mut found = HashMap::new();
        let mut elsewhere = HashSet::new();
        for id in ids {
            match self.answers.told(id) {
                Some(answer) => _ = found.insert((*id).to_owned(), answer),
                None => _ = elsewhere.insert(*id),
            }
        }
        for facts in self.read(&elsewhere)? {
            let answers = answers(&facts, names)?;
            let told =
                elsewhere.iter().filter_map(|id| Some(((*id).to_owned(), answers.told(id)?)));
            found.extend(told);
        }
        Ok(found)
    }

    /// What the store has of some of those that were not linked now, share by share.
    fn read(&self, ids: &HashSet<&str>) -> Result<Vec<Facts>> {
        let mut shares: BTreeMap<u64, HashSet<&str>> = BTreeMap::new();
        for id in ids {
            shares.entry(Share::number_of(id, self.of)).or_default().insert(id);
        }
        let read = |(number, ids): (u64, HashSet<&str>)| {
            let files = self.stored.get(&number)?;
            Some(read(self.tx, files, Choice::Of(&ids)))
        };
        shares.into_iter().filter_map(read).collect()
    }
}

/// Callers without session who obtained something by the grants among these facts, or whose own calls are
/// among them.
pub fn needed(facts: &Facts) -> BTreeSet<String> {
    // What puts a call right may tell who obtained something by it.
    let grants = corrected(facts);
    let callers = grants.iter().map(|grant| &grant.obtained_by().credential_id);
    let all = callers.chain(facts.credentials.keys());
    all.filter(|id| ids::is_external(id)).cloned().collect()
}
