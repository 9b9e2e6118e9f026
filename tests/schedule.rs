//! The units that `schedule` prints are read by the tools that will read them, and do their job.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support;
use serde_json::{Value, json};

/// What it prints for a store and a folder of reports with a blank, a quote and a percent sign in their names.
fn unit(dir: &Path, more: &[&str]) -> String {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs/two-hats");
    let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
    command.env_clear().current_dir(dir).args(["--store", "a store", "schedule", "break-glass"]);
    command.arg("--source").arg(logs).args(["-o", "re 'ports' 100%"]).args(more);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{more:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn sh(line: &str) -> (bool, String) {
    let output =
        Command::new("/bin/sh").env_clear().args(["-c", line]).current_dir("/").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn reports(dir: &Path) -> usize {
    fs::read_dir(dir.join("re 'ports' 100%")).map_or(0, |all| all.count())
}

#[test]
fn the_cron_line_does_the_job_and_a_failure_leaves_the_window() {
    let dir = tempfile::tempdir().unwrap();
    let text = unit(dir.path(), &["--every", "day", "--at", "06:05", "--format", "cron"]);
    let line = text.lines().find(|line| !line.starts_with('#')).unwrap();
    let command = line.strip_prefix("5 6 * * * ").unwrap().replace("\\%", "%");
    assert!(
        line.replace("\\%", "").chars().all(|c| c != '%'),
        "a bare % ends a line of a crontab: {line}"
    );
    let (done, said) = sh(&command);
    assert!(done, "{said}");
    assert_eq!(reports(dir.path()), 1);
    let mark = dir.path().join("a store/reports/break-glass.json");
    let before = fs::read_to_string(&mark).unwrap();
    // The folder for reports is gone and cannot be made again: the run says so and leaves its window.
    fs::remove_dir_all(dir.path().join("re 'ports' 100%")).unwrap();
    fs::write(dir.path().join("re 'ports' 100%"), "in the way").unwrap();
    let (done, said) = sh(&command);
    assert!(!done && said.contains("error: "), "{said}");
    assert_eq!(fs::read_to_string(&mark).unwrap(), before);
}

#[test]
fn systemd_takes_the_service_and_the_timer() {
    support::debian("systemd-analyze", "systemd");
    let dir = tempfile::tempdir().unwrap();
    for (every, next) in [
        ("day", "*-*-* 06:05:00 UTC"),
        ("hour", "*-*-* *:05:00 UTC"),
        ("week", "Mon *-*-* 06:05:00 UTC"),
    ] {
        let text = unit(dir.path(), &["--every", every, "--at", "06:05", "--format", "systemd"]);
        let mut files = Vec::new();
        for part in text.split("# /etc/systemd/system/").skip(1) {
            let (name, body) = part.split_once('\n').unwrap();
            fs::write(dir.path().join(name), body).unwrap();
            files.push(dir.path().join(name));
        }
        assert_eq!(files.len(), 2, "{text}");
        let verified = Command::new("systemd-analyze").arg("verify").args(&files).output().unwrap();
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("roletrail-")).collect();
        assert!(verified.status.success() && ours.is_empty(), "{said}");
        let calendar = Command::new("systemd-analyze").args(["calendar", next]).output().unwrap();
        assert!(
            calendar.status.success() && text.contains(&format!("OnCalendar={next}\n")),
            "{text}"
        );
        assert!(text.contains("100%%"), "a % of a path is no specifier: {text}");
    }
}

#[test]
fn kubernetes_and_launchd_read_what_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let sources = ["--source", "s3://logs/AWSLogs", "--image", "registry.example/roletrail:1"];
    let more =
        [&["--every", "week", "--at", "06:05", "--format", "kubernetes"][..], &sources].concat();
    let yaml = dir.path().join("job.yaml");
    fs::write(&yaml, unit(dir.path(), &more)).unwrap();
    let plist = dir.path().join("job.plist");
    fs::write(&plist, unit(dir.path(), &["--at", "06:05", "--format", "launchd"])).unwrap();
    let read: Value =
        serde_json::from_str(&support::python::run("read_units.py", &[&yaml, &plist])).unwrap();
    let spec = &read["yaml"]["spec"];
    assert_eq!(
        (&spec["schedule"], &spec["concurrencyPolicy"]),
        (&json!("5 6 * * 1"), &json!("Forbid"))
    );
    let pod = &spec["jobTemplate"]["spec"]["template"]["spec"];
    let ingest = pod["initContainers"][0]["command"].as_array().unwrap();
    assert_eq!(ingest.last().unwrap(), "s3://logs/AWSLogs");
    let report = &pod["containers"][0];
    assert_eq!(report["image"], "registry.example/roletrail:1");
    let words: Vec<&str> =
        report["command"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let (store, written) = ("/var/lib/roletrail/a store", "/var/lib/roletrail/re 'ports' 100%/");
    let asked = ["report", "break-glass", "--since", "last", "-o", written];
    assert_eq!((words[2], &words[3..]), (store, &asked[..]), "all of it lies on the claim");
    assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "roletrail-break-glass");
    let plist = &read["plist"];
    assert_eq!(plist["StartCalendarInterval"], json!({"Hour": 6, "Minute": 5}));
    let line = plist["ProgramArguments"][2].as_str().unwrap();
    let (done, said) = sh(line);
    assert!(done, "{said}");
    assert_eq!(reports(dir.path()), 1);
}

/// A set and a query of one's own, and a job over a bucket that asks for everything.
fn full_job(dir: &Path, endpoint: &str, starter: &[&str]) -> String {
    let query = "-- Who was there?\n-- group: Ours\n-- severity: high\n-- shows: one line a call\n\
                 -- cannot know: nothing\n-- :since time -- from here on\n-- :until time -- up to here\n\
                 SELECT origin FROM activity WHERE ($since IS NULL OR event_time >= $since)\n\
                 AND ($until IS NULL OR event_time < $until)\n";
    fs::create_dir_all(dir.join("my queries")).unwrap();
    fs::write(dir.join("my queries/anybody.sql"), query).unwrap();
    fs::write(dir.join("sets.toml"), "[ours]\ntitle = \"Ours\"\nqueries = [\"anybody\"]\n")
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
    command.env_clear().env("ROLETRAIL_SETS", "sets.toml").current_dir(dir);
    command.args(["--store", "a store", "schedule", "ours", "--source", "s3://logs/AWSLogs"]);
    command.args(["-o", "s3://logs/reports", "--queries", "my queries", "--fail-on", "high"]);
    command.args(["--report-format", "json", "--memory", "512", "--region", "eu-west-1,us-east-1"]);
    command.args(["--account", "111111111111,222222222222", "--ingest-since", "2024-04-30"]);
    command.args(["--endpoint-url", endpoint, "--profile", "nightly", "--request-payer"]);
    command.args(["--env", "AWS_REGION=eu-west-1", "--env", "NOTE=\"100%\" of 'it' \\ $HOME"]);
    let output = command.args(starter).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_job_hands_everything_on_and_a_finding_fails_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = support::s3::Server::start();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs/two-hats");
    assert!(server.put_folder("logs", &samples) > 0);
    fs::create_dir_all(dir.path().join(".aws")).unwrap();
    fs::write(
        dir.path().join(".aws/credentials"),
        "[nightly]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n",
    )
    .unwrap();
    let unit = full_job(dir.path(), &server.endpoint(), &["--format", "cron"]);
    let line = unit.lines().last().unwrap().strip_prefix("0 6 * * * ").unwrap();
    let run = || {
        let mut sh = Command::new("/bin/sh");
        sh.env_clear().env("HOME", dir.path()).current_dir("/");
        let output = sh.args(["-c", &line.replace("\\%", "%")]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, said) = run();
    assert_eq!(code, Some(5), "{said}");
    let reports = server.list("logs", "reports");
    let report = server.get("logs", &reports[0]).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["findings"][0]["query"], "anybody");
    assert!(report["figures"]["calls"].as_u64() > Some(0), "{said}");
    // What was found was told: the next run has a window of its own, with nothing in it.
    let (code, said) = run();
    assert!(code == Some(0) && server.list("logs", "reports").len() == 2, "{code:?} {said}");
    // Without its bucket the job fails at its first step, says so, and writes no report.
    server.behave(|_| support::s3::Answer::Say(403, "<Error><Code>AccessDenied</Code></Error>"));
    let (code, said) = run();
    assert!(code == Some(3) && said.contains("access denied"), "{code:?} {said}");
    server.behave(|_| support::s3::Answer::Pass);
    assert_eq!(server.list("logs", "reports").len(), 2);
}

#[test]
fn every_starter_hands_on_the_same_words() {
    support::debian("systemd-analyze", "systemd");
    let dir = tempfile::tempdir().unwrap();
    let unit = |more: &[&str]| full_job(dir.path(), "http://127.0.0.1:9", more);
    let here = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let systemd = unit(&["--format", "systemd", "--user", "audit"]);
    let service = systemd.split("# /etc/systemd/system/").nth(1).unwrap();
    let (name, body) = service.split_once('\n').unwrap();
    // systemd looks for the user on this machine.
    fs::write(dir.path().join(name), body.replace("User=audit\n", "User=root\n")).unwrap();
    let mut verify = Command::new("systemd-analyze");
    let verified = verify.arg("verify").arg(dir.path().join(name)).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("roletrail-"), "{said}");
    for line in [
        "User=audit\n",
        "Environment=\"NOTE=\\\"100%%\\\" of 'it' \\\\ $HOME\"\n",
        "severity high or above",
        "--region eu-west-1 --region us-east-1 --since 2024-04-30 --request-payer --endpoint-url",
    ] {
        assert!(body.contains(line), "{line}: {body}");
    }
    assert!(unit(&["--format", "systemd"]).contains("User=root\n"), "a profile needs a HOME");

    let (yaml, plist) = (dir.path().join("job.yaml"), dir.path().join("job.plist"));
    let manifest = unit(&["--format", "kubernetes", "--service-account", "audit"]);
    fs::write(&yaml, &manifest).unwrap();
    fs::write(&plist, unit(&["--format", "launchd"])).unwrap();
    let read: Value =
        serde_json::from_str(&support::python::run("read_units.py", &[&yaml, &plist])).unwrap();
    let pod = &read["yaml"]["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let shared = ["--endpoint-url", "http://127.0.0.1:9", "--profile", "nightly"];
    let accounts = ["--account", "111111111111", "--account", "222222222222"];
    let regions = ["--region", "eu-west-1", "--region", "us-east-1", "--since", "2024-04-30"];
    let ingest =
        ["roletrail", "--store", "/var/lib/roletrail/a store", "ingest", "s3://logs/AWSLogs"];
    let ingest = [&ingest[..], &accounts, &regions, &["--request-payer"], &shared].concat();
    assert_eq!(pod["initContainers"][0]["command"], json!(ingest));
    let report =
        ["report", "ours", "--since", "last", "-o", "s3://logs/reports/", "--fail-on", "high"];
    let report =
        [&ingest[..3], &report, &["--format", "json", "--sets", "/etc/roletrail/sets.toml"]];
    let more = ["--queries", "/etc/roletrail", "--memory", "512"];
    let report = [report.concat().as_slice(), &more, &shared].concat();
    let container = &pod["containers"][0];
    assert_eq!(container["command"], json!(report));
    let note = "\"100%\" of 'it' \\ $HOME";
    assert_eq!(container["env"][1], json!({"name": "NOTE", "value": note}));
    assert_eq!(container["env"], pod["initContainers"][0]["env"]);
    assert_eq!(pod["serviceAccountName"], "audit");
    assert_eq!(
        container["volumeMounts"][1],
        json!({"name": "queries", "mountPath": "/etc/roletrail"})
    );
    assert_eq!(pod["volumes"][1]["configMap"]["name"], "roletrail-ours");
    let how =
        "kubectl create configmap roletrail-ours --from-file=sets.toml --from-file='my queries'";
    assert!(manifest.contains(how), "{manifest}");
    // The shell of launchd sees the same value, and the words with the paths of this machine.
    let plist = &read["plist"];
    assert_eq!(plist["StandardErrorPath"], here("a store.ours.log"));
    let line = plist["ProgramArguments"][2].as_str().unwrap();
    let line = line.replace(env!("CARGO_BIN_EXE_roletrail"), "printf '<%s>' \"$NOTE\"");
    let (done, said) = sh(&line);
    assert!(
        done && said.contains(&format!("<{note}><--store><{}><ingest>", here("a store"))),
        "{said}"
    );
    assert!(
        said.contains(&format!("<--queries><{}><--memory><512>", here("my queries"))),
        "{said}"
    );
}

#[test]
fn a_store_in_a_bucket_needs_no_claim_and_both_commands_know_how_to_ask() {
    let dir = tempfile::tempdir().unwrap();
    let unit = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().current_dir(dir.path()).args([
            "--store",
            "s3://logs/store",
            "schedule",
        ]);
        command.args(["daily", "--source", "s3://logs/AWSLogs", "-o", "s3://logs/reports"]);
        let output = command.args(["--profile", "nightly", "--format", format]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (yaml, plist) = (dir.path().join("job.yaml"), dir.path().join("job.plist"));
    fs::write(&yaml, unit("kubernetes")).unwrap();
    fs::write(&plist, unit("launchd")).unwrap();
    let read: Value =
        serde_json::from_str(&support::python::run("read_units.py", &[&yaml, &plist])).unwrap();
    let pod = &read["yaml"]["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert!(pod["volumes"].is_null(), "{pod}");
    for container in [&pod["initContainers"][0], &pod["containers"][0]] {
        let words = container["command"].as_array().unwrap();
        assert_eq!(words[1..3], [json!("--store"), json!("s3://logs/store")]);
        assert_eq!(words[words.len() - 2..], [json!("--profile"), json!("nightly")]);
        assert_eq!(container["volumeMounts"], json!([]));
    }
    let log = dir.path().join("roletrail-daily.log");
    assert_eq!(read["plist"]["StandardErrorPath"], log.to_str().unwrap());
}

#[test]
fn a_second_ingest_says_that_it_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs/two-hats");
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().arg("--store").arg(&store).arg("ingest").arg(&logs);
        command
    };
    assert!(command().output().unwrap().status.success());
    let lock = fs::File::open(store.join(".lock")).unwrap();
    lock.lock().unwrap();
    let mut second = command().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    let mut errors = BufReader::new(second.stderr.take().unwrap());
    errors.read_line(&mut said).unwrap();
    assert!(said.contains("another run is writing to the store; this one waits"), "{said}");
    assert!(second.try_wait().unwrap().is_none(), "it ended");
    lock.unlock().unwrap();
    assert!(second.wait().unwrap().success());
}

#[test]
fn wrong_words_are_refused() {
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().args(["schedule"]).args(args);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let all = ["--source", "s3://logs", "-o", "x", "--format", "cron"];
    for (args, part) in [
        (&["daily", "--at", "6am"][..], "no time of day"),
        (&["daily", "--at", "24:00"], "no time of day"),
        (&["nothing"], "there is no set of queries"),
        (&["daily", "--store", "a\nb"], "no unit can hold"),
        (&["daily", "--env", "A=b\nc"], "no unit can hold"),
        (&["daily", "--env", "AWS_SECRET_ACCESS_KEY=x"], "no place for a secret"),
        (&["daily", "--env", "1A=x"], "is no variable"),
        (&["daily", "--env", "AWS_REGION"], "is no variable"),
        (&["daily", "--account", "111111111111,12"], "--account 12 is no account"),
        (&["daily", "--source", "-"], "no standard input"),
        (&["daily", "--ingest-since", "soon"], "is no time"),
        (&["daily", "--user", "audit"], "--user is for systemd"),
        (&["daily", "--queries", "nowhere"], "nowhere"),
    ] {
        let (code, said) = run(&[args, &all].concat());
        assert!(code != Some(0) && said.contains(part), "{args:?}: {said}");
    }
}
