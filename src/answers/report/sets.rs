//! Named sets of saved queries: those that are built in, and a user's own from a TOML file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::sql::Given;
use crate::sql::saved::{Library, Saved, Severity};

/// The built-in ones, as they would stand in a user's file.
const BUILT_IN: &str = include_str!("sets.toml");

/// A set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// What the report is called.
    pub title: String,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub about: String,
    /// The window, where the command names none: `24h`, a date, `last`.
    #[serde(default)]
    pub since: Option<String>,
    /// Its queries, in order.
    pub queries: Vec<Entry>,
}

/// A query in a set: its name, or more.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// By name, as it is.
    Name(String),
    /// With values of its own.
    Tuned(Tuned),
}

/// A query with values of its own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// Its name.
    pub name: String,
    /// How much a row matters here, instead of what the query says.
    #[serde(default)]
    pub severity: Option<String>,
    /// Values for its parameters.
    #[serde(default)]
    pub params: BTreeMap<String, toml::Value>,
}

/// A query of a set, ready to be asked.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The query.
    pub saved: Saved,
    /// How much a row matters.
    pub severity: Severity,
    /// Values of the set.
    pub given: Vec<Given>,
}

/// All sets by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Sets(BTreeMap<String, Set>);

impl Sets {
    /// The built-in sets, and those of a file, which come first.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Usage`] for a file that is none of sets.
    pub fn open(file: Option<&Path>) -> Result<Sets> {
        let mut sets = parse(BUILT_IN, Path::new("sets.toml"))?;
        if let Some(file) = file {
            let text = std::fs::read_to_string(file).map_err(Error::io(file))?;
            sets.extend(parse(&text, file)?);
        }
        Ok(Sets(sets))
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Set)> {
        self.0.iter().map(|(name, set)| (name.as_str(), set))
    }

    /// The set of this name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn by_name(&self, name: &str) -> Result<&Set> {
        self.0.get(name).ok_or_else(|| Error::NotFound {
            message: format!("there is no set of queries {name}"),
            hint: Some(format!(
                "there are: {}; --sets FILE adds others",
                self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            )),
        })
    }
}

fn parse(text: &str, file: &Path) -> Result<BTreeMap<String, Set>> {
    let sets: BTreeMap<String, Set> = toml::from_str(text).map_err(|e| {
        // The library's words name line and column.
        let text = format!("{}: {}", file.display(), e.to_string().trim_end());
        Error::usage_hint(text, "write [NAME], title = \"…\", queries = [\"role-users\", …]")
    })?;
    // Names become parts of file names.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    for (name, set) in &sets {
        let wrong = if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            "a name consists of letters, digits, - and _"
        } else if set.queries.is_empty() {
            "it has no queries"
        } else {
            continue;
        };
        return Err(Error::usage(format!("{}: [{name}]: {wrong}", file.display())));
    }
    Ok(sets)
}

impl Set {
    /// Its queries.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is not there; [`Error::Usage`].
    pub fn choose(&self, library: &Library) -> Result<Vec<Chosen>> {
        self.queries.iter().map(|entry| entry.choose(library)).collect()
    }
}

impl Entry {
    fn choose(&self, library: &Library) -> Result<Chosen> {
        let tuned = match self {
            Entry::Name(name) => {
                &Tuned { name: name.clone(), severity: None, params: BTreeMap::new() }
            }
            Entry::Tuned(tuned) => tuned,
        };
        let saved = library.by_name(&tuned.name)?.clone();
        let severity = match &tuned.severity {
            Some(name) => name.parse().map_err(|e: String| Error::usage(e))?,
            None => saved.severity,
        };
        let text = |name: &str, value: &toml::Value| match value {
            toml::Value::String(text) => Ok(text.clone()),
            toml::Value::Integer(number) => Ok(number.to_string()),
            toml::Value::Float(number) => Ok(number.to_string()),
            toml::Value::Boolean(yes) => Ok(yes.to_string()),
            _ => Err(Error::usage(format!(
                "parameter {name} of {}: text, numbers, true and false can be values",
                tuned.name
            ))),
        };
        let given = tuned.params.iter().map(|(name, value)| {
            Ok(Given { name: name.clone(), kind: None, value: text(name, value)? })
        });
        let given = given.collect::<Result<Vec<_>>>()?;
        Ok(Chosen { severity, given, saved })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_sets_name_real_queries() {
        let library = Library::built_in();
        let sets = Sets::open(None).unwrap();
        for name in ["daily", "break-glass", "cross-account", "role-health"] {
            let chosen = sets.by_name(name).unwrap().choose(&library).unwrap();
            assert!(chosen.len() >= 5, "{name}");
            for query in chosen {
                assert!(query.saved.params.iter().all(|p| !p.required), "{}", query.saved.name);
            }
        }
    }

    #[test]
    fn a_file_adds_sets_and_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sets.toml");
        let text = "[mine]\ntitle = 'Mine'\nqueries = ['role-users', \
                    {name = 'role-users', severity = 'high', params = {role = 'Admin'}}]\n";
        std::fs::write(&file, text).unwrap();
        let sets = Sets::open(Some(&file)).unwrap();
        let chosen = sets.by_name("mine").unwrap().choose(&Library::built_in()).unwrap();
        assert_eq!(chosen[1].severity, Severity::High);
        assert_eq!(
            (chosen[1].given[0].name.as_str(), chosen[1].given[0].value.as_str()),
            ("role", "Admin")
        );
        for (text, part) in [
            ("[mine]\ntitle = 1", "title = 1"),
            ("[mine]\ntitle = 'x'\nqueries = []", "no queries"),
            ("['../x']\ntitle = 'x'\nqueries = ['y']", "letters"),
            ("[mine]\ntitle = 'x'\nqueries = ['y']\nsinec = '1d'", "sinec"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = Sets::open(Some(&file)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        std::fs::write(&file, "[mine]\ntitle = 'x'\nqueries = ['nothing']").unwrap();
        let sets = Sets::open(Some(&file)).unwrap();
        assert!(sets.by_name("mine").unwrap().choose(&Library::built_in()).is_err());
    }
}
