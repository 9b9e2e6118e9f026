//! Credentials that fit somebody by a key or a second, and are not theirs all the same.

mod support;

use serde_json::{Value, json};
use support::scene::{Caller, HOME, Role, Scene, ask, granted};

const ORIGINS: &str = "SELECT origin, chain_strength, unresolved_reason FROM activity
     WHERE event_name = 'GetObject' ORDER BY event_time, access_key_id";

fn outside(kind: &str, name: &str, provider: &str) -> Caller {
    Caller(json!({
        "type": kind, "principalId": format!("{provider}:app:{name}"), "userName": name,
        "identityProvider": provider
    }))
}

#[test]
fn nothing_leads_from_one_partition_into_another() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "Writer");
    let session =
        scene.assume("09:00:00", &Caller::user(HOME, "anna"), &role, "job", "ASIAWRITER1");
    let arn = session.0["arn"].as_str().unwrap().replace("arn:aws:", "arn:aws-cn:");
    let issuer = format!("arn:aws-cn:iam::{HOME}:role/Writer");
    let in_china =
        session.with("/arn", arn.into()).with("/sessionContext/sessionIssuer/arn", issuer.into());
    let china = json!({ "awsRegion": "cn-north-1" });
    scene.record("09:00:05", &in_china, "s3:GetObject", china);
    let said = ask(scene.load_in_any_order(), ORIGINS);
    assert_eq!(said, ["NULL | none | grant_missing"]);
}

#[test]
fn one_name_of_two_providers_is_two_people() {
    for (kind, call) in [
        ("WebIdentityUser", "sts:AssumeRoleWithWebIdentity"),
        ("SAMLUser", "sts:AssumeRoleWithSAML"),
    ] {
        let mut scene = Scene::default();
        let role = Role::new(HOME, "Deployer");
        for (provider, key) in [("good.example", "ASIAGOOD"), ("evil.example", "ASIAEVIL")] {
            let issue = granted("09:00:00", &role, "app", key, json!({}));
            scene.record("09:00:00", &outside(kind, "admin", provider), call, issue);
        }
        let session = role.session("app", "09:00:00", "ASIAGOOD");
        scene.call("09:00:05", &session, "s3:GetObject");
        scene.call("09:00:06", &session.with_key(None), "s3:GetObject");
        let said = ask(scene.load_in_any_order(), ORIGINS);
        assert_eq!(said, ["admin | exact | NULL", "NULL | none | candidates_disagree"], "{kind}");
    }
}

#[test]
fn a_federated_call_is_its_issuers_whoever_the_key_was_issued_to() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let federated = |user: &str| {
        Caller(json!({
            "type": "FederatedUser", "principalId": format!("{HOME}:job"), "accountId": HOME,
            "arn": format!("arn:aws:sts::{HOME}:federated-user/job"), "accessKeyId": "ASIAFEDERATED",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "IAMUser", "principalId": format!("AIDA{}", user.to_uppercase()),
                    "arn": format!("arn:aws:iam::{HOME}:user/{user}"), "accountId": HOME,
                    "userName": user
                },
                "attributes": { "creationDate": "2024-05-01T09:00:00Z" }
            }
        }))
    };
    let issue = json!({
        "requestParameters": { "name": "job" },
        "responseElements": {
            "credentials": { "accessKeyId": "ASIAFEDERATED" },
            "federatedUser": {
                "federatedUserId": format!("{HOME}:job"),
                "arn": format!("arn:aws:sts::{HOME}:federated-user/job")
            }
        }
    });
    scene.record("09:00:00", &anna, "sts:GetFederationToken", issue);
    let mut other = scene.clone();
    scene.call("09:00:05", &federated("anna"), "s3:GetObject");
    assert_eq!(
        scene.ask(ORIGINS),
        [format!("arn:aws:iam::{HOME}:user/anna | exact | NULL")],
        "her own"
    );
    other.call("09:00:05", &federated("mallory"), "s3:GetObject");
    assert_eq!(other.ask(ORIGINS), ["NULL | none | candidates_disagree"]);
}

#[test]
fn a_key_is_not_used_long_before_it_is_issued() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "Writer");
    let session =
        scene.assume("10:00:00", &Caller::user(HOME, "anna"), &role, "job", "ASIAWRITER1");
    let undated = session.with("/sessionContext/attributes", Value::Null);
    scene.call("09:00:00", &undated, "s3:GetObject");
    let said = scene.ask(ORIGINS);
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("NULL | none"), "{said:?}");
}

#[test]
fn an_issue_that_does_not_show_its_key_proves_no_key() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "Writer");
    let mut issue = granted("09:00:00", &role, "job", "ASIAHIDDEN", json!({}));
    issue["responseElements"]["credentials"] = Value::Null;
    scene.record("09:00:00", &Caller::user(HOME, "anna"), "sts:AssumeRole", issue);
    for key in ["ASIAONE", "ASIATWO"] {
        scene.call("09:00:05", &role.session("job", "09:00:00", key), "s3:GetObject");
    }
    let anna = format!("arn:aws:iam::{HOME}:user/anna | inferred | NULL");
    assert_eq!(scene.ask(ORIGINS), [anna.clone(), anna]);
}

#[test]
fn root_without_account_is_nobody() {
    let mut scene = Scene::default();
    scene.call("09:00:00", &Caller(json!({ "type": "Root" })), "s3:GetObject");
    assert_eq!(scene.ask(ORIGINS), ["NULL | none | identity_not_recorded"]);
}
