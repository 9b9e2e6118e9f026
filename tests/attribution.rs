//! Who the tool names, against the truth that only the generator of the logs knows.

use std::collections::HashMap;
use std::path::Path;

use crate::support;
use crate::support::truth::{self, Verdict};
use roletrail::generate::{self, WorldOptions};

/// Every resolvable event is attributed as the truth says; of the others none to somebody else.
fn assert_true(root: &Path) -> truth::Score {
    let loaded = support::load(&[root]);
    let score = truth::score(&loaded, &truth::read(&root.join("truth.csv")));
    let complaints: Vec<&String> = score.complaints.iter().take(20).collect();
    assert!(complaints.is_empty(), "{}: {complaints:#?}", root.display());
    assert!(score.count(Verdict::Right) > 0, "{}: nothing was attributed", root.display());
    score
}

#[test]
fn every_sample_story_is_told_as_it_was() {
    let stories = std::fs::read_dir("sample-logs").unwrap().map(|entry| entry.unwrap().path());
    let stories: Vec<_> = stories.filter(|path| path.is_dir()).collect();
    assert!(stories.len() >= 10, "the stories are missing");
    stories.iter().for_each(|story| {
        assert_true(story);
    });
}

#[test]
fn every_resolvable_event_of_a_world_is_attributed_and_none_wrongly() {
    for (seed, losses) in [(1, false), (2, true), (3, true)] {
        let dir = tempfile::tempdir().unwrap();
        let options = WorldOptions { events: 30_000, accounts: 6, days: 2, seed, losses };
        generate::world(&options, dir.path()).unwrap();
        let score = assert_true(dir.path());
        assert!(score.count(Verdict::Right) > 25_000, "{score:?}");
        assert!(score.count(Verdict::RightlyUnknown) > 0, "{score:?}");
    }
}

/// What real collections suffer: records lost at random, keys redacted. Much becomes unknown then,
/// but nobody may be named who was not behind the call.
#[test]
fn damaged_logs_never_name_somebody_else() {
    let dir = tempfile::tempdir().unwrap();
    let options = WorldOptions { events: 8_000, accounts: 4, days: 1, seed: 5, losses: false };
    generate::world(&options, dir.path()).unwrap();
    let truth = truth::read(&dir.path().join("truth.csv"));
    let records = support::records(dir.path());
    let people = user_names(&records);
    let keep = |n: u64| move |r: &serde_json::Value| lot(r) % 10 >= n;
    let lost: Vec<_> = records.iter().filter(|r| keep(3)(r)).cloned().collect();
    for (harm, key, records) in [
        ("a third of the records lost", None, lost),
        ("all keys rewritten to one", Some(Some("ASIAREDACTED00000000")), records.clone()),
        ("no keys", Some(None), records),
    ] {
        let mut records = records;
        if let Some(key) = key {
            support::rewrite_keys(&mut records, key);
        }
        let harmed = tempfile::tempdir().unwrap();
        support::write_log(&harmed.path().join("log.json.gz"), &records);
        let said = truth::said(&support::load(&[harmed.path()]));
        let wrong: Vec<_> = said
            .iter()
            .filter(|(event, said)| truth::names_somebody_else(said, &truth[*event]))
            // Who shows only as an id, because the records with the name are lost, is still that person.
            .filter(|(event, said)| {
                let name = said.origin.as_ref().and_then(|id| people.get(id));
                name != Some(&truth[*event].origin)
            })
            .take(5)
            .map(|(event, said)| (event, said, &truth[event]))
            .collect();
        assert!(wrong.is_empty(), "{harm}: {wrong:#?}");
        let known = said.values().filter(|said| said.origin.is_some()).count();
        assert!(known > said.len() / 2, "{harm}: only {known} of {} are known", said.len());
    }
}

/// Names of Identity Center's users by id, from role sessions that show both.
fn user_names(records: &[serde_json::Value]) -> HashMap<String, String> {
    let both = records.iter().filter_map(|r| {
        let id = r.pointer("/userIdentity/onBehalfOf/userId")?.as_str()?;
        let principal = r.pointer("/userIdentity/principalId")?.as_str()?;
        Some((id.to_owned(), principal.split_once(':')?.1.to_owned()))
    });
    both.collect()
}

/// A number drawn by a record's id.
fn lot(record: &serde_json::Value) -> u64 {
    let id = record["eventID"].as_str().unwrap();
    id.bytes().fold(7, |n: u64, b| n.wrapping_mul(31).wrapping_add(u64::from(b)))
}
