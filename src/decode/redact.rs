//! Removes session tokens. CloudTrail shows `responseElements.credentials.sessionToken` in clear;
//! nobody needs it to attribute a call, and whoever reads our store must not find it.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

/// What stands in place of a token that was cut out of running text.
pub const REMOVED: &str = "[session token removed]";

/// Shortest run of token characters worth removing; real tokens have hundreds.
const SHORTEST_TOKEN: usize = 16;

/// Whether a JSON key names a session token: `sessionToken`, `X-Amz-Security-Token`, in any case.
pub fn is_token_key(key: &str) -> bool {
    // The shortest of the names: most keys are shorter.
    if key.len() < "sessiontoken".len() {
        return false;
    }
    let plain: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    ["sessiontoken", "securitytoken", "xamzsecuritytoken", "awssessiontoken"]
        .contains(&plain.as_str())
}

/// Cheap test whether [`scrub`] has anything to look at.
pub fn may_hold_token(text: &str) -> bool {
    // Built once: this runs over every byte of every log.
    static NAMES: LazyLock<[Finder; 3]> = LazyLock::new(|| {
        // An escaped ASCII letter could spell the name so that it is not seen.
        ["oken", "OKEN", "\\u00"].map(Finder::new)
    });
    // A name and the shortest token after it.
    const SHORTEST: usize = SHORTEST_TOKEN + 12;
    text.len() >= SHORTEST && NAMES.iter().any(|name| name.find(text.as_bytes()).is_some())
}

/// Replaces the value after every mention of a session token in free text: broken JSON, JSON
/// inside a string, a query string.
pub fn scrub(text: &str) -> String {
    let text = &plain_ascii(text);
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some((start, end)) = next_token(&lower, done) {
        out.push_str(&text[done..start]);
        out.push_str(REMOVED);
        done = end;
    }
    out.push_str(&text[done..]);
    out
}

/// Letters and digits that JSON escapes spell (`\u0054`) as themselves, so that a name or a token
/// cannot hide behind them.
fn plain_ascii(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u00") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u00") {
        let letter = rest.get(at + 4..at + 6).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let letter = letter.map(char::from).filter(char::is_ascii_alphanumeric);
        out.push_str(&rest[..at]);
        match letter {
            Some(letter) => {
                out.push(letter);
                rest = &rest[at + 6..];
            }
            None => {
                out.push_str("\\u00");
                rest = &rest[at + 4..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Byte range of the next token value at or after `from`; `lower` is the text in lower case.
fn next_token(lower: &str, mut from: usize) -> Option<(usize, usize)> {
    const NAMES: [&str; 6] = [
        "sessiontoken",
        "session_token",
        "session-token",
        "securitytoken",
        "security_token",
        "security-token",
    ];
    let bytes = lower.as_bytes();
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"+/=%_-".contains(&b);
    while from < bytes.len() {
        let (at, length) = NAMES
            .iter()
            .filter_map(|name| Some((memmem::find(&bytes[from..], name.as_bytes())?, name.len())))
            .min()?;
        let after = from + at + length;
        // Between name and value: quotes, colons, backslashes, blanks. `=` may be the separator of
        // a query string, so it is stepped over here and only counts inside the value.
        let gap =
            bytes[after..].iter().take(24).take_while(|b| !is_token(**b) || **b == b'=').count();
        let mut start = after + gap;
        while !lower.is_char_boundary(start) {
            start += 1;
        }
        let quoted = bytes[after..start].contains(&b'"');
        let end = start
            + if quoted {
                quoted_length(&bytes[start..])
            } else {
                bytes[start..].iter().take_while(|b| is_token(**b)).count()
            };
        let named_by_colon = bytes[after..start].contains(&b':');
        if quoted && bytes[after..end].ends_with(REMOVED.as_bytes()) && end - start < REMOVED.len()
        {
            // Nothing else is left of it.
            from = end;
            continue;
        }
        if end - start >= SHORTEST_TOKEN || (quoted && named_by_colon && end > start) {
            return Some((start, end));
        }
        from = after;
    }
    None
}

/// Bytes up to the quote that ends a string, whatever stands between, escaped or broken; a quote
/// behind a backslash ends a string inside a string.
fn quoted_length(bytes: &[u8]) -> usize {
    let quote = memchr::memchr(b'"', bytes).unwrap_or(bytes.len());
    let backslashes = bytes[..quote].iter().rev().take_while(|b| **b == b'\\').count();
    quote - backslashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_tokens_out_of_any_text() {
        let token = "IQoJb3JpZ2luX2VjEExampleExample/Example+Example==";
        for text in [
            format!(r#"{{"sessionToken": "{token}", "x": 1"#),
            format!(r#"{{\"SessionToken\":\"{token}\"}}"#),
            format!("https://x/?X-Amz-Security-Token={token}&y=1"),
            format!("aws_session_token = {token}"),
        ] {
            let clean = scrub(&text);
            assert!(!clean.contains("IQoJ"), "{clean}");
            assert!(clean.contains(REMOVED), "{clean}");
        }
        for text in [
            r#"{"sessionToken":"short"}"#.to_owned(),
            format!(r#"{{"session\u0054oken":"{token}","#),
            format!(r#"{{"s\u0065ssionToken":"{}\/{token}"#, &token[..7]),
            format!(r#"{{"sessionToken":"{token}\q{token}"}}"#),
            format!(r#"{{"SecurityToken" : "{token}"}}"#),
        ] {
            let clean = scrub(&text);
            assert!(!clean.contains("IQoJ") && !clean.contains("short"), "{clean}");
        }
        let again = scrub(&format!(r#"{{"sessionToken":"{REMOVED}{token}"}}"#));
        assert!(!again.contains("IQoJ"), "{again}");
        assert_eq!(scrub(&again), again, "once is enough");
        for blanks in 0..30 {
            let odd = format!("sessionToken{}{token}", "\u{a0}".repeat(blanks));
            assert!(scrub(&odd).len() <= odd.len(), "no character is cut in two");
        }
        let harmless = "no sessionToken here, and é stays";
        assert_eq!(scrub(harmless), harmless);
        assert!(is_token_key("sessionToken") && is_token_key("X-Amz-Security-Token"));
        assert!(!is_token_key("token"));
    }
}
