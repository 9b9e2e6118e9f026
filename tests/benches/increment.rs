//! What an ingest costs that adds the last hundredth to a store.
//!
//!     cargo bench --bench increment                      # five million events, 20 accounts, 15 days
//!     cargo bench --bench increment -- --events 100000   # a short form that shows that it works
//!
//! The logs are generated once below `target/bench-logs`; those delivered last, a hundredth of the files,
//! are the increment. Beside it stands the same increment into an empty store: what is new, without
//! anything that it could touch.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use roletrail::generate::{self, WorldOptions};

#[allow(dead_code, reason = "tests/benches.rs calls run by itself")]
fn main() {
    let mut args = std::env::args().skip_while(|arg| arg != "--events").skip(1);
    let events: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(5_000_000);
    run(events, &Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-logs"));
}

/// Measures every ingest once the logs are there, in a folder below `dir`.
pub fn run(events: u64, dir: &Path) {
    let logs = logs(events, dir);
    let [first, last] = halves(&logs);
    println!("{events} events                     wall s   peak MiB   records      kept");
    let stores = tempfile::tempdir_in(&logs).unwrap();
    let (full, empty) = (stores.path().join("full"), stores.path().join("empty"));
    let before = report("all but the last hundredth", ingest(&full, &first));
    let added = report("the last hundredth", ingest(&full, &last));
    let alone = report("the last hundredth alone", ingest(&empty, &last));
    let again = report("the last hundredth again", ingest(&full, &last));
    assert_eq!(before.1 + added.1, events, "events kept");
    assert_eq!(added.0, alone.0, "records of the increment");
    assert!(added.0 > 0 && again == (0, 0), "what is in is not read again");
}

fn logs(events: u64, dir: &Path) -> PathBuf {
    let dir = dir.join(format!("increment-{events}"));
    if !dir.join("truth.csv").exists() {
        let _ = std::fs::remove_dir_all(&dir);
        let options = WorldOptions { events, accounts: 20, days: 15, seed: 1, losses: false };
        generate::world(&options, &dir).unwrap();
    }
    dir
}

/// The files delivered first and last, as two folders of hard links.
fn halves(logs: &Path) -> [PathBuf; 2] {
    let folders = ["first", "last"].map(|name| logs.join(name));
    if folders.iter().all(|folder| folder.exists()) {
        return folders;
    }
    let walk = walkdir::WalkDir::new(logs.join("AWSLogs"));
    let files = walk.into_iter().map(|entry| entry.unwrap().into_path()).filter(|p| p.is_file());
    // ACCOUNT_CloudTrail_REGION_20240501T0913Z_UNIQUE.json.gz
    let delivered = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.split('_').nth(3).unwrap_or("").to_owned()
    };
    let mut files: Vec<PathBuf> = files.collect();
    files.sort_by_cached_key(delivered);
    let cut = files.len() - files.len().div_ceil(100);
    for (i, file) in files.iter().enumerate() {
        let target = folders[usize::from(i >= cut)].join(file.strip_prefix(logs).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::hard_link(file, target).unwrap();
    }
    folders
}

/// What an ingest cost and did: the program itself reports all but the time.
struct Ingested {
    time: Duration,
    peak_mib: u64,
    records: u64,
    kept: u64,
}

fn ingest(store: &Path, logs: &Path) -> Ingested {
    let start = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
    let output = command.arg("--store").arg(store).arg("ingest").arg(logs).output().unwrap();
    let time = start.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let (_, peak) = said.rsplit_once("peak memory ").expect("the program says its peak memory");
    let books = String::from_utf8_lossy(&output.stdout).into_owned();
    // records     572 = 571 kept + 1 duplicates + 0 rejected
    let mut words = books.lines().find(|l| l.starts_with("records")).unwrap().split_whitespace();
    Ingested {
        time,
        peak_mib: peak.split(' ').next().unwrap().parse().unwrap(),
        records: words.nth(1).unwrap().parse().unwrap(),
        kept: words.nth(1).unwrap().parse().unwrap(),
    }
}

/// Shows a line, and gives records read and kept.
fn report(what: &str, Ingested { time, peak_mib, records, kept }: Ingested) -> (u64, u64) {
    println!("{what:30} {:7.2} {peak_mib:10} {records:9} {kept:9}", time.as_secs_f64());
    (records, kept)
}
