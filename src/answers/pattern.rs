//! Patterns as people type them, `*` for anything, as patterns of SQL's LIKE.

/// Whether the text has a wildcard.
pub fn has_wildcard(text: &str) -> bool {
    text.contains('*')
}

/// The LIKE pattern for a text with `*`; what LIKE takes for special is escaped by a backslash,
/// which the engine knows as escape without being told.
pub fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        match c {
            '*' => pattern.push('%'),
            '%' | '_' | '\\' => pattern.extend(['\\', c]),
            c => pattern.push(c),
        }
    }
    pattern
}

/// The LIKE pattern for a text anywhere in a value; with wildcards the text decides itself.
pub fn like_anywhere(text: &str) -> String {
    if has_wildcard(text) { like(text) } else { format!("%{}%", like(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stars_are_special() {
        assert_eq!(like("s3:Delete*"), "s3:Delete%");
        assert_eq!(like("50%_a\\b*"), "50\\%\\_a\\\\b%");
        assert_eq!(like_anywhere("AWSReservedSSO_"), "%AWSReservedSSO\\_%");
        assert_eq!(like_anywhere("*x"), "%x");
    }
}
