//! IAM Identity Center around `GetRoleCredentials`: `Federate` opens a member account's console under a
//! permission set's role; `Authenticate` and `CreateToken` sign a person in at the portal or in a
//! program, and issue nothing that later calls show.
//!
//! Two generations of records: type `Unknown` with a user name, then `IdentityCenterUser` with
//! `onBehalfOf` and a credential id. Which service shows as the source, and how the target is spelled,
//! differs between them (unconfirmed which), so all are accepted.
//! Source: IAM Identity Center User Guide, "CloudTrail use cases for IAM Identity Center".

use super::reading::{Reading, text};
use super::{Caller, Grant, Join, Kind, get_role_credentials};
use crate::model::ids;

pub(super) const FEDERATE: Kind =
    Kind { name: "Federate", sources: &["sso.", "portal.sso.", "signin."], fill: federate };
pub(super) const AUTHENTICATE: Kind = lineage("Authenticate");
pub(super) const CREATE_TOKEN: Kind = lineage("CreateToken");
pub(super) const CREATE_TOKEN_WITH_IAM: Kind = lineage("CreateTokenWithIAM");

const fn lineage(name: &'static str) -> Kind {
    Kind {
        name,
        sources: &["sso.", "sso-oauth.", "oidc.sso.", "portal.sso.", "signin."],
        fill: sign_in,
    }
}

fn federate(reading: &Reading, grant: &mut Grant) {
    get_role_credentials::fill(reading, grant);
    grant.console_made = true;
    grant.principal = old_user(grant).map(Box::new);
}

fn sign_in(_: &Reading, grant: &mut Grant) {
    grant.join = Join::Nothing;
    grant.principal = old_user(grant).map(Box::new);
}

/// The older records name the user; that it is one of Identity Center follows from the call.
fn old_user(grant: &Grant) -> Option<Caller> {
    let caller = &grant.caller;
    let name = caller.user_name.clone()?;
    if caller.identity_type.as_deref() != Some("Unknown") {
        return None;
    }
    Some(Caller {
        identity_type: Some("IdentityCenterUser".to_owned()),
        credential_id: ids::external_credential_id(&[
            "Identity Center",
            &name,
            caller.on_behalf_of_user_id.as_deref().unwrap_or(""),
            caller.vouched_by.as_deref().unwrap_or(""),
        ]),
        on_behalf_of_user_id: caller.on_behalf_of_user_id.clone(),
        vouched_by: caller.vouched_by.clone(),
        user_name: Some(name),
        ..Caller::default()
    })
}

/// A value by its name in either spelling: `roleName`, `role_name`, in request or details.
pub(super) fn either(reading: &Reading, name: &str) -> Option<String> {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let wanted = plain(name);
    [&reading.request, &reading.details, &reading.additional].into_iter().find_map(|part| {
        let members = part.as_object()?;
        members.iter().filter(|(name, _)| plain(name) == wanted).find_map(|(_, value)| text(value))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::grants::tests::{read, read_record};
    use crate::grants::{Grant, Join};

    fn federate(source: &str, identity: &Value, details: Value) -> Grant {
        let record = json!({"eventID": "e", "eventTime": "2024-05-01T09:00:00Z", "awsRegion": "eu-west-1",
            "eventSource": source, "eventName": "Federate", "userIdentity": identity,
            "serviceEventDetails": details});
        read_record(&record).unwrap()
    }

    #[test]
    fn both_generations_and_every_spelling() {
        let old = json!({"type": "Unknown", "principalId": "p", "accountId": "111111111111", "userName": "farid"});
        let new = json!({"type": "IdentityCenterUser", "accountId": "111111111111", "credentialId": "c",
            "onBehalfOf": {"userId": "u", "identityStoreArn": "a"}});
        for (source, identity) in [("sso.amazonaws.com", &new), ("signin.amazonaws.com", &old)] {
            for details in [
                json!({"role_name": "Admin", "account_id": "222222222222"}),
                json!({"roleName": "Admin", "accountId": "222222222222"}),
                json!({"RoleName": "Admin", "AccountID": "222222222222"}),
            ] {
                let grant = federate(source, identity, details);
                assert_eq!(grant.join, Join::IdentityCenter);
                assert_eq!(grant.child.account_id.as_deref(), Some("222222222222"));
                assert_eq!(grant.child.role_name.as_deref(), Some("Admin"));
            }
        }
        let named = federate("signin.amazonaws.com", &old, json!({}));
        assert_eq!(named.obtained_by().identity_type.as_deref(), Some("IdentityCenterUser"));
        assert_eq!(named.child.session_name.as_deref(), Some("farid"));
        assert_eq!(federate("sso.amazonaws.com", &new, json!({})).principal, None);
    }

    #[test]
    fn tokens_of_other_services_are_others() {
        let user = json!({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u"}});
        for service in ["sso", "sso-oauth"] {
            let grant = read(service, "CreateToken", &user, json!({}), json!({})).unwrap();
            assert_eq!((grant.join, grant.issued_access_key_id), (Join::Nothing, None));
        }
        assert!(read("license-manager", "CreateToken", &user, json!({}), json!({})).is_none());
    }
}
