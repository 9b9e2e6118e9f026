//! Records as CloudTrail itself writes them, taken apart in one pass: where their members stand, and the hash
//! of what nested ones hold.
//!
//! White space, escaped names, fractions, deep nesting and whatever is wrong are left to the parser, which
//! is asked for the same record again and says what it thinks of it: so this only ever saves time.

use super::json::{ARRAY, OBJECT, hash_element, hash_member, hash_scalar};
use super::raw::{Member, Spans};
use super::redact;

/// Values within values; what is deeper is left to the parser.
const MOST_DEPTH: usize = 48;

/// The record that the bytes begin with, and its length; `None` where it is not one of those.
pub(super) fn record(bytes: &[u8]) -> Option<(Spans, usize)> {
    let mut scan = Scan { bytes, at: 0 };
    let mut spans = Spans::default();
    let mut expected = 0;
    scan.expect(b'{')?;
    loop {
        let name = scan.plain_string()?;
        scan.expect(b':')?;
        let start = scan.at;
        let member = Member::of_bytes(name, expected);
        match member {
            // Its hash is remembered with what was read of it before.
            Some(Member::UserIdentity) => _ = scan.value::<false>(0)?,
            Some(_) if scan.peek() == b'"' => _ = scan.string()?,
            Some(member) => spans.set_hash(member, scan.value::<true>(0)?),
            None => _ = scan.value::<false>(0)?,
        }
        match member {
            Some(member) => {
                spans.set(member, start..scan.at)?;
                expected = member as usize + 1;
            }
            None => spans.add_other(std::str::from_utf8(name).ok()?, start..scan.at)?,
        }
        match scan.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    let text = std::str::from_utf8(bytes.get(..scan.at)?).ok()?;
    if redact::may_hold_token(text) {
        spans.forget_hashes();
    } else {
        spans.note_no_token();
    }
    Some((spans, scan.at))
}

struct Scan<'b> {
    bytes: &'b [u8],
    at: usize,
}

/// A string without its quotes.
struct Text<'b> {
    inner: &'b [u8],
    escaped: bool,
}

impl<'b> Scan<'b> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// The hash of a value, unless nobody asks for it.
    fn value<const HASHED: bool>(&mut self, depth: usize) -> Option<u64> {
        match self.peek() {
            b'"' => {
                let start = self.at;
                let text = self.string()?;
                match (HASHED, text.escaped) {
                    (false, _) => Some(0),
                    (true, false) => Some(hash_scalar::text(text.inner)),
                    (true, true) => {
                        let quoted = self.bytes.get(start..self.at)?;
                        let plain: String = serde_json::from_slice(quoted).ok()?;
                        Some(hash_scalar::text(plain.as_bytes()))
                    }
                }
            }
            b'{' if depth < MOST_DEPTH => self.object::<HASHED>(depth + 1),
            b'[' if depth < MOST_DEPTH => self.array::<HASHED>(depth + 1),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.integer(),
        }
    }

    fn object<const HASHED: bool>(&mut self, depth: usize) -> Option<u64> {
        self.at += 1;
        let mut hash = OBJECT;
        if self.peek() == b'}' {
            self.at += 1;
            return Some(hash);
        }
        loop {
            let name = self.plain_string()?;
            self.expect(b':')?;
            let value = self.value::<HASHED>(depth)?;
            if HASHED {
                hash = hash.wrapping_add(hash_member(name, value));
            }
            match self.next()? {
                b',' => {}
                b'}' => return Some(hash),
                _ => return None,
            }
        }
    }

    fn array<const HASHED: bool>(&mut self, depth: usize) -> Option<u64> {
        self.at += 1;
        let mut hash = ARRAY;
        if self.peek() == b']' {
            self.at += 1;
            return Some(hash);
        }
        loop {
            let value = self.value::<HASHED>(depth)?;
            if HASHED {
                hash = hash_element(hash, value);
            }
            match self.next()? {
                b',' => {}
                b']' => return Some(hash),
                _ => return None,
            }
        }
    }

    fn literal(&mut self, literal: &[u8]) -> Option<u64> {
        self.bytes.get(self.at..)?.starts_with(literal).then_some(())?;
        self.at += literal.len();
        Some(hash_scalar::other(literal))
    }

    fn integer(&mut self) -> Option<u64> {
        let start = self.at;
        self.at += usize::from(self.peek() == b'-');
        let digits = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        let (count, first) = (self.at - digits, self.bytes.get(digits)?);
        let whole = count > 0 && (count == 1 || *first != b'0');
        // What ends with the bytes may go on behind them.
        let ends = matches!(self.peek(), b',' | b'}' | b']');
        (whole && ends).then(|| hash_scalar::other(&self.bytes[start..self.at]))
    }

    /// A string in which nothing is escaped.
    fn plain_string(&mut self) -> Option<&'b [u8]> {
        self.expect(b'"')?;
        let rest = self.bytes.get(self.at..)?;
        let length = plain_length(rest);
        (*rest.get(length)? == b'"').then_some(())?;
        self.at += length + 1;
        rest.get(..length)
    }

    fn string(&mut self) -> Option<Text<'b>> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_length(self.bytes.get(self.at..)?);
            match self.next()? {
                b'"' => return Some(Text { inner: &self.bytes[start..self.at - 1], escaped }),
                b'\\' => {
                    escaped = true;
                    match self.next()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            let digits = self.bytes.get(self.at..self.at + 4)?;
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                            self.at += 4;
                        }
                        _ => return None,
                    }
                }
                _ => return None, // a control character
            }
        }
    }
}

/// How many bytes come before the first quote, backslash or control character.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    // Eight bytes at once. A byte that is zero has its top bit set in this, and so may bytes behind it, but
    // none before it.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    let (words, rest) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & TOPS;
        let found = quotes | backslashes | controls;
        if found != 0 {
            return 8 * n + found.trailing_zeros() as usize / 8;
        }
    }
    let plain = |byte: &&u8| **byte != b'"' && **byte != b'\\' && **byte >= 0x20;
    8 * words.len() + rest.iter().take_while(plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::event::Decoder;
    use super::super::raw::RawRecord;
    use super::*;

    #[test]
    fn finds_the_end_of_plain_text_at_every_place() {
        for length in 0..40 {
            for end in [b'"', b'\\', 0x1f, 0, b'\n'] {
                let mut bytes = vec![b'\x20'; length];
                bytes.push(end);
                bytes.extend_from_slice(b"\"\\ more text behind it");
                assert_eq!(plain_length(&bytes), length, "{end}");
            }
            let others = ["~\u{7f}!#[]\u{e9}\u{1f600}"; 5].concat();
            let bytes = others.as_bytes();
            assert_eq!(plain_length(&bytes[..length.min(bytes.len())]), length.min(bytes.len()));
        }
    }

    #[test]
    fn leaves_to_the_parser_what_is_not_as_usual() {
        for text in [
            r#"{ "a":1}"#,
            r#"{"a" :1}"#,
            r#"{"a":1.5}"#,
            r#"{"a":01}"#,
            r#"{"a":-}"#,
            r#"{"a":tru}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12g4"}"#,
            r#"{"\u0061":1}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"eventName":"x","eventName":"y"}"#,
            r#"{"a":1,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":{}"#,
            "{\"a\":\"\t\"}",
            "{}",
            "[]",
            "",
        ] {
            assert!(record(text.as_bytes()).is_none(), "{text}");
        }
        assert!(record(b"{\"a\":\"\xff\"}").is_none());
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100), "]".repeat(100));
        assert!(record(deep.as_bytes()).is_none());
    }

    /// Pieces of records, valid and not.
    fn any_value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_map(|n| n.to_string()),
            ".{0,20}".prop_map(|t| serde_json::Value::from(t).to_string()),
            Just(r#""sessionToken AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#.to_owned()),
            Just(r#""a\/b\ud83d\ude00\ud800""#.to_owned()),
            Just(r#""2024-05-01T09:00:12Z""#.to_owned()),
            Just(r#"{"type":"IAMUser","arn":"arn:aws:iam::111111111111:user/a"}"#.to_owned()),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            let member = ("[a-zA-Z\\\\\"]{0,8}|sessionToken", inner.clone());
            let member = member.prop_map(|(n, v)| format!("{}:{v}", serde_json::Value::from(n)));
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(","))),
                prop::collection::vec(member, 0..4)
                    .prop_map(|all| format!("{{{}}}", all.join(","))),
            ]
        })
    }

    fn any_record() -> impl Strategy<Value = String> {
        let known: Vec<&str> = Member::ALL.iter().map(|m| m.name()).collect();
        let name = prop_oneof![
            6 => prop::sample::select(known),
            1 => prop::sample::select(vec!["apiVersion", "vpcEndpointAccountId", "x"]),
        ];
        let member = (name, any_value()).prop_map(|(name, value)| (name.to_owned(), value));
        prop::collection::vec(member, 0..12).prop_map(|members| {
            let time = ("eventTime".to_owned(), r#""2024-05-01T09:00:12Z""#.to_owned());
            let all = [time].into_iter().chain(members);
            let all: Vec<String> = all.map(|(n, v)| format!("\"{n}\":{v}")).collect();
            format!("{{{}}}", all.join(","))
        })
    }

    proptest! {
        #[test]
        fn gives_what_the_parser_gives(text in any_record(), behind in ".{0,9}") {
            let parsed = serde_json::from_str::<RawRecord>(&text);
            let whole = format!("{text}{behind}");
            if let Some((spans, length)) = record(whole.as_bytes()) {
                prop_assert_eq!(length, text.len());
                let scanned = spans.over(&text);
                let parsed = parsed.expect("a record for the parser as well");
                for member in Member::ALL {
                    prop_assert_eq!(scanned.get(*member), parsed.get(*member));
                }
                prop_assert_eq!(&scanned.others, &parsed.others);
                let event = |record: &RawRecord| format!("{:?}", Decoder::default().event(record));
                prop_assert_eq!(event(&scanned), event(&parsed));
            }
        }

        #[test]
        fn no_panic_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = record(&bytes);
        }
    }
}
