//! Where statements end: at a semicolon that stands neither in quotes nor in a comment.

/// The statements that are whole, without their semicolons, and what is left.
pub(super) fn statements(text: &str) -> (Vec<&str>, &str) {
    let (mut whole, mut from) = (Vec::new(), 0);
    let ends = walk(text).0;
    for end in ends {
        whole.push(&text[from..end]);
        from = end + 1;
    }
    (whole, &text[from..])
}

/// Whether nothing is open: the text ends with a semicolon, or has nothing but white space.
pub(super) fn is_whole(text: &str) -> bool {
    let (ends, open) = walk(text);
    let after = ends.last().map_or(text, |end| &text[end + 1..]);
    !open && is_empty(after)
}

/// Whether there is nothing but white space and comments.
pub(super) fn is_empty(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after).trim_start();
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after).trim_start();
        } else {
            return rest.is_empty();
        }
    }
}

/// Where the semicolons are that end statements, and whether quotes or a comment are left open.
fn walk(text: &str) -> (Vec<usize>, bool) {
    let bytes = text.as_bytes();
    let (mut ends, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &text.as_bytes()[at..];
        let skipped = match rest {
            [b';', ..] => {
                ends.push(at);
                Some(1)
            }
            [quote @ (b'\'' | b'"' | b'`'), inner @ ..] => {
                inner.iter().position(|byte| byte == quote).map(|end| end + 2)
            }
            [b'-', b'-', inner @ ..] => {
                Some(inner.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 3))
            }
            [b'/', b'*', inner @ ..] => {
                inner.windows(2).position(|pair| pair == b"*/").map(|end| end + 4)
            }
            _ => Some(1),
        };
        match skipped {
            Some(length) => at += length,
            None => return (ends, true),
        }
    }
    (ends, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        let text = "SELECT ';' -- ;\n, \"a;b\" /* ; */; SELECT 2;\n SELECT 'é";
        let (whole, rest) = statements(text);
        assert_eq!(whole, ["SELECT ';' -- ;\n, \"a;b\" /* ; */", " SELECT 2"]);
        assert_eq!(rest, "\n SELECT 'é");
        assert!(!is_whole(text));
        assert!(is_whole("SELECT 'it''s';"));
        assert!(!is_whole("SELECT 1"));
        assert!(!is_whole("SELECT ';"));
        assert!(!is_whole("SELECT 1; /* "));
        assert!(is_whole("  \n -- nothing\n"));
        assert!(is_whole(""));
        assert!(is_empty("/* a */ -- b"));
    }
}
