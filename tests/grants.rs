//! Ways of obtaining credentials that no sample story shows: a few records each, and what is said of them.

mod support;

use roletrail::output::{self, Format, Style};
use roletrail::pipeline::Loaded;
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
