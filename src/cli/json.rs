//! JSON documents: indented, and with hidden characters written as `\uXXXX`, so that they can be
//! looked at safely.

use serde_json::Value;

use crate::output::safe;

/// The text of a value, with a line end. Values nest a hundred levels at the most; whoever builds
/// one keeps to that.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    push(&mut out, value, 0);
    out.push('\n');
    out
}

fn push(out: &mut String, value: &Value, level: usize) {
    match value {
        Value::String(text) => safe::push_json(out, text),
        Value::Array(items) if !items.is_empty() => {
            // Lists of plain values stay on one line.
            let flat = items.iter().all(|item| !item.is_array() && !item.is_object());
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                separate(out, i, level, flat);
                push(out, item, level + 1);
            }
            end(out, level, flat);
            out.push(']');
        }
        Value::Object(members) if !members.is_empty() => {
            out.push('{');
            for (i, (name, member)) in members.iter().enumerate() {
                separate(out, i, level, false);
                safe::push_json(out, name);
                out.push_str(": ");
                push(out, member, level + 1);
            }
            end(out, level, false);
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn separate(out: &mut String, i: usize, level: usize, flat: bool) {
    out.push_str(match (i, flat) {
        (0, _) => "",
        (_, true) => ", ",
        (_, false) => ",",
    });
    if !flat {
        end(out, level + 1, false);
    }
}

fn end(out: &mut String, level: usize, flat: bool) {
    if !flat {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_back_and_hides_nothing() {
        let value = serde_json::json!({
            "version": 1, "keys": ["a", "\u{202e}b"], "none": [], "rows": [{"n": null}, {}],
        });
        let written = text(&value);
        assert!(!written.contains('\u{202e}') && written.contains("[\"a\", \"\\u202eb\"]"));
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
    }
}
