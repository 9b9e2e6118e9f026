//! A process that is killed while it writes must not cost anything: readers always see whole
//! ingests, and the next process goes on from there.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use rand::{RngExt, SeedableRng};
use roletrail::store::columns::{FILES, REJECTS};
use roletrail::store::compact::{AtOnce, compact};
use roletrail::store::vacuum::{Keep, vacuum};
use roletrail::store::{Store, Transaction};
use roletrail::table::TableDef;
use roletrail::table::build::{Cell, RowsBuilder};
use tokio::runtime::Runtime;

/// Tells the test program that it is the process to be killed, and which store to write.
const CHILD: &str = "ROLETRAIL_TEST_WRITER";

/// The same for a process that also merges and removes files.
const KEEPER: &str = "ROLETRAIL_TEST_KEEPER";

/// Rows that one ingest adds to `rejects`.
const ROWS: usize = 10;

fn rows(def: &'static TableDef, count: usize, records: u64) -> RecordBatch {
    let mut builder = RowsBuilder::new(def);
    for _ in 0..count {
        let cell = |name| match name {
            "records" => Cell::Int(i64::try_from(records).unwrap()),
            _ => Cell::Null,
        };
        builder.push(def.columns.iter().map(|c| cell(c.name)).collect());
    }
    builder.finish().unwrap()
}

/// Adds ten rows to `rejects`, and replaces the only row of `files` by one that counts them.
async fn ingest(dir: &Path) {
    let mut tx = Transaction::begin(dir).await.unwrap();
    let number = tx.base().map_or(0, |s| s.id) + 1;
    let rejects = tx.write_file(&REJECTS, None, &[rows(&REJECTS, ROWS, 0)]).unwrap();
    let files = tx.write_file(&FILES, None, &[rows(&FILES, 1, number * ROWS as u64)]).unwrap();
    tx.append(&REJECTS, vec![rejects]).unwrap();
    tx.replace(&FILES, vec![files]).unwrap();
    assert_eq!(tx.commit().await.unwrap().id, number);
}

/// Not a test of its own: what the killed process runs.
#[test]
fn writer() {
    if let Some(dir) = std::env::var_os(CHILD) {
        Runtime::new().unwrap().block_on(async {
            loop {
                ingest(Path::new(&dir)).await;
            }
        });
    }
}

/// As [`ingest`], and again files are merged and those of the past removed. Snapshots do not count the
/// ingests here.
async fn ingest_and_keep(dir: &Path) {
    let mut tx = Transaction::begin(dir).await.unwrap();
    let held: usize = tx.read(&REJECTS, &["path"]).unwrap().iter().map(RecordBatch::num_rows).sum();
    let rejects = tx.write_file(&REJECTS, None, &[rows(&REJECTS, ROWS, 0)]).unwrap();
    let files = tx.write_file(&FILES, None, &[rows(&FILES, 1, (held + ROWS) as u64)]).unwrap();
    tx.append(&REJECTS, vec![rejects]).unwrap();
    tx.replace(&FILES, vec![files]).unwrap();
    tx.commit().await.unwrap();
    let tx = Transaction::begin(dir).await.unwrap();
    compact(tx, 2, AtOnce::of_memory(1 << 30)).await.unwrap();
    let tx = Transaction::begin(dir).await.unwrap();
    vacuum(tx, Keep::Newest(3), false).await.unwrap();
}

/// Not a test of its own: what the killed process runs.
#[test]
fn keeper() {
    if let Some(dir) = std::env::var_os(KEEPER) {
        Runtime::new().unwrap().block_on(async {
            loop {
                ingest_and_keep(Path::new(&dir)).await;
            }
        });
    }
}

/// Every snapshot that is kept is whole: `files` counts the rows of `rejects`.
async fn check_kept(dir: &Path) -> (u64, i64) {
    if !Store::exists(dir).unwrap() {
        return (0, 0);
    }
    let now = Store::open(dir).await.unwrap();
    let mut rows = 0;
    for snapshot in now.snapshots().unwrap() {
        let store = Store::open_as_of(dir, snapshot.id).await.unwrap();
        rows = number(&store, "select count(*) from rejects").await;
        assert_eq!(number(&store, "select sum(records) from files").await, rows);
    }
    (now.snapshot().id, rows)
}

#[test]
fn killed_merging_and_cleaning_cost_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let mut last = (0, 0);
    for _ in 0..12 {
        let mut keepers = [
            start("killed::keeper", KEEPER, dir.path()),
            start("killed::keeper", KEEPER, dir.path()),
        ];
        for keeper in &mut keepers {
            std::thread::sleep(Duration::from_millis(random.random_range(50..700)));
            keeper.kill().unwrap();
            keeper.wait().unwrap();
        }
        let now = runtime.block_on(check_kept(dir.path()));
        assert!(now >= last, "{last:?} was lost: {now:?}");
        last = now;
    }
    assert!(last.1 > 0, "no ingest went through");
    runtime.block_on(async {
        ingest_and_keep(dir.path()).await;
        let (_, rows) = check_kept(dir.path()).await;
        assert_eq!(rows, last.1 + 10);
        // What killed processes left is gone, and `rejects` is one file again.
        let store = Store::open(dir.path()).await.unwrap();
        assert!(store.snapshots().unwrap().len() <= 3);
        let rejects =
            store.info().await.unwrap().into_iter().find(|t| t.name == "rejects").unwrap();
        assert_eq!(rejects.files, 1);
        vacuum(Transaction::begin(dir.path()).await.unwrap(), Keep::Newest(1), false)
            .await
            .unwrap();
        let tables = Store::open(dir.path()).await.unwrap().info().await.unwrap();
        assert_eq!(tables.iter().map(|table| table.other_bytes).sum::<u64>(), 0);
    });
}

fn start_writer(dir: &Path) -> Child {
    start("killed::writer", CHILD, dir)
}

fn start(test: &str, told_by: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--quiet"])
        .env(told_by, dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

async fn number(store: &Store, sql: &str) -> i64 {
    let ctx = SessionContext::new();
    for def in [&REJECTS, &FILES] {
        ctx.register_table(def.name, store.provider(def).await.unwrap()).unwrap();
    }
    let batches = ctx.sql(sql).await.unwrap().collect().await.unwrap();
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// Every snapshot holds as many ingests as its number says, in both tables.
async fn check(dir: &Path) -> u64 {
    if !Store::exists(dir).unwrap() {
        return 0;
    }
    let store = Store::open(dir).await.unwrap();
    let id = store.snapshot().id;
    let expected = i64::try_from(id).unwrap() * 10;
    assert_eq!(number(&store, "select count(*) from rejects").await, expected, "snapshot {id}");
    assert_eq!(number(&store, "select sum(records) from files").await, expected, "snapshot {id}");
    id
}

#[test]
fn killed_writers_leave_whole_ingests() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let mut last = 0;
    for _ in 0..12 {
        // Two at once, of which one waits for the other.
        let mut writers = [start_writer(dir.path()), start_writer(dir.path())];
        for writer in &mut writers {
            std::thread::sleep(Duration::from_millis(random.random_range(20..500)));
            writer.kill().unwrap();
            writer.wait().unwrap();
            let id = runtime.block_on(check(dir.path()));
            assert!(id >= last, "snapshot {last} was lost");
            last = id;
        }
    }
    assert!(last > 0, "no ingest went through");
    runtime.block_on(async {
        ingest(dir.path()).await;
        assert_eq!(check(dir.path()).await, last + 1);
        for id in 1..=last {
            let store = Store::open_as_of(dir.path(), id).await.unwrap();
            let rows = number(&store, "select count(*) from rejects").await;
            assert_eq!(rows, i64::try_from(id).unwrap() * 10);
        }
        // What other tools see, the newest version of a table, is the snapshot's content.
        let tx = Transaction::begin(dir.path()).await.unwrap();
        assert_eq!(tx.files(&FILES).unwrap().len(), 1);
    });
    println!("{last} ingests went through");
}
