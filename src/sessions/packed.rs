//! Grants held as bytes while an intake runs: a grant has dozens of fields, most of them empty, and
//! there may be one for every ten events.

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::Facts;
use crate::error::{Error, Result};
use crate::grants::{Grant, Join};

/// Event id and content, as in [`super::Facts::grants`].
pub type Key = (String, u64);

/// A grant as its encoding, and what is asked of it before it is decoded.
#[derive(Debug)]
pub struct PackedGrant {
    /// The encoding, without the event id.
    pub bytes: Box<[u8]>,
    /// See [`Grant::second`].
    pub second: i64,
    /// Whether it bears on credentials that belong to no time: it made a key or a password that lasts.
    pub is_lasting: bool,
    /// See [`number_of_key`].
    pub issued_key: Option<u64>,
    /// As in [`Grant`].
    pub sign_in_session_arn: Option<String>,
}

impl PackedGrant {
    fn of(grant: &Grant) -> Result<PackedGrant> {
        Ok(PackedGrant {
            bytes: pack(grant)?.into(),
            second: grant.second(),
            is_lasting: matches!(grant.join, Join::LongTermKey | Join::Password),
            issued_key: grant.issued_access_key_id.as_deref().map(number_of_key),
            sign_in_session_arn: grant.sign_in_session_arn.clone(),
        })
    }

    /// The grant of the event `event_id`.
    ///
    /// # Errors
    /// The decoder's: a defect of ours.
    pub fn unpacked(&self, event_id: &str) -> Result<Box<Grant>> {
        let mut grant: Box<Grant> = unpack(&self.bytes)?;
        event_id.clone_into(&mut grant.event_id);
        Ok(grant)
    }
}

/// A number that stands for an access key id.
pub fn number_of_key(key: &str) -> u64 {
    xxh3_64(key.as_bytes())
}

/// Facts whose grants are held as their encodings, by event and content.
#[derive(Debug, Default)]
pub struct PackedFacts {
    /// All but the grants.
    pub facts: Facts,
    /// The grants.
    pub grants: HashMap<Key, PackedGrant>,
}

impl PackedFacts {
    /// Adds a grant, whose call was observed before; see [`Facts::add_grant`].
    ///
    /// # Errors
    /// The encoder's: a defect of ours.
    pub fn add_grant(&mut self, grant: &Grant) -> Result<()> {
        self.facts.note_obtainer(grant);
        let key = (grant.event_id.clone(), grant.record_hash);
        let known = self.grants.get(&key).map(|known| known.unpacked(&key.0)).transpose()?;
        if known.is_none_or(|known| grant.comes_before(&known)) {
            self.grants.insert(key, PackedGrant::of(grant)?);
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
        for (id, packed) in self.grants {
            let grant = packed.unpacked(&id.0)?;
            self.facts.add_grant(id, grant);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grants::Caller;
    use crate::model::ids;
    use crate::sessions::facts::{CredentialFacts, SharedCall};

    #[test]
    fn facts_come_back_as_they_were_whatever_their_ids() {
        let session = ids::session_id("aws", "111111111111", "AROAEXAMPLE:anna", Some(5));
        let uuid = "145959ab-361b-4dc2-a447-a09bbe2c1be0";
        for id in [None, Some(""), Some(uuid), Some(session.as_str()), Some("s-none of ours")] {
            let (id, text) = (id.map(str::to_owned), id.unwrap_or_default().to_owned());
            let caller =
                Caller { session_id: id.clone(), credential_id: text.clone(), ..Caller::default() };
            let grant = Grant {
                event_id: text.clone(),
                shared_event_id: id.clone(),
                principal: Some(Box::new(caller.clone())),
                caller,
                ..Grant::default()
            };
            let packed = PackedGrant::of(&grant).unwrap();
            assert_eq!(*packed.unpacked(&grant.event_id).unwrap(), grant);
            let facts = CredentialFacts { session_id: id, ..CredentialFacts::default() };
            assert_eq!(unpack::<CredentialFacts>(&pack(&facts).unwrap()).unwrap(), facts);
            let call = SharedCall {
                shared_event_id: text.clone(),
                credential_id: text,
                ..SharedCall::default()
            };
            assert_eq!(unpack::<SharedCall>(&pack(&call).unwrap()).unwrap(), call);
        }
    }

    #[test]
    fn what_a_grant_is_asked_before_it_is_decoded_is_what_it_says() {
        let grant = Grant {
            event_time: 5_000_001,
            join: Join::Password,
            issued_access_key_id: Some("ASIAEXAMPLE1".to_owned()),
            sign_in_session_arn: Some("arn:aws:signin:::session/1".to_owned()),
            ..Grant::default()
        };
        let packed = PackedGrant::of(&grant).unwrap();
        assert_eq!((packed.second, packed.is_lasting), (5, true));
        assert_eq!(packed.issued_key, Some(number_of_key("ASIAEXAMPLE1")));
        assert_eq!(packed.sign_in_session_arn, grant.sign_in_session_arn);
        assert!(!PackedGrant::of(&Grant::default()).unwrap().is_lasting);
    }
}
