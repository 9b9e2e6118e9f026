//! Logs in Parquet, written by the programs that people use for it: pyarrow and DuckDB.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support;
use crate::support::{load, truth, wraps};
use arrow::array::{FixedSizeBinaryArray, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use roletrail::decode::parquet::{ParquetRecords, Room};
use roletrail::decode::{Item, Limits};
use roletrail::events::rebuild;
use roletrail::intake::{Options, Silent};
use roletrail::pipeline::{self, Loaded};
use serde_json::Value;

/// The folder of tables made of `sample-logs`, and the records in them.
fn tables() -> (tempfile::TempDir, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let records = support::records(Path::new("sample-logs"));
    let json = dir.path().join("records.json");
    std::fs::write(&json, Value::from(records.clone()).to_string()).unwrap();
    std::fs::create_dir(dir.path().join("tables")).unwrap();
    support::python::run("write_parquet.py", &[&json, &dir.path().join("tables")]);
    (dir, records)
}

/// What a table has no way to say: that a member was there and null.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let some = members.into_iter().filter(|(_, value)| !value.is_null());
            some.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        Value::Array(entries) => entries.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// Records by event id, as they are rebuilt from the table of events.
fn rebuilt(loaded: &Loaded) -> BTreeMap<String, Value> {
    let rows = loaded.tables["events"].iter().flat_map(|batch| {
        (0..batch.num_rows()).map(|row| without_nulls(rebuild::record(batch, row)))
    });
    rows.map(|record| (record["eventID"].as_str().unwrap().to_owned(), record)).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[test]
fn tables_of_logs_hold_the_same_records_and_lead_to_the_same_people() {
    let (dir, _) = tables();
    let expected = load(&[Path::new("sample-logs")]);
    let (records, people) = (rebuilt(&expected), truth::said(&expected));
    let files = files(&dir.path().join("tables"));
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let loaded = load(&[&file]);
        assert_eq!(loaded.books.rejected, 0, "{name}: {:?}", wraps::rejects(&loaded));
        let found = rebuilt(&loaded);
        assert_eq!(found.len(), records.len(), "{name}");
        for (id, record) in &records {
            assert_eq!(&found[id], record, "{name}");
        }
        assert_eq!(truth::said(&loaded), people, "{name}");
    }
}

#[test]
fn a_table_in_an_archive_or_from_elsewhere_is_read_as_well() {
    let (dir, records) = tables();
    let bytes = std::fs::read(dir.path().join("tables/athena.parquet")).unwrap();
    let case = wraps::Case::new();
    case.file("case.zip", &wraps::zip(&[("athena.parquet", bytes.clone())]));
    let loaded = case.load();
    assert_eq!((loaded.books.archives, loaded.books.rejected), (1, 0));
    let distinct = rebuilt(&loaded).len();
    let case = wraps::Case::of(&wraps::gz(&bytes));
    assert_eq!(rebuilt(&case.load()).len(), distinct);
    assert_eq!(loaded.books.records, records.len() as u64);
    // Standard input comes only once.
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_roletrail"));
    let file = std::fs::File::open(dir.path().join("tables/duckdb.parquet")).unwrap();
    let store = dir.path().join("store");
    command.args(["ingest", "-", "--store"]).arg(&store).stdin(file);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("{} = {distinct} kept", records.len())), "{said}");
}

#[test]
fn what_would_lose_something_or_take_too_much_is_rejected_with_what_to_do() {
    let (dir, _) = tables();
    let other = |name: &str| dir.path().join("tables/other").join(name);
    for (name, reason) in [
        ("ocsf.parquet", "read the bucket that CloudTrail itself delivers to"),
        ("none-of-ours.parquet", "without columns of a log: it has a, b;"),
        ("brotli.parquet", "write it again with zstd"),
        ("delta.parquet", "write it again as version 1"),
        ("empty.parquet", "Ok([])"),
        ("long-list.parquet", "record exceeds"),
    ] {
        let loaded = load_quietly(&other(name), Options::default());
        let said = format!("{loaded:?}");
        assert!(said.contains(reason), "{name} should say {reason}: {said}");
    }
    // Beside logs a table of something else is nobody's mistake; one of Security Lake may be one.
    let beside = |name: &str| {
        let case = wraps::Case::new();
        case.file("log.json", &wraps::records(&[wraps::record(1)]));
        case.file(name, &std::fs::read(other(name)).unwrap());
        let books = case.load().books;
        (books.rejected, books.passed_over.get("not a log").copied())
    };
    assert_eq!(beside("none-of-ours.parquet"), (0, Some(1)));
    assert_eq!(beside("ocsf.parquet"), (1, None));
    // Three megabytes in each of three thousand rows, in a file of two kilobytes.
    let options = Options { inflated_bytes: 100 << 20, ..Options::default() };
    let said = load_quietly(&other("one-text-many-times.parquet"), options);
    let said = format!("{said:?}");
    assert!(said.contains("--max-inflated") && said.contains("record 35"), "{said}");
    let options = Options { page_bytes: 20 << 10, ..Options::default() };
    let said = load_quietly(&dir.path().join("tables/athena.parquet"), options);
    assert!(format!("{said:?}").contains("write smaller row groups"), "{said:?}");
}

/// The rejects, or the error where nothing could be read.
fn load_quietly(file: &Path, options: Options) -> Result<Vec<String>, String> {
    let source = [file.to_str().unwrap().to_owned()];
    let loaded = pipeline::load(&source, &options, 4 << 30, &Silent).map_err(|e| e.to_string())?;
    assert!(loaded.books.balance());
    Ok(wraps::rejects(&loaded))
}

/// How many records and rejects.
fn read(bytes: Vec<u8>) -> (u64, u64) {
    let room = Room { text_bytes: 64 << 20, page_bytes: 64 << 20 };
    let mut records = ParquetRecords::open(std::io::Cursor::new(bytes), Limits::default(), room);
    let (mut good, mut bad, mut last) = (0, 0, 0);
    while let Some(item) = records.next() {
        match item {
            Item::Record(place, _, _) => {
                (good, last) = (good + 1, last + 1);
                assert_eq!(place.number, last);
            }
            Item::Bad(reject) => {
                (bad, last) = (bad + 1, last + 1);
                assert!(reject.position.starts_with(&format!("record {last}")));
                assert!(!reject.reason.contains("panicked"));
            }
            Item::NotALog(_) => unreachable!("that is said of JSON"),
        }
    }
    (good, bad)
}

#[test]
fn damage_costs_what_is_damaged_and_is_said() {
    let (dir, _) = tables();
    for name in
        ["athena.parquet", "duckdb.parquet", "pages-of-version-2.parquet", "lake-int96.parquet"]
    {
        let bytes = std::fs::read(dir.path().join("tables").join(name)).unwrap();
        let (whole, none) = read(bytes.clone());
        assert!(whole > 500 && none == 0, "{name}");
        // Cut anywhere: the footer is at the end.
        for n in 0..10 {
            let cut = bytes[..bytes.len() * n / 10].to_vec();
            assert_eq!(read(cut), (0, 1), "{name}");
        }
        // Written over, here and there, most of all in the footer.
        let mut state = 7u64;
        let mut chance = |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        let mut lost = 0;
        for n in 0..40 {
            let mut damaged = bytes.clone();
            for _ in 0..=chance(4) {
                let footer = 12_000.min(bytes.len());
                let at = match n % 2 {
                    0 => chance(bytes.len()),
                    _ => bytes.len() - 1 - chance(footer),
                };
                damaged[at] = match chance(3) {
                    0 => 0xff,
                    1 => damaged[at].wrapping_add(1),
                    _ => chance(256) as u8,
                };
            }
            let (good, bad) = read(damaged);
            assert!(good > 0 || bad > 0, "{name}");
            lost += u64::from(bad > 0);
        }
        assert!(lost > 5, "{name}: {lost}");
    }
}

/// A table of one column, written with small pages.
fn one_column(name: &str, values: arrow::array::ArrayRef) -> Vec<u8> {
    let batch = arrow::array::RecordBatch::try_from_iter([(name, values)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_write_batch_size(10)
        .set_data_page_row_count_limit(10)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_page_that_is_no_longer_one_of_data_is_missed() {
    let events = (0..100).map(|n| Some(wraps::record(n).to_string()));
    let bytes = one_column("event", Arc::new(events.collect::<StringArray>()));
    assert_eq!(read(bytes.clone()), (100, 0));
    // The head of a page begins with its kind, 0 for data: 1, as Thrift writes it, is an index.
    let is_head = |at: &usize| bytes[*at..].starts_with(&[0x15, 0, 0x15]);
    // So looks the encoding further on in each head, too: of ten pages all but the first.
    let heads = (0..bytes.len()).filter(is_head).step_by(2).take(10).skip(1);
    for head in heads {
        let mut damaged = bytes.clone();
        damaged[head + 1] = 2;
        let (good, bad) = read(damaged);
        assert_eq!((good, bad), (90, 1), "{head}");
    }
}

#[test]
fn values_of_a_great_fixed_length_are_refused() {
    let values = |width: i32| {
        let value = vec![b'x'; width as usize];
        let values = std::iter::repeat_n(Some(value.as_slice()), 20);
        let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, width).unwrap();
        one_column("event", Arc::new(array))
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wide.parquet");
    std::fs::write(&file, values(1000)).unwrap();
    let said = format!("{:?}", load_quietly(&file, Options::default()));
    assert!(said.contains("great fixed length"), "{said}");
    std::fs::write(&file, values(16)).unwrap();
    let said = format!("{:?}", load_quietly(&file, Options::default()));
    assert!(!said.contains("great fixed length"), "{said}");
}
