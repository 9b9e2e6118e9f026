//! Looking after a store: merging small files changes no answer and no row, and removing files of the
//! past takes nothing that a kept snapshot needs.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;
use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use parquet::file::metadata::ParquetMetaDataReader;
use proptest::prelude::*;
use roletrail::events::EVENTS;
use roletrail::intake::{Options, Silent};
use roletrail::pipeline::{self, Ingested};
use roletrail::sql::{Params, Source, Sql};
use roletrail::store::columns::{FILES, is_internal};
use roletrail::store::compact::{AtOnce, PAYS_FROM, compact};
use roletrail::store::vacuum::{Keep, Vacuumed, vacuum};
use roletrail::store::{Snapshot, Store, TABLES, Transaction};
use tokio::runtime::Runtime;

fn logs_of(story: &str) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(Path::new("sample-logs").join(story)).sort_by_file_name();
    let files = files.into_iter().map(|entry| entry.unwrap().into_path());
    files.filter(|path| path.extension().is_some_and(|e| e == "gz")).collect()
}

async fn ingest(store: &Path, files: &[&Path]) -> Ingested {
    let sources: Vec<String> = files.iter().map(|f| f.to_str().unwrap().to_owned()).collect();
    pipeline::ingest(store, &sources, &Options::default(), &Silent).await.unwrap()
}

/// A store that every file came into by itself.
async fn piecemeal(store: &Path, files: &[PathBuf]) {
    for file in files {
        ingest(store, &[file]).await;
    }
}

async fn rows(store: &Store) -> BTreeMap<&'static str, String> {
    let sql = Sql::open(Source::Store(store.clone()), 256 << 20).await.unwrap();
    let mut all = BTreeMap::new();
    for def in TABLES.iter().filter(|def| !is_internal(def)) {
        let columns: Vec<&str> = def.columns.iter().map(|c| c.name).collect();
        let (columns, order) = (columns.join(", "), def.sort_by.join(", "));
        let query = format!("SELECT {columns} FROM {} ORDER BY {order}", def.name);
        let batches: Vec<RecordBatch> = sql.rows(&query, Params::none()).await.unwrap();
        all.insert(def.name, pretty_format_batches(&batches).unwrap().to_string());
    }
    let query = "SELECT * FROM activity ORDER BY event_time, event_id";
    let batches = sql.rows(query, Params::none()).await.unwrap();
    all.insert("activity", pretty_format_batches(&batches).unwrap().to_string());
    all
}

async fn info(store: &Path, table: &str) -> (u64, u64) {
    let all = Store::open(store).await.unwrap().info().await.unwrap();
    let one = all.iter().find(|info| info.name == table).unwrap();
    (one.files, one.rows)
}

async fn merge(store: &Path) -> (u64, u64, Snapshot) {
    let tx = Transaction::begin(store).await.unwrap();
    let (merging, snapshot) = compact(tx, 2, AtOnce::of_memory(1 << 30)).await.unwrap();
    (merging.files_before, merging.files_after, snapshot)
}

async fn clean(store: &Path, keep: Keep, dry_run: bool) -> Vacuumed {
    vacuum(Transaction::begin(store).await.unwrap(), keep, dry_run).await.unwrap()
}

fn parquet_files(dir: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(dir).sort_by_file_name().into_iter();
    let files =
        files.map(|e| e.unwrap().into_path()).filter(|p| !p.to_string_lossy().contains("_log"));
    files.filter(|p| p.extension().is_some_and(|e| e == "parquet")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn merging_changes_no_row_and_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let files = logs_of("three-accounts");
    assert!(files.len() > 3);
    piecemeal(&store, &files).await;
    let before = Store::open(&store).await.unwrap();
    let (small, events) = info(&store, "events").await;
    assert!(small > 2, "{small} files");
    let expected = rows(&before).await;

    let (replaced, made, snapshot) = merge(&store).await;
    assert_eq!(snapshot.id, before.snapshot().id + 1);
    assert_eq!(made, 2, "one file of events, one of files");
    assert_eq!(replaced, small + files.len() as u64);
    assert_eq!(info(&store, "events").await, (1, events));
    assert_eq!(info(&store, "files").await, (1, files.len() as u64));
    let after = Store::open(&store).await.unwrap();
    assert_eq!(rows(&after).await, expected);
    // Whoever had the store open, or asks for the state before, reads what was there.
    assert_eq!(rows(&before).await, expected);
    // Again there is nothing to do, and no snapshot is made for it.
    assert_eq!(merge(&store).await, (0, 0, snapshot));

    // Sorted, with statistics and bloom filters, as an ingest writes them.
    let active = Transaction::begin(&store).await.unwrap().files(&EVENTS).unwrap();
    let one = tempfile::tempdir().unwrap();
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    ingest(&one.path().join("store"), &paths).await;
    let at_once =
        Transaction::begin(one.path().join("store")).await.unwrap().files(&EVENTS).unwrap();
    assert_eq!((active.len(), at_once.len()), (1, 1));
    let header = |path: &Path| {
        let file = File::open(path).unwrap();
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
        let groups = metadata.row_groups().iter().map(|group| {
            let columns = group.columns().iter().map(|c| {
                let filter = c.bloom_filter_offset().is_some();
                (c.column_path().string(), c.statistics().cloned(), filter, c.num_values())
            });
            (group.sorting_columns().cloned(), columns.collect::<Vec<_>>())
        });
        groups.collect::<Vec<_>>()
    };
    assert_eq!(header(&active[0]), header(&at_once[0]));
    assert!(header(&active[0])[0].0.is_some());

    // An ingest goes on from there: nothing comes twice.
    let again = ingest(&store, &paths).await;
    assert_eq!((again.books.files, again.books.already_in), (0, files.len() as u64));
    let both = ["three-accounts", "two-hats"].map(|story| Path::new("sample-logs").join(story));
    let more = ingest(&store, &[&both[0], &both[1]]).await;
    assert!(more.books.kept > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_merges_when_there_are_many_small_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let all = support::records(Path::new("sample-logs/two-hats"));
    let mut snapshots = Vec::new();
    for n in 0..=PAYS_FROM {
        let log = dir.path().join(format!("{n}.json.gz"));
        support::write_log(&log, &[all[n % all.len()].clone()]);
        let done = ingest(&store, &[&log]).await;
        let merged = done.merged.as_ref().map(|merged| merged.as_ref().unwrap().files_before);
        // Of events some are repeated, so `files` fills up first.
        assert_eq!(merged.is_some(), n + 1 == PAYS_FROM, "{n}: {merged:?}");
        snapshots.push(done.snapshot.id);
    }
    let last = snapshots.len();
    assert_eq!(snapshots[last - 2] - snapshots[last - 3], 2, "one of its own for the merging");
    assert_eq!(info(&store, "files").await, (2, PAYS_FROM as u64 + 1));
    let tx = Transaction::begin(&store).await.unwrap();
    assert_eq!(tx.files(&FILES).unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_takes_only_what_no_kept_snapshot_needs() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let files = logs_of("three-accounts");
    piecemeal(&store, &files).await;
    merge(&store).await;
    // What a killed ingest left, and what is not ours.
    let left = store.join("events/event_date=2024-05-01/part-00000000-left.parquet");
    let foreign = store.join("events/notes.txt");
    std::fs::write(&left, "x").unwrap();
    std::fs::write(&foreign, "mine").unwrap();
    let last = Store::open(&store).await.unwrap().snapshot().id;
    let mut expected = BTreeMap::new();
    for id in last - 1..=last {
        let kept = Store::open_as_of(&store, id).await.unwrap();
        expected.insert(id, rows(&kept).await);
    }
    let all = parquet_files(&store);

    let planned = clean(&store, Keep::Newest(2), true).await;
    assert_eq!(parquet_files(&store), all, "a dry run removes nothing");
    assert!(Store::open_as_of(&store, 1).await.is_ok());
    let done = clean(&store, Keep::Newest(2), false).await;
    assert_eq!(done, planned);
    assert_eq!(done.kept, [last - 1, last]);
    assert_eq!(done.snapshots, (1..last - 1).collect::<Vec<_>>());
    assert_eq!(done.files as usize, all.len() - parquet_files(&store).len());
    assert!(!left.exists() && foreign.exists());
    for (id, expected) in expected {
        let kept = Store::open_as_of(&store, id).await.unwrap();
        assert_eq!(rows(&kept).await, expected, "snapshot {id}");
    }
    let error = Store::open_as_of(&store, 1).await.unwrap_err();
    assert_eq!(error.hint(), Some(&*format!("snapshots run from {} to {last}", last - 1)));

    // Nothing is left for a second time; what there is can be gone on with.
    let again = clean(&store, Keep::Newest(2), false).await;
    assert_eq!((again.files, again.log_files, again.snapshots.len()), (0, 0, 0));
    clean(&store, Keep::Newest(1), false).await;
    let now = Store::open(&store).await.unwrap();
    let alone: u64 = now.info().await.unwrap().iter().map(|info| info.other_bytes).sum();
    assert_eq!(alone, 0);
    let more = ingest(&store, &[Path::new("sample-logs/two-hats")]).await;
    assert_eq!(more.snapshot.id, last + 1);
    // Without the file that names the current snapshot the newest kept one is current.
    std::fs::remove_file(store.join("snapshot.json")).unwrap();
    let tx = Transaction::begin(&store).await.unwrap();
    assert_eq!(tx.base().unwrap().id, last + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_by_time_keeps_what_was_current_then() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    piecemeal(&store, &logs_of("three-accounts")[..3]).await;
    let written = |id: u64| {
        let text = std::fs::read_to_string(store.join(format!("snapshots/{id}.json"))).unwrap();
        let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
        roletrail::model::time::parse_instant(&snapshot.written_at).unwrap()
    };
    let (first, second, third) = (written(1), written(2), written(3));
    let kept = async |instant| clean(&store, Keep::CurrentSince(instant), true).await.kept;
    assert_eq!(kept(0).await, [1, 2, 3]);
    assert_eq!(kept(first).await, [1, 2, 3]);
    // At the second's own instant the first is no longer current.
    assert_eq!(kept(second - 1).await, [1, 2, 3]);
    assert_eq!(kept(second).await, [2, 3]);
    assert_eq!(kept(third).await, [3]);
    assert_eq!(kept(i64::MAX).await, [3]);
}

/// What the log says of a table after a cleaning is enough for whoever reads on, however many
/// versions there were.
#[tokio::test(flavor = "multi_thread")]
async fn logs_are_cut_at_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let all = support::records(Path::new("sample-logs/two-hats"));
    for (n, record) in all.iter().enumerate() {
        let log = dir.path().join(format!("{n}.json.gz"));
        support::write_log(&log, std::slice::from_ref(record));
        ingest(&store, &[&log]).await;
    }
    let last = Store::open(&store).await.unwrap().snapshot().id;
    let done = clean(&store, Keep::Newest(3), false).await;
    assert!(done.log_files > 50, "{done:?}");
    for id in done.kept.iter().copied() {
        let kept = Store::open_as_of(&store, id).await.unwrap();
        let sql = Sql::open(Source::Store(kept), 64 << 20).await.unwrap();
        let events = sql.rows("SELECT event_id FROM events", Params::none()).await.unwrap();
        let events: usize = events.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(events as u64, all.len() as u64 - (last - id));
    }
    assert_eq!(ingest(&store, &[Path::new("sample-logs/two-hats")]).await.snapshot.id, last + 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// However the logs were divided, and whenever merging and cleaning came in between, the answers
    /// are those of one ingest.
    #[test]
    fn no_upkeep_changes_an_answer(steps in proptest::collection::vec(0u8..8, 3..9)) {
        Runtime::new().unwrap().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let (kept, plain) = (dir.path().join("kept"), dir.path().join("plain"));
            let files = [logs_of("two-hats"), logs_of("missing-grant")].concat();
            let mut left: &[PathBuf] = &files;
            let mut taken = Vec::new();
            for step in steps.iter().copied().chain([7]) {
                match step {
                    0 | 1 if !taken.is_empty() => _ = merge(&kept).await,
                    2 if !taken.is_empty() => _ = clean(&kept, Keep::Newest(1), false).await,
                    n => {
                        let count = if n == 7 { left.len() } else { left.len().min(usize::from(n % 3) + 1) };
                        let (now, later) = left.split_at(count);
                        left = later;
                        if !now.is_empty() {
                            let paths: Vec<&Path> = now.iter().map(PathBuf::as_path).collect();
                            ingest(&kept, &paths).await;
                            taken.extend(now);
                        }
                    }
                }
            }
            let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
            ingest(&plain, &paths).await;
            let mut answers = Vec::new();
            for store in [&kept, &plain] {
                let mut all = rows(&Store::open(store).await.unwrap()).await;
                // It tells when each file was read.
                all.remove("files");
                answers.push(all);
            }
            assert_eq!(answers[0], answers[1], "{steps:?}");
        });
    }
}

#[test]
fn the_commands() {
    let dir = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().env("NO_COLOR", "1").env("ROLETRAIL_STORE", dir.path().join("store"));
        let output = command.args(line.split(' ')).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        let text: Vec<&str> = text.lines().filter(|line| !line.contains("records/s")).collect();
        let text = text.join("\n").replace(&*dir.path().to_string_lossy(), "[TEMP]");
        format!("$ roletrail {line}\n{text}\n--- exit {}\n", output.status.code().unwrap())
    };
    // Sizes of compressed files differ with versions of libraries; counts do not.
    let without_sizes = |text: String| {
        let digits =
            |word: &str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
        let word = |word: &str| {
            let bare = word.trim_matches(['(', ')']);
            if digits(bare) { word.replace(bare, "N") } else { word.to_owned() }
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    let columns = "--format csv";
    let shown = |text: String| {
        // Bytes are the fifth and sixth column.
        let line = |line: &str| match line.split(',').collect::<Vec<_>>() {
            cells if cells.len() == 9 => {
                let cell = |(n, cell): (usize, &&str)| match (n, cell.parse::<u64>()) {
                    (4 | 5, Ok(bytes)) => (if bytes > 0 { "BYTES" } else { "0" }).to_owned(),
                    // The time of the ingest.
                    (6 | 7, _) if cells[0] == "files" => "NOW".to_owned(),
                    _ => (*cell).to_owned(),
                };
                cells.iter().enumerate().map(cell).collect::<Vec<_>>().join(",")
            }
            _ => line.to_owned(),
        };
        text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
    };
    let mut all = vec![run("store info"), run("store compact"), run("store vacuum --dry-run")];
    all.push(run("ingest sample-logs/two-hats"));
    all.push(run("ingest sample-logs/three-accounts"));
    all.push(shown(run(&format!("store info {columns}"))));
    all.push(without_sizes(run("store compact")));
    all.push(without_sizes(run("store compact")));
    all.push(
        run("store info --snapshots --limit 1 --format json")
            .split("\"written_at\"")
            .next()
            .unwrap()
            .to_owned()
            + "\n",
    );
    all.push(without_sizes(run("store vacuum --keep 1 --dry-run")));
    all.push(without_sizes(run("store vacuum --older-than 24h")));
    all.push(run("store vacuum --older-than soon"));
    all.push(run("store vacuum --keep 0"));
    all.push(without_sizes(run("store vacuum --keep 1")));
    all.push(run("sessions --as-of 1"));
    all.push(shown(run(&format!("store info {columns}"))));
    insta::assert_snapshot!(all.join("\n"));
    assert!(run("store info").contains("kept from 3 on"));
}
