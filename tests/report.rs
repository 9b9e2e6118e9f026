//! Reports as their readers get them: a page in a real browser, Markdown, JSON; and as a nightly job makes
//! them, one going on where the last one ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;
use crate::support::s3::{Answer, Server};
use serde_json::{Value, json};

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

    fn run(&self, args: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().args(args).current_dir(self.dir.path());
        if let Some(endpoint) = &self.endpoint {
            command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1");
            command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
        }
        let output = command.output().unwrap();
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

    fn json(&self, args: &[&str]) -> Value {
        let out = self.done(&[&["report"], args, &["--format", "json"]].concat());
        serde_json::from_str(&out).unwrap()
    }

    fn query(&self, sql: &str) -> Vec<Value> {
        serde_json::from_str(&self.done(&["query", sql, "--format", "json"])).unwrap()
    }
}

const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u{202e}\u{1b}[31m";

/// A story whose every free text is somebody's attack.
fn hostile_logs(place: &Place) {
    let mut records = support::records(Path::new("sample-logs/two-hats"));
    for (n, record) in records.iter_mut().enumerate() {
        record["userAgent"] = format!("{HOSTILE}{n}").into();
        record["sourceIPAddress"] = HOSTILE.into();
        if n % 3 == 0 {
            record["errorMessage"] = HOSTILE.into();
            record["errorCode"] = HOSTILE.into();
        }
        if record["requestParameters"]["bucketName"].is_string() {
            record["requestParameters"]["bucketName"] = "x".repeat(4000).into();
        }
        let text = record
            .to_string()
            .replace("incident-4711", "<b>incident</b>-4711</td><script>x()</script>");
        *record = serde_json::from_str(&text).unwrap();
    }
    support::write_log(&place.path("hostile/log.json.gz"), &records);
}

#[test]
fn the_page_is_whole_in_a_browser_and_hostile_names_stay_text() {
    support::chromium();
    let place = Place::with_store();
    hostile_logs(&place);
    place.done(&["report", "daily", "-o", "daily.html"]);
    place.done(&["report", "break-glass", "--logs", "hostile", "-o", "hostile.html"]);
    place.done(&["report", "daily", "--since", "2030-01-01", "-o", "empty.html"]);
    // Findings with the most columns, which paper is too narrow for.
    place.done(&["report", "break-glass", "-o", "wide.html"]);
    let pages = ["daily.html", "hostile.html", "empty.html", "wide.html"];
    let pages = pages.map(|name| place.path(name));
    let pages: Vec<&Path> = pages.iter().map(PathBuf::as_path).collect();
    let seen: Value =
        serde_json::from_str(&support::python::run("check_report.py", &pages)).unwrap();
    for (name, page) in seen.as_object().unwrap() {
        assert_eq!(page["console"], json!([]), "{name}: nothing is complained of, nothing runs");
        let requests: Vec<&str> =
            page["requests"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(
            requests.len() == 4
                && requests.iter().all(|r| r.starts_with("file:") && r.ends_with(name.as_str())),
            "{name}: {requests:?}"
        );
        assert_eq!(
            page["first_stop"], "skip",
            "{name}: the keyboard begins with the way past the head"
        );
        assert!(page["pdf_bytes"].as_u64() > Some(10_000), "{name}");
        let whole = json!({"wider": {"page": false, "elements": []}, "hidden": []});
        assert_eq!(page["paper"], whole, "{name}: on paper nothing is cut or folded away");
        let mut backgrounds = Vec::new();
        for look in ["1280-light", "1280-dark", "375-light", "375-dark"] {
            let facts = &page[look];
            let place = format!("{name}, {look}");
            assert_eq!(facts["wider"], json!({"page": false, "elements": []}), "{place}");
            assert_eq!(facts["faint"], json!([]), "{place}: contrast");
            for none in ["scripts", "foreign", "handlers", "images", "unnamed", "scrollers"] {
                assert_eq!(facts[none], 0, "{place}: {none}");
            }
            for none in ["sections", "uncaptioned"] {
                assert_eq!(facts[none], 0, "{place}: {none}");
            }
            assert_eq!(facts["duplicates"], json!([]), "{place}");
            assert_eq!(facts["landmarks"], json!([1, 1, 1]), "{place}");
            let levels: Vec<u64> =
                facts["headings"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
            assert!(
                levels[0] == 1 && levels.windows(2).all(|w| w[1] <= w[0] + 1),
                "{place}: {levels:?}"
            );
            backgrounds.push(facts["background"].as_str().unwrap().to_owned());
        }
        assert!(
            backgrounds[0] == backgrounds[2] && backgrounds[0] != backgrounds[1],
            "{backgrounds:?}"
        );
    }
    let text = |name: &str| seen[name]["1280-light"]["text"].as_str().unwrap().to_owned();
    let hostile = text("hostile.html");
    assert!(
        hostile.contains("<script>x()</script>") && hostile.contains("\\u{202e}\\x1b[31m"),
        "shown as they are"
    );
    let source = fs::read_to_string(place.path("hostile.html")).unwrap();
    assert!(
        !source.contains("<script") && !source.contains('\u{202e}') && !source.contains('\u{1b}')
    );
    assert!(source.len() < 400_000, "long texts are cut: {}", source.len());
    let empty = text("empty.html");
    for part in ["hold no call of this window", "from 2030-01-01 00:00:00 UTC on: no events"] {
        assert!(empty.contains(part), "{part}: {empty}");
    }
    let empty = place.done(&["report", "daily", "--since", "2030-01-01"]);
    for part in ["Nobody took a role.", "No logs of this window."] {
        assert!(empty.contains(part), "{part}: {empty}");
    }

    let daily = text("daily.html");
    for part in [
        "Who took the emergency role",
        "SecurityBreakGlassRole",
        "111111111111/anna",
        "unknown: the issuing event",
        "us-gov-west-1",
    ] {
        assert!(daily.contains(part), "{part}");
    }
    let titles: Vec<&str> = seen["daily.html"]["1280-light"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let found = place.json(&["daily"]);
    let by_json: Vec<&str> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["rows"].as_u64() > Some(0))
        .filter_map(|f| f["title"].as_str())
        .collect();
    assert_eq!(titles, by_json);
}

#[test]
fn the_numbers_are_those_of_the_tables() {
    let place = Place::with_store();
    let window = ["--since", "2024-05-01T09:00:00Z", "--until", "2024-05-01T12:00:00Z"];
    let found = place.json(&[&["daily"], &window[..]].concat());
    assert_eq!(found["version"], 1);
    assert_eq!(
        found["window"],
        json!({"since": "2024-05-01T09:00:00Z", "until": "2024-05-01T12:00:00Z"})
    );
    let in_window = "event_time >= '2024-05-01T09:00:00Z' AND event_time < '2024-05-01T12:00:00Z'";
    let truth = &place.query(&format!(
        "SELECT count(*) AS calls, count(*) FILTER (WHERE read_only = false) AS writes,
                count(coalesce(error_code, error_message)) AS errors, count(DISTINCT session_id) AS sessions,
                count(*) FILTER (WHERE origin IS NULL) AS unknown
         FROM activity WHERE {in_window}"
    ))[0];
    for name in ["calls", "writes", "errors", "sessions"] {
        assert_eq!(found["figures"][name], truth[name], "{name}");
    }
    assert_eq!(found["attribution"]["unknown"], truth["unknown"]);
    let sum = |list: &Value, names: &[&str]| -> u64 {
        let one = |item: &Value| names.iter().map(|n| item[*n].as_u64().unwrap()).sum::<u64>();
        list.as_array().unwrap().iter().map(one).sum()
    };
    let calls = truth["calls"].as_u64().unwrap();
    assert!(calls > 100);
    assert_eq!(sum(&found["activity"]["buckets"], &["reads", "writes", "errors"]), calls);
    assert_eq!(sum(&found["attribution"]["outcomes"], &["calls"]), calls);
    assert_eq!(sum(&found["coverage"]["stripes"], &["events"]), calls);
    let silent: Vec<&Value> = found["coverage"]["stripes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["events"] == 0)
        .collect();
    assert!(
        silent.iter().any(|s| s["aws_region"] == "cn-north-1" && s["longest_silence"] == 3),
        "{silent:?}"
    );
    // Every finding is what the query itself says.
    for finding in found["findings"].as_array().unwrap() {
        let name = finding["query"].as_str().unwrap();
        let mut args = vec!["query", "--name", name, "--format", "json"];
        let given = ["since=2024-05-01T09:00:00Z", "until=2024-05-01T12:00:00Z"];
        if finding["windowed"] == true {
            args.extend(given.iter().flat_map(|given| ["-p", given]));
        }
        let rows: Vec<Value> = serde_json::from_str(&place.done(&args)).unwrap();
        assert_eq!(finding["rows"], rows.len(), "{name}");
        assert_eq!(
            finding["first_rows"],
            Value::from(rows[..rows.len().min(50)].to_vec()),
            "{name}"
        );
    }
    let anna = found["paths"]["shown"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["chain"][2] == "222222222222/SecurityBreakGlassRole");
    assert_eq!(anna.unwrap()["chain"][0], "111111111111/anna");
    let notable = found["notable"]
        .as_array()
        .unwrap()
        .iter()
        .find(|n| n["session"]["session_name"] == "incident-4711")
        .unwrap();
    assert_eq!(
        (&notable["severity"], &notable["calls"].as_array().unwrap().len().into()),
        (&json!("high"), &json!(10))
    );
    assert_eq!(notable["evidence"][0]["grant_event_id"], "247424d3-6b19-414b-b9f9-f76e7ec6c2e3");

    // What is cut says how much there is, and the command that shows it.
    let part = place.done(&["report", "break-glass", "--until", "2024-05-01T18:00:00Z"]);
    let command = "query --name writes-under-assumed-roles -p until=2024-05-01T18:00:00Z";
    assert!(part.contains(&format!("All rows: `roletrail {command}`")), "{part}");
    let all =
        place.done(&[&command.split(' ').collect::<Vec<_>>()[..], &["--format", "csv"]].concat());
    let rows = all.lines().count() - 1;
    assert!(rows > 20 && part.contains(&format!("{rows} rows")), "{rows}: {part}");
    let markdown = place.done(&["report", "break-glass"]);
    assert!(
        markdown.starts_with("# Emergency access\n")
            && markdown.contains("### high: Who took the emergency role"),
        "{markdown}"
    );
}

#[test]
fn exit_codes_sets_and_wrong_words() {
    let place = Place::with_store();
    let code = |args: &[&str]| place.run(&[&["report"], args].concat()).code;
    assert_eq!(code(&["break-glass", "--fail-on", "high", "-o", "r.md"]), 5);
    assert!(place.path("r.md").is_file(), "written all the same");
    assert_eq!(code(&["break-glass", "--fail-on", "critical", "-o", "r.md"]), 0);
    assert_eq!(code(&["daily", "--since", "2030-01-01", "--fail-on", "info", "-o", "r.md"]), 0);
    fs::write(place.path("sets.toml"), "[mine]\ntitle = 'Mine'\nsince = '2024-05-01'\nqueries = [{name = 'role-users', severity = 'critical', params = {role = 'SecurityBreakGlassRole'}}]\n").unwrap();
    let mine = place.run(&[
        "report",
        "mine",
        "--sets",
        "sets.toml",
        "--fail-on",
        "critical",
        "--format",
        "json",
    ]);
    assert_eq!(mine.code, 5, "{}", mine.err);
    let mine: Value = serde_json::from_str(&mine.out).unwrap();
    assert_eq!(mine["findings"][0]["rows"], 1);
    assert_eq!(mine["findings"][0]["params"][0], json!(["role", "SecurityBreakGlassRole"]));
    let list = place.done(&["report", "--list"]);
    for name in ["daily", "break-glass", "cross-account", "role-health"] {
        assert!(list.contains(name), "{list}");
    }
    for (args, part) in [
        (&["nothing"][..], "there is no set of queries nothing"),
        (&["daily", "break-glass", "-o", "one.html"], "do not fit into one file"),
        (&["daily", "--since", "last", "--logs", "sample-logs"], "needs a store"),
        (&["daily", "--sets", "absent.toml"], "absent.toml"),
    ] {
        let said = place.run(&[&["report"], args].concat());
        assert!(said.code != 0 && said.err.contains(part), "{args:?}: {}", said.err);
    }
    place.done(&["report", "daily", "role-health", "-o", "reports/"]);
    let names: Vec<String> = fs::read_dir(place.path("reports"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.len() == 2 && names.iter().all(|n| n.ends_with("Z.html")), "{names:?}");
}

fn record(n: u32, time: &str) -> Value {
    json!({
        "eventVersion": "1.08", "eventTime": time, "eventSource": "ec2.amazonaws.com",
        "eventName": "StopInstances", "eventID": format!("00000000-0000-4000-8000-{n:012}"),
        "awsRegion": "eu-west-1", "readOnly": false, "recipientAccountId": "111111111111",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111111111111:user/ute", "accountId": "111111111111",
                         "principalId": "AIDAEXAMPLEUTE", "userName": "ute", "accessKeyId": "AKIAEXAMPLEUTE"}
    })
}

#[test]
fn a_report_goes_on_where_the_last_one_ended() {
    let server = Server::start();
    let mut place = Place::new();
    let ingest = |n: u32, time: &str| {
        support::write_log(&place.path(&format!("logs/{n}.json.gz")), &[record(n, time)]);
        place.done(&["ingest", "logs"]);
    };
    let last = ["report", "daily", "--since", "last", "--format", "json"];
    let calls = |said: &Said| {
        serde_json::from_str::<Value>(&said.out).unwrap()["figures"]["calls"].as_u64()
    };
    ingest(1, "2024-05-01T09:00:00Z");
    let upto = |until: &'static str| [&last[..], &["--until", until]].concat();
    let first = place.run(&upto("2024-05-02"));
    assert_eq!(calls(&first), Some(1), "{}", first.err);
    // Nothing new: an empty window goes on from the end.
    let again = place.run(&upto("2024-05-03"));
    let report: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(report["window"]["since"], "2024-05-02T00:00:00Z");
    assert_eq!(calls(&again), Some(0));
    // A report that cannot be written leaves its window to the next one.
    ingest(2, "2024-05-03T09:00:00Z");
    fs::write(place.path("file"), "in the way").unwrap();
    let failed = place.run(&[&upto("2024-05-04")[..], &["-o", "file/report.json"]].concat());
    assert_eq!(failed.code, 1, "{}", failed.err);
    // One that is late: it lay before the end of the last report.
    ingest(3, "2024-05-01T12:00:00Z");
    let next = place.run(&upto("2024-05-04"));
    assert_eq!(calls(&next), Some(2), "{}", next.out);
    assert!(next.out.contains("came in after the last report"), "{}", next.out);
    assert_eq!(place.run(&upto("2024-05-01")).code, 2, "an end before the last one");
    // Another name has an end of its own; no name, no mark.
    let other = place.run(&["report", "break-glass", "--since", "last", "--format", "json"]);
    assert_eq!(calls(&other), Some(3));
    // Two at once: the second one says so and changes nothing.
    let lock = fs::File::open(place.path("roletrail-store/reports/.daily.lock")).unwrap();
    lock.lock().unwrap();
    let busy = place.run(&last);
    assert!(busy.code == 1 && busy.err.contains("another run"), "{}", busy.err);
    lock.unlock().unwrap();
    // The bucket refuses: the mark stays as well.
    place.endpoint = Some(server.endpoint());
    let mark = || fs::read_to_string(place.path("roletrail-store/reports/daily.json")).unwrap();
    let before = mark();
    server.behave(|request| match request.line.starts_with("POST") {
        true => Answer::Say(403, "<Error><Code>AccessDenied</Code></Error>"),
        false => Answer::Pass,
    });
    let to_bucket = ["report", "daily", "--since", "last", "-o", "s3://logs/reports/"];
    let refused = place.run(&to_bucket);
    assert!(refused.code == 1 && refused.err.contains("access denied"), "{}", refused.err);
    assert_eq!(mark(), before);
    server.behave(|_| Answer::Pass);
    place.done(&to_bucket);
    let objects = server.list("logs", "reports");
    assert!(objects.len() == 1 && objects[0].starts_with("reports/daily-20"), "{objects:?}");
    assert_ne!(mark(), before);
}

/// A query of one's own in `folder`.
fn own_query(place: &Place, folder: &str, statement: &str) {
    let head = "-- Who was there?\n-- group: Ours\n-- severity: high\n-- shows: one line a call\n-- cannot know: nothing\n";
    fs::create_dir_all(place.path(folder)).unwrap();
    fs::write(place.path(&format!("{folder}/any body.sql")), format!("{head}{statement}\n"))
        .unwrap();
    fs::write(place.path("sets.toml"), "[ours]\ntitle = 'Ours'\nqueries = ['any body']\n").unwrap();
}

#[test]
fn the_command_for_all_rows_runs_as_it_stands() {
    let place = Place::new();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs");
    let (store, samples) = ("it's a `store`", samples.to_str().unwrap());
    place.done(&["--store", store, "ingest", samples]);
    own_query(&place, "my 'queries' $(id)", "SELECT event_id FROM events");
    let shown = |page: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix("All rows: ")).unwrap();
        line.trim_matches('`').trim().to_owned()
    };
    let run = |command: &str| {
        let line = command.replacen("roletrail", env!("CARGO_BIN_EXE_roletrail"), 1);
        let mut sh = Command::new("/bin/sh");
        let sh = sh.args(["-c", &format!("{line} --format csv")]).env_clear();
        let output = sh.current_dir(place.dir.path()).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().count() - 1
    };
    let ours = ["report", "ours", "--sets", "sets.toml", "--queries", "my 'queries' $(id)"];
    let stored = shown(&place.done(&[&["--store", store], &ours[..]].concat()));
    let calls = run(&stored);
    assert!(calls > 100, "{stored}");
    // The page names the same command, and so does a report on logs alone.
    let page = place.done(&[&["--store", store], &ours[..], &["--format", "html"]].concat());
    let escaped = stored.replace('&', "&amp;").replace('\'', "&#39;");
    assert!(page.contains(&stored) || page.contains(&escaped), "{stored}");
    let in_memory = shown(&place.done(&[&ours[..], &["--logs", samples]].concat()));
    assert!(in_memory.contains("--logs") && !in_memory.contains("--store"), "{in_memory}");
    assert_eq!(run(&in_memory), calls);
}

#[test]
fn a_query_that_fails_is_named_and_leaves_no_report() {
    let place = Place::with_store();
    let cubed = "SELECT a.event_id, b.user_agent, c.extra FROM events a, events b, events c ORDER BY 2, 3, 1";
    for (statement, parts) in [
        ("SELECT CAST(event_name AS INT) FROM events", ["TRY_CAST", "is mine/any body.sql"]),
        (
            "SELECT 1 / (length(event_id) - length(event_id)) FROM events",
            ["zero", "mend mine/any body.sql"],
        ),
        ("SELECT nonsense FROM events", ["no column nonsense", "line 6, column 8"]),
        (cubed, ["Resources exhausted", "more memory with --memory"]),
    ] {
        own_query(&place, "mine", statement);
        for format in ["html", "markdown", "json"] {
            let said = place.run(&[
                "report",
                "ours",
                "--sets",
                "sets.toml",
                "--queries",
                "mine",
                "--memory",
                "64",
                "--since",
                "last",
                "-o",
                "out/",
                "--format",
                format,
            ]);
            let named = ["error: query any body: ", "this report was not written"];
            for part in named.iter().chain(&parts) {
                assert!(said.err.contains(part), "{format}: {part}: {}", said.err);
            }
            assert_eq!(said.code, 1, "{}", said.err);
        }
    }
    assert!(
        !place.path("out").exists() && !place.path("roletrail-store/reports/ours.json").exists()
    );
}
