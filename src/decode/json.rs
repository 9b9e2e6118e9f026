//! One walk over the text of a JSON value that the parser has already accepted: writes it compactly,
//! drops session tokens and hashes the content.
//!
//! The hash is blind to what JSON calls insignificant: white space, order of members, escapes and
//! the spelling of numbers. Copies of one event that went through different tools hash alike.

use std::borrow::Cow;

use memchr::memchr2;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::redact;

/// Deepest nesting that is accepted; CloudTrail's own records stay far below.
pub const MAX_DEPTH: usize = 128;

/// A value nested deeper than [`MAX_DEPTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nested deeper than {MAX_DEPTH} levels")]
pub struct TooDeep;

/// A value after the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical<'a> {
    /// The value without insignificant white space and without session tokens; borrowed where
    /// nothing had to be changed.
    pub text: Cow<'a, str>,
    /// Hash of the content.
    pub hash: u64,
}

/// Walks one JSON value. `text` must be valid JSON (the text of a `RawValue`); for other text the
/// result is unspecified but there is no panic.
///
/// # Errors
/// [`TooDeep`].
pub fn canonical(text: &str) -> Result<Canonical<'_>, TooDeep> {
    let careful = redact::may_hold_token(text);
    let mut walker = Walker { text, at: 0, out: String::new(), copied: 0, careful };
    let hash = walker.value(0)?;
    walker.skip_blank();
    if walker.out.is_empty() && walker.copied == 0 {
        return Ok(Canonical { text: Cow::Borrowed(text), hash });
    }
    walker.flush(walker.at);
    Ok(Canonical { text: Cow::Owned(walker.out), hash })
}

/// The hash of a string value with this content.
pub fn hash_text(text: &str) -> u64 {
    hash_scalar::text(text.as_bytes())
}

/// The hash of one member of an object; an object's hash is the wrapping sum over its members and the hash
/// of an object without any.
pub fn hash_member(key: impl AsRef<[u8]>, value: u64) -> u64 {
    xxh3_64_with_seed(key.as_ref(), value)
}

/// The hash of an object without members.
pub(super) const OBJECT: u64 = 0x6f62_6a65_6374;
/// The hash of an array without elements.
pub(super) const ARRAY: u64 = 0x0061_7272_6179;

/// The hash of an array with one element more.
pub(super) fn hash_element(array: u64, element: u64) -> u64 {
    array.rotate_left(7) ^ hash_member("", element)
}

/// Hashes of values that hold no others.
pub(super) mod hash_scalar {
    use super::{hash_member, xxh3_64};

    /// Of a string with this content.
    pub fn text(content: &[u8]) -> u64 {
        xxh3_64(content)
    }

    /// Of a literal or an integer, as it is written.
    pub fn other(written: &[u8]) -> u64 {
        hash_member("number", xxh3_64(written))
    }
}

struct Walker<'a> {
    text: &'a str,
    at: usize,
    out: String,
    /// Input up to here is in `out` or was left out on purpose.
    copied: usize,
    /// Whether the text may hold a session token at all; most does not, and is walked faster.
    careful: bool,
}

impl<'a> Walker<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn flush(&mut self, to: usize) {
        self.out.push_str(self.text.get(self.copied..to).unwrap_or(""));
        self.copied = to;
    }

    /// Steps over white space and leaves it out of the copy.
    fn skip_blank(&mut self) {
        let start = self.at;
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
        if self.at > start {
            self.flush(start);
            self.copied = self.at;
        }
    }

    fn value(&mut self, depth: usize) -> Result<u64, TooDeep> {
        if depth > MAX_DEPTH {
            return Err(TooDeep);
        }
        self.skip_blank();
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => Ok(hash_text(&self.string_value())),
            _ => Ok(self.scalar()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<u64, TooDeep> {
        self.at += 1;
        let mut hash = OBJECT;
        let mut first = true;
        loop {
            self.skip_blank();
            match self.peek() {
                b'"' => {}
                b',' => {
                    self.at += 1;
                    continue;
                }
                _ => break,
            }
            if self.careful {
                self.flush(self.at);
            }
            let kept = self.out.len();
            let key = self.string();
            self.skip_blank();
            self.at += 1; // the colon
            if self.careful && redact::is_token_key(&key) {
                self.drop_member(kept, first, depth)?;
                continue;
            }
            hash = hash.wrapping_add(hash_member(&*key, self.value(depth + 1)?));
            first = false;
        }
        self.at += 1;
        Ok(hash)
    }

    /// Leaves a member out of the copy, of which `kept` bytes came before it, together with one
    /// comma beside it.
    fn drop_member(&mut self, kept: usize, first: bool, depth: usize) -> Result<(), TooDeep> {
        self.value(depth + 1)?;
        self.out.truncate(kept);
        self.copied = self.at;
        if first {
            self.skip_blank();
            if self.peek() == b',' {
                self.at += 1;
            }
            self.copied = self.at;
        } else if self.out.ends_with(',') {
            self.out.pop();
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<u64, TooDeep> {
        self.at += 1;
        let mut hash = ARRAY;
        loop {
            self.skip_blank();
            match self.peek() {
                b',' => self.at += 1,
                b']' | 0 => break,
                _ => {
                    let before = self.at;
                    hash = hash_element(hash, self.value(depth + 1)?);
                    if self.at == before {
                        break; // not JSON after all: do not stand still
                    }
                }
            }
        }
        self.at += 1;
        Ok(hash)
    }

    /// Steps over a string and gives its content, unescaped.
    fn string(&mut self) -> Cow<'a, str> {
        let open = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
            match memchr2(b'"', b'\\', rest) {
                Some(n) if rest[n] == b'\\' => {
                    escaped = true;
                    self.at += n + 2;
                }
                Some(n) => {
                    self.at += n + 1;
                    break;
                }
                None => {
                    self.at = self.text.len();
                    break;
                }
            }
        }
        let inner = self.text.get(open + 1..self.at.saturating_sub(1)).unwrap_or("");
        if !escaped {
            return Cow::Borrowed(inner);
        }
        let quoted = self.text.get(open..self.at).unwrap_or("\"\"");
        // A lone surrogate has no text; its escapes stand for themselves.
        serde_json::from_str::<String>(quoted).map_or(Cow::Borrowed(inner), Cow::Owned)
    }

    /// A string in value position: scrubbed when it may hold a token of its own.
    fn string_value(&mut self) -> Cow<'a, str> {
        let open = self.at;
        let content = self.string();
        if !self.careful || !redact::may_hold_token(&content) {
            return content;
        }
        let clean = redact::scrub(&content);
        if clean == *content {
            return content;
        }
        self.flush(open);
        self.out.push_str(&serde_json::Value::String(clean.clone()).to_string());
        self.copied = self.at;
        Cow::Owned(clean)
    }

    fn scalar(&mut self) -> u64 {
        let start = self.at;
        while !matches!(self.peek(), b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t' | 0) {
            self.at += 1;
        }
        let text = self.text.get(start..self.at).unwrap_or("");
        let integral = !text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E'));
        match text.parse::<f64>() {
            Ok(number) if !integral && number.fract() == 0.0 && number.abs() < 9e15 => {
                hash_scalar::other((number as i64).to_string().as_bytes())
            }
            Ok(number) if !integral => hash_member("number", number.to_bits()),
            _ => hash_scalar::other(text.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn walk(text: &str) -> Canonical<'_> {
        canonical(text).unwrap()
    }

    #[test]
    fn hash_is_blind_to_what_json_calls_insignificant() {
        let plain = r#"{"a":1,"b":[true,null,"x/y"],"c":{}}"#;
        let other = "{ \"c\" : { },\n\t\"b\": [ true , null, \"x\\/y\" ], \"a\": 1.0 }";
        assert_eq!(walk(plain).hash, walk(other).hash);
        assert!(matches!(walk(plain).text, Cow::Borrowed(_)));
        assert_ne!(walk(plain).hash, walk(r#"{"a":1,"b":[null,true,"x/y"],"c":{}}"#).hash);
        assert_ne!(walk(r#"{"a":"1"}"#).hash, walk(r#"{"a":1}"#).hash);
        assert_ne!(walk(r#"{"a":{"b":1}}"#).hash, walk(r#"{"b":{"a":1}}"#).hash);
    }

    #[test]
    fn tokens_leave_no_trace_wherever_they_stand() {
        let secret = "FwoGZXIvYXdzEExampleExample";
        for (text, clean) in [
            (r#"{"sessionToken":"T"}"#, "{}"),
            (r#"{"sessionToken":"T","a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1,"sessionToken":"T"}"#, r#"{"a":1}"#),
            (r#"{"a":1, "sessionToken" : "T" , "b":2}"#, r#"{"a":1,"b":2}"#),
            (r#"{"x":{"session\u0054oken":["T"]}}"#, r#"{"x":{}}"#),
            (r#"{"sessionToken":"T","sessionToken":"T"}"#, "{}"),
        ] {
            let text = text.replace('T', secret).replace(&format!("session{secret}"), "sessionT");
            let got = canonical(&text).unwrap();
            assert_eq!(got.text, clean, "{text}");
            assert_eq!(got.hash, walk(clean).hash, "{text}");
        }
        let nested = format!(r#"{{"event":"{{\"sessionToken\":\"{secret}\"}}"}}"#);
        assert!(!walk(&nested).text.contains("FwoG"));
        assert!(serde_json::from_str::<Value>(&walk(&nested).text).is_ok());
    }

    #[test]
    fn refuses_depth_without_overflowing() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(canonical(&deep), Err(TooDeep));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..5)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn pretty_and_compact_are_one(value in any_json()) {
            let compact = value.to_string();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(walk(&compact).hash, walk(&pretty).hash);
            prop_assert_eq!(serde_json::from_str::<Value>(&walk(&pretty).text).unwrap(), value);
        }

        #[test]
        fn no_panic_on_any_text(text in ".{0,200}") {
            let _ = canonical(&text);
        }
    }
}
