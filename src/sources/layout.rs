//! What a path says about a CloudTrail object before it is opened.
//!
//! Source: CloudTrail User Guide, "Finding your CloudTrail log files". The path only saves work:
//! whatever it says, the content decides.

use std::path::Path;

use chrono::{NaiveDate, NaiveDateTime};

/// What kind of object a path announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathKind {
    /// A log file by its name or folder: trouble with it is reported.
    Log,
    /// `CloudTrail-Digest`: integrity data about log files, no events.
    Digest,
    /// `CloudTrail-Insight`: anomaly events without identities.
    Insight,
    /// `CloudTrail-Aggregated`: counts, not calls.
    Aggregated,
    /// Anything else: read if its content is a log, passed over if not.
    Other,
}

/// Judges a path by its folders and its name.
pub fn path_kind(path: &Path) -> PathKind {
    let mut kind = PathKind::Other;
    for part in path.components() {
        match part.as_os_str().to_str() {
            Some("CloudTrail-Digest") => return PathKind::Digest,
            Some("CloudTrail-Insight") => return PathKind::Insight,
            Some("CloudTrail-Aggregated") => return PathKind::Aggregated,
            Some("CloudTrail" | "CloudTrail-NetworkActivity") => kind = PathKind::Log,
            _ => {}
        }
    }
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let hidden = name.starts_with('.');
    let named_log = [".json", ".json.gz", ".gz"].iter().any(|end| name.ends_with(end));
    match (hidden, named_log) {
        (true, _) => PathKind::Other,
        (false, true) => PathKind::Log,
        (false, false) if kind == PathKind::Log && name.contains("_cloudtrail_") => PathKind::Log,
        _ => PathKind::Other,
    }
}

/// What a path tells of the logs in it. What folders and name tell differently is not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Account whose logs they are.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// First and last day of delivery, in days since 1970-01-01.
    pub days: Option<(i32, i32)>,
}

const LOG_FOLDERS: &[&str] = &[
    "CloudTrail",
    "CloudTrail-Digest",
    "CloudTrail-Insight",
    "CloudTrail-Aggregated",
    "CloudTrail-NetworkActivity",
];

/// What the path of a folder tells: `…/AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD`, or a
/// part of it.
pub fn folder_tells(path: &Path) -> Told {
    let text = path.to_string_lossy();
    by_folders(&text.split(['/', '\\']).collect::<Vec<_>>())
}

/// What the path of a file tells, by its folders and by its name.
pub fn file_tells(path: &Path) -> Told {
    let text = path.to_string_lossy();
    let mut parts: Vec<&str> = text.split(['/', '\\']).collect();
    let name = by_name(parts.pop().unwrap_or(""));
    let folders = by_folders(&parts);
    Told {
        account: agreed(folders.account, name.account),
        region: agreed(folders.region, name.region),
        days: agreed(folders.days, name.days),
    }
}

fn agreed<T: PartialEq>(folders: Option<T>, name: Option<T>) -> Option<T> {
    match (folders, name) {
        (Some(folders), Some(name)) if folders != name => None,
        (folders, name) => folders.or(name),
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn by_folders(parts: &[&str]) -> Told {
    let at = |i: usize| parts.get(i).copied().unwrap_or("");
    let account = |text: &str| is_account(text).then(|| text.to_owned());
    if let Some(log) = parts.iter().rposition(|part| LOG_FOLDERS.contains(part)) {
        let before = log.checked_sub(1).map_or("", at);
        let region = Some(at(log + 1)).filter(|region| !region.is_empty());
        let days = days(at(log + 2), at(log + 3), at(log + 4));
        return Told { account: account(before), region: region.map(str::to_owned), days };
    }
    let Some(logs) = parts.iter().rposition(|part| *part == "AWSLogs") else {
        return Told::default();
    };
    let below = logs + 1 + usize::from(at(logs + 1).starts_with("o-"));
    Told { account: account(at(below)), ..Told::default() }
}

/// `ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_….json.gz`.
fn by_name(name: &str) -> Told {
    let parts: Vec<&str> = name.split('_').collect();
    let [account, kind, region, time, ..] = parts[..] else { return Told::default() };
    if !is_account(account) || !LOG_FOLDERS.contains(&kind) || kind.ends_with("Digest") {
        return Told::default();
    }
    let digits = time.get(..8).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let days = digits.and_then(|d| days(&d[..4], &d[4..6], &d[6..]));
    Told { account: Some(account.to_owned()), region: Some(region.to_owned()), days }
}

/// What the name of a delivered log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Account whose log it is.
    pub account: String,
    /// Region.
    pub region: String,
    /// When it was delivered, to the minute: microseconds since 1970.
    pub at: i64,
}

/// Reads `ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_….json.gz`; folders before it do not matter.
pub fn delivery(path: &Path) -> Option<Delivery> {
    let text = path.to_string_lossy();
    let name = text.rsplit(['/', '\\', '!']).next()?;
    let mut parts = name.split('_');
    let (account, kind) = (parts.next()?, parts.next()?);
    let (region, minute) = (parts.next()?, parts.next()?);
    if !is_account(account) || kind != "CloudTrail" {
        return None;
    }
    let at = NaiveDateTime::parse_from_str(minute, "%Y%m%dT%H%MZ").ok()?;
    let at = at.and_utc().timestamp_micros();
    Some(Delivery { account: account.to_owned(), region: region.to_owned(), at })
}

/// The days of a year, of a month or one day; as far as the parts are numbers.
fn days(year: &str, month: &str, day: &str) -> Option<(i32, i32)> {
    let number = |text: &str, digits: usize| -> Option<u32> {
        let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
        if plain { text.parse().ok() } else { None }
    };
    let date = |y, m, d| {
        let date = NaiveDate::from_ymd_opt(i32::try_from(y).ok()?, m, d)?;
        let days = date.signed_duration_since(NaiveDate::default()).num_days();
        i32::try_from(days).ok()
    };
    let year = number(year, 4)?;
    match (number(month, 2), number(day, 2)) {
        (None, _) => Some((date(year, 1, 1)?, date(year, 12, 31)?)),
        (Some(12), None) => Some((date(year, 12, 1)?, date(year, 12, 31)?)),
        (Some(month), None) => Some((date(year, month, 1)?, date(year, month + 1, 1)? - 1)),
        (Some(month), Some(day)) => date(year, month, day).map(|day| (day, day)),
    }
}

/// When a path says that its object was delivered: the day in its folders (`…/2024/05/01/…`) as `20240501`,
/// and the minute in its name, see [`delivery`]; 0 for what it does not say. Reading files in this order
/// brings together what happened together, whatever the account.
pub fn delivery_time(path: &Path) -> (u32, i64) {
    let parts: Vec<u32> = path
        .components()
        .map(|c| c.as_os_str().to_str().and_then(|s| s.parse().ok()).unwrap_or(0))
        .collect();
    let day = parts
        .windows(3)
        .find(|w| {
            (1970..10_000).contains(&w[0]) && (1..13).contains(&w[1]) && (1..32).contains(&w[2])
        })
        .map_or(0, |w| w[0] * 10_000 + w[1] * 100 + w[2]);
    (day, delivery(path).map_or(0, |delivery| delivery.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_names_tell_the_kind() {
        let kind = |p: &str| path_kind(Path::new(p));
        let at = "AWSLogs/111111111111/CloudTrail";
        assert_eq!(kind(&format!("{at}/eu-west-1/2024/05/01/a.json.gz")), PathKind::Log);
        assert_eq!(kind(&format!("{at}-Digest/eu-west-1/2024/05/01/a.json.gz")), PathKind::Digest);
        assert_eq!(kind(&format!("{at}-Insight/eu-west-1/a.json.gz")), PathKind::Insight);
        assert_eq!(kind("case/README.md"), PathKind::Other);
        assert_eq!(kind("case/.hidden.json"), PathKind::Other);
        let folder = "x/CloudTrail/eu-west-1/2024/05/01";
        let name = "111111111111_CloudTrail_eu-west-1_20240501T0913Z_WGUh10yYtRBdP2Kx.json.gz";
        let minute = 1_714_554_780_000_000;
        let time = |path: &str| delivery_time(Path::new(path));
        assert_eq!(time(&format!("{folder}/{name}")), (20_240_501, minute));
        assert_eq!(time(&format!("{folder}/a.gz")), (20_240_501, 0));
        assert_eq!((time(name), time("a.gz")), ((0, minute), (0, 0)));
    }

    #[test]
    fn names_tell_when_they_were_delivered() {
        let at = |name: &str| delivery(Path::new(name)).map(|d| (d.account, d.region, d.at));
        let told = ("111111111111".to_owned(), "eu-west-1".to_owned(), 1_714_554_780_000_000);
        let name = "111111111111_CloudTrail_eu-west-1_20240501T0913Z_WGUh10yYtRBdP2Kx.json.gz";
        assert_eq!(at(&format!("s3://logs/x/{name}")), Some(told.clone()));
        assert_eq!(at(&format!("case.zip!{name}")), Some(told));
        for other in [
            "111111111111_CloudTrail-Digest_eu-west-1_20240501T0913Z.json.gz",
            "11_CloudTrail_eu-west-1_20240501T0913Z_x.json.gz",
            "111111111111_CloudTrail_eu-west-1_20240599T0913Z_x.json.gz",
            "events.json",
        ] {
            assert_eq!(at(other), None);
        }
    }
}
