//! Redacted logs link like the logs they were made from, and tell nobody's name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use proptest::prelude::*;
use roletrail::intake::{Options, Silent};
use roletrail::pipeline;
use roletrail::redact::{Key, Redactor};
use roletrail::sql::{Params, Source, Sql};
use roletrail::store::columns::is_internal;
use roletrail::store::{Store, TABLES};
use serde_json::Value;

fn redactor() -> Redactor {
    Redactor::new(&Key::new(b"a key that is only for tests").unwrap())
}

type Tables = BTreeMap<&'static str, Vec<RecordBatch>>;

fn load(logs: &[&str], redactor: Option<Redactor>) -> Tables {
    let sources: Vec<String> = logs.iter().map(|logs| (*logs).to_owned()).collect();
    let options = Options { redactor, ..Options::default() };
    let loaded = pipeline::load(&sources, &options, 4 << 30, &Silent).unwrap();
    assert!(loaded.books.balance(), "{:?}", loaded.books);
    loaded.tables
}

/// Rows as texts.
async fn ask(tables: Tables, sql: &str) -> Vec<Vec<Option<String>>> {
    let tables = Sql::open(Source::Memory(tables), 256 << 20).await.unwrap();
    let options = FormatOptions::default().with_null("");
    let mut rows = Vec::new();
    for batch in tables.rows(sql, Params::none()).await.unwrap() {
        let columns: Vec<_> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cell = |(n, c): (usize, &ArrayFormatter)| {
                (!batch.column(n).is_null(row)).then(|| c.value(row).to_string())
            };
            rows.push(columns.iter().enumerate().map(cell).collect());
        }
    }
    rows
}

/// Fails unless the two answers are the same but for the names in them, and each name has one
/// pseudonym of its own.
fn assert_same_but_for_names(
    plain: &[Vec<Option<String>>],
    redacted: &[Vec<Option<String>>],
    names: &mut (HashMap<String, String>, HashMap<String, String>),
) {
    assert_eq!(plain.len(), redacted.len());
    for rows in plain.iter().zip(redacted) {
        for (plain, redacted) in rows.0.iter().zip(rows.1) {
            assert_eq!(plain.is_some(), redacted.is_some(), "{rows:?}");
            let (Some(plain), Some(redacted)) = (plain, redacted) else { continue };
            let there = names.0.entry(plain.clone()).or_insert_with(|| redacted.clone());
            assert_eq!(there, redacted, "{plain} has two pseudonyms: {rows:?}");
            let back = names.1.entry(redacted.clone()).or_insert_with(|| plain.clone());
            assert_eq!(back, plain, "{redacted} stands for two: {rows:?}");
        }
    }
}

/// What linking says, by the events it says it of; ids of sessions are hashes of names. Of a session with
/// several keys the first one's rule is told, and pseudonyms sort differently.
const QUESTIONS: &[&str] = &[
    "SELECT event_id, origin_type, origin, origin_account_id, depth, chain_strength, role_arn,
            role_name, session_name, session_id, access_key_id, principal_arn, unresolved_reason,
            source_ip_address, recipient_account_id, error_code, array_length(chain), aws_region
     FROM activity ORDER BY event_id",
    "SELECT event_id, twin_event_id, kind, outcome, denial_cause, denied_action, propagation,
            caller_arn, caller_principal_id, caller_session_id, role_arn, role_name,
            role_account_id, session_name, assumed_role_id, issued_access_key_id,
            issued_session_id, duration_seconds, expires_at, external_id, source_identity,
            cross_account, used, obtained_by FROM grants ORDER BY event_id",
    "SELECT min(e.event_id) AS first, s.session_id, s.identity_type, s.role_kind, s.event_count,
            s.depth, s.link_strength, s.chain_strength, s.candidates,
            CASE WHEN array_length(s.access_key_ids) < 2 THEN s.link_rule END,
            s.unresolved_reason, s.parent_session_id, array_to_string(s.contradictions, ' '),
            s.issued_by_kind, s.grant_event_id, s.started_at, array_length(s.chain),
            s.origin_detail IS NULL
     FROM sessions s LEFT JOIN events e ON e.session_id = s.session_id
     GROUP BY ALL ORDER BY first, s.grant_event_id, s.started_at",
    "SELECT grant_event_id, twin_event_id, rule, strength, candidates, count(*),
            count(DISTINCT child_session_id), count(DISTINCT child_access_key_id),
            count(DISTINCT parent_session_id), min(parent_access_key_id)
     FROM links GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
    "SELECT event_id, credential_id, rule, strength, proof_event_id FROM attributions ORDER BY 1",
    "SELECT hour, count(*), sum(files), sum(events) FROM coverage GROUP BY 1 ORDER BY 1",
];

async fn assert_links_survive(logs: &[&str]) {
    let mut names = Default::default();
    let (plain, redacted) = (load(logs, None), load(logs, Some(redactor())));
    for question in QUESTIONS {
        let question = question.replace("GROUP BY ALL ORDER", "GROUP BY s.session_id, s.identity_type, s.role_kind, s.event_count, s.depth, s.link_rule, s.access_key_ids, s.link_strength, s.chain_strength, s.candidates, s.unresolved_reason, s.parent_session_id, s.contradictions, s.issued_by_kind, s.grant_event_id, s.started_at, s.chain, s.origin_detail ORDER");
        let answers = (ask(plain.clone(), &question).await, ask(redacted.clone(), &question).await);
        assert!(answers.0.len() > 1 || logs.len() == 1);
        assert_same_but_for_names(&answers.0, &answers.1, &mut names);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sample_stories_link_as_before() {
    for story in std::fs::read_dir("sample-logs").unwrap() {
        let story = story.unwrap().path();
        if story.is_dir() {
            println!("{}", story.display());
            assert_links_survive(&[story.to_str().unwrap()]).await;
        }
    }
    assert_links_survive(&["sample-logs"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_world_links_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let options = roletrail::generate::WorldOptions {
        events: 6_000,
        accounts: 5,
        days: 2,
        losses: true,
        seed: 3,
    };
    roletrail::generate::world(&options, dir.path()).unwrap();
    assert_links_survive(&[dir.path().join("AWSLogs").to_str().unwrap()]).await;
}

/// Every text of every table, JSON taken apart.
fn texts(tables: &Tables) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for batches in tables.values() {
        for batch in batches {
            for column in batch.columns() {
                collect(column, &mut found);
            }
        }
    }
    found
}

fn collect(column: &dyn Array, found: &mut BTreeSet<String>) {
    if let Some(texts) = column.as_string_opt::<i32>() {
        found.extend(texts.iter().flatten().map(str::to_owned));
    } else if let Some(list) = column.as_list_opt::<i32>() {
        collect(list.values(), found);
    } else if let Some(parts) = column.as_struct_opt() {
        parts.columns().iter().for_each(|part| collect(part, found));
    }
}

/// Names that stand in the sample stories, by whatever member they stand in.
fn names_in_stories() -> BTreeSet<String> {
    const NAMING: &[&str] = &[
        "userName",
        "roleName",
        "roleSessionName",
        "principalId",
        "accountId",
        "accessKeyId",
        "sourceIdentity",
        "externalId",
        "bucketName",
        "policyName",
        "instanceId",
        "keyName",
        "tableName",
        "functionName",
        "subject",
        "recipientAccountId",
        "clusterName",
        "description",
        "assumedRoleId",
        "sourceIPAddress",
        "privateIpAddress",
        "userId",
        "secretId",
        "queueUrl",
    ];
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if let (true, Some(text)) = (NAMING.contains(&name.as_str()), value.as_str()) {
                        let parts = text.split(|c: char| !c.is_alphanumeric() && c != '.');
                        found.extend(parts.map(str::to_owned));
                    }
                    walk(value, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for record in support::records(Path::new("sample-logs")) {
        walk(&record, &mut found);
    }
    // Words of AWS's own, and what is too short to be told from them.
    let own = [
        "HIDDEN_DUE_TO_SECURITY_REASONS",
        "archive",
        "oidc",
        "provider",
        "cognito",
        "identity",
        "token",
        "signin",
        "actions",
        "githubusercontent",
        "saml",
        "amazonaws",
        "function",
        "https",
        "instance",
        "lambda",
        "role",
        "system",
        "user",
        "secret",
        "AWS",
        "Internal",
        "serviceaccount",
        "repo",
        "refs",
        "heads",
        "root",
        "with",
        "build",
        "AWSReservedSSO",
        "HIDDEN",
        "SECURITY",
        "REASONS",
        "accounts.google.com",
        "token.actions.githubusercontent.com",
        "west",
        "east",
        "AWSCodeBuild",
        "secretsmanager",
        "service",
        "pods",
        "task",
    ];
    found.retain(|name| {
        let plain = name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn");
        let hex = name.len() == 4 && name.bytes().all(|b| b.is_ascii_hexdigit());
        name.len() > 3
            && !hex
            && !name.ends_with(".eu")
            && !own.contains(&name.as_str())
            && !plain
            && !name.starts_with("AWSServiceRoleFor")
            && !(name.len() <= 6 && name.bytes().all(|b| b.is_ascii_digit()))
    });
    found
}

#[test]
fn nobody_is_named() {
    let names = names_in_stories();
    for name in
        ["anna", "SecurityAnalystRole", "111111111111", "198.51.100.23", "ASIAEXAMPLENQ7BFXLH6"]
    {
        assert!(names.contains(name), "{name} is not looked for");
    }
    assert!(names.len() > 150, "{}", names.len());
    let tables = load(&["sample-logs"], Some(redactor()));
    let plain = load(&["sample-logs"], None);
    let (mut checked, mut met) = (0, BTreeSet::new());
    let in_words = |text: &str, seen: &mut dyn FnMut(&str)| {
        text.split(|c: char| !c.is_alphanumeric() && c != '.').for_each(&mut *seen);
        text.split(|c: char| !c.is_alphanumeric()).for_each(&mut *seen);
    };
    for text in texts(&plain) {
        in_words(&text, &mut |word| {
            if names.contains(word) {
                met.insert(word.to_owned());
            }
        });
    }
    assert!(met.len() + 5 > names.len(), "the search finds what is there");
    let mut left = BTreeSet::new();
    for text in texts(&tables) {
        // User agents keep their words.
        if text.contains("aws-sdk")
            || text.contains("Botocore")
            || text.contains("console.amazonaws")
        {
            continue;
        }
        checked += 1;
        in_words(&text, &mut |word| {
            if names.contains(word) {
                left.insert(format!("{word} in {text}"));
            }
        });
    }
    assert!(checked > 1000);
    assert!(left.is_empty(), "{left:#?}");
}

/// What is stored of a redacted log is what comes of redacting the stored log, but for ids made of
/// names.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_redacted_as_records_are() {
    let columns = "event_id, event_time, event_name, event_source, principal_id, principal_arn, \
                   account_id, access_key_id, user_name, source_ip_address, user_agent, \
                   error_message, session_issuer_arn, request_parameters, resources, \
                   recipient_account_id, vpc_endpoint_id, source_file, extra";
    let question =
        format!("SELECT {columns} FROM events ORDER BY event_id, source_file, source_record");
    let mut plain = load(&["sample-logs"], None);
    for batches in plain.values_mut() {
        for batch in batches {
            let out = redactor().batch(batch).unwrap();
            assert_eq!(out.num_rows(), batch.num_rows());
            *batch = out;
        }
    }
    let (plain, redacted) = (
        ask(plain, &question).await,
        ask(load(&["sample-logs"], Some(redactor())), &question).await,
    );
    assert_eq!(plain.len(), redacted.len());
    for (plain, redacted) in plain.iter().zip(&redacted) {
        assert_eq!(plain, redacted);
    }
}

#[test]
fn forms_are_kept() {
    let hidden = redactor();
    let account = hidden.text("111111111111");
    assert!(
        account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && account != "111111111111"
    );
    let key = hidden.text("ASIAEXAMPLENQ7BFXLH6");
    assert!(key.starts_with("ASIA") && key.len() == 20 && !key.contains("EXAMPLE"), "{key}");
    let arn = hidden.text("arn:aws:iam::111111111111:role/team/PaymentsRole");
    let parts: Vec<&str> = arn.split([':', '/']).collect();
    assert_eq!(
        (parts[..4].join(":"), parts[4], parts[5]),
        ("arn:aws:iam:".into(), &*account, "role")
    );
    assert_eq!(parts[7], hidden.text("PaymentsRole"));
    // One name, wherever it stands.
    let name = hidden.text("anna");
    for text in ["AIDA:anna", "anna@anna", "team/anna", "anna-anna", "sts::1:assumed-role/x/anna"] {
        assert!(hidden.text(text).ends_with(&name), "{text}");
    }
    let near =
        [hidden.text("198.51.100.23"), hidden.text("198.51.100.24"), hidden.text("198.51.101.23")];
    let network =
        |n: usize| near[n].parse::<std::net::Ipv6Addr>().unwrap().segments()[..4].to_vec();
    assert!(network(0) == network(1) && network(0) != network(2) && near[0] != near[1]);
    assert!(near[0].starts_with("fd"), "{}", near[0]);
    let instance = hidden.text("i-0123456789abcdef0");
    assert!(
        instance.starts_with("i-") && instance.len() == 19 && instance != "i-0123456789abcdef0"
    );
    for stays in [
        "ec2.amazonaws.com",
        "iam:PutRolePolicy",
        "s3:*",
        "eu-west-1",
        "us-gov-west-1",
        "AWS Internal",
        "2024-05-01T09:00:00Z",
        "May 1, 2024, 10:12:40 AM",
        "3600",
        "HIDDEN_DUE_TO_SECURITY_REASONS",
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "AWSServiceRoleForRDS",
        "oidc.eks.eu-west-1.amazonaws.com",
    ] {
        assert_eq!(hidden.text(stays), stays);
    }
    let sso = hidden.text("AWSReservedSSO_Admins_0123456789abcdef");
    assert!(sso.starts_with(&format!("AWSReservedSSO_{}_", hidden.text("Admins"))), "{sso}");
    let bucket = hidden.text("secret-plans.s3.eu-west-1.amazonaws.com");
    assert!(
        bucket.ends_with(".s3.eu-west-1.amazonaws.com") && !bucket.contains("secret"),
        "{bucket}"
    );
    let denied = "User: arn:aws:iam::111111111111:user/anna is not authorized to perform: sts:AssumeRole on \
                  resource: arn:aws:iam::111111111111:role/Vault with an explicit deny in a service control policy";
    let shown = hidden.message(denied);
    assert!(
        !shown.contains("anna") && !shown.contains("Vault") && !shown.contains("1111"),
        "{shown}"
    );
    assert!(
        shown.contains(" is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::"),
        "{shown}"
    );
    assert!(shown.ends_with(" with an explicit deny in a service control policy"), "{shown}");
    let other = hidden.message("The user with name anna.smith cannot be found (10.1.2.3).");
    assert!(
        !other.contains("anna") && !other.contains("10.1") && other.contains("cannot be found"),
        "{other}"
    );
    let agent = hidden
        .agent("aws-cli/2.15 (anna@example.com; 203.0.113.9; arn:aws:iam::111111111111:user/anna)");
    assert!(
        agent.starts_with("aws-cli/2.15 (") && !agent.contains("anna") && !agent.contains("203"),
        "{agent}"
    );
    // Paths keep CloudTrail's layout, so that coverage can be told.
    let name = "AWSLogs/o-exampleorg/111111111111/CloudTrail/eu-west-1/2024/05/01/\
                111111111111_CloudTrail_eu-west-1_20240501T0913Z_WGUh10yYtRBdP2Kx.json.gz";
    let path = hidden.path(&format!("/home/anna/case.zip!{name}"));
    let told = roletrail::sources::layout::delivery(Path::new(&path)).unwrap();
    assert_eq!((told.account, &*told.region), (account.clone(), "eu-west-1"));
    assert!(
        path.contains(".zip!AWSLogs/") && path.contains("/CloudTrail/eu-west-1/2024/05/01/"),
        "{path}"
    );
    assert!(
        !path.contains("anna") && !path.contains("exampleorg") && path.ends_with(".json.gz"),
        "{path}"
    );
    // Another key, other pseudonyms.
    let other = Redactor::new(&Key::new(b"another key for tests alone").unwrap());
    assert_ne!(other.text("anna"), name);
    assert_ne!(other.fingerprint(), hidden.fingerprint());
    assert!(Key::new(b"short").is_err());
}

proptest! {
    /// Whatever stands in a record, nothing panics, JSON stays JSON, and no number of an account or
    /// name that a member holds is left.
    #[test]
    fn any_text_is_taken(name in "[a-z]{6,12}", text in any::<String>(), digits in "[1-9][0-9]{11}") {
        let hidden = redactor();
        // Words of messages are not names.
        prop_assume!(!hidden.message(&name).contains(&name) && !hidden.text(&name).contains(&name));
        let record = serde_json::json!({
            "userIdentity": { "userName": name, "accountId": digits, "arn": format!("arn:aws:iam::{digits}:user/{name}") },
            "errorMessage": format!("{text} {name} {digits}"),
            "requestParameters": { "free": text, "policy": format!("{{\"a\":\"{name}\",\"b\":[1,{digits}]}}"),
                                   "list": [name, { "value": format!("x/{name}:{digits}") }] },
            "responseElements": null,
        });
        let out = hidden.json(&record.to_string());
        let parsed: Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(parsed.as_object().unwrap().len(), 4);
        let about = [&parsed["userIdentity"], &parsed["requestParameters"]["policy"], &parsed["requestParameters"]["list"]];
        for part in about {
            let part = part.to_string();
            prop_assert!(!part.contains(&name) && !part.contains(&digits), "{part}");
        }
        let ending = format!("{name} {digits}");
        prop_assert!(!parsed["errorMessage"].as_str().unwrap().ends_with(&ending));
        prop_assert_eq!(hidden.json(&record.to_string()), out);
        for mode in [Redactor::text, Redactor::message, Redactor::agent, Redactor::path, Redactor::json] {
            mode(&hidden, &text);
        }
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, line: &str, environment: &[(&str, &str)]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().env("NO_COLOR", "1").env("ROLETRAIL_STORE", self.path("store"));
        let output =
            command.envs(environment.iter().copied()).args(line.split(' ')).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text.replace(&*self.0.path().to_string_lossy(), "[TEMP]"))
    }
}

#[test]
fn a_store_is_redacted_by_one_key_or_not_at_all() {
    let place = Place(tempfile::tempdir().unwrap());
    let (code, said) = place.run("ingest --redact sample-logs/two-hats", &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("made a key for pseudonyms: [TEMP]/store.redact-key; keep it"), "{said}");
    let key = std::fs::read_to_string(place.path("store.redact-key")).unwrap();
    assert_eq!(key.trim().len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(place.path("store.redact-key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // No file of the store holds the key.
    for entry in walkdir::WalkDir::new(place.path("store")) {
        let path = entry.unwrap().into_path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(
                memchr::memmem::find(&bytes, key.trim().as_bytes()).is_none(),
                "{}",
                path.display()
            );
        }
    }
    // Repeated it reads nothing again, though paths are stored as pseudonyms.
    let (code, said) = place.run("ingest --redact sample-logs/two-hats", &[]);
    assert!(
        code == 0 && said.contains("0 read, 6 already in") && !said.contains("made a key"),
        "{said}"
    );

    let (code, said) = place.run("ingest sample-logs/two-hats", &[]);
    assert!(
        code == 2 && said.contains("this store is redacted") && said.contains("hint: add --redact"),
        "{said}"
    );
    let other = [("ROLETRAIL_REDACT_KEY", "another key, long enough")];
    let (code, said) = place.run("ingest --redact sample-logs/two-hats", &other);
    assert!(code == 2 && said.contains("redacted with another key"), "{said}");
    assert!(!said.contains("long enough"));
    let short = [("ROLETRAIL_REDACT_KEY", "short")];
    let (code, said) = place.run("ingest --redact sample-logs/two-hats", &short);
    assert!(code == 2 && said.contains("16 bytes at the least"), "{said}");
    let file = place.path("store.redact-key");
    let given =
        format!("ingest --redact --redact-key-file {} sample-logs/three-accounts", file.display());
    assert_eq!(place.run(&given, &other).0, 0);
    let (code, _) = place.run("ingest --redact-key-file x sample-logs/two-hats", &[]);
    assert_eq!(code, 2, "a key without --redact");

    let plain = Place(tempfile::tempdir().unwrap());
    assert_eq!(plain.run("ingest sample-logs/two-hats", &[]).0, 0);
    let (code, said) = plain.run("ingest --redact sample-logs/two-hats", &[]);
    assert!(code == 2 && said.contains("holds logs as they are"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redacted_store_tells_no_more_than_redacted_logs() {
    let place = Place(tempfile::tempdir().unwrap());
    let cut = std::fs::read("sample-logs/two-hats/README.md").unwrap();
    let odd = place.path("anna-111111111111.json");
    std::fs::write(&odd, [b"{\"Records\":[{\"eventTime\":\"anna\"},", &cut[..40]].concat())
        .unwrap();
    let options = Options { redactor: Some(redactor()), ..Options::default() };
    let sources = ["sample-logs/two-hats".to_owned(), odd.to_str().unwrap().to_owned()];
    let store = place.path("store");
    let done = pipeline::ingest(&store, &sources, &options, &Silent).await.unwrap();
    assert!(done.books.rejected > 0);
    for problem in &done.problems {
        let shown = format!("{} {:?}", problem.path.display(), problem.reject);
        assert!(!shown.contains("anna") && !shown.contains("1111"), "{shown}");
    }
    let sql = Sql::open(Source::Store(Store::open(&store).await.unwrap()), 64 << 20).await.unwrap();
    let mut tables = Tables::new();
    for def in TABLES.iter().filter(|def| !is_internal(def)) {
        let query = format!("SELECT * FROM {}", def.name);
        tables.insert(def.name, sql.rows(&query, Params::none()).await.unwrap());
    }
    let names = [
        "anna",
        "SecurityAnalystRole",
        "111111111111",
        "222222222222",
        "198.51.100.23",
        "two-hats",
        "PaymentsRole",
    ];
    for batches in tables.values() {
        for batch in batches {
            let text = arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch))
                .unwrap()
                .to_string();
            for name in names {
                assert!(!text.contains(name), "{name}");
            }
        }
    }
    // What linking keeps for itself is made from pseudonyms as well.
    for entry in walkdir::WalkDir::new(&store) {
        let path = entry.unwrap().into_path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            for name in names {
                assert!(
                    memchr::memmem::find(&bytes, name.as_bytes()).is_none(),
                    "{name} in {}",
                    path.display()
                );
            }
        }
    }
}
