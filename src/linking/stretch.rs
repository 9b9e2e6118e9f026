//! Linking one stretch of time after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hashbrown::{HashMap, HashSet};

use super::Parts;
use super::brought::UNIT;
use super::callers::needed;
use super::near::Sources;
use super::pieces::{Piece, WrittenTo, in_turn};
use super::plan::{Stretch, any_stored, cut, part_name};
use super::questions::Asked;
use super::recent::{Recent, Told};
use super::state::{Choice, Kept, Seconds, Wanted, count_stored, number_of_principal, single};
use crate::error::Result;
use crate::grants::Grant;
use crate::model::time;
use crate::sessions::facts::CredentialFacts;
use crate::sessions::link::{LONGEST, MARGIN, Scope, expiry, first_calls};
use crate::sessions::outside::{Answer, Life, Outside, Question, Undated};
use crate::sessions::packed::pack;
use crate::sessions::{Facts, Linked, link};
use crate::store::Transaction;

/// The linking of one ingest, on its way forward in time.
pub struct Run<'r> {
    sources: Sources<'r>,
    asked: &'r Asked<'r>,
    undated: Undated,
    most: usize,
    /// Numbers of questions whose answers have changed, with the second from which on they have.
    changed: BTreeMap<u64, i64>,
    /// Whether anything was linked before, and rests on answers that may change.
    stored: bool,
    /// What was linked in this run, in order of time: where it was written.
    written: Vec<(Seconds, WrittenTo)>,
    recent: Recent,
}

impl<'r> Run<'r> {
    /// At the beginning of time.
    pub fn new(
        sources: Sources<'r>,
        asked: &'r Asked<'r>,
        undated: Undated,
        most: usize,
        changed: BTreeMap<u64, i64>,
    ) -> Run<'r> {
        let (written, recent) = (Vec::new(), Recent::new(most));
        let stored = any_stored(sources.stretches);
        Run { sources, asked, undated, most, changed, stored, written, recent }
    }

    /// Whether a stretch rests on an answer that has changed.
    ///
    /// # Errors
    /// The store's.
    pub fn asks_what_changed(&self, stretch: &Stretch) -> Result<bool> {
        let concerned = self.changed.iter().filter(|(_, since)| **since < stretch.seconds.to);
        let numbers: HashSet<u64> = concerned.map(|(number, _)| *number).collect();
        self.asked.one_of(&part_name(stretch.seconds.from), &numbers)
    }

    /// Links stretches that follow each other, in pieces where they have grown too large.
    ///
    /// # Errors
    /// The store's.
    pub fn link(self, stretches: &[&Stretch], parts: &mut Parts) -> Result<Run<'r>> {
        let mut pieces = Vec::new();
        for stretch in stretches {
            parts.names.insert(part_name(stretch.seconds.from));
            let all = cut(stretch.seconds, &self.counts(stretch)?, self.most);
            let last = all.len() - 1;
            pieces.extend(all.into_iter().enumerate().map(|(number, seconds)| {
                let begins = (number == 0).then_some(*stretch);
                Piece { seconds, begins, ends: number == last }
            }));
        }
        let sources = self.sources;
        in_turn(self, sources, &pieces, parts)
    }

    /// Links one piece, and gives the answers to be told of it; their file is yet to be written.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn link_piece<'f>(
        &mut self,
        piece: Seconds,
        facts: &'f Facts,
        principals: &BTreeSet<(String, String)>,
    ) -> Result<(Linked<'f>, Vec<Told>, WrittenTo)> {
        let mut earlier = self.earlier_answers(piece, facts, principals)?;
        earlier.extend(self.callers_without_session(facts)?);
        let outside = Outside {
            names: &self.sources.undated.names,
            undated: &self.undated,
            earlier: &earlier,
        };
        let linked = link(facts, Scope::Seconds(piece.from, piece.to), outside);
        let told = to_be_told(&linked, facts, piece)?;
        let file = WrittenTo::default();
        self.recent.add(piece, &told, file.clone(), self.sources.undated);
        self.written.push((piece, file.clone()));
        self.undated.forget_asked();
        Ok((linked, told, file))
    }

    /// Remembers whom a new answer concerns.
    pub(super) fn note_change(&mut self, id: &str, old: Option<&Answer>, answer: &Answer) {
        if !self.stored {
            return;
        }
        if !old.is_some_and(|old| old.says_same(answer)) {
            self.changed.insert(Question::Answer(id).number(), i64::MIN);
        }
        if !old.is_some_and(|old| old.lives_alike(answer)) {
            self.note_sessions(answer);
        }
    }

    /// Remembers whom answers concern that are given no more.
    pub(super) fn note_gone(&mut self, old: impl Iterator<Item = (String, Answer)>) {
        for (id, answer) in old {
            self.changed.insert(Question::Answer(&id).number(), i64::MIN);
            self.note_sessions(&answer);
        }
    }

    fn note_sessions(&mut self, answer: &Answer) {
        if let Some((account, principal)) = answer.principal() {
            self.changed.insert(Question::SessionsOf(account, principal).number(), i64::MIN);
        }
    }

    /// Facts by unit of time: stored ones and new ones.
    fn counts(&self, stretch: &Stretch) -> Result<BTreeMap<i64, usize>> {
        let new = &self.sources.held.counts;
        let (from, to) = (stretch.seconds.from, stretch.seconds.to);
        let units = from.div_euclid(UNIT)..=to.saturating_sub(1).div_euclid(UNIT);
        let mut counts: BTreeMap<i64, usize> =
            new.range(units).map(|(unit, count)| (*unit, *count)).collect();
        let tx = self.sources.tx;
        count_stored(tx, &stretch.files, |second| {
            *counts.entry(second.div_euclid(UNIT)).or_default() += 1;
        })?;
        Ok(counts)
    }

    /// Who is behind callers whose sessions began before this piece of time, and behind all recent
    /// sessions of some principals.
    fn earlier_answers(
        &self,
        piece: Seconds,
        facts: &Facts,
        principals: &BTreeSet<(String, String)>,
    ) -> Result<HashMap<String, Answer>> {
        let mut found = HashMap::new();
        let wanted = self.earlier_callers(piece, facts, &mut found)?;
        let names = &self.sources.undated.names;
        let known = principals.iter().filter(|(account, _)| names.has_logs_of(account));
        let about: HashSet<i64> =
            known.map(|(account, id)| number_of_principal(Some((account, id)))).collect();
        let since = piece.from.saturating_sub(LONGEST + MARGIN);
        for (seconds, files) in self.state_before(piece.from) {
            let here = wanted.range(seconds.from..seconds.to);
            let ids: HashSet<&str> = here.clone().flat_map(|(_, ids)| ids).copied().collect();
            let began = single(here.map(|(second, _)| *second));
            let range = Seconds { from: seconds.from.max(since), to: seconds.to.min(piece.from) };
            let recent = [range];
            let mut choices = Vec::new();
            if !ids.is_empty() {
                choices.push((began.as_slice(), Choice::Of(&ids)));
            }
            if !about.is_empty() && range.from < range.to {
                choices.push((recent.as_slice(), Choice::About(&about)));
            }
            for (then, answers) in choices {
                let wanted = Wanted { seconds: then, facts: Choice::None, answers };
                if self.recent.holds(seconds) {
                    self.recent.read(seconds, wanted, &mut found)?;
                } else {
                    let mut kept = Kept::default();
                    kept.read(self.sources.tx, files, wanted)?;
                    found.extend(kept.answers);
                }
            }
        }
        Ok(found)
    }

    /// Who is behind callers without session.
    fn callers_without_session(&self, facts: &Facts) -> Result<HashMap<String, Answer>> {
        let ids = needed(facts);
        let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let Sources { callers, undated, .. } = self.sources;
        callers.answers_of(&ids, &undated.names)
    }

    /// Callers of the grants here, and credentials from before, by the second in which their sessions
    /// began; without those that are found at once.
    fn earlier_callers<'f>(
        &self,
        piece: Seconds,
        facts: &'f Facts,
        found: &mut HashMap<String, Answer>,
    ) -> Result<BTreeMap<i64, HashSet<&'f str>>> {
        let first_calls = &self.sources.undated.first_calls;
        let mut wanted: BTreeMap<i64, HashSet<&str>> = BTreeMap::new();
        let bears = |grant: &&Grant| !grant.is_only_a_hint() || piece.holds(grant.second());
        let grants = facts.grants.values().map(AsRef::as_ref);
        let callers = grants.filter(bears).map(|grant| {
            let caller = grant.obtained_by();
            let began = caller.created.map(|created| created.div_euclid(time::SECOND));
            (began, caller.session_id.as_deref(), caller.credential_id.as_str())
        });
        let others = facts.credentials.iter();
        let others = others.map(|(id, f)| (f.second(), f.session_id.as_deref(), id.as_str()));
        for (began, session, id) in callers.chain(others) {
            let first_call = || session.and_then(|session| first_calls.get(session).copied());
            let second = began.or_else(first_call).filter(|second| *second < piece.from);
            let Some(second) = second else { continue };
            match self.recent.lasting(second, id)? {
                Some(answer) => _ = found.insert(id.to_owned(), answer),
                None => _ = wanted.entry(second).or_default().insert(id),
            }
        }
        Ok(wanted)
    }

    /// What is known of earlier times: what was written now, else what was stored.
    fn state_before(&self, second: i64) -> Vec<(Seconds, &[PathBuf])> {
        let mut all: Vec<(Seconds, &[PathBuf])> = Vec::new();
        for (seconds, to) in &self.written {
            // What is still being written has no file, but is held: see [`Recent`].
            all.push((*seconds, to.get().map(std::slice::from_ref).unwrap_or_default()));
        }
        for stretch in self.sources.stretches {
            if !self.written.iter().any(|(seconds, _)| stretch.seconds.holds(seconds.from)) {
                all.push((stretch.seconds, &stretch.files));
            }
        }
        all.retain(|(seconds, _)| seconds.from < second);
        all
    }
}

/// What a stretch said when it was last linked.
///
/// # Errors
/// The store's.
pub fn old_answers(tx: &Transaction, stretch: &Stretch) -> Result<HashMap<String, Answer>> {
    let mut kept = Kept::default();
    let seconds = &[stretch.seconds];
    let wanted = Wanted { seconds, facts: Choice::None, answers: Choice::All };
    kept.read(tx, &stretch.files, wanted)?;
    Ok(kept.answers)
}

/// The answers that may be asked for later: of all sessions of roles and federated users, and of whoever
/// obtained credentials.
fn to_be_told(linked: &Linked, facts: &Facts, piece: Seconds) -> Result<Vec<Told>> {
    let first_calls = first_calls(facts);
    let may_be_asked = |facts: &CredentialFacts| {
        let borrowed =
            matches!(facts.identity_type.as_deref(), Some("AssumedRole" | "FederatedUser"));
        facts.obtains || (borrowed && facts.session_id.is_some())
    };
    let own = linked.credentials.iter().filter(|c| c.home && may_be_asked(&c.facts));
    own.filter(|c| !c.stands_in)
        .map(|credential| {
            let facts = &credential.facts;
            let session = facts.session_id.as_deref().unwrap_or("");
            let second = facts.second().or_else(|| first_calls.get(session).copied());
            let grants = credential.candidates.found.iter().map(|c| &linked.grants[c.grant].grant);
            let life = Life {
                first_event_at: facts.first_event_at,
                last_event_at: facts.last_event_at,
                expires_at: grants.filter_map(|grant| expiry(grant)).max(),
            };
            let answer = Answer::of(credential, Some(life));
            Ok(Told {
                second: second.unwrap_or(piece.from),
                id: credential.id.to_string(),
                dated: facts.second().is_some(),
                packed: pack(&answer)?.into(),
                answer,
            })
        })
        .collect()
}
