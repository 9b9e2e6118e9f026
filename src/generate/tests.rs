//! Promises that hold for everything the generator writes, read back from the files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Summary, WorldOptions, stories, world};

const SEED: u64 = 11;

fn small_world(losses: bool, seed: u64, out: &Path) -> Summary {
    let options = WorldOptions { events: 6_000, accounts: 4, days: 2, seed, losses };
    world(&options, out).expect("a world")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Every file below `root` with its bytes, by path relative to it.
#[path = "../../tests/support/handed.rs"]
mod handed;

fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    walkdir::WalkDir::new(root)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let name = entry.path().strip_prefix(root).expect("inside").display().to_string();
            (name, fs::read(entry.path()).expect("readable"))
        })
        .collect()
}

/// The records of every log file below `root`, repeats included.
fn records(root: &Path) -> Vec<Value> {
    files(root).iter().flat_map(|(name, bytes)| handed::records(name, bytes)).collect()
}

/// The lines of every `truth.csv` below `root`, split at commas (no field of these holds one).
fn truth(root: &Path) -> Vec<Vec<String>> {
    files(root)
        .iter()
        .filter(|(name, _)| name.ends_with("truth.csv"))
        .flat_map(|(_, bytes)| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.lines()
                .skip(1)
                .map(|l| l.split(',').map(str::to_string).collect())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (a, b, c) = (folder(), folder(), folder());
    let first = small_world(true, SEED, a.path());
    assert_eq!(first, small_world(true, SEED, b.path()));
    assert!(files(a.path()) == files(b.path()));
    small_world(true, SEED + 1, c.path());
    assert!(files(a.path()) != files(c.path()));

    let (a, b) = (folder(), folder());
    assert_eq!(
        stories(a.path(), SEED).expect("stories"),
        stories(b.path(), SEED).expect("stories")
    );
    assert!(files(a.path()) == files(b.path()));
}

#[test]
fn every_distinct_event_has_one_line_of_truth() {
    for losses in [false, true] {
        let out = folder();
        let summary = small_world(losses, SEED, out.path());
        check_truth(out.path());
        assert_eq!(summary.events, 6_000);
        assert_eq!(summary.resolvable < summary.events * 98 / 100, losses, "{summary:?}");
        assert!(summary.delivered.records > summary.events, "some repeats");
    }
    let out = folder();
    let told = stories(out.path(), SEED).expect("stories");
    check_truth(out.path());
    assert!(told.iter().all(|story| (5..=60).contains(&story.events)), "{told:#?}");
}

fn check_truth(root: &Path) {
    let lines = truth(root);
    let ids: HashSet<&str> = lines.iter().map(|line| line[0].as_str()).collect();
    assert_eq!(ids.len(), lines.len(), "an event has two lines");
    let records = records(root);
    let seen: HashSet<&str> = records.iter().map(|record| text(record, "/eventID")).collect();
    assert_eq!(ids, seen);
    for line in &lines {
        assert_eq!(line.len(), 6, "{line:?}");
        assert!(line[4].parse::<u32>().expect("depth") <= 6);
        assert!(line[5] == "true" || line[5] == "false");
    }
}

#[test]
fn every_record_has_what_cloudtrail_always_writes() {
    let out = folder();
    small_world(false, SEED, &out.path().join("world"));
    stories(&out.path().join("stories"), SEED).expect("stories");
    let mut recipients = HashMap::new();
    for record in records(out.path()) {
        for field in
            ["eventVersion", "eventTime", "eventSource", "eventName", "awsRegion", "eventID"]
        {
            assert!(!text(&record, &format!("/{field}")).is_empty(), "{field}: {record}");
        }
        assert!(record["userIdentity"].is_object());
        assert!(record["readOnly"].is_boolean() && record["managementEvent"].is_boolean());
        for field in ["requestParameters", "responseElements"] {
            assert!(record.get(field).is_some_and(|v| v.is_null() || v.is_object()), "{record}");
        }
        let recipient = text(&record, "/recipientAccountId").to_string();
        assert_eq!(recipient.len(), 12, "{record}");
        let denied =
            text(&record, "/eventName") == "AssumeRole" && record.get("errorCode").is_some();
        if denied {
            assert!(record["requestParameters"].is_null() && record.get("resources").is_none());
        }
        recipients.insert(text(&record, "/eventID").to_string(), recipient);
    }
    for (name, _) in files(out.path()).iter().filter(|(name, _)| name.ends_with(".json.gz")) {
        let parts: Vec<&str> = name.rsplit('/').collect();
        assert!(parts[0].starts_with(parts[6]), "{name}");
        assert_eq!((parts[5], parts[0].rsplit('_').next().map(str::len)), ("CloudTrail", Some(24)));
    }
}

#[test]
fn the_creation_date_of_every_linked_session_is_the_time_of_its_grant() {
    let out = folder();
    small_world(false, SEED, &out.path().join("world"));
    stories(&out.path().join("stories"), SEED).expect("stories");
    let records = records(out.path());
    let issued: HashMap<&str, &str> = records
        .iter()
        .map(|r| (text(r, "/responseElements/credentials/accessKeyId"), text(r, "/eventTime")))
        .filter(|(key, _)| !key.is_empty())
        .collect();
    let mut linked = 0;
    for record in &records {
        let key = text(record, "/userIdentity/accessKeyId");
        let Some(granted) = issued.get(key) else { continue };
        let created = text(record, "/userIdentity/sessionContext/attributes/creationDate");
        assert_eq!(&created, granted, "{record}");
        linked += 1;
    }
    assert!(linked > 2_000, "{linked} linked calls");
}

#[test]
fn both_halves_of_a_pair_agree_and_only_one_shows_the_key() {
    let out = folder();
    small_world(false, SEED, out.path());
    let lines = truth(out.path());
    let behind: HashMap<&str, &[String]> =
        lines.iter().map(|line| (line[0].as_str(), &line[1..])).collect();
    let records = records(out.path());
    let mut pairs: HashMap<&str, HashMap<&str, &Value>> = HashMap::new();
    for record in records.iter().filter(|record| record.get("sharedEventID").is_some()) {
        let pair = pairs.entry(text(record, "/sharedEventID")).or_default();
        pair.insert(text(record, "/eventID"), record);
    }
    pairs.retain(|_, pair| pair.len() == 2);
    assert!(pairs.len() > 50);
    for pair in pairs.values() {
        let halves: Vec<(&&str, &&Value)> = pair.iter().collect();
        let [(id_a, a), (id_b, b)] = halves[..] else { panic!("two halves") };
        assert_eq!(behind[*id_a], behind[*id_b]);
        assert_eq!(a["responseElements"], b["responseElements"]);
        let foreign = |r: &Value| text(r, "/userIdentity/type") == "AWSAccount";
        assert_ne!(foreign(a), foreign(b));
        for half in [a, b] {
            assert_eq!(foreign(half), text(half, "/userIdentity/accessKeyId").is_empty(), "{half}");
        }
    }
}

#[test]
fn stories_name_nobody_real() {
    let out = folder();
    stories(out.path(), SEED).expect("stories");
    let invented = ["111111111111", "222222222222", "333333333333", "999999999999"];
    for record in records(out.path()) {
        let text = record.to_string();
        for arn in text.split("arn:aws:").skip(1) {
            let account = arn.split(':').nth(2).unwrap_or_default();
            let known = account.is_empty() || account == "aws" || invented.contains(&account);
            assert!(known, "{account} in {text}");
        }
        let address = record["sourceIPAddress"].as_str().unwrap_or_default();
        let reserved = ["192.0.2.", "198.51.100.", "203.0.113.", "10."];
        let numeric = address.starts_with(|c: char| c.is_ascii_digit());
        assert!(!numeric || reserved.iter().any(|r| address.starts_with(r)), "{address}");
        for word in ["ASIA", "AKIA", "AIDA", "AROA"] {
            let genuine = text.matches(word).count();
            // Session tokens are drawn letters and may hold such a word by chance.
            let example = text.matches(&format!("{word}EXAMPLE")).count();
            assert!(genuine == example || text.contains("sessionToken"), "{text}");
        }
    }
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let out = folder();
    let options = WorldOptions { events: 0, accounts: 1, days: 1, seed: 1, losses: false };
    assert!(world(&options, out.path()).is_err());
    let options = WorldOptions { events: 50, ..options };
    world(&options, out.path()).expect("a tiny world");
    assert!(world(&options, out.path()).is_err(), "a folder with logs is not written again");
}
