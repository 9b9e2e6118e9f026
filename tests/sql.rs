//! SQL over the sample stories, with expected rows: one file a story, its first line naming the logs.
//!
//! `UPDATE_SQL=1 cargo test --test all sql::` writes what the tool says into the files, to be read and
//! judged by eye before it is kept.

use std::path::{Path, PathBuf};

use crate::support;
use arrow::array::{RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use roletrail::error::Error;
use roletrail::sql::saved::{Library, Severity};
use roletrail::sql::{Dialect, ParamType, Params, Source, Sql, parse_param};
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};

struct Session {
    sql: Sql,
    runtime: tokio::runtime::Runtime,
}

impl Session {
    fn open(logs: &Path) -> Session {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tables = support::load(&[logs]).tables;
        let sql = runtime.block_on(Sql::open(Source::Memory(tables), 256 << 20)).unwrap();
        Session { sql, runtime }
    }

    /// A statement, or a saved query and the columns of its answer that matter:
    /// `SAVED name key=value ... > column ...`.
    async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>, Error> {
        let Some(call) = sql.strip_prefix("SAVED ") else {
            let frame = self.sql.plan_exactly(sql, Params::none(), Dialect::Aws).await?;
            return Ok(frame.collect().await?);
        };
        let (call, columns) = call.split_once(" > ").unwrap_or((call, ""));
        let mut words = call.split_whitespace();
        let library = Library::built_in();
        let saved = library.by_name(words.next().unwrap())?;
        let given: Vec<_> = words.map(parse_param).collect::<Result<_, _>>()?;
        let params = saved.bind(&given, NOW)?;
        let mut frame = self.sql.plan_exactly(&saved.sql, params, Dialect::Plain).await?;
        let columns: Vec<&str> = columns.split_whitespace().collect();
        if !columns.is_empty() {
            frame = frame.select_columns(&columns)?;
        }
        frame.collect().await.map_err(Error::from)
    }
}

/// A day after the stories.
const NOW: i64 = 1_714_608_000_000_000;

impl DB for Session {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        let batches = self.runtime.block_on(self.rows(sql))?;
        let options = FormatOptions::default()
            .with_null("NULL")
            .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"));
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let cells: Vec<_> = columns.iter().map(|c| c.value(row).to_string()).collect();
                // One visible line a row: cells may hold blanks.
                rows.push(vec![cells.join(" | ")]);
            }
        }
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any], rows })
    }
}

fn stories() -> Vec<PathBuf> {
    let files = std::fs::read_dir("tests/sql").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|p| p.extension().is_some_and(|e| e == "slt")).collect();
    files.sort();
    files
}

/// From the first line: `# logs: sample-logs/two-hats`.
fn logs_of(file: &Path) -> PathBuf {
    let text = std::fs::read_to_string(file).unwrap();
    let logs = text.lines().next().and_then(|line| line.strip_prefix("# logs: "));
    logs.unwrap_or_else(|| panic!("{} does not name its logs", file.display())).into()
}

#[test]
fn every_story_answers_as_expected() {
    let files = stories();
    assert!(files.len() >= 10, "the SQL tests are missing");
    for file in files {
        let logs = logs_of(&file);
        // Opened outside the runner, which drives its own executor.
        let mut sessions = vec![Session::open(&logs)];
        let mut runner = Runner::new(move || {
            let session = sessions.pop().unwrap_or_else(|| Session::open(&logs));
            async move { Ok(session) }
        });
        if std::env::var_os("UPDATE_SQL").is_some() {
            let update = runner.update_test_file(
                &file,
                " ",
                sqllogictest::default_validator,
                sqllogictest::default_normalizer,
                sqllogictest::default_column_validator,
            );
            futures::executor::block_on(update).unwrap();
        }
        runner.run_file(&file).unwrap_or_else(|e| panic!("{}", e.display(false)));
    }
}

#[test]
fn nothing_is_reported_on_a_clean_day() {
    let session = Session::open(Path::new("sample-logs/clean"));
    let library = Library::built_in();
    for saved in library.all().iter().filter(|saved| saved.severity > Severity::Info) {
        let rows =
            session.runtime.block_on(session.rows(&format!("SAVED {}", saved.name))).unwrap();
        let rows: usize = rows.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 0, "{} finds something in a clean day", saved.name);
    }
}

/// All that the alarms find in all stories together, each row by its first columns that hold text: what
/// they should, and nothing else.
#[test]
fn alarms_go_off_where_they_should_and_nowhere_else() {
    let session = Session::open(Path::new("sample-logs"));
    let mut text = String::new();
    for saved in Library::built_in().all().iter().filter(|saved| saved.severity > Severity::Info) {
        text.push_str(&format!("{}\n", saved.name));
        let rows =
            session.runtime.block_on(session.rows(&format!("SAVED {}", saved.name))).unwrap();
        for batch in &rows {
            let texts = batch.columns().iter().filter(|c| c.as_any().is::<StringArray>()).take(4);
            let cells: Vec<_> = texts
                .map(|column| ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let cells: Vec<_> = cells.iter().map(|c| c.value(row).to_string()).collect();
                text.push_str(&format!("  {}\n", cells.join(" | ").trim_end()));
            }
        }
    }
    insta::assert_snapshot!(text);
}

/// Findings that no story can show: input that is damaged, and two records of one id.
#[test]
fn damaged_and_altered_input_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let record = |name: &str| {
        serde_json::json!({
            "eventVersion": "1.08", "eventID": "e-1", "eventTime": "2024-05-01T09:00:00Z",
            "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
            "recipientAccountId": "111111111111", "userIdentity": {"type": "Unknown"},
        })
    };
    support::write_log(&dir.path().join("a.json.gz"), &[record("ListBuckets")]);
    support::write_log(&dir.path().join("b.json.gz"), &[record("DeleteBucket")]);
    std::fs::write(dir.path().join("c.json"), "{\"Records\":[{\"eventName\":").unwrap();
    let session = Session::open(dir.path());
    let call = "SAVED logging-gaps > finding subject";
    let rows = session.runtime.block_on(session.rows(call)).unwrap();
    let mut said: Vec<String> = rows
        .iter()
        .flat_map(|batch| {
            let cells = |n: usize| {
                ArrayFormatter::try_new(batch.column(n), &FormatOptions::default()).unwrap()
            };
            let (finding, file) = (cells(0), cells(1));
            let name = |row| file.value(row).to_string().rsplit('/').next().unwrap().to_owned();
            (0..batch.num_rows())
                .map(|row| format!("{} {}", finding.value(row), name(row)))
                .collect::<Vec<_>>()
        })
        .collect();
    said.sort();
    assert_eq!(said, ["altered b.json.gz", "unreadable c.json"]);
}

/// Whatever a query asks, it can be asked over logs in which there is nothing, and with every parameter.
#[test]
fn every_saved_query_runs_with_and_without_its_parameters() {
    let session = Session::open(Path::new("sample-logs/clean"));
    for saved in Library::built_in().all() {
        let all =
            saved.params.iter().map(|param| format!(" {}={}", param.name, sample(param.kind)));
        let all: String = all.collect();
        let required = saved.params.iter().filter(|param| param.required);
        let least: String = required.map(|param| format!(" {}=x", param.name)).collect();
        for call in [least, all] {
            let call = format!("SAVED {}{call}", saved.name);
            session.runtime.block_on(session.rows(&call)).unwrap_or_else(|e| panic!("{call}: {e}"));
        }
    }
}

fn sample(kind: ParamType) -> &'static str {
    match kind {
        ParamType::Text => "x",
        ParamType::Int => "3",
        ParamType::Float => "1.5",
        ParamType::Bool => "true",
        ParamType::Time => "2024-05-01T10:00:00Z",
    }
}

/// What a value is shown as in an example.
fn shown(batch: &arrow::array::RecordBatch) -> String {
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"));
    ArrayFormatter::try_new(batch.column(0), &options).unwrap().value(0).to_string()
}

fn rows(session: &Session, sql: &str) -> Result<Vec<arrow::array::RecordBatch>, Error> {
    let frame =
        session.runtime.block_on(session.sql.plan_exactly(sql, Params::none(), Dialect::Aws));
    Ok(session.runtime.block_on(frame?.collect())?)
}

#[test]
fn every_example_of_a_function_gives_its_answer() {
    let session = Session::open(Path::new("sample-logs/two-hats"));
    let functions = roletrail::sql::functions();
    assert!(functions.len() > 40, "{}", functions.len());
    for function in functions {
        let sql = match function.example {
            table if table.starts_with("SELECT") => table.to_owned(),
            value => format!("SELECT {value}"),
        };
        let batches = rows(&session, &sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        let batch = batches.iter().find(|batch| batch.num_rows() > 0).expect(&sql);
        if !function.answer.is_empty() {
            assert_eq!(shown(batch), function.answer, "{sql}");
        }
    }
}

/// Functions see what attackers write: every one of them, with arguments of the kinds it takes.
#[test]
fn hostile_values_are_no_reason_to_fail() {
    let session = Session::open(Path::new("sample-logs/two-hats"));
    let deep = "[".repeat(5000);
    let texts = [
        "",
        " ",
        "\u{0}",
        "€\u{202e}",
        "arn:",
        "arn:::::",
        "AKIAQ",
        "::ffff:1.2.3.4/33",
        "%zz",
        "{\"a\":",
        &deep,
    ];
    let values = texts.iter().map(|text| format!("('{text}')")).collect::<Vec<_>>().join(", ");
    let mut tried = 0;
    for function in roletrail::sql::functions() {
        // The first argument of the example, replaced by a column.
        let Some((name, rest)) = function.example.split_once("('") else { continue };
        let Some((_, rest)) = rest.split_once('\'') else { continue };
        if name != function.name || function.example.contains("timestamp '") {
            continue;
        }
        let sql = format!("SELECT {name}(v{rest} FROM (VALUES {values}) AS t(v)");
        rows(&session, &sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        tried += 1;
    }
    assert!(tried >= 20, "{tried}");
}

#[test]
fn what_was_typed_wrong_is_said() {
    let session = Session::open(Path::new("sample-logs/two-hats"));
    for (sql, said) in [
        ("SELECT ip_in_cidr(source_ip_address, '10.0.0.0/99') FROM events", "10.0.0.0/99"),
        ("SELECT arn_part(principal_arn, 'acount') FROM events", "acount"),
        ("SELECT json_extract(request_parameters, 'roleArn') FROM events", "roleArn"),
        ("SELECT from_iso8601_timestamp('yesterday')", "yesterday"),
        ("SELECT date_diff('fortnight', now(), now())", "fortnight"),
        ("SELECT ip_is_private(5)", "takes text"),
        ("SELECT * FROM ancestors(session_id)", "not a column"),
        ("SELECT * FROM ancestors('s-zzzz')", "s-zzzz"),
        ("SELECT * FROM ancestors('s-')", "too short"),
        ("SELECT * FROM chain_of('nothing')", "nothing"),
    ] {
        let error = rows(&session, sql).unwrap_err().to_string();
        assert!(error.contains(said), "{sql}: {error}");
    }
}

#[test]
fn views_have_the_columns_that_are_documented() {
    let session = Session::open(Path::new("sample-logs/two-hats"));
    for view in roletrail::sql::VIEWS {
        let sql = format!("SELECT * FROM {}", view.def.name);
        let plan = session.sql.plan_exactly(&sql, Params::none(), Dialect::Plain);
        let frame = session.runtime.block_on(plan).unwrap();
        let names: Vec<&str> = frame.schema().fields().iter().map(|f| f.name().as_str()).collect();
        let documented: Vec<&str> = view.def.columns.iter().map(|c| c.name).collect();
        assert_eq!(names, documented, "{}", view.def.name);
    }
}

/// Conditions on the views for Athena and CloudTrail Lake are conditions on the files.
#[test]
fn conditions_reach_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let ingest = std::process::Command::new(env!("CARGO_BIN_EXE_roletrail"))
        .args(["ingest", "sample-logs/two-hats", "--store"])
        .arg(&store)
        .output()
        .unwrap();
    assert!(ingest.status.success());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let opened = runtime.block_on(roletrail::store::Store::open(&store)).unwrap();
    let sql = runtime.block_on(Sql::open(Source::Store(opened), 256 << 20)).unwrap();
    let scan = |query: &str| {
        let sql = sql.plan_exactly(query, Params::none(), Dialect::Aws);
        let frame = runtime.block_on(sql).unwrap();
        let state = frame.clone().into_optimized_plan().unwrap();
        let text = state.display_indent().to_string();
        text.lines().find(|line| line.contains("TableScan")).unwrap().to_owned()
    };
    for (condition, reached) in [
        ("useridentity.sessioncontext.sessionissuer.arn = 'x'", "session_issuer_arn = "),
        ("eventtime >= '2024-05-01T09:00'", "event_time >= "),
        ("eventtime >= '2024-05-01T09:00' AND eventtime < '2024-05-02'", "event_time < "),
        ("year = '2024'", "event_date >= "),
        ("date BETWEEN '2024/05/01' AND '2024/05/02'", "event_date < "),
        ("region = 'eu-west-1'", "aws_region = "),
        ("from_iso8601_timestamp(eventtime) > timestamp '2024-05-01 00:00:00'", "event_time > "),
        ("eventname IN ('AssumeRole', 'CreateUser')", "event_name = "),
    ] {
        let line = scan(&format!("SELECT eventid FROM cloudtrail_logs WHERE {condition}"));
        assert!(line.contains("filters=[") && line.contains(reached), "{condition}: {line}");
        assert!(!line.contains("request_parameters"), "only what is needed is read: {line}");
    }
    for (condition, reached) in [
        ("userIdentity.sessionContext.sessionIssuer.userName = 'x'", "session_issuer_user_name = "),
        ("eventTime > '2024-05-01 00:00:00'", "event_time > "),
        ("userIdentity.arn LIKE 'arn:%'", "principal_arn LIKE "),
    ] {
        let line = scan(&format!("SELECT eventID FROM event_data_store WHERE {condition}"));
        assert!(line.contains("filters=[") && line.contains(reached), "{condition}: {line}");
    }
}
