//! Words that are changed in the text itself, each in as many characters as it had.
//!
//! Event data stores are named by an id (`FROM 6ab2d4b2-…`), by `$EDS_ID` or by what a page shows in
//! its place; no grammar takes these for a name. Quoted names in capital letters mean the same column
//! in Trino as in small ones.

use std::collections::{HashMap, HashSet};

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::Grammar;

/// What stands for an event data store in the text that is parsed.
pub(super) const STORE: &str = "eds";

/// The text to parse.
pub(super) struct Text {
    pub sql: String,
    /// Quoted names as they were spelled, by their small letters.
    pub spelled: HashMap<String, String>,
}

/// Changes the words. A text that cannot be split into words is left as it is: the parser says why.
pub(super) fn prepared(sql: &str) -> Text {
    let Ok(tokens) = Tokenizer::new(&Grammar, sql).tokenize_with_location() else {
        return Text { sql: sql.to_owned(), spelled: HashMap::new() };
    };
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect();
    let places = Places::of(sql);
    let mut changes: Vec<(usize, usize, String)> = Vec::new();
    for pair in tokens.windows(2) {
        let Some(from) = places.byte(pair[1].span.start).filter(|_| names_follow(&pair[0].token))
        else {
            continue;
        };
        if let Some(length) = store_name(&sql[from..]) {
            changes.push((from, from + length, STORE.to_owned()));
        }
    }
    let spelled = small_names(&tokens);
    for token in &tokens {
        let Token::Word(word) = &token.token else { continue };
        let small = word.value.to_ascii_lowercase();
        let from = places.byte(token.span.start);
        let Some(from) = from.filter(|_| word.quote_style.is_some()) else { continue };
        if spelled.get(&small) == Some(&word.value) && sql[from + 1..].starts_with(&word.value) {
            changes.push((from + 1, from + 1 + small.len(), small));
        }
    }
    Text { sql: changed(sql, changes), spelled }
}

/// Quoted names with capital letters that are spelled in one way only.
fn small_names(tokens: &[TokenWithSpan]) -> HashMap<String, String> {
    let mut spelled: HashMap<String, HashSet<&str>> = HashMap::new();
    for token in tokens {
        if let Token::Word(word) = &token.token
            && word.quote_style.is_some()
        {
            spelled.entry(word.value.to_ascii_lowercase()).or_default().insert(&word.value);
        }
    }
    let once = spelled.into_iter().filter_map(|(small, ways)| {
        let [way] = *ways.into_iter().collect::<Vec<_>>() else { return None };
        (way != small).then(|| (small, way.to_owned()))
    });
    once.collect()
}

fn names_follow(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            word.quote_style.is_none() && matches!(word.keyword, Keyword::FROM | Keyword::JOIN)
        }
        Token::Comma => true,
        _ => false,
    }
}

/// The length of an event data store's name at the beginning of the text.
fn store_name(text: &str) -> Option<usize> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$');
    let length = text.find(|c| !part(c)).unwrap_or(text.len());
    let word = text.get(..length)?.to_ascii_lowercase();
    let known = is_uuid(&word)
        || word.strip_prefix('$').is_some_and(|name| name.starts_with("eds"))
        || ["eds-id", "event-data-store-id"].contains(&word.as_str());
    (known && length > STORE.len()).then_some(length)
}

/// Whether the text is an id as event data stores have it.
pub(super) fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

fn changed(sql: &str, mut changes: Vec<(usize, usize, String)>) -> String {
    changes.sort_unstable();
    let mut out = String::with_capacity(sql.len());
    let mut at = 0;
    for (from, to, word) in changes {
        if from < at {
            continue;
        }
        out.push_str(&sql[at..from]);
        out.push_str(&word);
        out.extend(std::iter::repeat_n(' ', (to - from).saturating_sub(word.len())));
        at = to;
    }
    out.push_str(&sql[at..]);
    out
}

/// Where lines and columns are in the text.
struct Places<'t> {
    lines: Vec<(usize, &'t str)>,
}

impl<'t> Places<'t> {
    fn of(text: &'t str) -> Places<'t> {
        let mut from = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            let start = from;
            from += line.len();
            (start, line)
        });
        Places { lines: lines.collect() }
    }

    fn byte(&self, at: Location) -> Option<usize> {
        let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
        let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
        let (start, text) = self.lines.get(line)?;
        text.char_indices().nth(column).map(|(offset, _)| start + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_event_data_stores_keep_their_length() {
        for name in ["$EDS_ID", "eds-ID", "6ab2d4b2-0000-4000-8000-0123456789ab"] {
            let sql = format!("SELECT *\nFROM {name} WHERE x = '{name}' -- FROM {name}");
            let Text { sql: read, .. } = prepared(&sql);
            assert_eq!(read.len(), sql.len());
            assert!(read.starts_with("SELECT *\nFROM eds "), "{read}");
            assert!(read.ends_with(&format!("WHERE x = '{name}' -- FROM {name}")), "{read}");
        }
        assert_eq!(prepared("SELECT $1, $edge").sql, "SELECT $1, $edge");
    }

    #[test]
    fn quoted_names_are_read_in_small_letters() {
        let Text { sql, spelled } = prepared("SELECT 'É', \"eventName\" AS \"É Name\"");
        assert_eq!(sql, "SELECT 'É', \"eventname\" AS \"É name\"");
        assert_eq!(spelled["eventname"], "eventName");
        assert_eq!(prepared("SELECT 1 \"A\", 2 \"a\"").sql, "SELECT 1 \"A\", 2 \"a\"");
    }

    #[test]
    fn text_that_is_no_sql_stays() {
        for sql in ["", "SELECT '", "FROM", "FROM ", "FROM $", "\u{0}", "FROM €-€", "'\n\"", "/*"]
        {
            assert_eq!(prepared(sql).sql, sql);
        }
    }
}
