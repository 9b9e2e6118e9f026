//! Who the tool names, against the truth that only the generator of the logs knows.

mod support;

use std::path::Path;

use roletrail::generate::{self, WorldOptions};
use support::truth::{self, Verdict};

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
