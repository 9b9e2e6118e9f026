//! What happens when a transaction does not end well, and when there are several.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;

fn parquet_files(dir: &Path) -> BTreeSet<PathBuf> {
    walkdir::WalkDir::new(dir)
        .into_iter()
        .map(|e| e.unwrap().into_path())
        .filter(|p| p.extension().is_some_and(|e| e == "parquet"))
        .collect()
}

#[tokio::test]
async fn a_dropped_transaction_leaves_the_store_as_it_was() {
    let dir = small_store().await;
    let (before, files) = (Store::open(dir.path()).await.unwrap(), parquet_files(dir.path()));
    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    add_rows(&mut tx, &EVENTS, 0, 10, 2);
    tx.replace(&FILES, Vec::new()).unwrap();
    drop(tx);
    let after = Store::open(dir.path()).await.unwrap();
    assert_eq!(after.snapshot(), before.snapshot());
    assert_eq!((count(&after, "files").await, count(&after, "events").await), (5, 400));
    assert_eq!(parquet_files(dir.path()), files);
}

/// The ingest that the tests of killing repeat.
async fn second_ingest(dir: &Path) -> Transaction {
    let mut tx = Transaction::begin(dir).await.unwrap();
    add_rows(&mut tx, &EVENTS, 200, 30, 1);
    let batch = sample(&FILES, 0, 8, MAY_FIRST);
    let file = tx.write_file(&FILES, None, &[batch]).unwrap();
    tx.replace(&FILES, vec![file]).unwrap();
    tx
}

async fn contents(store: &Store) -> Vec<RecordBatch> {
    let mut all = Vec::new();
    for def in TABLES {
        let order = def.sort_by.join(", ");
        all.push(sql(store, &format!("select * from {} order by {order}", def.name)).await);
    }
    all
}

#[tokio::test]
async fn a_killed_commit_shows_nowhere_and_is_taken_back() {
    let undisturbed = small_store().await;
    second_ingest(undisturbed.path()).await.commit().await.unwrap();

    let dir = small_store().await;
    for _ in 0..2 {
        let mut tx = second_ingest(dir.path()).await;
        tx.commit_tables().await.unwrap();
        drop(tx); // the process dies here
        let reader = Store::open(dir.path()).await.unwrap();
        assert_eq!(reader.snapshot().id, 1);
        assert_eq!((count(&reader, "files").await, count(&reader, "events").await), (5, 400));
    }

    // The next transaction sees the old state, and repairs the tables for other tools as well.
    let tx = Transaction::begin(dir.path()).await.unwrap();
    assert_eq!(tx.files(&EVENTS).unwrap().len(), 4);
    let rows = |def, column| -> usize {
        tx.read(def, &[column]).unwrap().iter().map(RecordBatch::num_rows).sum()
    };
    assert_eq!((rows(&FILES, "path"), rows(&EVENTS, "event_date")), (5, 400));
    drop(tx);
    let newest = delta::Table::open(&Location::from(dir.path()), &FILES, None).await.unwrap();
    let version = newest.version();
    assert_eq!(newest.files().len(), 1);
    // Repairing what is repaired commits nothing.
    drop(Transaction::begin(dir.path()).await.unwrap());
    let again =
        delta::Table::open(&Location::from(dir.path()), &FILES, None).await.unwrap().version();
    assert_eq!(again, version);

    second_ingest(dir.path()).await.commit().await.unwrap();
    let repeated = Store::open(dir.path()).await.unwrap();
    assert_eq!(repeated.snapshot().id, 2);
    let expected = contents(&Store::open(undisturbed.path()).await.unwrap()).await;
    assert_eq!(contents(&repeated).await, expected);
}

#[tokio::test]
async fn a_first_ingest_killed_in_the_middle_can_be_repeated() {
    let dir = tempdir().unwrap();
    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    add_rows(&mut tx, &EVENTS, 0, 10, 0);
    tx.commit_tables().await.unwrap();
    drop(tx);
    assert!(!Store::exists(dir.path()).unwrap());
    // Also a table that was not made yet.
    std::fs::remove_dir_all(dir.path().join("links")).unwrap();

    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    assert_eq!(tx.base(), None);
    add_rows(&mut tx, &EVENTS, 0, 10, 0);
    assert_eq!(tx.commit().await.unwrap().id, 1);
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!((count(&store, "events").await, count(&store, "links").await), (10, 0));
}

#[test]
fn transactions_wait_for_each_other() {
    let dir = tempdir().unwrap();
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let ingest = |start: i64| {
        let path = dir.path();
        move || {
            runtime().block_on(async {
                let mut tx = Transaction::begin(path).await.unwrap();
                let from = Instant::now();
                add_rows(&mut tx, &REJECTS, start, 10, 0);
                std::thread::sleep(Duration::from_millis(100));
                assert!(Transaction::try_begin(path).await.unwrap().is_none());
                let until = Instant::now();
                (tx.commit().await.unwrap().id, from, until)
            })
        }
    };
    let mut ends: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|i| scope.spawn(ingest(i * 10))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    ends.sort_by_key(|(id, _, _)| *id);
    assert_eq!(ends.iter().map(|(id, _, _)| *id).collect::<Vec<_>>(), [1, 2, 3]);
    // None began while another was at work.
    assert!(ends.windows(2).all(|w| w[1].1 >= w[0].2));
    runtime().block_on(async {
        let store = Store::open(dir.path()).await.unwrap();
        assert_eq!(count(&store, "rejects").await, 30);
    });
}
