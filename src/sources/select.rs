//! Which logs are wanted, judged by their paths before anything is opened.
//!
//! A path tells the account, the region and the day of delivery. Events are delivered after they
//! happened, never before; so a window over events begins with the same day of delivery and ends a
//! margin later. What a path does not tell keeps nothing out.

use std::path::Path;

use super::layout::{self, Told};
use crate::model::time;

/// How long after an event its delivery is still looked for, microseconds. Measured deliveries took
/// ten minutes at the most; AWS promises nothing.
pub const DELIVERY_MARGIN: i64 = 24 * time::HOUR;

/// What is wanted. Empty lists and open ends want everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Accounts whose logs are wanted.
    pub accounts: Vec<String>,
    /// Regions, by the folder's name.
    pub regions: Vec<String>,
    /// Events from this instant on, microseconds since 1970.
    pub since: Option<i64>,
    /// Events before this instant.
    pub until: Option<i64>,
}

/// What a path says about being wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing there is wanted.
    Out,
    /// Something below may be wanted, and something may not.
    Open,
    /// As far as paths can tell, all of it is wanted.
    In,
}

impl Selection {
    /// Whether everything is wanted.
    pub fn is_everything(&self) -> bool {
        *self == Selection::default()
    }

    /// Judges a folder by its path.
    pub fn folder(&self, path: &Path) -> Verdict {
        if self.is_everything() { Verdict::In } else { self.judge(&layout::folder_tells(path)) }
    }

    /// Whether a file is wanted, as far as its path tells.
    pub fn wants(&self, path: &Path) -> bool {
        self.is_everything() || self.judge(&layout::file_tells(path)) != Verdict::Out
    }

    fn judge(&self, told: &Told) -> Verdict {
        let listed = |wanted: &[String], told: &Option<String>| match told {
            _ if wanted.is_empty() => Verdict::In,
            None => Verdict::Open,
            Some(name) if wanted.contains(name) => Verdict::In,
            Some(_) => Verdict::Out,
        };
        let window = match (self.days(), told.days) {
            ((None, None), _) => Verdict::In,
            (_, None) => Verdict::Open,
            ((first, last), Some((begin, end))) => {
                let first = first.unwrap_or(i32::MIN);
                let last = last.unwrap_or(i32::MAX);
                if end < first || begin > last {
                    Verdict::Out
                } else if begin >= first && end <= last {
                    Verdict::In
                } else {
                    Verdict::Open
                }
            }
        };
        let account = listed(&self.accounts, &told.account);
        account.min(listed(&self.regions, &told.region)).min(window)
    }

    /// First and last day of delivery, in days since 1970.
    fn days(&self) -> (Option<i32>, Option<i32>) {
        let last = self.until.map(|t| t.saturating_sub(1).saturating_add(DELIVERY_MARGIN));
        (self.since.map(time::day_of), last.map(time::day_of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_are_judged_by_account_region_and_day_of_delivery() {
        let at = |text: &str| time::parse_instant(text).unwrap();
        let only = Selection {
            accounts: vec!["111111111111".into()],
            regions: vec!["eu-west-1".into()],
            since: Some(at("2024-05-02T10:00:00Z")),
            until: Some(at("2024-05-03T00:00:00Z")),
        };
        let folder = |p: &str| only.folder(Path::new(p));
        let root = "s3://logs/x/AWSLogs/o-exampleorg";
        assert_eq!(folder("s3://logs"), Verdict::Open);
        assert_eq!(folder(root), Verdict::Open);
        assert_eq!(folder(&format!("{root}/222222222222")), Verdict::Out);
        let account = format!("{root}/111111111111/CloudTrail");
        assert_eq!(folder(&account), Verdict::Open);
        assert_eq!(folder(&format!("{account}/us-east-1")), Verdict::Out);
        let region = format!("{account}/eu-west-1");
        let days = ["", "/2023", "/2024", "/2024/04", "/2024/05", "/2024/05/01", "/2024/05/02"];
        let said = days.map(|day| folder(&format!("{region}{day}")));
        use Verdict::{In, Open, Out};
        assert_eq!(said, [Open, Out, Open, Out, Open, Out, In]);
        // Delivered up to a day later.
        assert_eq!(folder(&format!("{region}/2024/05/03")), In);
        assert_eq!(folder(&format!("{region}/2024/05/04")), Out);

        let wants = |p: &str| only.wants(Path::new(p));
        let name = "111111111111_CloudTrail_eu-west-1_20240502T1005Z_aB3.json.gz";
        assert!(wants(name) && wants("case/events.json"));
        assert!(!wants("222222222222_CloudTrail_eu-west-1_20240502T1005Z_aB3.json.gz"));
        assert!(!wants("111111111111_CloudTrail_eu-west-1_20240508T1005Z_aB3.json.gz"));
        // A file that was put elsewhere: its name and its folder contradict each other.
        assert!(wants(&format!(
            "{region}/2024/05/02/222222222222_CloudTrail_x_20200101T0000Z_a.json"
        )));
    }
}
