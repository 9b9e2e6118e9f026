//! Grants held as bytes while an intake runs: a grant has dozens of fields, most of them empty, and
//! there may be one for every ten events.

use hashbrown::HashMap;

use super::Facts;
use crate::error::{Error, Result};
use crate::grants::Grant;

/// Event id and content, as in [`super::Facts::grants`].
type Key = (String, u64);

/// Facts whose grants are held as their encodings, by event and content.
#[derive(Debug, Default)]
pub struct PackedFacts {
    /// All but the grants.
    pub facts: Facts,
    grants: HashMap<Key, Box<[u8]>>,
}

impl PackedFacts {
    /// Adds a grant, whose call was observed before; see [`Facts::add_grant`].
    ///
    /// # Errors
    /// The encoder's: a defect of ours.
    pub fn add_grant(&mut self, grant: &Grant) -> Result<()> {
        self.facts.note_obtainer(grant);
        let key = (grant.event_id.clone(), grant.record_hash);
        let known = self.grants.get(&key).map(|bytes| unpack::<Grant>(bytes)).transpose()?;
        if known.is_none_or(|known| grant.comes_before(&known)) {
            self.grants.insert(key, pack(grant)?.into());
        }
        Ok(())
    }

    /// Credentials, grants and shared calls.
    pub fn len(&self) -> usize {
        self.facts.credentials.len() + self.facts.shared_calls.len() + self.grants.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The facts with their grants.
    ///
    /// # Errors
    /// The decoder's: a defect of ours.
    pub fn unpacked(mut self) -> Result<Facts> {
        for (id, bytes) in self.grants {
            self.facts.add_grant(id, unpack(&bytes)?);
        }
        Ok(self.facts)
    }
}

/// A value as bytes that only this version of the program can read.
pub fn pack<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    postcard::to_extend(value, Vec::new()).map_err(|e| Error::Encoding(e.to_string()))
}

/// The value again.
pub fn unpack<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|e| Error::Encoding(e.to_string()))
}
