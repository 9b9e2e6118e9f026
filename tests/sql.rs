//! SQL over the sample stories, with expected rows: one file a story, its first line naming the logs.
//!
//! `UPDATE_SQL=1 cargo test --test sql` writes what the tool says into the files, to be read and
//! judged by eye before it is kept.

mod support;

use std::path::{Path, PathBuf};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use roletrail::error::Error;
use roletrail::sql::{Params, Source, Sql};
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
}

impl DB for Session {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        let batches = self.runtime.block_on(self.sql.rows(sql, Params::none()))?;
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
