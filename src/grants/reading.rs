//! Reads request and response of an issuing event without trusting their shape.

use serde_json::Value;

use super::Grant;
use crate::decode::Event;
use crate::model::{arn, time};

/// Request, response and the rest of an issuing event, parsed.
pub(super) struct Reading<'e, 'a> {
    pub event: &'e Event<'a>,
    pub request: Value,
    pub response: Value,
    pub additional: Value,
    pub details: Value,
}

impl<'e, 'a> Reading<'e, 'a> {
    pub fn of(event: &'e Event<'a>) -> Reading<'e, 'a> {
        let parse = |text: &Option<std::borrow::Cow<str>>| {
            let value = text.as_deref().and_then(|text| serde_json::from_str(text).ok());
            match value {
                // Some exports hold the object as a string.
                Some(Value::String(inner)) => serde_json::from_str(&inner).unwrap_or(Value::Null),
                other => other.unwrap_or(Value::Null),
            }
        };
        Reading {
            event,
            request: parse(&event.request_parameters),
            response: parse(&event.response_elements),
            additional: parse(&event.additional_event_data),
            details: parse(&event.service_event_details),
        }
    }

    /// `credentials` and `assumedRoleUser` or `federatedUser` of an STS response.
    pub fn fill_issued(&self, grant: &mut Grant) {
        let credentials = &self.response["credentials"];
        grant.issued_access_key_id = text(&credentials["accessKeyId"]);
        grant.expires_at = match &credentials["expiration"] {
            Value::Number(epoch) => time::parse_expiration(&epoch.to_string()),
            other => other.as_str().and_then(time::parse_expiration),
        };
        grant.duration_seconds = whole_number(&self.request["durationSeconds"]);
        grant.mfa_serial = text(&self.request["serialNumber"]);
        grant.source_identity = text(&self.request["sourceIdentity"])
            .or_else(|| text(&self.response["sourceIdentity"]))
            .or_else(|| self.event.identity.columns.source_identity.clone());
    }

    /// The IAM user for whom a key or a password is made. Users (and root) who name nobody make it for
    /// themselves; `shown` is the name in the response.
    pub fn fill_user(&self, grant: &mut Grant, shown: Option<String>) {
        let asked = text(&self.request["userName"]);
        let (caller, child) = (&grant.caller, &mut grant.child);
        child.account_id = grant.recipient_account_id.clone().or_else(|| caller.account_id.clone());
        "IAMUser".clone_into(&mut child.identity_type);
        match caller.identity_type.as_deref() {
            Some("Root") if asked.is_none() => {
                "Root".clone_into(&mut child.identity_type);
                child.principal_id = caller.principal_id.clone();
            }
            Some("IAMUser") if asked.is_none() || asked == caller.user_name => {
                child.principal_id = caller.principal_id.clone();
                child.user_name = caller.user_name.clone().or(shown);
            }
            _ => child.user_name = asked.or(shown),
        }
    }

    /// Everything that the three calls that assume a role have in common.
    pub fn fill_role(&self, grant: &mut Grant) {
        self.fill_issued(grant);
        let child = &mut grant.child;
        "AssumedRole".clone_into(&mut child.identity_type);
        child.role_arn = text(&self.request["roleArn"]).or_else(|| child.role_arn.take());
        let user = &self.response["assumedRoleUser"];
        child.principal_id = text(&user["assumedRoleId"]);
        let user_arn = text(&user["arn"]);
        let session_name = || arn::Arn::parse(user_arn.as_deref()?)?.session_name();
        child.session_name =
            text(&self.request["roleSessionName"]).or_else(|| session_name().map(str::to_owned));
        let role = child.role_arn.as_deref().or(user_arn.as_deref());
        child.role_name = role.and_then(arn::role_name).map(str::to_owned);
        // Of a denied call the account may be all that its message tells of the role.
        let account = role.and_then(arn::account).map(str::to_owned);
        child.account_id = account.or_else(|| child.account_id.take());
        if let Some(partition) = role.and_then(arn::partition) {
            partition.clone_into(&mut child.partition);
        }
        grant.external_id = text(&self.request["externalId"]);
        grant.tags = tags(&self.request["tags"]).or_else(|| tags(&self.request["principalTags"]));
        grant.transitive_tag_keys = strings(&self.request["transitiveTagKeys"]);
        grant.incoming_transitive_tags = tags(&self.request["incomingTransitiveTags"]);
        grant.session_policy = session_policy(&self.request);
    }
}

/// Deepest member that [`find`] looks at; records of AWS are far flatter.
pub(super) const DEEPEST: usize = 8;

/// The first text under this name, at whatever depth: for records whose shape is not documented.
pub(super) fn find(value: &Value, name: &str) -> Option<String> {
    find_below(value, name, 0)
}

fn find_below(value: &Value, name: &str, depth: usize) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    match value {
        Value::Object(members) => members
            .get(name)
            .and_then(text)
            .or_else(|| members.values().find_map(|inner| find_below(inner, name, depth + 1))),
        Value::Array(items) => items.iter().find_map(|inner| find_below(inner, name, depth + 1)),
        _ => None,
    }
}

/// Text that says something: not empty, not CloudTrail's literal for hidden values.
pub(super) fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.is_empty() && text != crate::decode::identity::HIDDEN).then(|| text.to_owned())
}

/// A number, also when it is written as text.
pub(super) fn whole_number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

/// Tags as one JSON object, whether written as an object or as a list of key and value.
fn tags(value: &Value) -> Option<String> {
    let object = match value {
        Value::Object(object) if !object.is_empty() => object.clone(),
        Value::Array(list) if !list.is_empty() => {
            list.iter().filter_map(|tag| Some((text(&tag["key"])?, tag["value"].clone()))).collect()
        }
        _ => return None,
    };
    Some(Value::Object(object).to_string())
}

/// `policy` and `policyArns` as one JSON object.
fn session_policy(request: &Value) -> Option<String> {
    let parts = ["policy", "policyArns"]
        .iter()
        .filter(|name| !request[**name].is_null())
        .map(|name| ((*name).to_owned(), request[*name].clone()));
    let object: serde_json::Map<String, Value> = parts.collect();
    (!object.is_empty()).then(|| Value::Object(object).to_string())
}
