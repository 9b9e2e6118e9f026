//! Pseudonyms for whatever tells who somebody is: accounts, names, keys, principal ids, addresses,
//! resources.
//!
//! A pseudonym is a keyed hash (HMAC-SHA-256) of what it stands for, so the same name is the same
//! pseudonym wherever it stands - in a column, in an ARN, in a policy inside a request - and sessions
//! link as before. Without the key nobody can try names out; whoever has it can.
//!
//! Text is cut where names are cut (`/`, `:`, `-`, `.`, `@`, …), and everything that is not known to
//! be harmless is replaced: what stays is the structure, AWS's own words (services, actions, regions,
//! kinds of resources, `AWSServiceRoleFor…`), times, and short texts of known members ([`json`]).
//! Form is kept: account ids have twelve digits, keys and principal ids their prefix and length,
//! addresses are addresses (of `fd00::/8`, those of one network in one network).
//!
//! [`Redactor::record`] is for a record before it is decoded, [`Redactor::batch`] for rows on their way
//! out of a store. Not replaced: event and request ids, hashes of files, sizes, times, and the words of
//! user agents.

mod batch;
mod json;
mod key;
mod memory;
mod text;
mod words;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use memory::Memory;

pub use key::{Key, MARKER, Note, check_store, key_beside};

/// Letters of pseudonyms: all that a role name, a bucket and a host may have, without the ones that
/// are easily mistaken.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Replaces what tells who somebody is; see the module.
#[derive(Clone)]
pub struct Redactor {
    keyed: Hmac<Sha256>,
    memory: Arc<Memory>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key stays where it is.
        f.write_str("Redactor")
    }
}

/// What a pseudonym stands for; equal texts of different kinds have different pseudonyms.
#[derive(Debug, Clone, Copy)]
enum Of {
    Name,
    Account,
    Key,
    Resource,
    Address,
    Network,
    Id,
    Hash,
}

impl Redactor {
    /// A redactor with this key.
    pub fn new(key: &Key) -> Redactor {
        // HMAC takes keys of any length.
        let keyed = Hmac::new_from_slice(key.bytes());
        let keyed = keyed.unwrap_or_else(|_| Hmac::new(&Default::default()));
        Redactor { keyed, memory: Arc::default() }
    }

    fn digest(&self, of: Of, text: &str) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        mac.update(&[of as u8]);
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A number that tells keys apart without telling the key.
    pub fn fingerprint(&self) -> String {
        self.letters(Of::Hash, "roletrail: which key", 16)
    }

    fn letters(&self, of: Of, text: &str, length: usize) -> String {
        let digest = self.digest(of, text);
        // Longer ones than a digest do not occur; if they do, they repeat.
        let bytes = digest.iter().cycle().take(length);
        bytes.map(|b| char::from(LETTERS[usize::from(b % 32)])).collect()
    }

    /// One part of a name.
    fn name(&self, text: &str) -> String {
        // A letter first, so that no pseudonym is taken for a number; 50 bits, so that a million names
        // hardly ever share one.
        format!("x{}", self.letters(Of::Name, text, 10))
    }

    /// Twelve digits.
    fn account(&self, text: &str) -> String {
        let digest = self.digest(Of::Account, text);
        let number = digest.iter().take(8).fold(0u64, |n, b| (n << 8) | u64::from(*b));
        format!("{:012}", number % 1_000_000_000_000)
    }

    /// An access key id or unique id: its four letters, then as many as there were.
    fn key_id(&self, text: &str) -> String {
        let (prefix, rest) = text.split_at(text.len().min(4));
        format!("{prefix}{}", self.letters(Of::Key, text, rest.len()).to_ascii_uppercase())
    }

    /// `i-0123456789abcdef0`: its prefix, then as many hexadecimal digits.
    fn resource_id(&self, prefix: &str, digits: &str) -> String {
        format!("{prefix}-{}", self.hexadecimal(digits))
    }

    /// As many hexadecimal digits: a serial number, the end of a role of Identity Center.
    fn hexadecimal(&self, digits: &str) -> String {
        let digest = self.digest(Of::Resource, digits);
        // Longer ones than a digest do not occur; if they do, they repeat.
        let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).cycle();
        let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
        nibbles.take(digits.len()).map(digit).collect()
    }

    /// An address of `fd00::/8`. Those of one /24 (IPv6: /64) are in one /64.
    fn address(&self, address: IpAddr) -> String {
        let network = match address {
            IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
            IpAddr::V6(v6) => v6.octets()[..8].to_vec(),
        };
        let network: String = network.iter().map(|byte| format!("{byte:02x}")).collect();
        let network = self.digest(Of::Network, &network);
        let host = self.digest(Of::Address, &address.to_string());
        let mut octets = [0u8; 16];
        octets[0] = 0xfd;
        octets[1..8].copy_from_slice(&network[..7]);
        octets[8..].copy_from_slice(&host[..8]);
        Ipv6Addr::from(octets).to_string()
    }
}
