//! Grants held as bytes while an intake runs: a grant has dozens of fields, most of them empty, and
//! there may be one for every ten events.

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::grants::Grant;

/// Event id and content, as in [`super::Facts::grants`].
type Key = (String, u64);

/// Grants by event and content, each as its encoding.
#[derive(Debug, Default)]
pub struct PackedGrants(HashMap<Key, Box<[u8]>>);

impl PackedGrants {
    /// Adds a grant; see [`super::Facts::add_grant`].
    ///
    /// # Errors
    /// The encoder's: a defect of ours.
    pub fn add(&mut self, grant: &Grant) -> Result<()> {
        let key = (grant.event_id.clone(), grant.record_hash);
        let known = self.0.get(&key).map(|bytes| unpack::<Grant>(bytes)).transpose()?;
        if known.is_none_or(|known| grant.comes_before(&known)) {
            self.0.insert(key, pack(grant)?.into());
        }
        Ok(())
    }

    /// All grants, unpacked one by one.
    ///
    /// # Errors
    /// The decoder's: a defect of ours.
    pub fn into_grants(self) -> impl Iterator<Item = Result<Box<Grant>>> {
        self.0.into_values().map(|bytes| unpack(&bytes))
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
