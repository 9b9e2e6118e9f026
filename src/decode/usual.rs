//! The `userIdentity` blocks that most records have: a few texts at known places and nothing else. They are
//! read without a tree of values; all others, and those in which anything is unusual, are left to
//! [`Identity::read`](super::identity::Identity::read).

use serde::{Deserialize, Deserializer};

use super::account;
use super::identity::{HIDDEN, IdentityColumns};
use crate::model::time;

/// What is left of a block when the columns have what they hold, where the log says that no token of an
/// identity provider is behind a session.
const NO_TOKEN: &str = r#"{"sessionContext":{"webIdFederationData":{}}}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Block<'a> {
    #[serde(rename = "type", default, borrow, deserialize_with = "said")]
    identity_type: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "said")]
    principal_id: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "said")]
    arn: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "said")]
    account_id: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "said")]
    access_key_id: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "said")]
    user_name: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "said")]
    invoked_by: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "present")]
    session_context: Option<Context<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Context<'a> {
    #[serde(default, borrow, deserialize_with = "present")]
    session_issuer: Option<Issuer<'a>>,
    #[serde(default, borrow, deserialize_with = "present")]
    attributes: Option<Attributes<'a>>,
    #[serde(default, deserialize_with = "present")]
    web_id_federation_data: Option<Nothing>,
    #[serde(default, borrow, deserialize_with = "said")]
    source_identity: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "said")]
    ec2_role_delivery: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "said")]
    sign_in_session_arn: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Issuer<'a> {
    #[serde(rename = "type", borrow, deserialize_with = "said")]
    kind: Option<&'a str>,
    #[serde(borrow, deserialize_with = "said")]
    principal_id: Option<&'a str>,
    #[serde(borrow, deserialize_with = "said")]
    arn: Option<&'a str>,
    #[serde(borrow, deserialize_with = "said")]
    account_id: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "said")]
    user_name: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Attributes<'a> {
    #[serde(borrow, deserialize_with = "said")]
    creation_date: Option<&'a str>,
    #[serde(borrow, deserialize_with = "said")]
    mfa_authenticated: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A text that says something: others stay in what is left of a block.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de str>, D::Error> {
    let text = <&str>::deserialize(deserializer)?;
    if text.is_empty() || text == HIDDEN {
        return Err(serde::de::Error::custom("it says nothing"));
    }
    Ok(Some(text))
}

/// Refuses null, which is not the same as absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The columns of a usual block, and what they leave of it. `None` for all others.
pub(super) fn read(text: &str) -> Option<(IdentityColumns, Option<&'static str>)> {
    let block: Block = serde_json::from_str(text).ok()?;
    let whole = |id: &Option<&str>| {
        id.is_none_or(|id| matches!(account::of_text(id), std::borrow::Cow::Borrowed(_)))
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let mut columns = IdentityColumns {
        identity_type: owned(block.identity_type),
        principal_id: owned(block.principal_id),
        principal_arn: owned(block.arn),
        account_id: owned(block.account_id),
        access_key_id: owned(block.access_key_id),
        user_name: owned(block.user_name),
        invoked_by: owned(block.invoked_by),
        ..IdentityColumns::default()
    };
    // Without a type it is hardly a usual one, and an empty block leaves itself.
    let mut usual =
        block.identity_type.is_some() && whole(&block.account_id) && whole(&block.principal_id);
    let Some(context) = block.session_context else { return usual.then_some((columns, None)) };
    if let Some(issuer) = &context.session_issuer {
        columns.session_issuer_type = owned(issuer.kind);
        columns.session_issuer_principal_id = owned(issuer.principal_id);
        columns.session_issuer_arn = owned(issuer.arn);
        columns.session_issuer_account_id = owned(issuer.account_id);
        columns.session_issuer_user_name = owned(issuer.user_name);
        usual &= whole(&issuer.account_id);
    }
    let attributes = context.attributes?;
    let created = attributes.creation_date.filter(|created| time::is_canonical(created))?;
    columns.session_created_at = Some(time::parse_instant(created)?);
    columns.mfa_authenticated = Some(match attributes.mfa_authenticated? {
        "true" => true,
        "false" => false,
        _ => return None,
    });
    columns.source_identity = owned(context.source_identity);
    columns.ec2_role_delivery = owned(context.ec2_role_delivery);
    columns.sign_in_session_arn = owned(context.sign_in_session_arn);
    let left = context.web_id_federation_data.map(|_| NO_TOKEN);
    usual.then_some((columns, left))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::identity::Identity;
    use super::super::json;
    use super::*;

    /// Blocks that are usual, or nearly so.
    fn any_block() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            6 => "[a-z:/]{1,6}",
            1 => Just(String::new()),
            1 => Just(HIDDEN.to_owned()),
            1 => Just("12345".to_owned()),
            1 => Just("é\"\\".to_owned()),
            2 => Just("true".to_owned()),
            2 => Just("2024-05-01T09:00:12Z".to_owned()),
            1 => Just("20240501T090012Z".to_owned()),
        ];
        let leaf = prop_oneof![
            12 => text.prop_map(Value::from),
            1 => Just(Value::Null),
            1 => Just(json!({})),
            1 => Just(json!(12345)),
        ];
        let object = |names: &'static [&'static str], most: usize| {
            prop::collection::vec((prop::sample::select(names), leaf.clone()), 0..most).prop_map(
                |members| {
                    let texts: Vec<String> =
                        members.iter().map(|(name, leaf)| format!("\"{name}\":{leaf}")).collect();
                    texts.join(",")
                },
            )
        };
        let top = object(
            &["principalId", "arn", "accountId", "accessKeyId", "userName", "invokedBy", "x"],
            6,
        );
        let issuer = object(&["type", "principalId", "arn", "accountId", "userName", "y"], 6);
        let context = object(&["sourceIdentity", "ec2RoleDelivery", "webIdFederationData"], 3);
        let whole_issuer = r#""type":"Role","principalId":"AROAX","arn":"a","accountId":"b""#;
        let issuer = prop_oneof![issuer, Just(whole_issuer.to_owned())];
        let creation = prop::sample::select(vec!["2024-05-01T09:00:12Z", "20240501T090012Z", ""]);
        let mfa = prop::sample::select(vec!["true", "false", "maybe"]);
        (top, issuer, context, creation, mfa, 0..5_u8).prop_map(
            |(top, issuer, context, created, mfa, form)| {
                let comma = |text: &str| if text.is_empty() { "" } else { "," };
                let attributes = format!(
                    r#""attributes":{{"creationDate":"{created}","mfaAuthenticated":"{mfa}"}}"#
                );
                let issuer = format!(r#""sessionIssuer":{{{issuer}}}"#);
                let (c, t) = (comma(&context), comma(&top));
                match form {
                    0 => format!(r#"{{"type":"IAMUser"{t}{top}}}"#),
                    1 => format!("{{{top}}}"),
                    2 => format!(
                        r#"{{"type":"Root"{t}{top},"sessionContext":{{{attributes}{c}{context}}}}}"#
                    ),
                    _ => format!(
                        r#"{{"type":"AssumedRole"{t}{top},"sessionContext":{{{issuer},{attributes}{c}{context}}}}}"#
                    ),
                }
            },
        )
    }

    proptest! {
        #[test]
        fn usual_blocks_are_read_as_any_others(text in any_block()) {
            let quick = Identity::read(Some(&text), "eu-west-1").unwrap();
            let slow = Identity::of_any(Some(json::canonical(&text).unwrap()), "eu-west-1");
            prop_assert_eq!(format!("{quick:?}"), format!("{slow:?}"));
        }
    }

    #[test]
    fn usual_blocks_are_told_from_others() {
        let usual = r#"{"type":"AssumedRole","principalId":"AROAX:y","arn":"a","accountId":"111111111111","accessKeyId":"ASIAX","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAX","arn":"b","accountId":"111111111111","userName":"R"},"webIdFederationData":{},"attributes":{"creationDate":"2024-05-01T09:00:12Z","mfaAuthenticated":"false"}}}"#;
        assert!(read(usual).is_some());
        assert!(read(r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#).is_some());
        for other in [
            usual.replace(r#""webIdFederationData":{}"#, r#""webIdFederationData":{"x":1}"#),
            usual.replace(r#""userName":"R""#, r#""userName":null"#),
            usual.replace(r#""arn":"a""#, r#""arn":"""#),
            usual.replace(r#""arn":"a""#, r#""arn":"a","arn":"a""#),
            usual.replace("09:00:12Z", "09:00Z"),
            usual.replace("111111111111", "11111111111"),
        ] {
            assert!(read(&other).is_none(), "{other}");
        }
    }
}
