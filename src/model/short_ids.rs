//! Ids in the encoding of facts: a session id and a UUID are each a number that was written out as text,
//! and such a number hardly compresses. For `#[serde(with = "…")]`.

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

use super::ids;

/// Stands before the bytes of a UUID; before those of an id of ours stands its own first letter.
const UUID: u8 = b'u';
/// Stands before any other text.
const TEXT: u8 = b't';

/// The shortest bytes for a text.
fn shortened(text: &str) -> Vec<u8> {
    if let Some((letter, bytes)) = ids::parse(text) {
        return [&[letter][..], &bytes].concat();
    }
    let uuid = uuid::Uuid::try_parse(text).ok();
    // Other ways to write it are texts of their own.
    match uuid.filter(|uuid| uuid.hyphenated().encode_lower(&mut [0; 36]) == text) {
        Some(uuid) => [&[UUID][..], uuid.as_bytes()].concat(),
        None => [&[TEXT][..], text.as_bytes()].concat(),
    }
}

/// The text again; `None` for bytes that [`shortened`] does not make.
fn restored(bytes: &[u8]) -> Option<String> {
    let (form, rest) = bytes.split_first()?;
    match *form {
        TEXT => String::from_utf8(rest.to_vec()).ok(),
        UUID => Some(uuid::Uuid::from_slice(rest).ok()?.hyphenated().to_string()),
        letter => ids::from_parts(letter, rest.try_into().ok()?),
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = String;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the bytes of an id")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        restored(bytes).ok_or_else(|| E::custom("no id"))
    }
}

/// Encodes a text that is mostly such an id.
///
/// # Errors
/// The encoder's.
pub fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(&shortened(text))
}

/// Decodes it.
///
/// # Errors
/// The decoder's.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_bytes(Bytes)
}

/// The same of what may be absent: no bytes stand for nothing.
pub mod option {
    use serde::{Deserializer, Serializer};

    use super::{Error, Visitor, restored, shortened};

    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("the bytes of an id, or none")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            match bytes {
                [] => Ok(None),
                _ => restored(bytes).map(Some).ok_or_else(|| E::custom("no id")),
            }
        }
    }

    /// See [`super::serialize`].
    ///
    /// # Errors
    /// The encoder's.
    pub fn serialize<S: Serializer>(
        text: &Option<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&text.as_deref().map(shortened).unwrap_or_default())
    }

    /// See [`super::deserialize`].
    ///
    /// # Errors
    /// The decoder's.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_ids_are_short() {
        let session = ids::session_id("aws", "111111111111", "AROAEXAMPLE:anna", Some(5));
        let uuid = "145959ab-361b-4dc2-a447-a09bbe2c1be0";
        let upper = uuid.to_uppercase();
        let wrong = session.replace('s', "S");
        let long = format!("{session}0");
        let odd = format!("{}z", &session[..session.len() - 1]);
        for text in [&session, uuid, &upper, &wrong, &long, &odd, "", "s-", "u", "ü", "x-il"] {
            assert_eq!(restored(&shortened(text)).as_deref(), Some(text));
        }
        assert_eq!((shortened(&session).len(), shortened(uuid).len()), (18, 17));
        for damaged in [&b""[..], b"u", b"s123", b"\xff", b"t\xff"] {
            assert_eq!(restored(damaged), None, "{damaged:?}");
        }
    }
}
