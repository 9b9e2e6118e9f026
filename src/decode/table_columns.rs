//! The columns of tables that hold a record's members, and what their cells mean.
//!
//! Source: Athena User Guide, "Create a table for CloudTrail logs"; CloudTrail User Guide, "CloudTrail
//! Lake supported schema for event records". Both print names in lower case.

use serde_json::{Map, Value};

use super::element::is_json;
use super::raw::Member;

/// Members of a record without a column in **events** that tables have, as CloudTrail spells them.
const OTHERS: &[&str] = &[
    "apiVersion",
    "vpcEndpointAccountId",
    "edgeDeviceDetails",
    "insightDetails",
    "addendum",
    "eventContext",
    "annotation",
];

/// Names inside `userIdentity`, as CloudTrail spells them.
const IDENTITY_NAMES: &[&str] = &[
    "type",
    "principalId",
    "arn",
    "accountId",
    "accessKeyId",
    "userName",
    "invokedBy",
    "invokedByDelegate",
    "identityProvider",
    "credentialId",
    "inScopeOf",
    "issuerType",
    "credentialsIssuedTo",
    "sourceArn",
    "sourceAccount",
    "onBehalfOf",
    "userId",
    "identityStoreArn",
    "sessionContext",
    "sessionIssuer",
    "attributes",
    "creationDate",
    "mfaAuthenticated",
    "sourceIdentity",
    "ec2RoleDelivery",
    "ec2IssuedInVpc",
    "assumedRoot",
    "signInSessionArn",
    "webIdFederationData",
    "federatedProvider",
];

/// Names inside other structs that have a fixed form.
const TLS_NAMES: &[&str] = &["tlsVersion", "cipherSuite", "clientProvidedHostHeader"];
const ADDENDUM_NAMES: &[&str] =
    &["reason", "updatedFields", "originalRequestID", "originalEventID"];

/// What cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cells {
    Text,
    Flag,
    Time,
    Json,
    Tls,
    Addendum,
    Identity,
    Resources,
}

/// One column of a table.
#[derive(Debug)]
pub(super) struct Column {
    /// The name that it has in a record.
    pub name: String,
    member: Option<Member>,
    cells: Cells,
}

/// The columns under these names.
pub(super) fn columns(names: &[String]) -> Vec<Column> {
    names.iter().map(|name| Column::named(name.trim_start_matches('\u{feff}').trim())).collect()
}

impl Column {
    fn named(name: &str) -> Column {
        let member = Member::ALL.iter().copied().find(|m| m.name().eq_ignore_ascii_case(name));
        let other = OTHERS.iter().find(|other| other.eq_ignore_ascii_case(name));
        let spelled = member.map(Member::name).or(other.copied()).unwrap_or(name);
        let cells = match member {
            Some(Member::UserIdentity) => Cells::Identity,
            Some(Member::Resources) => Cells::Resources,
            Some(Member::EventTime) => Cells::Time,
            Some(Member::ReadOnly | Member::ManagementEvent) => Cells::Flag,
            Some(
                Member::RequestParameters
                | Member::ResponseElements
                | Member::AdditionalEventData
                | Member::ServiceEventDetails,
            ) => Cells::Json,
            Some(Member::TlsDetails) => Cells::Tls,
            None if spelled == "addendum" => Cells::Addendum,
            None if ["edgeDeviceDetails", "insightDetails", "eventContext"].contains(&spelled) => {
                Cells::Json
            }
            _ => Cells::Text,
        };
        Column { name: spelled.to_owned(), member, cells }
    }

    pub(super) fn is(&self, member: Member) -> bool {
        self.member == Some(member)
    }

    /// Whether it is one of a record's own members.
    pub(super) fn is_member(&self) -> bool {
        self.member.is_some() || OTHERS.contains(&self.name.as_str())
    }

    /// The cell as JSON text.
    ///
    /// # Errors
    /// What was lost when it was printed, and what to do about it.
    pub(super) fn json(&self, cell: &str) -> Result<String, String> {
        let text = |cell: &str| Ok(Value::from(cell).to_string());
        let trimmed = cell.trim();
        match self.cells {
            Cells::Text => text(cell),
            Cells::Time => text(&time(trimmed)),
            Cells::Flag if trimmed.eq_ignore_ascii_case("true") => Ok("true".to_owned()),
            Cells::Flag if trimmed.eq_ignore_ascii_case("false") => Ok("false".to_owned()),
            Cells::Flag => text(cell),
            _ if trimmed == "null" => Ok("null".to_owned()),
            Cells::Identity if is_json(trimmed) => {
                respelled(trimmed, IDENTITY_NAMES).ok_or_else(|| self.nameless())
            }
            Cells::Resources if is_json(trimmed) => {
                respelled(trimmed, &["ARN", "accountId", "type"]).ok_or_else(|| self.nameless())
            }
            Cells::Tls if is_json(trimmed) => {
                respelled(trimmed, TLS_NAMES).ok_or_else(|| self.nameless())
            }
            Cells::Addendum if is_json(trimmed) => {
                respelled(trimmed, ADDENDUM_NAMES).ok_or_else(|| self.nameless())
            }
            Cells::Json if is_json(trimmed) => Ok(trimmed.to_owned()),
            Cells::Json | Cells::Tls | Cells::Addendum if !trimmed.starts_with(['{', '[']) => {
                text(cell)
            }
            _ => Err(format!(
                "{name} is printed as {{key=value}}, which cannot be read without loss; export it as \
                 JSON: CAST({name} AS JSON)",
                name = self.name
            )),
        }
    }

    fn nameless(&self) -> String {
        format!("{} has values without names; export it as JSON objects", self.name)
    }
}

/// SQL prints `2024-05-01 09:00:00.000 UTC` where CloudTrail has `2024-05-01T09:00:00Z`.
fn time(cell: &str) -> String {
    let bare = cell.strip_suffix(" UTC").or_else(|| cell.strip_suffix('Z')).unwrap_or(cell);
    let bare = match bare.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        _ => bare,
    };
    let sql = bare.len() >= 19 && bare.as_bytes().get(10) == Some(&b' ');
    match (sql, bare.split_once(' ')) {
        (true, Some((day, clock))) => format!("{day}T{clock}Z"),
        _ => cell.to_owned(),
    }
}

/// JSON with the names of its members spelled as in a list that has them in any case; `None` when a
/// struct was written as a list of values.
fn respelled(text: &str, names: &[&str]) -> Option<String> {
    let value = serde_json::from_str(text).ok()?;
    let value = respell(value, names);
    let entries_named = match &value {
        Value::Array(entries) => entries.iter().all(|entry| !entry.is_array()),
        _ => true,
    };
    let identity_list = value.is_array() && names.contains(&"principalId");
    (entries_named && !identity_list).then(|| value.to_string())
}

fn respell(value: Value, names: &[&str]) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| {
                let spelled = names.iter().find(|n| n.eq_ignore_ascii_case(&name));
                (spelled.map_or(name, |s| (*s).to_owned()), respell(value, names))
            };
            Value::Object(members.into_iter().map(member).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(|item| respell(item, names)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(name: &str, cell: &str) -> Result<String, String> {
        Column::named(name).json(cell)
    }

    #[test]
    fn cells_become_what_the_record_had() {
        for (name, cell, expected) in [
            ("eventtime", "2024-05-01 09:00:00.000", "\"2024-05-01T09:00:00Z\""),
            ("eventtime", "2024-05-01 09:00:00.000 UTC", "\"2024-05-01T09:00:00Z\""),
            ("eventtime", "2024-05-01T09:00:00Z", "\"2024-05-01T09:00:00Z\""),
            ("readonly", "true", "true"),
            ("requestparameters", "null", "null"),
            ("requestparameters", r#"{"a": 1}"#, r#"{"a": 1}"#),
            ("eventname", "null", "\"null\""),
            ("resources", r#"[{"arn":"a","accountid":"1"}]"#, r#"[{"ARN":"a","accountId":"1"}]"#),
            (
                "useridentity",
                r#"{"type":"x","sessioncontext":{"sessionissuer":{"principalid":"A"}}}"#,
                r#"{"sessionContext":{"sessionIssuer":{"principalId":"A"}},"type":"x"}"#,
            ),
        ] {
            assert_eq!(json(name, cell).unwrap(), expected);
        }
        for (name, cell, why) in [
            ("useridentity", "{type=AssumedRole, arn=x}", "CAST(userIdentity AS JSON)"),
            ("requestparameters", "{bucketName=x}", "CAST(requestParameters AS JSON)"),
            ("useridentity", r#"["AssumedRole","x"]"#, "without names"),
            ("resources", r#"[["x"]]"#, "without names"),
        ] {
            assert!(json(name, cell).unwrap_err().contains(why), "{cell}");
        }
    }
}
