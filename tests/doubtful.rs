//! Cases in which a wrong name would be easy: each is told in a few records, and the answer is right,
//! or unknown with its reason.

use crate::support;
use crate::support::scene::{AWAY, Caller, HOME, Role, Scene};
use roletrail::generate;
use serde_json::json;

fn denials(scene: &Scene) -> Vec<String> {
    scene.ask(
        "SELECT event_time, denial_cause, propagation FROM grants WHERE outcome = 'denied'
         ORDER BY event_time, event_id",
    )
}

#[test]
fn equal_denials_before_a_success_are_mere_propagation() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let role = Role::new(HOME, "Writer");
    scene.denied("08:00:00", &anna, &role, ""); // Too early to belong to it.
    scene.denied("09:00:01", &anna, &role, "");
    scene.denied("09:00:04", &anna, &role, "");
    scene.denied("09:00:30", &Caller::user(HOME, "liam"), &role, ""); // Somebody else.
    scene.assume("09:01:01", &anna, &role, "first", "ASIAWRITER1");
    scene.denied("09:01:02", &anna, &role, ""); // Afterwards: nothing explains it.
    assert_eq!(
        denials(&scene),
        [
            "2024-05-01T08:00:00Z | unspecified | false",
            "2024-05-01T09:00:01Z | unspecified | true",
            "2024-05-01T09:00:04Z | unspecified | true",
            "2024-05-01T09:00:30Z | unspecified | false",
            "2024-05-01T09:01:02Z | unspecified | false",
        ]
    );
}

#[test]
fn unequal_denials_and_denials_by_a_policy_are_no_propagation() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let (writer, reader) = (Role::new(HOME, "Writer"), Role::new(HOME, "Reader"));
    let trust = " because no role trust policy allows the sts:AssumeRole action";
    scene.denied("09:00:01", &anna, &writer, "");
    scene.denied("09:00:02", &anna, &writer, trust);
    scene.denied("09:00:03", &anna, &writer, trust);
    scene.assume("09:00:09", &anna, &writer, "first", "ASIAWRITER1");
    scene.denied("10:00:00", &anna, &reader, " with an explicit deny in a service control policy");
    scene.assume("10:00:09", &anna, &reader, "first", "ASIAREADER1");
    assert_eq!(
        denials(&scene),
        [
            "2024-05-01T09:00:01Z | unspecified | false",
            "2024-05-01T09:00:02Z | trust_policy | true",
            "2024-05-01T09:00:03Z | trust_policy | true",
            "2024-05-01T10:00:00Z | service_control_policy | false",
        ]
    );
}

/// The denial stands in the caller's account alone; of the success only the role owner's half is left.
#[test]
fn the_owners_half_of_a_success_explains_the_callers_denials() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let role = Role::new(AWAY, "Writer");
    scene.denied("09:00:01", &anna, &role, "");
    scene.assume_across("09:00:05", &anna, &role, "first", "ASIAWRITER1", (false, true));
    assert_eq!(denials(&scene), ["2024-05-01T09:00:01Z | unspecified | true"]);
}

#[test]
fn a_denial_names_action_and_role_and_says_when_it_cannot() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    scene.denied("09:00:00", &anna, &Role::new(AWAY, "teams/Writer"), ".");
    let tags = json!({
        "errorCode": "AccessDenied",
        "errorMessage": "User: x is not authorized to perform: sts:TagSession on resource: \
                         arn:aws:iam::222222222222:role/teams/Wri..."
    });
    scene.record("09:00:01", &anna, "sts:AssumeRole", tags);
    scene.record("09:00:02", &anna, "sts:AssumeRole", json!({ "errorCode": "AccessDenied" }));
    let sql =
        "SELECT denied_action, role_arn, role_name, role_account_id, denial_cause, propagation
               FROM grants ORDER BY event_time";
    assert_eq!(
        scene.ask(sql),
        [
            "sts:AssumeRole | arn:aws:iam::222222222222:role/teams/Writer | Writer | 222222222222 \
             | unspecified | false",
            "sts:TagSession | NULL | NULL | 222222222222 | session_tags | NULL",
            "NULL | NULL | NULL | NULL | unspecified | NULL",
        ]
    );
}

fn sessions(scene: &Scene, columns: &str) -> Vec<String> {
    scene.ask(&format!(
        "SELECT {columns} FROM sessions WHERE started_at IS NOT NULL ORDER BY started_at, session_id"
    ))
}

#[test]
fn tags_follow_the_chain_as_far_as_they_are_transitive() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let [a, b, c] = ["A", "B", "C"].map(|name| Role::new(HOME, name));
    let first = json!({
        "tags": [{ "key": "Project", "value": "apollo" }, { "key": "Desk", "value": "7" }],
        "transitiveTagKeys": ["project"], "durationSeconds": 7200, "externalId": "x-1",
        "serialNumber": "arn:aws:iam::111111111111:mfa/anna", "policyArns": [{ "arn": "P" }]
    });
    let one = scene.assume_with("09:00:00", &anna, &a, "anna", "ASIAONE", first);
    let more = json!({ "tags": [{ "key": "Ticket", "value": "4711" }] });
    let two = scene.assume_with("09:10:00", &one, &b, "anna", "ASIATWO", more);
    scene.assume("09:20:00", &two, &c, "anna", "ASIATHREE");
    let columns = "role_name, session_tags, transitive_tags, duration_asked_seconds,
                   duration_seconds, external_id, mfa_serial, session_policy, used, issued_by_kind,
                   grant_event_id, contradictions";
    assert_eq!(
        sessions(&scene, columns),
        [
            "A | {\"Desk\":\"7\",\"Project\":\"apollo\"} | {\"Project\":\"apollo\"} | 7200 | 7200 \
             | x-1 | arn:aws:iam::111111111111:mfa/anna | {\"policyArns\":[{\"arn\":\"P\"}]} | true \
             | AssumeRole | 00000000-0000-4000-8000-000000000000 | []",
            "B | {\"Project\":\"apollo\",\"Ticket\":\"4711\"} | {\"Project\":\"apollo\"} | NULL \
             | 3600 | NULL | NULL | NULL | true | AssumeRole \
             | 00000001-0000-4000-8000-000000000000 | []",
            "C | {\"Project\":\"apollo\"} | {\"Project\":\"apollo\"} | NULL | 3600 | NULL | NULL \
             | NULL | false | AssumeRole | 00000002-0000-4000-8000-000000000000 | []",
        ]
    );
}

#[test]
fn inherited_tags_are_taken_from_the_record_and_must_agree_with_the_chain() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let [a, b, c] = ["A", "B", "C"].map(|name| Role::new(HOME, name));
    let passed = json!({
        "tags": [{ "key": "Project", "value": "apollo" }], "transitiveTagKeys": ["Project"]
    });
    let one = scene.assume_with("09:00:00", &anna, &a, "anna", "ASIAONE", passed);
    let same = json!({ "incomingTransitiveTags": { "project": "apollo" } });
    scene.assume_with("09:10:00", &one, &b, "anna", "ASIATWO", same);
    let other = json!({ "incomingTransitiveTags": { "Project": "gemini" } });
    scene.assume_with("09:20:00", &one, &b, "anna", "ASIATHREE", other.clone());
    // Nothing is known of this caller but what the record shows.
    let stranger = c.session("x", "08:00:00", "ASIAELSE");
    scene.assume_with("09:30:00", &stranger, &b, "anna", "ASIAFOUR", other);
    assert_eq!(
        sessions(&scene, "started_at, session_tags, contradictions"),
        [
            "2024-05-01T08:00:00Z | NULL | []",
            "2024-05-01T09:00:00Z | {\"Project\":\"apollo\"} | []",
            "2024-05-01T09:10:00Z | {\"project\":\"apollo\"} | []",
            "2024-05-01T09:20:00Z | {\"Project\":\"gemini\"} | [transitive_tags_differ]",
            "2024-05-01T09:30:00Z | {\"Project\":\"gemini\"} | []",
        ]
    );
}

#[test]
fn a_source_identity_is_followed_to_where_it_was_set_and_must_not_change() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let [a, b, c] = ["A", "B", "C"].map(|name| Role::new(HOME, name));
    let set = json!({ "sourceIdentity": "anna" });
    let one = scene.assume_with("09:00:00", &anna, &a, "x", "ASIAONE", set.clone());
    let one = one.with_source_identity("anna");
    let two = scene.assume_with("09:10:00", &one, &b, "x", "ASIATWO", set);
    let forged = json!({ "sourceIdentity": "liam" });
    scene.assume_with("09:20:00", &two, &c, "x", "ASIATHREE", forged);
    let columns = "s.role_name, s.source_identity, f.role_name, s.contradictions";
    assert_eq!(
        scene.ask(&format!(
            "SELECT {columns} FROM sessions s
             LEFT JOIN sessions f ON f.session_id = s.source_identity_session_id
             WHERE s.started_at IS NOT NULL ORDER BY s.started_at"
        )),
        ["A | anna | A | []", "B | anna | A | []", "C | liam | C | [source_identity_changed]",]
    );
}

/// Services have limits of their own, and a second more is rounding.
#[test]
fn only_role_sessions_are_bound_to_an_hour() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let [a, b] = ["A", "B"].map(|name| Role::new(HOME, name));
    let hours = |n: i64| json!({ "durationSeconds": 3600 * n });
    let one = scene.assume_with("09:00:00", &anna, &a, "x", "ASIAONE", hours(12));
    scene.assume_with("09:10:00", &one, &b, "x", "ASIATWO", hours(1));
    scene.assume_with("09:20:00", &one, &b, "x", "ASIATHREE", hours(2));
    let ec2 = Caller::service("ec2.amazonaws.com");
    scene.assume_with("09:30:00", &ec2, &b, "i-0123456789abcdef0", "ASIAFOUR", hours(6));
    assert_eq!(
        sessions(&scene, "started_at, contradictions"),
        [
            "2024-05-01T09:00:00Z | []",
            "2024-05-01T09:10:00Z | []",
            "2024-05-01T09:20:00Z | [chained_over_one_hour]",
            "2024-05-01T09:30:00Z | []",
        ]
    );
}

/// That an expired token is refused is no contradiction.
#[test]
fn calls_long_after_the_expiry_and_before_the_creation_are_named() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let role = Role::new(HOME, "A");
    let asked = json!({ "durationSeconds": 900 });
    let refused = json!({ "errorCode": "ExpiredToken", "errorMessage": "expired" });
    for (hour, key, late) in [("09", "ASIAONE", "01:00"), ("10", "ASIATWO", "01:01")] {
        let start = format!("{hour}:00:00");
        let one = scene.assume_with(&start, &anna, &role, "x", key, asked.clone());
        scene.call(&format!("{hour}:14:00"), &one, "s3:ListBuckets");
        scene.record(&format!("{hour}:40:00"), &one, "s3:ListBuckets", refused.clone());
        let minute = if late == "01:00" { "16:00" } else { "16:01" };
        scene.call(&format!("{hour}:{minute}"), &one, "s3:ListBuckets");
    }
    let early = scene.assume("11:00:00", &anna, &role, "x", "ASIATHREE");
    scene.call("10:58:59", &early, "s3:ListBuckets");
    assert_eq!(
        sessions(&scene, "started_at, contradictions"),
        [
            "2024-05-01T09:00:00Z | []",
            "2024-05-01T10:00:00Z | [calls_after_expiry]",
            "2024-05-01T11:00:00Z | [calls_before_creation]",
        ]
    );
}

#[test]
fn sessions_named_after_somebody_else_are_told() {
    let mut scene = Scene::default();
    let [anna, liam] = ["anna", "liam"].map(|name| Caller::user(HOME, name));
    let role = Role::new(HOME, "A");
    let stranger = Role::new(AWAY, "B").session("i-0123456789abcdef1", "08:00:00", "ASIAELSE");
    scene.call("08:00:01", &stranger, "s3:ListBuckets");
    let lambda = Caller::service("lambda.amazonaws.com");
    for (minute, caller, name) in [
        ("00", &anna, "anna"),
        ("01", &anna, "Anna@example.com"),
        ("02", &liam, "anna"),
        ("03", &liam, "terraform"),
        ("04", &liam, "i-0123456789abcdef0"),
        ("05", &lambda, "anna"),
        ("06", &liam, "i-not-an-instance"),
    ] {
        scene.assume(&format!("09:{minute}:00"), caller, &role, name, &format!("ASIAKEY{minute}"));
    }
    let ec2 = Caller::service("ec2.amazonaws.com");
    scene.assume("09:07:00", &ec2, &role, "i-0123456789abcdef0", "ASIAKEY07");
    assert_eq!(
        sessions(&scene, "session_name, origin, contradictions"),
        [
            "i-0123456789abcdef1 | NULL | [instance_name_unproven]",
            "anna | arn:aws:iam::111111111111:user/anna | []",
            "Anna@example.com | arn:aws:iam::111111111111:user/anna | []",
            "anna | arn:aws:iam::111111111111:user/liam | [named_after_somebody_else]",
            "terraform | arn:aws:iam::111111111111:user/liam | []",
            "i-0123456789abcdef0 | arn:aws:iam::111111111111:user/liam \
             | [named_after_somebody_else]",
            "anna | lambda.amazonaws.com | []",
            "i-not-an-instance | arn:aws:iam::111111111111:user/liam | []",
            "i-0123456789abcdef0 | ec2.amazonaws.com | []",
        ]
    );
}

/// Records are corrected later: the first delivery of a call lacked its response.
fn without_response(scene: &mut Scene, time: &str, caller: &Caller, role: &Role) -> String {
    let request = json!({ "roleArn": role.arn, "roleSessionName": "x" });
    scene.record(time, caller, "sts:AssumeRole", json!({ "requestParameters": request }))
}

fn addendum(original: &str, fields: serde_json::Value) -> serde_json::Value {
    json!({ "reason": "UPDATED_DATA", "updatedFields": fields, "originalEventID": original })
}

const CORRECTED: &str = "SELECT event_id, addendum_event_id, issued_access_key_id, role_name,
    caller_arn, used FROM grants ORDER BY event_time, event_id";

#[test]
fn a_late_correction_brings_the_key_of_a_grant() {
    for fields in [json!("responseElements"), json!(["responseElements"]), json!(null)] {
        let mut scene = Scene::default();
        let [anna, liam] = ["anna", "liam"].map(|name| Caller::user(HOME, name));
        let role = Role::new(HOME, "A");
        // In the same second under the same name: without the key nobody could tell them apart.
        let first = without_response(&mut scene, "09:00:00", &anna, &role);
        let other = scene.assume("09:00:00", &liam, &role, "x", "ASIALIAM");
        let mut later = support::scene::granted("09:00:00", &role, "x", "ASIAANNA", json!({}));
        later["addendum"] = addendum(&first, fields);
        scene.record("09:00:00", &anna, "sts:AssumeRole", later);
        let mine = role.session("x", "09:00:00", "ASIAANNA");
        scene.call("09:01:00", &mine, "s3:PutObject");
        scene.call("09:02:00", &other, "s3:DeleteObject");
        assert_eq!(
            scene.ask(CORRECTED),
            [
                "00000000-0000-4000-8000-000000000000 | 00000002-0000-4000-8000-000000000000 \
                 | ASIAANNA | A | arn:aws:iam::111111111111:user/anna | true",
                "00000001-0000-4000-8000-000000000000 | NULL | ASIALIAM | A \
                 | arn:aws:iam::111111111111:user/liam | true",
            ]
        );
        let who = "SELECT event_name, origin FROM activity WHERE event_source = 's3.amazonaws.com'
                   ORDER BY event_time";
        assert_eq!(
            scene.ask(who),
            [
                "PutObject | arn:aws:iam::111111111111:user/anna",
                "DeleteObject | arn:aws:iam::111111111111:user/liam",
            ]
        );
        assert_eq!(scene.ask("SELECT count(*) FROM events"), ["5"], "both records are kept");
    }
}

#[test]
fn a_correction_changes_only_what_it_names() {
    let mut scene = Scene::default();
    let [anna, liam] = ["anna", "liam"].map(|name| Caller::user(HOME, name));
    let [a, b] = ["A", "B"].map(|name| Role::new(HOME, name));
    let first = without_response(&mut scene, "09:00:00", &anna, &a);
    let mut later = support::scene::granted("09:00:00", &b, "x", "ASIAKEY", json!({}));
    later["addendum"] = addendum(&first, json!("errorMessage"));
    scene.record("09:00:00", &liam, "sts:AssumeRole", later);
    let grant = "00000000-0000-4000-8000-000000000000 | 00000001-0000-4000-8000-000000000000";
    let anna_of_a = "| NULL | A | arn:aws:iam::111111111111:user/anna | false";
    assert_eq!(scene.ask(CORRECTED), [format!("{grant} {anna_of_a}")]);
}

#[test]
fn corrections_that_differ_count_for_nothing_and_one_without_its_call_for_itself() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let role = Role::new(HOME, "A");
    let first = without_response(&mut scene, "09:00:00", &anna, &role);
    for key in ["ASIAONE", "ASIATWO"] {
        let mut later = support::scene::granted("09:00:00", &role, "x", key, json!({}));
        later["addendum"] = addendum(&first, json!("responseElements"));
        scene.record("09:00:00", &anna, "sts:AssumeRole", later);
    }
    let mut alone = support::scene::granted("10:00:00", &role, "x", "ASIATHREE", json!({}));
    alone["addendum"] = addendum("99999999-0000-4000-8000-000000000000", json!(null));
    scene.record("10:00:00", &anna, "sts:AssumeRole", alone);
    let mut late = support::scene::granted("11:00:00", &role, "x", "ASIAFOUR", json!({}));
    late["addendum"] = json!({ "reason": "DELIVERY_DELAY" });
    scene.record("11:00:00", &anna, "sts:AssumeRole", late);
    let by = "A | arn:aws:iam::111111111111:user/anna | false";
    assert_eq!(
        scene.ask(CORRECTED),
        [
            format!("00000000-0000-4000-8000-000000000000 | NULL | NULL | {by}"),
            format!("00000003-0000-4000-8000-000000000000 | NULL | ASIATHREE | {by}"),
            format!("00000004-0000-4000-8000-000000000000 | NULL | ASIAFOUR | {by}"),
        ]
    );
}

#[test]
fn a_correction_of_a_correction_counts_after_it() {
    let mut scene = Scene::default();
    let [anna, liam] = ["anna", "liam"].map(|name| Caller::user(HOME, name));
    let role = Role::new(HOME, "A");
    let first = without_response(&mut scene, "09:00:00", &liam, &role);
    let mut later = support::scene::granted("09:00:00", &role, "x", "ASIAWRONG", json!({}));
    later["addendum"] = addendum(&first, json!("userIdentity,responseElements"));
    let second = scene.record("09:00:00", &anna, "sts:AssumeRole", later.clone());
    later["responseElements"]["credentials"]["accessKeyId"] = "ASIARIGHT".into();
    later["addendum"] = addendum(&second, json!("responseElements"));
    scene.record("09:00:00", &liam, "sts:AssumeRole", later);
    scene.call("09:01:00", &role.session("x", "09:00:00", "ASIARIGHT"), "s3:PutObject");
    assert_eq!(
        scene.ask(CORRECTED),
        ["00000000-0000-4000-8000-000000000000 | 00000002-0000-4000-8000-000000000000 \
          | ASIARIGHT | A | arn:aws:iam::111111111111:user/anna | true"]
    );
    // Without the first record the second stands for it.
    scene.records.remove(0);
    assert_eq!(
        scene.ask(CORRECTED),
        ["00000001-0000-4000-8000-000000000000 | 00000002-0000-4000-8000-000000000000 \
          | ASIARIGHT | A | arn:aws:iam::111111111111:user/anna | true"]
    );
}

/// Nobody can have been put right by what came of it.
#[test]
fn corrections_in_a_circle_stand_for_themselves() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    let role = Role::new(HOME, "A");
    let id = |n: usize| format!("{n:08}-0000-4000-8000-000000000000");
    for (n, key) in ["ASIAONE", "ASIATWO"].into_iter().enumerate() {
        let mut later = support::scene::granted("09:00:00", &role, "x", key, json!({}));
        later["addendum"] = addendum(&id(1 - n), json!("responseElements"));
        scene.record("09:00:00", &anna, "sts:AssumeRole", later);
    }
    let by = "A | arn:aws:iam::111111111111:user/anna | false";
    let alone = |n, key: &str| format!("{} | NULL | {key} | {by}", id(n));
    assert_eq!(scene.ask(CORRECTED), [alone(0, "ASIAONE"), alone(1, "ASIATWO")]);
}

#[test]
fn an_honest_world_contradicts_itself_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        generate::WorldOptions { events: 8_000, accounts: 4, days: 1, seed: 9, losses: true };
    generate::world(&options, dir.path()).unwrap();
    let sql = "SELECT count(*) > 300, max(cardinality(contradictions)) FROM sessions";
    assert_eq!(support::scene::ask(support::load(&[dir.path()]), sql), ["true | 0"]);
}

/// The caller's own session began after it made the call.
#[test]
fn no_session_is_older_than_the_one_that_took_it() {
    let mut scene = Scene::default();
    let [a, b] = ["A", "B"].map(|name| Role::new(HOME, name));
    let anna = Caller::user(HOME, "anna");
    for (made, taken) in
        [("10:00:00", "09:59:58"), ("11:00:00", "10:59:59"), ("12:00:00", "12:00:00")]
    {
        let one = scene.assume(made, &anna, &a, "x", &format!("ASIAONE{made}"));
        scene.assume(taken, &one, &b, "x", &format!("ASIATWO{made}"));
    }
    let sql = "SELECT started_at, contradictions, depth, unresolved_reason FROM sessions
        WHERE role_name = 'B' ORDER BY 1";
    assert_eq!(
        scene.ask(sql),
        [
            "2024-05-01T09:59:58Z | [started_before_parent] | NULL | started_before_parent",
            "2024-05-01T10:59:59Z | [] | 2 | NULL",
            "2024-05-01T12:00:00Z | [] | 2 | NULL",
        ]
    );
}

/// GetSessionToken with a device makes every call show MFA.
#[test]
fn a_token_got_with_mfa_shows_mfa() {
    let mut scene = Scene::default();
    let anna = Caller::user(HOME, "anna");
    for (hour, shown) in [("09", "true"), ("10", "false")] {
        let time = format!("{hour}:00:00");
        let issued = json!({
            "requestParameters": { "serialNumber": "arn:aws:iam::111111111111:mfa/anna" },
            "responseElements": { "credentials": { "accessKeyId": format!("ASIA{hour}") } }
        });
        scene.record(&time, &anna, "sts:GetSessionToken", issued);
        let attributes = json!({
            "attributes": { "creationDate": format!("2024-05-01T{time}Z"), "mfaAuthenticated": shown }
        });
        let token = anna.with_key(Some(&format!("ASIA{hour}"))).with("/sessionContext", attributes);
        scene.call(&format!("{hour}:01:00"), &token, "s3:ListBuckets");
    }
    assert_eq!(
        sessions(&scene, "mfa_authenticated, issued_by_kind, mfa_serial, contradictions"),
        [
            "true | GetSessionToken | arn:aws:iam::111111111111:mfa/anna | []",
            "false | GetSessionToken | arn:aws:iam::111111111111:mfa/anna | [mfa_differs]",
        ]
    );
}
