//! A case as it is handed over: one account's logs in an archive, another's asked for over the API, a third's
//! from a log service.

use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Story;
use super::people::{FIRST, SECOND, THIRD, role, terminal, user};
use crate::error::{Error, Result};
use crate::generate::clock::hms;
use crate::generate::delivery::{Layout, Tally, deliver};
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::record::Record;
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "handed-over",
    organization: false,
    play,
    page: "# Handed over: an archive, an API's answer, a log service's stream

What three teams gave for one case:

- `evidence.tar.gz`: the bucket of 111111111111, packed as it lay there;
- `lookup-events-222222222222.json`: the answer of `aws cloudtrail lookup-events` in 222222222222;
- `firehose-333333333333-1`: what a CloudWatch Logs subscription brought from 333333333333, gzipped documents
  one after the other, a control message among them.

Follow the session `restore-9` of `BackupRestoreRole` in 333333333333, which deletes an object at 14:21:32.

**Right answer:** `arn:aws:iam::111111111111:user/mara`, exact, depth 2: mara -> `OperatorRole` (222222222222,
14:05:00) -> `BackupRestoreRole` (333333333333, 14:20:00). Each container holds a part of the chain. Every file in the archive has its own row in `files`
(`evidence.tar.gz!AWSLogs/111111111111/...`), and nothing is rejected.
",
};

fn play(stage: &mut Stage) {
    let mara = user(stage, FIRST, "mara");
    let operator = role(stage, SECOND, "/", "OperatorRole");
    let restore = role(stage, THIRD, "/", "BackupRestoreRole");
    let desk = terminal("198.51.100.90");
    let as_mara = Caller::user(&mara);
    stage.series(&as_mara, &desk, hms(14, 4, 0), &["GetCallerIdentity", "ListRoles"]);
    let ask = Assume::new(&as_mara, &operator, "mara", hms(14, 5, 0), &desk);
    let first = assume(stage, &ask);
    stage.series(&first, &desk, hms(14, 6, 0), &["DescribeInstances", "GetParameter"]);
    let ask = Assume::new(&first, &restore, "restore-9", hms(14, 20, 0), &desk);
    let second = assume(stage, &ask);
    stage.series(&second, &desk, hms(14, 21, 0), &["ListBuckets", "GetObject", "DeleteObject"]);
}

/// Writes the records into the three containers.
pub fn hand_over(stage: &mut Stage, layout: Layout, folder: &Path) -> Result<Tally> {
    let records = std::mem::take(&mut stage.records);
    let of = |account: &'static str| records.iter().filter(move |r| r.account == account);
    let mut tally = pack(of(FIRST), stage, layout, &folder.join("evidence.tar.gz"))?;
    let file = folder.join("lookup-events-222222222222.json");
    tally.add(write(&file, lookup_events(of(SECOND))?.into_bytes(), of(SECOND).count())?);
    let file = folder.join("firehose-333333333333-1");
    tally.add(write(&file, gzip(firehose(of(THIRD))?.as_bytes(), &file)?, of(THIRD).count())?);
    stage.records = records;
    Ok(tally)
}

/// The bucket's files in a compressed tar.
fn pack<'r>(
    records: impl Iterator<Item = &'r Record>,
    stage: &mut Stage,
    layout: Layout,
    path: &Path,
) -> Result<Tally> {
    let bucket = tempfile::tempdir().map_err(Error::io("a temporary folder"))?;
    let records: Vec<Record> = records.cloned().collect();
    let delivered = deliver(&records, layout, &mut stage.dice, bucket.path())?;
    let mut archive = tar::Builder::new(Vec::new());
    for entry in walkdir::WalkDir::new(bucket.path()).sort_by_file_name() {
        let entry = entry.map_err(|e| Error::io(bucket.path())(e.into()))?;
        let name = entry.path().strip_prefix(bucket.path()).unwrap_or(entry.path());
        if !entry.file_type().is_file() {
            continue;
        }
        let bytes = std::fs::read(entry.path()).map_err(Error::io(entry.path()))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, bytes.as_slice()).map_err(Error::io(path))?;
    }
    let bytes = archive.into_inner().map_err(Error::io(path))?;
    write(path, gzip(&bytes, path)?, 0)?;
    Ok(delivered)
}

/// The answer of `aws cloudtrail lookup-events`.
fn lookup_events<'r>(records: impl Iterator<Item = &'r Record>) -> Result<String> {
    let events = records.map(|record| {
        serde_json::json!({
            "EventId": record.id,
            "EventTime": record.time,
            "ReadOnly": "true",
            "Resources": [],
            "CloudTrailEvent": record.json,
        })
    });
    let answer = serde_json::json!({ "Events": events.collect::<Vec<_>>() });
    Ok(serde_json::to_string_pretty(&answer)? + "\n")
}

/// Documents of a CloudWatch Logs subscription, one after the other.
fn firehose<'r>(records: impl Iterator<Item = &'r Record>) -> Result<String> {
    let document = |kind: &str, events: Vec<serde_json::Value>| {
        serde_json::json!({
            "messageType": kind,
            "owner": THIRD,
            "logGroup": "trail",
            "logStream": format!("{THIRD}_CloudTrail_eu-west-1"),
            "subscriptionFilters": ["to-security"],
            "logEvents": events,
        })
    };
    let message = |id: usize, time: i64, message: &str| serde_json::json!({"id": format!("{id:056}"), "timestamp": time * 1000, "message": message});
    let hello = "CWL CONTROL MESSAGE: Checking health of destination Firehose.";
    let mut text = document("CONTROL_MESSAGE", vec![message(0, 0, hello)]).to_string();
    let records: Vec<&Record> = records.collect();
    for few in records.chunks(2) {
        let events = few.iter().enumerate().map(|(n, r)| message(n, r.time, &r.json)).collect();
        text.push_str(&document("DATA_MESSAGE", events).to_string());
    }
    Ok(text)
}

fn gzip(bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(Error::io(path))
}

fn write(path: &Path, bytes: Vec<u8>, records: usize) -> Result<Tally> {
    std::fs::write(path, &bytes).map_err(Error::io(path))?;
    let size = bytes.len() as u64;
    Ok(Tally { files: 1, records: records as u64, json_bytes: size, gzip_bytes: size })
}
