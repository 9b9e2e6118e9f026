//! The store as its callers use it, on small tables of every kind of column.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Int64Array, ListBuilder,
    RecordBatch, StringArray, StringBuilder, StructBuilder, TimestampMicrosecondArray,
};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::prelude::SessionContext;
use parquet::file::reader::{FileReader, SerializedFileReader};
use tempfile::{TempDir, tempdir};

use super::columns::{COVERAGE, FILES, REJECTS};
use super::*;
use crate::table::{Kind, list_item, resource_fields};

mod faults;
mod parts;
mod words;

/// 2024-05-01T00:00:00Z in microseconds.
const MAY_FIRST: i64 = 1_714_521_600_000_000;
const DAY: i64 = 86_400_000_000;

/// `rows` rows of any table, sorted by its time or key; every third value of a column is NULL
/// except in key columns. `start` numbers the first row.
fn sample(def: &TableDef, start: i64, rows: i64, time: i64) -> RecordBatch {
    let numbers = || (start..start + rows).enumerate();
    let arrays = def.columns.iter().enumerate().map(|(c, column)| -> ArrayRef {
        let key = def.sort_by.contains(&column.name) || def.lookup.contains(&column.name);
        let null = |i: usize| !key && (i + c).is_multiple_of(3);
        match column.kind {
            Kind::Text | Kind::Nested(_) => Arc::new(StringArray::from_iter(
                numbers().map(|(i, n)| (!null(i)).then(|| format!("{}-{n:08}", column.name))),
            )),
            Kind::Binary => Arc::new(BinaryArray::from_iter(
                numbers().map(|(i, n)| (!null(i)).then(|| n.to_le_bytes())),
            )),
            Kind::Json => Arc::new(StringArray::from_iter(
                numbers().map(|(i, n)| (!null(i)).then(|| format!("{{\"n\":{n}}}"))),
            )),
            Kind::Int => {
                Arc::new(Int64Array::from_iter(numbers().map(|(i, n)| (!null(i)).then_some(n))))
            }
            Kind::Bool => Arc::new(BooleanArray::from_iter(
                numbers().map(|(i, n)| (!null(i)).then_some(n % 2 == 0)),
            )),
            Kind::Time => Arc::new(
                TimestampMicrosecondArray::from_iter(
                    numbers().map(|(i, n)| (!null(i)).then_some(time + n * 1_000_000)),
                )
                .with_timezone("UTC"),
            ),
            Kind::Date => {
                let day = i32::try_from(time.div_euclid(DAY)).unwrap();
                Arc::new(Date32Array::from_value(day, usize::try_from(rows).unwrap()))
            }
            Kind::TextList => {
                let mut list =
                    ListBuilder::new(StringBuilder::new()).with_field(list_item(DataType::Utf8));
                for (i, n) in numbers() {
                    (0..n % 3).for_each(|k| list.values().append_value(format!("{n}.{k}")));
                    list.append(!null(i) || n % 3 > 0);
                }
                Arc::new(list.finish())
            }
            Kind::Resources => {
                let mut list = ListBuilder::new(StructBuilder::from_fields(resource_fields(), 0))
                    .with_field(list_item(DataType::Struct(resource_fields())));
                for (i, n) in numbers() {
                    for k in 0..n % 3 {
                        let entry = list.values();
                        let arn = format!("arn:aws:s3:::bucket-{n}-{k}");
                        entry.field_builder::<StringBuilder>(0).unwrap().append_value(arn);
                        entry.field_builder::<StringBuilder>(1).unwrap().append_null();
                        entry.field_builder::<StringBuilder>(2).unwrap().append_value("AWS::S3");
                        entry.append(true);
                    }
                    list.append(!null(i) || n % 3 > 0);
                }
                Arc::new(list.finish())
            }
        }
    });
    RecordBatch::try_new(def.schema(), arrays.collect()).unwrap()
}

/// Writes `rows` rows as one file and appends it.
fn add_rows(tx: &mut Transaction, def: &TableDef, start: i64, rows: i64, day: i64) {
    let partition = def.partition_by.map(|_| format!("2024-05-{:02}", day + 1));
    let batch = sample(def, start, rows, MAY_FIRST + day * DAY);
    let file = tx.write_file(def, partition.as_deref(), &[batch]).unwrap();
    assert_eq!(file.rows, u64::try_from(rows).unwrap());
    tx.append(def, vec![file]).unwrap();
}

async fn session(store: &Store) -> SessionContext {
    let ctx = SessionContext::new();
    for def in TABLES {
        ctx.register_table(def.name, store.provider(def).await.unwrap()).unwrap();
    }
    ctx
}

async fn sql(store: &Store, sql: &str) -> RecordBatch {
    let frame = session(store).await.sql(sql).await.unwrap();
    let schema = Arc::new(frame.schema().as_arrow().clone());
    concat_batches(&schema, &frame.collect().await.unwrap()).unwrap()
}

async fn count(store: &Store, table: &str) -> i64 {
    let batch = sql(store, &format!("select count(*) from {table}")).await;
    batch.column(0).as_primitive::<Int64Type>().value(0)
}

/// A store of two days of events in four files, and five rows of files.
async fn small_store() -> TempDir {
    let dir = tempdir().unwrap();
    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    for (start, day) in [(0, 0), (100, 0), (0, 1), (100, 1)] {
        add_rows(&mut tx, &EVENTS, start, 100, day);
    }
    add_rows(&mut tx, &FILES, 0, 5, 0);
    tx.commit().await.unwrap();
    dir
}

#[tokio::test]
async fn a_new_store_has_every_table_empty() {
    let dir = tempdir().unwrap();
    assert!(!Store::exists(dir.path()).unwrap());
    let snapshot = Transaction::begin(dir.path()).await.unwrap().commit().await.unwrap();
    assert_eq!((snapshot.id, snapshot.format), (1, FORMAT));
    assert!(Store::exists(dir.path()).unwrap());
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.snapshot(), &snapshot);
    for def in TABLES {
        assert_eq!(count(&store, def.name).await, 0, "{}", def.name);
    }
    // Nothing to commit: the snapshot stays.
    let again = Transaction::begin(dir.path()).await.unwrap().commit().await.unwrap();
    assert_eq!(again, snapshot);
    // Without its snapshot file the store is still there, and the file comes back.
    let current = dir.path().join("snapshot.json");
    std::fs::remove_file(&current).unwrap();
    assert!(Store::exists(dir.path()).unwrap());
    assert_eq!(Store::open(dir.path()).await.unwrap().snapshot(), &snapshot);
    let again = Transaction::begin(dir.path()).await.unwrap().commit().await.unwrap();
    assert_eq!(again, snapshot);
    assert!(current.exists());
}

#[tokio::test]
async fn what_is_no_store_is_refused_with_the_reason() {
    let dir = tempdir().unwrap();
    let error = Store::open(dir.path()).await.unwrap_err().to_string();
    assert!(error.contains("not a roletrail store"), "{error}");
    let error = Store::open(dir.path().join("absent")).await.unwrap_err().to_string();
    assert!(error.contains("no such folder"), "{error}");

    std::fs::write(dir.path().join("thesis.odt"), "text").unwrap();
    let error = Transaction::begin(dir.path()).await.err().unwrap().to_string();
    assert!(error.contains("thesis.odt"), "{error}");

    let newer = r#"{"format": 99, "tool_version": "7.0", "shape": "unknown"}"#;
    std::fs::write(dir.path().join("snapshot.json"), newer).unwrap();
    let error = Store::open(dir.path()).await.unwrap_err().to_string();
    assert!(error.contains("newer version (roletrail 7.0)"), "{error}");
    assert!(Transaction::begin(dir.path()).await.is_err());
}

#[tokio::test]
async fn every_table_reads_back_what_was_written() {
    let dir = tempdir().unwrap();
    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    for def in TABLES {
        add_rows(&mut tx, def, 0, 50, 0);
    }
    tx.commit().await.unwrap();

    let store = Store::open(dir.path()).await.unwrap();
    let tx = Transaction::begin(dir.path()).await.unwrap();
    for def in TABLES {
        let expected = sample(def, 0, 50, MAY_FIRST);
        let names: Vec<&str> = def.columns.iter().map(|c| c.name).collect();
        let plain = tx.read(def, &names).unwrap();
        assert_eq!(concat_batches(&def.schema(), &plain).unwrap(), expected, "{}", def.name);

        let order = def.sort_by.join(", ");
        let found = sql(&store, &format!("select * from {} order by {order}", def.name)).await;
        for (column, (expected, found)) in
            def.columns.iter().zip(expected.columns().iter().zip(found.columns()))
        {
            // Text comes as views; everything else must be the table's own type.
            let as_written = cast(found, &column.kind.arrow()).unwrap();
            assert_eq!(&as_written, expected, "{}.{}", def.name, column.name);
            if matches!(column.kind, Kind::Time | Kind::Int | Kind::Bool | Kind::Date) {
                assert_eq!(found.data_type(), &column.kind.arrow(), "{}", column.name);
            }
        }
        let shown = store.provider(def).await.unwrap().schema();
        let shown: Vec<&str> = shown.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(shown, names, "{}", def.name);
    }
}

/// The executed plan of a query, with its metrics.
async fn analyzed(store: &Store, sql: &str) -> String {
    let ctx = session(store).await;
    let plan = ctx.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    datafusion::physical_plan::collect(plan.clone(), ctx.task_ctx()).await.unwrap();
    DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(true).to_string()
}

/// The data files that a plan reads.
fn files_in(plan: &str) -> BTreeSet<&str> {
    plan.split(['[', ']', ',', ' ', ':']).filter(|word| word.ends_with(".parquet")).collect()
}

#[tokio::test]
async fn filters_skip_files_and_row_groups() {
    let dir = small_store().await;
    let store = Store::open(dir.path()).await.unwrap();
    let all = analyzed(&store, "select event_id from events").await;
    assert_eq!(files_in(&all).len(), 4, "{all}");

    let by_day = "select event_id from events where event_date = date '2024-05-02'";
    let plan = analyzed(&store, by_day).await;
    assert_eq!(files_in(&plan).len(), 2, "partition: {plan}");
    assert_eq!(sql(&store, by_day).await.num_rows(), 200);

    let by_time = "select event_id from events where event_time >= '2024-05-02T00:01:40Z' \
                   and event_time < '2024-05-02T00:01:50Z'";
    let plan = analyzed(&store, by_time).await;
    assert_eq!(files_in(&plan).len(), 1, "min/max: {plan}");
    assert!(plan.contains("predicate=event_time"), "pushdown: {plan}");
    assert_eq!(sql(&store, by_time).await.num_rows(), 10);

    // Inside the range of its file, but not there: only the bloom filter can tell.
    let key = |key: &str| format!("select event_id from events where access_key_id = '{key}'");
    let absent = key("access_key_id-00000050x");
    let plan = analyzed(&store, &absent).await;
    assert!(files_in(&plan).is_empty(), "bloom filter: {plan}");
    let there = key("access_key_id-00000050");
    let plan = analyzed(&store, &there).await;
    assert_eq!(files_in(&plan).len(), 2, "bloom filter: {plan}");
    assert_eq!(sql(&store, &there).await.num_rows(), 2);
    let either = format!("{there} or access_key_id = 'access_key_id-00000150'");
    assert_eq!(sql(&store, &either).await.num_rows(), 4);
    let then = format!("{there} and event_date > date '2024-05-01'");
    let plan = analyzed(&store, &then).await;
    assert_eq!(files_in(&plan).len(), 1, "bloom filter and partition: {plan}");
    assert_eq!(sql(&store, &then).await.num_rows(), 1);

    // Few files are left to the engine, which asks the same filters.
    let dir = tempdir().unwrap();
    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    add_rows(&mut tx, &EVENTS, 0, 100, 0);
    tx.commit().await.unwrap();
    let plan = analyzed(&Store::open(dir.path()).await.unwrap(), &absent).await;
    let pruned = plan.contains("row_groups_pruned_bloom_filter=1 total → 0 matched");
    assert!(pruned, "bloom filter: {plan}");
}

/// What is neither true nor false of a file must be asked of its rows.
#[tokio::test]
async fn conditions_on_days_alone_hold_for_every_row() {
    let dir = small_store().await;
    let store = Store::open(dir.path()).await.unwrap();
    let second = "date '2024-05-02'";
    let there = "access_key_id = 'access_key_id-00000050'";
    for (condition, rows) in [
        (format!("event_date = {second}"), 200),
        (format!("event_date < {second}"), 200),
        (format!("event_date in ({second}, null)"), 200),
        (format!("event_date not in ({second}, null)"), 0),
        (format!("event_date between null and {second}"), 0),
        (format!("case when event_date = {second} then true else false end"), 200),
        (format!("coalesce(event_date = {second}, true)"), 200),
        ("event_date = null".to_owned(), 0),
        ("event_time = null".to_owned(), 0),
        ("null".to_owned(), 0),
        ("event_id not in ('x', null)".to_owned(), 0),
        (format!("{there} and event_time = null"), 0),
        // Days after the last time that there is.
        ("event_date <= cast(106751992 as date)".to_owned(), 400),
        (format!("{there} and event_date <= cast(106751992 as date)"), 2),
        (format!("{there} and event_date >= cast(-106751992 as date)"), 2),
        (format!("{there} and event_date > cast(2147483647 as date)"), 0),
    ] {
        let statement = format!("select event_id from events where {condition}");
        assert_eq!(sql(&store, &statement).await.num_rows(), rows, "{condition}");
        let statement = format!("select count(*) from events where {condition}");
        let counted = sql(&store, &statement).await;
        let counted = counted.column(0).as_primitive::<Int64Type>().value(0);
        assert_eq!(usize::try_from(counted).unwrap(), rows, "{condition}");
    }
}

#[tokio::test]
async fn aggregates_are_answered_from_rows_not_from_bounds() {
    let dir = tempdir().unwrap();
    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    let long = |c: char| format!("{}{c}", "x".repeat(300));
    let text = || Arc::new(StringArray::from(vec![long('a'), long('b')])) as ArrayRef;
    let columns = vec![text(), text(), text(), text()];
    let batch = RecordBatch::try_new(REJECTS.schema(), columns).unwrap();
    let file = tx.write_file(&REJECTS, None, &[batch]).unwrap();
    assert!(!file.stats.contains("xxx"), "a long bound is left out: {}", file.stats);
    tx.append(&REJECTS, vec![file]).unwrap();
    // Times finer than a millisecond keep every digit in the statistics.
    let coverage = sample(&COVERAGE, 0, 3, MAY_FIRST + 1);
    let file = tx.write_file(&COVERAGE, None, &[coverage]).unwrap();
    assert!(file.stats.contains("2024-05-01T00:00:02.000001Z"), "{}", file.stats);
    tx.append(&COVERAGE, vec![file]).unwrap();
    tx.commit().await.unwrap();

    let store = Store::open(dir.path()).await.unwrap();
    let found = sql(&store, "select max(path), min(path) from rejects where path > 'a'").await;
    let text = |c: usize| {
        cast(found.column(c), &DataType::Utf8).unwrap().as_string::<i32>().value(0).to_owned()
    };
    assert_eq!((text(0), text(1)), (long('b'), long('a')));
    let latest = "select max(hour) from coverage where hour >= '2024-05-01T00:00:02.000001Z'";
    let found = sql(&store, latest).await;
    let found = found.column(0).as_primitive::<TimestampMicrosecondType>().value(0);
    assert_eq!(found, MAY_FIRST + 2_000_001);
}

#[tokio::test]
async fn replace_swaps_the_whole_table_and_old_snapshots_keep_the_old_rows() {
    let dir = small_store().await;
    let before = Store::open(dir.path()).await.unwrap();
    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    add_rows(&mut tx, &FILES, 0, 70, 0);
    let batch = sample(&FILES, 0, 7, MAY_FIRST);
    let file = tx.write_file(&FILES, None, &[batch]).unwrap();
    tx.replace(&FILES, vec![file]).unwrap();
    add_rows(&mut tx, &EVENTS, 0, 10, 2);
    let snapshot = tx.commit().await.unwrap();
    assert_eq!(snapshot.id, 2);
    for name in ["grants", "rejects"] {
        assert_eq!(snapshot.version_of(name), Some(0), "{name} was not touched");
    }

    let after = Store::open(dir.path()).await.unwrap();
    assert_eq!((count(&after, "files").await, count(&after, "events").await), (7, 410));
    // A reader that is at work, and one that asks for the old snapshot.
    let as_of = Store::open_as_of(dir.path(), 1).await.unwrap();
    for old in [&before, &as_of] {
        assert_eq!((count(old, "files").await, count(old, "events").await), (5, 400));
    }
    let error = Store::open_as_of(dir.path(), 3).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");

    // Emptying a table.
    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    tx.replace(&FILES, Vec::new()).unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&Store::open(dir.path()).await.unwrap(), "files").await, 0);
}

#[tokio::test]
async fn many_small_ingests_write_checkpoints_and_every_snapshot_stays_readable() {
    let dir = tempdir().unwrap();
    for n in 0..12 {
        let mut tx = Transaction::begin(dir.path()).await.unwrap();
        add_rows(&mut tx, &EVENTS, n * 10, 10, 0);
        tx.commit().await.unwrap();
    }
    assert!(dir.path().join("events/_delta_log/_last_checkpoint").is_file());
    for id in [1, 5, 10, 12] {
        let store = Store::open_as_of(dir.path(), id).await.unwrap();
        assert_eq!(count(&store, "events").await, i64::try_from(id).unwrap() * 10);
    }
    // Statistics survive the checkpoint.
    let store = Store::open(dir.path()).await.unwrap();
    let plan = "select event_id from events where event_time = '2024-05-01T00:00:25Z'";
    let plan = analyzed(&store, plan).await;
    assert_eq!(files_in(&plan).len(), 1, "{plan}");
}

#[tokio::test]
async fn a_data_file_is_laid_out_as_promised() {
    let dir = tempdir().unwrap();
    let tx = Transaction::begin(dir.path()).await.unwrap();
    let (first, second) =
        (sample(&EVENTS, 0, 100_000, MAY_FIRST), sample(&EVENTS, 0, 10, MAY_FIRST));
    let day = Some("2024-05-01");
    let check = |file: &DataFile, sorted: bool| {
        let path = dir.path().join("events").join(&file.path);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), file.size);
        let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
        let group = reader.metadata().row_group(0);
        assert_eq!(group.sorting_columns().is_some(), sorted);
        let column = |name: &str| group.columns().iter().find(|c| c.column_path().string() == name);
        assert!(column("event_date").is_none(), "the partition column is not in the file");
        let id = column("event_id").unwrap();
        assert!(id.bloom_filter_offset().is_some() && id.statistics().is_some());
        assert!(column("event_name").unwrap().bloom_filter_offset().is_none());
    };
    let file = tx.write_file(&EVENTS, day, std::slice::from_ref(&first)).unwrap();
    assert!(file.path.starts_with("event_date=2024-05-01/part-"), "{}", file.path);
    check(&file, true);
    // The second batch begins before the first ends.
    check(&tx.write_file(&EVENTS, day, &[first, second.clone()]).unwrap(), false);

    for bad in [None, Some("2024-05-02"), Some("../../x"), Some("2024-5-1"), Some("")] {
        assert!(tx.write_file(&EVENTS, bad, std::slice::from_ref(&second)).is_err(), "{bad:?}");
    }
    assert!(tx.write_file(&FILES, None, &[second]).is_err(), "columns of another table");
    assert!(tx.read(&EVENTS, &["no_such_column"]).is_err());
}

#[tokio::test]
async fn a_folder_of_any_name_holds_a_store() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a b c#d?é'\"");
    for _ in 0..2 {
        let mut tx = Transaction::begin(&path).await.unwrap();
        add_rows(&mut tx, &EVENTS, 0, 10, 0);
        tx.commit().await.unwrap();
    }
    assert_eq!(count(&Store::open(&path).await.unwrap(), "events").await, 20);
    let tx = Transaction::begin(&path).await.unwrap();
    assert_eq!(tx.read(&EVENTS, &["event_date", "event_id"]).unwrap().len(), 2);

    // The Delta crate decodes escapes where it should not, so such a folder would be half read.
    let error = Transaction::begin(dir.path().join("100%20")).await.err().unwrap();
    assert!(error.to_string().contains('%'), "{error}");
    assert!(!dir.path().join("100%20/events").exists());
}

#[tokio::test]
async fn many_threads_write_files_of_one_transaction() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let dir = tempdir().unwrap();
    let mut tx = is_send(Transaction::begin(dir.path())).await.unwrap();
    let (shared, day) = (&tx, Some("2024-05-01"));
    let files: Vec<DataFile> = std::thread::scope(|scope| {
        let write = |n: i64| {
            move || {
                shared.write_file(&EVENTS, day, &[sample(&EVENTS, n * 50, 50, MAY_FIRST)]).unwrap()
            }
        };
        let threads: Vec<_> = (0..4).map(|n| scope.spawn(write(n))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    tx.append(&EVENTS, files).unwrap();
    is_send(tx.commit()).await.unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(is_send(count(&store, "events")).await, 200);
}

#[tokio::test]
async fn batches_that_come_one_by_one_must_be_in_order() {
    let dir = tempdir().unwrap();
    let tx = Transaction::begin(dir.path()).await.unwrap();
    let (first, second) = (sample(&EVENTS, 0, 10, MAY_FIRST), sample(&EVENTS, 10, 10, MAY_FIRST));
    let nothing = first.slice(0, 0);
    let write = |batches: [&RecordBatch; 3]| {
        let rows = batches.iter().map(|b| b.num_rows()).sum();
        let batches = batches.into_iter().cloned().map(Ok);
        tx.write_sorted(&EVENTS, Place::Day("2024-05-01"), rows, batches)
    };
    assert_eq!(write([&first, &nothing, &second]).unwrap().rows, 20);
    let refused = write([&second, &nothing, &first]).unwrap_err();
    assert!(refused.to_string().contains("not in the table's order"), "{refused}");
    let left = std::fs::read_dir(dir.path().join("events/event_date=2024-05-01")).unwrap();
    assert_eq!(left.count(), 1, "half a file is not left behind");
}
