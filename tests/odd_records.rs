//! Records that no honest log has: one event id over two contents, identities that contradict
//! themselves, crowds in one second.

use crate::support;
use crate::support::scene::{AWAY, Caller, HOME, Role, Scene, ask};
use roletrail::intake::{Options, Silent};
use roletrail::pipeline;
use roletrail::sql::{Params, Source, Sql};
use roletrail::store::Store;
use serde_json::{Value, json};

const WHO: &str = "SELECT event_name, split_part(origin, '/', -1) AS who, chain_strength,
            unresolved_reason FROM activity ORDER BY event_time, event_name, recipient_account_id";

fn user(name: &str) -> Caller {
    Caller::user(HOME, name)
}

/// The owner's half of anna's call and a call of somebody else, or an altered copy of the half, under
/// one event id: what proves one of them proves nothing about the other.
#[test]
fn two_contents_under_one_event_id_have_an_origin_each() {
    let role = Role::new(AWAY, "Admin");
    let half =
        Caller(json!({ "type": "AWSAccount", "principalId": "AIDAANNA", "accountId": HOME }));
    for (caller, call, said) in [
        (user("bob"), "s3:DeleteBucket", "DeleteBucket | bob | exact | NULL"),
        (half, "s3:DeleteBucket", "DeleteBucket | anna | inferred | NULL"),
        (Caller::service("ec2.amazonaws.com"), "s3:Put", "Put | ec2.amazonaws.com | exact | NULL"),
    ] {
        let mut scene = Scene::default();
        scene.assume_across("09:00:00", &user("anna"), &role, "x", "ASIAONE", (true, true));
        let shared = scene.records[1]["eventID"].clone();
        let shared_event = scene.records[1]["sharedEventID"].clone();
        scene.record("09:05:00", &caller, call, json!({ "sharedEventID": shared_event }));
        scene.records[2]["eventID"] = shared;
        let assumed = "AssumeRole | anna | exact | NULL";
        assert_eq!(ask(scene.load_in_any_order(), WHO), [assumed, assumed, said]);
    }
}

/// However many contents come under one event id, whatever their hashes: a store takes them all.
#[test]
fn many_contents_under_one_event_id_are_stored() {
    let mut scene = Scene::default();
    let role = Role::new(AWAY, "Admin");
    scene.assume_across("09:00:00", &user("anna"), &role, "x", "ASIAONE", (true, true));
    for number in 0..16 {
        let mut half = scene.records[1].clone();
        half["userAgent"] = format!("agent/{number}").into();
        scene.records.push(half);
    }
    let folder = tempfile::tempdir().unwrap();
    let (log, store) = (folder.path().join("log.json.gz"), folder.path().join("store"));
    support::write_log(&log, &scene.records);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = runtime.block_on(async {
        let sources = [log.display().to_string()];
        pipeline::ingest(&store, &sources, &Options::default(), &Silent).await.unwrap();
        let store = Source::Store(Store::open(&store).await.unwrap());
        let sql = Sql::open(store, 256 << 20).await.unwrap();
        let counts =
            "SELECT count(*) AS n, count(origin) AS known FROM activity WHERE origin LIKE '%anna'";
        sql.rows(counts, Params::none()).await.unwrap()
    });
    let shown = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
    assert!(shown.contains("| 18 | 18    |"), "{shown}");
}

#[test]
fn an_identity_that_contradicts_itself_names_nobody() {
    let session = Role::new(HOME, "Dev").session("anna", "09:00:00", "ASIADEV");
    let arn = |text: String| Value::from(text);
    for odd in [
        user("zoe").with("/userName", "anna".into()),
        user("zoe").with("/accountId", AWAY.into()),
        user("zoe").with("/arn", session.0["arn"].clone()),
        user("zoe").with("/type", "Root".into()),
        session.with("/arn", arn(format!("arn:aws:iam::{HOME}:user/anna"))),
        Caller::service("anna@corp.example"),
    ] {
        let mut scene = Scene::default();
        scene.call("09:00:00", &odd, "s3:PutObject");
        let nobody = "PutObject | NULL | none | identity_contradicts_itself";
        assert_eq!(scene.ask(WHO), [nobody], "{}", odd.0);
    }
}

#[test]
fn an_arn_without_form_is_no_name() {
    let mut scene = Scene::default();
    for name in ["anna", "zoe"] {
        scene.call("09:00:00", &user(name).with("/arn", "REDACTED".into()), "s3:PutObject");
    }
    let said = ["PutObject | anna | exact | NULL", "PutObject | zoe | exact | NULL"];
    assert_eq!(scene.ask(&WHO.replace("event_name, recipient_account_id", "who")), said);
}

/// Grants of other keys bear on no answer: they are counted, and the first of them shown.
#[test]
fn a_crowd_in_one_second_is_counted_and_shown_in_part() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "Bulk");
    for i in 0..130 {
        scene.assume("09:00:00", &user("anna"), &role, "b", &format!("ASIAKNOWN{i:03}"));
        let stranger = role.session("b", "09:00:00", &format!("ASIASTRANGER{i:03}"));
        scene.call("09:00:05", &stranger, "s3:GetObject");
    }
    let sql = "SELECT child_access_key_id, candidates, count(*) AS shown FROM links
               GROUP BY 1, 2 ORDER BY 1";
    let said = ask(scene.load_in_any_order(), sql);
    let strangers = said.iter().filter(|row| row.starts_with("ASIASTRANGER"));
    assert_eq!(strangers.filter(|row| row.ends_with(" | 130 | 100")).count(), 130);
}

/// A root session that somebody took, and a call of it that does not show when it began: the key tells.
#[test]
fn a_call_of_an_assumed_root_without_date_is_known_by_its_key() {
    let mut scene = Scene::default();
    let root = format!("arn:aws:iam::{AWAY}:root");
    let admin = user("kira");
    let issue = json!({
        "requestParameters": {
            "targetPrincipal": root, "taskPolicyArn": { "arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials" }
        },
        "responseElements": { "credentials": { "accessKeyId": "ASIAROOT" } },
    });
    scene.record("09:00:00", &admin, "sts:AssumeRoot", issue);
    let call = Caller(json!({
        "type": "Root", "principalId": AWAY, "arn": root, "accountId": AWAY,
        "accessKeyId": "ASIAROOT",
        "sessionContext": { "assumedRoot": "true", "attributes": { "mfaAuthenticated": "false" } },
    }));
    scene.call("09:01:00", &call, "iam:ListAccessKeys");
    let known = ["AssumeRoot | kira | exact | NULL", "ListAccessKeys | kira | exact | NULL"];
    assert_eq!(scene.ask(WHO), known);
    // Root's own key belongs to another session; each has one row.
    let own = call.with("/sessionContext", Value::Null).with_key(Some("AKIAROOT"));
    scene.call("10:00:00", &own, "s3:ListBuckets");
    let [assume, list] = known;
    let root = format!("ListBuckets | {root} | exact | NULL");
    assert_eq!(scene.ask(WHO), [assume, list, &root]);
    let rows =
        "SELECT count(*), count(DISTINCT session_id) FROM sessions WHERE identity_type = 'Root'";
    assert_eq!(scene.ask(rows), ["2 | 2"]);
}
