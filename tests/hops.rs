//! Hops that are easily mistaken: in each case the session's caller is right, or unknown with its
//! reason, and every candidate stands in **links**.

use crate::support;
use crate::support::scene::{AWAY, Caller, HOME, Role, Scene};
use serde_json::json;

/// Calls of S3 with who is behind them.
fn who(scene: &Scene) -> Vec<String> {
    scene.ask(
        "SELECT event_name, split_part(origin, '/', -1) AS who, depth, chain_strength,
                unresolved_reason
         FROM activity WHERE event_source = 's3.amazonaws.com' ORDER BY event_time, event_id",
    )
}

/// All candidates: whose key, by what, how strong, of how many.
fn links(scene: &Scene) -> Vec<String> {
    scene.ask(
        "SELECT l.child_access_key_id, split_part(g.caller_arn, '/', -1) AS caller, l.rule,
                l.strength, l.candidates
         FROM links l JOIN grants g ON g.event_id = l.grant_event_id
         ORDER BY l.child_access_key_id NULLS FIRST, g.event_time, g.event_id",
    )
}

fn anna() -> Caller {
    Caller::user(HOME, "anna")
}

fn liam() -> Caller {
    Caller::user(HOME, "liam")
}

#[test]
fn one_key_id_in_two_sessions_is_two_credentials() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let first = scene.assume("09:00:00", &anna(), &role, "x", "ASIAAGAIN");
    let second = scene.assume("15:00:00", &liam(), &role, "x", "ASIAAGAIN");
    scene.call("09:01:00", &first, "s3:PutObject");
    scene.call("15:01:00", &second, "s3:DeleteObject");
    assert_eq!(
        who(&scene),
        ["PutObject | anna | 1 | exact | NULL", "DeleteObject | liam | 1 | exact | NULL"]
    );
    let links = links(&scene);
    let link = |who: &str| format!("ASIAAGAIN | {who} | access_key | exact | 1");
    assert_eq!(links, [link("anna"), link("liam")]);
}

#[test]
fn of_two_grants_in_one_second_the_used_one_is_told_by_its_key() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    scene.assume("09:00:00", &anna(), &role, "x", "ASIAUNUSED");
    let used = scene.assume("09:00:00", &anna(), &role, "x", "ASIAUSED");
    scene.call("09:01:00", &used, "s3:PutObject");
    assert_eq!(who(&scene), ["PutObject | anna | 1 | exact | NULL"]);
    let sql = "SELECT issued_access_key_id, used FROM grants ORDER BY 1";
    assert_eq!(scene.ask(sql), ["ASIAUNUSED | false", "ASIAUSED | true"]);
    let sql = "SELECT count(*), max(array_length(access_key_ids)) FROM sessions
               WHERE started_at IS NOT NULL";
    assert_eq!(scene.ask(sql), ["1 | 2"], "one session, two keys");
}

/// The same hop twice, and calls that show no key: the hop is ambiguous, its origin is not.
#[test]
fn candidates_that_agree_name_the_origin_and_say_ambiguous() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE");
    let session = scene.assume("09:00:00", &anna(), &role, "x", "ASIATWO");
    scene.call("09:01:00", &session.with_key(None), "s3:PutObject");
    assert_eq!(who(&scene), ["PutObject | anna | 1 | ambiguous | NULL"]);
    let silent = "NULL | anna | creation_time | ambiguous | 2";
    let own = |key: &str| format!("{key} | anna | access_key | exact | 1");
    assert_eq!(
        links(&scene),
        [silent.to_owned(), silent.to_owned(), own("ASIAONE"), own("ASIATWO")]
    );
}

#[test]
fn two_callers_in_one_second_are_told_apart_by_keys_alone() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let first = scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE");
    let second = scene.assume("09:00:00", &liam(), &role, "x", "ASIATWO");
    scene.call("09:01:00", &first, "s3:PutObject");
    scene.call("09:02:00", &second, "s3:DeleteObject");
    scene.call("09:03:00", &first.with_key(None), "s3:GetObject");
    assert_eq!(
        who(&scene),
        [
            "PutObject | anna | 1 | exact | NULL",
            "DeleteObject | liam | 1 | exact | NULL",
            "GetObject | NULL | NULL | none | candidates_disagree",
        ]
    );
    assert_eq!(
        links(&scene),
        [
            "NULL | anna | creation_time | ambiguous | 2",
            "NULL | liam | creation_time | ambiguous | 2",
            "ASIAONE | anna | access_key | exact | 1",
            "ASIATWO | liam | access_key | exact | 1",
        ]
    );
    let sql = "SELECT origin, parent_session_id, unresolved_reason, chain_strength, candidates
               FROM sessions WHERE role_name = 'A'";
    assert_eq!(scene.ask(sql), ["NULL | NULL | credentials_disagree | none | 2"]);
}

/// The console shows the issued key nowhere, and changes its own.
#[test]
fn a_console_session_keeps_its_caller_under_every_key() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let page = json!({ "sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal" });
    let session = scene.assume("09:00:00", &anna(), &role, "anna", "ASIANEVERSEEN");
    for (member, value) in page.as_object().unwrap() {
        scene.records[0][member] = value.clone();
    }
    let console = json!({ "sessionCredentialFromConsole": "true" });
    for (minute, key) in ["ASIAK1", "ASIAK2", "ASIAK3"].into_iter().enumerate() {
        let caller = session.with_key(Some(key));
        scene.record(&format!("09:0{minute}:30"), &caller, "s3:PutObject", console.clone());
    }
    assert_eq!(who(&scene), ["PutObject | anna | 1 | exact | NULL"; 3]);
}

#[test]
fn both_keys_of_an_instance_belong_to_one_session() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let ec2 = Caller::service("ec2.amazonaws.com");
    let name = "i-0123456789abcdef0";
    for (key, version) in [("ASIAIMDSONE", "1.0"), ("ASIAIMDSTWO", "2.0")] {
        let session = scene.assume("09:00:00", &ec2, &role, name, key);
        // Services leave out whom they made.
        scene.records.last_mut().unwrap()["responseElements"]["assumedRoleUser"].take();
        let session = session.with("/sessionContext/ec2RoleDelivery", version.into());
        scene.call("09:01:00", &session, "s3:PutObject");
    }
    assert_eq!(who(&scene), ["PutObject | ec2.amazonaws.com | 1 | exact | NULL"; 2]);
    let sql = "SELECT origin_detail, array_length(access_key_ids), issued_by_kind, grant_event_id
               FROM sessions";
    assert_eq!(scene.ask(sql), [format!("instance {name} | 2 | AssumeRole | NULL")]);
}

#[test]
fn without_the_grant_a_session_is_unknown_however_telling_its_name() {
    let mut scene = Scene::default();
    let session = Role::new(HOME, "A").session("anna", "09:00:00", "ASIAONE");
    scene.call("09:01:00", &anna(), "s3:ListBuckets");
    scene.call("09:02:00", &session, "s3:PutObject");
    let keyless =
        session.with_key(None).with("/sessionContext/attributes/creationDate", json!(null));
    scene.call("09:03:00", &keyless, "s3:GetObject");
    assert_eq!(
        who(&scene),
        [
            "ListBuckets | anna | 0 | exact | NULL",
            "PutObject | NULL | NULL | none | grant_missing",
            "GetObject | NULL | NULL | none | no_key_and_no_creation_date",
        ]
    );
}

/// An hour later somebody took the role under the same name: that grant is another session's.
#[test]
fn a_grant_of_another_second_or_another_key_explains_nothing() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    scene.assume("10:00:00", &anna(), &role, "x", "ASIALATER");
    scene.call("09:01:00", &role.session("x", "09:00:00", "ASIAONE"), "s3:PutObject");
    scene.call("10:01:00", &role.session("x", "10:00:00", "ASIATWO"), "s3:GetObject");
    assert_eq!(
        who(&scene),
        [
            "PutObject | NULL | NULL | none | grant_missing",
            "GetObject | NULL | NULL | none | grant_issued_another_key",
        ]
    );
    let refused = "ASIATWO | anna | creation_time | none | 1";
    assert_eq!(links(&scene), ["ASIALATER | anna | access_key | exact | 1", refused]);
}

#[test]
fn half_a_pair_names_as_much_as_it_shows() {
    for (keep, put) in [
        ((true, true), "anna | 1 | exact | NULL"),
        ((true, false), "anna | 1 | exact | NULL"),
        // A user's id is enough, as long as some record of the user is there.
        ((false, true), "anna | 1 | inferred | NULL"),
        ((false, false), "NULL | NULL | none | grant_missing"),
    ] {
        let mut scene = Scene::default();
        scene.call("08:00:00", &anna(), "s3:ListBuckets");
        let role = Role::new(AWAY, "A");
        let session = scene.assume_across("09:00:00", &anna(), &role, "x", "ASIAONE", keep);
        scene.call("09:01:00", &session, "s3:PutObject");
        let expected =
            ["ListBuckets | anna | 0 | exact | NULL".to_owned(), format!("PutObject | {put}")];
        assert_eq!(who(&scene), expected, "{keep:?}");
    }
}

/// The owner's half shows a caller's role session without its creation date: with two sessions of that
/// name alive, nobody can tell which it was, and with one, everybody.
#[test]
fn the_owners_half_is_of_the_sessions_that_were_live() {
    let (near, far) = (Role::new(HOME, "A"), Role::new(AWAY, "B"));
    let principal = format!("{}:ops", near.id);
    for (others, said, halves) in [
        (vec![], "anna | 2 | inferred | NULL".to_owned(), "anna | 1 | inferred | NULL"),
        // Over before, or later.
        (
            vec![("07:00:00", liam()), ("09:20:05", liam())],
            "anna | 2 | inferred | NULL".to_owned(),
            "anna | 1 | inferred | NULL",
        ),
        (
            vec![("09:10:00", anna())],
            "anna | 2 | ambiguous | NULL".to_owned(),
            "anna | 1 | ambiguous | NULL",
        ),
        (
            vec![("09:10:00", liam())],
            "NULL | NULL | none | parent_unresolved".to_owned(),
            "NULL | NULL | none | candidates_disagree",
        ),
    ] {
        let mut scene = Scene::default();
        let one = scene.assume("09:00:00", &anna(), &near, "ops", "ASIAONE");
        for (time, caller) in &others {
            scene.assume(time, caller, &near, "ops", &format!("ASIA{time}"));
        }
        let session = scene.assume_across("09:20:00", &one, &far, "x", "ASIAFAR", (false, true));
        scene.call("09:21:00", &session, "s3:PutObject");
        assert_eq!(who(&scene), [format!("PutObject | {said}")], "{others:?}");
        let half = "SELECT split_part(origin, '/', -1), depth, chain_strength, unresolved_reason
                    FROM activity WHERE recipient_account_id = '222222222222'
                      AND event_name = 'AssumeRole'";
        assert_eq!(scene.ask(half), [halves], "{others:?}");
        let rule = "SELECT rule, strength FROM attributions";
        assert_eq!(scene.ask(rule), ["principal_at_time | inferred"]);
        let hop = "SELECT l.rule, l.strength, link_rule, link_strength
                   FROM links l JOIN sessions ON session_id = child_session_id WHERE role_name = 'B'";
        let strength = halves.rsplit(" | ").nth(1).unwrap();
        let sure = "access_key | exact | access_key | exact".to_owned();
        let found = format!("principal_at_time | {strength} | principal_at_time | {strength}");
        assert_eq!(scene.ask(hop), [if strength == "none" { sure } else { found }], "{others:?}");
        let parent = "SELECT count(*) FROM sessions c JOIN sessions p
                      ON p.session_id = c.parent_session_id WHERE c.role_name = 'B'";
        let one_session = others.is_empty() || others.len() == 2;
        assert_eq!(scene.ask(parent), [if one_session { "1" } else { "0" }]);
    }
    // Of an account whose logs are not there the id is all there is.
    let mut scene = Scene::default();
    let one = near.session("ops", "09:00:00", "ASIAONE");
    let session = scene.assume_across("09:20:00", &one, &far, "x", "ASIAFAR", (false, true));
    scene.call("09:21:00", &session, "s3:PutObject");
    assert_eq!(who(&scene), [format!("PutObject | {principal} | 1 | exact | NULL")]);
    let sql = "SELECT origin_type, origin_account_id FROM sessions WHERE role_name = 'B'";
    assert_eq!(scene.ask(sql), ["AWSAccount | 111111111111"]);
}

/// Of any call between accounts, with a shared id or without.
#[test]
fn a_plain_call_from_another_account_is_of_the_session_that_was_live() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    scene.assume("09:00:00", &anna(), &role, "ops", "ASIAONE");
    let outside = |principal: &str| {
        Caller(json!({ "type": "AWSAccount", "principalId": principal, "accountId": HOME }))
    };
    let at_home = |shared: &str| match shared {
        "" => json!({ "recipientAccountId": AWAY }),
        shared => json!({ "recipientAccountId": AWAY, "sharedEventID": shared }),
    };
    let ops = outside(&format!("{}:ops", role.id));
    scene.record("09:10:00", &ops, "s3:PutObject", at_home(""));
    scene.record("09:10:01", &ops, "s3:PutObject", at_home("shared"));
    scene.record("10:01:01", &ops, "s3:PutObject", at_home("later"));
    scene.record("10:02:00", &outside(HOME), "s3:PutObject", at_home(""));
    scene.record("10:03:00", &outside("AIDAANNA"), "s3:PutObject", at_home(""));
    let id = format!("{}:ops", role.id);
    assert_eq!(
        who(&scene),
        [
            "PutObject | anna | 1 | inferred | NULL".to_owned(),
            "PutObject | anna | 1 | inferred | NULL".to_owned(),
            format!("PutObject | {id} | 0 | exact | NULL"),
            format!("PutObject | arn:aws:iam::{HOME}:root | 0 | inferred | NULL"),
            "PutObject | anna | 0 | inferred | NULL".to_owned(),
        ]
    );
    let sql = "SELECT origin_type FROM activity WHERE event_time = '2024-05-01T10:02:00Z'";
    assert_eq!(scene.ask(sql), ["Root"]);
}

/// What two accounts recorded of one call are two records, however often one of them comes.
#[test]
fn two_owners_halves_of_one_call_are_one_call() {
    let mut scene = Scene::default();
    let role = Role::new(AWAY, "A");
    let session = scene.assume_across("09:00:00", &anna(), &role, "x", "ASIAONE", (true, true));
    let mut again = scene.records[1].clone();
    again["eventID"] = "99999999-0000-4000-8000-000000000000".into();
    scene.records.push(again);
    scene.call("09:01:00", &session.with_key(None), "s3:PutObject");
    assert_eq!(who(&scene), ["PutObject | anna | 1 | exact | NULL"]);
    assert_eq!(scene.ask("SELECT count(*) FROM grants"), ["1"]);
}

#[test]
fn a_role_made_again_is_another_role() {
    let mut scene = Scene::default();
    let old = Role::new(HOME, "A");
    let new = old.made_again();
    // In one second, under one name and with one key: only the role's id differs.
    let first = scene.assume("09:00:00", &anna(), &old, "x", "ASIAONE");
    let second = scene.assume("09:00:00", &liam(), &new, "x", "ASIAONE");
    scene.call("09:01:00", &first, "s3:PutObject");
    scene.call("09:02:00", &second, "s3:DeleteObject");
    scene.call("09:03:00", &second.with_key(None), "s3:GetObject");
    assert_eq!(
        who(&scene),
        [
            "PutObject | anna | 1 | exact | NULL",
            "DeleteObject | liam | 1 | exact | NULL",
            "GetObject | liam | 1 | exact | NULL",
        ]
    );
    let sql = "SELECT count(*), count(DISTINCT role_arn) FROM sessions WHERE role_name = 'A'";
    assert_eq!(scene.ask(sql), ["2 | 1"]);
}

/// Two roles hand each other on for days, every hop a new session; some in the same second.
#[test]
fn a_loop_of_two_roles_leads_back_to_who_began_it() {
    const HOPS: usize = 28;
    let mut scene = Scene::default();
    let roles = [Role::new(HOME, "A"), Role::new(AWAY, "B")];
    let mut caller = anna();
    for hop in 0..HOPS {
        // Four hops a second: sessions of one role, name and second differ by key alone.
        let time = format!("09:00:{:02}", hop / 4);
        let role = &roles[hop % 2];
        let key = format!("ASIALOOP{hop:03}");
        let keep = (true, hop % 3 == 0);
        caller = match hop == 0 {
            true => scene.assume(&time, &caller, role, "x", &key),
            false => scene.assume_across(&time, &caller, role, "x", &key, keep),
        };
    }
    scene.call("09:30:00", &caller, "s3:PutObject");
    assert_eq!(who(&scene), [format!("PutObject | anna | {HOPS} | exact | NULL")]);
}

#[test]
fn thousands_of_hops_are_followed_and_their_labels_kept_short() {
    const HOPS: usize = 3000;
    let mut scene = Scene::default();
    let roles = [Role::new(HOME, "A"), Role::new(HOME, "B")];
    let mut caller = anna();
    for hop in 0..HOPS {
        let time = format!("{:02}:{:02}:{:02}", hop / 3600, hop / 60 % 60, hop % 60);
        caller = scene.assume(&time, &caller, &roles[hop % 2], "x", &format!("ASIALOOP{hop:04}"));
    }
    let last = "SELECT origin, depth, array_length(chain), chain_strength FROM sessions
                WHERE started_at IS NOT NULL ORDER BY started_at DESC LIMIT 1";
    let said = support::scene::ask(scene.load_alone(), last);
    assert_eq!(said, [format!("arn:aws:iam::111111111111:user/anna | {HOPS} | 64 | exact")]);
}

/// As redacted data sets have it: one key everywhere. Seconds and principals still tell most, and no
/// session may become its own ancestor.
#[test]
fn keys_rewritten_to_one_make_neither_false_chains_nor_loops() {
    for key in [Some("ASIAREDACTED"), Some("HIDDEN_DUE_TO_SECURITY_REASONS"), Some(""), None] {
        let mut scene = Scene::default();
        let [a, b] = ["A", "B"].map(|name| Role::new(HOME, name));
        let one = scene.assume("09:00:00", &anna(), &a, "x", "ASIAONE");
        let two = scene.assume("09:10:00", &one, &b, "y", "ASIATWO");
        let back = scene.assume("09:20:00", &two, &a, "x", "ASIATHREE");
        let other = scene.assume("09:30:00", &liam(), &b, "y", "ASIAFOUR");
        scene.call("09:21:00", &back, "s3:PutObject");
        scene.call("09:31:00", &other, "s3:DeleteObject");
        support::rewrite_keys(&mut scene.records, key);
        assert_eq!(
            who(&scene),
            ["PutObject | anna | 3 | exact | NULL", "DeleteObject | liam | 1 | exact | NULL"],
            "{key:?}"
        );
        let sql = "SELECT count(*) FROM links WHERE child_session_id = parent_session_id";
        assert_eq!(scene.ask(sql), ["0"], "{key:?}");
    }
}

/// With one key everywhere, two callers in one second can no longer be told apart.
#[test]
fn redacted_keys_do_not_decide_between_two_callers() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let session = scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE");
    scene.assume("09:00:00", &liam(), &role, "x", "ASIATWO");
    scene.call("09:01:00", &session, "s3:PutObject");
    support::rewrite_keys(&mut scene.records, Some("ASIAREDACTED"));
    assert_eq!(who(&scene), ["PutObject | NULL | NULL | none | candidates_disagree"]);
    let one_of_two = |who: &str| format!("ASIAREDACTED | {who} | access_key | ambiguous | 2");
    assert_eq!(links(&scene), [one_of_two("anna"), one_of_two("liam")]);
    assert_eq!(
        scene.ask("SELECT used FROM grants"),
        ["NULL"; 2],
        "one was used, nobody knows which"
    );
}

/// A role takes itself in the very second in which it was taken, under the same name.
#[test]
fn a_role_that_takes_itself_within_a_second_has_a_parent_and_no_circle() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let one = scene.assume("09:00:00", &anna(), &role, "x", "ASIAONE");
    let two = scene.assume("09:00:00", &one, &role, "x", "ASIATWO");
    scene.call("09:01:00", &two, "s3:PutObject");
    assert_eq!(who(&scene), ["PutObject | anna | 2 | exact | NULL"]);
    // Without keys the two are one: anna is behind it, one role away or two.
    support::rewrite_keys(&mut scene.records, None);
    assert_eq!(who(&scene), ["PutObject | anna | NULL | ambiguous | NULL"]);
    let sql = "SELECT chain FROM sessions WHERE role_name = 'A'";
    assert_eq!(scene.ask(sql), ["[111111111111/anna, …, 111111111111/A]"]);
}
