//! What is wrong with a statement: in a sentence, with the place in its text and names that are near.

use std::collections::BTreeSet;

use datafusion::common::utils::datafusion_strsim::normalized_levenshtein;
use datafusion::common::{DataFusionError, SchemaError};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::dialect::Grammar;
use crate::error::{Error, Place};

/// Names less alike than this are not offered.
const ALIKE: f64 = 0.5;

/// Names that are offered at most.
const OFFERED: usize = 3;

/// Says an error of the engine in our words, where it is one about the statement.
pub(super) fn explained(sql: &str, error: Error, context: &SessionContext) -> Error {
    let Error::Sql(engine) = error else { return error };
    let (message, word, hint) = match engine.find_root() {
        DataFusionError::SchemaError(schema, _) => match column(schema) {
            Some(said) => said,
            None => return Error::Sql(engine),
        },
        DataFusionError::SQL(parser, _) => (parsing(&parser.to_string()), None, None),
        DataFusionError::Plan(text) => planning(text, context),
        _ => return Error::Sql(engine),
    };
    let place = place_of(sql, &engine, word.as_deref());
    Error::Statement { message, place, hint }
}

type Said = (String, Option<String>, Option<String>);

fn column(error: &SchemaError) -> Option<Said> {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let name = field.name.clone();
            let known: BTreeSet<&str> = valid_fields.iter().map(|c| c.name.as_str()).collect();
            let tables: BTreeSet<&str> =
                valid_fields.iter().filter_map(|c| Some(c.relation.as_ref()?.table())).collect();
            let hint = offered(&name, known.iter().copied()).or_else(|| {
                let tables = tables.into_iter().collect::<Vec<_>>().join(", ");
                (!tables.is_empty())
                    .then(|| format!("tables of the query: {tables}; see roletrail schema TABLE"))
            });
            Some((format!("there is no column {}", field.flat_name()), Some(name), hint))
        }
        SchemaError::AmbiguousReference { field } => Some((
            format!("column {} is in several tables of the query", field.name),
            Some(field.name.clone()),
            Some("write the table before it: table.column".to_owned()),
        )),
        _ => None,
    }
}

/// `sql parser error: Expected: … at Line: 1, Column: 23` without its place, which is shown apart.
fn parsing(text: &str) -> String {
    let text = text.trim_start_matches("sql parser error: ");
    let end = text.rfind(" at Line: ").unwrap_or(text.len());
    let text = text[..end].replacen("Expected: ", "expected ", 1).replacen("found: ", "found ", 1);
    format!("the statement cannot be read: {text}")
}

fn quoted(text: &str) -> Option<&str> {
    text.split('\'').nth(1)
}

fn planning(text: &str, context: &SessionContext) -> Said {
    let first = text.lines().next().unwrap_or(text);
    let name = quoted(first).map(|name| name.rsplit('.').next().unwrap_or(name).to_owned());
    let state = context.state();
    if let Some(name) = name.clone().filter(|_| first.starts_with("table function ")) {
        let known: Vec<&str> = state.table_functions().keys().map(String::as_str).collect();
        let hint = offered(&name, known.iter().copied());
        return (format!("there is no table function {name}"), Some(name), hint);
    }
    if let Some(name) =
        name.clone().filter(|_| first.ends_with("not found") && first.starts_with("table "))
    {
        let known = tables(context);
        let known = known.iter().map(String::as_str);
        let all = || format!("there are: {}", known.clone().collect::<Vec<_>>().join(", "));
        let hint = offered(&name, known.clone()).unwrap_or_else(all);
        return (format!("there is no table {name}"), Some(name), Some(hint));
    }
    if let Some(name) = name.filter(|_| first.starts_with("Invalid function ")) {
        let scalar = state.scalar_functions().keys();
        let known =
            scalar.chain(state.aggregate_functions().keys()).chain(state.window_functions().keys());
        let ours = super::functions().into_iter().map(|f| f.name.to_owned());
        let known: BTreeSet<String> = known.cloned().chain(ours).collect();
        let hint = offered(&name, known.iter().map(String::as_str));
        let hint = hint.unwrap_or_else(|| "see roletrail schema --functions".to_owned());
        return (format!("there is no function {name}"), Some(name), Some(hint));
    }
    for kind in ["DDL", "DML", "Statement"] {
        if let Some(what) = first.strip_prefix(&format!("{kind} not supported: ")) {
            let hint = "an answer is written to a file with -o FILE".to_owned();
            return (format!("statements only read here: {what} is refused"), None, Some(hint));
        }
    }
    if let Some(member) =
        first.strip_prefix("Field ").and_then(|t| t.strip_suffix(" not found in struct"))
    {
        let hint = "roletrail schema TABLE shows the members of its structs".to_owned();
        return (format!("there is no member {member}"), Some(member.to_owned()), Some(hint));
    }
    (first.to_owned(), None, None)
}

/// Names of all tables and views.
pub(super) fn tables(context: &SessionContext) -> Vec<String> {
    let catalog = context.catalog("datafusion");
    let mut names =
        catalog.and_then(|c| c.schema("public")).map_or(Vec::new(), |s| s.table_names());
    names.sort_unstable();
    names
}

/// The names most like the one that was meant, as a hint.
pub fn offered<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    let name = name.to_lowercase();
    let alike = |known: &str| {
        let known = known.to_lowercase();
        let whole = normalized_levenshtein(&name, &known);
        // Two letters that changed places count as one slip.
        let swapped = (1..name.len()).any(|i| {
            let mut bytes = name.clone().into_bytes();
            bytes.swap(i - 1, i);
            bytes == known.as_bytes()
        });
        let begins = name.len() >= 4 && known.starts_with(&name);
        if swapped || begins { 0.8 + whole / 5.0 } else { whole }
    };
    let mut near: Vec<(f64, &str)> = known.map(|known| (alike(known), known)).collect();
    near.retain(|(how, _)| *how >= ALIKE);
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<&str> = near.into_iter().take(OFFERED).map(|(_, name)| name).collect();
    (!names.is_empty()).then(|| format!("did you mean {}?", names.join(", ")))
}

/// Where the statement is wrong: as the engine says, else where the word stands that it names.
fn place_of(sql: &str, error: &DataFusionError, word: Option<&str>) -> Option<Place> {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    if let Some(span) = span {
        let (line, column) = (span.start.line, span.start.column);
        let length = if span.end.line == line { span.end.column.saturating_sub(column) } else { 1 };
        return Place::new(sql, line, column, length);
    }
    let text = error.find_root().to_string();
    if let Some((line, column)) = written_place(&text) {
        return Place::new(sql, line, column, 1);
    }
    let word = word?;
    let tokens = Tokenizer::new(&Grammar, sql).tokenize_with_location().ok()?;
    let is_word = |token: &Token| match token {
        Token::Word(found) => found.value.eq_ignore_ascii_case(word),
        _ => false,
    };
    let found = tokens.iter().find(|token| is_word(&token.token))?;
    let start = found.span.start;
    Place::new(sql, start.line, start.column, word.chars().count() as u64)
}

/// Reads `at Line: 1, Column: 23`.
fn written_place(text: &str) -> Option<(u64, u64)> {
    let rest = &text[text.rfind("Line: ")? + "Line: ".len()..];
    let (line, column) = rest.split_once(", Column: ")?;
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    Some((line.parse().ok()?, digits.parse().ok()?))
}
