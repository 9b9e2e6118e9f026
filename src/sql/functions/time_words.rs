//! Formats of times as MySQL and Java write them, in the words of the library that formats here.

/// A format in chrono's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words(pub(super) String);

/// MySQL's `%Y-%m-%d %H:%i:%s`; `None` for what has no equal.
pub(super) fn from_mysql(format: &str) -> Option<Words> {
    let mut words = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            words.push(letter);
            continue;
        }
        words.push_str(match letters.next()? {
            'Y' => "%Y",
            'y' => "%y",
            'm' => "%m",
            'c' => "%-m",
            'd' => "%d",
            'e' => "%-d",
            'H' => "%H",
            'k' => "%-H",
            'h' | 'I' => "%I",
            'l' => "%-I",
            'i' => "%M",
            's' | 'S' => "%S",
            'f' => "%6f",
            'p' => "%p",
            'T' => "%H:%M:%S",
            'r' => "%I:%M:%S %p",
            'M' => "%B",
            'b' => "%b",
            'W' => "%A",
            'a' => "%a",
            'j' => "%j",
            '%' => "%%",
            _ => return None,
        });
    }
    Some(Words(words))
}

/// Java's `yyyy-MM-dd'T'HH:mm:ss`; `None` for what has no equal.
pub(super) fn from_joda(format: &str) -> Option<Words> {
    let mut words = String::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (text, left) = quoted.split_once('\'')?;
            // Two quotes in a row are one.
            words.push_str(&if text.is_empty() { "'".to_owned() } else { text.replace('%', "%%") });
            rest = left;
            continue;
        }
        let run = rest.chars().take_while(|c| *c == letter).count();
        if !letter.is_ascii_alphabetic() {
            words.push_str(if letter == '%' { "%%" } else { &rest[..letter.len_utf8()] });
            rest = &rest[letter.len_utf8()..];
            continue;
        }
        words.push_str(match (letter, run) {
            ('y' | 'Y', 2) => "%y",
            ('y' | 'Y', _) => "%Y",
            ('M', 1) => "%-m",
            ('M', 2) => "%m",
            ('M', 3) => "%b",
            ('M', _) => "%B",
            ('d', 1) => "%-d",
            ('d', 2) => "%d",
            ('H', 1) => "%-H",
            ('H', 2) => "%H",
            ('h', 1) => "%-I",
            ('h', 2) => "%I",
            ('m', _) => "%M",
            ('s', _) => "%S",
            ('S', 3) => "%3f",
            ('a', _) => "%p",
            ('E', 1..=3) => "%a",
            ('E', _) => "%A",
            _ => return None,
        });
        rest = &rest[run..];
    }
    Some(Words(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_translated() {
        let words = |text: &str| Some(Words(text.to_owned()));
        assert_eq!(from_mysql("%Y-%m-%d %H:%i:%s 100%%"), words("%Y-%m-%d %H:%M:%S 100%%"));
        assert_eq!(from_mysql("%"), None);
        assert_eq!(from_mysql("%X"), None);
        assert_eq!(from_joda("yyyy-MM-dd'T'HH:mm:ss.SSS"), words("%Y-%m-%dT%H:%M:%S.%3f"));
        assert_eq!(from_joda("EEE '%' ''"), words("%a %% '"));
        assert_eq!(from_joda("'open"), None);
        assert_eq!(from_joda("Q€"), None);
    }
}
