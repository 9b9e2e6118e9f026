//! Removes session tokens. CloudTrail shows `responseElements.credentials.sessionToken` in clear;
//! nobody needs it to attribute a call, and whoever reads our store must not find it.

use memchr::memmem;

/// What stands in place of a token that was cut out of running text.
pub const REMOVED: &str = "[session token removed]";

/// Shortest run of token characters worth removing; real tokens have hundreds.
const SHORTEST_TOKEN: usize = 16;

/// Whether a JSON key names a session token: `sessionToken`, `X-Amz-Security-Token`, in any case.
pub fn is_token_key(key: &str) -> bool {
    let plain: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    plain == "sessiontoken" || plain == "xamzsecuritytoken" || plain == "awssessiontoken"
}

/// Cheap test whether [`scrub`] has anything to look at.
pub fn may_hold_token(text: &str) -> bool {
    let finder = |needle: &[u8]| memmem::find(text.as_bytes(), needle).is_some();
    // An escaped ASCII letter could spell the name so that it is not seen.
    finder(b"oken") || finder(b"OKEN") || finder(br"\u00")
}

/// Replaces the value after every mention of a session token in free text: broken JSON, JSON
/// inside a string, a query string.
pub fn scrub(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    let mut from = 0;
    while let Some((start, end)) = next_token(&lower, from) {
        out.push_str(&text[done..start]);
        out.push_str(REMOVED);
        done = end;
        from = end;
    }
    out.push_str(&text[done..]);
    out
}

/// Byte range of the next token value at or after `from`; `lower` is the text in lower case.
fn next_token(lower: &str, mut from: usize) -> Option<(usize, usize)> {
    let bytes = lower.as_bytes();
    while from < bytes.len() {
        let named = ["sessiontoken", "session_token", "security-token", "security_token"]
            .iter()
            .filter_map(|name| Some((memmem::find(&bytes[from..], name.as_bytes())?, name.len())))
            .min()?;
        let after = from + named.0 + named.1;
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"+/=%_-".contains(&b);
        // Between name and value: quotes, colons, backslashes, blanks. `=` may be the separator of
        // a query string, so it is stepped over here and only counts inside the value.
        let gap =
            bytes[after..].iter().take(24).take_while(|b| !is_token(**b) || **b == b'=').count();
        let start = after + gap;
        let length = bytes[start..].iter().take_while(|b| is_token(**b)).count();
        if length >= SHORTEST_TOKEN {
            return Some((start, start + length));
        }
        from = after;
    }
    None
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
        let harmless = "no sessionToken here, and é stays";
        assert_eq!(scrub(harmless), harmless);
        assert!(is_token_key("sessionToken") && is_token_key("X-Amz-Security-Token"));
        assert!(!is_token_key("token"));
    }
}
