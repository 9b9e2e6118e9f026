use super::*;

const NOW: i64 = 1_714_557_600_000_000;

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).expect("written");
    }
    dir
}

#[test]
fn every_built_in_query_is_whole() {
    let library = Library::built_in();
    assert_eq!(library.troubles, Vec::new());
    assert_eq!(library.all().len(), built_in::FILES.len());
    for saved in library.all() {
        assert!(saved.title.ends_with('?'), "{}: {}", saved.name, saved.title);
        assert!(built_in::GROUPS.contains(&saved.group.as_str()), "{}", saved.name);
        assert!(!saved.shows.is_empty() && !saved.cannot_know.is_empty(), "{}", saved.name);
        // One asks about an event, one about an instant.
        let no_window = ["changes-around-event", "live-descendants"];
        let window = saved.takes("since") && saved.takes("until");
        assert_eq!(window, !no_window.contains(&saved.name.as_str()), "{}", saved.name);
        for param in &saved.params {
            assert!(!param.meaning.is_empty(), "{}: {}", saved.name, param.name);
        }
    }
    let mut numbers: Vec<_> = library.all().iter().filter_map(|saved| saved.question).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=32).collect::<Vec<u8>>(), "each of the 32 questions has one query");
    let files = std::fs::read_dir("queries").expect("the folder").count();
    assert_eq!(files, built_in::FILES.len(), "a file of queries/ is not built in");
}

#[test]
fn a_head_is_read_in_full() {
    let sql = "-- Who?\n-- question: 7\n-- group: Logs\n-- severity: high\n-- shows: one line\n--   a call\n\
               -- cannot know: much\n-- :since time -- from here on\n-- :n int = 5 -- how\n--   many\n\
               -- :id text required -- which\nSELECT $n, $since, $id";
    let saved = header::parse("x", sql).expect("whole");
    assert_eq!((saved.question, saved.severity), (Some(7), Severity::High));
    assert_eq!(saved.shows, "one line a call");
    assert_eq!(saved.params[1].default.as_deref(), Some("5"));
    assert_eq!(saved.params[1].meaning, "how many");
    assert!(saved.params[2].required && saved.takes("since"));
    assert!(saved.bind(&[], NOW).is_err(), "an id is required");
    let given = |value: &str| Given { name: "id".into(), kind: None, value: value.into() };
    let params = saved.bind(&[given("000000000012")], NOW).expect("bound");
    assert!(params.has("since") && params.has("n") && params.has("id"));
    let wrong = Given { name: "n".into(), kind: None, value: "many".into() };
    assert!(saved.bind(&[given("a"), wrong], NOW).is_err());
}

#[test]
fn a_users_folder_adds_and_replaces_and_one_bad_file_harms_no_other() {
    let dir = folder(&[
        ("mine.sql", b"\xef\xbb\xbf-- Mine?\r\nSELECT 1"),
        ("session-origin.sql", b"-- Another one?\nSELECT 2"),
        ("no-title.sql", b"SELECT 1"),
        ("typo.sql", b"-- What?\n-- remark\nSELEC 1"),
        ("two.sql", b"-- What?\nSELECT 1; SELECT 2"),
        ("unused.sql", b"-- What?\n-- :since time -- x\nSELECT 1"),
        ("kind.sql", b"-- What?\n-- :n number -- x\nSELECT $n"),
        ("bytes.sql", b"-- What\xff?\nSELECT 1"),
        ("notes.txt", b"none"),
    ]);
    let library = Library::open(Some(dir.path())).expect("opened");
    assert_eq!(library.all().len(), built_in::FILES.len() + 1);
    assert_eq!(library.by_name("session-origin").expect("there").title, "Another one?");
    assert_eq!(library.by_name("mine").expect("there").group, DEFAULT_GROUP);
    let said: Vec<String> = library.troubles.iter().map(ToString::to_string).collect();
    let said = said.join("\n").replace(&format!("{}/", dir.path().display()), "");
    for part in [
        "bytes.sql: is not text",
        "kind.sql:2: parameter type number is not known",
        "no-title.sql:1: the first line must be a comment",
        "two.sql: holds 2 statements",
        "typo.sql:3: ",
        "unused.sql:2: the statement does not use $since",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert_eq!(library.troubles.len(), 6, "{said}");
    let error = library.by_name("typo").expect_err("broken").to_string();
    assert!(error.contains("typo.sql:3"), "{error}");
}

#[test]
fn a_name_that_is_nearly_right_is_recognised() {
    let library = Library::built_in();
    assert_eq!(library.nearest("sesion-origin"), Some("session-origin"));
    assert_eq!(library.nearest("coverage"), Some("attribution-coverage"));
    assert_eq!(library.nearest("zzzzzz"), None);
}
