//! The command line as its users see it: stdout, stderr and exit code of every command over the
//! sample stories, in a sealed environment.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A folder that does not outlive its test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the program on a store in this place.
    fn run(&self, args: &[&str]) -> String {
        let store = self.path("store");
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().env("NO_COLOR", "1").env("COLUMNS", "100");
        command.env("ROLETRAIL_STORE", &store).current_dir(env!("CARGO_MANIFEST_DIR"));
        let output = command.args(args).output().unwrap();
        let shown = args.join(" ");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        // How long it took differs from run to run.
        let errors = text(&output.stderr);
        let errors: Vec<&str> = errors.lines().filter(|l| !l.contains("records/s")).collect();
        let whole = format!(
            "$ roletrail {shown}\n{}--- stderr\n{}\n--- exit {}\n",
            text(&output.stdout),
            errors.join("\n"),
            output.status.code().unwrap()
        );
        whole.replace(&*self.0.path().to_string_lossy(), "[TEMP]")
    }

    fn all(&self, runs: &[&str]) -> String {
        let split = |run: &&str| self.run(&run.split(' ').collect::<Vec<_>>());
        runs.iter().map(split).collect::<Vec<_>>().join("\n")
    }
}

fn over(story: &str, runs: &[&str]) -> String {
    let place = Place::new();
    let logs = format!("sample-logs/{story}");
    let run = |run: &&str| {
        let mut args: Vec<&str> = run.split(' ').collect();
        args.extend(["--logs", &logs]);
        place.run(&args)
    };
    runs.iter().map(run).collect::<Vec<_>>().join("\n")
}

/// The first log file below a folder.
fn a_log(folder: &str) -> PathBuf {
    let all = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    let mut paths = all.map(|entry| entry.unwrap().into_path());
    paths.find(|path| path.extension().is_some_and(|ending| ending == "gz")).unwrap()
}

#[test]
fn two_hats() {
    insta::assert_snapshot!(over(
        "two-hats",
        &[
            "chain incident-4711",
            "chain 247424d3-6b19-414b-b9f9-f76e7ec6c2e3 --ids",
            "chain arn:aws:iam::222222222222:role/SecurityBreakGlassRole --format csv",
            "chain ASIAEXAMPLEE25KJECIO --format json",
            "session incident-4711",
            "session s-pe9hc9 --format json",
            "who --action iam:PutRolePolicy",
            "who --resource PaymentsRole --format csv",
            "who --action s3:* --writes",
            "sessions",
            "sessions --role Security* --origin anna --format ndjson",
            "timeline incident-4711",
            "timeline SecurityAnalystRole --tree",
        ]
    ));
}

#[test]
fn consoles_tokens_and_root() {
    insta::assert_snapshot!(
        "console",
        over("console-switch-role", &["chain grace", "session s-2rnncj", "sessions",])
    );
    insta::assert_snapshot!(
        "tokens",
        over("session-tokens", &["chain kira", "chain RootTasks", "session partner-upload",])
    );
}

#[test]
fn what_is_not_known() {
    insta::assert_snapshot!(
        "missing_grant",
        over(
            "missing-grant",
            &[
                "chain Deployer",
                "chain Deployer --limit 1",
                "session DatabaseAdmin",
                "session s-x399vs",
                "sessions --unresolved",
                "who --account 222222222222",
            ]
        )
    );
    insta::assert_snapshot!(
        "two_in_one_second",
        over(
            "two-in-one-second",
            &["chain nightly", "chain anna", "session nightly", "who --role BackupOperator",]
        )
    );
}

#[test]
fn what_cannot_be_true() {
    insta::assert_snapshot!(over(
        "contradictions",
        &[
            "chain release",
            "chain i-0123456789abcdef0 --format csv",
            "session build-78",
            "session i-0123456789abcdef0",
        ]
    ));
}

#[test]
fn services_and_strangers() {
    insta::assert_snapshot!(
        "services",
        over(
            "service-linked-role",
            &["sessions", "chain AWSServiceRoleForRDS", "who --no-services",]
        )
    );
    insta::assert_snapshot!(
        "vendor",
        over("vendor-account", &["chain VendorAuditRole", "session collector-1"])
    );
    insta::assert_snapshot!(
        "stolen",
        over(
            "stolen-instance-credentials",
            &["who --source-ip 203.0.113.66", "sessions --source-ip 203.0.113.*",]
        )
    );
    insta::assert_snapshot!(
        "github",
        over(
            "github-oidc",
            &["chain deploy-381", "who --action lambda:UpdateFunctionConfiguration"]
        )
    );
    insta::assert_snapshot!(
        "people",
        over("saml-and-identity-center", &["sessions", "chain DirectoryAdmin"])
    );
    insta::assert_snapshot!(
        "denied",
        over(
            "denied-attempts",
            &["who --action sts:AssumeRole --errors", "who --resource PayrollAdmin"]
        )
    );
    insta::assert_snapshot!(
        "keys",
        over("keys-made-by-a-session", &["chain nightly", "session AKIAEXAMPLEF54SWVFQQ"])
    );
    insta::assert_snapshot!(
        "workloads",
        over("workloads", &["sessions --account 111111111111", "chain OrdersRole"])
    );
    insta::assert_snapshot!(
        "certificates",
        over("certificates-and-app-users", &["chain PlantArchive"])
    );
    insta::assert_snapshot!(
        "programs",
        over("console-and-programs", &["chain Auditor", "chain quinn"])
    );
    insta::assert_snapshot!("partitions", over("other-partitions", &["chain olga", "chain lin"]));
    insta::assert_snapshot!(
        "three_accounts",
        over("three-accounts", &["chain release-77", "session audit-77"])
    );
}

#[test]
fn ids_that_do_not_fit() {
    insta::assert_snapshot!(over(
        "missing-grant",
        &[
            "session maintenance",
            "session s-zzzz",
            "session s-x3",
            "session s-x399zz",
            "session Deploier",
            "chain ASIAEXAMPLENOBODY0000",
            "timeline 00000000-0000-0000-0000-000000000000",
            "chain arn:aws:iam::111111111111:role/Deployr",
            "who --since yesterday",
            "who --since 2024-05-02 --until 2024-05-01",
            "who --errors --no-errors",
            "sessions --role No*",
            "who --action nothing:Here",
        ]
    ));
}

#[test]
fn filters_that_nothing_fits() {
    insta::assert_snapshot!(over(
        "two-hats",
        &[
            "who --role SecurityBreakGlasRole --limit 5",
            "who --role arn:aws:iam::111111111111:role/SecurityBreakGlassRole --action iam:AddUser*",
            "who --action iam:PutRolPolicy",
            "who --action s3:CreateAcessKey",
            "who --account 22222222222",
            "who --account 222222222223 --format csv",
            "who --origin ana",
            "who --source-ip 198.51.100.400",
            "who --source-ip 203.0.113.0/24",
            "who --source-ip 198.51.100.0/24 --action PutRolePolicy --limit 2",
            "who --access-key ASIAEXAMPLENOBODY0000",
            "who --resource no-such-bucket",
            "who --role SecurityBreakGlassRole --action PutRolePolicy --since 0001-01-01 --until 2024-05-01",
            "who --role SecurityAnalystRole --action PutRolePolicy",
            "sessions --role securitybreakglassrole --format json",
            "sessions --principal anna1",
            "sessions --role SecurityBreakGlassRole --since 2030-01-01",
            "sessions --source-ip 203.0.113.7",
            "coverage --account 12",
        ]
    ));
}

#[test]
fn a_store() {
    let place = Place::new();
    insta::assert_snapshot!(place.all(&[
        "ingest --account 12 s3://bucket/AWSLogs",
        "sessions",
        "ingest sample-logs/two-hats",
        "ingest sample-logs/two-hats",
        "ingest sample-logs/three-accounts",
        "chain incident-4711",
        "chain ben",
        "session audit-77",
        "who --action *:Put* --no-errors",
        "who --resource arn:aws:s3:::archive-prod-*",
        "who --since 2024-05-01T09:14:00Z --until 2024-05-01T09:16:00Z --format csv",
        "sessions --since 2024-05-01T09:10:00Z --until 2024-05-01T09:13:00Z",
        "sessions --source-ip 198.51.100.23",
        "timeline release-77 --tree",
        "query --name session-origin",
        "query --name nothing",
    ]));
}

#[test]
fn what_cannot_be_read() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    let whole = fs::read(a_log("sample-logs/two-hats/AWSLogs")).unwrap();
    fs::write(place.path("cut.json.gz"), &whole[..whole.len() / 2]).unwrap();
    let (empty, cut) = (place.path("empty"), place.path("cut.json.gz"));
    let (empty, cut) = (empty.to_str().unwrap(), cut.to_str().unwrap());
    insta::assert_snapshot!(
        [
            place.run(&["who", "--logs", empty]),
            place.run(&["ingest", empty]),
            place.run(&["ingest", "--strict", cut, "sample-logs/two-hats"]),
            place.run(&["ingest", "s3://"]),
            place.run(&["ingest", "-"]),
        ]
        .join("\n")
    );
}

#[test]
fn help_and_schema() {
    let place = Place::new();
    insta::assert_snapshot!(place.all(&[
        "--help",
        "who --help",
        "sessions --help",
        "session --help",
        "chain --help",
        "timeline --help",
        "coverage --help",
        "store --help",
        "store vacuum --help",
        "completions --help",
        "query --help",
        "ingest --help",
        "schema",
        "schema links",
        "schema nothing",
        "who --nothing",
    ]));
    assert!(place.run(&["completions", "bash"]).contains("_roletrail()"));
}

#[test]
fn saved_queries_of_ones_own() {
    let place = Place::new();
    fs::create_dir(place.path("queries")).unwrap();
    for (name, text) in [
        (
            "calls.sql",
            "-- How many calls?\n-- group: Ours\n-- severity: low\n-- shows: one line\n\
          -- cannot know: what is not logged\n-- :since time -- from here on\n-- :name text = List%\n\
          SELECT count(*) AS calls FROM activity\nWHERE event_name LIKE $name\n  AND ($since IS NULL OR event_time >= $since)\n",
        ),
        (
            "session-origin.sql",
            "-- Who, in short?\nSELECT DISTINCT origin FROM sessions ORDER BY 1\n",
        ),
        ("typo.sql", "-- What?\n-- a remark\nSELECT 1\nFORM sessions\n"),
        ("column.sql", "-- Where?\nSELECT event_name,\n  adress\nFROM activity\n"),
    ] {
        fs::write(place.path("queries").join(name), text).unwrap();
    }
    let folder = place.path("queries");
    let folder = folder.to_str().unwrap();
    let run = |run: &str| {
        let mut args: Vec<&str> = run.split(' ').collect();
        args.extend(["--queries", folder]);
        if !run.contains("--list") && !run.contains("--describe") {
            args.extend(["--logs", "sample-logs/two-hats"]);
        }
        place.run(&args)
    };
    insta::assert_snapshot!(
        [
            "query --list",
            "query --list --format csv --limit 2",
            "query --name calls --describe",
            "query --name calls",
            "query --name calls -p since=2024-05-01T09:10:00Z -p name=Put%",
            "query --name calls -p since=yesterday",
            "query --name calls -p sinse=2024-05-01",
            "query --name session-origin",
            "query --name column",
            "query --name typo",
            "query --name sesion-origin",
            "query --name changes-around-event",
        ]
        .map(run)
        .join("\n")
    );
    assert!(!place.run(&["query", "--list", "--queries", "nowhere"]).contains("exit 0"));
}
