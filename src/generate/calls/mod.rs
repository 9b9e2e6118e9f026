//! The catalogue of ordinary calls: what principals do once they have credentials.
//!
//! A call is a row of a table; `$words` in its templates are filled in afresh for each call.

mod compute;
mod security;
mod storage;

use super::clock::{Seconds, iso};
use super::desk::Desk;
use super::dice::Dice;
use super::identity::Caller;
use super::people::partition;
use super::record::Call;

/// One row of the catalogue.
pub struct Spec {
    /// The service, without `.amazonaws.com`.
    pub source: &'static str,
    /// `eventName`.
    pub name: &'static str,
    /// What kind of call it is.
    pub what: What,
    /// Template of `requestParameters`; empty for null.
    pub request: &'static str,
    /// Template of `responseElements`; empty for null.
    pub response: &'static str,
    /// Template of the one entry of `resources`; empty for none.
    pub resource: &'static str,
    /// How often it is drawn.
    pub weight: u32,
}

/// What a call does, as `readOnly` and `managementEvent` tell it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Reads configuration.
    Read,
    /// Changes configuration.
    Write,
    /// Reads data.
    DataRead,
    /// Changes data.
    DataWrite,
}

fn specs() -> impl Iterator<Item = &'static Spec> + Clone {
    compute::CALLS.iter().chain(storage::CALLS).chain(security::CALLS)
}

/// A call drawn by weight; one in thirty fails.
pub fn draw(dice: &mut Dice, caller: &Caller, desk: &Desk, at: Seconds) -> Call {
    let index = dice.weighted(specs().map(|spec| u64::from(spec.weight)));
    let spec = specs().nth(index).unwrap_or(&compute::CALLS[0]);
    let call = fill(spec, dice, caller, desk, at);
    if dice.chance(33) { refuse(call, dice, caller) } else { call }
}

/// A call by name; the name must be in the catalogue.
pub fn named(name: &str, dice: &mut Dice, caller: &Caller, desk: &Desk, at: Seconds) -> Call {
    let spec = specs().find(|spec| spec.name == name);
    debug_assert!(spec.is_some(), "no call named {name}");
    fill(spec.unwrap_or(&compute::CALLS[0]), dice, caller, desk, at)
}

fn fill(spec: &Spec, dice: &mut Dice, caller: &Caller, desk: &Desk, at: Seconds) -> Call {
    let read = matches!(spec.what, What::Read | What::DataRead);
    let mut call =
        if read { Call::read(spec.source, spec.name) } else { Call::write(spec.source, spec.name) };
    call.data = matches!(spec.what, What::DataRead | What::DataWrite);
    let mut words = Words::new(dice, caller.account(), desk.region, at);
    if !spec.request.is_empty() {
        call.request = Some(words.expand(spec.request));
    }
    if !spec.response.is_empty() {
        call.response = Some(words.expand(spec.response));
    }
    if !spec.resource.is_empty() {
        call.resources.push(words.expand(spec.resource));
    }
    if spec.source == "s3" && call.data {
        call.additional = Some(transfer(dice, read));
    }
    call
}

fn transfer(dice: &mut Dice, read: bool) -> String {
    let (bytes, id) = (dice.below(5_000_000), dice.mixed(56));
    let (up, down) = if read { (0, bytes) } else { (bytes, 0) };
    format!(
        r#"{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":{up}.0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{id}","bytesTransferredOut":{down}.0}}"#
    )
}

fn refuse(call: Call, dice: &mut Dice, caller: &Caller) -> Call {
    let action = format!("{}:{}", call.source, call.name);
    if dice.chance(250) {
        return call.error("ThrottlingException", "Rate exceeded");
    }
    let code = if call.source == "ec2" { "Client.UnauthorizedOperation" } else { "AccessDenied" };
    let message = format!(
        "User: {} is not authorized to perform: {action} because no identity-based policy allows the {action} action",
        caller.arn()
    );
    call.error(code, &message)
}

/// The words of one call: drawn once, the same in request and response.
struct Words<'a> {
    dice: &'a mut Dice,
    account: &'a str,
    region: &'a str,
    at: Seconds,
    name: String,
    id: String,
    number: u64,
}

const NOUNS: [&str; 12] = [
    "orders",
    "billing",
    "search",
    "reports",
    "images",
    "sessions",
    "invoices",
    "telemetry",
    "catalog",
    "payments",
    "archive",
    "frontend",
];

impl<'a> Words<'a> {
    fn new(dice: &'a mut Dice, account: &'a str, region: &'a str, at: Seconds) -> Words<'a> {
        let noun = *dice.pick(&NOUNS);
        let stage = *dice.pick(&["prod", "test", "dev"]);
        let name = format!("{noun}-{stage}");
        let (id, number) = (dice.hex(17), dice.below(900) + 100);
        Words { dice, account, region, at, name, id, number }
    }

    fn expand(&mut self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 64);
        let mut rest = template;
        while let Some(dollar) = rest.find('$') {
            text.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
            text.push_str(&self.word(&rest[..end]));
            rest = &rest[end..];
        }
        text.push_str(rest);
        match partition(self.account) {
            "aws" => text,
            other => text.replace("arn:aws:", &format!("arn:{other}:")),
        }
    }

    fn word(&mut self, word: &str) -> String {
        match word {
            "account" => self.account.to_string(),
            "region" => self.region.to_string(),
            "name" => self.name.clone(),
            "id" => self.id.clone(),
            "number" => self.number.to_string(),
            "time" => iso(self.at),
            "guid" => self.dice.guid(),
            "hex" => self.dice.hex(16),
            "private" => format!("10.0.{}.{}", self.number % 250, self.number / 5),
            "address" => self.dice.address(),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_json_and_every_word_is_known() {
        let mut dice = Dice::new(1, 1);
        let caller = Caller::root(&"111111111111".into(), String::new(), 0);
        let desk = Desk::program(&mut dice);
        for spec in specs() {
            let call = fill(spec, &mut dice, &caller, &desk, 0);
            for text in call.request.iter().chain(&call.response).chain(&call.resources) {
                let parsed = serde_json::from_str::<serde_json::Value>(text);
                assert!(parsed.is_ok(), "{}: {text}", spec.name);
                assert!(!text.contains("\"\""), "{}: {text}", spec.name);
            }
        }
    }
}
