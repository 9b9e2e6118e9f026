//! Words and numbers that all forms of a report share.

use serde_json::Value;

use super::super::words;
use super::Head;
use crate::answers::report::{Finding, Report, Span};
use crate::model::time;
use crate::sql::saved::Severity;

/// Characters of a value that are shown; all of them are in the JSON form.
const MOST_CHARS: usize = 240;

/// `1,234,567`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 call`, `2 calls`.
pub fn count(n: u64, what: &str) -> String {
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}

/// A share in percent: never 0 or 100 where it is not.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    match tenths {
        0 if part > 0 => "< 0.1 %".to_owned(),
        1000 => "100 %".to_owned(),
        tenths => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// `2024-05-01 09:00:12`: to the second, as the logs have it. Where a window ends between two is in the
/// JSON form.
pub fn instant(micros: Option<i64>) -> String {
    let text = micros.map(time::format_instant).unwrap_or_default();
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    whole.trim_end_matches('Z').replacen('T', " ", 1)
}

/// The time of day alone.
pub fn clock(micros: Option<i64>) -> String {
    instant(micros).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// The window in words.
pub fn window(span: Span) -> String {
    match (span.since, span.until) {
        (Some(_), Some(_)) => format!("{} to {} UTC", instant(span.since), instant(span.until)),
        (Some(_), None) => format!("from {} UTC on: no events", instant(span.since)),
        (None, Some(_)) => format!("before {} UTC: no events", instant(span.until)),
        (None, None) => "no events".to_owned(),
    }
}

/// How long: `12 min`, `3 h 5 min`, `4 days`.
pub fn duration(micros: i64) -> String {
    let seconds = micros / time::SECOND;
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 if seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// What matters most, in whole sentences.
pub fn summary(report: &Report) -> Vec<String> {
    let figures = &report.figures;
    if figures.calls == 0 {
        return vec![
            "The logs hold no call of this window. That may mean that nothing happened, or that logs are \
             missing: see where the logs are."
                .to_owned(),
        ];
    }
    let grave: Vec<&Finding> = found(report).filter(|f| f.rank >= Severity::High).collect();
    let asked = report.findings.iter().filter(|f| f.rank > Severity::Info).count();
    let lesser =
        found(report).filter(|f| f.rank < Severity::High && f.rank > Severity::Info).count();
    let first = match grave.len() {
        0 if lesser == 0 => format!("None of {asked} checks found anything."),
        0 => format!(
            "No check of high or critical severity found anything; {} of lower severity did.",
            lesser
        ),
        1 => "One check of high or critical severity found something that needs a look now."
            .to_owned(),
        n => format!(
            "{n} checks of high or critical severity found something that needs a look now."
        ),
    };
    let known = &report.attribution;
    vec![
        first,
        format!(
            "{} in {}: {} by {}, {} by AWS's own services{}.",
            count(figures.calls, "call"),
            count(figures.accounts, "account"),
            number(
                figures.calls.saturating_sub(figures.service_calls).saturating_sub(known.unknown)
            ),
            people(figures.origins),
            number(figures.service_calls),
            match known.unknown {
                0 => String::new(),
                n => format!(", {} by callers unknown", number(n)),
            }
        ),
        format!(
            "{} changed something; {} failed.",
            count(figures.writes, "call"),
            number(figures.errors)
        ),
        match known.unknown {
            0 => "For every call it is known who was behind it.".to_owned(),
            n => format!(
                "For {} of the calls it is known who was behind them; {} cannot be told from these logs.",
                share(known.known, known.known + known.unknown),
                count(n, "call")
            ),
        },
    ]
}

fn people(n: u64) -> String {
    if n == 1 {
        "1 person or workload".to_owned()
    } else {
        format!("{} people and workloads", number(n))
    }
}

/// The queries that found something.
pub fn found(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(|finding| finding.rows > 0)
}

/// The command that gives all rows of a finding: the same query, values and window, from the same place.
pub fn command(head: &Head, finding: &Finding) -> String {
    let mut words = vec!["roletrail".to_owned()];
    words.extend(head.origin.store.iter().cloned());
    words.extend(["query".to_owned(), words::option("--name", &finding.query)]);
    for (name, value) in &finding.params {
        words.push(format!("-p {}", words::shell(&format!("{name}={value}"))));
    }
    words.extend(head.origin.more.iter().cloned());
    words.join(" ")
}

/// A value of a finding's row as people read it.
pub fn cell(column: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let between = if column == "chain" { " → " } else { ", " };
            items.iter().map(|item| cell(column, item)).collect::<Vec<_>>().join(between)
        }
        other => other.to_string(),
    };
    cut(&text)
}

/// A text that is not too long to be shown.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Known or why not, in words.
pub fn outcome(strength: Option<&str>, reason: Option<&str>) -> String {
    match (reason, strength) {
        (Some(reason), _) => format!("unknown: {}", words::reason_short(reason)),
        (None, Some("exact")) => "known, proven by the records".to_owned(),
        (None, Some("inferred")) => "known, inferred from what only AWS writes".to_owned(),
        (None, Some("ambiguous")) => "known, several records agree on it".to_owned(),
        (None, other) => format!("known, {}", other.unwrap_or("no strength")),
    }
}

/// Where the report comes from, label by label.
pub fn origin(head: &Head) -> Vec<(&'static str, String)> {
    let sources = &head.sources;
    let mut all = vec![
        ("Tool", format!("roletrail {}", env!("CARGO_PKG_VERSION"))),
        ("Set of queries", head.name.clone()),
        ("Made", format!("{} UTC", instant(Some(head.generated_at.timestamp() * time::SECOND)))),
    ];
    all.extend(head.snapshot.map(|snapshot| ("Snapshot of the store", snapshot.to_string())));
    all.push(("Files read", sources["files"].to_string()));
    all.push((
        "SHA-256 over their hashes",
        sources["sha256"].as_str().unwrap_or_default().to_owned(),
    ));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_easily_and_shares_are_true() {
        assert_eq!(["0", "999", "1,000", "1,234,567"], [0, 999, 1000, 1_234_567].map(number));
        assert_eq!(share(1, 100_000), "< 0.1 %");
        assert_eq!(share(99_999, 100_000), "99.9 %");
        assert_eq!(share(5, 5), "100 %");
        assert_eq!(share(0, 0), "–");
        assert_eq!(duration(90 * 60 * time::SECOND), "1 h 30 min");
    }
}
