//! Accounts and addresses as people type them. What no log can hold is refused before it is looked for.

use std::net::{IpAddr, Ipv6Addr};

use super::filter::Filter;
use super::pattern::has_wildcard;
use crate::error::{Error, Result};

/// Refuses what is no account: twelve digits, or a pattern of digits.
///
/// # Errors
/// [`Error::Usage`].
pub fn account(text: Option<&str>) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let digits = text.chars().all(|c| c.is_ascii_digit() || c == '*');
    if digits && (text.len() == 12 || has_wildcard(text) && text.len() <= 13) {
        return Ok(());
    }
    Err(Error::usage_hint(
        format!("--account {text} is no account"),
        "an account has twelve digits, leading zeros too: 012345678901; * stands for any of them",
    ))
}

/// Refuses what is no account where paths are compared: twelve digits each, no pattern.
///
/// # Errors
/// [`Error::Usage`].
pub fn accounts(ids: &[String]) -> Result<()> {
    let whole = |id: &&String| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
    match ids.iter().find(|id| !whole(id)) {
        None => Ok(()),
        Some(odd) => Err(Error::usage_hint(
            format!("--account {odd} is no account"),
            "an account has twelve digits, leading zeros too: 012345678901; several are parted by \
             commas without spaces",
        )),
    }
}

/// Refuses what looks like an address or network and is none. A name is none either, but services stand
/// in logs by theirs (`ec2.amazonaws.com`, `AWS Internal`).
///
/// # Errors
/// [`Error::Usage`].
pub fn address(text: Option<&str>) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let numbers = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || "./".contains(c));
    let colons =
        text.contains(':') && text.chars().all(|c| c.is_ascii_hexdigit() || ":./".contains(c));
    let meant = numbers || colons || text.contains('/');
    if !meant || has_wildcard(text) || text.parse::<IpAddr>().is_ok() || network(text).is_some() {
        return Ok(());
    }
    Err(Error::usage_hint(
        format!("--source-ip {text} is neither an address nor a network"),
        "write 198.51.100.7, 198.51.100.0/24, 198.51.100.*, or the name of a service",
    ))
}

fn network(text: &str) -> Option<ipnet::IpNet> {
    text.contains('/').then(|| text.parse().ok()).flatten()
}

impl Filter {
    /// The condition that a column holds the address, an address of the network, or what fits the
    /// pattern. IPv6 is compared as an address: it can be written in many ways.
    pub(super) fn in_network(&mut self, column: &str, text: &str) -> String {
        if network(text).is_some() || text.parse::<Ipv6Addr>().is_ok() {
            let name = self.bind(text);
            return format!("ip_in_cidr({column}, {name})");
        }
        self.fitting(&[column], text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_log_can_hold_is_refused() {
        for good in ["111111111111", "1111*", "*", "************"] {
            assert!(account(Some(good)).is_ok(), "{good}");
        }
        for bad in ["", "12", "1111111111111", "11111111111x", "arn:aws:iam::111111111111:root"] {
            assert!(account(Some(bad)).is_err(), "{bad}");
        }
        for good in [
            "198.51.100.7",
            "198.51.100.*",
            "198.51.100.0/24",
            "2001:db8::1",
            "2001:DB8::/32",
            "::ffff:192.0.2.1",
            "ec2.amazonaws.com",
            "AWS Internal",
            "*.amazonaws.com",
            "",
        ] {
            assert!(address(Some(good)).is_ok(), "{good}");
        }
        for bad in ["198.51.100.400", "198.51.100", "198.51.100.0/33", "2001:db8", "a/b", "1"] {
            assert!(address(Some(bad)).is_err(), "{bad}");
        }
    }
}
