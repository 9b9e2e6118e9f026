//! Trino's functions over JSON text, by JSON path; and the words for those of
//! `datafusion-functions-json`, which take member names and positions.
//!
//! What is no JSON gives NULL. Only the way to the wanted value is read, nothing is built.

use std::borrow::Cow;
use std::fmt;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use datafusion::common::Result;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::sync::Arc;

use super::scalar::{Args, Definition, Gives, Takes};
use super::{FunctionDoc, doc};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    Definition {
        doc: doc("json_extract_scalar", "json, path", "the text, number or boolean at a JSON path, as text; NULL for objects and lists", r#"json_extract_scalar('{"a": {"b": ["x", "y"]}}', '$.a.b[1]')"#, "y"),
        takes: &[Takes::Text, Takes::Text], required: 2, gives: Gives::Text, run: extract_scalar,
    },
    Definition {
        doc: doc("json_extract", "json, path", "the value at a JSON path, as JSON text", r#"json_extract('{"a": {"b": ["x", 1]}}', '$.a["b"]')"#, r#"["x", 1]"#),
        takes: &[Takes::Text, Takes::Text], required: 2, gives: Gives::Text, run: extract,
    },
    Definition {
        doc: doc("json_size", "json, path", "members or items of the object or list at a JSON path", r#"json_size('{"a": [1, 2, 3]}', '$.a')"#, "3"),
        takes: &[Takes::Text, Takes::Text], required: 2, gives: Gives::Int, run: size,
    },
    Definition {
        doc: doc("json_array_length", "json", "items of a JSON list", "json_array_length('[1, 2, 3]')", "3"),
        takes: &[Takes::Text], required: 1, gives: Gives::Int, run: length,
    },
    Definition {
        doc: doc("json_array_contains", "json, text", "whether a JSON list holds the text", r#"json_array_contains('["a", "b"]', 'b')"#, "true"),
        takes: &[Takes::Text, Takes::Text], required: 2, gives: Gives::Bool, run: holds,
    },
    Definition {
        doc: doc("json_array_texts", "json", "the items of a JSON list as a list of text; what CAST(… AS array(varchar)) of JSON means", r#"json_array_texts('["a", 1]')"#, "[a, 1]"),
        takes: &[Takes::Text], required: 1, gives: Gives::TextList, run: items,
    },
    Definition {
        doc: doc("json_parse", "text", "the text, if it is JSON", r#"json_parse('{"a": 1}')"#, r#"{"a": 1}"#),
        takes: &[Takes::Text], required: 1, gives: Gives::Text, run: parse,
    },
    Definition {
        doc: doc("json_format", "json", "JSON as text: JSON is text here already", "json_format('[1]')", "[1]"),
        takes: &[Takes::Text], required: 1, gives: Gives::Text, run: parse,
    },
];

/// Functions of `datafusion-functions-json`.
#[rustfmt::skip]
pub(super) const LIBRARY: &[FunctionDoc] = &[
    doc("json_get_str", "json, key…", "the text at member names and positions (from 0); NULL for other kinds; also json ->> key", r#"json_get_str('{"a": {"b": ["x"]}}', 'a', 'b', 0)"#, "x"),
    doc("json_get_int", "json, key…", "the whole number there", r#"json_get_int('{"a": 5}', 'a')"#, "5"),
    doc("json_get_float", "json, key…", "the number there", r#"json_get_float('{"a": 0.5}', 'a')"#, "0.5"),
    doc("json_get_bool", "json, key…", "the boolean there", r#"json_get_bool('{"a": true}', 'a')"#, "true"),
    doc("json_get_json", "json, key…", "the value there as JSON text", r#"json_get_json('{"a": {"b": 1}}', 'a')"#, r#"{"b": 1}"#),
    doc("json_as_text", "json, key…", "any value there as text", r#"json_as_text('{"a": 5}', 'a')"#, "5"),
    doc("json_contains", "json, key…", "whether there is a value", r#"json_contains('{"a": 5}', 'a')"#, "true"),
    doc("json_length", "json, key…", "members or items there", r#"json_length('{"a": [1, 2]}', 'a')"#, "2"),
];

/// One step of a JSON path.
#[derive(Debug, PartialEq, Eq)]
enum Step<'p> {
    Member(Cow<'p, str>),
    Item(usize),
}

/// Reads `$.a["b c"][0]`; `None` for what is no such path. Wildcards and filters are none.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let name = &after[..end];
            if name.is_empty() || name == "*" {
                return None;
            }
            steps.push(Step::Member(name.into()));
            rest = &after[end..];
            continue;
        }
        let after = rest.strip_prefix('[')?;
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (step, left) = match quote {
            Some(quote) => {
                let (name, left) = after[1..].split_once(quote)?;
                (Step::Member(name.into()), left.strip_prefix(']')?)
            }
            None => {
                let (position, left) = after.split_once(']')?;
                (Step::Item(position.parse().ok()?), left)
            }
        };
        steps.push(step);
        rest = left;
    }
    Some(steps)
}

/// The value behind a step.
fn step<'j>(json: &'j str, step: &Step) -> Option<&'j str> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let found: Option<&RawValue> = Wanted(step).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(found?.get())
}

struct Wanted<'s>(&'s Step<'s>);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<String>()? {
            match self.0 {
                Step::Member(wanted) if *wanted == name => found = Some(members.next_value()?),
                _ => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut position) = (None, 0);
        loop {
            let more = match self.0 {
                Step::Item(wanted) if *wanted == position => {
                    found = items.next_element()?;
                    found.is_some()
                }
                _ => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                return Ok(found);
            }
            position += 1;
        }
    }
}

/// Calls `each` with the value that the path of every row leads to.
fn along<T>(args: &Args, row: usize, each: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
    let (Some(json), Some(path)) = (args.text(0, row), args.text(1, row)) else {
        return Ok(None);
    };
    let Some(steps) = steps(path) else {
        return args.unreadable(1, path, "JSON path (write $.member[0])");
    };
    let value = steps.iter().try_fold(json, |json, wanted| step(json, wanted));
    Ok(value.and_then(each))
}

fn whole(json: &str) -> Option<&str> {
    Some(serde_json::from_str::<&RawValue>(json).ok()?.get())
}

fn scalar_text(json: &str) -> Option<String> {
    match whole(json)?.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b'{' | b'[' => None,
        b'n' => None,
        _ => Some(json.trim().to_owned()),
    }
}

fn list(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

fn extract_scalar(args: &Args) -> Result<ArrayRef> {
    args.texts(|row| along(args, row, scalar_text))
}

fn extract(args: &Args) -> Result<ArrayRef> {
    args.texts(|row| along(args, row, |json| whole(json).map(str::to_owned)))
}

fn size(args: &Args) -> Result<ArrayRef> {
    let count = |json: &str| {
        let members = || serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json);
        let n = list(json).map(|items| items.len()).or_else(|| members().ok().map(|m| m.len()));
        Some(n.map_or(0, |n| i64::try_from(n).unwrap_or(i64::MAX)))
    };
    args.ints(|row| along(args, row, |json| whole(json).and_then(count)))
}

fn length(args: &Args) -> Result<ArrayRef> {
    let items = |row| args.text(0, row).and_then(list).map(|items| items.len());
    args.ints(|row| Ok(items(row).map(|n| i64::try_from(n).unwrap_or(i64::MAX))))
}

fn holds(args: &Args) -> Result<ArrayRef> {
    args.bools(|row| {
        let (Some(items), Some(text)) = (args.text(0, row).and_then(list), args.text(1, row))
        else {
            return Ok(None);
        };
        Ok(Some(items.iter().any(|item| scalar_text(item.get()).as_deref() == Some(text))))
    })
}

fn items(args: &Args) -> Result<ArrayRef> {
    let field = crate::table::list_item(arrow::datatypes::DataType::Utf8);
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(field);
    for row in 0..args.rows() {
        let items = args.text(0, row).and_then(list);
        for item in items.iter().flatten() {
            let text = scalar_text(item.get());
            let whole = || Some(item.get().to_owned()).filter(|json| json != "null");
            lists.values().append_option(text.or_else(whole));
        }
        lists.append(items.is_some());
    }
    Ok(Arc::new(lists.finish()))
}

fn parse(args: &Args) -> Result<ArrayRef> {
    args.texts(|row| {
        let Some(text) = args.text(0, row) else { return Ok(None) };
        match whole(text) {
            Some(json) => Ok(Some(json.to_owned())),
            None => args.unreadable(0, text, "JSON"),
        }
    })
}

/// An object's members as name and text; text itself where a member is text, JSON otherwise.
pub(super) fn members(json: &str) -> Option<Vec<(String, Option<String>)>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
            out.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(member) = members.next_entry()? {
                all.push(member);
            }
            Ok(all)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let all = reader.deserialize_map(Members).ok()?;
    reader.end().ok()?;
    let text = |raw: &RawValue| match raw.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw.get()).ok(),
        Some(b'n') => None,
        _ => Some(raw.get().to_owned()),
    };
    let mut named: Vec<(String, Option<String>)> = Vec::with_capacity(all.len());
    for (name, raw) in all {
        // A map has each key once; the last member of a name counts, as elsewhere.
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = text(raw),
            None => named.push((name, text(raw))),
        }
    }
    Some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let member = |name: &'static str| Step::Member(name.into());
        assert_eq!(steps("$"), Some(vec![]));
        assert_eq!(steps("$.a[0].b"), Some(vec![member("a"), Step::Item(0), member("b")]));
        assert_eq!(steps("$['a.b'][\"c\"]"), Some(vec![member("a.b"), member("c")]));
        for wrong in
            ["", "a", "$a", "$.", "$..a", "$.*", "$[", "$[x]", "$['a]", "$['a'", "$[-1]", "$[€]"]
        {
            assert_eq!(steps(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hostile_json_gives_nothing() {
        let deep = "[".repeat(200_000);
        let wanted = Step::Item(0);
        for json in ["", "{", "[1", "{\"a\":1}x", "\"", deep.as_str(), "nul"] {
            assert_eq!(step(json, &wanted), None);
            assert_eq!(scalar_text(json), None);
            assert_eq!(members(json), None);
        }
        assert_eq!(step("[\"a\", 2 ]", &Step::Item(1)), Some("2"));
        assert_eq!(step("{\"a\":1,\"a\":2}", &Step::Member("a".into())), Some("2"));
    }
}
