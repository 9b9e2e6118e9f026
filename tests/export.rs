//! What `export` writes is what other tools read, whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;
use crate::support::s3::{Answer, Server};
use serde_json::{Value, json};

/// A folder with a store of the sample stories, and the program.
struct Place {
    dir: tempfile::TempDir,
    endpoint: Option<String>,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap(), endpoint: None }
    }

    fn with_store() -> Place {
        let place = Place::new();
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs");
        place.done(&["ingest", samples.to_str().unwrap()]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().args(args).current_dir(self.dir.path());
        if let Some(endpoint) = &self.endpoint {
            command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1");
            command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
        }
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(!err.contains("panicked"), "{err}");
        Said { code: output.status.code().unwrap_or(-1), out, err }
    }

    fn done(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert_eq!(said.code, 0, "{args:?}: {}{}", said.out, said.err);
        said.out
    }

    fn query(&self, sql: &str) -> Vec<Value> {
        serde_json::from_str(&self.done(&["query", sql, "--format", "json"])).unwrap()
    }

    /// Everything below this place but the store, hidden names too.
    fn files(&self) -> Vec<String> {
        let all = walkdir::WalkDir::new(self.dir.path()).sort_by_file_name();
        let outside = |e: &walkdir::DirEntry| e.file_name() != "roletrail-store";
        let all = all.into_iter().filter_entry(outside).map(Result::unwrap);
        let files = all.filter(|entry| entry.file_type().is_file());
        let name =
            |e: walkdir::DirEntry| e.path().strip_prefix(self.dir.path()).unwrap().to_owned();
        files.map(name).map(|path| path.to_string_lossy().into_owned()).collect()
    }
}

#[test]
fn every_reader_sees_the_same_rows_and_types() {
    let place = Place::with_store();
    for args in [
        &["-o", "activity.parquet"][..],
        &["-o", "activity.arrow"],
        &["-o", "activity.ndjson"],
        &["-o", "by_day", "--partition-by", "event_date"],
        &["-o", "by_origin/", "--partition-by", "origin_type,event_date"],
        &["-o", "small", "--max-file-size", "20kB"],
    ] {
        place.done(&[&["export", "--table", "activity"], args].concat());
    }
    assert!(place.path("by_day/event_date=2024-05-01/part-00000.parquet").is_file());
    assert!(fs::read_dir(place.path("small")).unwrap().count() >= 1);
    let names =
        ["activity.parquet", "activity.arrow", "activity.ndjson", "by_day", "by_origin", "small"];
    let paths = names.map(|name| place.path(name));
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let found: Value =
        serde_json::from_str(&support::python::run("check_export.py", &paths)).unwrap();
    let rows = &place.query("SELECT count(*) AS n FROM events")[0]["n"];
    let hash = &found["activity.parquet"]["duckdb"]["hash"];
    for (name, readers) in found.as_object().unwrap() {
        for (reader, seen) in readers.as_object().unwrap() {
            if reader != "metadata" {
                assert_eq!(&seen["rows"], rows, "{name}, {reader}");
                assert_eq!(&seen["hash"], hash, "{name}, {reader}");
            }
        }
    }
    let types = |name: &str, reader: &str| found[name][reader]["types"].clone();
    for name in ["activity.parquet", "by_day", "small"] {
        let expected = [
            ("duckdb", "event_time", "TIMESTAMP WITH TIME ZONE"),
            ("duckdb", "event_date", "DATE"),
            ("duckdb", "chain", "VARCHAR[]"),
            ("duckdb", "resources", "STRUCT(arn VARCHAR, account_id VARCHAR, \"type\" VARCHAR)[]"),
            ("polars", "event_time", "Datetime(time_unit='us', time_zone='UTC')"),
            ("polars", "event_date", "Date"),
            ("polars", "chain", "List(String)"),
            (
                "polars",
                "resources",
                "List(Struct({'arn': String, 'account_id': String, 'type': String}))",
            ),
            ("pandas", "event_time", "datetime64[us, UTC]"),
            ("pyarrow", "event_time", "timestamp[us, tz=UTC]"),
            ("pyarrow", "read_only", "bool"),
            ("pyarrow", "depth", "int64"),
            (
                "pyarrow",
                "resources",
                "list<element: struct<arn: string, account_id: string, type: string>>",
            ),
        ];
        for (reader, column, kind) in expected {
            assert_eq!(types(name, reader)[column], kind, "{name}, {reader}, {column}");
        }
    }
    let nested = types("activity.ndjson", "duckdb");
    assert_eq!(nested["resources"], "STRUCT(arn VARCHAR, account_id VARCHAR, \"type\" VARCHAR)[]");
    says_where_it_comes_from(&place, &found["activity.parquet"]["metadata"]);
}

fn says_where_it_comes_from(place: &Place, metadata: &Value) {
    assert_eq!(metadata["sorted"], json!(["event_time", "event_id"]));
    assert_eq!(metadata["blooms"], json!(["access_key_id", "event_id", "session_id"]));
    assert_eq!(metadata["compression"], json!(["ZSTD"]));
    assert!(
        metadata["statistics"].as_u64() > Some(20) && metadata["dictionaries"].as_u64() > Some(20)
    );
    assert_eq!(metadata["meaning"], "who is behind the call; null when unknown");
    let notes = &metadata["notes"];
    assert_eq!(notes["roletrail.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(notes["roletrail.sql"], "SELECT * FROM activity");
    assert_eq!(notes["roletrail.snapshot"], "1");
    assert!(notes["roletrail.exported_at"].as_str().unwrap().ends_with('Z'));
    let sources: Value =
        serde_json::from_str(notes["roletrail.sources"].as_str().unwrap()).unwrap();
    let files = place.query(
        "SELECT DISTINCT path, sha256 FROM files WHERE sha256 IS NOT NULL AND status <> 'skipped'
         ORDER BY path, sha256",
    );
    assert_eq!(sources["list"], Value::from(files.clone()));
    let line =
        |f: &Value| format!("{}  {}\n", f["sha256"].as_str().unwrap(), f["path"].as_str().unwrap());
    let lines: String = files.iter().map(line).collect();
    assert_eq!(sources["sha256"], sha256(lines.as_bytes()), "as sha256sum would give it");
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn statements_saved_queries_and_windows() {
    let place = Place::with_store();
    let said = place.done(&[
        "export",
        "SELECT event_time, event_id FROM events WHERE event_time >= $since AND event_time < $until
         ORDER BY event_time DESC, event_id",
        "--since",
        "2024-05-01T09:00:00Z",
        "--until",
        "2024-05-01T10:00:00Z",
        "-o",
        "hour.csv",
    ]);
    let in_hour = "FROM events WHERE event_time >= '2024-05-01T09:00:00Z' AND event_time < '2024-05-01T10:00:00Z'";
    let rows = place.query(&format!("SELECT count(*) AS n {in_hour}"))[0]["n"].as_u64().unwrap();
    assert!(rows > 10);
    assert_eq!(said, format!("{rows} rows in 1 file: hour.csv\n"));
    let csv = fs::read_to_string(place.path("hour.csv")).unwrap();
    let times: Vec<&str> = csv.lines().skip(1).map(|line| &line[..20]).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "the statement's own order");
    let window = ["--since", "2024-05-01T09:00:00Z", "--until", "2024-05-01T10:00:00Z"];
    let table =
        place.done(&[&["export", "--table", "events", "-o", "e.parquet"][..], &window].concat());
    assert_eq!(table, format!("{rows} rows in 1 file: e.parquet\n"));
    place.done(&[
        "export",
        "--name",
        "role-users",
        "-p",
        "role=GithubDeployRole",
        "-o",
        "users.csv",
    ]);
    let printed = place.done(&[
        "query",
        "--name",
        "role-users",
        "-p",
        "role=GithubDeployRole",
        "--format",
        "csv",
    ]);
    assert_eq!(fs::read_to_string(place.path("users.csv")).unwrap(), printed);
    fs::write(place.path("q.sql"), "SELECT 1 AS one WHERE false").unwrap();
    assert_eq!(
        place.done(&["export", "-f", "q.sql", "-o", "none.parquet"]),
        "0 rows in 1 file: none.parquet\n"
    );
    // The order of a statement holds inside each partition.
    place.done(&[
        "export",
        "SELECT origin_type, event_id FROM activity ORDER BY event_id DESC",
        "--partition-by",
        "origin_type",
        "-o",
        "parts",
        "--format",
        "csv",
    ]);
    let users = fs::read_to_string(place.path("parts/origin_type=IAMUser/part-00000.csv")).unwrap();
    let ids: Vec<&str> = users.lines().skip(1).collect();
    assert!(ids.len() > 50 && ids.is_sorted_by(|a, b| a >= b));
    for (args, part) in [
        (&["--table", "nothing", "-o", "x"][..], "there is no table nothing"),
        (&["--table", "links", "--since", "1d", "-o", "x"], "have no time"),
        (&["SELECT 1", "--since", "1d", "-o", "x"], "no parameter $since"),
        (&["--table", "events", "--partition-by", "nothing", "-o", "x"], "no column nothing"),
        (
            &["--table", "activity", "--partition-by", "chain", "-o", "x"],
            "cannot be a folder's name",
        ),
        (&["--table", "events", "-o", "x.xlsx"], "writes no .xlsx"),
        (&["DROP TABLE events", "-o", "x"], "only read"),
    ] {
        let said = place.run(&[&["export"], args].concat());
        assert!(said.code != 0 && said.err.contains(part), "{args:?}: {}", said.err);
    }
    assert!(!place.files().iter().any(|name| name.starts_with('x') || name.starts_with('.')));
}

#[test]
fn values_of_logs_stay_in_their_folder() {
    let place = Place::new();
    let mut records = support::records(Path::new("sample-logs/two-hats"));
    let agents = ["../../evil", "a=b/c", "", "%2e%2e", "\u{202e}é", "."];
    for (n, record) in records.iter_mut().enumerate() {
        record["userAgent"] = agents[n % agents.len()].into();
    }
    support::write_log(&place.path("log.json.gz"), &records);
    place.done(&["ingest", "log.json.gz"]);
    place.done(&[
        "export",
        "SELECT user_agent, event_id FROM events",
        "--partition-by",
        "user_agent",
        "-o",
        "out",
    ]);
    let mut folders: Vec<String> = fs::read_dir(place.path("out"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let expected = [
        "user_agent=%252e%252e",
        "user_agent=%E2%80%AE%C3%A9",
        "user_agent=.",
        "user_agent=..%2F..%2Fevil",
        "user_agent=__HIVE_DEFAULT_PARTITION__",
        "user_agent=a%3Db%2Fc",
    ];
    assert_eq!(folders, expected);
}

#[test]
fn nothing_half_is_ever_seen_and_nothing_is_lost() {
    let place = Place::with_store();
    let export = ["export", "--table", "events", "-o"];
    place.done(&[&export[..], &["a.parquet"]].concat());
    let before = fs::read(place.path("a.parquet")).unwrap();
    let refused = place.run(&[&export[..], &["a.parquet"]].concat());
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("there already") && refused.err.contains("--overwrite"));
    // A statement that fails in the middle: division by zero in a late row.
    let failing = "SELECT event_id, 1 / (CASE WHEN event_id = (SELECT max(event_id) FROM events) THEN 0 ELSE 1 END) AS x
                   FROM events ORDER BY event_id";
    for output in
        [&["a.parquet", "--overwrite"][..], &["new.parquet"], &["new/", "--max-file-size", "1kB"]]
    {
        let said = place.run(&[&["export", failing, "-o"], output].concat());
        assert_eq!(said.code, 1, "{}", said.err);
        assert!(said.err.to_lowercase().contains("divide by zero"), "{}", said.err);
    }
    assert_eq!(fs::read(place.path("a.parquet")).unwrap(), before);
    assert_eq!(place.files(), ["a.parquet"]);

    // A folder is replaced as a whole, and only where all of it came from an export.
    place.done(&[&export[..], &["d", "--max-file-size", "30kB", "--format", "ndjson"]].concat());
    assert!(place.files().len() >= 3, "{:?}", place.files());
    assert_eq!(place.run(&[&export[..], &["d"]].concat()).code, 2);
    place.done(&[&export[..], &["d", "--overwrite"]].concat());
    assert_eq!(place.files(), ["a.parquet", "d/part-00000.parquet"]);
    fs::write(place.path("d/notes.txt"), "mine").unwrap();
    let refused = place.run(&[&export[..], &["d/", "--overwrite"]].concat());
    assert!(refused.code == 2 && refused.err.contains("notes.txt"), "{}", refused.err);
    assert_eq!(place.files(), ["a.parquet", "d/notes.txt", "d/part-00000.parquet"]);
    // The store's own folder, or that of somebody's work, is never replaced.
    let refused = place.run(&[&export[..], &["roletrail-store/", "--overwrite"]].concat());
    assert_eq!(refused.code, 2, "{}", refused.err);
    place.query("SELECT count(*) FROM events");
}

#[cfg(unix)]
#[test]
fn an_export_that_is_killed_leaves_no_file_of_that_name() {
    let place = Place::with_store();
    // Slow enough to be killed in the middle, whatever the machine.
    let many = "SELECT a.event_id, b.event_id AS b, c.event_id AS c, a.user_agent, b.source_file FROM events a, events b, events c";
    let mut child = place.command(&["export", many, "-o", "big.ndjson"]).spawn().unwrap();
    let started = std::time::Instant::now();
    let temporary = || place.files().iter().any(|name| name.starts_with(".big.ndjson."));
    let large = || {
        fs::read_dir(place.dir.path())
            .unwrap()
            .flatten()
            .any(|e| e.metadata().is_ok_and(|m| m.is_file() && m.len() > 1 << 20))
    };
    while !(temporary() && large()) {
        assert!(started.elapsed().as_secs() < 60, "nothing is written");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("big.ndjson").exists());
    place.done(&["export", "SELECT 1 AS one", "-o", "big.ndjson"]);
}

#[test]
fn a_bucket_is_written_like_a_folder() {
    let server = Server::start();
    let mut place = Place::with_store();
    place.endpoint = Some(server.endpoint());
    place.done(&["export", "--table", "activity", "-o", "local.ndjson"]);
    place.done(&["export", "--table", "activity", "-o", "s3://logs/out/activity.ndjson"]);
    let same =
        server.get("logs", "out/activity.ndjson") == fs::read(place.path("local.ndjson")).ok();
    assert!(same, "{:?}", server.list("logs", "out"));
    let refused =
        place.run(&["export", "--table", "activity", "-o", "s3://logs/out/activity.ndjson"]);
    assert!(refused.code == 2 && refused.err.contains("there already"), "{}", refused.err);

    let by_day =
        ["export", "--table", "activity", "--partition-by", "origin_type", "-o", "s3://logs/act"];
    place.done(&[&by_day[..], &["--format", "csv"]].concat());
    let names = server.list("logs", "act");
    assert!(names.contains(&"act/origin_type=IAMUser/part-00000.csv".to_owned()), "{names:?}");
    place.done(&[&by_day[..], &["--overwrite"]].concat());
    let replaced = server.list("logs", "act");
    assert_eq!(replaced.len(), names.len());
    assert!(replaced.iter().all(|name| name.ends_with(".parquet")), "{replaced:?}");

    // It fails at the last of several objects: nothing is to be seen.
    let mut completed = 0;
    server.behave(move |request| {
        let completes = request.line.starts_with("POST") && request.line.contains("uploadId=");
        completed += usize::from(completes);
        match completes && completed > 3 {
            true => Answer::Say(403, "<Error><Code>AccessDenied</Code></Error>"),
            false => Answer::Pass,
        }
    });
    let said = place.run(&[&by_day[..6], &["s3://logs/half"]].concat());
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains("s3:PutObject"), "{}", said.err);
    server.behave(|_| Answer::Pass);
    assert_eq!(server.list("logs", "half"), Vec::<String>::new());
    // A part is refused: the upload is given up.
    server.behave(|request| match request.line.contains("partNumber=") {
        true => Answer::Say(403, "<Error><Code>AccessDenied</Code></Error>"),
        false => Answer::Pass,
    });
    server.requests();
    let said = place.run(&["export", "--table", "events", "-o", "s3://logs/none.csv"]);
    assert_eq!(said.code, 1, "{}", said.err);
    let asked = server.requests();
    assert!(
        asked.iter().any(|r| r.line.starts_with("DELETE") && r.line.contains("uploadId=")),
        "{asked:?}"
    );
    assert_eq!(server.list("logs", "none"), Vec::<String>::new());
}

#[test]
fn an_answer_larger_than_memory_is_exported_whole() {
    let place = Place::new();
    place.done(&[
        "generate-logs",
        "--events",
        "30000",
        "--accounts",
        "4",
        "--days",
        "2",
        "-o",
        "logs",
    ]);
    place.done(&["ingest", "logs/AWSLogs"]);
    let export = ["export", "--table", "events", "--partition-by", "event_date", "-o"];
    let small = place.run(&[&export[..], &["small", "--memory", "64"]].concat());
    assert_eq!(small.code, 0, "{}", small.err);
    let plenty = place.run(&[&export[..], &["plenty", "--memory", "4096"]].concat());
    assert!(small.err.contains("sorting on disk"), "a limit that was felt: {}", small.err);
    assert!(plenty.err.is_empty(), "{}", plenty.err);
    assert_eq!(small.out.replace("small", ""), plenty.out.replace("plenty", ""));
    let days = fs::read_dir(place.path("small")).unwrap();
    for day in days.map(|day| day.unwrap().file_name()) {
        let rows = |of: &str| {
            let file =
                fs::File::open(place.path(of).join(&day).join("part-00000.parquet")).unwrap();
            let reader =
                parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file);
            let batches = reader.unwrap().with_batch_size(1 << 20).build().unwrap();
            batches.map(Result::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(rows("small"), rows("plenty"));
    }
}

#[test]
fn redacted_rows_hold_no_names_and_join_all_the_same() {
    let place = Place::with_store();
    fs::write(place.path("key"), "sixteen bytes, or more of them").unwrap();
    let key = ["--redact", "--redact-key-file", "key"];
    for (table, file) in [("activity", "activity.ndjson"), ("sessions", "sessions.ndjson")] {
        place.done(&[&["export", "--table", table, "-o", file], &key[..]].concat());
    }
    let read = |file: &str| fs::read_to_string(place.path(file)).unwrap();
    for text in [read("activity.ndjson"), read("sessions.ndjson")] {
        for name in
            ["anna", "111111111111", "SecurityBreakGlassRole", "198.51.100.23", "incident-4711"]
        {
            assert!(!text.contains(name), "{name}");
        }
    }
    let rows = |file: &str| -> Vec<Value> {
        read(file).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let plain = place.done(&["query", "SELECT count(*) FROM activity", "--format", "csv"]);
    assert_eq!(rows("activity.ndjson").len().to_string(), plain.lines().last().unwrap());
    let sessions = rows("sessions.ndjson");
    let ids: std::collections::BTreeSet<&str> =
        sessions.iter().map(|row| row["session_id"].as_str().unwrap()).collect();
    let calls = rows("activity.ndjson");
    let known = calls.iter().filter_map(|row| row["session_id"].as_str());
    assert!(known.clone().count() > 100 && known.clone().all(|id| ids.contains(id)));

    let sql = "SELECT * FROM sessions WHERE session_name = 'incident-4711'";
    place.done(&[&["export", sql, "-o", "one.parquet"], &key[..]].concat());
    let bytes = fs::read(place.path("one.parquet")).unwrap();
    let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("roletrail.redacted"));
    for text in ["incident-4711", "roletrail.sql", "two-hats", "anna"] {
        assert!(!has(text), "{text}");
    }
    assert_eq!(
        place.run(&["export", "--table", "sessions", "-o", "x", "--redact-key-file", "key"]).code,
        2
    );
}
