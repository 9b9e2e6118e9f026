//! The `userIdentity` block: who the record says is calling.
//!
//! Source: CloudTrail User Guide, "CloudTrail userIdentity element".

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::account;
use super::actor::{self, Actor};
use super::json::{self, Canonical};
use super::{unique, usual};
use crate::model::time;

/// CloudTrail's literal in place of a value it will not show.
pub const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

macro_rules! text_columns {
    ($($field:ident = $($step:literal)/+),+ $(,)?) => {
        /// The parts of `userIdentity` that have a column. Empty strings and CloudTrail's literal
        /// for hidden values are absent here and kept in [`Identity::rest`].
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub struct IdentityColumns {
            $(pub $field: Option<String>,)+
            /// `creationDate`, microseconds since 1970.
            pub session_created_at: Option<i64>,
            pub mfa_authenticated: Option<bool>,
            pub assumed_root: Option<bool>,
            /// `onBehalfOf.identityStoreArn`: the store in which an Identity Center user's id counts.
            /// It has no column and stays in [`Identity::rest`] as well.
            pub identity_store_arn: Option<String>,
        }

        impl IdentityColumns {
            fn take_text(&mut self, block: &mut Value) {
                $(self.$field = take_text(block, &[$($step),+]);)+
            }

            fn write_text(&self, block: &mut Value) {
                $(if let Some(text) = &self.$field {
                    put(block, &[$($step),+], Value::from(text.as_str()));
                })+
            }
        }
    };
}

text_columns! {
    identity_type = "type",
    principal_id = "principalId",
    principal_arn = "arn",
    account_id = "accountId",
    access_key_id = "accessKeyId",
    user_name = "userName",
    invoked_by = "invokedBy",
    identity_provider = "identityProvider",
    on_behalf_of_user_id = "onBehalfOf" / "userId",
    session_issuer_type = "sessionContext" / "sessionIssuer" / "type",
    session_issuer_arn = "sessionContext" / "sessionIssuer" / "arn",
    session_issuer_principal_id = "sessionContext" / "sessionIssuer" / "principalId",
    session_issuer_account_id = "sessionContext" / "sessionIssuer" / "accountId",
    session_issuer_user_name = "sessionContext" / "sessionIssuer" / "userName",
    source_identity = "sessionContext" / "sourceIdentity",
    ec2_role_delivery = "sessionContext" / "ec2RoleDelivery",
    sign_in_session_arn = "sessionContext" / "signInSessionArn",
}

/// Where account ids stand; `principalId` is one for the root user.
const ACCOUNTS: &[&[&str]] =
    &[&["accountId"], &["principalId"], &["sessionContext", "sessionIssuer", "accountId"]];
const CREATED: &[&str] = &["sessionContext", "attributes", "creationDate"];
const MFA: &[&str] = &["sessionContext", "attributes", "mfaAuthenticated"];
const ASSUMED_ROOT: &[&str] = &["sessionContext", "assumedRoot"];

impl IdentityColumns {
    /// Takes from a `userIdentity` block what has a column, and leaves what the columns could not
    /// give back. Anything but an object has nothing.
    pub fn take(block: &mut Value) -> IdentityColumns {
        let identity_store_arn = text_at(block, &["onBehalfOf", "identityStoreArn"]);
        let mut columns = IdentityColumns { identity_store_arn, ..IdentityColumns::default() };
        columns.take_text(block);
        columns.session_created_at = text_at(block, CREATED).and_then(|t| time::parse_instant(&t));
        take_leaf(block, CREATED, |leaf| leaf.as_str().is_some_and(time::is_canonical));
        columns.mfa_authenticated = take_flag(block, MFA);
        columns.assumed_root = take_flag(block, ASSUMED_ROOT);
        columns
    }

    /// Account ids that a tool took for numbers; `text` is the JSON text of the whole block. What was
    /// there stays in the block, because the columns could not give it back.
    fn restore_accounts(&mut self, block: &mut Value, text: &str) {
        let issuer = &mut self.session_issuer_account_id;
        let fields = [&mut self.account_id, &mut self.principal_id, issuer];
        for (path, field) in ACCOUNTS.iter().zip(fields) {
            match field {
                Some(id) => {
                    if let Cow::Owned(whole) = account::of_text(id) {
                        put(block, path, Value::from(std::mem::replace(id, whole)));
                    }
                }
                None if at(block, path).is_some_and(Value::is_number) => {
                    *field = raw_at(text, path).and_then(account::of_number);
                }
                None => {}
            }
        }
    }

    /// The block as far as the columns know it.
    pub fn write(&self) -> Value {
        let mut block = Value::Object(Map::new());
        self.write_text(&mut block);
        if let Some(created) = self.session_created_at {
            put(&mut block, CREATED, Value::from(time::format_instant(created)));
        }
        for (path, flag) in [(MFA, self.mfa_authenticated), (ASSUMED_ROOT, self.assumed_root)] {
            if let Some(flag) = flag {
                put(&mut block, path, Value::from(if flag { "true" } else { "false" }));
            }
        }
        block
    }
}

/// One distinct `userIdentity` block.
#[derive(Debug, Clone)]
pub struct Identity {
    /// What has a column.
    pub columns: IdentityColumns,
    /// What the columns cannot give back: the text of a JSON value to merge over them; `None` when
    /// nothing.
    pub rest: Option<String>,
    /// The kind of resource whose environment got the credentials, and its ARN:
    /// `inScopeOf.issuerType`, `inScopeOf.credentialsIssuedTo`.
    pub in_scope_of: Option<(String, String)>,
    /// Provider and subject of the OIDC token behind a role session, from
    /// `sessionContext.webIdFederationData`.
    pub web_identity: Option<(String, String)>,
    /// `invokedByDelegate.accountId`: the product provider that acts by delegated access.
    pub delegate_account_id: Option<String>,
    /// Hash of the block's content.
    pub hash: u64,
    /// Session and credential, as far as the block alone tells.
    pub actor: Actor,
}

impl Identity {
    /// Reads the raw text of a `userIdentity` member (`None`: the record has none).
    ///
    /// # Errors
    /// [`json::TooDeep`].
    pub fn read(raw: Option<&str>, region: &str) -> Result<Identity, json::TooDeep> {
        let canonical = raw.map(json::canonical).transpose()?;
        if let Some(canonical) = &canonical
            && let Some((columns, rest)) = usual::read(&canonical.text)
        {
            let (rest, actor) = (rest.map(str::to_owned), actor::of_identity(&columns, region));
            return Ok(Identity { columns, rest, hash: canonical.hash, ..Identity::nobody(actor) });
        }
        Ok(Identity::of_any(canonical, region))
    }

    /// A block that says nothing.
    fn nobody(actor: Actor) -> Identity {
        Identity {
            columns: IdentityColumns::default(),
            rest: None,
            in_scope_of: None,
            web_identity: None,
            delegate_account_id: None,
            hash: 0,
            actor,
        }
    }

    /// Reads a block of any kind.
    pub(super) fn of_any(canonical: Option<Canonical>, region: &str) -> Identity {
        // The walk has bounded the depth already; text that has no value, or two for one name, is kept as
        // it stands: nobody can say which of two names is the caller's.
        let mut block = canonical
            .as_ref()
            .map(|c| unique::value(&c.text).unwrap_or_else(|| Value::from(c.text.as_ref())));
        let scope = |member| block.as_ref().and_then(|b| text_at(b, &["inScopeOf", member]));
        let in_scope_of = scope("issuerType").zip(scope("credentialsIssuedTo"));
        let web_identity = block.as_ref().and_then(web_identity);
        let delegate = ["invokedByDelegate", "accountId"];
        let delegate_account_id = block.as_ref().and_then(|block| text_at(block, &delegate));
        let had_members = block.as_ref().and_then(Value::as_object).is_some_and(|b| !b.is_empty());
        let mut columns = block.as_mut().map(IdentityColumns::take).unwrap_or_default();
        if let (Some(block), Some(canonical)) = (&mut block, &canonical) {
            columns.restore_accounts(block, &canonical.text);
        }
        let all_taken =
            had_members && block.as_ref().is_some_and(|b| *b == Value::Object(Map::new()));
        let rest = block.filter(|_| !all_taken).map(|rest| rest.to_string());
        let actor = actor::of_identity(&columns, region);
        let hash = canonical.map_or(0, |c| c.hash);
        Identity { columns, rest, in_scope_of, web_identity, delegate_account_id, hash, actor }
    }

    /// The `userIdentity` block as it was, given its columns and what they could not hold.
    pub fn rebuild(columns: &IdentityColumns, rest: Option<Value>) -> Value {
        merge(columns.write(), rest)
    }
}

fn at<'v>(block: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(block, |value, step| value.as_object()?.get(*step))
}

/// The text of a leaf as it was written: a number may lose digits when it is read.
fn raw_at<'t>(text: &'t str, path: &[&str]) -> Option<&'t str> {
    path.iter().try_fold(text, |text, step| {
        let members: HashMap<Cow<str>, &RawValue> = serde_json::from_str(text).ok()?;
        Some(members.get(*step)?.get())
    })
}

fn text_at(block: &Value, path: &[&str]) -> Option<String> {
    let text = at(block, path)?.as_str()?;
    (!text.is_empty() && text != HIDDEN).then(|| text.to_owned())
}

/// `webIdFederationData` is `{}` where nothing is known. Attributes are named after the provider:
/// `token.example.com:sub` holds the subject.
fn web_identity(block: &Value) -> Option<(String, String)> {
    let data = at(block, &["sessionContext", "webIdFederationData"])?;
    let provider = text_at(data, &["federatedProvider"])?;
    let attributes = at(data, &["attributes"])?.as_object()?;
    let mut subjects = attributes.iter().filter(|(name, _)| name.ends_with(":sub"));
    let subject = subjects.next().filter(|_| subjects.next().is_none())?.1.as_str()?;
    (!subject.is_empty() && subject != HIDDEN).then(|| (provider, subject.to_owned()))
}

/// Takes out the leaf at the end of the path if it is one to take, and the objects that are empty
/// without it.
fn take_leaf(block: &mut Value, path: &[&str], to_take: fn(&Value) -> bool) -> Option<Value> {
    let (step, further) = path.split_first()?;
    let object = block.as_object_mut()?;
    let next = object.get_mut(*step)?;
    if further.is_empty() {
        return if to_take(next) { object.remove(*step) } else { None };
    }
    let taken = take_leaf(next, further, to_take)?;
    if next.as_object().is_some_and(Map::is_empty) {
        object.remove(*step);
    }
    Some(taken)
}

fn take_text(block: &mut Value, path: &[&str]) -> Option<String> {
    let says_something = |leaf: &Value| leaf.as_str().is_some_and(|t| !t.is_empty() && t != HIDDEN);
    match take_leaf(block, path, says_something)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Booleans come as strings, by CloudTrail's habit; real booleans are understood too, and stay,
/// because the column gives back a string.
fn take_flag(block: &mut Value, path: &[&str]) -> Option<bool> {
    let is_flag = |leaf: &Value| matches!(leaf.as_str(), Some("true" | "false"));
    match take_leaf(block, path, is_flag) {
        Some(flag) => Some(flag == "true"),
        None => at(block, path)?.as_bool(),
    }
}

fn put(block: &mut Value, path: &[&str], leaf: Value) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut here = block;
    for step in parents {
        let Some(object) = here.as_object_mut() else { return };
        here = object.entry(*step).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(object) = here.as_object_mut() {
        object.insert((*last).to_owned(), leaf);
    }
}

/// Lays `rest` over `known`.
pub fn merge(known: Value, rest: Option<Value>) -> Value {
    match (known, rest) {
        (known, None) => known,
        (Value::Object(mut known), Some(Value::Object(rest))) => {
            for (key, value) in rest {
                let merged = match known.remove(&key) {
                    Some(old) => merge(old, Some(value)),
                    None => value,
                };
                known.insert(key, merged);
            }
            Value::Object(known)
        }
        (_, Some(rest)) => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn round_trip(block: Value) -> Identity {
        let identity = Identity::read(Some(&block.to_string()), "eu-west-1").unwrap();
        let rest = identity.rest.as_ref().map(|rest| serde_json::from_str(rest).unwrap());
        let again = Identity::rebuild(&identity.columns, rest);
        assert_eq!(again, block);
        identity
    }

    #[test]
    fn keeps_every_member_of_every_shape() {
        let full = round_trip(json!({
            "type": "AssumedRole", "principalId": "AROAEXAMPLE:x", "accessKeyId": "",
            "userName": HIDDEN, "onBehalfOf": {"userId": "u", "identityStoreArn": "a"},
            "sessionContext": {
                "sessionIssuer": {}, "webIdFederationData": {},
                "attributes": {"creationDate": "20131102T010628Z", "mfaAuthenticated": "false"},
                "assumedRoot": true, "sourceIdentity": 5 }
        }));
        assert_eq!(full.columns.access_key_id, None);
        assert_eq!(full.columns.assumed_root, Some(true));
        assert_eq!(full.columns.session_created_at, time::parse_instant("2013-11-02T01:06:28Z"));
        let web = |attributes| {
            let data = json!({"federatedProvider": "p", "attributes": attributes});
            round_trip(json!({"sessionContext": {"webIdFederationData": data}})).web_identity
        };
        let subject = Some(("p".to_owned(), "repo:x".to_owned()));
        assert_eq!(web(json!({"t.example.com:sub": "repo:x", "t.example.com:aud": "a"})), subject);
        assert_eq!(web(json!({"a:sub": "repo:x", "b:sub": "repo:y"})), None);
        assert_eq!(web(json!({})), None);
        let delegated = round_trip(json!({"invokedByDelegate": {"accountId": "999999999999"}}));
        assert_eq!(delegated.delegate_account_id.as_deref(), Some("999999999999"));
        let numbers = round_trip(json!({
            "principalId": 12345678901u64, "accountId": "345678901",
            "sessionContext": {"sessionIssuer": {"accountId": 123456789012.0}}
        }));
        assert_eq!(numbers.columns.principal_id.as_deref(), Some("012345678901"));
        assert_eq!(numbers.columns.account_id.as_deref(), Some("000345678901"));
        let issuer = numbers.columns.session_issuer_account_id;
        assert_eq!(issuer.as_deref(), Some("123456789012"));
        let twice = r#"{"type":"IAMUser","arn":"a","sessionContext":{"x":1},"arn":"b"}"#;
        let identity = Identity::read(Some(twice), "eu-west-1").unwrap();
        assert_eq!(identity.columns, IdentityColumns::default());
        assert_eq!(identity.rest, Some(Value::from(twice).to_string()), "kept as it stands");
        for odd in [json!(null), json!("anna"), json!({}), json!([1]), json!({"type": null})] {
            assert_eq!(round_trip(odd).columns, IdentityColumns::default());
        }
    }
}
