//! Text as it stands in logs: names, ARNs, messages, user agents, paths.

use super::Redactor;
use super::words;
use crate::model::time;

/// Characters of one word.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+' | '*' | '%' | '~' | '#')
}

/// Folders of CloudTrail's layout.
const LAYOUT: &[&str] = &[
    "AWSLogs",
    "CloudTrail",
    "CloudTrail-Aggregated",
    "CloudTrail-Digest",
    "CloudTrail-Insight",
    "CloudTrail-NetworkActivity",
];

/// What ends an ARN in running text.
fn ends_arn(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '"' | '\'' | ',' | ';' | ')' | '(' | '<' | '>' | '“' | '”' | '…')
}

impl Redactor {
    /// A value that may be or hold a name: everything that is not known to be harmless is replaced.
    pub fn text(&self, text: &str) -> String {
        self.memory.recall(0, text, || self.fresh_text(text))
    }

    fn fresh_text(&self, text: &str) -> String {
        if let Some(known) = self.known_form(text) {
            return known;
        }
        if words::is_action(text) || is_time(text) || is_short_number(text) {
            return text.to_owned();
        }
        self.each_arn(text, |rest| self.each_word(rest, |word| self.word(word)))
    }

    /// A message of AWS's: its words stay, whatever else stands in it does not.
    pub fn message(&self, text: &str) -> String {
        self.memory.recall(1, text, || self.fresh_message(text))
    }

    fn fresh_message(&self, text: &str) -> String {
        let word = |word: &str| {
            let bare = word.trim_end_matches('.');
            if bare.split('-').all(|part| words::is_message(part) || is_short_number(part)) {
                return word.to_owned();
            }
            self.word(word)
        };
        self.each_arn(text, |rest| self.each_word(rest, word))
    }

    /// A user agent: its words stay; ARNs, accounts, keys, addresses and the like do not.
    pub fn agent(&self, text: &str) -> String {
        self.memory.recall(2, text, || self.fresh_agent(text))
    }

    fn fresh_agent(&self, text: &str) -> String {
        let known = |word: &str| match word.contains('@') {
            true => self.parts(word),
            false => self.known_form(word).unwrap_or_else(|| word.to_owned()),
        };
        self.each_arn(text, |rest| self.each_word(rest, known))
    }

    /// A path of a file or object: what CloudTrail's layout puts there stays.
    pub fn path(&self, path: &str) -> String {
        let mut out = String::with_capacity(path.len() + 32);
        for step in path.split_inclusive(['/', '\\', '!']) {
            let end = step.trim_end_matches(['/', '\\', '!']);
            let (stem, ending) = split_ending(end);
            let pieces = stem.split('_').map(|piece| {
                let layout = LAYOUT.contains(&piece);
                let date = piece.len() >= 2 && is_delivery_time(piece);
                if layout || date || is_short_number(piece) || matches!(piece, "s3:" | "." | "..") {
                    return piece.to_owned();
                }
                self.known_form(piece).unwrap_or_else(|| self.parts(piece))
            });
            out.push_str(&pieces.collect::<Vec<_>>().join("_"));
            out.push_str(ending);
            out.push_str(&step[end.len()..]);
        }
        out
    }

    /// A word of a value.
    fn word(&self, word: &str) -> String {
        let bare = word.trim_end_matches('.');
        if bare.is_empty() {
            return word.to_owned();
        }
        let dots = &word[bare.len()..];
        let bare = self.known_form(bare).unwrap_or_else(|| self.parts(bare));
        format!("{bare}{dots}")
    }

    /// Replaces words; what stands between them stays.
    fn each_word(&self, text: &str, replace: impl Fn(&str) -> String) -> String {
        let mut out = String::with_capacity(text.len() + 32);
        let mut rest = text;
        while let Some(start) = rest.find(in_word) {
            let (between, from) = rest.split_at(start);
            out.push_str(between);
            // An action has a colon in it, an IPv6 address several.
            let token = from.find(ends_arn).map_or(from, |end| &from[..end]);
            let token = token.trim_end_matches(['.', ':']);
            if let Ok(address) = token.parse() {
                out.push_str(&self.address(address));
                rest = &from[token.len()..];
                continue;
            }
            if words::is_action(token) {
                out.push_str(token);
                rest = &from[token.len()..];
                continue;
            }
            let end = from.find(|c| !in_word(c)).unwrap_or(from.len());
            out.push_str(&replace(&from[..end]));
            rest = &from[end..];
        }
        out.push_str(rest);
        out
    }

    /// Replaces what is in ARNs; `others` replaces the text around them.
    fn each_arn(&self, text: &str, others: impl Fn(&str) -> String) -> String {
        let mut out = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some(at) = rest.find("arn:") {
            let (before, from) = rest.split_at(at);
            let inside = before.ends_with(in_word);
            let end = from.find(ends_arn).unwrap_or(from.len());
            let arn = from[..end].trim_end_matches('.');
            match self.arn(arn).filter(|_| !inside) {
                Some(redacted) => {
                    out.push_str(&others(before));
                    out.push_str(&redacted);
                    rest = &from[arn.len()..];
                }
                None => {
                    let (before, after) = rest.split_at(at + "arn:".len());
                    out.push_str(&others(before));
                    rest = after;
                }
            }
        }
        out.push_str(&others(rest));
        out
    }

    /// An ARN: partition, service, region and the kind of resource stay.
    fn arn(&self, arn: &str) -> Option<String> {
        let mut fields = arn.splitn(6, ':');
        let (_, partition, service) = (fields.next()?, fields.next()?, fields.next()?);
        let (region, account, resource) = (fields.next()?, fields.next()?, fields.next()?);
        if account == "aws" {
            return Some(arn.to_owned());
        }
        let plain = |text: &str| {
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if !partition.starts_with("aws") || !plain(partition) || !plain(service) {
            return None;
        }
        let region = if words::is_plain(region) { region.to_owned() } else { self.parts(region) };
        let account = self.known_form(account).unwrap_or_else(|| self.parts(account));
        let mut steps = 0;
        let resource = self.each_step(resource, |step| {
            steps += 1;
            let kind = words::is_kind(step) && (steps <= 2 || step == "instance-profile");
            if kind { step.to_owned() } else { self.word(step) }
        });
        Some(format!("arn:{partition}:{service}:{region}:{account}:{resource}"))
    }

    /// Replaces what stands between slashes and colons.
    fn each_step(&self, text: &str, mut replace: impl FnMut(&str) -> String) -> String {
        let mut out = String::with_capacity(text.len() + 16);
        for step in text.split_inclusive(['/', ':']) {
            let name = step.trim_end_matches(['/', ':']);
            out.push_str(&replace(name));
            out.push_str(&step[name.len()..]);
        }
        out
    }
}

fn is_time(text: &str) -> bool {
    text.len() <= 40 && text.contains(':') && time::parse_expiration(text).is_some()
}

/// A number that is nobody's: a count, a size, a span.
pub(super) fn is_short_number(text: &str) -> bool {
    (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// `20240501T0913Z`.
fn is_delivery_time(piece: &str) -> bool {
    let digits = piece.strip_suffix('Z').and_then(|rest| rest.split_once('T'));
    digits.is_some_and(|(day, minute)| {
        let all = |text: &str, n| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
        all(day, 8) && (all(minute, 4) || all(minute, 6))
    })
}

/// `name` and `.json.gz`.
fn split_ending(name: &str) -> (&str, &str) {
    const ENDINGS: &[&str] = &[
        ".json", ".jsonl", ".ndjson", ".log", ".csv", ".txt", ".gz", ".zst", ".zip", ".tar",
        ".tgz", ".md",
    ];
    let mut stem = name;
    while let Some(ending) = ENDINGS.iter().find(|ending| stem.ends_with(**ending)) {
        stem = &stem[..stem.len() - ending.len()];
    }
    name.split_at(stem.len())
}
