//! Saved queries: the files of `queries/`, built into the binary.

use crate::error::{Error, Result};

/// A saved query.
#[derive(Debug, Clone, Copy)]
pub struct Saved {
    /// Its name: the file's, without ending.
    pub name: &'static str,
    /// The file: comment lines first (title, meaning, parameters), then one statement.
    pub sql: &'static str,
}

impl Saved {
    /// The question it answers: the first comment line.
    pub fn title(&self) -> &'static str {
        self.sql.lines().next().unwrap_or("").trim_start_matches("--").trim()
    }

    /// Parameters with their default values, from lines like `-- :since = 2024-01-01`.
    pub fn defaults(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let lines = self.sql.lines().filter_map(|line| line.strip_prefix("-- :"));
        lines
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
    }
}

macro_rules! saved {
    ($($name:literal),+ $(,)?) => {
        /// All saved queries, in the order of their names.
        pub const SAVED: &[Saved] = &[$(Saved {
            name: $name,
            sql: include_str!(concat!("../../queries/", $name, ".sql")),
        }),+];
    };
}

saved! {
    "attribution-coverage",
    "cross-account-role-use",
    "denied-role-assumptions",
    "issuing-grant-of-access-key",
    "role-users",
    "session-origin",
    "writes-under-assumed-roles",
}

/// Finds a saved query by name.
///
/// # Errors
/// [`Error::NotFound`] with the names there are.
pub fn by_name(name: &str) -> Result<Saved> {
    SAVED.iter().find(|saved| saved.name == name).copied().ok_or_else(|| Error::NotFound {
        message: format!("there is no saved query {name}"),
        hint: Some(format!(
            "there are: {}",
            SAVED.iter().map(|saved| saved.name).collect::<Vec<_>>().join(", ")
        )),
    })
}
