//! Other tools must be able to open a store: DuckDB and polars see the same rows, and times with
//! their zone.

use std::sync::Arc;

use crate::support;
use arrow::array::{
    ArrayRef, Date32Array, ListBuilder, RecordBatch, StringArray, StringBuilder, StructBuilder,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::DataType;
use roletrail::events::columns::EVENTS;
use roletrail::intake::{Options, Silent};
use roletrail::output::{self, Format, Style};
use roletrail::pipeline;
use roletrail::sql::{Params, Source, Sql};
use roletrail::store::columns::FILES;
use roletrail::store::compact::{AtOnce, compact};
use roletrail::store::vacuum::{Keep, vacuum};
use roletrail::store::{Store, TABLES, Transaction};
use roletrail::table::build::{Cell, RowsBuilder};
use roletrail::table::{Kind, list_item, resource_fields};
use serde_json::Value;

/// 2024-05-01T00:00:00Z in microseconds and in days.
const MAY_FIRST: (i64, i32) = (1_714_521_600_000_000, 19_844);
const DAYS: i64 = 3;
const ROWS_A_DAY: i64 = 1000;

/// Events of one day, one every minute and seven microseconds.
fn events_of(day: i64) -> RecordBatch {
    let rows = usize::try_from(ROWS_A_DAY).unwrap();
    let arrays = EVENTS.columns.iter().map(|column| -> ArrayRef {
        match (column.name, column.kind) {
            ("event_time", _) => {
                let start = MAY_FIRST.0 + day * 86_400_000_000;
                let times = (0..ROWS_A_DAY).map(|n| start + n * 60_000_007);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            ("event_date", _) => {
                let date = MAY_FIRST.1 + i32::try_from(day).unwrap();
                Arc::new(Date32Array::from_value(date, rows))
            }
            ("event_id" | "event_name" | "user_agent", _) => {
                let text = |n| format!("{} {day}/{n} \u{202e}é\u{1b}[31m", column.name);
                Arc::new(StringArray::from_iter_values((0..ROWS_A_DAY).map(text)))
            }
            (_, Kind::Resources) => resources(),
            (_, kind) => new_null_array(&kind.arrow(), rows),
        }
    });
    RecordBatch::try_new(EVENTS.schema(), arrays.collect()).unwrap()
}

/// NULL, an empty list, and lists of one and two entries in turn.
fn resources() -> ArrayRef {
    let mut list = ListBuilder::new(StructBuilder::from_fields(resource_fields(), 0))
        .with_field(list_item(DataType::Struct(resource_fields())));
    for n in 0..ROWS_A_DAY {
        for _ in 1..n % 4 {
            let entry = list.values();
            let values =
                [Some("arn:aws:iam::111111111111:role/admin"), None, Some("AWS::IAM::Role")];
            for (i, value) in values.into_iter().enumerate() {
                entry.field_builder::<StringBuilder>(i).unwrap().append_option(value);
            }
            entry.append(true);
        }
        list.append(n % 4 > 0);
    }
    Arc::new(list.finish())
}

fn files_row() -> RecordBatch {
    let mut rows = RowsBuilder::new(&FILES);
    let cell = |kind| match kind {
        Kind::Int => Cell::Int(7),
        Kind::Time => Cell::Time(MAY_FIRST.0),
        _ => Cell::from("text"),
    };
    rows.push(FILES.columns.iter().map(|c| cell(c.kind)).collect());
    rows.finish().unwrap()
}

async fn build_store(dir: &std::path::Path) {
    // Two ingests, the second of which replaces a table: both kinds of commit are read.
    for last in [false, true] {
        let mut tx = Transaction::begin(dir).await.unwrap();
        let days = if last { DAYS - 1..DAYS } else { 0..DAYS - 1 };
        for day in days {
            let partition = format!("2024-05-{:02}", day + 1);
            let file = tx.write_file(&EVENTS, Some(&partition), &[events_of(day)]).unwrap();
            tx.append(&EVENTS, vec![file]).unwrap();
        }
        let file = tx.write_file(&FILES, None, &[files_row()]).unwrap();
        tx.replace(&FILES, vec![file]).unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn duckdb_and_polars_read_the_store() {
    let dir = tempfile::tempdir().unwrap();
    // A path that must be quoted in SQL. (With a blank or a letter beyond ASCII in it, polars looks for
    // the escaped name; DuckDB does not.)
    let store = dir.path().join("user's-store");
    build_store(&store).await;

    let report: Value =
        serde_json::from_str(&support::python::run("check_store.py", &[&store])).unwrap();
    for def in TABLES {
        let rows = match def.name {
            "events" => DAYS * ROWS_A_DAY,
            "files" => 1,
            _ => 0,
        };
        let table = &report["tables"][def.name];
        assert_eq!(table["duckdb_rows"], rows, "DuckDB, {}", def.name);
        assert_eq!(table["polars_rows"], rows, "polars, {}", def.name);
        for column in def.columns {
            let (duckdb, polars) = match column.kind {
                Kind::Text | Kind::Json | Kind::Nested(_) => ("VARCHAR", "String"),
                Kind::Binary => ("BLOB", "Binary"),
                Kind::Int => ("BIGINT", "Int64"),
                Kind::Bool => ("BOOLEAN", "Boolean"),
                Kind::Time => {
                    ("TIMESTAMP WITH TIME ZONE", "Datetime(time_unit='us', time_zone='UTC')")
                }
                Kind::Date => ("DATE", "Date"),
                Kind::TextList => ("VARCHAR[]", "List(String)"),
                Kind::Resources => (
                    "STRUCT(arn VARCHAR, account_id VARCHAR, \"type\" VARCHAR)[]",
                    "List(Struct({'arn': String, 'account_id': String, 'type': String}))",
                ),
            };
            let place = format!("{}.{}", def.name, column.name);
            assert_eq!(table["duckdb_types"][column.name], duckdb, "DuckDB, {place}");
            assert_eq!(table["polars_types"][column.name], polars, "polars, {place}");
        }
    }

    let times = (0..DAYS).flat_map(|d| {
        (0..ROWS_A_DAY).map(move |n| d * 86_400_000_000 + n * 60_000_007 + MAY_FIRST.0)
    });
    let sum: i128 = times.map(i128::from).sum();
    for reader in ["duckdb", "polars"] {
        let events = &report["events"][reader];
        assert_eq!(events["min"], "2024-05-01T00:00:00.000000+00:00", "{reader}");
        assert_eq!(events["max"], "2024-05-03T16:39:00.006993+00:00", "{reader}");
        let expected = u64::try_from(sum % (1i128 << 63)).unwrap();
        assert_eq!(events["sum"], expected, "{reader}");
        assert_eq!(events["resources"], DAYS * (1 + 2) * ROWS_A_DAY / 4, "{reader}");
        assert_eq!(events["on_last_day"], ROWS_A_DAY, "{reader}");
    }
}

/// The answer itself, from a store that two ingests made and whose small files were merged and removed:
/// ours, DuckDB's and polars' are one, and the same as before.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_the_same_in_duckdb_and_polars() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    for sources in ["sample-logs/two-hats", "sample-logs"] {
        let (options, sources) = (Options::default(), [sources.to_owned()]);
        pipeline::ingest(&store, &sources, &options, &Silent).await.unwrap();
    }
    let opened = Source::Store(Store::open(&store).await.unwrap());
    let sql = Sql::open(opened, 256 << 20).await.unwrap();
    let query = "SELECT event_id, origin_type, origin, depth FROM activity ORDER BY event_id";
    let mut json = Vec::new();
    let rows = sql.stream(query, Params::none()).await.unwrap();
    output::write_stream(Format::Json, rows, &mut json, &Style::default()).await.unwrap();
    let ours: Vec<Value> = serde_json::from_slice(&json).unwrap();
    let tx = Transaction::begin(&store).await.unwrap();
    assert!(compact(tx, 2, AtOnce::of_memory(1 << 30)).await.unwrap().0.files_before >= 4);
    let tx = Transaction::begin(&store).await.unwrap();
    assert!(vacuum(tx, Keep::Newest(1), false).await.unwrap().files >= 4);
    let columns = ["event_id", "origin_type", "origin", "depth"];
    let ours: Vec<Value> =
        ours.iter().map(|row| columns.map(|c| row[c].clone()).to_vec().into()).collect();
    assert!(ours.len() > 200);

    let theirs: Value =
        serde_json::from_str(&support::python::run("read_activity.py", &[&store])).unwrap();
    assert_eq!(theirs["duckdb"], Value::from(ours.clone()));
    assert_eq!(theirs["polars"], Value::from(ours));
}
