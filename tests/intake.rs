//! Reading: nothing lost, nothing doubled, every trouble named with its place.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::support;
use arrow::array::{Array, RecordBatch, StringArray};
use proptest::prelude::*;
use roletrail::error::Error;
use roletrail::events::rebuild;
use roletrail::intake::{Options, Silent};
use roletrail::pipeline::{self, Loaded};
use serde_json::{Value, json};

fn record(n: u32) -> Value {
    json!({
        "eventVersion": "1.08", "eventTime": "2024-05-01T09:00:00Z",
        "eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances",
        "eventID": format!("00000000-0000-4000-8000-{n:012}"), "awsRegion": "eu-west-1",
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "111111111111",
                         "arn": "arn:aws:iam::111111111111:user/anna", "accessKeyId": "AKIAEXAMPLE"},
        "requestParameters": null, "responseElements": null, "readOnly": true,
        "recipientAccountId": "111111111111"
    })
}

fn document(records: &[Value]) -> Vec<u8> {
    json!({ "Records": records }).to_string().into_bytes()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Case {
        Case { dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn load(&self) -> Loaded {
        support::load(&[self.dir.path()])
    }
}

fn texts(batches: &[RecordBatch], column: &str) -> Vec<String> {
    let cells = batches.iter().flat_map(|batch| {
        let column = batch.column_by_name(column).unwrap();
        let column: StringArray = column.as_any().downcast_ref::<StringArray>().unwrap().clone();
        (0..column.len())
            .map(move |i| if column.is_valid(i) { column.value(i).to_owned() } else { "".into() })
            .collect::<Vec<_>>()
    });
    cells.collect()
}

fn reasons(loaded: &Loaded) -> Vec<String> {
    let rejects = &loaded.tables["rejects"];
    let places = texts(rejects, "position");
    places.into_iter().zip(texts(rejects, "reason")).map(|(p, r)| format!("{p}: {r}")).collect()
}

/// Every record of the loaded tables, rebuilt from its row, by event id.
fn rebuilt(loaded: &Loaded) -> std::collections::BTreeMap<String, Value> {
    let batches = loaded.tables["events"].iter();
    let all = batches
        .flat_map(|b| (0..b.num_rows()).map(|row| rebuild::record(b, row)).collect::<Vec<_>>());
    all.map(|r| (r["eventID"].as_str().unwrap_or("").to_owned(), r)).collect()
}

/// The record without session tokens, which are the only thing that may be lost.
fn without_tokens(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.remove("sessionToken");
            members.values_mut().for_each(|v| *v = without_tokens(v.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|v| *v = without_tokens(v.take())),
        _ => {}
    }
    value
}

#[test]
fn every_record_of_the_samples_can_be_rebuilt_from_its_row() {
    let root = Path::new("sample-logs");
    let rebuilt = rebuilt(&support::load(&[root]));
    let records = support::records(root);
    assert!(records.len() > 200);
    for record in records {
        let id = record["eventID"].as_str().unwrap().to_owned();
        assert_eq!(rebuilt[&id], without_tokens(record), "{id}");
    }
}

#[test]
fn fields_of_wrong_type_unknown_fields_and_nulls_survive() {
    let mut odd = record(1);
    odd["awsRegion"] = json!(5);
    odd["readOnly"] = json!("true");
    odd["userIdentity"] = json!({"type": 7, "extra": {"a.b": [1, {}]}, "sessionContext": {}});
    odd["resources"] = json!([{"ARN": null, "type": "x", "new": 1}]);
    odd["requestParameters"] = json!("text instead of an object");
    odd["newField"] = json!({"deep": [null, {"x": ""}]});
    odd["errorMessage"] = json!("");
    odd["sessionCredentialFromConsole"] = json!(true);
    odd["eventTime"] = json!("2024-05-01T11:00:00+02:00");
    let mut bare = json!({"eventTime": "2024-05-01T09:00:00Z", "eventName": "X", "eventID": "b"});
    bare["userIdentity"] = Value::Null;
    let case = Case::new();
    case.file("a.json", &document(&[odd.clone(), bare.clone()]));
    let rebuilt = rebuilt(&case.load());
    assert_eq!(rebuilt[odd["eventID"].as_str().unwrap()], odd);
    assert_eq!(rebuilt["b"], bare);
}

#[test]
fn session_tokens_reach_no_table() {
    let token = "IQoJb3JpZ2luX2VjEExampleTokenExampleTokenExampleToken";
    let mut assume = record(1);
    assume["responseElements"] =
        json!({"credentials": {"accessKeyId": "ASIA1", "sessionToken": token}});
    assume["errorMessage"] = json!(format!("sessionToken={token}"));
    let broken = format!(
        r#"{{"Records":[{assume},{{"eventVersion":"1.08","sessionToken":"{token}","x":}}]}}"#
    );
    let case = Case::new();
    case.file("a.json", broken.as_bytes());
    let loaded = case.load();
    assert_eq!(loaded.books.kept, 1);
    assert_eq!(loaded.books.rejected, 1);
    for (name, batches) in &loaded.tables {
        let table = arrow::util::pretty::pretty_format_batches(batches).unwrap().to_string();
        assert!(!table.contains(token), "{name} holds a session token");
    }
}

#[test]
fn one_bad_record_costs_one_record() {
    let good = |n| record(n).to_string();
    for (bad, reason) in [
        ("5".to_owned(), "record 2, byte"),
        ("{}".to_owned(), "eventTime is missing"),
        ("[1,2]".to_owned(), "expected a record"),
        (
            r#"{"eventVersion":"1.08","eventTime":"noon","eventName":"x"}"#.to_owned(),
            "eventTime is not an instant",
        ),
        (
            r#"{"eventVersion":"1.08","eventTime":"2024-05-01T09:00:00Z"}"#.to_owned(),
            "not a CloudTrail record",
        ),
        (r#"{"eventVersion":"1.08,"eventTime":"x"}"#.to_owned(), "record 2"),
        (r#"{"eventVersion":"1.08","a":01}"#.to_owned(), "invalid number"),
        (r#"{"eventVersion":"1.08","a":{"b":[}"#.to_owned(), "record 2"),
        (
            r#"{"eventID":"1","eventID":"2","eventTime":"2024-05-01T09:00:00Z"}"#.to_owned(),
            "occurs twice",
        ),
        (
            format!(
                r#"{{"eventTime":"2024-05-01T09:00:00Z","eventName":"x","a":{}1{}}}"#,
                "[".repeat(500),
                "]".repeat(500)
            ),
            "deeper than 128",
        ),
    ] {
        let case = Case::new();
        let text = format!(r#"{{"Records":[{},{bad},{},{}]}}"#, good(1), good(2), good(3));
        case.file("a.json.gz", &gz(text.as_bytes()));
        let loaded = case.load();
        assert_eq!(
            (loaded.books.kept, loaded.books.rejected),
            (3, 1),
            "{bad}: {:?}",
            reasons(&loaded)
        );
        assert!(reasons(&loaded)[0].contains(reason), "{bad}: {:?}", reasons(&loaded));
        let content = &texts(&loaded.tables["rejects"], "content")[0];
        assert!(content.contains(&bad[..bad.len().min(20)]), "{bad}: kept as {content}");
    }
}

#[test]
fn invalid_utf8_costs_one_record() {
    let mut bytes = document(&[record(1), record(2), record(3)]);
    let at = bytes.windows(12).position(|w| w == b"000000000002").unwrap();
    bytes[at] = 0xff;
    let case = Case::new();
    case.file("a.json", &bytes);
    let loaded = case.load();
    assert_eq!((loaded.books.kept, loaded.books.rejected), (2, 1));
    assert!(reasons(&loaded)[0].contains("UTF-8"), "{:?}", reasons(&loaded));
}

#[test]
fn damaged_files_give_what_they_hold_and_say_what_is_wrong() {
    let whole = document(&[record(1), record(2)]);
    let packed = gz(&whole);
    let truncated_json = &whole[..whole.len() - 40];
    let mut corrupt = packed.clone();
    let end = corrupt.len() - 6;
    corrupt[end] ^= 0xff;
    for (bytes, kept, reason) in [
        (packed[..packed.len() - 9].to_vec(), 2, "truncated"),
        ([packed.clone(), b"junk".to_vec()].concat(), 2, "trailing junk"),
        ([whole.clone(), b"junk".to_vec()].concat(), 2, "trailing junk"),
        (truncated_json.to_vec(), 1, "ends inside"),
        (corrupt, 2, "corrupt"),
        (Vec::new(), 0, "empty file"),
        (gz(b""), 0, "empty file"),
        (b"\x1f\x8bnot gzip at all".to_vec(), 0, "gzip"),
        (b"<html>".to_vec(), 0, "not JSON"),
        (b"{\"foo\": 1}".to_vec(), 0, "no Records"),
        (b"{\"Records\": 5}".to_vec(), 0, "no Records"),
        (b"{\"Records\"".to_vec(), 0, ""),
    ] {
        let case = Case::new();
        case.file("good.json", &document(&[record(9)]));
        case.file("bad.json.gz", &bytes);
        let loaded = case.load();
        let said = reasons(&loaded);
        assert_eq!(loaded.books.kept, kept + 1, "{said:?}");
        assert_eq!(loaded.books.rejected, 1, "{said:?}");
        assert!(said[0].contains(reason), "{said:?} should say {reason}");
    }
}

#[test]
fn several_members_a_bom_and_pretty_print_are_fine() {
    let (a, b) = (document(&[record(1)]), document(&[record(2)]));
    let pretty =
        serde_json::to_string_pretty(&json!({"x": [1], "Records": [record(3)], "y": {}})).unwrap();
    let split = a.len() / 2;
    let case = Case::new();
    case.file("members.json.gz", &[gz(&a[..split]), gz(&a[split..])].concat());
    case.file("bom.json", &[b"\xef\xbb\xbf".to_vec(), b].concat());
    case.file("pretty.json", pretty.replace('\n', "\r\n").as_bytes());
    let loaded = case.load();
    assert_eq!((loaded.books.kept, loaded.books.rejected), (3, 0), "{:?}", reasons(&loaded));
}

#[test]
fn several_documents_and_several_lists_in_one_file_are_all_read() {
    let (a, b) = (document(&[record(1), record(2)]), document(&[record(3)]));
    let twice = format!(r#"{{"Records":[{}],"Records":[{},{}]}}"#, record(4), record(5), record(6));
    let case = Case::new();
    case.file("cat.json.gz", &[gz(&a), gz(&b)].concat());
    case.file("twice.json", twice.as_bytes());
    let loaded = case.load();
    assert_eq!((loaded.books.kept, loaded.books.rejected), (6, 0), "{:?}", reasons(&loaded));
}

#[test]
fn what_is_no_log_is_passed_over_by_path_and_by_content() {
    let digest =
        json!({"awsAccountId": "1", "digestStartTime": "x", "digestS3Object": "y", "logFiles": []});
    let case = Case::new();
    case.file("AWSLogs/1/CloudTrail-Digest/eu-west-1/2024/05/01/x.json.gz", b"unread");
    case.file("AWSLogs/1/CloudTrail-Insight/eu-west-1/2024/05/01/x.json.gz", b"unread");
    case.file("renamed-digest.json.gz", &gz(digest.to_string().as_bytes()));
    let insight = json!({"eventVersion": "1.08", "eventTime": "2024-05-01T09:00:00Z", "eventID": "i",
        "eventType": "AwsCloudTrailInsight", "insightDetails": {"state": "Start"}});
    let aggregated =
        json!({"eventTime": "2024-05-01T09:00:00Z", "eventCategory": "AggregatedData"});
    case.file("renamed-insight.json.gz", &gz(&document(&[insight])));
    case.file("renamed-aggregate.json.gz", &gz(&document(&[aggregated])));
    case.file("README.md", b"# not a log");
    case.file("a.json", &document(&[record(1)]));
    let books = case.load().books;
    assert_eq!((books.files, books.kept, books.rejected), (1, 1, 0));
    let passed: Vec<_> = books.passed_over.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    let expected = [("Insights", 2), ("aggregated", 1), ("digest", 2), ("not a log", 1)];
    assert_eq!(passed, expected);
}

#[test]
fn nothing_readable_is_an_error_of_its_own() {
    let case = Case::new();
    let load = || {
        let source = case.dir.path().to_str().unwrap().to_owned();
        pipeline::load(&[source], &Options::default(), 1 << 30, &Silent).map(|l| l.books)
    };
    assert!(matches!(load(), Err(Error::NothingReadable { .. })), "an empty folder");
    case.file("a.json.gz", b"");
    assert!(matches!(load(), Err(Error::NothingReadable { .. })), "an empty file");
}

#[test]
fn a_bomb_hits_a_cap_and_costs_no_memory() {
    let case = Case::new();
    let blanks = gz(&[b"{\"Records\":[".to_vec(), vec![b' '; 64 << 20]].concat());
    let string = gz(&[b"{\"Records\":[{\"a\":\"".to_vec(), vec![b'x'; 64 << 20]].concat());
    case.file("blanks.json.gz", &blanks);
    case.file("string.json.gz", &string);
    case.file("good.json", &document(&[record(1)]));
    let source = case.dir.path().to_str().unwrap().to_owned();
    let options = Options { inflated_bytes: 32 << 20, ..Options::default() };
    let loaded = pipeline::load(&[source], &options, 1 << 30, &Silent).unwrap();
    assert_eq!(loaded.books.kept, 1);
    let said = reasons(&loaded);
    assert!(said.iter().any(|r| r.contains("more than the allowed 33554432 bytes")), "{said:?}");
    assert!(said.iter().any(|r| r.contains("record exceeds 16777216 bytes")), "{said:?}");
    let longest = texts(&loaded.tables["rejects"], "content").iter().map(String::len).max();
    assert!(longest <= Some(256 << 10), "content is cut at the cap");
}

#[test]
fn one_event_twice_is_stored_once_and_two_contents_are_both_kept() {
    let mut altered = record(1);
    altered["eventName"] = json!("TerminateInstances");
    let reordered: Value = serde_json::from_str(&record(1).to_string()).unwrap();
    let case = Case::new();
    case.file("a.json", &document(&[record(1), record(2)]));
    case.file(
        "b.json",
        serde_json::to_string_pretty(&json!({"Records": [reordered]})).unwrap().as_bytes(),
    );
    case.file("c.json", &document(&[altered.clone(), altered]));
    let books = case.load().books;
    assert_eq!((books.records, books.kept, books.duplicates, books.conflicts), (5, 3, 2, 1));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

#[test]
fn a_second_ingest_reads_only_what_is_new() {
    let (case, store) = (Case::new(), tempfile::tempdir().unwrap());
    let dir = store.path().join("store");
    let source = case.dir.path().to_str().unwrap().to_owned();
    let ingest = || {
        let options = Options::default();
        let done = pipeline::ingest(&dir, std::slice::from_ref(&source), &options, &Silent);
        runtime().block_on(done).unwrap().books
    };
    case.file("a.json", &document(&[record(1), record(2)]));
    assert_eq!(ingest().kept, 2);
    let again = ingest();
    assert_eq!((again.already_in, again.files, again.records), (1, 0, 0));
    case.file("b.json", &document(&[record(2), record(3)]));
    let more = ingest();
    assert_eq!((more.already_in, more.kept, more.duplicates), (1, 1, 1));
    // The same path with other content is another object: what it adds is added.
    case.file("a.json", &document(&[record(1), record(2), record(4)]));
    let grown = ingest();
    assert_eq!((grown.already_in, grown.kept, grown.duplicates), (1, 1, 2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Any bytes, and any damage to a good file: no panic, and the books balance.
    #[test]
    fn books_balance_whatever_the_bytes(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..6),
        packed in any::<bool>(),
    ) {
        let mut bytes = document(&[record(1), record(2), record(3)]);
        for (at, byte, how) in cuts {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            match how {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => bytes[at] = byte,
                _ => bytes.splice(at..at, noise.iter().copied()).for_each(drop),
            }
        }
        let bytes = if packed { gz(&bytes) } else { bytes };
        let case = Case::new();
        case.file("good.json", &document(&[record(9)]));
        case.file("harmed.json.gz", &bytes);
        let books = case.load().books;
        prop_assert!(books.kept >= 1 && books.balance());
    }
}
