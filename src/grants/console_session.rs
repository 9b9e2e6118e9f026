//! What the sign-in service records around console sessions, besides the sign-in itself:
//!
//! - `RenewRole`, and any other event with `SwitchFrom`: a hop of the console, read as `SwitchRole`;
//! - `ExitRole`: back to the previous identity. It issues nothing and hints at an end;
//! - `GetSigninToken`: credentials of the API are taken to the console. The console session is the same
//!   principal; whether it keeps the creation date is not documented, so both are understood;
//! - `AuthorizeOAuth2Access`, `CreateOAuth2Token` (`aws login`): a console session signs a program in. Its
//!   calls show principal and creation date of that session; a token for an agent names a sign-in session
//!   of its own in `signInSessionArn`.
//!
//! Source: IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail"; fields of the first
//! three are unconfirmed.

use super::reading::{Reading, find, text};
use super::{Grant, Join, Kind, switch_role};
use crate::decode::event::sign_in_succeeded;

const SOURCES: &[&str] = &["signin.amazonaws.com"];

pub(super) const RENEW: Kind =
    Kind { name: "RenewRole", sources: SOURCES, fill: switch_role::fill };
pub(super) const EXIT: Kind = Kind { name: "ExitRole", sources: SOURCES, fill: nothing };
pub(super) const SIGNIN_TOKEN: Kind =
    Kind { name: "GetSigninToken", sources: SOURCES, fill: signin_token };
pub(super) const AUTHORIZE: Kind =
    Kind { name: "AuthorizeOAuth2Access", sources: SOURCES, fill: nothing };
pub(super) const OAUTH_TOKEN: Kind =
    Kind { name: "CreateOAuth2Token", sources: SOURCES, fill: oauth_token };

fn nothing(reading: &Reading, grant: &mut Grant) {
    grant.join = Join::Nothing;
    grant.denied = !sign_in_succeeded(reading.event);
    if grant.denied && grant.denial_cause.is_none() {
        grant.denial_cause = Some("sign_in_failed".to_owned());
    }
}

fn signin_token(reading: &Reading, grant: &mut Grant) {
    nothing(reading, grant);
    // Without a creation date the record does not say which session it was.
    if reading.event.identity.columns.session_created_at.is_some() {
        grant.join = Join::SigninToken;
        same_principal(grant);
    }
}

fn oauth_token(reading: &Reading, grant: &mut Grant) {
    nothing(reading, grant);
    let arn = text(&reading.additional["signInSessionArn"])
        .or_else(|| find(&reading.response, "signInSessionArn"));
    if arn.is_some() {
        grant.join = Join::SignInSession;
        grant.sign_in_session_arn = arn;
        same_principal(grant);
    }
}

/// The new session is the same principal as the old one.
fn same_principal(grant: &mut Grant) {
    let (caller, child) = (&grant.caller, &mut grant.child);
    child.identity_type = caller.identity_type.clone().unwrap_or_default();
    child.account_id = caller.account_id.clone();
    child.principal_id = caller.principal_id.clone();
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::grants::tests::read_record;
    use crate::grants::{Grant, Join};

    fn signin(name: &str, created: bool, additional: Value) -> Grant {
        let mut identity = json!({"type": "AssumedRole", "principalId": "AROAEXAMPLE:x",
            "arn": "arn:aws:sts::111111111111:assumed-role/R/x", "accountId": "111111111111"});
        if created {
            let date = json!({"creationDate": "2024-05-01T08:00:00Z"});
            identity["sessionContext"] = json!({"attributes": date});
        }
        read_record(
            &json!({"eventID": "e", "eventTime": "2024-05-01T09:00:00Z", "awsRegion": "eu-west-1",
            "eventSource": "signin.amazonaws.com", "eventName": name, "userIdentity": identity,
            "additionalEventData": additional}),
        )
        .unwrap()
    }

    #[test]
    fn whatever_names_a_previous_principal_is_a_hop() {
        let from = json!({"SwitchFrom": "arn:aws:iam::111111111111:user/anna"});
        for name in ["SwitchRole", "RenewRole", "SomethingNew"] {
            let grant = signin(name, false, from.clone());
            assert_eq!((grant.kind.as_str(), grant.join), (name, Join::Switch));
            assert_eq!(grant.caller.identity_type.as_deref(), Some("IAMUser"));
            assert_eq!(grant.child.principal_id.as_deref(), Some("AROAEXAMPLE:x"));
        }
        assert_eq!(signin("ExitRole", false, from).join, Join::Nothing);
        assert_eq!(signin("RenewRole", false, json!({})).join, Join::Nothing);
    }

    #[test]
    fn tokens_of_the_sign_in_service() {
        let token = signin("GetSigninToken", true, json!({}));
        assert_eq!(token.join, Join::SigninToken);
        assert_eq!(token.child.principal_id.as_deref(), Some("AROAEXAMPLE:x"));
        assert_eq!(signin("GetSigninToken", false, json!({})).join, Join::Nothing);

        let arn = "arn:aws:signin:eu-west-1:111111111111:session/s";
        let agent = signin("CreateOAuth2Token", true, json!({"signInSessionArn": arn}));
        assert_eq!(agent.join, Join::SignInSession);
        assert_eq!(agent.sign_in_session_arn.as_deref(), Some(arn));
        assert_eq!(signin("CreateOAuth2Token", true, json!({})).join, Join::Nothing);
        assert_eq!(signin("AuthorizeOAuth2Access", true, json!({})).join, Join::Nothing);
    }
}
