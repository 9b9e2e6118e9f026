//! The tool and a slow, obvious second implementation must agree on every input; and the answer
//! must not depend on how the input is ordered, split or repeated.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use crate::support;
use crate::support::agree::{assert_agree, linked_tables};
use crate::support::harm::harm;
use crate::support::scene::{AWAY, Caller, HOME, Role, Scene};
use proptest::prelude::*;
use proptest::sample::Index;
use roletrail::generate::{self, WorldOptions};
use roletrail::intake::{Options, Silent};
use roletrail::pipeline::{self, Loaded};
use roletrail::sql::{Params, Source, Sql};
use roletrail::store::Store;
use serde_json::{Value, json};

/// Small worlds with every kind of session, and a last one of all sample stories, which has other
/// partitions and delegated access; made once.
fn worlds() -> &'static Vec<Vec<Value>> {
    static WORLDS: OnceLock<Vec<Vec<Value>>> = OnceLock::new();
    WORLDS.get_or_init(|| {
        let world = |seed| {
            let dir = tempfile::tempdir().unwrap();
            let options =
                WorldOptions { events: 400, accounts: 3, days: 1, seed, losses: seed % 2 == 0 };
            generate::world(&options, dir.path()).unwrap();
            support::records(dir.path())
        };
        let stories = support::records(Path::new("sample-logs"));
        (11..17).map(world).chain([distinct(stories)]).collect()
    })
}

/// The stories repeat records, as logs do; worlds are harmed record by record.
fn distinct(records: Vec<Value>) -> Vec<Value> {
    let mut seen = std::collections::BTreeSet::new();
    records.into_iter().filter(|r| seen.insert(r["eventID"].to_string())).collect()
}

/// Writes records into `files` files by the given choice, and loads them.
fn load_split(
    dir: &Path,
    records: &[Value],
    choice: impl Fn(usize) -> usize,
    files: usize,
) -> Loaded {
    let mut parts: Vec<Vec<Value>> = vec![Vec::new(); files];
    for (i, record) in records.iter().enumerate() {
        parts[choice(i) % files].push(record.clone());
    }
    for (i, part) in parts.iter().enumerate() {
        support::write_log(&dir.join(format!("{i:03}.json.gz")), part);
    }
    support::load(&[dir])
}

#[test]
fn agrees_with_the_slow_twin_on_the_sample_stories() {
    for story in std::fs::read_dir("sample-logs").unwrap() {
        let path = story.unwrap().path();
        if path.is_dir() {
            assert_agree(&support::load(&[&path]), &support::records(&path));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 150, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_slow_twin_on_harmed_worlds(
        world in 0..7usize,
        harms in prop::collection::vec(harm(), 0..60),
    ) {
        let mut records = worlds()[world].clone();
        harms.iter().for_each(|harm| harm.inflict(&mut records));
        let dir = tempfile::tempdir().unwrap();
        assert_agree(&load_split(dir.path(), &records, |_| 0, 1), &records);
    }

    #[test]
    fn order_splits_and_repeats_change_nothing(
        world in 0..7usize,
        seed in any::<u64>(),
        files in 1..9usize,
        repeats in prop::collection::vec(any::<Index>(), 0..20),
        harms in prop::collection::vec(harm(), 0..20),
    ) {
        let mut records = worlds()[world].clone();
        harms.iter().for_each(|harm| harm.inflict(&mut records));
        let records = &records;
        let (plain, mixed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let whole = load_split(plain.path(), records, |_| 0, 1);
        let mut shuffled = records.clone();
        repeats.iter().for_each(|i| shuffled.push(records[i.index(records.len())].clone()));
        let place = |i: usize| (i as u64).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed) >> 20;
        shuffled.sort_by_cached_key(|r| place(r["eventID"].to_string().bytes().map(usize::from).sum()));
        let split = load_split(mixed.path(), &shuffled, |i| place(i) as usize, files);
        prop_assert_eq!(split.books.kept, whole.books.kept);
        prop_assert_eq!(linked_tables(&split.tables), linked_tables(&whole.tables));
    }
}

/// The linked tables of a store that one ingest a part has made, linked in stretches of time of about
/// `most_facts` facts.
fn ingest_one_by_one(parts: &[&[Value]], most_facts: usize) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for (i, part) in parts.iter().enumerate() {
        let log = dir.path().join(format!("{i}.json.gz"));
        support::write_log(&log, part);
        let options = Options { most_facts, ..Options::default() };
        let sources = [log.to_str().unwrap().to_owned()];
        runtime.block_on(pipeline::ingest(&store, &sources, &options, &Silent)).unwrap();
    }
    let mut tables = BTreeMap::new();
    runtime.block_on(async {
        let source = Source::Store(Store::open(&store).await.unwrap());
        let sql = Sql::open(source, 256 << 20).await.unwrap();
        for name in ["sessions", "credentials", "links", "attributions", "grants"] {
            let all = format!("SELECT * FROM {name}");
            tables.insert(name, sql.rows(&all, Params::none()).await.unwrap());
        }
    });
    linked_tables(&tables)
}

/// Rows of either that the other does not have, or not as often.
fn differences(ours: &[String], theirs: &[String]) -> Vec<String> {
    let only = |mark: &str, a: &[String], b: &[String]| -> Vec<String> {
        let often = |rows: &[String], row| rows.iter().filter(|other| *other == row).count();
        let more = a.iter().filter(|row| !b.contains(row) || often(a, *row) > often(b, *row));
        more.map(|row| format!("{mark} {row}")).collect()
    };
    [only("-", theirs, ours), only("+", ours, theirs)].concat()
}

/// Also when a grant arrives long after the session that it started.
#[test]
fn several_ingests_end_in_the_same_tables_as_one() {
    for records in worlds().iter().take(3) {
        let whole = ingest_one_by_one(&[records.as_slice()], usize::MAX);
        let third = records.len() / 3;
        let (first, second, last) =
            (&records[..third], &records[third..2 * third], &records[2 * third..]);
        assert!(whole.len() > 100);
        assert_eq!(
            differences(&ingest_one_by_one(&[last, second, first], usize::MAX), &whole),
            [] as [String; 0]
        );
        // Overlapping parts bring duplicates.
        assert_eq!(
            differences(&ingest_one_by_one(&[second, records.as_slice()], 50), &whole),
            [] as [String; 0]
        );
        assert_eq!(
            differences(&ingest_one_by_one(&[last, first, second], 150), &whole),
            [] as [String; 0]
        );
        // Callers without session are more than are linked at once: they come in shares.
        let most = 3;
        let no_session = |row: &&String| row.starts_with(r#"credentials {"credential_id":"x-"#);
        assert!(whole.iter().filter(no_session).count() > 2 * most);
        assert_eq!(
            differences(&ingest_one_by_one(&[second, last, first], most), &whole),
            [] as [String; 0]
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    /// In any order, with any overlap; and memory says what the store says.
    #[test]
    fn however_logs_are_cut_into_ingests_the_tables_are_the_same(
        world in 0..7usize,
        seed in any::<u64>(),
        parts in 2..5usize,
        most_facts in prop_oneof![4..40usize, 40..600usize],
        harms in prop::collection::vec(harm(), 0..20),
    ) {
        let mut records = worlds()[world].clone();
        harms.iter().for_each(|harm| harm.inflict(&mut records));
        let mut cut = vec![Vec::new(); parts];
        for (i, record) in records.iter().enumerate() {
            let lot = (i as u64 ^ seed).wrapping_mul(6_364_136_223_846_793_005) >> 33;
            cut[lot as usize % parts].push(record.clone());
            if lot.is_multiple_of(10) {
                cut[(lot / 10) as usize % parts].push(record.clone());
            }
        }
        let cut: Vec<&[Value]> = cut.iter().map(Vec::as_slice).collect();
        let whole = ingest_one_by_one(&[records.as_slice()], usize::MAX);
        prop_assert_eq!(differences(&ingest_one_by_one(&cut, most_facts), &whole), [] as [String; 0]);
        let dir = tempfile::tempdir().unwrap();
        let in_memory = load_split(dir.path(), &records, |_| 0, 1);
        prop_assert_eq!(differences(&linked_tables(&in_memory.tables), &whole), [] as [String; 0]);
    }
}

/// Callers without session are linked in shares, if there are many. One whose record names the key of a user
/// does not make that user's key one that nobody used.
#[test]
fn a_user_whose_key_is_seen_from_outside_is_told_once() {
    let mut scene = Scene::default();
    let (anna, bob) = (Caller::user(HOME, "anna"), Caller::user(HOME, "bob"));
    let made = json!({
        "requestParameters": { "userName": "bob" },
        "responseElements": { "accessKey": { "userName": "bob", "accessKeyId": "AKIABOB" } },
    });
    scene.record("09:00:00", &bob, "iam:CreateAccessKey", made.clone());
    scene.record("09:10:00", &anna, "iam:CreateAccessKey", made);
    scene.call("10:00:00", &bob, "s3:GetObject");
    for (second, account) in [("10:00:00", HOME), ("10:01:00", "333333333333")] {
        let seen = Caller(json!({
            "type": "AWSAccount", "principalId": format!("AIDAOUT{account}"), "accountId": account,
            "accessKeyId": "AKIABOB",
        }));
        scene.record(second, &seen, "s3:GetObject", json!({ "recipientAccountId": AWAY }));
    }
    let whole = ingest_one_by_one(&[&scene.records], usize::MAX);
    let of_bob = |row: &&String| row.starts_with("sessions") && row.contains("user/bob");
    assert_eq!(whole.iter().filter(of_bob).count(), 1, "{whole:#?}");
    assert_eq!(differences(&ingest_one_by_one(&[&scene.records], 1), &whole), [] as [String; 0]);
}

/// A later record shows the response of the issuing call, and so the key. A session without date uses that
/// key hours later, in another stretch of time.
#[test]
fn a_grant_that_is_put_right_is_one_grant_wherever_its_key_is_used() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let anna = Caller::user(HOME, "anna");
    let session = scene.assume("09:00:00", &anna, &role, "x", "ASIAONE");
    let mut later = scene.records[0].clone();
    scene.records[0]["responseElements"] = Value::Null;
    later["addendum"] = json!({
        "reason": "UPDATED_DATA", "updatedFields": "responseElements",
        "originalEventID": later["eventID"],
    });
    later["eventID"] = "10000000-0000-4000-8000-000000000000".into();
    scene.records.push(later);
    scene.assume("10:30:00", &anna, &role, "y", "ASIATWO");
    let undated = session.with("/sessionContext/attributes/creationDate", Value::Null);
    scene.call("12:00:00", &undated, "s3:GetObject");
    let whole = ingest_one_by_one(&[&scene.records], usize::MAX);
    let original = scene.records[0]["eventID"].as_str().unwrap();
    let links = whole.iter().filter(|row| row.starts_with("links") && row.contains("ASIAONE"));
    let links: Vec<&String> = links.collect();
    assert!(!links.is_empty() && links.iter().all(|row| row.contains(original)), "{links:#?}");
    let (all, [first, later, others @ ..]) = (&scene.records[..], &scene.records[..]) else {
        unreachable!()
    };
    let one = std::slice::from_ref;
    for parts in [
        vec![all],
        vec![others, &all[..2]],
        vec![others, one(later), one(first)],
        vec![one(first), others, one(later)],
        vec![one(later), others, one(first)],
    ] {
        assert_eq!(differences(&ingest_one_by_one(&parts, 1), &whole), [] as [String; 0]);
    }
}

/// It shows two keys, hours apart, and the second one was issued in another stretch of time.
#[test]
fn a_session_without_date_is_told_once() {
    let mut scene = Scene::default();
    let role = Role::new(HOME, "A");
    let anna = Caller::user(HOME, "anna");
    for (second, key) in [("01:00:00", "ASIAONE"), ("05:00:00", "ASIATWO")] {
        let session = scene.assume(second, &anna, &role, "x", key);
        let undated = session.with("/sessionContext/attributes/creationDate", Value::Null);
        scene.call(&second.replace(":00:00", ":10:00"), &undated, "s3:GetObject");
        scene.call("08:00:00", &anna, "s3:PutObject");
    }
    let records = &scene.records;
    let whole = ingest_one_by_one(&[records.as_slice()], usize::MAX);
    let halves = ingest_one_by_one(&[&records[3..], &records[..3]], 1);
    assert_eq!(differences(&halves, &whole), [] as [String; 0]);
}

/// Why nobody knows who is behind somebody seen from outside does not depend on whether the session that it
/// was is linked together with what was seen.
#[test]
fn a_reason_is_the_same_in_whichever_stretch_it_was_found() {
    let mut scene = Scene::default();
    let session = Role::new(HOME, "A").session("ops", "09:00:00", "ASIAONE");
    scene.call("09:00:10", &session, "s3:ListBuckets");
    let principal = format!("{}:ops", Role::new(HOME, "A").id);
    let outside =
        Caller(json!({"type": "AWSAccount", "principalId": principal, "accountId": HOME}));
    scene.record("14:30:00", &outside, "s3:GetObject", json!({ "recipientAccountId": AWAY }));
    let (first, second) = scene.records.split_at(1);
    let whole = ingest_one_by_one(&[&scene.records], usize::MAX);
    let is_stand_in = |row: &&String| row.starts_with(r#"credentials {"credential_id":"x-"#);
    let mut stand_ins = whole.iter().filter(is_stand_in);
    assert!(stand_ins.any(|row| row.contains("grant_missing")), "{whole:#?}");
    for parts in [vec![first, second], vec![second, first], vec![scene.records.as_slice()]] {
        assert_eq!(ingest_one_by_one(&parts, 1), whole);
    }
}

/// A key that was issued twice, and used by a session without date, brings the first grant to where the second
/// one is, but not the session that began with the first. Who is seen from outside there was that session all
/// the same.
#[test]
fn a_grant_that_is_brought_from_afar_says_no_less_than_the_session_that_it_began() {
    let mut scene = Scene::default();
    let (role, other) = (Role::new(HOME, "A"), Role::new(HOME, "B"));
    let anna = Caller::user(HOME, "anna");
    let session = scene.assume("09:00:00", &anna, &role, "ops", "ASIAONE");
    scene.call("09:10:00", &session, "s3:GetObject");
    let again = scene.assume("09:50:00", &anna, &other, "x", "ASIAONE");
    let undated = again.with("/sessionContext/attributes/creationDate", Value::Null);
    // Another stretch of time, so that the first call of that session lies in none of the above.
    scene.assume("10:30:00", &anna, &other, "y", "ASIATWO");
    scene.call("12:00:00", &undated, "s3:PutObject");
    let principal = format!("{}:ops", role.id);
    let outside =
        Caller(json!({"type": "AWSAccount", "principalId": principal, "accountId": HOME}));
    scene.record("09:50:30", &outside, "s3:GetObject", json!({ "recipientAccountId": AWAY }));
    let whole = ingest_one_by_one(&[&scene.records], usize::MAX);
    let is_stand_in = |row: &&String| {
        let named =
            row.contains(r#""principal_arn":"arn:aws:sts::111111111111:assumed-role/A/ops""#);
        row.starts_with(r#"credentials {"credential_id":"x-"#) && named
    };
    assert!(whole.iter().any(|row| is_stand_in(&row)), "{whole:#?}");
    assert_eq!(differences(&ingest_one_by_one(&[&scene.records], 1), &whole), [] as [String; 0]);
}
