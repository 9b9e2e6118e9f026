//! Which event ids are in already, and with which content.
//!
//! Two records of one call have one `eventTime`, so ids are kept day by day, and of what is stored only the
//! days are loaded that are met.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::error::{Error, Result};

/// What an id and its content are to what came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Never seen: the event is kept.
    New,
    /// Seen with the same content.
    Duplicate,
    /// Seen with another content: kept as well, and reported.
    Conflict,
}

/// An event id (or another text that an event or file is known by) in 8 bytes: a hash under a key that nobody knows, so that nobody can invent an id that
/// hides another event. Only an event whose content has the same hash as well is taken for a duplicate.
pub type EventKey = u64;

/// The key of an event id; another one in every process.
pub fn event_key(event_id: &str) -> EventKey {
    static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    SECRET.hash_one(event_id)
}

/// Tells the stored events of a day, as days since 1970-01-01: calls back with id and content of each.
pub type Stored<'s> = dyn Fn(i32, &mut dyn FnMut(&str, u64)) -> Result<()> + Sync + 's;

/// Ids that stay in memory; more are written to a file, whole days, those first that were met longest
/// ago. Logs come by time of delivery, so hardly a day comes back.
const MOST_HELD: usize = 1 << 20;

/// The ids that were claimed, 16 bytes each.
pub struct Seen<'s> {
    stored: &'s Stored<'s>,
    days: HashMap<i32, Day>,
    /// Ids of all those days.
    held: usize,
    /// How often an id was claimed.
    claims: u64,
    spill: Option<Spill>,
}

impl<'s> Seen<'s> {
    /// Knows what is stored.
    pub fn new(stored: &'s Stored<'s>) -> Seen<'s> {
        Seen { stored, days: HashMap::new(), held: 0, claims: 0, spill: None }
    }

    /// The same, and what does not fit into memory goes to a file without a name in `dir`.
    pub fn spilling_to(self, dir: &Path) -> Seen<'s> {
        self.holding(MOST_HELD, dir)
    }

    fn holding(mut self, most: usize, dir: &Path) -> Seen<'s> {
        self.spill = Some(Spill::new(most, dir));
        self
    }

    /// Claims an id of a day with the hash of its record's content.
    ///
    /// # Errors
    /// Those of reading what is stored, and of the file for what does not fit into memory.
    pub fn claim(&mut self, day: i32, key: EventKey, content: u64) -> Result<Claim> {
        self.claims += 1;
        if !self.days.contains_key(&day) {
            self.load(day)?;
            self.make_room(day)?;
        }
        let known = self.days.entry(day).or_default();
        known.last_met = self.claims;
        let claim = known.claim(key, content);
        self.held += usize::from(claim != Claim::Duplicate);
        Ok(claim)
    }

    fn load(&mut self, day: i32) -> Result<()> {
        let mut known = Day { last_met: self.claims, ..Day::default() };
        let spilled = self.spill.as_mut().map_or(Ok(false), |spill| spill.load(day, &mut known))?;
        if !spilled {
            (self.stored)(day, &mut |event_id, content| {
                known.claim(event_key(event_id), content);
            })?;
        }
        self.held += known.len();
        self.days.insert(day, known);
        Ok(())
    }

    /// Spills days that were not met for as many claims as they have ids: so going to and fro between
    /// days costs memory, and never much time.
    fn make_room(&mut self, now: i32) -> Result<()> {
        let Some(spill) = &mut self.spill else { return Ok(()) };
        while self.held > spill.most {
            let rested = |day: &Day| self.claims - day.last_met >= day.len() as u64;
            let others = self.days.iter().filter(|(day, known)| **day != now && rested(known));
            let oldest = others.min_by_key(|(_, known)| known.last_met).map(|(day, _)| *day);
            let Some(oldest) = oldest else { break };
            let Some(known) = self.days.remove(&oldest) else { break };
            self.held = self.held.saturating_sub(known.len());
            spill.store(oldest, &known)?;
        }
        Ok(())
    }
}

impl Seen<'static> {
    /// Knows nothing.
    pub fn nothing() -> Seen<'static> {
        Seen::new(&|_, _| Ok(()))
    }
}

#[derive(Default)]
struct Day {
    contents: HashMap<EventKey, u64>,
    /// Further contents of the few ids that have several.
    others: HashMap<EventKey, Vec<u64>>,
    /// The number of the last claim.
    last_met: u64,
}

impl Day {
    fn claim(&mut self, key: EventKey, content: u64) -> Claim {
        match self.contents.entry(key) {
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(content);
                return Claim::New;
            }
            hashbrown::hash_map::Entry::Occupied(entry) if *entry.get() == content => {
                return Claim::Duplicate;
            }
            hashbrown::hash_map::Entry::Occupied(_) => {}
        }
        let others = self.others.entry(key).or_default();
        if others.contains(&content) {
            return Claim::Duplicate;
        }
        others.push(content);
        Claim::Conflict
    }

    /// Ids, those with several contents as often as they have some.
    fn len(&self) -> usize {
        self.contents.len() + self.others.values().map(Vec::len).sum::<usize>()
    }

    /// First the content that each id came with first.
    fn pairs(&self) -> impl Iterator<Item = (EventKey, u64)> {
        let first = self.contents.iter().map(|(key, content)| (*key, *content));
        let others = self.others.iter();
        first.chain(others.flat_map(|(key, all)| all.iter().map(|content| (*key, *content))))
    }
}

/// Days out of memory, in a file that vanishes with the process.
struct Spill {
    /// Ids that may stay in memory.
    most: usize,
    dir: PathBuf,
    file: Option<File>,
    /// Where in the file each day begins, and how many ids it has.
    days: HashMap<i32, (u64, usize)>,
}

impl Spill {
    fn new(most: usize, dir: &Path) -> Spill {
        Spill { most, dir: dir.to_path_buf(), file: None, days: HashMap::new() }
    }

    fn store(&mut self, day: i32, known: &Day) -> Result<()> {
        let io = Error::io(&self.dir);
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile_in(&self.dir).map_err(Error::io(&self.dir))?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let write = || -> std::io::Result<u64> {
            let start = file.seek(SeekFrom::End(0))?;
            let mut out = BufWriter::new(file);
            for (key, content) in known.pairs() {
                out.write_all(&key.to_le_bytes())?;
                out.write_all(&content.to_le_bytes())?;
            }
            out.flush()?;
            Ok(start)
        };
        self.days.insert(day, (write().map_err(io)?, known.len()));
        Ok(())
    }

    /// Whether the day was there.
    fn load(&mut self, day: i32, known: &mut Day) -> Result<bool> {
        let (Some((start, count)), Some(file)) = (self.days.remove(&day), &mut self.file) else {
            return Ok(false);
        };
        let read = || -> std::io::Result<()> {
            file.seek(SeekFrom::Start(start))?;
            let mut input = BufReader::new(file);
            let (mut key, mut content) = ([0; 8], [0; 8]);
            for _ in 0..count {
                input.read_exact(&mut key)?;
                input.read_exact(&mut content)?;
                known.claim(u64::from_le_bytes(key), u64::from_le_bytes(content));
            }
            Ok(())
        };
        read().map_err(Error::io(&self.dir))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Claim::{Conflict, Duplicate, New};

    #[test]
    fn an_id_may_have_several_contents_but_each_only_once() {
        let mut seen = Seen::nothing();
        let key = event_key("0f3e9a54-6a0c-4b0d-9a51-1f2c3d4e5f60");
        assert_ne!(key, event_key("0F3E9A54"));
        let claims = [1, 1, 2, 2, 1, 3].map(|content| seen.claim(7, key, content).unwrap());
        assert_eq!(claims, [New, Duplicate, Conflict, Duplicate, Duplicate, Conflict]);
    }

    #[test]
    fn what_is_stored_is_known_day_by_day() {
        let stored = |day: i32, each: &mut dyn FnMut(&str, u64)| {
            each(&format!("event-{day}"), 5);
            Ok(())
        };
        let mut seen = Seen::new(&stored);
        let mut claim = |day, id| seen.claim(day, event_key(id), 5).unwrap();
        assert_eq!(claim(1, "event-1"), Duplicate);
        assert_eq!(claim(2, "event-1"), New, "another day, another call");
        assert_eq!(claim(2, "event-2"), Duplicate);
        assert_eq!(claim(1, "event-9"), New);
    }
    #[test]
    fn days_that_do_not_fit_into_memory_are_known_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let stored = |day: i32, each: &mut dyn FnMut(&str, u64)| {
            (0..3).for_each(|n| each(&format!("stored-{day}-{n}"), 5));
            Ok(())
        };
        let mut small = Seen::new(&stored).holding(8, dir.path());
        let mut large = Seen::new(&stored);
        let mut most = 0;
        for round in 0..4_u64 {
            for day in 0..6 {
                for n in 0..10_u64 {
                    let key = event_key(&format!("event-{day}-{}", n % 7));
                    let content = round.min(1) + n / 7;
                    let claim = small.claim(day, key, content).unwrap();
                    assert_eq!(claim, large.claim(day, key, content).unwrap());
                }
                let id = event_key(&format!("stored-{day}-{}", round % 3));
                assert_eq!(small.claim(day, id, 5).unwrap(), Duplicate);
                most = most.max(small.days.len());
                assert_eq!(small.held, small.days.values().map(Day::len).sum::<usize>());
            }
        }
        assert!(most < 6, "{most} days in memory");
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "the file has no name");
    }
}
