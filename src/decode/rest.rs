//! What no column of **events** holds, and the hash over the whole record.

use std::borrow::Cow;

use serde_json::Value;

use super::account;
use super::event::Resource;
use super::identity::Identity;
use super::json::{self, Canonical};
use super::raw::{self, Member, RawRecord};
use super::redact;

/// Collects what no column holds, and the hash over everything.
#[derive(Default)]
pub(super) struct Rest<'r> {
    /// Name and JSON text of members for `extra`.
    extra: Vec<(&'r str, Cow<'r, str>)>,
    /// Hash of all members so far.
    pub(super) hash: u64,
}

impl<'r> Rest<'r> {
    fn add_hash(&mut self, name: &str, value: u64) {
        self.hash = self.hash.wrapping_add(json::hash_member(name, value));
    }

    pub(super) fn hash_text(&mut self, member: Member, text: &str) {
        self.add_hash(member.name(), json::hash_text(text));
    }

    pub(super) fn put(&mut self, name: &'r str, json: Cow<'r, str>) {
        self.extra.push((name, json));
    }

    /// Keeps a member that no column can hold as it is.
    pub(super) fn keep(&mut self, name: &'r str, raw: &str) -> Result<(), json::TooDeep> {
        let Canonical { text, hash } = json::canonical(raw)?;
        if redact::is_token_key(name) {
            return Ok(());
        }
        self.add_hash(name, hash);
        if text == "null" {
            // Most records have some of these.
            self.put(name, Cow::Borrowed("null"));
            return Ok(());
        }
        let value = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.as_ref()));
        self.put(name, Cow::Owned(value.to_string()));
        Ok(())
    }

    pub(super) fn text<'a>(
        &mut self,
        record: &RawRecord<'a>,
        member: Member,
    ) -> Option<Cow<'a, str>> {
        let raw = record.get(member)?;
        match raw::text(raw).filter(|text| !text.is_empty()) {
            Some(text) => {
                self.hash_text(member, &text);
                if record.may_hold_token(&text) {
                    return Some(Cow::Owned(redact::scrub(&text)));
                }
                Some(text)
            }
            None => {
                // A wrong type in one member is no reason to lose the record.
                let _ = self.keep(member.name(), raw);
                None
            }
        }
    }

    /// An account id. What a tool took for a number is kept as it was beside the id it stands for.
    pub(super) fn account<'a>(
        &mut self,
        record: &RawRecord<'a>,
        member: Member,
    ) -> Option<Cow<'a, str>> {
        let raw = record.get(member)?;
        let restored = match raw::text(raw) {
            Some(text) => Some(account::of_text(&text).into_owned()).filter(|id| **id != *text),
            None => account::of_number(raw),
        };
        let Some(id) = restored else { return self.text(record, member) };
        let _ = self.keep(member.name(), raw);
        Some(Cow::Owned(id))
    }

    pub(super) fn flag(&mut self, record: &RawRecord, member: Member) -> Option<bool> {
        let raw = record.get(member)?;
        let flag = match raw {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        match flag {
            Some(_) => self.add_hash(member.name(), hash_of(record, member, raw).ok()?),
            None => {
                let _ = self.keep(member.name(), raw);
                // Some tools write booleans as strings.
                return raw::text(raw).and_then(|text| text.parse().ok());
            }
        }
        flag
    }

    /// A boolean that CloudTrail writes as a string.
    pub(super) fn text_flag(&mut self, record: &RawRecord, member: Member) -> Option<bool> {
        let raw = record.get(member)?;
        let flag = raw::text(raw).and_then(|text| text.parse().ok());
        match flag {
            Some(_) => self.add_hash(member.name(), hash_of(record, member, raw).ok()?),
            None => {
                let _ = self.keep(member.name(), raw);
                return raw.parse().ok();
            }
        }
        flag
    }

    pub(super) fn json<'a>(
        &mut self,
        record: &RawRecord<'a>,
        member: Member,
    ) -> Result<Option<Cow<'a, str>>, json::TooDeep> {
        let Some(raw) = record.get(member) else { return Ok(None) };
        if raw == "null" {
            self.keep(member.name(), raw)?;
            return Ok(None);
        }
        if let Some(hash) = record.hash_of_canonical(member) {
            self.add_hash(member.name(), hash);
            return Ok(Some(Cow::Borrowed(raw)));
        }
        let Canonical { text, hash } = json::canonical(raw)?;
        self.add_hash(member.name(), hash);
        Ok(Some(text))
    }

    pub(super) fn resources(
        &mut self,
        record: &RawRecord,
    ) -> Result<Option<Vec<Resource>>, json::TooDeep> {
        let Some(raw) = record.get(Member::Resources) else { return Ok(None) };
        let whole = |r: &Resource| {
            r.account_id.as_ref().is_none_or(|id| matches!(account::of_text(id), Cow::Borrowed(_)))
        };
        if let Ok(resources) = serde_json::from_str::<Vec<Resource>>(raw)
            && resources.iter().all(whole)
        {
            self.add_hash(Member::Resources.name(), hash_of(record, Member::Resources, raw)?);
            return Ok(Some(resources));
        }
        // Members without a column, nulls, other spellings: the column takes what it can, and the
        // whole stays in `extra`.
        self.keep(Member::Resources.name(), raw)?;
        let entries: Vec<Value> = serde_json::from_str(raw).unwrap_or_default();
        let text = |entry: &Value, name: &str| Some(entry.get(name)?.as_str()?.to_owned());
        let account = |entry: &Value| match entry.get("accountId")? {
            Value::String(id) => Some(account::of_text(id).into_owned()),
            Value::Number(id) if !id.is_f64() => account::of_number(&id.to_string()),
            _ => None,
        };
        let resources = entries.iter().map(|entry| Resource {
            arn: text(entry, "ARN").or_else(|| text(entry, "arn")),
            account_id: account(entry),
            kind: text(entry, "type"),
        });
        Ok(Some(resources.collect::<Vec<_>>()).filter(|r| !r.is_empty()))
    }

    pub(super) fn identity(&mut self, record: &RawRecord, identity: &'r Identity) {
        if record.get(Member::UserIdentity).is_some() {
            self.add_hash(Member::UserIdentity.name(), identity.hash);
        }
        if let Some(rest) = &identity.rest {
            self.put(Member::UserIdentity.name(), Cow::Borrowed(rest));
        }
    }

    /// One JSON object, its members by name.
    pub(super) fn finish(mut self) -> Option<String> {
        if self.extra.is_empty() {
            return None;
        }
        self.extra.sort_unstable_by_key(|(name, _)| *name);
        let room = self.extra.iter().map(|(name, json)| name.len() + json.len() + 4).sum::<usize>();
        let mut out = String::with_capacity(room + 1);
        for (name, json) in &self.extra {
            out.push(if out.is_empty() { '{' } else { ',' });
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric());
            if plain {
                out.extend(["\"", name, "\""]);
            } else {
                out.push_str(&Value::from(*name).to_string());
            }
            out.push(':');
            out.push_str(json);
        }
        out.push('}');
        Some(out)
    }
}

/// The hash of what a member holds.
fn hash_of(record: &RawRecord, member: Member, raw: &str) -> Result<u64, json::TooDeep> {
    match record.hash_of_canonical(member) {
        Some(hash) => Ok(hash),
        None => Ok(json::canonical(raw)?.hash),
    }
}
