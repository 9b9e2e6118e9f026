//! Neutralising hostile text.
//!
//! User agents, session names and error messages are written by whoever is being investigated. Shown
//! as they are, they could move the cursor, recolour or rewrite what the reader sees, hide
//! themselves, become a formula in a spreadsheet or markup in a page. Every output for people or
//! spreadsheets goes through here; outputs for programs (JSON, Parquet, Arrow) keep the data.
//!
//! A backslash stays a backslash, so that JSON and Windows paths stay readable; the price is that
//! an escape in the output may have been written that way in the log. The functions change
//! nothing that they have made themselves, except where the target's own syntax demands it
//! (Markdown, HTML).

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character must not reach a reader's eye as it is: control characters (C0, C1, DEL),
/// line and paragraph separators, and what steers or hides text without being seen: writing
/// direction, zero width, fillers, tags.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// For terminals: hidden characters become visible escapes (`\n`, `\x1b`, `\u{202e}`), so the
/// result is one line without any effect on the terminal.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push_visible(&mut out, c));
    Cow::Owned(out)
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if !is_hidden(c) => out.push(c),
        // Writing to a String cannot fail.
        c if c.is_ascii() => _ = write!(out, "\\x{:02x}", u32::from(c)),
        c => _ = write!(out, "\\u{{{:x}}}", u32::from(c)),
    }
}

/// For a text cell of a CSV file, before quoting: as [`terminal`], and what a spreadsheet would
/// take for a formula gets an apostrophe in front. Not for numbers, where a minus is a minus.
pub fn csv(text: &str) -> Cow<'_, str> {
    let visible = terminal(text);
    if !starts_formula(&visible) {
        return visible;
    }
    Cow::Owned(format!("'{visible}"))
}

/// Spreadsheets skip leading blanks, and some read full-width signs as the plain ones.
fn starts_formula(text: &str) -> bool {
    let first = text.chars().find(|c| !c.is_whitespace());
    first.is_some_and(|c| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c))
}

/// For a cell of a Markdown table: as [`terminal`], and nothing in it is markup or ends the cell.
pub fn markdown(text: &str) -> Cow<'_, str> {
    let visible = terminal(text);
    if !visible.contains(['\\', '|', '`', '*', '[', ']', '<', '>', '&']) {
        return visible;
    }
    let mut out = String::with_capacity(visible.len() + 16);
    for c in visible.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '[' | ']' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// For text or a quoted attribute in HTML: as [`terminal`], and nothing in it is markup.
pub fn html(text: &str) -> Cow<'_, str> {
    let visible = terminal(text);
    if !visible.contains(['<', '>', '&', '"', '\'']) {
        return visible;
    }
    let mut out = String::with_capacity(visible.len() + 16);
    for c in visible.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Appends `text` as a JSON string. The value is unchanged for whoever parses it; hidden characters
/// are written as `\uXXXX`, so that the JSON can be looked at safely.
pub fn push_json(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_harmless_stays() {
        for text in ["", "arn:aws:sts::1:assumed-role/x/é", "日本語 \\x1b", "C:\\dir"] {
            assert_eq!(terminal(text), text);
            assert_eq!(csv(text), text);
            assert_eq!(html(text), text);
        }
    }

    #[test]
    fn hidden_characters_become_visible() {
        assert_eq!(terminal("\u{1b}[31mred\u{7f}\u{9b}2J"), "\\x1b[31mred\\x7f\\u{9b}2J");
        assert_eq!(terminal("a\nb\rc\td\0"), "a\\nb\\rc\\td\\x00");
        assert_eq!(
            terminal("admin\u{202e}txt\u{200b}\u{2028}"),
            "admin\\u{202e}txt\\u{200b}\\u{2028}"
        );
        assert_eq!(terminal("\u{e0041}\u{feff}"), "\\u{e0041}\\u{feff}");
    }

    #[test]
    fn formulas_are_defused() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1"] {
            assert_eq!(csv(text), format!("'{text}"));
        }
        // Their blank is made visible, which defuses them too.
        assert_eq!(csv("\t=1"), "\\t=1");
        assert_eq!(csv("\r=1"), "\\r=1");
        assert_eq!(csv("a=1"), "a=1");
    }

    #[test]
    fn markup_is_defused() {
        let hostile = "<script>x|`y`[a](http://b) *c* &amp; \\|";
        assert_eq!(
            markdown(hostile),
            "&lt;script&gt;x\\|\\`y\\`\\[a\\](http://b) \\*c\\* &amp;amp; \\\\\\|"
        );
        assert_eq!(html("<a b='\"'>&"), "&lt;a b=&#39;&quot;&#39;&gt;&amp;");
    }

    proptest! {
        #[test]
        fn no_hidden_character_survives(text in any::<String>()) {
            let mut json = String::new();
            push_json(&mut json, &text);
            for safe in [&*terminal(&text), &*csv(&text), &*markdown(&text), &*html(&text), &json] {
                prop_assert!(!safe.chars().any(is_hidden), "{safe:?}");
            }
        }

        #[test]
        fn hidden_characters_of_every_kind_are_caught(
            text in "[\u{0}-\u{20}\u{7f}-\u{9f}\u{200b}-\u{206f}\u{e0000}-\u{e007f}=+@|<a-z-]{0,20}"
        ) {
            prop_assert!(!terminal(&text).chars().any(|c| c.is_control() || is_hidden(c)));
            prop_assert!(!csv(&text).starts_with(['=', '+', '-', '@', '\t', '\r']));
            prop_assert!(!html(&text).contains(['<', '>', '"', '\'']));
            // A bar that ends a cell has an even number of backslashes before it.
            let escaped = markdown(&text);
            for (at, _) in escaped.match_indices('|') {
                let slashes = escaped[..at].chars().rev().take_while(|c| *c == '\\').count();
                prop_assert!(slashes % 2 == 1, "{escaped:?}");
            }
        }

        #[test]
        fn twice_is_as_good_as_once(text in any::<String>()) {
            let once = terminal(&text).into_owned();
            prop_assert_eq!(&*terminal(&once), &once);
            let once = csv(&text).into_owned();
            prop_assert_eq!(&*csv(&once), &once);
        }

        #[test]
        fn json_gives_the_text_back(text in any::<String>()) {
            let mut json = String::new();
            push_json(&mut json, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
