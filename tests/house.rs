//! Rules of the house that no compiler checks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support;

/// The rooms from left to right; nothing may look to its right.
const FLOW: &[&str] = &[
    "error", "model", "table", "redact", "sources", "decode", "events", "grants", "sessions",
    "intake", "store", "ledger", "linking", "pipeline", "sql", "answers", "output", "cli",
];
fn sources() -> Vec<(String, PathBuf, String)> {
    let files = walkdir::WalkDir::new("src").into_iter().map(|e| e.unwrap().into_path());
    let rust = files.filter(|path| path.extension().is_some_and(|e| e == "rs"));
    rust.map(|path| {
        let room = path.strip_prefix("src").unwrap().components().next().unwrap();
        let room = room.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests beside the code may use what they like.
        let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
        (room, path, code)
    })
    .filter(|(_, path, _)| path.file_name().unwrap() != "tests.rs")
    .collect()
}

#[test]
fn nothing_looks_to_its_right() {
    let place = |room: &str| FLOW.iter().position(|r| *r == room);
    let mut met = BTreeSet::new();
    for (room, path, code) in sources() {
        let Some(from) = place(&room) else { continue };
        met.insert(room.clone());
        for used in code.split("crate::").skip(1) {
            let used: String =
                used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let right = place(&used).is_some_and(|to| to > from);
            assert!(!right, "{}: {room} must not use {used}", path.display());
        }
    }
    assert_eq!(met.len(), FLOW.len(), "a room of the flow is missing: {met:?}");
}

#[test]
fn engines_are_named_in_their_rooms_only() {
    for (engine, rooms) in [
        ("deltalake_core", &["store", "error"][..]),
        ("datafusion::", &["store", "sql", "output", "cli", "error", "answers"][..]),
        ("clap::", &["cli", "output"][..]),
    ] {
        for (room, path, code) in sources() {
            let named = code.contains(engine);
            assert!(!named || rooms.contains(&room.as_str()), "{}: {engine}", path.display());
        }
    }
}

#[test]
fn files_stay_small_enough_to_be_read() {
    for (_, path, code) in sources() {
        let lines = code.lines().filter(|l| !l.trim().is_empty() && !l.trim().starts_with("//"));
        let lines = lines.count();
        assert!(lines <= 480, "{} has {lines} lines of code", path.display());
    }
}

#[test]
fn sample_logs_name_invented_accounts_only() {
    let invented = |account: &str| account.bytes().all(|b| Some(b) == account.bytes().next());
    let mut records = 0;
    for record in support::records(Path::new("sample-logs")) {
        records += 1;
        let text = record.to_string();
        for arn in text.split("arn:aws").skip(1) {
            let account = arn.split(':').nth(4).unwrap_or("");
            let twelve = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            assert!(!twelve || invented(account), "{account} in {record}");
        }
    }
    assert!(records > 200);
}

#[test]
fn every_file_of_tests_is_run() {
    let program = std::fs::read_to_string("tests/all.rs").unwrap();
    for entry in std::fs::read_dir("tests").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let test = path.extension().is_some_and(|e| e == "rs") && name != "all";
        let named = program.lines().any(|line| line == format!("mod {name};"));
        assert!(!test || named, "{} is not in tests/all.rs", path.display());
    }
}
