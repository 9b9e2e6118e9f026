//! What an ingest brings: facts out of memory, ordered by time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hashbrown::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_64;

use super::spill::{Spill, SpillFile};
use super::state::{Rows, Seconds};
use crate::error::Result;
use crate::grants::Grant;
use crate::model::{ids, time};
use crate::sessions::Facts;
use crate::sessions::link::MARGIN;
use crate::sessions::outside::Question;
use crate::sessions::packed::{Key, PackedFacts, PackedGrant, number_of_key};
use crate::store::Transaction;

/// Seconds in the units in which facts are counted.
pub const UNIT: i64 = 60;

/// Collects the facts of one ingest; may be used by several threads.
pub struct Brought<'t> {
    tx: &'t Transaction,
    /// Where facts are that are out of memory, once there are some.
    file: OnceLock<Arc<SpillFile>>,
    held: Mutex<Held>,
}

/// See the module.
#[derive(Default)]
pub struct Held {
    /// All facts, in order of time each; those that belong to no time come first.
    pub spills: Vec<Spill>,
    /// How many facts each unit of time got, by its number.
    pub counts: BTreeMap<i64, usize>,
    /// Numbers of questions that what was brought may answer anew, wherever they are asked.
    pub raised: BTreeSet<u64>,
    /// Hash of an issued key, and the second of its issue; there may be millions.
    issued: Vec<(u64, i64)>,
    /// Hashes of keys that calls with a date show.
    used: HashSet<u64>,
    /// Hashes of the ids of callers that have no session at all.
    pub callers_without_session: HashSet<u64>,
}

impl<'t> Brought<'t> {
    /// Nothing yet.
    pub fn new(tx: &'t Transaction) -> Brought<'t> {
        Brought { tx, file: OnceLock::new(), held: Mutex::default() }
    }

    /// Takes facts over. Facts of one credential may come in any number of pieces.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io), where they cannot be put out of memory.
    pub fn add(&self, packed: PackedFacts) -> Result<()> {
        let PackedFacts { mut facts, grants } = packed;
        let undated = split_off_undated(&mut facts, &grants)?;
        let rows = Rows::undated(&undated).and(Rows::names(&undated.names));
        let rows = rows.and(Rows::dated(&facts, Seconds::ALL));
        let rows = rows.and(Rows::packed(grants.iter().map(|((id, _), grant)| (&**id, grant))));
        let spill = rows.spill(self.file()?)?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.spills.push(spill);
        held.count(&facts, &grants);
        held.count_callers(&undated);
        Ok(())
    }

    fn file(&self) -> Result<Arc<SpillFile>> {
        if let Some(file) = self.file.get() {
            return Ok(file.clone());
        }
        // Of two threads that get here one makes it for nothing.
        let new = Arc::new(SpillFile::new(&self.tx.scratch())?);
        Ok(self.file.get_or_init(|| new).clone())
    }

    /// All that was brought.
    pub fn into_held(self) -> Held {
        self.held.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes out what belongs to no time; the grants among it stay as well.
fn split_off_undated(facts: &mut Facts, grants: &HashMap<Key, PackedGrant>) -> Result<Facts> {
    let mut undated = Facts::default();
    undated.mentioned = std::mem::take(&mut facts.mentioned);
    undated.names = std::mem::take(&mut facts.names);
    for (id, credential) in facts.credentials.extract_if(|_, facts| facts.second().is_none()) {
        undated.add_credential(id, credential);
    }
    for (id, grant) in grants.iter().filter(|(_, grant)| grant.is_lasting) {
        undated.add_grant(id.clone(), grant.unpacked(&id.0)?);
    }
    Ok(undated)
}

impl Held {
    fn count(&mut self, facts: &Facts, grants: &HashMap<Key, PackedGrant>) {
        let credentials = facts.credentials.values().filter_map(|facts| facts.second());
        let issues = grants.values().map(|grant| grant.second);
        let calls = facts.shared_calls.iter();
        let calls = calls.map(|call| call.event_time.div_euclid(time::SECOND));
        for second in credentials.chain(issues).chain(calls) {
            *self.counts.entry(second.div_euclid(UNIT)).or_default() += 1;
        }
        let credentials = facts.credentials.values().map(|facts| &facts.sign_in_session_arn);
        let issues = grants.values().map(|grant| &grant.sign_in_session_arn);
        let arns = credentials.chain(issues).flatten();
        self.raised.extend(arns.map(|arn| Question::SignInSession(arn).number()));
        let keys = facts.credentials.values().filter_map(|facts| facts.access_key_id.as_deref());
        self.used.extend(keys.map(number_of_key));
        let issued = grants.values().filter_map(|grant| Some((grant.issued_key?, grant.second)));
        self.issued.extend(issued);
    }

    fn count_callers(&mut self, undated: &Facts) {
        let callers = undated.credentials.keys().chain(undated.mentioned.keys());
        let callers = callers.filter(|id| ids::is_external(id));
        self.callers_without_session.extend(callers.map(|id| xxh3_64(id.as_bytes())));
    }

    /// Forgets what only the linking of what has no date asks for, and frees it.
    pub fn forget_keys(&mut self) {
        self.issued = Vec::new();
        self.used = HashSet::new();
        self.callers_without_session = HashSet::new();
    }

    /// Whether anything in a stretch of time may have another answer now.
    pub fn touches(&self, seconds: Seconds) -> bool {
        let wide = seconds.widened(MARGIN);
        let units = wide.from.div_euclid(UNIT)..=wide.to.div_euclid(UNIT);
        self.counts.range(units).next().is_some()
    }

    /// Whether calls with a date show this key.
    pub fn uses(&self, key: &str) -> bool {
        self.used.contains(&number_of_key(key))
    }

    /// When one of these keys was issued, as far as this ingest knows.
    pub fn issues_of<'k>(&self, keys: impl Iterator<Item = &'k str>) -> BTreeSet<i64> {
        let keys: HashSet<u64> = keys.map(number_of_key).collect();
        let issues = self.issued.iter().filter(|(key, _)| keys.contains(key));
        issues.map(|(_, second)| *second).collect()
    }
}

/// Whether a grant issued one of these keys.
pub fn issued_one_of(grant: &Grant, keys: &HashSet<&str>) -> bool {
    grant.issued_access_key_id.as_deref().is_some_and(|key| keys.contains(key))
}
