//! No room for a file: whatever the write that fails, the store stays what it was, the error names the
//! file, and the same command completes when there is room again.
//!
//! The limit is that of the shell (`ulimit -f`), which needs no rights: a file that grows beyond it gets
//! the error that a full disk gives, at another size for every file.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;

use roletrail::sql::{Params, Source, Sql};
use roletrail::store::Store;
use tokio::runtime::Runtime;

/// Runs the program; no file may grow beyond `kib`.
fn run(store: &Path, args: &str, kib: Option<u64>) -> (Option<i32>, String) {
    // Ignored, the signal leaves the error to the program.
    let limit = kib.map_or(String::new(), |kib| format!("trap '' XFSZ; ulimit -f {kib}; "));
    let mut shell = Command::new("bash");
    let line = format!("{limit}exec \"$0\" {args}");
    shell.arg("-c").arg(line).arg(env!("CARGO_BIN_EXE_roletrail"));
    shell.env_clear().env("ROLETRAIL_STORE", store).env("PATH", "/usr/bin:/bin");
    let output = shell.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Snapshot, events, and a sum over who did what; nothing where there is no store.
fn state(store: &Path) -> Option<(u64, String)> {
    if !Store::exists(store).unwrap() {
        return None;
    }
    Runtime::new().unwrap().block_on(async {
        let store = Store::open(store).await.unwrap();
        let id = store.snapshot().id;
        let sql = Sql::open(Source::Store(store), 64 << 20).await.unwrap();
        let query =
            "SELECT count(*) AS events, (SELECT count(*) FROM files) AS files,
                            (SELECT count(*) FROM sessions) AS sessions,
                            (SELECT sum(events) FROM coverage) AS covered, min(origin), max(origin), sum(depth)
                     FROM activity";
        let rows = sql.rows(query, Params::none()).await.unwrap();
        Some((id, arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string()))
    })
}

/// Tries with more and more room until it goes; at every failure the state is `before`. Tells how often
/// it failed.
fn until_there_is_room(store: &Path, args: &str) -> usize {
    let before = state(store);
    for (failures, kib) in (0..9).map(|n| 1 << n).chain([1 << 20]).enumerate() {
        let (code, errors) = run(store, args, Some(kib));
        if code == Some(0) {
            return failures;
        }
        assert_eq!(code, Some(1), "{kib} KiB: {errors}");
        assert!(errors.contains("error: ") && !errors.contains("panicked"), "{kib} KiB: {errors}");
        assert!(errors.to_lowercase().contains("too large"), "{kib} KiB: {errors}");
        assert_eq!(state(store), before, "{kib} KiB");
    }
    panic!("there was never room enough");
}

#[test]
fn a_store_without_room_stays_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (store, undisturbed) = (dir.path().join("store"), dir.path().join("undisturbed"));
    let steps = [
        "ingest sample-logs/two-hats",
        "ingest sample-logs/three-accounts sample-logs/missing-grant",
        "ingest sample-logs/session-tokens",
        "store compact",
    ];
    let mut failures = Vec::new();
    for step in steps {
        failures.push(until_there_is_room(&store, step));
        let (code, errors) = run(&undisturbed, step, None);
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!(state(&store), state(&undisturbed), "{step}");
    }
    assert!(failures.iter().all(|failed| *failed > 1), "{failures:?}");
    // What the failures left is no more than what a vacuum removes.
    assert_eq!(run(&store, "store vacuum --keep 1", None).0, Some(0));
    let tables = Runtime::new()
        .unwrap()
        .block_on(async { Store::open(&store).await.unwrap().info().await.unwrap() });
    assert_eq!(tables.iter().map(|table| table.other_bytes).sum::<u64>(), 0);
    assert_eq!(state(&store), state(&undisturbed));
}

/// An answer that cannot be written is an error as well, not a shorter answer.
#[test]
fn an_answer_without_room_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["table", "csv", "json", "ndjson", "markdown", "parquet", "arrow"] {
        let out = dir.path().join(format);
        let args = format!("who --logs sample-logs --format {format} -o {}", out.display());
        let (code, errors) = run(&dir.path().join("store"), &args, Some(4));
        assert_eq!(code, Some(1), "{format}: {errors}");
        assert!(errors.contains("error: ") && !errors.contains("panicked"), "{format}: {errors}");
    }
}
