//! Values for `$name` in a statement: bound as typed values, never pasted into the text.

use std::collections::HashMap;

use arrow::datatypes::DataType;
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

    /// Adds a list of texts.
    #[must_use]
    pub fn texts<'t>(mut self, name: &str, values: impl IntoIterator<Item = &'t str>) -> Params {
        let values: Vec<_> = values.into_iter().map(ScalarValue::from).collect();
        let list = ScalarValue::new_list_nullable(&values, &DataType::Utf8);
        self.values.insert(name.to_owned(), ScalarValue::List(list));
        self
    }

    /// Adds any value.
    pub fn insert(&mut self, name: String, value: ScalarValue) {
        self.values.insert(name, value);
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ScalarValue)> {
        let mut all: Vec<_> = self.values.iter().map(|(k, v)| (k.as_str(), v)).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all.into_iter()
    }

    /// Whether there is a value for `$name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name.trim_start_matches('$'))
    }

    /// The value for `$name`.
    pub(super) fn get(&self, name: &str) -> Option<&ScalarValue> {
        self.values.get(name.trim_start_matches('$'))
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

/// What the values of a parameter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// Text; account ids too, so that they keep their zeros.
    Text,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// An instant: RFC 3339, a date, or a time ago such as `24h`.
    Time,
}

impl ParamType {
    const ALL: [ParamType; 5] =
        [ParamType::Text, ParamType::Int, ParamType::Float, ParamType::Bool, ParamType::Time];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            ParamType::Text => "text",
            ParamType::Int => "int",
            ParamType::Float => "float",
            ParamType::Bool => "bool",
            ParamType::Time => "time",
        }
    }

    /// Reads a value; `None` when it is none of this type. Times may be relative to `now`
    /// (microseconds since 1970): `24h`, `7d`.
    pub fn parse(self, text: &str, now: i64) -> Option<ScalarValue> {
        Some(match self {
            ParamType::Text => ScalarValue::Utf8(Some(text.to_owned())),
            ParamType::Int => ScalarValue::Int64(Some(text.parse().ok()?)),
            ParamType::Float => ScalarValue::Float64(Some(text.parse().ok()?)),
            ParamType::Bool => ScalarValue::Boolean(Some(text.parse().ok()?)),
            ParamType::Time => {
                let at = time::parse_user_time(text, now)?;
                ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into()))
            }
        })
    }

    /// NULL of this type.
    pub fn null(self) -> ScalarValue {
        match self {
            ParamType::Text => ScalarValue::Utf8(None),
            ParamType::Int => ScalarValue::Int64(None),
            ParamType::Float => ScalarValue::Float64(None),
            ParamType::Bool => ScalarValue::Boolean(None),
            ParamType::Time => ScalarValue::TimestampMicrosecond(None, Some("UTC".into())),
        }
    }

    /// By its word.
    pub fn by_name(name: &str) -> Option<ParamType> {
        ParamType::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A value for a parameter as a user typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Which parameter.
    pub name: String,
    /// The type that was named, if one was.
    pub kind: Option<ParamType>,
    /// The value.
    pub value: String,
}

/// Splits `name=value` or `name:type=value` as given after `-p`. Types: `text`, `int`, `float`, `bool`,
/// `time`.
///
/// # Errors
/// [`Error::Usage`].
pub fn parse_param(text: &str) -> Result<Given> {
    let wrong = |what: String| {
        Error::usage_hint(what, "write -p name=value, or -p name:int=5, -p since:time=24h")
    };
    let (name, value) =
        text.split_once('=').ok_or_else(|| wrong(format!("parameter {text} has no value")))?;
    let (name, kind) = match name.split_once(':') {
        Some((name, kind)) => {
            let known = ParamType::by_name(kind);
            let unknown = || wrong(format!("parameter type {kind} is not known"));
            (name, Some(known.ok_or_else(unknown)?))
        }
        None => (name, None),
    };
    Ok(Given { name: name.to_owned(), kind, value: value.to_owned() })
}

impl Given {
    /// The value for a statement that declares no types: without a type it is text.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn scalar(&self, now: i64) -> Result<(String, ScalarValue)> {
        let kind = self.kind.unwrap_or(ParamType::Text);
        let value = kind.parse(&self.value, now).ok_or_else(|| {
            Error::usage_hint(
                format!("{} is no {}", self.value, kind.name()),
                "write -p name=value, or -p name:int=5, -p since:time=24h",
            )
        })?;
        Ok((self.name.clone(), value))
    }
}
