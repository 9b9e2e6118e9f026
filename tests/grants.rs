//! Ways of obtaining credentials that no sample story shows: a few records each, and what is said of them.

use crate::support;
use crate::support::scene::{Caller, HOME, Scene};
use roletrail::output::{self, Format, Style};
use roletrail::pipeline::Loaded;
use roletrail::sql::saved::Library;
use serde_json::{Value, json};

/// The rows of a table as JSON.
fn rows(loaded: &Loaded, table: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    for batch in &loaded.tables[table] {
        let batches = [Ok(batch.clone())];
        output::write(Format::Ndjson, &batch.schema(), batches, &mut lines, &Style::default())
            .unwrap();
    }
    String::from_utf8(lines).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn load(records: &[Value]) -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    support::write_log(&dir.path().join("log.json.gz"), records);
    support::load(&[dir.path()])
}

/// A record of 111111111111; `more` overrides.
fn record(id: u32, at: &str, service: &str, name: &str, identity: Value, more: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11", "eventID": format!("00000000-0000-4000-8000-{id:012}"),
        "eventTime": format!("2024-05-01T{at}Z"), "awsRegion": "eu-west-1",
        "eventSource": format!("{service}.amazonaws.com"), "eventName": name,
        "sourceIPAddress": "192.0.2.1", "userAgent": "aws-cli/2", "eventType": "AwsApiCall",
        "userIdentity": identity, "requestParameters": null, "responseElements": null,
        "recipientAccountId": "111111111111", "readOnly": false,
    });
    for (name, value) in more.as_object().unwrap() {
        record[name.as_str()] = value.clone();
    }
    record
}

/// The identity of a session of the role `R`.
fn session(name: &str, key: &str, created: &str) -> Value {
    json!({"type": "AssumedRole", "principalId": format!("AROAEXAMPLER:{name}"),
        "arn": format!("arn:aws:sts::111111111111:assumed-role/R/{name}"),
        "accountId": "111111111111", "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLER",
                "arn": "arn:aws:iam::111111111111:role/R", "accountId": "111111111111", "userName": "R"},
            "attributes": {"creationDate": format!("2024-05-01T{created}Z"), "mfaAuthenticated": "false"}}})
}

fn issued(key: &str, name: &str) -> Value {
    json!({"credentials": {"accessKeyId": key, "expiration": "May 1, 2024, 10:00:00 AM"},
        "assumedRoleUser": {"assumedRoleId": format!("AROAEXAMPLER:{name}"),
            "arn": format!("arn:aws:sts::111111111111:assumed-role/R/{name}")}})
}

fn service(name: &str) -> Value {
    json!({"type": "AWSService", "invokedBy": name})
}

/// What is said of the one session of the role `R`.
fn the_session(loaded: &Loaded) -> Value {
    let mut all = rows(loaded, "sessions");
    all.retain(|s| s["role_name"] == "R");
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

#[test]
fn a_service_and_sts_show_one_issue_of_one_key() {
    let role = json!("arn:aws:iam::111111111111:role/R");
    let set = json!({"credentialSet": [issued("ASIAEXAMPLE1", "5d0a3c9e41b7")],
        "subjectArn": "arn:aws:rolesanywhere:eu-west-1:111111111111:subject/s"});
    let mut own = set.clone();
    own["credentialSet"][0]["sourceIdentity"] = json!("CN=press-7");
    let anywhere = record(
        1,
        "09:00:00",
        "rolesanywhere",
        "CreateSession",
        json!({"type": "Unknown"}),
        json!({"requestParameters": {"roleArn": role}, "responseElements": own}),
    );
    let request = json!({"roleArn": role, "roleSessionName": "5d0a3c9e41b7"});
    let by_sts = record(
        2,
        "09:00:00",
        "sts",
        "AssumeRole",
        service("rolesanywhere.amazonaws.com"),
        json!({"requestParameters": request, "responseElements": issued("ASIAEXAMPLE1", "5d0a3c9e41b7")}),
    );
    let call = record(
        3,
        "09:01:00",
        "s3",
        "PutObject",
        session("5d0a3c9e41b7", "ASIAEXAMPLE1", "09:00:00"),
        json!({}),
    );
    let loaded = load(&[anywhere.clone(), by_sts.clone(), call.clone()]);
    let said = the_session(&loaded);
    assert_eq!(said["origin"], "CN=press-7");
    assert_eq!(said["link_strength"], "exact");
    assert_eq!(said["candidates"], 1);
    let grants = rows(&loaded, "grants");
    assert_eq!(grants.len(), 1, "one key, one grant");
    assert_eq!(grants[0]["kind"], "CreateSession");
    assert_eq!(grants[0]["twin_event_id"], by_sts["eventID"]);
    // Either record alone tells what it knows.
    let said = the_session(&load(&[by_sts, call.clone()]));
    assert_eq!(
        (&said["origin"], &said["origin_type"]),
        (&json!("rolesanywhere.amazonaws.com"), &json!("AWSService"))
    );
    assert_eq!(said["origin_detail"], "certificate 5d0a3c9e41b7");
    assert_eq!(the_session(&load(&[anywhere, call]))["origin"], "CN=press-7");
}

#[test]
fn a_certificate_without_its_key_is_inferred() {
    let set = json!({"credentialSet": [{"assumedRoleUser": issued("", "5d0a3c9e41b7")["assumedRoleUser"],
        "sourceIdentity": "CN=press-7"}]});
    let anywhere = record(
        1,
        "09:00:00",
        "rolesanywhere",
        "CreateSession",
        json!({"type": "Unknown"}),
        json!({"requestParameters": {"roleArn": "arn:aws:iam::111111111111:role/R", "roleSessionName": "5d0a3c9e41b7"},
            "responseElements": set}),
    );
    let call = record(
        3,
        "09:01:00",
        "s3",
        "PutObject",
        session("5d0a3c9e41b7", "ASIAEXAMPLE1", "09:00:00"),
        json!({}),
    );
    let said = the_session(&load(&[anywhere, call]));
    assert_eq!(
        (&said["origin"], &said["chain_strength"]),
        (&json!("CN=press-7"), &json!("inferred"))
    );
}

#[test]
fn the_call_of_the_same_name_in_s3_starts_nothing() {
    let user = json!({"type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "111111111111",
        "arn": "arn:aws:iam::111111111111:user/anna", "accessKeyId": "AKIAEXAMPLE", "userName": "anna"});
    let s3 = record(
        1,
        "09:00:00",
        "s3",
        "CreateSession",
        user,
        json!({"responseElements": issued("ASIAEXAMPLE1", "x")}),
    );
    let call = record(
        2,
        "09:01:00",
        "s3",
        "PutObject",
        session("x", "ASIAEXAMPLE1", "09:00:00"),
        json!({}),
    );
    let loaded = load(&[s3, call]);
    assert!(rows(&loaded, "grants").is_empty());
    assert_eq!(the_session(&loaded)["unresolved_reason"], "grant_missing");
}

/// Two pods of one cluster start in one second, and STS's records are missing.
#[test]
fn pods_that_cannot_be_told_apart_share_their_service() {
    let node = session("i-0a", "ASIAEXAMPLE9", "08:00:00");
    let ask = |id| {
        record(
            id,
            "09:00:00",
            "eks-auth",
            "AssumeRoleForPodIdentity",
            node.clone(),
            json!({"requestParameters": {"clusterName": "shop"}}),
        )
    };
    let name = "eks-shop-orders-1-00000000-0000-4000-8000-000000000000";
    let mut pod = session(name, "ASIAEXAMPLE1", "09:00:00");
    pod["sessionContext"]["sessionIssuer"]["arn"] = json!("arn:aws:iam::111111111111:role/P");
    let call = record(3, "09:01:00", "s3", "PutObject", pod, json!({}));
    let loaded = load(&[ask(1), ask(2), call]);
    let mut pods = rows(&loaded, "sessions");
    pods.retain(|s| s["session_name"] == name);
    assert_eq!(pods[0]["origin"], "pods.eks.amazonaws.com");
    assert_eq!(pods[0]["origin_detail"], "cluster shop, pod orders-1");
    assert_eq!(
        (&pods[0]["candidates"], &pods[0]["chain_strength"]),
        (&json!(2), &json!("inferred"))
    );
}

fn user(key: &str, created: Option<&str>) -> Value {
    let mut user = json!({"type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "111111111111",
        "arn": "arn:aws:iam::111111111111:user/anna", "accessKeyId": key, "userName": "anna"});
    if let Some(created) = created {
        let date = json!({"creationDate": format!("2024-05-01T{created}Z")});
        user["sessionContext"] = json!({"attributes": date});
        user["invokedBy"] = json!("athena.amazonaws.com");
    }
    user
}

#[test]
fn a_forward_session_of_a_user_with_two_keys_names_neither() {
    let forwarded = user("ASIAEXAMPLE1", Some("09:00:00"));
    let call = |id, identity| record(id, "09:00:02", "s3", "GetObject", identity, json!({}));
    let of_one = [call(1, user("AKIAEXAMPLE1", None)), call(3, forwarded)];
    let sessions = |records: &[Value]| {
        let mut all = rows(&load(records), "sessions");
        all.retain(|s| !s["started_at"].is_null());
        assert_eq!(all.len(), 1);
        all.remove(0)
    };
    let one = sessions(&of_one);
    assert_eq!(
        (&one["link_rule"], &one["link_strength"]),
        (&json!("forwarded"), &json!("inferred"))
    );
    assert!(one["parent_session_id"].is_string());
    let mut of_two = of_one.to_vec();
    of_two.push(call(2, user("AKIAEXAMPLE2", None)));
    let two = sessions(&of_two);
    assert_eq!((&two["link_rule"], &two["parent_session_id"]), (&json!("forwarded"), &Value::Null));
    assert_eq!(two["origin"], "arn:aws:iam::111111111111:user/anna");
}

/// The service calls on with the authority of a role session, under a key that nobody issued.
#[test]
fn forwarded_calls_of_a_role_belong_to_its_session() {
    let request = json!({"roleArn": "arn:aws:iam::111111111111:role/R", "roleSessionName": "x"});
    let grant = record(
        1,
        "09:00:00",
        "sts",
        "AssumeRole",
        user("AKIAEXAMPLE1", None),
        json!({"requestParameters": request, "responseElements": issued("ASIAEXAMPLE1", "x")}),
    );
    let own = record(
        2,
        "09:00:05",
        "athena",
        "StartQueryExecution",
        session("x", "ASIAEXAMPLE1", "09:00:00"),
        json!({}),
    );
    let mut forwarded = session("x", "ASIAEXAMPLE2", "09:00:00");
    forwarded["invokedBy"] = json!("athena.amazonaws.com");
    let further = record(3, "09:00:06", "s3", "GetObject", forwarded, json!({}));
    let loaded = load(&[grant, own, further]);
    let said = the_session(&loaded);
    assert_eq!((&said["depth"], &said["event_count"]), (&json!(1), &json!(2)));
    let credentials = rows(&loaded, "credentials");
    let rule = |key: &str| {
        credentials.iter().find(|c| c["access_key_id"] == key).unwrap()["link_rule"].clone()
    };
    assert_eq!(
        (rule("ASIAEXAMPLE1"), rule("ASIAEXAMPLE2")),
        (json!("access_key"), json!("forwarded"))
    );
}

#[test]
fn delegated_access_is_visible() {
    let mut identity = session("x", "ASIAEXAMPLE1", "09:00:00");
    identity["invokedByDelegate"] = json!({"accountId": "999999999999"});
    let call = record(1, "09:00:05", "ec2", "StopInstances", identity, json!({}));
    let said = the_session(&load(&[call]));
    assert_eq!(said["origin_detail"], "delegated to account 999999999999");
    assert_eq!(said["unresolved_reason"], "grant_missing");
}

/// EC2's principal has two spellings in China; one grant lost, one left, is still one origin.
#[test]
fn two_spellings_of_one_service_agree() {
    let request = json!({"roleArn": "arn:aws:iam::111111111111:role/R", "roleSessionName": "i-0a"});
    let issue = json!({"credentials": {"accessKeyId": "ASIAEXAMPLE1"}});
    let grant = record(
        1,
        "09:00:00",
        "sts",
        "AssumeRole",
        service("ec2.amazonaws.com.cn"),
        json!({"requestParameters": request, "responseElements": issue}),
    );
    let call = |id, key| {
        let mut identity = session("i-0a", key, "09:00:00");
        identity["sessionContext"]["ec2RoleDelivery"] = json!("2.0");
        record(id, "09:00:05", "s3", "GetObject", identity, json!({}))
    };
    let said = the_session(&load(&[grant, call(2, "ASIAEXAMPLE1"), call(3, "ASIAEXAMPLE2")]));
    assert_eq!(said["origin_detail"], "instance i-0a");
    assert_eq!(said["unresolved_reason"], Value::Null);
}

/// Key and password of a user: the last password before the sign-in is a hint, a later one is none.
#[test]
fn only_the_last_password_before_a_sign_in_is_a_hint() {
    let set = |id, at, name| {
        record(
            id,
            at,
            "iam",
            name,
            session("x", "ASIAEXAMPLE1", "08:00:00"),
            json!({"requestParameters": {"userName": "anna"}}),
        )
    };
    let mut signing_in = user("", None);
    signing_in["accessKeyId"] = json!("");
    let sign_in = record(
        4,
        "09:00:00",
        "signin",
        "ConsoleLogin",
        signing_in,
        json!({"responseElements": {"ConsoleLogin": "Success"}}),
    );
    let records = [
        set(1, "08:10:00", "CreateLoginProfile"),
        set(2, "08:20:00", "UpdateLoginProfile"),
        set(3, "09:10:00", "UpdateLoginProfile"),
        sign_in,
    ];
    let loaded = load(&records);
    let mut hints = rows(&loaded, "links");
    hints.retain(|l| l["rule"] == "login_profile");
    assert_eq!(hints.len(), 1);
    assert_eq!(hints[0]["grant_event_id"], records[1]["eventID"]);
    assert_eq!(hints[0]["strength"], "inferred");
    let console = rows(&loaded, "sessions").into_iter().find(|s| s["identity_type"] == "IAMUser");
    let console = console.unwrap();
    assert_eq!(
        (&console["parent_session_id"], &console["link_rule"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(console["origin"], "arn:aws:iam::111111111111:user/anna");
}

/// Whoever sets a password answers for what is done with it until it is set again, also by the user.
#[test]
fn a_password_counts_until_the_next_one() {
    let (bob, anna) = (Caller::user(HOME, "bob"), Caller::user(HOME, "anna"));
    let console = anna.with_key(None);
    let mut scene = Scene::default();
    let of_anna = json!({ "requestParameters": { "userName": "anna" } });
    scene.record("08:00:00", &bob, "iam:CreateLoginProfile", of_anna.clone());
    scene.call("08:30:00", &console, "s3:GetObject");
    scene.call("09:00:00", &console, "iam:ChangePassword");
    scene.call("09:30:00", &console, "s3:PutObject");
    scene.call("09:40:00", &console, "s3:PutObject");
    scene.record("10:00:00", &bob, "iam:UpdateLoginProfile", of_anna);
    scene.call("10:30:00", &console, "s3:DeleteObject");
    scene.call("10:31:00", &anna, "s3:ListBuckets");
    let saved = Library::built_in();
    let saved = saved.by_name("minted-credentials").unwrap();
    let all = saved.sql.replace("$id", "NULL").replace("$since", "NULL").replace("$until", "NULL");
    let said = format!("SELECT event_name, user_name, calls, actions FROM ({all})");
    let expected = [
        "CreateLoginProfile | anna | 1 | [s3:GetObject]",
        "UpdateLoginProfile | anna | 1 | [s3:DeleteObject]",
    ];
    assert_eq!(scene.ask(&said), expected);
}

/// A key is no proof of who made it where it was used before, or belongs to somebody else.
#[test]
fn a_key_that_was_used_before_it_was_made_has_no_maker() {
    let made = |name: &str| {
        let response = json!({"accessKey": {"accessKeyId": "AKIAEXAMPLE1", "userName": name}});
        record(
            1,
            "09:00:00",
            "iam",
            "CreateAccessKey",
            session("x", "ASIAEXAMPLE1", "08:00:00"),
            json!({"requestParameters": {"userName": name}, "responseElements": response}),
        )
    };
    let call = |at| record(2, at, "s3", "GetObject", user("AKIAEXAMPLE1", None), json!({}));
    let keyed = |records: &[Value]| {
        let links = rows(&load(records), "links");
        links.iter().filter(|l| l["child_access_key_id"] == "AKIAEXAMPLE1").count()
    };
    assert_eq!(keyed(&[made("anna"), call("09:05:00")]), 1);
    assert_eq!(keyed(&[made("anna"), call("08:05:00")]), 0);
    assert_eq!(keyed(&[made("ben"), call("09:05:00")]), 0);
}

/// A session of the role `R`, as the sign-in service shows it: without key, and mostly without date.
fn at_sign_in(name: &str, created: Option<&str>) -> Value {
    let mut identity = session(name, "", created.unwrap_or("00:00:00"));
    identity["accessKeyId"] = json!("");
    if created.is_none() {
        identity.as_object_mut().unwrap().remove("sessionContext");
    }
    identity
}

fn assumed(id: u32, at: &str, key: &str, name: &str) -> Value {
    let request = json!({"roleArn": "arn:aws:iam::111111111111:role/R", "roleSessionName": name});
    record(
        id,
        at,
        "sts",
        "AssumeRole",
        user("AKIAEXAMPLE1", None),
        json!({"requestParameters": request, "responseElements": issued(key, name)}),
    )
}

#[test]
fn a_sign_in_token_is_good_for_a_quarter_of_an_hour() {
    let success = json!({"responseElements": {"ConsoleLogin": "Success"}});
    let story = |at: &str| {
        let token = record(
            2,
            "08:05:00",
            "signin",
            "GetSigninToken",
            session("x", "ASIAEXAMPLE1", "08:00:00"),
            json!({}),
        );
        let sign_in =
            record(3, at, "signin", "ConsoleLogin", at_sign_in("x", None), success.clone());
        let call = record(4, at, "s3", "GetObject", session("x", "ASIAEXAMPLE9", at), json!({}));
        let all = load(&[assumed(1, "08:00:00", "ASIAEXAMPLE1", "x"), token, sign_in, call]);
        let started = format!("2024-05-01T{at}Z");
        rows(&all, "sessions").into_iter().find(|s| s["started_at"] == started.as_str()).unwrap()
    };
    let soon = story("08:15:00");
    assert_eq!((&soon["link_rule"], &soon["depth"]), (&json!("signin_token"), &json!(1)));
    assert_eq!(soon["origin"], "arn:aws:iam::111111111111:user/anna");
    assert!(soon["parent_session_id"].is_string());
    assert_eq!(soon["chain"].as_array().unwrap().len(), 2, "the role is put on once");
    let late = story("08:25:00");
    assert_eq!(
        (&late["origin"], &late["unresolved_reason"]),
        (&Value::Null, &json!("grant_missing"))
    );
}

/// The console may keep the creation date: then only the keys differ, as they do in the console.
#[test]
fn a_session_that_went_to_the_console_may_use_other_keys() {
    let token = record(
        2,
        "08:05:00",
        "signin",
        "GetSigninToken",
        session("x", "ASIAEXAMPLE1", "08:00:00"),
        json!({}),
    );
    let call = record(
        4,
        "08:06:00",
        "s3",
        "GetObject",
        session("x", "ASIAEXAMPLE9", "08:00:00"),
        json!({}),
    );
    let grant = assumed(1, "08:00:00", "ASIAEXAMPLE1", "x");
    let said = the_session(&load(&[grant.clone(), token, call.clone()]));
    assert_eq!(said["origin"], "arn:aws:iam::111111111111:user/anna");
    // Without the token the other key is somebody else's.
    let said = rows(&load(&[grant, call]), "credentials");
    let other = said.iter().find(|c| c["access_key_id"] == "ASIAEXAMPLE9").unwrap();
    assert_eq!(other["unresolved_reason"], "grant_issued_another_key");
}

#[test]
fn an_agent_is_joined_by_its_sign_in_session_alone() {
    let arn = |n: u32| format!("arn:aws:signin:eu-west-1:111111111111:session/{n}");
    let token = record(
        2,
        "08:10:00",
        "signin",
        "CreateOAuth2Token",
        at_sign_in("x", Some("08:00:00")),
        json!({"additionalEventData": {"signInSessionArn": arn(1)}}),
    );
    let agent = |n| {
        let mut identity = session("x", "ASIAEXAMPLE9", "08:10:00");
        identity["sessionContext"]["signInSessionArn"] = json!(arn(n));
        record(3, "08:11:00", "s3", "GetObject", identity, json!({}))
    };
    let grant = assumed(1, "08:00:00", "ASIAEXAMPLE1", "x");
    let said = |n| {
        let all = rows(&load(&[grant.clone(), token.clone(), agent(n)]), "sessions");
        all.into_iter().find(|s| s["started_at"] == "2024-05-01T08:10:00Z").unwrap()
    };
    let joined = said(1);
    assert_eq!(
        (&joined["link_rule"], &joined["link_strength"]),
        (&json!("sign_in_session"), &json!("exact"))
    );
    assert_eq!(
        (&joined["origin"], &joined["depth"]),
        (&json!("arn:aws:iam::111111111111:user/anna"), &json!(1))
    );
    assert_eq!(said(2)["unresolved_reason"], "grant_missing");
}

/// An event that nobody knows yet, but that names the previous principal.
#[test]
fn an_unknown_hop_of_the_console_is_understood_by_its_data() {
    let hop = |name| {
        record(
            1,
            "08:00:00",
            "signin",
            name,
            at_sign_in("x", None),
            json!({"additionalEventData": {"SwitchFrom": "arn:aws:iam::111111111111:user/anna"}}),
        )
    };
    let call = record(
        2,
        "08:00:09",
        "s3",
        "GetObject",
        session("x", "ASIAEXAMPLE9", "08:00:00"),
        json!({}),
    );
    let said = the_session(&load(&[hop("HopRole"), call.clone()]));
    assert_eq!((&said["link_rule"], &said["depth"]), (&json!("console_switch"), &json!(1)));
    assert_eq!(said["origin"], "arn:aws:iam::111111111111:user/anna");
    let left = rows(&load(&[hop("ExitRole"), call]), "sessions");
    assert!(left.iter().all(|s| s["origin"].is_null()), "leaving starts nothing: {left:#?}");
}

/// Identity Center's record may be a second off, never two, and must fit the permission set.
#[test]
fn credentials_of_identity_center_are_joined_within_a_second() {
    let identity = |role: &str, at: &str| {
        let mut identity = session("sven@example.com", "ASIAEXAMPLE1", at);
        let name = format!("AWSReservedSSO_{role}_0123456789abcdef");
        identity["arn"] =
            json!(format!("arn:aws:sts::111111111111:assumed-role/{name}/sven@example.com"));
        identity["sessionContext"]["sessionIssuer"]["arn"] =
            json!(format!("arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/{name}"));
        identity
    };
    let portal =
        json!({"type": "Unknown", "userName": "sven@example.com", "accountId": "111111111111"});
    let fetch = record(
        1,
        "08:00:00",
        "sso",
        "GetRoleCredentials",
        portal,
        json!({"requestParameters": {"account_id": "111111111111", "role_name": "Admin"}}),
    );
    for (role, at, linked) in [
        ("Admin", "08:00:00", 1),
        ("Admin", "08:00:01", 1),
        ("Admin", "08:00:02", 0),
        ("Other", "08:00:00", 0),
    ] {
        let call = record(2, "08:00:09", "s3", "GetObject", identity(role, at), json!({}));
        let loaded = load(&[fetch.clone(), call]);
        assert_eq!(rows(&loaded, "links").len(), linked, "{role} {at}");
        // The name of the session is Identity Center's own, whatever else is missing.
        let mut roles = rows(&loaded, "sessions");
        roles.retain(|s| s["identity_type"] == "AssumedRole");
        assert_eq!(roles[0]["origin"], "sven@example.com");
        assert_eq!(roles[0]["chain_strength"], "inferred");
    }
}
