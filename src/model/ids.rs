//! Stable ids for sessions and credentials.
//!
//! They are cryptographic hashes of what identifies the thing, so that they are the same on every
//! machine and run, and so that nobody who chooses a session name can make two sessions collide.

use sha2::{Digest, Sha256};

/// Characters of an id after its prefix: 26 base-32 characters, 130 bits.
const ID_CHARS: usize = 26;

/// The id of a session: partition, account, principal id and creation date (seconds since 1970;
/// none for long-term credentials). AWS gives no session id of its own; this tuple is what stays
/// equal over all calls of one session.
pub fn session_id(
    partition: &str,
    account: &str,
    principal_id: &str,
    created: Option<i64>,
) -> String {
    let created = created.map(|c| c.to_string()).unwrap_or_default();
    hashed("s-", &[partition, account, principal_id, &created])
}

/// The id of one credential: an access key (or none) inside a session, under the ARN that an IAM user
/// had at the time of the call (`None` for all others).
pub fn credential_id(session_id: &str, key: Option<&str>, user_arn: Option<&str>) -> String {
    let parts = match &key {
        Some(key) => [session_id, "key", key],
        None => [session_id, "no key", ""],
    };
    match user_arn {
        Some(arn) => hashed("c-", &[&parts[..], &[arn]].concat()),
        None if key.is_none() => hashed("c-", &parts[..2]),
        None => hashed("c-", &parts),
    }
}

/// The id of a caller that has no session: whatever its record says of it.
pub fn external_credential_id(parts: &[&str]) -> String {
    hashed(EXTERNAL, parts)
}

/// Whether an id is one of [`external_credential_id`].
pub fn is_external(credential_id: &str) -> bool {
    credential_id.starts_with(EXTERNAL)
}

const EXTERNAL: &str = "x-";

fn hashed(prefix: &str, parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let mut id = String::with_capacity(prefix.len() + ID_CHARS);
    id.push_str(prefix);
    push_base32(&mut id, &digest);
    id.truncate(prefix.len() + ID_CHARS);
    id
}

/// Bytes of the 130 bits; the last six bits are none of them.
const ID_BYTES: usize = 17;

/// The first letter of an id of ours, and its bits. `None` for every other text.
pub fn parse(id: &str) -> Option<(u8, [u8; ID_BYTES])> {
    let [letter @ (b's' | b'c' | b'x'), b'-', chars @ ..] = id.as_bytes() else { return None };
    if chars.len() != ID_CHARS {
        return None;
    }
    let (mut bytes, mut filled, mut buffer, mut bits) = ([0; ID_BYTES], 0, 0u32, 0u32);
    // Two characters more than there are fill the last byte up.
    for char in chars.iter().chain(b"00") {
        let value = VALUES.get(usize::from(*char)).copied().flatten()?;
        buffer = (buffer << 5) | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *bytes.get_mut(filled)? = (buffer >> bits) as u8;
            filled += 1;
        }
    }
    Some((*letter, bytes))
}

/// The id of these parts; `None` where [`parse`] never gives them.
pub fn from_parts(letter: u8, bytes: [u8; ID_BYTES]) -> Option<String> {
    let unused = bytes.last().is_some_and(|last| last & 0x3f != 0);
    if !matches!(letter, b's' | b'c' | b'x') || unused {
        return None;
    }
    let mut id = String::with_capacity(2 + ID_CHARS + 1);
    id.push(char::from(letter));
    id.push('-');
    push_base32(&mut id, &bytes);
    id.truncate(2 + ID_CHARS);
    Some(id)
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The value of every character of the alphabet.
const VALUES: [Option<u8>; 128] = {
    let mut values = [None; 128];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = Some(value as u8);
        value += 1;
    }
    values
};

/// Lower-case base 32 without the letters that are easily misread (Crockford's alphabet).
fn push_base32(out: &mut String, bytes: &[u8]) {
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(ALPHABET[((buffer >> bits) & 31) as usize] as char);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_do_not_depend_on_where_fields_are_cut() {
        let id = session_id("aws", "111111111111", "AROAEXAMPLE:anna", Some(1_714_554_012));
        assert_eq!(id, session_id("aws", "111111111111", "AROAEXAMPLE:anna", Some(1_714_554_012)));
        assert_eq!(id.len(), 28);
        assert_ne!(id, session_id("aws", "11111111111", "1AROAEXAMPLE:anna", Some(1_714_554_012)));
        assert_ne!(credential_id(&id, None, None), credential_id(&id, Some(""), None));
    }
}
