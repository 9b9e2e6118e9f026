//! Saved queries: the files of `queries/`, built into the binary, and those of a user's own folder.

mod built_in;
mod header;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::sql::parser::DFParser;

use super::{Dialect, Given, ParamType, Params};
use crate::error::{Error, Result};

/// How much a row of an answer matters to somebody who is on call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Describes; nothing needs to be done.
    Info,
    /// Worth a look when there is time.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Almost never harmless.
    Critical,
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Severity; 5] =
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Severity, String> {
        let found = Severity::ALL.into_iter().find(|severity| severity.name() == text);
        found.ok_or_else(|| {
            format!("severity {text} is not known: info, low, medium, high, critical")
        })
    }
}

/// A parameter of a saved query, bound as `$name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name, without the dollar.
    pub name: String,
    /// What its values are.
    pub kind: ParamType,
    /// The value where none is given, as text; NULL without one.
    pub default: Option<String>,
    /// Whether the query means nothing without it.
    pub required: bool,
    /// What it does.
    pub meaning: String,
}

/// A saved query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its name: the file's, without ending.
    pub name: String,
    /// The question it answers.
    pub title: String,
    /// Its number among the questions that the tool promises to answer.
    pub question: Option<u8>,
    /// What it belongs to, in lists.
    pub group: String,
    /// What a row of its answer means.
    pub severity: Severity,
    /// What the rows are.
    pub shows: String,
    /// What it misses, and what it reports though nothing is wrong.
    pub cannot_know: String,
    /// Its parameters, in the order of the file.
    pub params: Vec<Param>,
    /// The whole file.
    pub sql: String,
    /// The user's file it comes from; `None` for a query that is built in.
    pub file: Option<PathBuf>,
}

impl Saved {
    /// Whether it has a parameter of this name: `since` and `until` where a window makes sense.
    pub fn takes(&self, name: &str) -> bool {
        self.params.iter().any(|param| param.name == name)
    }

    /// How its statement is read: those that are built in are in the engine's own words.
    pub fn dialect(&self) -> Dialect {
        if self.file.is_none() { Dialect::Plain } else { Dialect::Aws }
    }

    /// The values to bind: given ones, read by the declared types, then the defaults, else NULL.
    /// Values that no parameter takes are bound too, so that the planner can refuse them.
    ///
    /// # Errors
    /// [`Error::Usage`] for a value of the wrong type or a required one that is missing.
    pub fn bind(&self, given: &[Given], now: i64) -> Result<Params> {
        let mut params = Params::none();
        for param in &self.params {
            let value = given.iter().rev().find(|given| given.name == param.name);
            if value.is_none() && param.required {
                return Err(Error::usage_hint(
                    format!("{} needs a value for ${}", self.name, param.name),
                    format!("give it with -p {}=VALUE: {}", param.name, param.meaning),
                ));
            }
            let text = value.map(|given| given.value.as_str());
            let bound = header::value(param, text, now).ok_or_else(|| {
                let (kind, text) = (param.kind.name(), text.unwrap_or_default());
                Error::usage(format!("${} of {} is no {kind}: {text}", param.name, self.name))
            })?;
            params.insert(param.name.clone(), bound);
        }
        for value in given.iter().filter(|given| !self.takes(&given.name)) {
            let (name, value) = value.scalar(now)?;
            params.insert(name, value);
        }
        Ok(params)
    }
}

impl Saved {
    /// An error of the engine about this query; of a user's file it names file and line.
    pub fn blame(&self, error: Error) -> Error {
        match (&self.file, error) {
            (Some(file), Error::Sql(error)) => {
                let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
                let line = span.and_then(|span| usize::try_from(span.start.line).ok());
                let message = error.strip_backtrace();
                Error::usage(Trouble { file: file.clone(), line, message }.to_string())
            }
            (Some(file), Error::Statement { message, place, .. }) => {
                let line = place.and_then(|place| usize::try_from(place.line).ok());
                Error::usage(Trouble { file: file.clone(), line, message }.to_string())
            }
            (_, error) => error,
        }
    }
}

/// Something in a user's folder that is no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The file.
    pub file: PathBuf,
    /// The line, where one is to blame, counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.message),
            None => write!(f, "{}: {}", self.file.display(), self.message),
        }
    }
}

/// Where queries without a group stand in lists.
pub const DEFAULT_GROUP: &str = "Others";

/// No query is longer.
const MOST_BYTES: u64 = 1 << 20;

/// All saved queries that there are.
#[derive(Debug, Clone)]
pub struct Library {
    queries: Vec<Saved>,
    /// Files of the user's folder that could not be used.
    pub troubles: Vec<Trouble>,
}

impl Library {
    /// The queries that are built in.
    pub fn built_in() -> Library {
        let mut library = Library { queries: Vec::new(), troubles: Vec::new() };
        for (name, sql) in built_in::FILES {
            library.add(name, sql, None);
        }
        library
    }

    /// The same, and the files `*.sql` of a folder: they add to them or take their place. A file that
    /// cannot be used is a trouble; the others work.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be read.
    pub fn open(folder: Option<&Path>) -> Result<Library> {
        let mut library = Library::built_in();
        let Some(folder) = folder else { return Ok(library) };
        let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
        let mut files = Vec::new();
        for entry in entries {
            let file = entry.map_err(Error::io(folder))?.path();
            if file.extension().is_some_and(|ending| ending == "sql") && file.is_file() {
                files.push(file);
            }
        }
        files.sort();
        for file in files {
            library.add_file(file);
        }
        Ok(library)
    }

    fn add_file(&mut self, file: PathBuf) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let size = std::fs::metadata(&file).map(|found| found.len());
        let text = match size {
            Ok(size) if size > MOST_BYTES => Err("larger than 1 MiB".to_owned()),
            Ok(_) => std::fs::read(&file).map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let text = text.and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| "is not text (UTF-8)".to_owned())
        });
        match text {
            Ok(text) => self.add(&name, &text, Some(file)),
            Err(message) => self.troubles.push(Trouble { file, line: None, message }),
        }
    }

    fn add(&mut self, name: &str, sql: &str, file: Option<PathBuf>) {
        // Byte order mark and carriage returns of other systems.
        let sql = sql.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let saved = header::parse(name, &sql).map_err(|(line, message)| (Some(line), message));
        let saved = saved.and_then(|saved| check_statement(&sql).map(|()| saved));
        match saved {
            Ok(saved) => {
                let saved = Saved { file, ..saved };
                match self.queries.binary_search_by(|known| known.name.as_str().cmp(name)) {
                    Ok(at) => self.queries[at] = saved,
                    Err(at) => self.queries.insert(at, saved),
                }
            }
            Err((line, message)) => {
                let file = file.unwrap_or_else(|| PathBuf::from(format!("{name}.sql")));
                self.troubles.push(Trouble { file, line, message });
            }
        }
    }

    /// All queries in the order of their names.
    pub fn all(&self) -> &[Saved] {
        &self.queries
    }

    /// All queries by group, numbered questions first.
    pub fn groups(&self) -> Vec<(&str, Vec<&Saved>)> {
        let mut groups: Vec<(&str, Vec<&Saved>)> =
            built_in::GROUPS.iter().map(|group| (*group, Vec::new())).collect();
        for saved in &self.queries {
            match groups.iter_mut().find(|(group, _)| *group == saved.group) {
                Some((_, members)) => members.push(saved),
                None => groups.push((&saved.group, vec![saved])),
            }
        }
        groups.retain(|(_, members)| !members.is_empty());
        for (_, members) in &mut groups {
            members.sort_by_key(|saved| (saved.question.unwrap_or(u8::MAX), &saved.name));
        }
        groups
    }

    /// Finds a query by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the nearest name; [`Error::Usage`] for a user's file that cannot be used.
    pub fn by_name(&self, name: &str) -> Result<&Saved> {
        // The built-in query of that name would answer another question than the user's.
        let broken = |trouble: &&Trouble| trouble.file.file_stem().is_some_and(|stem| stem == name);
        if let Some(trouble) = self.troubles.iter().find(broken) {
            return Err(Error::usage(trouble.to_string()));
        }
        self.queries.iter().find(|saved| saved.name == name).ok_or_else(|| Error::NotFound {
            message: format!("there is no saved query {name}"),
            hint: Some(match self.nearest(name) {
                Some(near) => format!("did you mean {near}? All of them: roletrail query --list"),
                None => "all of them: roletrail query --list".to_owned(),
            }),
        })
    }

    /// The name that the user may have meant: a part of one, or a few letters away.
    fn nearest(&self, name: &str) -> Option<&str> {
        let names = || self.queries.iter().map(|saved| saved.name.as_str());
        let mut holding = names().filter(|known| name.len() >= 4 && known.contains(name));
        if let (Some(only), None) = (holding.next(), holding.next()) {
            return Some(only);
        }
        let near = names().map(|known| (levenshtein(known, name), known)).min()?;
        (near.0 <= name.chars().count() / 2).then_some(near.1)
    }
}

/// One statement that can be read; otherwise where it cannot.
fn check_statement(sql: &str) -> Result<(), (Option<usize>, String)> {
    let statements = DFParser::parse_sql(sql).map_err(|error| {
        let message = error.strip_backtrace();
        let line = message.split("Line: ").nth(1).and_then(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..digits].parse().ok()
        });
        (line, message)
    })?;
    match statements.len() {
        1 => Ok(()),
        n => Err((None, format!("holds {n} statements; a saved query is one"))),
    }
}

#[cfg(test)]
mod tests;
