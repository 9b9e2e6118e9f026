//! The line at the prompt: history, several lines, completion of what SQL and the commands know.

use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::{commands, text};
use crate::cli::schema;
use crate::error::{Error, Result};
use crate::sql::Sql;
use crate::sql::saved::Library;

const KEYWORDS: &[&str] = &[
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COUNT(*)",
    "CROSS JOIN",
    "DESC",
    "DISTINCT",
    "ELSE",
    "END",
    "EXPLAIN",
    "FROM",
    "GROUP BY",
    "HAVING",
    "IN",
    "IS NOT NULL",
    "IS NULL",
    "JOIN",
    "LEFT JOIN",
    "LIKE",
    "LIMIT",
    "NOT",
    "ON",
    "OR",
    "ORDER BY",
    "SELECT",
    "THEN",
    "UNION ALL",
    "UNNEST",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Lines that are kept.
const HISTORY: usize = 2000;

pub(super) fn open(tables: &Sql, library: &Library) -> Result<Editor<Words, FileHistory>> {
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(false);
    let trouble = |error| Error::usage(format!("the terminal cannot be used: {error}"));
    let config = config.max_history_size(HISTORY).map_err(trouble)?.build();
    let mut editor = Editor::with_config(config).map_err(trouble)?;
    editor.set_helper(Some(Words::of(tables, library)));
    Ok(editor)
}

/// `$ROLETRAIL_HISTORY`, else `.roletrail_history` at home.
pub(super) fn history_file() -> Option<PathBuf> {
    let named = std::env::var_os("ROLETRAIL_HISTORY").map(PathBuf::from);
    named.or_else(|| Some(std::env::home_dir()?.join(".roletrail_history")))
}

/// Words that can be completed.
pub(super) struct Words {
    tables: Vec<String>,
    saved: Vec<String>,
    sql: Vec<String>,
}

impl Words {
    fn of(tables: &Sql, library: &Library) -> Words {
        let names: Vec<String> = schema::tables().map(|table| table.name.to_owned()).collect();
        let columns = schema::tables().flat_map(|table| table.columns).map(|c| c.name.to_owned());
        let functions = tables.functions().into_iter().map(|name| format!("{name}("));
        let keywords = KEYWORDS.iter().map(|word| (*word).to_owned());
        let mut sql: Vec<String> =
            names.iter().cloned().chain(columns).chain(functions).chain(keywords).collect();
        sql.sort_unstable();
        sql.dedup();
        let saved = library.all().iter().map(|saved| saved.name.clone()).collect();
        Words { tables: names, saved, sql }
    }

    fn candidates(&self, before: &str, word: &str) -> Vec<String> {
        let all: Vec<String> = match before.split_whitespace().next() {
            None if word.starts_with('\\') => {
                commands::COMMANDS.iter().map(|(name, ..)| format!("\\{name}")).collect()
            }
            Some("\\run") => self.saved.clone(),
            Some("\\d") => self.tables.clone(),
            _ => self.sql.clone(),
        };
        let small = word.to_lowercase();
        all.into_iter().filter(|known| known.to_lowercase().starts_with(&small)).collect()
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..at).unwrap_or(line);
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\\' | '-');
        let from = before
            .rfind(|c| !part(c))
            .map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
        let word = &before[from..];
        if word.is_empty() {
            return Ok((from, Vec::new()));
        }
        Ok((from, self.candidates(&before[..from], word)))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let input = context.input().trim();
        let is_word = ["quit", "exit"].contains(&input.to_lowercase().as_str());
        let whole = input.starts_with('\\') || is_word || text::is_whole(input);
        Ok(if whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Highlighter for Words {}
impl Hinter for Words {
    type Hint = String;
}
impl Helper for Words {}
