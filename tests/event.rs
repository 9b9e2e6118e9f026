//! `roletrail event`: the record as it was, and where it came from.

use std::path::Path;
use std::process::Command;

use crate::support;
use roletrail::answers::event;
use roletrail::sql::{Source, Sql};
use serde_json::{Value, json};

/// A record without what is dropped while reading.
fn without_tokens(mut record: Value) -> Value {
    fn drop_tokens(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| name != "sessionToken");
                members.values_mut().for_each(drop_tokens);
            }
            Value::Array(items) => items.iter_mut().for_each(drop_tokens),
            _ => {}
        }
    }
    drop_tokens(&mut record);
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_record_comes_back_as_it_was() {
    let samples = Path::new("sample-logs");
    let loaded = support::load(&[samples]);
    let sql = Sql::open(Source::Memory(loaded.tables), 256 << 20).await.unwrap();
    let (mut compared, mut in_archives) = (0, 0);
    for record in support::records(samples) {
        let id = record["eventID"].as_str().unwrap();
        let found = event::event(&sql, id).await.unwrap();
        assert_eq!(found.len(), 1, "{id}");
        let one = &found[0];
        assert_eq!(one.record, without_tokens(record.clone()), "{id}");
        let path = one.source_file.as_ref().unwrap();
        let number = usize::try_from(one.source_record.unwrap()).unwrap();
        // A file in an archive is named behind the archive.
        let (file, member) = path.split_once('!').unzip();
        let in_file = support::records(Path::new(file.unwrap_or(path)));
        if member.is_none() {
            assert_eq!(in_file[number - 1]["eventID"], *id, "the place is right");
        } else {
            assert!(in_file.iter().any(|r| r["eventID"] == *id), "{id} is in {path}");
            in_archives += 1;
        }
        assert_eq!(one.read_from.len(), 1);
        compared += 1;
    }
    assert!(compared > 300 && in_archives > 0, "{compared}, {in_archives} in archives");
}

fn run(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
    let output = command.env_clear().args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn contradicting_records_are_all_shown_and_absent_ones_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let record = |name: &str| {
        json!({
            "eventVersion": "1.08", "eventTime": "2024-05-01T09:00:00Z", "eventID": "twice",
            "eventSource": "ec2.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
            "userAgent": "\u{1b}[2Jhidden", "recipientAccountId": "111111111111"
        })
    };
    for (file, name) in [("a.json.gz", "RunInstances"), ("b.json.gz", "StopInstances")] {
        support::write_log(&dir.path().join(file), &[record(name)]);
    }
    let logs = dir.path().to_str().unwrap();
    let (code, out, err) = run(&["event", "twice", "--logs", logs]);
    assert_eq!(code, 0, "{err}");
    for part in
        ["Record 1 of 2", "RunInstances", "a.json.gz", "Record 2 of 2", "b.json.gz", "sha256"]
    {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert!(!out.contains('\u{1b}') && err.contains("2 records of this id contradict"), "{err}");
    let (_, out, _) = run(&["event", "twice", "--logs", logs, "--format", "json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    let names = [0, 1].map(|n| answer["records"][n]["record"]["eventName"].clone());
    assert_eq!(names, ["RunInstances", "StopInstances"]);
    let (_, out, _) = run(&["event", "twice", "--logs", logs, "--format", "csv"]);
    assert_eq!(out.lines().count(), 3, "{out}");

    let (code, out, err) = run(&["event", "thrice", "--logs", logs]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("there is no event thrice") && err.contains("hint:"), "{err}");
}
