//! Trino's functions over times. Every instant is in UTC, as in the logs.

use arrow::array::{ArrayRef, Date32Array, Float64Array};
use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use datafusion::common::Result;
use std::sync::Arc;

use super::doc;
use super::scalar::{Args, Definition, Gives, Takes};
use super::time_words::{Words, from_joda, from_mysql};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    Definition {
        doc: doc("from_iso8601_timestamp", "text", "the instant that an ISO 8601 text names; UTC where it names no zone", "from_iso8601_timestamp('2024-05-01T09:00:12Z')", "2024-05-01T09:00:12Z"),
        takes: &[Takes::Text], required: 1, gives: Gives::Time, run: from_iso,
    },
    Definition {
        doc: doc("from_iso8601_date", "text", "the day that an ISO 8601 text names", "from_iso8601_date('2024-05-01')", "2024-05-01"),
        takes: &[Takes::Text], required: 1, gives: Gives::Date, run: from_iso_date,
    },
    Definition {
        doc: doc("to_iso8601", "time", "an instant as ISO 8601 text", "to_iso8601(timestamp '2024-05-01 09:00:12')", "2024-05-01T09:00:12Z"),
        takes: &[Takes::Time], required: 1, gives: Gives::Text, run: to_iso,
    },
    Definition {
        doc: doc("date_parse", "text, format", "reads a time by a MySQL format such as %Y-%m-%d %H:%i:%s", "date_parse('01/05/2024 09:30', '%d/%m/%Y %H:%i')", "2024-05-01T09:30:00Z"),
        takes: &[Takes::Text, Takes::Text], required: 2, gives: Gives::Time, run: date_parse,
    },
    Definition {
        doc: doc("parse_datetime", "text, format", "reads a time by a Java format such as yyyy-MM-dd HH:mm:ss", "parse_datetime('2024-05-01 09:30', 'yyyy-MM-dd HH:mm')", "2024-05-01T09:30:00Z"),
        takes: &[Takes::Text, Takes::Text], required: 2, gives: Gives::Time, run: parse_datetime,
    },
    Definition {
        doc: doc("date_format", "time, format", "writes a time by a MySQL format", "date_format(timestamp '2024-05-01 09:30:00', '%Y-%m-%d %H:%i')", "2024-05-01 09:30"),
        takes: &[Takes::Time, Takes::Text], required: 2, gives: Gives::Text, run: date_format,
    },
    Definition {
        doc: doc("format_datetime", "time, format", "writes a time by a Java format", "format_datetime(timestamp '2024-05-01 09:30:00', 'yyyy/MM/dd HH:mm')", "2024/05/01 09:30"),
        takes: &[Takes::Time, Takes::Text], required: 2, gives: Gives::Text, run: format_datetime,
    },
    Definition {
        doc: doc("date_diff", "unit, from, to", "whole units (millisecond … year) from one time to another", "date_diff('minute', timestamp '2024-05-01 09:00:00', timestamp '2024-05-01 10:30:59')", "90"),
        takes: &[Takes::Text, Takes::Time, Takes::Time], required: 3, gives: Gives::Int, run: date_diff,
    },
    Definition {
        doc: doc("date_add", "unit, count, time", "a time that many units later; earlier when negative", "date_add('day', -1, timestamp '2024-05-01 09:00:00')", "2024-04-30T09:00:00Z"),
        takes: &[Takes::Text, Takes::Int, Takes::Time], required: 3, gives: Gives::Time, run: date_add,
    },
    Definition {
        doc: doc("day_of_week", "time", "1 for Monday to 7 for Sunday", "day_of_week(timestamp '2024-05-01 09:00:00')", "3"),
        takes: &[Takes::Time], required: 1, gives: Gives::Int, run: day_of_week,
    },
    Definition {
        doc: doc("to_unixtime", "time", "seconds since 1970", "to_unixtime(timestamp '1970-01-02 00:00:00')", "86400.0"),
        takes: &[Takes::Time], required: 1, gives: Gives::Float, run: to_unix,
    },
];

fn moment(micros: i64) -> Option<DateTime<Utc>> {
    Utc.timestamp_micros(micros).single()
}

fn iso(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let time = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    Some(time.or_else(day)?.and_utc().timestamp_micros())
}

fn from_iso(args: &Args) -> Result<ArrayRef> {
    args.times(|row| match args.text(0, row) {
        None => Ok(None),
        Some(text) => match iso(text) {
            None => args.unreadable(0, text, "ISO 8601 time"),
            some => Ok(some),
        },
    })
}

fn from_iso_date(args: &Args) -> Result<ArrayRef> {
    let days = (0..args.rows()).map(|row| match args.text(0, row) {
        None => Ok(None),
        Some(text) => match iso(text) {
            None => args.unreadable(0, text, "ISO 8601 date"),
            Some(micros) => Ok(Some(crate::model::time::day_of(micros))),
        },
    });
    Ok(Arc::new(days.collect::<Result<Date32Array>>()?))
}

fn to_iso(args: &Args) -> Result<ArrayRef> {
    args.texts(|row| Ok(args.time(0, row).map(crate::model::time::format_instant)))
}

fn read(args: &Args, words: fn(&str) -> Option<Words>) -> Result<ArrayRef> {
    args.times(|row| {
        let (Some(text), Some(format)) = (args.text(0, row), args.text(1, row)) else {
            return Ok(None);
        };
        let Some(words) = words(format) else {
            return args.unreadable(1, format, "format of a time that is known here");
        };
        match words.read(text) {
            None => args.unreadable(0, text, &format!("time of the form {format}")),
            Some(time) => Ok(Some(time.and_utc().timestamp_micros())),
        }
    })
}

fn written(args: &Args, words: fn(&str) -> Option<Words>) -> Result<ArrayRef> {
    args.texts(|row| {
        let (Some(micros), Some(format)) = (args.time(0, row), args.text(1, row)) else {
            return Ok(None);
        };
        match words(format) {
            None => args.unreadable(1, format, "format of a time that is known here"),
            Some(words) => Ok(moment(micros).map(|time| words.write(&time))),
        }
    })
}

fn date_parse(args: &Args) -> Result<ArrayRef> {
    read(args, from_mysql)
}

fn parse_datetime(args: &Args) -> Result<ArrayRef> {
    read(args, from_joda)
}

fn date_format(args: &Args) -> Result<ArrayRef> {
    written(args, from_mysql)
}

fn format_datetime(args: &Args) -> Result<ArrayRef> {
    written(args, from_joda)
}

/// A unit of time, in microseconds or in months.
enum Unit {
    Micros(i64),
    Months(i64),
}

fn unit(name: &str) -> Option<Unit> {
    const SECOND: i64 = 1_000_000;
    Some(match name.to_ascii_lowercase().trim_end_matches('s') {
        "millisecond" => Unit::Micros(1000),
        "second" => Unit::Micros(SECOND),
        "minute" => Unit::Micros(60 * SECOND),
        "hour" => Unit::Micros(3600 * SECOND),
        "day" => Unit::Micros(86_400 * SECOND),
        "week" => Unit::Micros(7 * 86_400 * SECOND),
        "month" => Unit::Months(1),
        "quarter" => Unit::Months(3),
        "year" => Unit::Months(12),
        _ => return None,
    })
}

const UNITS: &str = "unit (millisecond, second, minute, hour, day, week, month, quarter, year)";

fn date_diff(args: &Args) -> Result<ArrayRef> {
    args.ints(|row| {
        let (Some(name), Some(from), Some(to)) =
            (args.text(0, row), args.time(1, row), args.time(2, row))
        else {
            return Ok(None);
        };
        Ok(match unit(name) {
            None => return args.unreadable(0, name, UNITS),
            Some(Unit::Micros(size)) => to.checked_sub(from).map(|span| span / size),
            Some(Unit::Months(size)) => months_between(from, to).map(|months| months / size),
        })
    })
}

/// Whole months, toward zero.
fn months_between(from: i64, to: i64) -> Option<i64> {
    if to < from {
        return Some(-months_between(to, from)?);
    }
    let (from, to) = (moment(from)?, moment(to)?);
    let of = |t: &DateTime<Utc>| i64::from(t.year()) * 12 + i64::from(t.month0());
    let months = of(&to) - of(&from);
    let whole = from.checked_add_months(Months::new(u32::try_from(months).ok()?))? <= to;
    Some(if whole { months } else { months - 1 })
}

fn date_add(args: &Args) -> Result<ArrayRef> {
    args.times(|row| {
        let (Some(name), Some(count), Some(time)) =
            (args.text(0, row), args.int(1, row), args.time(2, row))
        else {
            return Ok(None);
        };
        Ok(match unit(name) {
            None => return args.unreadable(0, name, UNITS),
            Some(Unit::Micros(size)) => {
                count.checked_mul(size).and_then(|span| time.checked_add(span))
            }
            Some(Unit::Months(size)) => later(time, count.checked_mul(size)),
        })
    })
}

fn later(time: i64, months: Option<i64>) -> Option<i64> {
    let (time, months) = (moment(time)?, months?);
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let moved =
        if months < 0 { time.checked_sub_months(count) } else { time.checked_add_months(count) };
    Some(moved?.timestamp_micros())
}

fn day_of_week(args: &Args) -> Result<ArrayRef> {
    let day = |time: DateTime<Utc>| i64::from(time.weekday().number_from_monday());
    args.ints(|row| Ok(args.time(0, row).and_then(moment).map(day)))
}

fn to_unix(args: &Args) -> Result<ArrayRef> {
    // Microseconds of this age are exact in a double.
    #[allow(clippy::cast_precision_loss)]
    let seconds = |micros: i64| micros as f64 / 1e6;
    let all = (0..args.rows()).map(|row| args.time(0, row).map(seconds));
    Ok(Arc::new(all.collect::<Float64Array>()))
}

impl Words {
    fn read(&self, text: &str) -> Option<NaiveDateTime> {
        let mut parsed = chrono::format::Parsed::new();
        chrono::format::parse(&mut parsed, text, chrono::format::StrftimeItems::new(&self.0))
            .ok()?;
        let day = parsed.to_naive_date().or_else(|_| {
            // What a format leaves out is the beginning of it.
            let year = parsed.year().unwrap_or(1970);
            let (month, day) = (parsed.month().unwrap_or(1), parsed.day().unwrap_or(1));
            NaiveDate::from_ymd_opt(year, month, day).ok_or(())
        });
        let time = parsed.to_naive_time().or_else(|_| {
            let hour = parsed.hour_div_12().map(|half| half * 12).unwrap_or(0)
                + parsed.hour_mod_12().unwrap_or(0);
            NaiveTime::from_hms_opt(hour, 0, 0).ok_or(())
        });
        Some(day.ok()?.and_time(time.ok()?))
    }

    fn write(&self, time: &DateTime<Utc>) -> String {
        time.format(&self.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_whole() {
        let at = |text| iso(text).unwrap();
        assert_eq!(months_between(at("2024-01-31"), at("2024-02-29")), Some(1));
        assert_eq!(months_between(at("2024-01-15"), at("2024-02-14")), Some(0));
        assert_eq!(months_between(at("2024-02-14"), at("2024-01-14")), Some(-1));
        assert_eq!(later(at("2024-03-31"), Some(-1)), Some(at("2024-02-29")));
        assert_eq!(later(i64::MAX, Some(i64::MAX)), None);
        assert_eq!(months_between(i64::MIN, i64::MAX), None);
    }

    #[test]
    fn unreadable_times_are_none() {
        for text in ["", "Z", "2024", "2024-13-01", "2024-05-01T25:00:00Z", "€"] {
            assert_eq!(iso(text), None, "{text}");
        }
        assert_eq!(iso("2024-05-01T09:00:00+02:00"), iso("2024-05-01T07:00:00Z"));
    }
}
