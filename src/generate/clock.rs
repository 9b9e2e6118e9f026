//! Times as whole seconds since 1970-01-01 UTC, in every spelling a log needs.

use chrono::{DateTime, Datelike, Timelike, Utc};

/// Seconds since 1970-01-01 UTC: CloudTrail knows nothing finer.
pub type Seconds = i64;

/// 2024-05-01T00:00:00Z, where every invented log begins.
pub const FIRST_DAY: Seconds = 1_714_521_600;
/// One minute.
pub const MINUTE: Seconds = 60;
/// One hour.
pub const HOUR: Seconds = 3600;
/// One day.
pub const DAY: Seconds = 86_400;

/// A time of the first day.
pub const fn hms(hour: i64, minute: i64, second: i64) -> Seconds {
    FIRST_DAY + hour * HOUR + minute * MINUTE + second
}

fn civil(at: Seconds) -> DateTime<Utc> {
    DateTime::from_timestamp(at, 0).unwrap_or_default()
}

/// `2024-05-01T09:00:00Z`, as in `eventTime` and `creationDate`.
pub fn iso(at: Seconds) -> String {
    let t = civil(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

/// `May 1, 2024, 10:00:00 AM`, as in `credentials.expiration`.
pub fn expiration(at: Seconds) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let t = civil(at);
    let (afternoon, hour) = t.hour12();
    format!(
        "{} {}, {}, {}:{:02}:{:02} {}",
        MONTHS[t.month0() as usize],
        t.day(),
        t.year(),
        hour,
        t.minute(),
        t.second(),
        if afternoon { "PM" } else { "AM" }
    )
}

/// `May 1, 2024 10:00:00 AM`, as IAM writes `createDate`: no comma after the year.
pub fn iam_date(at: Seconds) -> String {
    expiration(at).replacen(
        &format!(", {}, ", civil(at).year()),
        &format!(", {} ", civil(at).year()),
        1,
    )
}

/// `2024/05/01`, the date part of a delivery path.
pub fn day_path(at: Seconds) -> String {
    let t = civil(at);
    format!("{:04}/{:02}/{:02}", t.year(), t.month(), t.day())
}

/// `20240501T0905Z`, the delivery minute in a file name.
pub fn minute_stamp(at: Seconds) -> String {
    let t = civil(at);
    format!("{:04}{:02}{:02}T{:02}{:02}Z", t.year(), t.month(), t.day(), t.hour(), t.minute())
}

/// `20240501090000`, the digits some services put into session names.
pub fn digits(at: Seconds) -> String {
    iso(at).chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        assert_eq!(iso(hms(9, 0, 12)), "2024-05-01T09:00:12Z");
        assert_eq!(expiration(hms(0, 5, 7)), "May 1, 2024, 12:05:07 AM");
        assert_eq!(expiration(hms(12, 0, 0)), "May 1, 2024, 12:00:00 PM");
        assert_eq!(expiration(hms(22, 0, 0)), "May 1, 2024, 10:00:00 PM");
        assert_eq!(iam_date(hms(22, 0, 0)), "May 1, 2024 10:00:00 PM");
        assert_eq!(day_path(hms(24, 0, 0)), "2024/05/02");
        assert_eq!(minute_stamp(hms(9, 5, 59)), "20240501T0905Z");
        assert_eq!(digits(hms(9, 0, 12)), "20240501090012");
    }
}
