//! The comment lines at the head of a saved query: what it asks, what it cannot know, its parameters.
//!
//! ```sql
//! -- Who did that?
//! -- question: 1
//! -- group: Who it was
//! -- severity: info
//! -- shows: one line a session; what is
//! --   longer goes on in an indented line
//! -- cannot know: what was not logged
//! -- :since time -- from here on
//! -- :window int = 60 -- minutes
//! -- :event text required -- an event id
//! ```
//!
//! The first line is the title; all others may be left out. A parameter is bound as `$name`: with its
//! default, or NULL without one, unless a value is given.

use datafusion::common::ScalarValue;

use super::{DEFAULT_GROUP, Param, Saved, Severity};
use crate::sql::ParamType;

/// What is wrong, and in which line, counted from 1.
pub(super) type Wrong = (usize, String);

/// Reads a whole file.
pub(super) fn parse(name: &str, sql: &str) -> Result<Saved, Wrong> {
    let mut saved = Saved {
        name: name.to_owned(),
        title: String::new(),
        question: None,
        group: DEFAULT_GROUP.to_owned(),
        severity: Severity::Info,
        shows: String::new(),
        cannot_know: String::new(),
        params: Vec::new(),
        sql: sql.to_owned(),
        file: None,
    };
    for (number, field) in fields(sql) {
        read_field(&mut saved, &field).map_err(|what| (number, what))?;
    }
    if saved.title.is_empty() {
        return Err((1, "the first line must be a comment with the question: -- Who …?".into()));
    }
    let lines: Vec<&str> = sql.lines().collect();
    for param in &saved.params {
        if !mentions(&lines, &param.name) {
            let declares = |line: &&str| line.starts_with(&format!("-- :{}", param.name));
            let line = lines.iter().position(declares).map_or(1, |index| index + 1);
            return Err((line, format!("the statement does not use ${}", param.name)));
        }
    }
    Ok(saved)
}

/// The comment lines at the head with their numbers; lines indented below one another are one.
fn fields(sql: &str) -> Vec<(usize, String)> {
    let mut fields: Vec<(usize, String)> = Vec::new();
    for (index, line) in sql.lines().enumerate() {
        let Some(text) = line.strip_prefix("--") else { break };
        match fields.last_mut() {
            Some((_, field)) if text.starts_with("   ") => {
                field.push(' ');
                field.push_str(text.trim());
            }
            _ => fields.push((index + 1, text.trim().to_owned())),
        }
    }
    fields
}

fn read_field(saved: &mut Saved, field: &str) -> Result<(), String> {
    if saved.title.is_empty() {
        field.clone_into(&mut saved.title);
        return Ok(());
    }
    if let Some(text) = field.strip_prefix(':') {
        let param = read_param(text)?;
        if saved.params.iter().any(|known| known.name == param.name) {
            return Err(format!("parameter {} stands there twice", param.name));
        }
        saved.params.push(param);
        return Ok(());
    }
    // What is no field is a remark.
    let Some((key, value)) = field.split_once(": ") else { return Ok(()) };
    match key {
        "question" => {
            let number = value.parse().map_err(|_| format!("{value} is no number"))?;
            saved.question = Some(number);
        }
        "group" => value.clone_into(&mut saved.group),
        "severity" => saved.severity = value.parse()?,
        "shows" => value.clone_into(&mut saved.shows),
        "cannot know" => value.clone_into(&mut saved.cannot_know),
        _ => {}
    }
    Ok(())
}

/// Reads `name type = default -- meaning`; the type is text where none stands.
fn read_param(text: &str) -> Result<Param, String> {
    let (declared, meaning) = text.split_once(" -- ").unwrap_or((text, ""));
    let (declared, default) = match declared.split_once('=') {
        Some((declared, default)) => (declared, Some(default.trim())),
        None => (declared, None),
    };
    let mut words = declared.split_whitespace();
    let name = words.next().unwrap_or("").to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err("a parameter is written as -- :name type = default -- meaning".into());
    }
    let (mut kind, mut required) = (ParamType::Text, false);
    for word in words {
        match word {
            "required" => required = true,
            word => {
                kind = ParamType::by_name(word)
                    .ok_or_else(|| format!("parameter type {word} is not known"))?;
            }
        }
    }
    let default = default.filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(default) = &default {
        // Relative times need a now; which one does not matter here.
        kind.parse(default, 0).ok_or_else(|| format!("{default} is no {}", kind.name()))?;
    }
    Ok(Param { name, kind, default, required, meaning: meaning.trim().to_owned() })
}

/// Whether the statement below the head uses `$name`.
fn mentions(lines: &[&str], name: &str) -> bool {
    let code = lines.iter().filter(|line| !line.starts_with("--"));
    let mut words = code.flat_map(|line| line.split('$').skip(1));
    words.any(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())] == name
    })
}

/// The value that is bound: what was given, else the default, else NULL. Empty text is no value.
pub(super) fn value(param: &Param, given: Option<&str>, now: i64) -> Option<ScalarValue> {
    match given.or(param.default.as_deref()).filter(|text| !text.is_empty()) {
        Some(text) => param.kind.parse(text, now),
        None => Some(param.kind.null()),
    }
}
