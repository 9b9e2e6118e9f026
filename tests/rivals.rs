//! Several who could have come from one event: one of them did, and where nothing tells which, nobody
//! is named.

use crate::support::scene::{AWAY, Caller, HOME, Role, Scene, ask};
use serde_json::{Value, json};

/// Calls of S3 with who is behind them.
fn who(scene: &Scene) -> Vec<String> {
    scene.ask(
        "SELECT event_name, split_part(origin, '/', -1) AS who, chain_strength, unresolved_reason
         FROM activity WHERE event_source = 's3.amazonaws.com' ORDER BY event_time, event_id",
    )
}

fn anna() -> Caller {
    Caller::user(HOME, "anna")
}

fn mallory() -> Caller {
    Caller::user(HOME, "mallory")
}

/// The console's record of switching to a role.
fn switched(scene: &mut Scene, time: &str, from: &str, session: &Caller) {
    let role = session.with_key(None).with("/sessionContext", Value::Null);
    let page = json!({
        "eventType": "AwsConsoleSignIn", "responseElements": { "SwitchRole": "Success" },
        "additionalEventData": { "SwitchFrom": from }
    });
    scene.record(time, &role, "signin:SwitchRole", page);
}

/// As the console takes a role for somebody.
fn by_console(scene: &mut Scene) {
    let last = scene.records.last_mut().unwrap();
    last["sourceIPAddress"] = "AWS Internal".into();
    last["userAgent"] = "AWS Internal".into();
}

fn in_console(scene: &mut Scene, time: &str, session: &Caller, key: Option<&str>) {
    let console = json!({ "sessionCredentialFromConsole": "true" });
    scene.record(time, &session.with_key(key), "s3:PutObject", console);
}

#[test]
fn a_switch_by_one_and_an_issue_to_another_are_rivals() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let own = scene.assume("09:00:00", &mallory(), &role, "anna", "ASIAMALLORY");
    switched(&mut scene, "09:00:00", anna().0["arn"].as_str().unwrap(), &own);
    in_console(&mut scene, "09:01:00", &own, Some("ASIACONSOLE"));
    in_console(&mut scene, "09:02:00", &own, None);
    scene.call("09:03:00", &own, "s3:GetObject");
    let nobody = "PutObject | NULL | none | candidates_disagree";
    assert_eq!(who(&scene), [nobody, nobody, "GetObject | mallory | exact | NULL"]);
}

#[test]
fn a_switch_that_its_own_issue_confirms_is_no_rival() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let session = scene.assume("09:00:00", &anna(), &role, "anna", "ASIAANNA");
    by_console(&mut scene);
    switched(&mut scene, "09:00:00", anna().0["arn"].as_str().unwrap(), &session);
    in_console(&mut scene, "09:01:00", &session, Some("ASIACONSOLE"));
    assert_eq!(who(&scene), ["PutObject | anna | exact | NULL"]);
}

/// From one role to the next the console goes on with the identity that signed in.
#[test]
fn a_second_switch_in_the_console_names_the_first_role() {
    let mut scene = Scene::default();
    let [a, b] = ["A", "B"].map(|name| Role::new(HOME, name));
    let first = scene.assume("09:00:00", &anna(), &a, "anna", "ASIAONE");
    by_console(&mut scene);
    switched(&mut scene, "09:00:00", anna().0["arn"].as_str().unwrap(), &first);
    let second = scene.assume("09:10:00", &anna(), &b, "anna", "ASIATWO");
    by_console(&mut scene);
    switched(&mut scene, "09:10:00", first.0["arn"].as_str().unwrap(), &second);
    in_console(&mut scene, "09:11:00", &second, None);
    assert_eq!(who(&scene), ["PutObject | anna | exact | NULL"]);
    // Somebody else's session name there is somebody else.
    scene.records[2]["userIdentity"] = mallory().0;
    assert_eq!(who(&scene), ["PutObject | NULL | none | parent_unresolved"]);
}

/// Of a call between accounts the role's account has the owner's half and the page's record.
#[test]
fn the_owners_half_is_held_against_the_switch() {
    for (from, said) in [
        ("assumed-role/Ops/anna", "PutObject | AROAOPS11:anna | exact | NULL"),
        ("assumed-role/Ops/liam", "PutObject | NULL | none | parent_unresolved"),
        ("user/anna", "PutObject | NULL | none | candidates_disagree"),
    ] {
        let mut scene = Scene::default();
        let caller = Role::new(HOME, "Ops").session("anna", "08:00:00", "ASIAOPS");
        let role = Role::new(AWAY, "A");
        let session =
            scene.assume_across("09:00:00", &caller, &role, "anna", "ASIAONE", (false, true));
        by_console(&mut scene);
        let kind = if from.starts_with("user") { "iam" } else { "sts" };
        switched(&mut scene, "09:00:00", &format!("arn:aws:{kind}::{HOME}:{from}"), &session);
        in_console(&mut scene, "09:01:00", &session, None);
        assert_eq!(who(&scene), [said], "{from}");
    }
}

/// Services leave out whom they made: then ARN, name and second stand for it.
fn unnamed(scene: &mut Scene) {
    scene.records.last_mut().unwrap()["responseElements"]["assumedRoleUser"].take();
}

#[test]
fn one_issue_starts_one_of_two_roles_of_one_arn() {
    let old = Role::new(HOME, "A");
    let sessions = [&old, &old.made_again()].map(|role| role.session("x", "09:00:00", "ASIAONE"));
    for (shown, said) in [
        ([None, None], ["NULL | none | grant_contested"; 2]),
        // The key tells which of them it was.
        ([Some("ASIAONE"), None], ["anna | exact | NULL", "NULL | none | grant_contested"]),
        // Rewritten keys do not.
        ([Some("ASIAONE"); 2], ["NULL | none | grant_contested"; 2]),
    ] {
        let mut scene = Scene::default();
        scene.assume("09:00:00", &anna(), &old, "x", "ASIAONE");
        unnamed(&mut scene);
        for (i, (session, key)) in sessions.iter().zip(shown).enumerate() {
            scene.call(&format!("09:01:0{i}"), &session.with_key(key), "s3:GetObject");
        }
        assert_eq!(who(&scene), said.map(|said| format!("GetObject | {said}")), "{shown:?}");
        let used = if shown[0].is_some() && shown[1].is_none() { "true" } else { "NULL" };
        assert_eq!(scene.ask("SELECT used FROM grants"), [used]);
    }
}

#[test]
fn as_many_issues_as_sessions_are_enough_for_all_of_them() {
    let old = Role::new(HOME, "A");
    let mut scene = Scene::default();
    for key in ["ASIAONE", "ASIATWO"] {
        scene.assume("09:00:00", &anna(), &old, "x", key);
        unnamed(&mut scene);
    }
    for role in [&old, &old.made_again()] {
        let session = role.session("x", "09:00:00", "ASIAONE").with_key(None);
        scene.call("09:01:00", &session, "s3:GetObject");
    }
    assert_eq!(who(&scene), ["GetObject | anna | ambiguous | NULL"; 2]);
}

/// A second apart is a tolerance for clocks, not a second session.
#[test]
fn an_issue_that_a_session_of_its_own_second_has_used_starts_no_other() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let session = scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE").with_key(None);
    let next = role.session("x", "09:00:01", "ASIATWO").with_key(None);
    scene.call("09:01:00", &next, "s3:PutObject");
    assert_eq!(who(&scene), ["PutObject | anna | inferred | NULL"]);
    scene.call("09:02:00", &session, "s3:GetObject");
    let other = "PutObject | NULL | none | grant_contested";
    assert_eq!(who(&scene), [other, "GetObject | anna | exact | NULL"]);
}

/// A node's request for the credentials of a pod of the cluster `shop`.
fn pod_request(scene: &mut Scene, time: &str) {
    let node = Role::new(HOME, "Node").session("i-0123456789abcdef0", "08:00:00", "ASIANODE");
    let request = json!({
        "requestParameters": { "clusterName": "shop", "token": "HIDDEN_DUE_TO_SECURITY_REASONS" }
    });
    scene.record(time, &node, "eks-auth:AssumeRoleForPodIdentity", request);
}

fn pod(role: &str, name: &str, since: &str) -> Caller {
    Role::new(HOME, role).session(&format!("eks-shop-{name}"), since, &format!("ASIA{name}"))
}

#[test]
fn one_request_starts_one_pod() {
    let mut scene = Scene::default();
    pod_request(&mut scene, "09:00:00");
    scene.call("09:01:00", &pod("Orders", "orders", "09:00:00"), "s3:PutObject");
    let orders = "PutObject | pods.eks.amazonaws.com | inferred | NULL";
    assert_eq!(who(&scene), [orders]);
    // Anybody may name a session like that.
    scene.call("09:02:00", &pod("Admin", "fake", "09:00:01"), "s3:GetObject");
    let contested = |call: &str| format!("{call} | NULL | none | grant_contested");
    assert_eq!(who(&scene), [contested("PutObject"), contested("GetObject")]);
    pod_request(&mut scene, "09:00:01");
    let either = |call: &str| format!("{call} | pods.eks.amazonaws.com | inferred | NULL");
    assert_eq!(who(&scene), [either("PutObject"), either("GetObject")]);
}

#[test]
fn a_request_that_an_issue_answers_starts_no_other_pod() {
    let mut scene = Scene::default();
    pod_request(&mut scene, "09:00:00");
    let eks = Caller::service("pods.eks.amazonaws.com");
    let role = Role::new(HOME, "Orders");
    let orders = scene.assume("09:00:00", &eks, &role, "eks-shop-orders", "ASIAorders");
    scene.call("09:01:00", &orders, "s3:PutObject");
    scene.call("09:02:00", &pod("Admin", "fake", "09:00:00"), "s3:GetObject");
    assert_eq!(
        who(&scene),
        [
            "PutObject | pods.eks.amazonaws.com | exact | NULL",
            "GetObject | NULL | none | grant_contested",
        ]
    );
}

/// Thousands of issues in one second are told apart by key and principal, not one by one.
#[test]
fn a_crowd_in_one_second_is_linked_in_no_time() {
    const MANY: usize = 4000;
    let mut scene = Scene::default();
    for i in 0..MANY {
        let role = Role::new(HOME, &format!("R{}", i % 7));
        let session =
            scene.assume("09:00:00", &anna(), &role, &format!("job-{i}"), &format!("ASIA{i:05}"));
        let session = if i % 2 == 0 { session } else { session.with_key(None) };
        scene.call("09:00:05", &session, "s3:GetObject");
    }
    let sql = "SELECT count(*), count(DISTINCT session_id), min(chain_strength), max(origin)
               FROM activity WHERE event_name = 'GetObject'";
    let expected = format!("{MANY} | {MANY} | exact | arn:aws:iam::{HOME}:user/anna");
    assert_eq!(ask(scene.load_alone(), sql), [expected]);
}

#[test]
fn the_request_of_another_account_starts_nothing_here() {
    let mut scene = Scene::default();
    pod_request(&mut scene, "09:00:00");
    scene.records[0]["recipientAccountId"] = AWAY.into();
    scene.call("09:01:00", &pod("Orders", "orders", "09:00:00"), "s3:PutObject");
    assert_eq!(who(&scene), ["PutObject | NULL | none | grant_missing"]);
}
