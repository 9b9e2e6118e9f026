//! Everything in the README that can be run is run, and what it shows is what comes out.
//!
//! `UPDATE_README=1 cargo test --test all readme::` writes what comes out into the README, to be read
//! before it is kept.

use std::path::Path;
use std::process::Command;

use roletrail::cli::schema;

const README: &str = "README.md";

/// Runs one command line of the README in `dir` and gives its standard output.
fn run(line: &str, dir: &Path) -> String {
    // What a reader builds is what is tested here, only built already.
    let line = line.replacen("cargo run --quiet --", "roletrail", 1);
    let binary = Path::new(env!("CARGO_BIN_EXE_roletrail"));
    let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(&line).current_dir(dir).env_clear();
    let output = shell.env("PATH", path).env("COLUMNS", "100").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The README with the output of every `$ ` line in its console blocks put in anew.
fn with_fresh_output(readme: &str, dir: &Path) -> (String, usize) {
    let (mut fresh, mut commands) = (String::new(), 0);
    let mut in_console = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            in_console = line == "```console";
        }
        let command = line.strip_prefix("$ ").filter(|_| in_console);
        if in_console && command.is_none() && !line.starts_with("```") {
            continue; // old output
        }
        fresh.push_str(line);
        fresh.push('\n');
        if let Some(command) = command {
            commands += 1;
            for line in run(command, dir).lines() {
                fresh.push_str(line.trim_end());
                fresh.push('\n');
            }
        }
    }
    (fresh, commands)
}

/// The reference of all tables, from the same lists that make the tables.
fn reference() -> String {
    let mut text = String::new();
    for table in schema::tables() {
        text.push_str(&format!(
            "\n### {}\n\n{}\n\n| column | type | meaning |\n|---|---|---|\n",
            table.name, table.doc
        ));
        for column in table.columns {
            let doc = column.doc.replace('|', "\\|");
            text.push_str(&format!(
                "| `{}` | {} | {doc} |\n",
                column.name,
                column.kind.sql_name().replace('<', "&lt;")
            ));
        }
    }
    text
}

fn with_fresh_reference(readme: &str) -> String {
    const MARK: &str = "<!-- tables -->\n";
    let mut parts = readme.split(MARK);
    let (before, after) = (parts.next().unwrap(), parts.nth(1));
    let after = after.expect("the README has two marks around its table reference");
    format!("{before}{MARK}{}\n{MARK}{after}", reference())
}

#[test]
fn readme_tells_the_truth() {
    let readme = std::fs::read_to_string(README).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::os::unix::fs::symlink(root.join("sample-logs"), dir.path().join("sample-logs")).unwrap();
    let (fresh, commands) = with_fresh_output(&readme, dir.path());
    let fresh = with_fresh_reference(&fresh);
    assert!(commands >= 5, "the README shows {commands} commands");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(README, &fresh).unwrap();
    }
    let mut lines = readme.lines().zip(fresh.lines());
    if let Some((shown, real)) = lines.find(|(shown, real)| shown != real) {
        panic!("the README shows\n  {shown}\nbut it is\n  {real}");
    }
    assert_eq!(readme.lines().count(), fresh.lines().count());
}
