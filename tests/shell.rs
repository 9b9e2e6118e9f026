//! `roletrail shell` at a pseudo-terminal and from a pipe.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("NO_COLOR", "1");
    command
}

fn piped(text: &str) -> Output {
    let mut child = program()
        .args(["shell", "--logs", "sample-logs/two-hats"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn at_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let ingest =
        program().args(["ingest", "sample-logs/two-hats", "--store"]).arg(&store).output().unwrap();
    assert!(ingest.status.success(), "{ingest:?}");
    let program = Path::new(env!("CARGO_BIN_EXE_roletrail"));
    let said = support::python::run("shell.py", &[program, &store, dir.path()]);
    assert!(said.lines().count() >= 14 && !said.contains("FAILED"), "{said}");
}

#[test]
fn from_a_pipe() {
    let output = piped(
        "\\format csv\nSELECT 1 AS \"one;\"; SELECT\n 2 AS two -- ;\n;\n\\run session-origin session=s-pe9hc9\nSELECT 3 AS three",
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("one;\n1\ntwo\n2\n") && text.ends_with("three\n3\n"), "{text}");
    assert!(!text.contains("roletrail=>"), "{text}");
}

#[test]
fn a_pipe_goes_on_after_an_error_and_says_so_at_the_end() {
    let output = piped("SELECT nothing FROM events;\nSELECT 7 AS seven;\n\\nonsense\n");
    assert!(String::from_utf8_lossy(&output.stdout).contains("seven"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    for said in [
        "there is no column nothing",
        "line 1, column 8",
        "^^^^^^^",
        "\\nonsense",
        "2 statements failed",
    ] {
        assert!(errors.contains(said), "{said}: {errors}");
    }
    assert_eq!(output.status.code(), Some(2), "{errors}");
}

#[test]
fn statements_only_read() {
    for sql in [
        "DROP TABLE events",
        "CREATE TABLE x AS SELECT 1",
        "CREATE VIEW x AS SELECT 1",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "INSERT INTO events SELECT * FROM events",
        "DELETE FROM events",
        "UPDATE events SET event_name = 'x'",
        "COPY events TO '/tmp/roletrail-test.csv'",
        "COPY (SELECT 1) TO '/tmp/roletrail-test.csv'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "PREPARE p AS SELECT 1",
        "EXPLAIN ANALYZE INSERT INTO events SELECT * FROM events",
    ] {
        for dialect in ["aws", "datafusion"] {
            let run = program()
                .args(["query", sql, "--dialect", dialect, "--logs", "sample-logs/two-hats"])
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&run.stderr).into_owned();
            assert_eq!(run.status.code(), Some(1), "{sql}: {errors}");
            assert!(errors.contains("only read here"), "{sql}: {errors}");
        }
    }
    assert!(!Path::new("/tmp/roletrail-test.csv").exists());
}

#[test]
fn errors_name_the_place_and_near_names() {
    for (sql, said, place, near) in [
        ("SELECT evnt_name FROM events", "no column evnt_name", "line 1, column 8", "event_name"),
        (
            "SELECT e.evnt_name\nFROM events e",
            "no column e.evnt_name",
            "line 1, column 8",
            "event_name",
        ),
        ("SELECT event_name\n  FROM event", "no table event", "line 2, column 8", "events"),
        ("SELECT cuont(*) FROM events", "no function cuont", "line 1, column 8", "count"),
        (
            "SELECT json_get_strr(extra, 'a') FROM events",
            "no function json_get_strr",
            "line 1, column 8",
            "json_get_str",
        ),
        (
            "SELECT * FROM ancestrs('s-pe9hc9')",
            "no table function ancestrs",
            "line 1, column 15",
            "ancestors",
        ),
        ("SELECT event_name FRM events", "cannot be read", "line 1, column 23", ""),
        ("SELECT\n'abc", "cannot be read", "line 2, column", ""),
        ("SELECT useridentity.arm FROM cloudtrail_logs", "no member arm", "line 1, column", ""),
        (
            "SELECT event_id FROM 6ab2d4b2-0000-4000-8000-0123456789ab",
            "no column event_id",
            "line 1, column 8",
            "eventid",
        ),
    ] {
        let run =
            program().args(["query", sql, "--logs", "sample-logs/two-hats"]).output().unwrap();
        let errors = String::from_utf8_lossy(&run.stderr).into_owned();
        for part in [said, place, near, "^"] {
            assert!(errors.contains(part), "{sql}: {part:?} is not in\n{errors}");
        }
        assert_eq!(run.status.code(), Some(1), "{errors}");
    }
}

/// More than fits into memory goes to disk and is not refused.
#[test]
fn a_small_memory_spills() {
    let sql = "SELECT count(*) AS n FROM (SELECT repeat(CAST(value AS text), 4) AS v, count(*) AS c \
               FROM generate_series(1, 700000) GROUP BY 1)";
    let plan = format!("EXPLAIN ANALYZE {sql}");
    let run = |sql: &str| {
        let run = program()
            .args(["query", sql, "--memory", "64", "--format", "csv"])
            .args(["--logs", "sample-logs/two-hats"])
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    assert_eq!(run(sql), "n\n700000\n");
    let plan = run(&plan);
    let spills = plan.split("spill_count=").skip(1).any(|rest| !rest.starts_with('0'));
    assert!(spills, "nothing was spilled: {plan}");
}

#[test]
fn manual_pages_name_every_command() {
    let page = program().arg("man").output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    for command in [
        "ingest",
        "query",
        "shell",
        "sessions",
        "session",
        "chain",
        "who",
        "timeline",
        "event",
        "schema",
        "completions",
        "man",
    ] {
        assert!(page.contains(&format!("roletrail\\-{command}(1)")), "{command}");
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(program().args(["man", "-o"]).arg(dir.path()).status().unwrap().success());
    assert!(dir.path().join("roletrail-who.1").exists() && dir.path().join("roletrail.1").exists());
}

#[test]
fn every_shell_has_its_completion() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = program().args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(script.stdout).unwrap();
        for word in ["timeline", "shell", "dialect"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
