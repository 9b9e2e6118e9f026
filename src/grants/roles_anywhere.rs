//! IAM Roles Anywhere `CreateSession`: a role for whoever holds a certificate.
//!
//! The shape of the record is not confirmed by any published one, so the response is searched for the
//! key wherever it stands; only the API's own answer is documented. The subject of the certificate is
//! the origin: Roles Anywhere writes its common name into the source identity (`CN=…`) and into the
//! tag `x509Subject/CN`. Instead of this record, or beside it, the service may show as the caller of
//! `sts:AssumeRole`. S3's call of the same name has nothing to do with it.
//! Source: IAM Roles Anywhere User Guide, "CreateSession API" and "Trust model".

use serde_json::Value;

use super::reading::{Reading, find, text};
use super::{Caller, Grant, Kind};
use crate::model::{arn, ids};

/// The call's name.
pub const NAME: &str = "CreateSession";

pub(super) const KIND: Kind = Kind { name: NAME, sources: &["rolesanywhere.amazonaws.com"], fill };

/// The role of the service's own housekeeping, which no certificate asks for.
const HOUSEKEEPING: &str = "AWSServiceRoleForRolesAnywhere";

fn fill(reading: &Reading, grant: &mut Grant) {
    reading.with_issue().fill_role(grant);
    grant.principal = certificate(reading, grant).map(Box::new);
}

/// The certificate's holder, when the service itself assumes the role.
pub(super) fn behind_service(reading: &Reading, grant: &Grant) -> Option<Caller> {
    let service = grant.caller.invoked_by.as_deref()?;
    let own = grant.child.role_name.as_deref() == Some(HOUSEKEEPING);
    let named = service.starts_with("rolesanywhere.amazonaws.com") && !own;
    named.then(|| certificate(reading, grant)).flatten()
}

fn certificate(reading: &Reading, grant: &Grant) -> Option<Caller> {
    let anchor_arn = find(&reading.request, "trustAnchorArn");
    let anchor = anchor_arn.as_deref().map(resource);
    let profile = find(&reading.request, "profileArn").as_deref().map(resource);
    let subject_arn = find(&reading.response, "subjectArn");
    let name = common_name(reading).or_else(|| subject_arn.clone())?;
    let serial = grant.child.session_name.as_deref().filter(|name| is_serial(name));
    let detail: Vec<String> = [
        serial.map(|serial| format!("certificate {serial}")),
        subject_arn.filter(|arn| *arn != name).as_deref().map(resource),
        anchor,
        profile,
    ]
    .into_iter()
    .flatten()
    .collect();
    let detail = Some(detail.join(", ")).filter(|detail| !detail.is_empty());
    let account = grant.recipient_account_id.clone().or_else(|| grant.child.account_id.clone());
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let parts = ["certificate", &text(&account), &name, &text(&detail), &text(&anchor_arn)];
    Some(Caller {
        identity_type: Some("RolesAnywhere".to_owned()),
        credential_id: ids::external_credential_id(&parts),
        account_id: account,
        identity_provider: detail,
        vouched_by: anchor_arn,
        user_name: Some(name),
        ..Caller::default()
    })
}

/// `CN=…` of the certificate's subject, in whichever of the known places.
fn common_name(reading: &Reading) -> Option<String> {
    let source_identity = find(&reading.response, "sourceIdentity")
        .or_else(|| find(&reading.request, "sourceIdentity"))
        .filter(|name| name.starts_with("CN="));
    let tagged = || {
        let tags = reading.request.get("tags")?.as_array()?;
        let cn = tags.iter().find(|tag| tag["key"] == "x509Subject/CN")?;
        Some(format!("CN={}", text(&cn["value"])?))
    };
    source_identity.or_else(tagged)
}

/// Session names default to the certificate's serial number in hexadecimal.
fn is_serial(name: &str) -> bool {
    name.len() >= 8 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `trust-anchor/…` of an ARN.
fn resource(text: &str) -> String {
    arn::Arn::parse(text).map_or(text, |parsed| parsed.resource).to_owned()
}

impl<'e, 'a> Reading<'e, 'a> {
    /// The same record with the part of its response that holds `credentials`, at whatever depth.
    fn with_issue(&self) -> Reading<'e, 'a> {
        let inner = holder(&self.response, 0).unwrap_or(&Value::Null).clone();
        Reading {
            event: self.event,
            request: self.request.clone(),
            response: inner,
            additional: self.additional.clone(),
            details: self.details.clone(),
        }
    }
}

fn holder(value: &Value, depth: usize) -> Option<&Value> {
    if depth > super::reading::DEEPEST {
        return None;
    }
    // The key itself may be left out.
    let issued = |name: &str| value.get(name).is_some_and(Value::is_object);
    match value {
        Value::Object(_) if issued("credentials") || issued("assumedRoleUser") => Some(value),
        Value::Object(members) => members.values().find_map(|inner| holder(inner, depth + 1)),
        Value::Array(items) => items.iter().find_map(|inner| holder(inner, depth + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::grants::Grant;
    use crate::grants::tests::read;

    fn issue(source_identity: Value) -> Value {
        json!({"credentials": {"accessKeyId": "ASIAEXAMPLE", "expiration": "2024-05-01T10:00:00Z"},
            "assumedRoleUser": {"arn": "arn:aws:sts::111111111111:assumed-role/Plant/00ab34ef9912cd",
                "assumedRoleId": "AROAEXAMPLE:00ab34ef9912cd"},
            "roleArn": "arn:aws:iam::111111111111:role/Plant", "sourceIdentity": source_identity})
    }

    fn request() -> Value {
        json!({"profileArn": "arn:aws:rolesanywhere:eu-west-1:111111111111:profile/p",
            "roleArn": "arn:aws:iam::111111111111:role/Plant",
            "trustAnchorArn": "arn:aws:rolesanywhere:eu-west-1:111111111111:trust-anchor/t",
            "roleSessionName": "00ab34ef9912cd", "durationSeconds": 3600})
    }

    fn created(response: Value) -> Grant {
        let nobody = json!({"type": "Unknown"});
        read("rolesanywhere", "CreateSession", &nobody, request(), response).unwrap()
    }

    #[test]
    fn the_certificate_is_the_origin_in_every_shape() {
        for response in [
            json!({"credentialSet": [issue(json!("CN=press-7"))], "subjectArn": "arn:aws:rolesanywhere:eu-west-1:111111111111:subject/s"}),
            issue(json!("CN=press-7")),
            json!({"credentialSet": {"item": issue(json!("CN=press-7"))}}),
        ] {
            let grant = created(response);
            assert_eq!(grant.issued_access_key_id.as_deref(), Some("ASIAEXAMPLE"));
            assert_eq!(grant.child.principal_id.as_deref(), Some("AROAEXAMPLE:00ab34ef9912cd"));
            assert!(grant.expires_at.is_some());
            let holder = *grant.principal.unwrap();
            assert_eq!(holder.identity_type.as_deref(), Some("RolesAnywhere"));
            assert_eq!(holder.user_name.as_deref(), Some("CN=press-7"));
            let detail = holder.identity_provider.unwrap();
            assert!(detail.starts_with("certificate 00ab34ef9912cd, "), "{detail}");
            assert!(detail.ends_with("trust-anchor/t, profile/p"), "{detail}");
        }
    }

    #[test]
    fn without_a_name_the_subject_stands_and_without_that_nobody() {
        let subject = "arn:aws:rolesanywhere:eu-west-1:111111111111:subject/s";
        let named = created(json!({"credentialSet": [issue(json!(null))], "subjectArn": subject}));
        assert_eq!(named.principal.unwrap().user_name.as_deref(), Some(subject));
        // A source identity that somebody chose is no subject.
        assert_eq!(created(json!({"credentialSet": [issue(json!("anna"))]})).principal, None);
        assert_eq!(created(json!(null)).issued_access_key_id, None);
    }

    #[test]
    fn the_service_may_assume_the_role_itself() {
        let service = json!({"type": "AWSService", "invokedBy": "rolesanywhere.amazonaws.com"});
        let mut request = request();
        request["tags"] = json!([{"key": "x509Subject/CN", "value": "press-7"}]);
        let grant = read("sts", "AssumeRole", &service, request.clone(), issue(json!(null)));
        let holder = grant.unwrap().principal.unwrap();
        assert_eq!(holder.user_name.as_deref(), Some("CN=press-7"));
        request["roleArn"] = json!(
            "arn:aws:iam::111111111111:role/aws-service-role/rolesanywhere.amazonaws.com/AWSServiceRoleForRolesAnywhere"
        );
        let own = read("sts", "AssumeRole", &service, request.clone(), json!(null)).unwrap();
        assert_eq!(own.principal, None, "housekeeping");
        // The tag proves nothing when anybody else sets it.
        let user = json!({"type": "IAMUser", "principalId": "AIDAEXAMPLE"});
        assert_eq!(read("sts", "AssumeRole", &user, request, json!(null)).unwrap().principal, None);
    }

    #[test]
    fn the_call_of_the_same_name_in_s3_is_another() {
        let user = json!({"type": "IAMUser", "principalId": "AIDAEXAMPLE"});
        assert!(read("s3", "CreateSession", &user, json!({}), issue(json!("CN=x"))).is_none());
    }
}
