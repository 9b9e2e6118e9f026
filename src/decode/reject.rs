//! What could not be read: where, why, and its text without session tokens.

use super::redact;

/// What may not be exceeded; hitting a limit is reported, never a silent cut.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest record, bytes of uncompressed JSON. CloudTrail's own limit is 256 KB (1 MB in Lake).
    pub record_bytes: usize,
    /// Longest string in a record, bytes as written in JSON.
    pub string_bytes: usize,
    /// Deepest nesting of a record, at most [`MAX_DEPTH`](super::json::MAX_DEPTH).
    pub depth: usize,
    /// Most content kept of something that cannot be read, bytes.
    pub reject_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            record_bytes: 16 << 20,
            string_bytes: 4 << 20,
            depth: super::json::MAX_DEPTH,
            reject_bytes: 256 << 10,
        }
    }
}

impl Limits {
    /// Which limit the text of a record breaks.
    pub(super) fn broken_by(&self, text: &str) -> Option<String> {
        // Most records are shorter than the longest string, and depth is checked as they are read.
        if text.len() <= self.string_bytes && self.depth >= super::json::MAX_DEPTH {
            return None;
        }
        let (depth, longest) = measure(text.as_bytes());
        if depth > self.depth {
            return Some(format!("nested deeper than {} levels (--max-depth)", self.depth));
        }
        (longest > self.string_bytes)
            .then(|| format!("a string exceeds {} bytes (--max-string)", self.string_bytes))
    }

    pub(super) fn record_exceeds(&self) -> String {
        format!("record exceeds {} bytes (--max-record)", self.record_bytes)
    }
}

/// Deepest nesting and longest string of valid JSON. The record itself is level 0.
fn measure(text: &[u8]) -> (usize, usize) {
    let (mut depth, mut deepest, mut longest) = (0usize, 0, 0);
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let start = at + 1;
                at = start;
                while let Some(n) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or(&[])) {
                    at += n;
                    if text[at] == b'"' {
                        break;
                    }
                    at += 2;
                }
                longest = longest.max(at.saturating_sub(start));
            }
            b'{' | b'[' => {
                deepest = deepest.max(depth);
                depth += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    (deepest, longest)
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Record number, byte offset in the uncompressed text, and where in the container.
    pub position: String,
    /// What is wrong.
    pub reason: String,
    /// The text, without session tokens; `None` when there is none to show.
    pub content: Option<String>,
}

/// Names that lead from an element of a container to the record in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inside {
    steps: [&'static str; Inside::MOST],
}

impl Inside {
    /// Records lie no deeper in anything that is known.
    pub const MOST: usize = 5;

    /// One step further; `None` when that is too deep.
    pub fn step(mut self, name: &'static str) -> Option<Inside> {
        let free = self.steps.iter_mut().find(|step| step.is_empty())?;
        *free = name;
        Some(self)
    }

    fn shown(&self) -> String {
        let steps: Vec<&str> = self.steps.iter().copied().filter(|s| !s.is_empty()).collect();
        steps.join(".")
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Counts what should be a record in the file, from 1.
    pub number: u64,
    /// Of the first byte of the element that holds it, in the uncompressed text; rows of Parquet have none.
    pub offset: Option<u64>,
    /// Where in that element.
    pub inside: Inside,
}

impl Place {
    /// As it is written into `rejects.position`.
    pub fn shown(&self) -> String {
        let inside = self.inside.shown();
        let mut place = format!("record {}", self.number);
        if let Some(offset) = self.offset {
            place.push_str(&format!(", byte {offset}"));
        }
        if inside.is_empty() { place } else { format!("{place}, in {inside}") }
    }

    /// A reject of what stands here; of its text at most `cap` bytes are kept.
    pub fn reject(&self, reason: String, text: &str, cap: usize) -> Reject {
        // Names of tokens at the cut must still be seen whole.
        let clean = redact::scrub(cut(text, cap.saturating_add(256)));
        let clean = cut(&clean, cap);
        Reject {
            position: self.shown(),
            reason,
            content: (!clean.is_empty()).then(|| clean.to_owned()),
        }
    }
}

/// The beginning of a text, at most `bytes` of it.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The parser's message without its line and column: they count from the record's start, while
/// positions shown to people count from the file's.
pub(super) fn message_of(e: &serde_json::Error) -> String {
    let text = e.to_string().replace("invalid unicode code point", "invalid UTF-8");
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_measured_outside_and_inside_of_strings() {
        assert_eq!(measure(br#"{"a":[{"b":"]]}}\""}],"cc":1}"#), (2, 6));
        let limits = Limits { string_bytes: 5, depth: 1, ..Limits::default() };
        assert_eq!(limits.broken_by(r#"{"a":"xxxxx","b":{}}"#), None);
        assert!(limits.broken_by(r#"{"a":"xxxxxx"}"#).unwrap().contains("5 bytes"));
        assert!(limits.broken_by(r#"{"a":[[]]}"#).unwrap().contains("1 levels"));
    }

    #[test]
    fn a_token_at_the_cut_is_still_removed() {
        let place = Place { number: 1, offset: Some(0), inside: Inside::default() };
        let text = format!(r#"{{"sessionToken":"{}"}}"#, "FwoGZXIvYXdz".repeat(40));
        let reject = place.reject("x".into(), &text, 30);
        assert!(!reject.content.unwrap().contains("FwoG"));
    }
}
