//! What the logs cover: holes, stopped trails, accounts and grants that are not there, in logs written
//! by hand so that every reason occurs once.

use std::path::Path;
use std::process::Command;

use crate::support;
use crate::support::scene::{AWAY, Caller, HOME, Role, Scene};
use roletrail::answers::Window;
use roletrail::answers::coverage::{CoverageAnswer, CoverageFilter, Finding, Grain, coverage};
use roletrail::intake::{Options, Silent};
use roletrail::model::time;
use roletrail::pipeline;
use roletrail::sql::{Source, Sql};
use roletrail::store::Store;
use serde_json::{Value, json};

/// Writes the records of one region as a delivered file: named for the minute it came.
fn deliver(dir: &Path, account: &str, region: &str, minute: &str, records: &[Value]) {
    let name = format!("{account}_CloudTrail_{region}_20240501T{minute}Z_abcdefghijklmnop.json.gz");
    support::write_log(&dir.join(name), records);
}

/// The logs; what happens is told line by line.
fn write_logs(dir: &Path) {
    let anna = Caller::user(HOME, "anna");
    let mut scene = Scene::default();
    let mut file = |minute: &str, account: &str, region: &str, write: &dyn Fn(&mut Scene)| {
        let before = scene.records.len();
        write(&mut scene);
        for record in &mut scene.records[before..] {
            record["awsRegion"] = region.into();
        }
        deliver(dir, account, region, minute, &scene.records[before..]);
    };
    file("0905", HOME, "eu-west-1", &|s| _ = s.call("08:59:00", &anna, "s3:ListBuckets"));
    // 09 has a file without an event of 09, 10 has one that is cut, 11 and 12 have none.
    file("1401", HOME, "eu-west-1", &|s| {
        s.call("13:30:00", &anna, "s3:ListBuckets");
        // Whoever stops the trail does so under a role.
        let admin = s.assume("13:31:00", &anna, &Role::new(HOME, "LogAdmin"), "tidy", "ASIATIDY");
        let trail = json!({ "name": "arn:aws:cloudtrail:eu-west-1:111111111111:trail/main" });
        s.record(
            "13:32:00",
            &admin,
            "cloudtrail:StopLogging",
            json!({ "requestParameters": trail }),
        );
        let hostile = json!({ "trailName": "=cmd\u{1b}[2J\u{202e}liart" });
        s.record(
            "13:33:00",
            &anna,
            "cloudtrail:PutEventSelectors",
            json!({ "requestParameters": hostile, "errorCode": "AccessDenied" }),
        );
        // Reading a trail changes nothing.
        s.record("13:34:00", &anna, "cloudtrail:GetTrailStatus", json!({ "readOnly": true }));
        // A role of an account without logs here.
        s.assume("13:35:00", &anna, &Role::new("333333333333", "Vault"), "peek", "ASIAPEEK");
    });
    file("1106", HOME, "us-east-1", &|s| _ = s.call("11:00:00", &anna, "iam:ListUsers"));
    file("1305", AWAY, "eu-west-1", &|s| {
        let role = Role::new(AWAY, "Batch");
        // Began before the logs; in an hour that only this region has; and what came of the latter.
        let early = role.session("early", "07:00:00", "ASIAEARLY");
        let late = role.session("late", "12:10:00", "ASIALATE");
        s.call("12:01:00", &early, "s3:GetObject");
        s.call("12:20:00", &late, "s3:GetObject");
        let next = s.assume("12:21:00", &late, &Role::new(AWAY, "Next"), "n", "ASIANEXT");
        s.call("12:22:00", &next, "s3:PutObject");
        s.call("12:23:00", &next, "s3:PutObject");
        // A caller of whose account nothing else is known.
        let stranger = json!({ "type": "AWSAccount", "principalId": "AIDASTRANGER",
                               "accountId": "999999999999" });
        let here = json!({ "recipientAccountId": AWAY });
        s.record("12:30:00", &Caller(stranger), "s3:GetObject", here.clone());
        let nobody = json!({ "type": "AWSAccount", "principalId": "", "accountId": "anonymous" });
        s.record("12:31:00", &Caller(nobody), "s3:GetObject", here);
    });
    let whole = std::fs::read(
        dir.join("111111111111_CloudTrail_eu-west-1_20240501T1401Z_abcdefghijklmnop.json.gz"),
    );
    let cut = "111111111111_CloudTrail_eu-west-1_20240501T1059Z_abcdefghijklmnop.json.gz";
    std::fs::write(dir.join(cut), &whole.unwrap()[..40]).unwrap();
}

fn instant(clock: &str) -> Option<i64> {
    time::parse_instant(&format!("2024-05-01T{clock}:00Z"))
}

async fn answer(logs: &Path, filter: &CoverageFilter) -> CoverageAnswer {
    let tables = support::load(&[logs]).tables;
    let sql = Sql::open(Source::Memory(tables), 256 << 20).await.unwrap();
    coverage(&sql, filter).await.unwrap()
}

/// `account region from-to hours state`, as far as there is.
fn shown(findings: &[Finding]) -> Vec<String> {
    let clock = |at: Option<i64>| at.map(|at| time::format_clock(at)[..5].to_owned());
    let line = |f: &Finding| {
        let span = [clock(f.since), clock(f.until)].map(Option::unwrap_or_default).join("-");
        let counts = [f.hours, f.hours_without, f.events, f.events_elsewhere, f.sessions];
        let counts = counts.map(|n| n.map_or("_".to_owned(), |n| n.to_string())).join(" ");
        let texts = [&f.account_id, &f.aws_region, &f.state, &f.event_name, &f.failure, &f.origin];
        let texts: Vec<&str> = texts.into_iter().flatten().map(String::as_str).collect();
        format!("{} {span} {counts} {}", texts.join(" "), f.seen_in.join(",")).trim().to_owned()
    };
    findings.iter().map(line).collect()
}

#[tokio::test]
async fn every_reason_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write_logs(dir.path());
    let all = answer(dir.path(), &CoverageFilter::default()).await;
    // Hours with, hours without, events, events elsewhere, sessions.
    assert_eq!(
        shown(&all.logs),
        [
            "111111111111 eu-west-1 08:00-14:00 2 4 7 _ _",
            "111111111111 us-east-1 11:00-12:00 1 0 1 _ _",
            "222222222222 eu-west-1 12:00-13:00 1 0 7 _ _",
        ]
    );
    assert_eq!(
        shown(&all.holes),
        [
            "111111111111 eu-west-1 no_events 09:00-10:00 1 _ _ _ _",
            "111111111111 eu-west-1 unreadable 10:00-11:00 1 _ _ _ _",
            "111111111111 eu-west-1 no_files 11:00-13:00 2 _ _ _ _",
        ]
    );
    assert_eq!(all.without_sts.len(), 0, "eu-west-1 has AssumeRole of its own");
    assert_eq!(
        shown(&all.trail_changes),
        [
            "111111111111 eu-west-1 stops StopLogging arn:aws:iam::111111111111:user/anna 13:32- _ _ _ _ _",
            "111111111111 eu-west-1 narrows PutEventSelectors AccessDenied \
             arn:aws:iam::111111111111:user/anna 13:33- _ _ _ _ _",
        ]
    );
    assert_eq!(all.trail_changes[0].chain, ["111111111111/anna", "111111111111/LogAdmin"]);
    assert_eq!(
        shown(&all.absent_accounts),
        [
            "333333333333 13:35-13:35 _ _ 1 _ 0 111111111111",
            "999999999999 12:30-12:30 _ _ 1 _ 0 222222222222",
        ]
    );
    assert_eq!(
        shown(&all.unexplained),
        [
            "222222222222 began_before_logs 07:00-07:00 _ _ 1 _ 1",
            "222222222222 caller_unexplained 12:21-12:21 _ _ 2 _ 1",
            "222222222222 us_east_1_missing 12:10-12:10 _ _ 2 _ 1",
        ]
    );
    // In a hole of one region, what its other regions did.
    assert_eq!(all.logs[1].hours_before, Some(3));
    assert_eq!(all.logs[1].hours_after, Some(2));
}

#[tokio::test]
async fn regions_whose_events_of_sts_are_missing_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let role = Role::new(HOME, "Batch");
    let mut scene = Scene::default();
    let (known, lost) = (Caller::user(HOME, "anna"), role.session("lost", "07:00:00", "ASIALOST"));
    // One region has events of STS, of one nobody without an origin called, and one lacks them.
    for (region, caller) in [
        ("eu-west-1", &lost),
        ("eu-north-1", &known),
        ("ap-south-1", &lost),
        ("ap-south-1", &known),
    ] {
        let record = json!({ "awsRegion": region });
        scene.record("09:00:00", caller, "s3:GetObject", record);
    }
    let here = json!({ "awsRegion": "eu-west-1" });
    scene.record("09:01:00", &known, "sts:GetCallerIdentity", here);
    deliver(dir.path(), HOME, "eu-west-1", "0905", &scene.records);
    let all = answer(dir.path(), &CoverageFilter::default()).await;
    assert_eq!(shown(&all.without_sts), ["111111111111 ap-south-1 09:00-09:00 _ _ 1 _ 1"]);
    let other = CoverageFilter { region: Some("eu-*".to_owned()), ..CoverageFilter::default() };
    assert_eq!(answer(dir.path(), &other).await.without_sts.len(), 0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
    let output = command.args(["coverage", "--logs"]).arg(dir.path()).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    let section = page.split("of which there is no event of STS").nth(1).unwrap();
    assert!(section.contains("ap-south-1") && !section.contains("eu-west-1"), "{page}");
}

#[tokio::test]
async fn window_account_region_and_grain_narrow_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    write_logs(dir.path());
    let window = Window { since: instant("12:00"), until: instant("14:00") };
    let late = answer(dir.path(), &CoverageFilter { window, ..Default::default() }).await;
    assert_eq!(
        shown(&late.logs),
        [
            "111111111111 eu-west-1 13:00-14:00 1 0 6 _ _",
            // Its logs stopped before: that is said, not left out.
            "111111111111 us-east-1 stopped_before_window -12:00 0 _ 0 _ _",
            "222222222222 eu-west-1 12:00-13:00 1 0 7 _ _",
        ]
    );
    assert_eq!(late.holes.len(), 0);
    assert_eq!(late.logs[0].hours_before, Some(1));

    let away = CoverageFilter { account: Some(AWAY.to_owned()), ..Default::default() };
    let away = answer(dir.path(), &away).await;
    assert_eq!(away.logs.len(), 1);
    assert_eq!(away.trail_changes.len(), 0);
    assert_eq!(shown(&away.absent_accounts), ["999999999999 12:30-12:30 _ _ 1 _ 0 222222222222"]);

    let by_hour = CoverageFilter {
        region: Some("eu-*".to_owned()),
        account: Some("1*".to_owned()),
        grain: Grain::Hour,
        ..Default::default()
    };
    let by_hour = answer(dir.path(), &by_hour).await;
    assert_eq!(
        shown(&by_hour.logs),
        [
            "111111111111 eu-west-1 08:00-09:00 1 0 1 _ _",
            "111111111111 eu-west-1 13:00-14:00 1 0 6 _ _",
        ]
    );
    assert_eq!(by_hour.logs[1].files, Some(1));
    // The other region is not shown, but counts as elsewhere.
    assert_eq!(by_hour.holes.len(), 3);
    assert_eq!(by_hour.unexplained.len(), 0);
}

/// One long hole tells of events in other regions of the account.
#[tokio::test]
async fn a_hole_of_one_region_is_told_from_one_of_the_account() {
    let dir = tempfile::tempdir().unwrap();
    let (anna, ben) = (Caller::user(HOME, "anna"), Caller::user(AWAY, "ben"));
    let mut scene = Scene::default();
    for (time, caller, region) in [
        ("08:00:00", &anna, "eu-west-1"),
        ("12:00:00", &anna, "eu-west-1"),
        ("09:00:00", &anna, "us-east-1"),
        ("10:30:00", &anna, "us-east-1"),
        ("08:00:00", &ben, "eu-west-1"),
        ("12:00:00", &ben, "eu-west-1"),
    ] {
        scene.record(time, caller, "s3:ListBuckets", json!({ "awsRegion": region }));
    }
    support::write_log(&dir.path().join("log.json.gz"), &scene.records);
    let all = answer(dir.path(), &CoverageFilter::default()).await;
    assert_eq!(
        shown(&all.holes),
        [
            "111111111111 eu-west-1 no_files 09:00-12:00 3 _ _ 2 _",
            "222222222222 eu-west-1 no_files 09:00-12:00 3 _ _ 0 _",
        ]
    );
}

/// A store made file by file says the same as the logs read at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_says_what_the_logs_say() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, store) = (dir.path().join("logs"), dir.path().join("store"));
    write_logs(&logs);
    let mut files: Vec<_> =
        std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().rev() {
        let source = [file.to_str().unwrap().to_owned()];
        let result = pipeline::ingest(&store, &source, &Options::default(), &Silent).await;
        // The cut file holds nothing that can be read; it is in the books with the folder.
        assert_eq!(result.is_err(), file.to_string_lossy().contains("T1059Z"));
    }
    let folder = [logs.to_str().unwrap().to_owned()];
    pipeline::ingest(&store, &folder, &Options::default(), &Silent).await.unwrap();
    let source = Source::Store(Store::open(&store).await.unwrap());
    let sql = Sql::open(source, 256 << 20).await.unwrap();
    let stored = coverage(&sql, &CoverageFilter::default()).await.unwrap();
    let read = answer(&logs, &CoverageFilter::default()).await;
    let rows = |answer: &CoverageAnswer| {
        let all = answer.batches(None).map(Result::unwrap).collect::<Vec<_>>();
        arrow::util::pretty::pretty_format_batches(&all).unwrap().to_string()
    };
    assert_eq!(rows(&stored), rows(&read));
}

#[test]
fn the_page_is_safe_to_look_at() {
    let dir = tempfile::tempdir().unwrap();
    write_logs(dir.path());
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().env("NO_COLOR", "1").arg("coverage").arg("--logs").arg(dir.path());
        let output = command.args(args).output().unwrap();
        assert!(output.status.success());
        let errors = String::from_utf8(output.stderr).unwrap();
        let summary = errors.lines().last().unwrap_or_default().to_owned();
        (String::from_utf8(output.stdout).unwrap(), summary)
    };
    let (page, summary) = run(&[]);
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
    insta::assert_snapshot!("page", format!("{page}--- stderr\n{summary}\n"));
    let (csv, _) = run(&["--format", "csv", "--account", HOME]);
    assert!(csv.contains("=cmd\\u001b"), "the parameters are JSON: {csv}");
    insta::assert_snapshot!("csv", csv);
    let (days, _) = run(&["--by", "day", "--limit", "1"]);
    insta::assert_snapshot!("days", days);
    for format in ["json", "ndjson"] {
        let (text, _) = run(&["--format", format, "--since", "2024-05-01T12:00:00Z"]);
        let rows: Vec<Value> = match format {
            "json" => serde_json::from_str(&text).unwrap(),
            _ => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        };
        assert!(rows.iter().any(|row| row["kind"] == "trail_change"));
    }
    assert!(run(&["--format", "markdown"]).0.starts_with("| kind |"));
    let (none, summary) = run(&["--account", "444444444444"]);
    assert!(none.starts_with("Where there are logs\n  nowhere\n"));
    assert!(summary.starts_with("no logs fit; the logs hold events from 2024-05-01T08:59:00Z"));
}
