//! Cognito identity pools: `GetCredentialsForIdentity` hands out a role's key to an identity of the pool;
//! `GetOpenIdToken` and `GetOpenIdTokenForDeveloperIdentity` only a token, with which
//! AssumeRoleWithWebIdentity is called.
//!
//! The caller shows as type `Unknown`; the request names the identity. These are data events, which
//! trails record only when asked to.
//! Source: Amazon Cognito Developer Guide, "Amazon Cognito identity pools events".

use super::reading::{Reading, text};
use super::{Caller, Grant, Join, Kind};
use crate::model::{arn, ids};

/// The call that hands out a key.
pub const CREDENTIALS_NAME: &str = "GetCredentialsForIdentity";

pub(super) const CREDENTIALS: Kind = kind(CREDENTIALS_NAME, credentials);
pub(super) const TOKEN: Kind = kind("GetOpenIdToken", token);
pub(super) const DEVELOPER_TOKEN: Kind = kind("GetOpenIdTokenForDeveloperIdentity", token);

/// The provider's name, as tokens of a pool show it.
pub const PROVIDER: &str = "cognito-identity.amazonaws.com";

const fn kind(name: &'static str, fill: fn(&Reading, &mut Grant)) -> Kind {
    Kind { name, sources: &[PROVIDER], fill }
}

fn credentials(reading: &Reading, grant: &mut Grant) {
    reading.fill_issued(grant);
    let role = text(&reading.request["customRoleArn"]);
    let child = &mut grant.child;
    "AssumedRole".clone_into(&mut child.identity_type);
    child.account_id = role.as_deref().and_then(arn::account).map(str::to_owned);
    child.role_name = role.as_deref().and_then(arn::role_name).map(str::to_owned);
    child.role_arn = role;
    let account = child.account_id.take().or_else(|| grant.recipient_account_id.clone());
    grant.child.account_id = account;
    grant.principal = identity(reading, grant).map(Box::new);
}

fn token(reading: &Reading, grant: &mut Grant) {
    grant.join = Join::Nothing;
    grant.principal = identity(reading, grant).map(Box::new);
}

/// The identity of the pool, unless the caller is somebody of an account: a developer's backend.
fn identity(reading: &Reading, grant: &Grant) -> Option<Caller> {
    if !matches!(grant.caller.identity_type.as_deref(), None | Some("Unknown")) {
        return None;
    }
    let id =
        text(&reading.response["identityId"]).or_else(|| text(&reading.request["identityId"]))?;
    let logins = reading.request["logins"].as_object();
    let logins: Vec<&str> = logins.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let provider = match logins.as_slice() {
        [] => format!("{PROVIDER}, without login"),
        some => format!("{PROVIDER}, login {}", some.join(", ")),
    };
    Some(Caller {
        identity_type: Some("WebIdentityUser".to_owned()),
        credential_id: ids::external_credential_id(&["cognito", &id, &provider]),
        user_name: Some(id),
        identity_provider: Some(provider),
        ..Caller::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::grants::Join;
    use crate::grants::tests::read;

    #[test]
    fn the_identity_of_the_pool_obtains_the_key() {
        let id = "eu-west-1:11111111-2222-4333-8444-555555555555";
        let request = json!({"identityId": id, "logins": {"accounts.google.com": "HIDDEN_DUE_TO_SECURITY_REASONS"}});
        let response = json!({"identityId": id, "credentials": {"accessKeyId": "ASIAEXAMPLE",
            "expiration": "May 1, 2024 10:00:00 AM", "sessionToken": "x"}});
        let caller = json!({"type": "Unknown"});
        let name = "GetCredentialsForIdentity";
        let grant = read("cognito-identity", name, &caller, request.clone(), response).unwrap();
        assert_eq!(grant.issued_access_key_id.as_deref(), Some("ASIAEXAMPLE"));
        assert_eq!(grant.child.account_id.as_deref(), Some("111111111111"));
        let holder = *grant.principal.unwrap();
        assert_eq!(holder.user_name.as_deref(), Some(id));
        let provider = "cognito-identity.amazonaws.com, login accounts.google.com";
        assert_eq!(holder.identity_provider.as_deref(), Some(provider));

        let token =
            read("cognito-identity", "GetOpenIdToken", &caller, request.clone(), json!(null));
        let token = token.unwrap();
        assert_eq!((token.join, token.issued_access_key_id.clone()), (Join::Nothing, None));
        assert!(token.principal.is_some());
        let backend = json!({"type": "AssumedRole", "principalId": "AROAEXAMPLE:backend"});
        let name = "GetOpenIdTokenForDeveloperIdentity";
        let token = read("cognito-identity", name, &backend, request, json!(null)).unwrap();
        assert_eq!(token.principal, None, "the backend is who it says");
    }
}
