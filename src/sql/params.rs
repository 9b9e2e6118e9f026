//! Values for `$name` in a statement: bound as typed values, never pasted into the text.

use std::collections::HashMap;

use datafusion::common::ParamValues;
use datafusion::common::ScalarValue;
use datafusion::common::metadata::ScalarAndMetadata;

use crate::error::{Error, Result};
use crate::model::time;

/// Named values for one statement.
#[derive(Debug, Clone, Default)]
pub struct Params {
    values: HashMap<String, ScalarValue>,
}

impl Params {
    /// No values.
    pub fn none() -> Params {
        Params::default()
    }

    /// Adds text; `None` is NULL.
    #[must_use]
    pub fn text<'t>(mut self, name: &str, value: impl Into<Option<&'t str>>) -> Params {
        let value = value.into().map(str::to_owned);
        self.values.insert(name.to_owned(), ScalarValue::Utf8(value));
        self
    }

    /// Adds an instant in microseconds since 1970; `None` is NULL.
    #[must_use]
    pub fn instant(mut self, name: &str, value: Option<i64>) -> Params {
        let value = ScalarValue::TimestampMicrosecond(value, Some("UTC".into()));
        self.values.insert(name.to_owned(), value);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn int(mut self, name: &str, value: i64) -> Params {
        self.values.insert(name.to_owned(), ScalarValue::Int64(Some(value)));
        self
    }

    /// Adds any value.
    pub fn insert(&mut self, name: String, value: ScalarValue) {
        self.values.insert(name, value);
    }

    /// Whether there is a value for `$name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name.trim_start_matches('$'))
    }

    /// A value that none of the wanted parameters takes.
    pub(super) fn unwanted(&self, wanted: &std::collections::HashSet<String>) -> Option<&str> {
        let names = self.values.keys().map(String::as_str);
        let takes = |name: &&str| wanted.iter().any(|w| w.trim_start_matches('$') == *name);
        names.filter(|name| !takes(name)).min()
    }

    pub(super) fn into_values(self) -> ParamValues {
        let typed = self.values.into_iter().map(|(k, v)| (k, ScalarAndMetadata::from(v)));
        ParamValues::Map(typed.collect())
    }
}

/// Reads `name=value` or `name:type=value` as given after `-p`. Without a type the value is text,
/// so that account ids keep their leading zeros. Types: `text`, `int`, `float`, `bool`, `time`.
///
/// # Errors
/// [`Error::Usage`].
pub fn parse_param(text: &str, now: i64) -> Result<(String, ScalarValue)> {
    let wrong = |what: String| {
        Error::usage_hint(what, "write -p name=value, or -p name:int=5, -p since:time=24h")
    };
    let (name, value) =
        text.split_once('=').ok_or_else(|| wrong(format!("parameter {text} has no value")))?;
    let (name, kind) = name.split_once(':').unwrap_or((name, "text"));
    let bad = || wrong(format!("{value} is no {kind}"));
    let value = match kind {
        "text" => ScalarValue::Utf8(Some(value.to_owned())),
        "int" => ScalarValue::Int64(Some(value.parse().map_err(|_| bad())?)),
        "float" => ScalarValue::Float64(Some(value.parse().map_err(|_| bad())?)),
        "bool" => ScalarValue::Boolean(Some(value.parse().map_err(|_| bad())?)),
        "time" => ScalarValue::TimestampMicrosecond(
            Some(time::parse_user_time(value, now).ok_or_else(bad)?),
            Some("UTC".into()),
        ),
        other => return Err(wrong(format!("parameter type {other} is not known"))),
    };
    Ok((name.to_owned(), value))
}
