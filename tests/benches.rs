//! The benchmarks in a short form: they run to their end, and what they measure is whole. How fast anything
//! is, no test asks.

mod increment;
mod ingest;
mod parts;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use criterion::Criterion;
use roletrail::generate::{self, WorldOptions};

use crate::support::python;

const PROGRAM: &str = env!("CARGO_BIN_EXE_roletrail");

/// The rows of the tables that a script printed, heads and rules included.
fn rows(printed: &str) -> Vec<Vec<&str>> {
    let lines = printed.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    lines.map(|line| line.split('|').map(str::trim).collect()).collect()
}

#[test]
fn the_ingest_and_its_parts() {
    ingest::run(2000, tempfile::tempdir().unwrap().path());
}

#[test]
fn increments() {
    increment::run(2000, tempfile::tempdir().unwrap().path());
}

#[test]
fn decoder_and_linking() {
    let dir = tempfile::tempdir().unwrap();
    let short = Duration::from_millis(20);
    let criterion = Criterion::default().without_plots().output_directory(dir.path());
    let criterion = criterion.sample_size(10).nresamples(2000);
    parts::run(&mut criterion.warm_up_time(short).measurement_time(short), 300);
    for group in ["decode", "link"] {
        assert!(dir.path().join(group).exists(), "{group} was not measured");
    }
}

/// DuckDB, ClickHouse's engine and roletrail read the same rows out of the same files; the script itself
/// compares what is in them, and fails where they differ.
#[test]
fn loads_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("user's logs");
    let words = [PROGRAM, logs.to_str().unwrap(), "--events", "2000", "--threads", "2"];
    let printed = python::run("../benches/load.py", &words.map(Path::new));
    let rows = rows(&printed);
    let shown: Vec<_> = rows[2..].iter().map(|row| (row[0], row[4])).collect();
    let expected = [
        ("gunzip, one process a file", ""),
        ("gunzip, many files a process", ""),
        ("DuckDB", "2,000"),
        ("ClickHouse's engine", "2,000"),
        ("roletrail ingest", "2,000"),
    ];
    assert_eq!(shown, expected, "{printed}");
    let compared = roletrail::events::EVENTS.columns.len() - 4;
    assert!(printed.contains(&format!("\nequal, row by row, in {compared} columns")), "{printed}");
}

#[test]
fn growth_with_events_threads_and_files() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let words = ["--events", "1000", "400", "--threads", "1", "2", "--files", "60"];
    let args: Vec<_> = [PROGRAM, out].into_iter().chain(words).map(Path::new).collect();
    let printed = python::run("../benches/scale.py", &args);
    let rows = rows(&printed);
    let column = |rows: &[Vec<&str>], n: usize| -> Vec<String> {
        rows.iter().map(|row| row[n].to_owned()).collect()
    };
    assert_eq!(column(&rows[..6], 0), ["events", "---", "400", "400", "1,000", "1,000"]);
    assert_eq!(column(&rows[..6], 4), ["threads", "---", "1", "2", "1", "2"]);
    let [large, tiny] = [&rows[8], &rows[9]];
    assert_eq!(large[0], tiny[0], "the same events");
    let files = |row: &[&str]| row[1].parse::<u64>().unwrap();
    assert!(files(tiny) > 2 * files(large), "{printed}");
    assert_eq!(column(&rows[10..], 0), ["start", "---", "`--version`", "`--help`"]);
    let plot = fs::read_to_string(dir.path().join("scale.svg")).unwrap();
    for text in ["wall time, s", "peak memory, MiB", "thousand events", "1 thread", "2 threads"] {
        assert!(plot.contains(&format!(">{text}</text>")), "{text}");
    }
}

/// Every question is answered by roletrail and by DuckDB with as many rows; the script fails where not.
#[test]
fn questions() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, store) = (dir.path().join("logs"), dir.path().join("store"));
    let options = WorldOptions { events: 5000, accounts: 5, days: 2, seed: 1, losses: false };
    generate::world(&options, &logs).unwrap();
    let mut ingest = Command::new(PROGRAM);
    assert!(ingest.arg("--store").arg(&store).arg("ingest").arg(&logs).status().unwrap().success());
    let printed =
        python::run("../benches/questions.py", &[Path::new(PROGRAM), &store, Path::new("1")]);
    let rows = rows(&printed);
    assert_eq!(rows[0], ["question", "command", "query", "in shell", "DuckDB"]);
    assert_eq!(rows[2..].len(), 14, "{printed}");
    for row in &rows[2..] {
        let asked = row[1..].iter().filter(|cell| !cell.is_empty());
        assert!(asked.count() > 0, "{row:?}");
    }
}
