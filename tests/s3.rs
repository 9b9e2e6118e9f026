//! Logs in S3, read as a user reads them, from a server that speaks the protocol.

use std::path::Path;
use std::process::Command;

use crate::support;
use crate::support::s3::{Answer, Server};
use serde_json::{Value, json};

const SECRET: &str = "a-secret-that-nobody-prints";
const LOG: &str = "AWSLogs/111111111111/CloudTrail/eu-west-1/2024/05/01/a.json.gz";

/// The program with a store, credentials and nothing else.
struct Place {
    dir: tempfile::TempDir,
    endpoint: String,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn new(server: &Server) -> Place {
        Place { dir: tempfile::tempdir().unwrap(), endpoint: server.endpoint() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().args(args).current_dir(self.dir.path());
        command.env("AWS_ENDPOINT_URL", &self.endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        let mut command = self.command(args);
        command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", SECRET);
        said(command.env("AWS_SESSION_TOKEN", SECRET))
    }

    fn ingest(&self, args: &[&str]) -> String {
        let said = self.run(&[&["ingest"], args].concat());
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        said.out
    }

    fn query(&self, sql: &str) -> Vec<Value> {
        let said = self.run(&["query", sql, "--format", "json"]);
        assert_eq!(said.code, 0, "{}", said.err);
        serde_json::from_str(&said.out).unwrap()
    }
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!out.contains(SECRET) && !err.contains(SECRET), "a secret: {out}{err}");
    assert!(!err.contains("panicked"), "{err}");
    Said { code: output.status.code().unwrap(), out, err }
}

fn record(n: u32) -> Value {
    json!({
        "eventVersion": "1.08", "eventTime": "2024-05-01T09:00:00Z",
        "eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances",
        "eventID": format!("00000000-0000-4000-8000-{n:012}"), "awsRegion": "eu-west-1",
        "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
        "recipientAccountId": "111111111111"
    })
}

fn log(records: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    support::write_log(&path, &records.into_iter().map(record).collect::<Vec<_>>());
    std::fs::read(path).unwrap()
}

/// A log whose stored form is larger than one request asks for: its texts do not compress.
fn large_log(records: u32) -> Vec<u8> {
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        format!("{state:016x}")
    };
    let mut one = |n| {
        let mut record = record(n);
        record["userAgent"] = (0..500).map(|_| noise()).collect::<String>().into();
        record
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    support::write_log(&path, &(1000..1000 + records).map(&mut one).collect::<Vec<_>>());
    std::fs::read(path).unwrap()
}

fn lines(text: &str, start: &str) -> String {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn a_bucket_is_read_like_a_folder_and_only_once() {
    let server = Server::start();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs");
    let files = server.put_folder("logs", &samples);
    let (local, remote) = (Place::new(&server), Place::new(&server));
    let folder = samples.to_str().unwrap();
    let by_folder = local.ingest(&[folder]);
    let by_bucket = remote.ingest(&["s3://logs"]);
    assert_eq!(by_bucket, by_folder, "the same books");
    let pages = server.requests().iter().filter(|r| r.line.contains("list-type=2")).count();
    assert!(pages > files / 7, "{pages} pages of {files} objects");

    let activity = "SELECT event_id, origin, chain FROM activity ORDER BY event_id";
    assert_eq!(remote.query(activity), local.query(activity));
    let wrong = "SELECT path FROM files WHERE path NOT LIKE 's3://logs/%' OR length(etag) < 32 \
                 OR sha256 IS NULL OR modified_at IS NULL OR version_id IS NOT NULL";
    assert!(remote.query(wrong).is_empty(), "{:?}", remote.query(wrong));
    let hashes = "SELECT sha256, records FROM files ORDER BY sha256, records";
    assert_eq!(remote.query(hashes), local.query(hashes), "the bytes as stored");

    server.requests();
    let again = remote.ingest(&["s3://logs/"]);
    assert!(again.contains(&format!("0 read, {files} already in")), "{again}");
    let asked = server.requests();
    assert!(asked.iter().all(|r| r.line.contains("list-type=2")), "nothing is read: {asked:?}");
    // Straight into memory as well.
    let said = remote.run(&["who", "--action", "iam:*", "--logs", "s3://logs/two-hats/"]);
    assert!(said.out.contains("SecurityBreakGlassRole"), "{}{}", said.out, said.err);
}

#[test]
fn keys_with_empty_parts_are_read_and_impossible_ones_are_named() {
    let server = Server::start();
    // What a trail makes of the prefix `logs/`; and what people make by hand.
    let double = format!("logs//{LOG}");
    for (n, key) in
        (1u32..).zip([&double, LOG, "/leading.json.gz", "a///b.json.gz", "ends/", "%EF%A3%BF/x"])
    {
        server.put_odd("logs", key, &log(n..n + 1));
    }
    server.put_odd("logs", "empty//", b"");
    server.put_odd("logs", "empty/", b"");
    let place = Place::new(&server);
    let out = place.ingest(&["s3://logs"]);
    assert!(lines(&out, "records").contains("6 = 6 kept"), "{out}");
    let paths = place.query("SELECT path FROM files ORDER BY path");
    let expected = [
        "s3://logs//leading.json.gz".to_owned(),
        format!("s3://logs/{LOG}"),
        "s3://logs/a///b.json.gz".to_owned(),
        "s3://logs/ends/".to_owned(),
        format!("s3://logs/{double}"),
        "s3://logs/\u{f8ff}/x".to_owned(),
    ];
    assert_eq!(paths, expected.map(|path| json!({ "path": path })));
    server.requests();
    assert!(place.ingest(&["s3://logs"]).contains("0 read, 6 already in"));
    // By their own addresses, and pruned as others are.
    for (source, kept) in [
        (format!("s3://logs/{double}"), 1),
        ("s3://logs/logs//".to_owned(), 1),
        ("s3://logs/logs//AWSLogs/*/CloudTrail".to_owned(), 1),
    ] {
        let out = Place::new(&server).ingest(&[&source]);
        assert!(lines(&out, "records").contains(&format!("{kept} kept")), "{source}: {out}");
    }
    let asked = server.requests();
    let odd: Vec<_> = asked.iter().filter(|r| r.line.contains("//AWSLogs")).collect();
    assert!(!odd.is_empty() && odd.iter().all(|r| r.authorization.contains("Signature=")));
    assert!(asked.iter().all(|r| !r.line.contains("%EF%A3%BF/AWSLogs")), "{asked:?}");
    let out = Place::new(&server).ingest(&["s3://logs", "--account", "222222222222"]);
    assert!(lines(&out, "left out").contains("folder"), "{out}");
    // No request can carry these: they are named, and hide nothing.
    server.put_odd("logs", "x/%2E%2E/y.json.gz", &log(8..9));
    server.put_odd("logs", "x/a%01b.json.gz", &log(9..10));
    let said = Place::new(&server).run(&["ingest", "s3://logs", "--strict"]);
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(
        lines(&said.out, "records").contains("8 = 6 kept + 0 duplicates + 2 rejected"),
        "{}",
        said.out
    );
    assert!(
        said.err.contains("s3://logs/x/../y.json.gz") && said.err.contains("copy-object"),
        "{}",
        said.err
    );
}

#[test]
fn tables_and_archives_in_a_bucket_are_read_whole() {
    let server = Server::start();
    let tables = support::wraps::parquet(&[record(1), record(2)]);
    server.put("logs", "athena/tables/members.parquet", &tables[1].1);
    server.put("logs", "case/all.zip", &support::wraps::zip(&[("a.json.gz", log(3..5))]));
    let place = Place::new(&server);
    let out = place.ingest(&["s3://logs"]);
    assert!(lines(&out, "records").contains("4 = 4 kept"), "{out}");
    let sql = "SELECT count(DISTINCT sha256) AS hashes FROM files WHERE length(etag) >= 32";
    assert_eq!(place.query(sql), [json!({"hashes": 2})]);
}

#[test]
fn a_changed_object_is_read_again_and_versions_are_kept_as_evidence() {
    let server = Server::start();
    let place = Place::new(&server);
    server.put("versioned", LOG, &log(1..3));
    place.ingest(&["s3://versioned"]);
    server.put("versioned", LOG, &log(1..5));
    assert!(place.ingest(&["s3://versioned"]).contains("4 = 2 kept + 2 duplicates"));
    // The same bytes again are another version, but nothing new.
    server.put("versioned", LOG, &log(1..5));
    assert!(place.ingest(&["s3://versioned"]).contains("0 read, 1 already in"));
    // Nor are they when they come under another entity tag: their hash decides.
    server.put_in_parts("versioned", LOG, &log(1..5));
    assert!(place.ingest(&["s3://versioned"]).contains("0 read, 1 already in"));
    let sql = "SELECT count(DISTINCT version_id) AS versions, count(DISTINCT etag) AS etags, \
               count(DISTINCT sha256) AS hashes FROM files";
    assert_eq!(place.query(sql), [json!({"versions": 2, "etags": 2, "hashes": 2})]);
}

#[test]
fn an_event_leads_back_to_the_object_it_was_read_from() {
    let server = Server::start();
    let place = Place::new(&server);
    let bytes = log(1..3);
    server.put("versioned", LOG, &bytes);
    place.ingest(&["s3://versioned"]);
    let id = record(2)["eventID"].as_str().unwrap().to_owned();
    let said = place.run(&["event", &id, "--format", "json"]);
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    let one = &answer["records"][0];
    assert_eq!((&one["record"], &one["source_record"]), (&record(2), &json!(2)));
    assert_eq!(one["source_file"], format!("s3://versioned/{LOG}"));
    let object = &one["read_from"][0];
    assert_eq!(object["sha256"], sha256(&bytes));
    assert_eq!(object["size_bytes"], bytes.len());
    let stored = place.query("SELECT etag, version_id FROM files");
    assert!(stored[0]["version_id"].as_str().unwrap().len() > 8, "{stored:?}");
    assert_eq!(json!({"etag": object["etag"], "version_id": object["version_id"]}), stored[0]);
    // Another version of the object that may have held the record too is named with it.
    server.put("versioned", LOG, &log(1..4));
    place.ingest(&["s3://versioned"]);
    let said = place.run(&["event", &id]);
    assert!(said.out.contains("read 2 times") && said.out.contains("version id"), "{}", said.out);
}

#[test]
fn one_object_a_prefix_and_globs_are_sources() {
    let server = Server::start();
    let place = Place::new(&server);
    for (n, region) in ["eu-west-1", "eu-north-1", "us-east-1"].into_iter().enumerate() {
        let n = u32::try_from(n).unwrap();
        server.put("logs", &LOG.replace("eu-west-1", region), &log(n..n + 1));
    }
    server.put("logs", "AWSLogs/111111111111/Config/eu-west-1/x.json.gz", b"{}");
    let kept = |sources: &[&str]| {
        let place = Place::new(&server);
        let out = place.ingest(sources);
        lines(&out, "records").split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(kept(&[&format!("s3://logs/{LOG}")]), 1);
    assert_eq!(kept(&["s3://logs/AWSLogs/111111111111/CloudTrail"]), 3);
    assert_eq!(kept(&["s3://logs/AWSLogs/*/CloudTrail/eu-*"]), 2);
    server.requests();
    assert_eq!(kept(&["s3://logs/**/01/*.json.gz", "--request-payer"]), 3);
    assert!(server.requests().iter().all(|request| request.payer == "requester"));
    let nothing = place.run(&["ingest", "s3://logs/awslogs/"]);
    assert_eq!(nothing.code, 3, "{}", nothing.err);
    assert!(nothing.err.contains("nothing lies there"), "{}", nothing.err);
}

#[test]
fn what_nobody_asked_for_is_neither_listed_nor_opened() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let mut n = 0;
    for account in ["111111111111", "222222222222"] {
        for region in ["eu-west-1", "us-east-1"] {
            for day in ["2023/12/31", "2024/04/30", "2024/05/01", "2024/05/02", "2024/05/04"] {
                let key = format!("trail/AWSLogs/o-exampleorg/{account}/CloudTrail/{region}/{day}");
                let path = dir.path().join(&key).join("a.json.gz");
                support::write_log(&path, &[record(n)]);
                n += 1;
            }
        }
    }
    // In a folder that tells nothing: one whose name tells, one whose name does not.
    for name in ["222222222222_CloudTrail_eu-west-1_20240501T0905Z_a.json.gz", "other.json.gz"] {
        support::write_log(&dir.path().join("case").join(name), &[record(n)]);
        n += 1;
    }
    server.put_folder("logs", dir.path());
    let only = ["--account", "111111111111", "--region", "eu-west-1", "--since", "2024-05-01"];
    let only = [&only[..], &["--until", "2024-05-02T01:00:00Z"]].concat();
    let (local, remote) = (Place::new(&server), Place::new(&server));
    let by_folder = local.ingest(&[&[dir.path().to_str().unwrap()], &only[..]].concat());
    server.requests();
    let by_bucket = remote.ingest(&[&["s3://logs"], &only[..]].concat());
    assert_eq!(by_bucket, by_folder);
    // An account, a region, a year, a month and a day; the events of 2 May may come on the 3rd.
    assert!(by_bucket.contains("left out    5 folders and 1 file by path"), "{by_bucket}");
    assert!(by_bucket.contains("3 read"), "{by_bucket}");
    let asked = server.requests();
    let left_out = |line: &str| line.contains("222222222222") || line.contains("us-east-1");
    assert!(!asked.iter().any(|r| left_out(&r.line)), "{asked:?}");
    let none = remote.run(&["ingest", "s3://logs/trail", "--account", "333333333333"]);
    assert_eq!(none.code, 3);
    assert!(none.err.contains("2 folders and 0 files were left out"), "{}", none.err);
    assert_eq!(remote.run(&["ingest", "s3://logs", "--since", "soon"]).code, 2);
}

#[test]
fn refusals_name_cause_and_remedy_and_no_secret() {
    let server = Server::start();
    server.put("logs", LOG, &log(1..2));
    let place = Place::new(&server);
    let expect = |args: &[&str], code: i32, parts: &[&str]| {
        let said = place.run(args);
        assert_eq!(said.code, code, "{args:?}: {}", said.err);
        let missing = parts.iter().find(|part| !said.err.contains(**part));
        assert!(missing.is_none(), "{missing:?} is not in {}", said.err);
    };
    expect(&["ingest", "s3://no-such-bucket/x"], 3, &["s3://no-such-bucket/x", "no such bucket"]);
    expect(&["ingest", "s3://"], 2, &["s3://BUCKET/PREFIX"]);
    let answers = [
        (403, "<Error><Code>AccessDenied</Code></Error>", "need s3:ListBucket"),
        (403, "<Error><Code>InvalidAccessKeyId</Code></Error>", "does not know the access key"),
        (
            400,
            "<Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region>",
            "AWS_REGION=eu-west-3",
        ),
        (301, "<Error><Code>PermanentRedirect</Code></Error>", "wrong region"),
        (
            400,
            "<Code>ExpiredToken</Code><Token-0>a-secret-that-nobody-prints</Token-0>",
            "have expired",
        ),
        (400, "a-secret-that-nobody-prints", "answered 400"),
        (200, "a-secret-that-nobody-prints", "cannot be understood"),
    ];
    for (status, body, text) in answers {
        server.behave(move |_| Answer::Say(status, body));
        expect(&["ingest", "s3://logs"], 3, &["s3://logs", text]);
    }
    // Listing is allowed, reading is not.
    server.behave(|request| match request.line.contains("list-type=2") {
        true => Answer::Pass,
        false => Answer::Say(403, "<Error><Code>AccessDenied</Code></Error>"),
    });
    expect(&["ingest", "s3://logs"], 3, &[LOG, "need s3:GetObject"]);
    assert!(!place.dir.path().join("roletrail-store/snapshot.json").exists());
    server.behave(|_| Answer::Pass);
    assert!(place.ingest(&["s3://logs"]).contains("1 kept"), "what failed is tried again");

    let alone = |variables: &[(&str, &str)]| {
        let mut command = place.command(&["ingest", "s3://logs"]);
        said(command.envs(variables.iter().copied()))
    };
    let none = alone(&[]);
    assert_eq!(none.code, 2, "{}", none.err);
    assert!(none.err.contains("no AWS credentials") && none.err.contains("--no-sign-request"));
    let store = place.run(&["--store", "s3://logs/store", "sessions"]);
    assert!(store.code == 1 && store.err.contains("no store at s3://logs/store"), "{}", store.err);
    let profile = alone(&[("AWS_PROFILE", "nobody")]);
    assert!(profile.err.contains("no AWS profile nobody"), "{}", profile.err);
    let no_server =
        alone(&[("AWS_ENDPOINT_URL", "https://127.0.0.1:9"), ("AWS_SKIP_SIGNATURE", "1")]);
    assert!(no_server.err.contains("cannot reach S3 at https://127.0.0.1:9"), "{}", no_server.err);
}

#[test]
fn one_bad_object_costs_one_object() {
    let server = Server::start();
    let place = Place::new(&server);
    let other = |name: &str| LOG.replace("a.json", name);
    server.put("logs", LOG, &log(1..3));
    let whole = log(3..5);
    server.put("logs", &other("b.json"), &whole[..whole.len() - 9]);
    server.put("logs", &other("c.json"), &log(5..7));
    server.put("logs", "AWSLogs/empty", b"");
    let gone = other("c.json");
    // It disappears between listing and reading.
    server.behave(move |request| match request.line.contains(&gone) {
        true => Answer::Say(404, "<Error><Code>NoSuchKey</Code></Error>"),
        false => Answer::Pass,
    });
    let said = place.run(&["ingest", "s3://logs", "--strict"]);
    assert_eq!(said.code, 4);
    assert!(said.out.contains("= 4 kept + 0 duplicates + 2 rejected"), "{}", said.out);
    assert!(said.out.contains("1 passed over (empty placeholder)"), "{}", said.out);
    assert!(said.err.contains("gzip: truncated"), "{}", said.err);
    assert!(
        said.err.contains("c.json.gz: file: the object is not there (any more)"),
        "{}",
        said.err
    );
    let sql = "SELECT status, sha256 IS NULL AS unread FROM files ORDER BY path";
    let files = place.query(sql);
    let expected = [("complete", false), ("partial", false), ("unreadable", true)];
    assert_eq!(files, expected.map(|(status, unread)| json!({"status": status, "unread": unread})));
    server.behave(|_| Answer::Pass);
    assert!(place.ingest(&["s3://logs"]).contains("2 kept"), "it is there again");
    server.delete("logs", LOG);
    assert!(place.ingest(&["s3://logs"]).contains("0 read"), "what was read stays");
    assert_eq!(place.query("SELECT count(*) AS n FROM events"), [json!({"n": 6})]);
}

#[test]
fn a_server_that_stumbles_is_asked_again() {
    let server = Server::start();
    let place = Place::new(&server);
    server.put("logs", LOG, &log(1..50));
    let large = large_log(1200);
    assert!(large.len() > 5 << 20, "{} bytes: more than one part", large.len());
    server.put("logs", &LOG.replace("a.json", "large.json"), &large);
    let mut n = 0;
    server.behave(move |request| {
        n += 1;
        match (n % 3, request.line.starts_with("GET") && !request.line.contains("list-type")) {
            (0, _) => Answer::Say(503, "<Error><Code>SlowDown</Code></Error>"),
            (1, true) => Answer::Cut(100),
            _ => Answer::Pass,
        }
    });
    let out = place.ingest(&["s3://logs"]);
    assert!(out.contains("1249 = 1249 kept + 0 duplicates + 0 rejected"), "{out}");
    let asked = server.requests();
    assert!(asked.iter().any(|r| r.range.starts_with("bytes=4194304-")), "in parts: {asked:?}");
    let sql = "SELECT size_bytes, sha256, status FROM files ORDER BY size_bytes DESC LIMIT 1";
    let hash: String = sha256(&large);
    let expected = json!({"size_bytes": large.len(), "sha256": hash, "status": "complete"});
    assert_eq!(place.query(sql), [expected]);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_object_replaced_while_it_is_read_is_not_taken_for_whole() {
    let server = Server::start();
    let place = Place::new(&server);
    server.put("logs", LOG, &large_log(1200));
    server.behave(|request| match request.range.starts_with("bytes=4194304-") {
        true => Answer::Say(412, "<Error><Code>PreconditionFailed</Code></Error>"),
        false => Answer::Pass,
    });
    let said = place.run(&["ingest", "s3://logs"]);
    assert!(said.err.contains("replaced while it was being read"), "{}", said.err);
    assert_eq!(
        place.query("SELECT status, sha256 FROM files"),
        [json!({"status": "partial", "sha256": null})]
    );
    server.behave(|_| Answer::Pass);
    let out = place.ingest(&["s3://logs"]);
    assert!(out.contains("0 rejected") && out.contains("1 read"), "{out}");
    assert_eq!(place.query("SELECT count(*) AS n FROM events"), [json!({"n": 1200})]);
}

#[test]
fn a_prefix_that_may_not_be_listed_does_not_hide_the_others() {
    let server = Server::start();
    let place = Place::new(&server);
    let other = LOG.replace("111111111111", "222222222222");
    server.put("logs", LOG, &log(1..3));
    server.put("logs", &other, &log(3..5));
    server.behave(|request| {
        match request.line.contains("list-type=2") && request.line.contains("222222222222") {
            true => Answer::Say(403, "<Error><Code>AccessDenied</Code></Error>"),
            false => Answer::Pass,
        }
    });
    let said = place.run(&["ingest", "s3://logs", "--strict"]);
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.out.contains("3 = 2 kept + 0 duplicates + 1 rejected"), "{}", said.out);
    let named = "s3://logs/AWSLogs/222222222222: file: access denied; the credentials need s3:List";
    assert!(said.err.contains(named), "{}", said.err);
}

#[test]
fn keys_may_hold_what_addresses_escape() {
    let server = Server::start();
    let place = Place::new(&server);
    let keys = ["a b/c+d%20e.json.gz", "\u{e9}=&?/\u{65e5}#;.json.gz", "x*[y]/z.json.gz"];
    for (n, key) in (0..).zip(keys) {
        server.put("logs", key, &log(n..n + 1));
    }
    assert!(place.ingest(&["s3://logs"]).contains("3 kept"));
    let paths = place.query("SELECT path, status FROM files ORDER BY path");
    for key in keys {
        let row = json!({"path": format!("s3://logs/{key}"), "status": "complete"});
        assert!(paths.contains(&row), "{key} in {paths:?}");
    }
    assert!(place.ingest(&["s3://logs"]).contains("0 read, 3 already in"));
    assert!(Place::new(&server).ingest(&[&format!("s3://logs/{}", keys[0])]).contains("1 kept"));
}

/// What a container's or an instance's metadata service answers.
fn metadata(request: &support::s3::Request) -> Answer {
    const CREDENTIALS: &str = r#"{"AccessKeyId": "AKIAMETADATA", "Code": "Success",
        "SecretAccessKey": "a-secret-that-nobody-prints", "Token": "a-secret-that-nobody-prints",
        "Expiration": "2999-01-01T00:00:00Z", "LastUpdated": "2024-01-01T00:00:00Z"}"#;
    let asked = |path: &str| request.line.contains(path);
    if asked("/latest/api/token") {
        Answer::Say(200, "a-secret-that-nobody-prints")
    } else if asked("/security-credentials/reader") || asked("/container") {
        Answer::Say(200, CREDENTIALS)
    } else if asked("/security-credentials/") {
        Answer::Say(200, "reader")
    } else {
        Answer::Pass
    }
}

#[test]
fn credentials_come_from_a_container_or_an_instance() {
    let server = Server::start();
    server.put("logs", LOG, &log(1..3));
    server.behave(metadata);
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), SECRET).unwrap();
    let uri = format!("{}/container", server.endpoint());
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.path().to_str().unwrap()),
    ];
    let endpoint = server.endpoint();
    let instance =
        [("AWS_METADATA_ENDPOINT", endpoint.as_str()), ("AWS_EC2_METADATA_DISABLED", "")];
    for variables in [container, instance] {
        let place = Place::new(&server);
        let mut command = place.command(&["ingest", "s3://logs"]);
        server.requests();
        let said = said(command.envs(variables));
        assert_eq!(said.code, 0, "{variables:?}: {}", said.err);
        let signed = |r: &support::s3::Request| r.authorization.contains("AKIAMETADATA/");
        let asked = server.requests();
        assert!(asked.iter().any(signed), "{asked:?}");
    }
    // It refuses: that is no word about the bucket.
    server.behave(|request| match request.line.contains("/latest/") {
        true => Answer::Say(403, "<Error><Code>AccessDenied</Code></Error>"),
        false => Answer::Pass,
    });
    let place = Place::new(&server);
    let refused = said(place.command(&["ingest", "s3://logs"]).envs(instance));
    assert!(refused.err.contains("there are no AWS credentials"), "{}", refused.err);
    // No metadata service: said at once, not after minutes.
    let place = Place::new(&server);
    let mut command = place.command(&["ingest", "s3://logs"]);
    let nowhere =
        [("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9"), ("AWS_EC2_METADATA_DISABLED", "")];
    let started = std::time::Instant::now();
    let said = said(command.envs(nowhere));
    assert!(said.err.contains("there are no AWS credentials"), "{}", said.err);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn a_public_object_needs_no_credentials() {
    let server = Server::start();
    let place = Place::new(&server);
    server.put("public-logs", LOG, &log(1..3));
    let source = format!("s3://public-logs/{LOG}");
    let mut command = place.command(&["ingest", &source, "--no-sign-request"]);
    let denied = said(&mut command);
    assert_eq!(denied.code, 3, "not public yet: {}", denied.out);
    server.make_public("public-logs", LOG);
    let done = said(&mut command);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("2 kept"), "{}", done.out);
    assert!(server.requests().iter().all(|r| r.authorization.is_empty()), "nothing is signed");
}

#[test]
fn credentials_and_region_come_from_a_profile() {
    let server = Server::start();
    let place = Place::new(&server);
    server.put("logs", LOG, &log(1..3));
    let aws = place.dir.path().join(".aws");
    std::fs::create_dir_all(&aws).unwrap();
    let config = format!(
        "[profile forensics]\nregion = eu-central-1\nendpoint_url = {}\n[profile sso]\nsso_session = x\n",
        server.endpoint()
    );
    std::fs::write(aws.join("config"), config).unwrap();
    let keys =
        format!("[forensics]\naws_access_key_id=AKIAPROFILE\naws_secret_access_key={SECRET}\n");
    std::fs::write(aws.join("credentials"), keys).unwrap();
    let run = |profile: &str| {
        let mut command = place.command(&["ingest", "s3://logs"]);
        command.env_remove("AWS_ENDPOINT_URL").env("HOME", place.dir.path());
        said(command.env("AWS_PROFILE", profile))
    };
    let done = run("forensics");
    assert_eq!(done.code, 0, "{}", done.err);
    let asked = server.requests();
    let signed = |r: &support::s3::Request| {
        r.authorization.contains("Credential=AKIAPROFILE/")
            && r.authorization.contains("/eu-central-1/s3/")
    };
    assert!(!asked.is_empty() && asked.iter().all(signed), "{asked:?}");
    let sso = run("sso");
    assert_eq!(sso.code, 2);
    assert!(sso.err.contains("export-credentials --profile sso"), "{}", sso.err);
}
