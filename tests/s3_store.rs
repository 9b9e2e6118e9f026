//! A store in S3 is a store: the same answers as a folder, whoever writes, dies or reads meanwhile.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::support;
use crate::support::s3::{Answer, Request, Server};
use roletrail::error::Error;
use roletrail::events::EVENTS;
use roletrail::intake::{Options, Silent};
use roletrail::pipeline;
use roletrail::sources::s3::Settings;
use roletrail::store::columns::is_internal;
use roletrail::store::{Location, Store, TABLES, Transaction};
use serde_json::Value;

const SECRET: &str = "a-secret-that-nobody-prints";
const ADDRESS: &str = "s3://stores/team/trail";

/// The program with credentials and nothing else, asked of one store.
struct Place {
    dir: tempfile::TempDir,
    endpoint: String,
    store: String,
}

impl Place {
    fn in_bucket(server: &Server) -> Place {
        let dir = tempfile::tempdir().unwrap();
        Place { dir, endpoint: server.endpoint(), store: ADDRESS.to_owned() }
    }

    fn in_folder(server: &Server) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store").to_str().unwrap().to_owned();
        Place { dir, endpoint: server.endpoint(), store }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().args(["--store", &self.store]).args(args).current_dir(self.dir.path());
        command.env("AWS_ENDPOINT_URL", &self.endpoint).env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
        command.env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_SESSION_TOKEN", SECRET);
        command
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        said(self.command(args).output().unwrap())
    }

    fn ok(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!(code, 0, "{args:?}: {out}{err}");
        out
    }

    fn query(&self, sql: &str) -> String {
        self.ok(&["query", sql, "--format", "ndjson"])
    }

    /// All tables in full, but for the time of the ingest.
    fn tables(&self) -> Vec<String> {
        let table = |def: &roletrail::table::TableDef| {
            let columns = def.columns.iter().map(|c| c.name);
            // Which of two files with one event came first depends on the order of arrival.
            let apart = ["ingested_at", "kept", "duplicates", "source_file", "source_record"];
            let columns: Vec<_> = columns.filter(|c| !apart.contains(c)).collect();
            let all = columns.join(", ");
            format!("SELECT {all} FROM {} ORDER BY {all};\n", def.name)
        };
        let public = TABLES.iter().filter(|def| !is_internal(def));
        let mut statements: String = public.map(table).collect();
        statements.push_str("SELECT * FROM activity ORDER BY event_id;\n");
        let mut command = self.command(&["shell", "--format", "ndjson"]);
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
        let (code, out, _) = said(shell.wait_with_output().unwrap());
        assert_eq!(code, 0, "{out}");
        assert!(out.len() > 10_000, "{out}");
        out.lines().map(str::to_owned).collect()
    }
}

fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!out.contains(SECRET) && !err.contains(SECRET), "a secret: {out}{err}");
    assert!(!err.contains("panicked") && !err.contains("BACKTRACE"), "{err}");
    (output.status.code().unwrap_or(-1), out, err)
}

fn samples(story: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs").join(story);
    folder.to_str().unwrap().to_owned()
}

fn location(server: &Server) -> Location {
    let endpoint = server.endpoint();
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Location::of(Path::new(ADDRESS), &Settings::from_environment(variables.into_iter())).unwrap()
}

#[test]
fn a_bucket_answers_like_a_folder() {
    let server = Server::start();
    let (bucket, folder) = (Place::in_bucket(&server), Place::in_folder(&server));
    let logs = samples("");
    let books = |text: String| text.split("store  ").next().unwrap().to_owned();
    let ingested = books(bucket.ok(&["ingest", &logs]));
    assert_eq!(ingested, books(folder.ok(&["ingest", &logs])));
    assert_eq!(bucket.tables(), folder.tables());
    for args in [
        &["sessions"][..],
        &["session", "incident-4711"],
        &["chain", "ReleaseRole"],
        &["who", "--action", "iam:*"],
        &["timeline", "incident-4711"],
        &["event", "247424d3-6b19-414b-b9f9-f76e7ec6c2e3", "--json"],
        &["coverage"],
        &["sessions", "--as-of", "1"],
        &["query", "--name", "attribution-coverage"],
    ] {
        let (here, there) = (bucket.run(args), folder.run(args));
        let hidden = |text: &str| text.replace("ingested", "").lines().count();
        if args[0] == "event" {
            assert_eq!((here.0, hidden(&here.1)), (there.0, hidden(&there.1)), "{args:?}");
        } else {
            assert_eq!((here.0, here.1), (there.0, there.1), "{args:?}");
        }
    }
    // What is in is not read again, and nothing is written for it.
    let before = server.list("stores", "team/trail");
    let again = bucket.ok(&["ingest", &logs]);
    assert!(again.contains("0 read, 141 already in"), "{again}");
    assert_eq!(server.list("stores", "team/trail"), before);
    // Exports come out alike.
    for place in [&bucket, &folder] {
        place.ok(&["export", "--table", "activity", "-o", "activity.csv"]);
    }
    let file = |place: &Place| std::fs::read(place.dir.path().join("activity.csv")).unwrap();
    assert_eq!(file(&bucket), file(&folder));
    let info = bucket.ok(&["store", "info"]);
    assert!(info.contains("store     s3://stores/team/trail, format 1"), "{info}");
}

#[test]
fn other_tools_open_a_store_in_a_bucket() {
    let server = Server::start();
    let place = Place::in_bucket(&server);
    // Several commits: the logs of Delta Lake have more than one entry.
    for story in ["two-hats", "three-accounts", "github-oidc"] {
        place.ok(&["ingest", &samples(story)]);
    }
    let tables = ["events", "sessions", "credentials", "grants", "links", "files", "coverage"];
    let (python, script) = support::python::script("read_remote_store.py");
    let mut command = Command::new(python);
    command.arg(script).args([ADDRESS, &server.endpoint(), "AKIAEXAMPLE", SECRET]).args(tables);
    let (code, out, err) = said(command.env_remove("PYTHONPATH").output().unwrap());
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    for table in tables {
        let rows = place.query(&format!("SELECT count(*) AS n FROM {table}"));
        let rows = &serde_json::from_str::<Value>(&rows).unwrap()["n"];
        assert!(rows.as_u64().unwrap() > 0, "{table}");
        assert_eq!((&found[table]["polars"], &found[table]["deltalake"]), (rows, rows), "{table}");
    }
    let first = place.query("SELECT min(event_time) AS first FROM events");
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(found["first"], first["first"]);
}

#[test]
fn looking_after_a_bucket_changes_no_answer() {
    let server = Server::start();
    let (bucket, folder) = (Place::in_bucket(&server), Place::in_folder(&server));
    let logs = samples("three-accounts");
    let files = walkdir::WalkDir::new(&logs).sort_by_file_name().into_iter().map(Result::unwrap);
    let files: Vec<PathBuf> =
        files.map(|e| e.into_path()).filter(|p| p.to_string_lossy().ends_with(".gz")).collect();
    for file in &files {
        folder.ok(&["ingest", file.to_str().unwrap()]);
        bucket.ok(&["ingest", file.to_str().unwrap()]);
    }
    let expected = folder.tables();
    let read = |place: &Place| place.query("SELECT kept, duplicates FROM files ORDER BY path");
    assert_eq!(read(&bucket), read(&folder));
    assert_eq!(bucket.tables(), expected);
    let compacted = bucket.ok(&["store", "compact"]);
    assert!(compacted.starts_with("merged "), "{compacted}");
    assert_eq!(bucket.tables(), expected);
    let objects = server.list("stores", "team/trail").len();
    // What a killed ingest left is not told from what one under way is writing: it stays for a day.
    server.put("stores", "team/trail/events/event_date=2024-05-01/part-new.parquet", b"x");
    let vacuumed = bucket.ok(&["store", "vacuum", "--keep", "1"]);
    assert!(vacuumed.contains("kept snapshot"), "{vacuumed}");
    let left = server.list("stores", "team/trail");
    assert!(left.len() < objects, "{left:?}");
    assert!(left.iter().any(|key| key.ends_with("part-new.parquet")));
    assert_eq!(bucket.tables(), expected);
    let (code, _, err) = bucket.run(&["sessions", "--as-of", "1"]);
    assert!(code == 1 && err.contains("has no snapshot 1"), "{code}: {err}");
    let again = bucket.ok(&["ingest", files[0].to_str().unwrap()]);
    assert!(again.contains("0 read, 1 already in"), "{again}");
}

#[test]
fn of_two_transactions_the_second_changes_nothing() {
    let server = Server::start();
    let at = location(&server);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let ingest = async |story: &str| {
            let options = Options::default();
            pipeline::ingest(at.clone(), &[samples(story)], &options, &Silent).await.unwrap()
        };
        ingest("two-hats").await;
        let mut first = Transaction::begin(at.clone()).await.unwrap();
        let mut second = Transaction::begin(at.clone()).await.unwrap();
        let file = |tx: &Transaction| {
            let rows = tx.read(&EVENTS, &["event_date"]).unwrap();
            assert!(!rows.is_empty());
            let names: Vec<&str> = EVENTS.columns.iter().map(|c| c.name).collect();
            let batches = tx.read(&EVENTS, &names).unwrap();
            tx.write_file(&EVENTS, Some("2024-05-01"), &batches).unwrap()
        };
        let (one, two) = (file(&first), file(&second));
        first.append(&EVENTS, vec![one]).unwrap();
        second.append(&EVENTS, vec![two]).unwrap();
        assert_eq!(first.commit().await.unwrap().id, 2);
        let error = second.commit().await.unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
        assert_eq!(error.hint(), Some("repeat the command"));
        assert_eq!(Store::open(at.clone()).await.unwrap().snapshot().id, 2);
        // Also where tables are committed, and somebody else's snapshot is in before one's own.
        let mut late = Transaction::begin(at.clone()).await.unwrap();
        let written = file(&late);
        late.append(&EVENTS, vec![written]).unwrap();
        server.behave(once_before("PUT", "/snapshots/3.json", 412));
        let error = late.commit().await.unwrap_err();
        assert!(matches!(error, Error::Io { .. } | Error::Conflict { .. }), "{error:?}");
        server.behave(|_| Answer::Pass);
        assert_eq!(Store::open(at.clone()).await.unwrap().snapshot().id, 2);
        let done = ingest("three-accounts").await;
        assert_eq!(done.snapshot.id, 3);
    });
}

/// Answers the first such request with a status.
fn once_before(method: &str, part: &str, status: u16) -> impl FnMut(&Request) -> Answer + use<> {
    let (method, part, mut done) = (method.to_owned(), part.to_owned(), false);
    move |request| {
        let hit = request.line.starts_with(&method) && request.line.contains(&part);
        let first = hit && !done;
        done |= hit;
        if first { Answer::Say(status, "") } else { Answer::Pass }
    }
}

#[test]
fn ingests_at_once_all_get_in() {
    let server = Server::start();
    let (bucket, folder) = (Place::in_bucket(&server), Place::in_folder(&server));
    let stories = ["two-hats", "three-accounts", "workloads"];
    for story in stories {
        folder.ok(&["ingest", &samples(story)]);
    }
    let start = |story: &&str| {
        let mut command = bucket.command(&["ingest", &samples(story)]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let running: Vec<_> = stories.iter().map(start).collect();
    // Readers meanwhile see nothing, or one whole state.
    let whole = "SELECT (SELECT count(*) FROM events) = (SELECT count(*) FROM activity) \
                 AND (SELECT count(*) FROM events) = (SELECT sum(kept) FROM files) AS whole";
    let mut seen = 0;
    while seen < 3 {
        let (code, out, err) = bucket.run(&["query", whole, "--format", "csv"]);
        if code == 0 {
            assert_eq!(out, "whole\ntrue\n");
            seen += 1;
        } else {
            assert!(err.contains("there is no store at"), "{err}");
        }
    }
    for child in running {
        let (code, out, err) = said(child.wait_with_output().unwrap());
        assert_eq!(code, 0, "{out}{err}");
    }
    assert_eq!(bucket.tables(), folder.tables());
    let current = Store::open(location(&server));
    let current = tokio::runtime::Runtime::new().unwrap().block_on(current).unwrap();
    assert_eq!(current.snapshot().id, 3, "each of the three made one");
}

#[test]
fn an_ingest_that_dies_anywhere_has_changed_nothing_and_can_be_repeated() {
    let server = Server::start();
    let (bucket, folder) = (Place::in_bucket(&server), Place::in_folder(&server));
    folder.ok(&["ingest", &samples("two-hats")]);
    let activity = "SELECT * FROM activity ORDER BY event_id";
    let first = folder.query(activity);
    folder.ok(&["ingest", &samples("three-accounts")]);
    let both = folder.tables();
    bucket.ok(&["ingest", &samples("two-hats")]);
    // Killed while it commits the tables.
    let (seen, commits) = std::sync::mpsc::channel();
    server.behave(move |request| {
        if request.line.starts_with("PUT ") && request.line.contains("/_delta_log/") {
            let _ = seen.send(());
        }
        Answer::Pass
    });
    let mut killed = bucket.command(&["ingest", &samples("three-accounts")]).spawn().unwrap();
    commits.recv_timeout(Duration::from_secs(60)).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(bucket.query(activity), first);
    // From some write on nothing gets through, as when the process or its network dies.
    let mut after = 0;
    loop {
        let mut writes = 0;
        server.behave(move |request| {
            let write = ["PUT ", "POST ", "DELETE "].iter().any(|m| request.line.starts_with(m));
            writes += u32::from(write);
            if write && writes > after { Answer::Say(403, "") } else { Answer::Pass }
        });
        let (code, out, err) = bucket.run(&["ingest", &samples("three-accounts")]);
        server.behave(|_| Answer::Pass);
        if bucket.ok(&["store", "info", "--snapshots"]).contains("(2 rows)") {
            break;
        }
        assert!(code == 1 && err.contains("access denied"), "{code}: {out}{err}");
        assert_eq!(bucket.query(activity), first, "after {after} writes");
        after += 1 + after / 2;
    }
    assert!(after > 15, "{after} writes only");
    assert_eq!(bucket.tables(), both);
    assert!(bucket.ok(&["ingest", &samples("three-accounts")]).contains("0 read"));
}

#[test]
fn reports_go_on_where_the_last_one_ended() {
    let server = Server::start();
    let bucket = Place::in_bucket(&server);
    bucket.ok(&["ingest", &samples("two-hats")]);
    let report = ["report", "daily", "--since", "last", "-o", "report.html"];
    bucket.ok(&report);
    let mark = server.get("stores", "team/trail/reports/daily.json").expect("a mark");
    bucket.ok(&report);
    let moved = server.get("stores", "team/trail/reports/daily.json").unwrap();
    assert_ne!(mark, moved);
    // Another run moves the mark between this one's reading and its end.
    server.behave(once_before("PUT", "reports/daily.json", 412));
    let (code, _, err) = bucket.run(&report);
    assert!(code == 1 && err.contains("another run is making the report daily"), "{code}: {err}");
    assert_eq!(server.get("stores", "team/trail/reports/daily.json").unwrap(), moved);
}

#[test]
fn what_is_wrong_with_a_bucket_is_said() {
    let server = Server::start();
    let mut place = Place::in_bucket(&server);
    let (code, _, err) = place.run(&["sessions"]);
    assert!(code == 1 && err.contains("there is no store at s3://stores/team/trail"), "{err}");
    let (code, _, err) = place.run(&["ingest", "--redact", &samples("two-hats")]);
    assert!(code == 2 && err.contains("--redact-key-file"), "{code}: {err}");
    server.put("stores", "team/trail/AWSLogs/other.txt", b"mine");
    let (code, _, err) = place.run(&["ingest", &samples("two-hats")]);
    assert!(code == 1 && err.contains("it holds \"AWSLogs\""), "{code}: {err}");
    place.store = "s3://no-such-bucket/x".to_owned();
    let (code, _, err) = place.run(&["ingest", &samples("two-hats")]);
    assert!(code == 1 && err.contains("no such bucket"), "{code}: {err}");
    place.store = ADDRESS.to_owned();
    let token =
        "<Error><Code>ExpiredToken</Code><Token-0>a-secret-that-nobody-prints</Token-0></Error>";
    server.behave(move |_| Answer::Say(400, token));
    let (code, _, err) = place.run(&["sessions"]);
    assert!(code == 1 && err.contains("credentials have expired"), "{code}: {err}");
}

#[test]
fn a_redacted_store_keeps_its_note_in_the_bucket() {
    let server = Server::start();
    let bucket = Place::in_bucket(&server);
    std::fs::write(bucket.dir.path().join("key"), "0123456789abcdef0123456789abcdef").unwrap();
    let logs = samples("two-hats");
    bucket.ok(&["ingest", "--redact", "--redact-key-file", "key", &logs]);
    assert!(server.get("stores", "team/trail/.redaction").is_some());
    let (code, _, err) = bucket.run(&["ingest", &logs]);
    assert!(code == 2 && err.contains("this store is redacted"), "{code}: {err}");
    assert!(!bucket.query("SELECT principal_arn FROM events").contains("anna"));
}
