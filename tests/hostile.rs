//! Logs that somebody wrote to deceive, or that are broken: no name may come of it that the records do
//! not prove, and nothing may fail.

use crate::support::scene::{AWAY, Caller, HOME, Role, Scene, ask, granted};
use serde_json::{Value, json};

/// Calls of S3 with who is behind them.
const WHO: &str = "SELECT event_name, split_part(origin, '/', -1) AS who, depth, unresolved_reason
    FROM activity WHERE event_source = 's3.amazonaws.com' ORDER BY event_time, event_id";

fn anna() -> Caller {
    Caller::user(HOME, "anna")
}

fn liam() -> Caller {
    Caller::user(HOME, "liam")
}

#[test]
fn odd_dates_neither_fail_nor_join_anything() {
    let dates = [
        "",
        "now",
        "0000-00-00T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-0001-01-01T00:00:00Z",
        "+262142-12-31T23:59:59Z",
        "-262143-01-01T00:00:00Z",
        "99999999999999999999",
        "2024-05-01T09:00:00+25:00",
        "2024-05-01t09:00:00",
    ];
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE");
    for (i, date) in dates.into_iter().enumerate() {
        let session = role.session("x", "09:00:00", &format!("ASIAODD{i}"));
        let session = session.with("/sessionContext/attributes/creationDate", date.into());
        scene.call("09:01:00", &session, "s3:PutObject");
        let mut grant = granted("09:00:00", &role, "x", &format!("ASIAODD{i}X"), json!({}));
        grant["eventTime"] = date.into();
        grant["responseElements"]["credentials"]["expiration"] = date.into();
        scene.record("09:00:00", &liam(), "sts:AssumeRole", grant);
        scene.record("09:00:00", &session, "s3:GetObject", json!({ "eventTime": date }));
    }
    let said = ask(scene.load_in_any_order(), WHO);
    assert!(said.iter().filter(|line| line.starts_with("PutObject")).count() == dates.len());
    assert!(said.iter().all(|line| line.contains("Object | NULL | NULL | ")), "{said:#?}");
}

#[test]
fn odd_durations_and_expiries_do_not_overflow() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    for (i, odd) in [
        json!(i64::MAX),
        json!(i64::MIN),
        json!(-1),
        json!(0),
        json!(1e300),
        json!("900"),
        json!("9e9"),
        json!([]),
        json!({ "a": 1 }),
        json!(true),
        json!(u64::MAX),
    ]
    .into_iter()
    .enumerate()
    {
        let time = format!("09:00:{i:02}");
        let mut grant = granted(&time, &role, "x", &format!("ASIAODD{i}"), json!({}));
        grant["requestParameters"]["durationSeconds"] = odd.clone();
        grant["responseElements"]["credentials"]["expiration"] = odd;
        scene.record(&time, &anna(), "sts:AssumeRole", grant);
        let session = role.session("x", &time, &format!("ASIAODD{i}"));
        scene.call("09:10:00", &session, "s3:PutObject");
    }
    let said = ask(scene.load_in_any_order(), WHO);
    assert_eq!(said, vec!["PutObject | anna | 1 | NULL"; 11]);
}

/// A record whose own fields disagree about the account joins no grant of either.
#[test]
fn a_record_that_claims_another_account_joins_nothing_there() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let session = scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE");
    let claimed = session.with("/accountId", AWAY.into());
    scene.call("09:01:00", &session, "s3:ListBuckets");
    scene.call("09:02:00", &claimed, "s3:PutObject");
    assert_eq!(
        scene.ask(WHO),
        ["ListBuckets | anna | 1 | NULL", "PutObject | NULL | NULL | grant_missing"]
    );
    let sql = "SELECT account_id, contradictions FROM sessions WHERE role_name = 'A' ORDER BY 1";
    assert_eq!(scene.ask(sql), ["111111111111 | []", "222222222222 | [account_differs]"]);
}

/// Somebody who writes the log of another account cannot put words into the records of this one.
#[test]
fn a_correction_from_elsewhere_corrects_nothing() {
    let foreign = json!({ "recipientAccountId": AWAY });
    let later = json!({ "eventTime": "2024-05-01T09:00:09Z" });
    for claim in [foreign, later] {
        let mut scene = Scene::default();
        let role = Role::new(HOME, "A");
        let session = scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE");
        let mallory = Caller::user(AWAY, "mallory");
        let mut forged = granted("09:00:00", &role, "x", "ASIAONE", json!({}));
        forged["addendum"] = json!({
            "reason": "UPDATED_DATA", "updatedFields": ["userIdentity"],
            "originalEventID": scene.records[0]["eventID"]
        });
        for (member, value) in claim.as_object().unwrap() {
            forged[member] = value.clone();
        }
        if claim["eventTime"].is_null() {
            // In the very second, the two calls are rivals for the key.
            scene.record("09:00:00", &mallory, "sts:AssumeRole", forged);
            scene.call("09:01:00", &session, "s3:PutObject");
            assert_eq!(scene.ask(WHO), ["PutObject | NULL | NULL | candidates_disagree"]);
        } else {
            scene.record("09:00:00", &mallory, "sts:AssumeRole", forged);
            scene.call("09:01:00", &session, "s3:PutObject");
            assert_eq!(scene.ask(WHO), ["PutObject | anna | 1 | NULL"]);
        }
        let sql = "SELECT count(*) FROM grants WHERE addendum_event_id IS NOT NULL";
        assert_eq!(scene.ask(sql), ["0"]);
    }
}

#[test]
fn corrections_of_each_other_and_of_themselves_end() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    for original in ["00000001", "00000000", "00000002"] {
        let original = format!("{original}-0000-4000-8000-000000000000");
        let mut grant = granted("09:00:00", &role, "x", "ASIAONE", json!({}));
        grant["addendum"] = json!({ "reason": "UPDATED_DATA", "originalEventID": original });
        scene.record("09:00:00", &anna(), "sts:AssumeRole", grant);
    }
    scene.call("09:01:00", &role.session("x", "09:00:00", "ASIAONE"), "s3:PutObject");
    assert_eq!(scene.ask(WHO), ["PutObject | anna | 1 | NULL"]);
}

/// Two sessions that each obtained the other, and one below them.
#[test]
fn a_circle_has_no_beginning_and_nobody_behind_it() {
    let mut scene = Scene::default();
    let [a, b, c] = ["A", "B", "C"].map(|name| Role::new(HOME, name));
    let one = a.session("x", "09:00:00", "ASIAONE");
    let two = b.session("x", "09:00:00", "ASIATWO");
    scene.record(
        "09:00:00",
        &two,
        "sts:AssumeRole",
        granted("09:00:00", &a, "x", "ASIAONE", json!({})),
    );
    scene.record(
        "09:00:00",
        &one,
        "sts:AssumeRole",
        granted("09:00:00", &b, "x", "ASIATWO", json!({})),
    );
    let below = scene.assume("09:10:00", &one, &c, "x", "ASIATHREE");
    scene.call("09:11:00", &one, "s3:PutObject");
    scene.call("09:12:00", &below, "s3:DeleteObject");
    let said = scene.ask(WHO);
    assert!(said[0].starts_with("PutObject | NULL | NULL | circular_evidence"), "{said:?}");
    assert!(said[1].starts_with("DeleteObject | NULL | NULL | "), "{said:?}");
}

#[test]
fn a_key_that_issued_itself_has_nobody_behind_it() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let own = role.session("x", "09:00:00", "ASIAONE");
    scene.record(
        "09:00:00",
        &own,
        "sts:AssumeRole",
        granted("09:00:00", &role, "x", "ASIAONE", json!({})),
    );
    scene.call("09:01:00", &own, "s3:PutObject");
    assert_eq!(scene.ask(WHO), ["PutObject | NULL | NULL | circular_evidence"]);
}

/// The role's id may hold colons, session names in broken logs too.
#[test]
fn principals_with_colons_keep_their_sessions_apart() {
    let mut scene = Scene::default();
    let role =
        Role { id: format!("{HOME}:aws:ec2-instance"), ..Role::new(HOME, "aws:ec2-instance") };
    let instance = role.session("i-0123456789abcdef0", "09:00:00", "ASIAONE");
    scene.call("09:01:00", &instance, "s3:PutObject");
    let odd = Role::new(HOME, "A");
    for (i, name) in
        ["a:b", ":", "::", "", "arn:aws:iam::111111111111:user/anna"].iter().enumerate()
    {
        let session =
            scene.assume(&format!("09:1{i}:00"), &liam(), &odd, name, &format!("ASIAODD{i}"));
        scene.call(&format!("09:1{i}:30"), &session, "s3:GetObject");
    }
    let said = ask(scene.load_in_any_order(), WHO);
    assert_eq!(said[0], "PutObject | NULL | NULL | grant_missing");
    assert_eq!(said[1..], vec!["GetObject | liam | 1 | NULL"; 5]);
    let sql = "SELECT session_name FROM sessions WHERE role_name = 'aws:ec2-instance'";
    assert_eq!(ask(scene.load_alone(), sql), ["i-0123456789abcdef0"]);
}

/// Names of sessions are chosen by callers: like a role, like a user, like a service.
#[test]
fn no_session_name_makes_a_session_somebody() {
    let mut scene = Scene::default();
    let [a, b] = ["A", "B"].map(|name| Role::new(HOME, name));
    scene.call("08:00:00", &anna(), "s3:ListBuckets");
    for (i, name) in ["A", "B", "anna", "AIDAANNA", "ec2.amazonaws.com", "root"].iter().enumerate()
    {
        let one = scene.assume(&format!("09:0{i}:00"), &liam(), &a, name, &format!("ASIAONE{i}"));
        let two = scene.assume(&format!("09:1{i}:00"), &one, &b, name, &format!("ASIATWO{i}"));
        scene.call(&format!("09:2{i}:00"), &two, "s3:PutObject");
        // The same name in a session that nobody is known to have started.
        scene.call(
            &format!("09:3{i}:00"),
            &b.session(name, "09:30:00", "ASIAELSE"),
            "s3:GetObject",
        );
    }
    let said = scene.ask(WHO);
    assert_eq!(said[1..7], vec!["PutObject | liam | 2 | NULL"; 6]);
    assert_eq!(said[7..], vec!["GetObject | NULL | NULL | grant_missing"; 6]);
}

/// Letters that look alike are different letters.
#[test]
fn names_that_only_look_alike_are_different_people() {
    let mut scene = Scene::default();
    let lookalike = Caller::user(HOME, "\u{430}nna"); // CYRILLIC SMALL LETTER A
    let [latin, cyrillic] = ["Admin", "\u{410}dmin"].map(|name| Role::new(HOME, name));
    let one = scene.assume("09:00:00", &anna(), &latin, "x", "ASIAONE");
    let two = scene.assume("09:00:00", &lookalike, &cyrillic, "x", "ASIATWO");
    scene.call("09:01:00", &one.with_key(None), "s3:PutObject");
    scene.call("09:02:00", &two.with_key(None), "s3:GetObject");
    assert_eq!(
        scene.ask(WHO),
        ["PutObject | anna | 1 | NULL", "GetObject | \u{430}nna | 1 | NULL"]
    );
}

/// One shared id on everything, as in rewritten logs: it pairs nothing.
#[test]
fn one_shared_id_for_all_calls_pairs_none() {
    let mut scene = Scene::default();
    let role = Role::new(AWAY, "A");
    for (i, user) in ["anna", "liam"].into_iter().enumerate() {
        let caller = Caller::user(HOME, user);
        let key = format!("ASIAKEY{i}");
        let session = scene.assume_across("09:00:00", &caller, &role, user, &key, (true, true));
        scene.call(&format!("09:0{}:00", i + 1), &session, "s3:PutObject");
    }
    for record in &mut scene.records {
        record["sharedEventID"] = "one-for-all".into();
    }
    assert_eq!(scene.ask(WHO), ["PutObject | anna | 1 | NULL", "PutObject | liam | 1 | NULL"]);
}

/// Members of the wrong type, in every place that linking reads.
#[test]
fn members_of_the_wrong_type_are_absent() {
    let odd =
        [json!(null), json!(1), json!("x"), json!([1]), json!({ "a": { "b": [] } }), json!(true)];
    let places = [
        "/requestParameters",
        "/responseElements",
        "/userIdentity",
        "/resources",
        "/addendum",
        "/additionalEventData",
        "/sharedEventID",
        "/errorCode",
        "/errorMessage",
        "/recipientAccountId",
        "/requestParameters/roleArn",
        "/requestParameters/tags",
        "/requestParameters/policyArns",
        "/requestParameters/transitiveTagKeys",
        "/requestParameters/incomingTransitiveTags",
        "/requestParameters/sourceIdentity",
        "/responseElements/credentials",
        "/responseElements/credentials/accessKeyId",
        "/responseElements/assumedRoleUser",
        "/userIdentity/type",
        "/userIdentity/principalId",
        "/userIdentity/arn",
        "/userIdentity/sessionContext",
        "/userIdentity/sessionContext/attributes",
        "/userIdentity/sessionContext/sessionIssuer",
    ];
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let session = role.session("x", "08:00:00", "ASIAELSE");
    let request = json!({
        "tags": [{ "key": "a", "value": "b" }], "transitiveTagKeys": ["a"], "policyArns": [],
        "incomingTransitiveTags": { "c": "d" }, "sourceIdentity": "x"
    });
    for (i, place) in places.iter().enumerate() {
        for (j, value) in odd.iter().enumerate() {
            let key = format!("ASIAODD{i}X{j}");
            let mut grant = granted("09:00:00", &role, "x", &key, request.clone());
            grant["addendum"] = json!({ "reason": "UPDATED_DATA", "originalEventID": "z" });
            grant["sharedEventID"] = "s".into();
            scene.record("09:00:00", &session, "sts:AssumeRole", grant);
            let record = scene.records.last_mut().unwrap();
            match record.pointer_mut(place) {
                Some(slot) => *slot = value.clone(),
                None => record[&place[1..]] = value.clone(),
            }
        }
    }
    let all = scene.records.len();
    let loaded = scene.load_in_any_order();
    assert_eq!(ask(loaded, "SELECT count(*) FROM activity"), [all.to_string()]);
    let named = "SELECT count(*) FROM activity WHERE origin_type IN ('IAMUser', 'Root')";
    assert_eq!(ask(scene.load_alone(), named), ["0"], "nobody is named who is not there");
}

/// What callers may choose is long and strange; every value comes out as it went in.
#[test]
fn chosen_texts_survive_as_they_are() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let odd = "\u{202e}=cmd()|'\"\\\u{0}\u{1b}[2J, \u{1f600}";
    let tags = json!({ "tags": [{ "key": odd, "value": odd }], "transitiveTagKeys": [odd] });
    scene.assume_with("09:00:00", &anna(), &role, "x", "ASIAONE", tags);
    let said = ask(
        scene.load_in_any_order(),
        "SELECT transitive_tags FROM sessions WHERE role_name = 'A'",
    );
    let value: Value = serde_json::from_str(&said[0]).unwrap();
    assert_eq!(value, json!({ odd: odd }));
}

/// Times cut to the day, as some redacted sets have them: thousands of grants fit every call.
#[test]
fn rivals_without_number_are_counted_and_name_nobody() {
    const GRANTS: usize = 1200;
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    for i in 0..GRANTS {
        scene.assume("09:00:00", &anna(), &role, "x", &format!("ASIAKEY{i}"));
    }
    let session = role.session("x", "09:00:00", "ASIAKEY7");
    scene.call("09:01:00", &session.with_key(None), "s3:PutObject");
    scene.call("09:02:00", &session, "s3:GetObject");
    let loaded = || scene.load_alone();
    assert_eq!(
        ask(loaded(), WHO),
        ["PutObject | NULL | NULL | too_many_candidates", "GetObject | anna | 1 | NULL"]
    );
    let sql = "SELECT count(*), max(candidates) FROM links WHERE child_access_key_id IS NULL";
    assert_eq!(ask(loaded(), sql), [format!("1000 | {GRANTS}")]);
    let sql = "SELECT used, count(*) FROM grants GROUP BY 1 ORDER BY 1";
    assert_eq!(ask(loaded(), sql), ["true | 1", "NULL | 1199"]);
}

/// A grant that shows neither role nor principal, and a call that shows no date: one key for all joins
/// them to nothing, a key of its own does.
#[test]
fn a_repeated_key_alone_proves_nothing() {
    for (key, expected) in [
        ("ASIAOTHER", "PutObject | eu-west-1:1 | 1 | NULL"),
        ("ASIAPOOL", "PutObject | NULL | NULL | grant_missing"),
    ] {
        let mut scene = Scene::default();
        let pool = json!({
            "requestParameters": { "identityId": "eu-west-1:1" },
            "responseElements": {
                "identityId": "eu-west-1:1", "credentials": { "accessKeyId": "ASIAPOOL" }
            },
            "recipientAccountId": HOME
        });
        let nobody = Caller(json!({ "type": "Unknown" }));
        scene.record("08:00:00", &nobody, "cognito-identity:GetCredentialsForIdentity", pool);
        scene.assume("09:00:00", &anna(), &Role::new(HOME, "B"), "x", key);
        let session = Role::new(HOME, "A").session("x", "09:00:00", "ASIAPOOL");
        let undated = session.with("/sessionContext/attributes/creationDate", Value::Null);
        scene.call("09:01:00", &undated, "s3:PutObject");
        assert_eq!(scene.ask(WHO), [expected], "{key}");
    }
}

/// A record that puts another one right is an event like it, and has the same caller.
#[test]
fn a_correction_is_an_event_of_the_same_caller() {
    let mut scene = Scene::default();
    let nobody = Caller(json!({ "type": "Unknown" }));
    let first = json!({
        "requestParameters": { "identityId": "eu-west-1:1" }, "recipientAccountId": HOME
    });
    let mut later = first.clone();
    later["responseElements"] = json!({
        "identityId": "eu-west-1:1", "credentials": { "accessKeyId": "ASIAPOOL" }
    });
    let call = "cognito-identity:GetCredentialsForIdentity";
    let original = scene.record("08:00:00", &nobody, call, first);
    later["addendum"] = json!({
        "reason": "UPDATED_DATA", "updatedFields": "responseElements", "originalEventID": original
    });
    scene.record("08:00:00", &nobody, call, later);
    let sql = "SELECT origin FROM activity ORDER BY event_id";
    assert_eq!(scene.ask(sql), ["eu-west-1:1", "eu-west-1:1"]);
}
