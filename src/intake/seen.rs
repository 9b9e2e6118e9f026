//! Which event ids are in already, and with which content.

use hashbrown::HashMap;
use sha2::{Digest, Sha256};

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

/// An event id in 16 bytes (two words, which pack better than one): the UUID itself, or a cryptographic hash of any other text, so that
/// nobody can invent an id that hides another event.
pub type EventKey = [u64; 2];

/// The key of an event id.
pub fn event_key(event_id: &str) -> EventKey {
    let uuid = (event_id.len() == 36).then(|| uuid::Uuid::try_parse(event_id).ok()).flatten();
    uuid.map(|id| id.as_u64_pair().into()).unwrap_or_else(|| {
        let digest = Sha256::digest(event_id.as_bytes());
        let word = |at: usize| digest[at..at + 8].iter().fold(0, |n, b| n << 8 | u64::from(*b));
        [word(0), word(8)]
    })
}

/// The ids that were claimed, 24 bytes each.
#[derive(Debug, Default)]
pub struct Seen {
    contents: HashMap<EventKey, u64>,
    /// Further contents of the few ids that have several.
    others: HashMap<EventKey, Vec<u64>>,
}

impl Seen {
    /// Claims an id with the hash of its record's content.
    pub fn claim(&mut self, key: EventKey, content: u64) -> Claim {
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

    /// Ids claimed.
    pub fn len(&self) -> usize {
        self.contents.len()
    }

    /// Whether no id was claimed.
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_have_several_contents_but_each_only_once() {
        let mut seen = Seen::default();
        let key = event_key("0f3e9a54-6a0c-4b0d-9a51-1f2c3d4e5f60");
        assert_ne!(key, event_key("0F3E9A54"));
        let claims = [1, 1, 2, 2, 1, 3].map(|content| seen.claim(key, content));
        use Claim::{Conflict, Duplicate, New};
        assert_eq!(claims, [New, Duplicate, Conflict, Duplicate, Duplicate, Conflict]);
        assert_eq!(seen.len(), 1);
    }
}
