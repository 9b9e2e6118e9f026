//! Linking one stretch of time after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::{HashMap, HashSet};

use super::Parts;
use super::brought::UNIT;
use super::near::{Sources, principals_elsewhere};
use super::plan::{Stretch, cut, part_name};
use super::questions;
use super::state::{
    Choice, Kept, Rows, Seconds, Wanted, count_stored, number_of_principal, single, write_numbers,
};
use crate::error::Result;
use crate::model::time;
use crate::sessions::facts::CredentialFacts;
use crate::sessions::link::{LONGEST, MARGIN, PRINCIPAL_AT_TIME, Scope, expiry, first_calls};
use crate::sessions::outside::{Answer, Life, Outside, Question, Undated};
use crate::sessions::rows::{self, TableRows};
use crate::sessions::{Facts, Linked, link};
use crate::store::columns::{LINKING_QUESTIONS, LINKING_STATE};
use crate::store::{DataFile, Place, Transaction};
use crate::table::TableDef;

/// The linking of one ingest, on its way forward in time.
pub struct Run<'r> {
    sources: Sources<'r>,
    undated: Undated,
    most: usize,
    /// Numbers of questions whose answers have changed, with the second from which on they have.
    changed: BTreeMap<u64, i64>,
    /// What was linked in this run, in order of time: where it was written.
    written: Vec<(Seconds, PathBuf)>,
}

impl<'r> Run<'r> {
    /// At the beginning of time.
    pub fn new(
        sources: Sources<'r>,
        undated: Undated,
        most: usize,
        changed: BTreeMap<u64, i64>,
    ) -> Run<'r> {
        Run { sources, undated, most, changed, written: Vec::new() }
    }

    /// Whether a stretch rests on an answer that has changed.
    ///
    /// # Errors
    /// The store's.
    pub fn asks_what_changed(&self, stretch: &Stretch) -> Result<bool> {
        questions::asks_one_of(self.sources.tx, stretch, &self.changed)
    }

    /// Links a stretch, in pieces where it has grown too large.
    ///
    /// # Errors
    /// The store's.
    pub fn link(&mut self, stretch: &Stretch, parts: &mut Parts) -> Result<()> {
        parts.names.insert(part_name(stretch.seconds.from));
        let mut old = self.old_answers(stretch)?;
        let pieces = cut(stretch.seconds, &self.counts(stretch)?, self.most);
        let sources = self.sources;
        std::thread::scope(|scope| -> Result<()> {
            // While one piece is linked, the facts of the next are read.
            let read = |piece: &Seconds| {
                let piece = *piece;
                scope.spawn(move || sources.near(piece))
            };
            let mut next = pieces.first().map(read);
            for (number, piece) in pieces.iter().enumerate() {
                let Some(facts) = next else { break };
                let facts =
                    facts.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                next = pieces.get(number + 1).map(read);
                for (id, answer) in self.link_piece(*piece, &facts, parts)? {
                    self.note_change(&id, old.remove(&id).as_ref(), &answer);
                }
            }
            Ok(())
        })?;
        for (id, answer) in old {
            self.changed.insert(Question::Answer(&id).number(), i64::MIN);
            self.note_sessions(&answer);
        }
        Ok(())
    }

    /// Remembers whom a new answer concerns.
    fn note_change(&mut self, id: &str, old: Option<&Answer>, answer: &Answer) {
        if !old.is_some_and(|old| old.says_same(answer)) {
            self.changed.insert(Question::Answer(id).number(), i64::MIN);
        }
        if !old.is_some_and(|old| old.lives_alike(answer)) {
            self.note_sessions(answer);
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

    /// What this stretch said when it was last linked.
    fn old_answers(&self, stretch: &Stretch) -> Result<HashMap<String, Answer>> {
        let mut kept = Kept::default();
        let seconds = &[stretch.seconds];
        let wanted = Wanted { seconds, facts: Choice::None, answers: Choice::All };
        kept.read(self.sources.tx, &stretch.files, wanted)?;
        Ok(kept.answers)
    }

    /// Links one piece and writes it; gives the answers to be told of it.
    fn link_piece(
        &mut self,
        piece: Seconds,
        facts: &Facts,
        parts: &mut Parts,
    ) -> Result<Vec<(String, Answer)>> {
        let (tx, part) = (self.sources.tx, part_name(piece.from));
        let principals = principals_elsewhere(facts);
        let earlier = self.earlier_answers(piece, facts, &principals)?;
        let outside = Outside {
            names: &self.sources.undated.names,
            undated: &self.undated,
            earlier: &earlier,
        };
        let linked = link(facts, Scope::Seconds(piece.from, piece.to), outside);
        let told = to_be_told(&linked, facts, piece);
        let asked = questions::asked(&linked, &principals);
        let (tables, file) = std::thread::scope(|scope| {
            let state = scope.spawn(|| {
                let mut rows = Rows::dated(facts, piece);
                told.iter().for_each(|(second, id, answer)| rows.add_answer(*second, id, answer));
                rows.write(tx, &part)
            });
            let tables = write_tables(tx, &linked, &part);
            (tables, state.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        for (def, file) in tables? {
            parts.add(def, file);
        }
        parts.add(&LINKING_QUESTIONS, Some(write_numbers(tx, &LINKING_QUESTIONS, &part, &asked)?));
        let file = file?;
        self.written.push((piece, tx.path_of(&LINKING_STATE, &file)?));
        parts.add(&LINKING_STATE, Some(file));
        parts.names.insert(part);
        drop(linked);
        self.undated.forget_asked();
        Ok(told.into_iter().map(|(_, id, answer)| (id, answer)).collect())
    }

    /// Who is behind callers whose sessions began before this piece of time, and behind all recent
    /// sessions of some principals.
    fn earlier_answers(
        &self,
        piece: Seconds,
        facts: &Facts,
        principals: &BTreeSet<(String, String)>,
    ) -> Result<HashMap<String, Answer>> {
        let wanted = self.earlier_callers(piece, facts);
        let names = &self.sources.undated.names;
        let known = principals.iter().filter(|(account, _)| names.has_sessions_of(account));
        let about: HashSet<i64> =
            known.map(|(account, id)| number_of_principal(Some((account, id)))).collect();
        let since = piece.from.saturating_sub(LONGEST + MARGIN);
        let mut found = HashMap::new();
        for (seconds, files) in self.state_before(piece.from) {
            let here = wanted.range(seconds.from..seconds.to);
            let ids: HashSet<&str> = here.clone().flat_map(|(_, ids)| ids).copied().collect();
            let began = single(here.map(|(second, _)| *second));
            let mut kept = Kept::default();
            if !ids.is_empty() {
                let answers = Choice::Of(&ids);
                let wanted = Wanted { seconds: &began, facts: Choice::None, answers };
                kept.read(self.sources.tx, files, wanted)?;
                found.extend(std::mem::take(&mut kept.answers));
            }
            let range = Seconds { from: seconds.from.max(since), to: seconds.to.min(piece.from) };
            if !about.is_empty() && range.from < range.to {
                let answers = Choice::About(&about);
                let wanted = Wanted { seconds: &[range], facts: Choice::None, answers };
                kept.read(self.sources.tx, files, wanted)?;
                found.extend(kept.answers);
            }
        }
        Ok(found)
    }

    /// Callers of the grants here, and credentials from before, by the second in which their sessions
    /// began.
    fn earlier_callers<'f>(
        &self,
        piece: Seconds,
        facts: &'f Facts,
    ) -> BTreeMap<i64, HashSet<&'f str>> {
        let first_calls = &self.sources.undated.first_calls;
        let mut wanted: BTreeMap<i64, HashSet<&str>> = BTreeMap::new();
        let callers = facts.grants.values().map(|grant| {
            let caller = grant.obtained_by();
            let began = caller.created.map(|created| created.div_euclid(time::SECOND));
            (began, caller.session_id.as_deref(), caller.credential_id.as_str())
        });
        let others = facts.credentials.iter();
        let others = others.map(|(id, f)| (f.second(), f.session_id.as_deref(), id.as_str()));
        for (began, session, id) in callers.chain(others) {
            let first_call = || session.and_then(|session| first_calls.get(session).copied());
            if let Some(second) = began.or_else(first_call).filter(|second| *second < piece.from) {
                wanted.entry(second).or_default().insert(id);
            }
        }
        wanted
    }

    /// What is known of earlier times: what was written now, else what was stored.
    fn state_before(&self, second: i64) -> Vec<(Seconds, &[PathBuf])> {
        let written = self.written.iter();
        let mut all: Vec<(Seconds, &[PathBuf])> =
            written.map(|(seconds, file)| (*seconds, std::slice::from_ref(file))).collect();
        for stretch in self.sources.stretches {
            if !self.written.iter().any(|(seconds, _)| stretch.seconds.holds(seconds.from)) {
                all.push((stretch.seconds, &stretch.files));
            }
        }
        all.retain(|(seconds, _)| seconds.from < second);
        all
    }
}

/// The answers that may be asked for later: of all sessions of roles and federated users, and of whoever
/// obtained credentials. With the second that they belong to.
fn to_be_told(linked: &Linked, facts: &Facts, piece: Seconds) -> Vec<(i64, String, Answer)> {
    let first_calls = first_calls(facts);
    let may_be_asked = |facts: &CredentialFacts| {
        let borrowed =
            matches!(facts.identity_type.as_deref(), Some("AssumedRole" | "FederatedUser"));
        facts.obtains || (borrowed && facts.session_id.is_some())
    };
    let own = linked.credentials.iter().filter(|c| c.home && may_be_asked(&c.facts));
    own.filter(|c| c.origin.link_rule != Some(PRINCIPAL_AT_TIME))
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
            (second.unwrap_or(piece.from), credential.id.to_string(), answer)
        })
        .collect()
}

type Written = Vec<(&'static TableDef, Option<DataFile>)>;

/// Two threads share the tables: they are few, and of very different sizes.
pub fn write_tables(tx: &Transaction, linked: &Linked, part: &str) -> Result<Written> {
    let next = AtomicUsize::new(0);
    let some_tables = || -> Result<Written> {
        let mut written = Written::new();
        while let Some((def, build)) = rows::TABLES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let TableRows { rows, batches } = build(linked);
            let file = if rows > 0 {
                Some(tx.write_sorted(def, Place::Part(part), rows, batches)?)
            } else {
                None
            };
            written.push((*def, file));
        }
        Ok(written)
    };
    std::thread::scope(|scope| {
        let others = scope.spawn(some_tables);
        let mut written = some_tables()?;
        written.extend(others.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        Ok(written)
    })
}
