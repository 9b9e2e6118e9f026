//! Which event ids are in already, and with which content.
//!
//! Two records of one call have one `eventTime`, so ids are kept day by day, and of what is stored only the
//! days are loaded that are met.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::error::Result;

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

/// The ids that were claimed, 16 bytes each.
pub struct Seen<'s> {
    stored: &'s Stored<'s>,
    days: HashMap<i32, Day>,
}

#[derive(Default)]
struct Day {
    contents: HashMap<EventKey, u64>,
    /// Further contents of the few ids that have several.
    others: HashMap<EventKey, Vec<u64>>,
}

impl<'s> Seen<'s> {
    /// Knows what is stored.
    pub fn new(stored: &'s Stored<'s>) -> Seen<'s> {
        Seen { stored, days: HashMap::new() }
    }

    /// Claims an id of a day with the hash of its record's content.
    ///
    /// # Errors
    /// Those of reading what is stored.
    pub fn claim(&mut self, day: i32, key: EventKey, content: u64) -> Result<Claim> {
        if let Some(known) = self.days.get_mut(&day) {
            return Ok(known.claim(key, content));
        }
        let mut known = Day::default();
        (self.stored)(day, &mut |event_id, content| {
            known.claim(event_key(event_id), content);
        })?;
        Ok(self.days.entry(day).insert(known).get_mut().claim(key, content))
    }
}

impl Seen<'static> {
    /// Knows nothing.
    pub fn nothing() -> Seen<'static> {
        Seen::new(&|_, _| Ok(()))
    }
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
}
