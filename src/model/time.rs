//! Instants as microseconds since 1970-01-01 UTC, and the several ways CloudTrail writes them.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in an hour.
pub const HOUR: i64 = 3_600 * SECOND;
/// Microseconds in a day.
pub const DAY: i64 = 24 * HOUR;

/// Reads `eventTime` or `creationDate`: `2024-05-01T09:00:00Z`, with or without a fraction or
/// offset, and the basic form `20131102T010628Z` of old documentation. Years 1970 to 9999.
pub fn parse_instant(text: &str) -> Option<i64> {
    if let Some(fast) = parse_canonical(text.as_bytes()) {
        return Some(fast);
    }
    let parsed = DateTime::parse_from_rfc3339(text).map(|t| t.timestamp_micros()).ok();
    let basic = || NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok();
    let micros = parsed.or_else(|| basic().map(|t| t.and_utc().timestamp_micros()))?;
    (0..=253_402_300_799 * SECOND).contains(&micros).then_some(micros)
}

/// Whether [`format_instant`] gives back this very text for the instant it names.
pub fn is_canonical(text: &str) -> bool {
    parse_canonical(text.as_bytes()).is_some()
        || parse_instant(text).is_some_and(|micros| format_instant(micros) == text)
}

/// `YYYY-MM-DDTHH:MM:SSZ` and nothing else: the form of every `eventTime` that was ever seen.
fn parse_canonical(b: &[u8]) -> Option<i64> {
    if b.len() != 20 || b[19] != b'Z' || b[10] != b'T' {
        return None;
    }
    if b[4] != b'-' || b[7] != b'-' || b[13] != b':' || b[16] != b':' {
        return None;
    }
    let digits = |from: usize, to: usize| {
        b[from..to]
            .iter()
            .try_fold(0i64, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
    };
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if year < 1970 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day)?;
    Some((days * 86_400 + hour * 3_600 + minute * 60 + second) * SECOND)
}

/// Days since 1970-01-01 of a proleptic Gregorian date.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y / 400;
    let year_of_era = y - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Reads `responseElements.credentials.expiration`. Seen in logs: `Jul 30, 2021 12:56:03 AM` and
/// `Jul 10, 2023, 12:31:14 PM` (English, 12 hours, UTC); ISO 8601 and epoch numbers are taken as well.
pub fn parse_expiration(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(t) = parse_instant(text) {
        return Some(t);
    }
    if let Ok(epoch) = text.parse::<f64>() {
        let plausible = (0.0..1e11).contains(&epoch);
        return plausible.then_some((epoch * SECOND as f64) as i64);
    }
    // Newer Java runtimes put a narrow no-break space before AM and PM.
    let plain = text.replace(['\u{202f}', '\u{a0}'], " ");
    ["%b %e, %Y, %I:%M:%S %p", "%b %e, %Y %I:%M:%S %p"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&plain, form).ok())
        .map(|t| t.and_utc().timestamp_micros())
}

/// `2024-05-01T09:00:00Z`, the form of `eventTime`; fractions only where there are any.
pub fn format_instant(micros: i64) -> String {
    let Some(t) = DateTime::from_timestamp_micros(micros) else {
        return micros.to_string();
    };
    if micros.rem_euclid(SECOND) == 0 {
        t.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    } else {
        t.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }
}

/// Only the time of day: `09:00:12`.
pub fn format_clock(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map(|t| t.format("%H:%M:%S").to_string())
        .unwrap_or_default()
}

/// The day as `2024-05-01`.
pub fn format_date(days: i32) -> String {
    let date = i64::from(days).checked_mul(DAY).and_then(DateTime::from_timestamp_micros);
    date.map(|t| t.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// Days since 1970-01-01 of an instant.
pub fn day_of(micros: i64) -> i32 {
    i32::try_from(micros.div_euclid(DAY)).unwrap_or(0)
}

/// What people type after `--since`: RFC 3339, a date, or a span back from `now` such as `24h`, `7d`.
/// No call was before 1970, so an earlier time is the beginning of 1970.
pub fn parse_user_time(text: &str, now: i64) -> Option<i64> {
    typed_time(text, now).map(|instant| instant.max(0))
}

fn typed_time(text: &str, now: i64) -> Option<i64> {
    let text = text.trim();
    if let Some(t) = parse_instant(text) {
        return Some(t);
    }
    let early = DateTime::parse_from_rfc3339(text).map(|t| t.timestamp_micros());
    if let Some(t) = early.ok().filter(|t| *t < 0) {
        return Some(t);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros());
    }
    let form = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    if let Some(t) = form.iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok()) {
        return Some(t.and_utc().timestamp_micros());
    }
    let unit = text.chars().last()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok().filter(|n| *n >= 0)?;
    let span = match unit {
        's' => SECOND,
        'm' => 60 * SECOND,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    now.checked_sub(number.checked_mul(span)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_an_instant() {
        let t = parse_instant("2024-05-01T09:00:12Z").unwrap();
        assert_eq!(t, 1_714_554_012 * SECOND);
        assert_eq!(parse_instant("20240501T090012Z"), Some(t));
        assert_eq!(parse_instant("2024-05-01T11:00:12+02:00"), Some(t));
        assert_eq!(parse_instant("2024-02-30T00:00:00Z"), None);
        assert_eq!(parse_instant("2024-05-01T24:00:00Z"), None);
        assert_eq!(parse_instant("0000-01-01T00:00:00Z"), None);
        assert_eq!(parse_instant("yesterday"), None);
        assert_eq!(format_instant(t), "2024-05-01T09:00:12Z");
    }

    #[test]
    fn canonical_form_agrees_with_chrono_on_every_day_of_four_centuries() {
        for day in (0..146_097).step_by(7) {
            let text = format_instant(i64::from(day) * DAY);
            assert_eq!(parse_canonical(text.as_bytes()), Some(i64::from(day) * DAY), "{text}");
        }
    }

    #[test]
    fn reads_every_form_of_an_expiration() {
        let noon = parse_instant("2023-07-10T12:31:14Z");
        assert_eq!(parse_expiration("Jul 10, 2023, 12:31:14 PM"), noon);
        assert_eq!(parse_expiration("Jul 10, 2023 12:31:14\u{202f}PM"), noon);
        assert_eq!(
            parse_expiration("Jul 30, 2021 12:56:03 AM"),
            parse_instant("2021-07-30T00:56:03Z")
        );
        assert_eq!(
            parse_expiration("May 1, 2024, 9:00:00 AM"),
            parse_instant("2024-05-01T09:00:00Z")
        );
        assert_eq!(parse_expiration("1714554012"), parse_instant("2024-05-01T09:00:12Z"));
        assert_eq!(parse_expiration("soon"), None);
    }

    #[test]
    fn reads_what_people_type() {
        let now = parse_instant("2024-05-02T00:00:00Z").unwrap();
        assert_eq!(parse_user_time("24h", now), parse_instant("2024-05-01T00:00:00Z"));
        assert_eq!(parse_user_time("2024-05-01", now), parse_instant("2024-05-01T00:00:00Z"));
        assert_eq!(parse_user_time("2024-05-01 09:30", now), parse_instant("2024-05-01T09:30:00Z"));
        for early in ["0001-01-01", "0001-01-01T00:00:00Z", "1969-12-31 23:59", "100000d"] {
            assert_eq!(parse_user_time(early, now), Some(0), "{early}");
        }
        assert_eq!(parse_user_time("last week", now), None);
        assert_eq!(parse_user_time("-3h", now), None);
    }
}
