//! What was replaced lately: a log says the same few thousand names again and again, and hashing is
//! dear.

use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use hashbrown::{DefaultHashBuilder, HashMap};

/// Threads that look something up at once seldom meet.
const SHELVES: usize = 16;
/// Texts on a shelf; a full one is emptied.
const MOST_TEXTS: usize = 4_000;
/// Longer texts are not remembered.
const LONGEST: usize = 256;

type Shelf = HashMap<(u8, Box<str>), Box<str>>;

/// See the module. Forgetting costs time only.
#[derive(Default)]
pub(super) struct Memory {
    shelves: [Mutex<Shelf>; SHELVES],
    hasher: DefaultHashBuilder,
}

impl Memory {
    /// What `replace` makes of the text; `way` tells ways of replacing apart.
    pub(super) fn recall(&self, way: u8, text: &str, replace: impl FnOnce() -> String) -> String {
        if text.len() > LONGEST {
            return replace();
        }
        let number = usize::try_from(self.hasher.hash_one(text) % SHELVES as u64).unwrap_or(0);
        let Some(shelf) = self.shelves.get(number) else { return replace() };
        let key = (way, Box::from(text));
        if let Some(known) = shelf.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.to_string();
        }
        let replaced = replace();
        let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.len() >= MOST_TEXTS {
            shelf.clear();
        }
        shelf.insert(key, Box::from(replaced.as_str()));
        replaced
    }
}
