//! Credentials that fit somebody by a key or a second, and are not theirs all the same.

use crate::support::scene::{Caller, HOME, Role, Scene, ask, granted};
use serde_json::{Value, json};

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

const NAMES: &str = "SELECT origin, origin_detail, chain_strength, unresolved_reason FROM activity
     WHERE event_name = 'GetObject' ORDER BY event_time, event_id";

#[test]
fn a_user_renamed_is_called_by_the_name_of_the_time() {
    let mut scene = Scene::default();
    let old = Caller::user(HOME, "anna");
    let arn = format!("arn:aws:iam::{HOME}:user/anna-b");
    let new = old.with("/arn", arn.into()).with("/userName", "anna-b".into());
    let role = Role::new(HOME, "Writer");
    scene.call("08:00:00", &old, "s3:GetObject");
    let before = scene.assume("08:10:00", &old, &role, "x", "ASIABEFORE");
    scene.call("10:00:00", &new, "s3:GetObject");
    let after = scene.assume("10:10:00", &new, &role, "x", "ASIAAFTER");
    scene.call("11:00:00", &before, "s3:GetObject");
    scene.call("11:00:01", &after, "s3:GetObject");
    let user = |name: &str| format!("arn:aws:iam::{HOME}:user/{name}");
    let line = |name: &str, other: &str| {
        let other = user(other);
        format!("{} | user id AIDAANNA, also named {other} | exact | NULL", user(name))
    };
    let (then, now) = (line("anna", "anna-b"), line("anna-b", "anna"));
    assert_eq!(scene.ask(NAMES), [then.clone(), now.clone(), then, now.clone()]);
    // The user is one all the same: the last name stands for all.
    let sql = "SELECT origin, origin_detail, chain_strength, event_count FROM sessions
               WHERE started_at IS NULL";
    assert_eq!(scene.ask(sql), [now.replace("NULL", "4")]);
    // Two issues in one second that differ in the name alone are of one user.
    let mut scene = Scene::default();
    scene.assume("09:00:00", &old, &role, "x", "ASIAONE");
    let session = scene.assume("09:00:00", &new, &role, "x", "ASIATWO");
    scene.call("09:01:00", &session.with_key(None), "s3:GetObject");
    let said = scene.ask("SELECT chain_strength FROM activity WHERE event_name = 'GetObject'");
    assert_eq!(said, ["ambiguous"]);
}

#[test]
fn a_user_made_again_under_the_old_name_is_another() {
    let mut scene = Scene::default();
    let old = Caller::user(HOME, "anna");
    let new = old.with("/principalId", "AIDAOTHER".into()).with_key(Some("AKIAOTHER"));
    let role = Role::new(HOME, "Writer");
    scene.call("08:00:00", &old, "s3:GetObject");
    scene.call("09:00:00", &new, "s3:GetObject");
    scene.assume("09:30:00", &old, &role, "x", "ASIAONE");
    let session = scene.assume("09:30:00", &new, &role, "x", "ASIATWO");
    scene.call("10:00:00", &session, "s3:GetObject");
    scene.call("10:00:01", &session.with_key(None), "s3:GetObject");
    let user = format!("arn:aws:iam::{HOME}:user/anna");
    assert_eq!(
        scene.ask(NAMES),
        [
            format!("{user} | user id AIDAANNA | exact | NULL"),
            format!("{user} | user id AIDAOTHER | exact | NULL"),
            format!("{user} | user id AIDAOTHER | exact | NULL"),
            "NULL | NULL | none | candidates_disagree".to_owned(),
        ]
    );
}

#[test]
fn user_ids_of_two_identity_stores_are_two_users() {
    let store = |name: &str| format!("arn:aws:identitystore::{HOME}:identitystore/{name}");
    let portal = |name: &str| {
        Caller(json!({
            "type": "IdentityCenterUser", "accountId": HOME,
            "onBehalfOf": { "userId": "u-1", "identityStoreArn": store(name) }
        }))
    };
    let role =
        Role::new(HOME, "aws-reserved/sso.amazonaws.com/AWSReservedSSO_Ops_0123456789abcdef");
    let mut scene = Scene::default();
    let target = json!({ "serviceEventDetails": { "role_name": "Ops", "account_id": HOME } });
    scene.record("09:00:00", &portal("d-one"), "sso:GetRoleCredentials", target.clone());
    for (time, name, of) in [("09:00:00", "farid", "d-one"), ("10:00:00", "gina", "d-two")] {
        let behalf = json!({ "userId": "u-1", "identityStoreArn": store(of) });
        let session = role.session(name, time, &format!("ASIA{name}"));
        scene.call(
            &format!("{}1", &time[..7]),
            &session.with("/onBehalfOf", behalf),
            "s3:GetObject",
        );
    }
    scene.record("11:00:00", &portal("d-one"), "sso:GetObject", json!({}));
    scene.record("11:00:01", &portal("d-two"), "sso:GetObject", json!({}));
    let detail = |of: &str| format!("user id u-1, identity store {}", store(of));
    let (one, two) = (detail("d-one"), detail("d-two"));
    assert_eq!(
        scene.ask(NAMES),
        [
            format!("farid | {one} | inferred | NULL"),
            format!("gina | {two} | inferred | NULL"),
            format!("farid | {one} | exact | NULL"),
            format!("gina | {two} | exact | NULL"),
        ]
    );
    // The other store's user asked for nothing.
    scene.records[0]["userIdentity"] = portal("d-two").0;
    assert_eq!(scene.ask("SELECT count(*) FROM links"), ["0"]);
}

#[test]
fn one_subject_under_two_trust_anchors_is_two_certificates() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "Plant");
    let nobody = Caller(json!({ "type": "Unknown" }));
    for (anchor, key) in [("good", "ASIAGOOD"), ("evil", "ASIAEVIL")] {
        let issue = granted("09:00:00", &role, "press-7", key, json!({}));
        let mut response = issue["responseElements"].clone();
        response["sourceIdentity"] = "CN=press-7".into();
        let arn = format!("arn:aws:rolesanywhere:eu-west-1:{HOME}:trust-anchor/{anchor}");
        let created = json!({
            "requestParameters": {
                "roleArn": role.arn, "roleSessionName": "press-7", "trustAnchorArn": arn
            },
            "responseElements": { "credentialSet": [response] }, "recipientAccountId": HOME
        });
        scene.record("09:00:00", &nobody, "rolesanywhere:CreateSession", created);
    }
    let session = role.session("press-7", "09:00:00", "ASIAGOOD");
    scene.call("09:00:05", &session, "s3:GetObject");
    scene.call("09:00:06", &session.with_key(None), "s3:GetObject");
    assert_eq!(
        scene.ask(NAMES),
        [
            "CN=press-7 | trust-anchor/good | exact | NULL",
            "NULL | NULL | none | candidates_disagree",
        ]
    );
}

#[test]
fn a_forwarded_call_of_a_long_term_key_is_as_sure_as_its_link() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    scene.call("09:00:00", &anna, "cloudformation:CreateStack");
    let attributes = json!({ "attributes": { "creationDate": "2024-05-01T09:00:01Z" } });
    let forwarded = anna
        .with_key(Some("ASIAFORWARDED"))
        .with("/sessionContext", attributes)
        .with("/invokedBy", "cloudformation.amazonaws.com".into());
    scene.call("09:00:02", &forwarded, "s3:GetObject");
    assert_eq!(scene.ask(ORIGINS), [format!("arn:aws:iam::{HOME}:user/anna | inferred | NULL")]);
}
