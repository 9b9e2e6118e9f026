//! What rules out a name, and what must not: each case in a few records.

use crate::support::scene::{AWAY, Caller, HOME, Role, Scene};
use serde_json::{Value, json};

/// Every event: name, origin's type and last part, hops, strength, reason.
fn who(scene: &Scene) -> Vec<String> {
    scene.ask(
        "SELECT event_name, origin_type, split_part(origin, '/', -1), depth, chain_strength,
                unresolved_reason
         FROM activity WHERE event_source <> 'sts.amazonaws.com' ORDER BY event_time, event_id",
    )
}

fn anna() -> Caller {
    Caller::user(HOME, "anna")
}

/// Root of an account, in a session.
fn root(account: &str, since: &str, key: &str) -> Caller {
    Caller(json!({
        "type": "Root", "principalId": account, "arn": format!("arn:aws:iam::{account}:root"),
        "accountId": account, "accessKeyId": key,
        "sessionContext": { "attributes": { "creationDate": format!("2024-05-01T{since}Z") } }
    }))
}

fn sign_in(scene: &mut Scene, time: &str, caller: &Caller) {
    let mut identity = caller.with_key(None).0;
    identity.as_object_mut().unwrap().remove("sessionContext");
    let more = json!({
        "eventType": "AwsConsoleSignIn", "responseElements": { "ConsoleLogin": "Success" },
        "additionalEventData": { "MFAUsed": "No" },
    });
    scene.record(time, &Caller(identity), "signin:ConsoleLogin", more);
}

fn assume_root(scene: &mut Scene, time: &str, caller: &Caller, account: &str, key: &str) {
    let more = json!({
        "requestParameters": { "targetPrincipal": account, "durationSeconds": 900 },
        "responseElements": { "credentials": { "accessKeyId": key } },
    });
    scene.record(time, caller, "sts:AssumeRoot", more);
}

#[test]
fn another_source_identity_rules_a_grant_out() {
    let role = Role::new(HOME, "A");
    for (shown, said) in [
        (Some("anna"), "GetObject | IAMUser | anna | 1 | exact | NULL"),
        (None, "GetObject | IAMUser | anna | 1 | exact | NULL"),
        (Some("carl"), "GetObject | Unknown | NULL | NULL | none | grant_missing"),
    ] {
        let mut scene = Scene::default();
        let set = json!({ "sourceIdentity": "anna" });
        let session = scene.assume_with("09:00:00", &anna(), &role, "x", "ASIAONE", set);
        let caller = session.with_key(None);
        let caller = match shown {
            Some(name) => caller.with_source_identity(name),
            None => caller,
        };
        scene.call("09:01:00", &caller, "s3:GetObject");
        assert_eq!(who(&scene), [said], "{shown:?}");
    }
}

#[test]
fn roots_own_sign_in_is_nobody_elses() {
    for at in ["08:00:00", "08:00:01"] {
        let mut scene = Scene::default();
        assume_root(&mut scene, "08:00:00", &anna(), AWAY, "ASIAROOT");
        sign_in(&mut scene, at, &root(AWAY, at, "ASIAX"));
        assert_eq!(
            who(&scene),
            [format!("ConsoleLogin | Root | arn:aws:iam::{AWAY}:root | 0 | exact | NULL")]
        );
    }
}

#[test]
fn what_failed_or_a_service_did_does_not_prove_root() {
    let unknown =
        |call: &str| format!("{call} | Unknown | NULL | NULL | none | root_session_without_grant");
    let is_root =
        |call: &str| format!("{call} | Root | arn:aws:iam::{AWAY}:root | 0 | exact | NULL");
    let denied = json!({ "errorCode": "Client.UnauthorizedOperation" });
    let forwarded =
        root(AWAY, "08:00:00", "ASIAROOT").with("/invokedBy", "s3.amazonaws.com".into());
    let plain = root(AWAY, "08:00:00", "ASIAROOT");
    for (time, caller, call, more, root) in [
        ("08:02:00", &plain, "ec2:DescribeInstances", denied.clone(), false),
        ("08:20:00", &plain, "s3:GetBucketAcl", json!({ "errorCode": "ExpiredToken" }), false),
        ("08:02:00", &forwarded, "kms:Decrypt", json!({}), false),
        ("08:02:00", &plain, "ec2:DescribeInstances", json!({}), true),
        ("08:20:00", &plain, "s3:GetBucketAcl", json!({}), true),
    ] {
        let mut scene = Scene::default();
        scene.call("08:01:00", &plain, "s3:GetBucketPolicy");
        scene.record(time, caller, call, more);
        let said = |call: &str| if root { is_root(call) } else { unknown(call) };
        let name = call.split_once(':').unwrap().1;
        assert_eq!(who(&scene), [said("GetBucketPolicy"), said(name)], "{call} {root}");
    }
}

#[test]
fn one_call_tells_of_a_whole_session_of_root() {
    let key = |key: &str| root(AWAY, "08:00:00", key);
    let mut scene = Scene::default();
    scene.call("08:01:00", &key("ASIAONE"), "iam:ListUsers");
    scene.record(
        "08:02:00",
        &key("ASIATWO"),
        "iam:ListRoles",
        json!({ "sessionCredentialFromConsole": "true" }),
    );
    let name = format!("arn:aws:iam::{AWAY}:root");
    assert_eq!(
        who(&scene),
        [
            format!("ListUsers | Root | {name} | 0 | exact | NULL"),
            format!("ListRoles | Root | {name} | 0 | exact | NULL"),
        ]
    );
    // One that says that it was assumed tells of all as well.
    let assumed = key("ASIATHREE").with("/sessionContext/assumedRoot", "true".into());
    scene.call("08:03:00", &assumed, "s3:GetBucketPolicy");
    let reasons = "SELECT DISTINCT unresolved_reason FROM activity";
    assert_eq!(scene.ask(reasons), ["root_session_without_grant"]);
}

#[test]
fn a_record_without_principal_does_not_contest_a_key() {
    let role = Role::new(HOME, "A");
    for missing in [Value::Null, "".into()] {
        let mut scene = Scene::default();
        let session = scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE");
        scene.call("09:01:00", &session, "s3:PutObject");
        scene.call("09:02:00", &session.with("/principalId", missing), "s3:GetObject");
        assert_eq!(
            who(&scene),
            [
                "PutObject | IAMUser | anna | 1 | exact | NULL",
                "GetObject | IAMUser | anna | 1 | exact | NULL",
            ]
        );
    }
}

/// The sign-in's session begins with it, the grant's with the grant, whose second the console goes on to
/// show.
#[test]
fn a_sign_in_comes_any_time_after_its_grant() {
    let role = Role::new(HOME, "A");
    for at in ["09:00:00", "09:00:01", "09:00:02", "09:05:00"] {
        let mut scene = Scene::default();
        let session = scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE");
        sign_in(&mut scene, at, &session);
        let console = json!({ "sessionCredentialFromConsole": "true" });
        scene.record("09:06:00", &session.with_key(Some("ASIATWO")), "s3:GetObject", console);
        let found = who(&scene);
        let strength = if at == "09:00:00" { "exact" } else { "inferred" };
        assert_eq!(
            found[0],
            format!("ConsoleLogin | IAMUser | anna | 1 | {strength} | NULL"),
            "{at}"
        );
        assert!(found[1].starts_with("GetObject | IAMUser | anna | 1 | "), "{at}: {found:?}");
    }
}

#[test]
fn a_federated_user_signs_in() {
    let mut scene = Scene::default();
    let granted = json!({
        "requestParameters": { "name": "desk" },
        "responseElements": {
            "credentials": { "accessKeyId": "ASIAFED" },
            "federatedUser": {
                "federatedUserId": format!("{HOME}:desk"),
                "arn": format!("arn:aws:sts::{HOME}:federated-user/desk"),
            },
        },
    });
    scene.record("09:00:00", &anna(), "sts:GetFederationToken", granted);
    let federated = Caller(json!({
        "type": "FederatedUser", "principalId": format!("{HOME}:desk"), "accountId": HOME,
        "arn": format!("arn:aws:sts::{HOME}:federated-user/desk"),
    }));
    sign_in(&mut scene, "09:00:30", &federated.with("/sessionContext", json!({})));
    assert_eq!(who(&scene), ["ConsoleLogin | IAMUser | anna | 0 | inferred | NULL"]);
}

/// The middle account's logs would show other sessions of that name.
#[test]
fn a_principal_of_an_account_without_logs_is_its_id() {
    let (middle, end) = (Role::new(AWAY, "Mid"), Role::new("333333333333", "End"));
    let mut scene = Scene::default();
    let hat = scene.assume("09:00:00", &anna(), &middle, "terraform", "ASIAONE");
    let last = scene.assume_across("09:40:00", &hat, &end, "x", "ASIATWO", (false, true));
    scene.call("09:41:00", &last, "s3:DeleteBucket");
    let id = format!("{}:terraform", middle.id);
    assert_eq!(who(&scene), [format!("DeleteBucket | AWSAccount | {id} | 1 | exact | NULL")]);
    // With them, it is the session that was live.
    scene.call("09:02:00", &Caller::user(AWAY, "liam"), "s3:ListBuckets");
    assert_eq!(who(&scene)[1], "DeleteBucket | IAMUser | anna | 2 | inferred | NULL");
}

#[test]
fn a_hidden_subject_names_nobody() {
    for (subject, known) in
        [("q=:HIDDEN_DUE_TO_SECURITY_REASONS", false), ("q=:", false), ("q=:zoe@example.com", true)]
    {
        let mut scene = Scene::default();
        let role = Role::new(HOME, "A");
        let caller = Caller(json!({ "type": "SAMLUser", "principalId": subject }));
        let granted = crate::support::scene::granted("09:00:00", &role, "x", "ASIAONE", json!({}));
        let mut granted = granted;
        granted["recipientAccountId"] = HOME.into();
        scene.record("09:00:00", &caller, "sts:AssumeRoleWithSAML", granted);
        scene.call("09:01:00", &role.session("x", "09:00:00", "ASIAONE"), "s3:GetObject");
        let said =
            scene.ask("SELECT origin_type, unresolved_reason FROM activity ORDER BY event_time");
        let expected = match known {
            true => ["SAMLUser | NULL", "SAMLUser | NULL"],
            false => ["Unknown | identity_not_recorded", "Unknown | parent_unresolved"],
        };
        assert_eq!(said, expected, "{subject}");
    }
}

/// The console's calls are its own, not those of a service that forwards a key.
#[test]
fn the_console_does_not_forward_a_key() {
    let mut scene = Scene::default();
    scene.call("09:00:00", &anna(), "s3:ListBuckets");
    let console =
        anna().with_key(Some("ASIACONSOLE")).with("/invokedBy", "AWS Internal".into()).with(
            "/sessionContext",
            json!({ "attributes": { "creationDate": "2024-05-01T08:00:00Z" } }),
        );
    scene.call("09:01:00", &console, "s3:GetObject");
    assert_eq!(
        scene.ask("SELECT link_rule, parent_session_id FROM sessions WHERE started_at IS NOT NULL"),
        ["NULL | NULL"]
    );
}
