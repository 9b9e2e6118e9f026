//! The units that `schedule` prints are read by the tools that will read them, and do their job.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

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
    assert_eq!(words[3..], ["report", "break-glass", "--since", "last", "-o", "re 'ports' 100%/"]);
    assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "roletrail-break-glass");
    let plist = &read["plist"];
    assert_eq!(plist["StartCalendarInterval"], json!({"Hour": 6, "Minute": 5}));
    let line = plist["ProgramArguments"][2].as_str().unwrap();
    let (done, said) = sh(line);
    assert!(done, "{said}");
    assert_eq!(reports(dir.path()), 1);
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
    ] {
        let (code, said) = run(&[args, &all].concat());
        assert!(code != Some(0) && said.contains(part), "{args:?}: {said}");
    }
}
