//! JSON text in the order CloudTrail writes it, built without an intermediate tree.

use std::fmt::Write;

/// An object under construction; fields appear in the order they are added.
pub struct Obj {
    text: String,
}

impl Obj {
    /// An object without fields.
    pub fn new() -> Obj {
        Obj { text: String::from("{") }
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    /// A string field.
    pub fn text(mut self, key: &str, value: &str) -> Obj {
        self.key(key);
        push_quoted(&mut self.text, value);
        self
    }

    /// A string field, left out when there is no value.
    pub fn maybe(self, key: &str, value: Option<&str>) -> Obj {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// A field whose value is JSON already.
    pub fn raw(mut self, key: &str, json: &str) -> Obj {
        self.key(key);
        self.text.push_str(json);
        self
    }

    /// A field whose value is JSON already, left out when there is none.
    pub fn maybe_raw(self, key: &str, json: Option<&str>) -> Obj {
        match json {
            Some(json) => self.raw(key, json),
            None => self,
        }
    }

    /// A number.
    pub fn int(mut self, key: &str, value: i64) -> Obj {
        self.key(key);
        // Writing into a String cannot fail.
        let _ = write!(self.text, "{value}");
        self
    }

    /// A JSON boolean.
    pub fn flag(self, key: &str, value: bool) -> Obj {
        self.raw(key, if value { "true" } else { "false" })
    }

    /// The finished text.
    pub fn done(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// A JSON array of values that are JSON already.
pub fn list(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

/// A JSON string.
pub fn quote(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    push_quoted(&mut text, value);
    text
}

fn push_quoted(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_text_is_escaped() {
        let text = Obj::new().text("b", "x\"y\\\n\u{1}").flag("a", true).int("n", -3).done();
        assert_eq!(text, r#"{"b":"x\"y\\\n\u0001","a":true,"n":-3}"#);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}
