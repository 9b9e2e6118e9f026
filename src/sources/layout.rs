//! What a path says about a CloudTrail object before it is opened.
//!
//! Source: CloudTrail User Guide, "Finding your CloudTrail log files". The path only saves work:
//! whatever it says, the content decides.

use std::path::Path;

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

/// The delivery day in a path (`…/2024/05/01/…`) as `20240501`; 0 where there is none. Reading
/// files in this order brings the events of one day together, whatever the account.
pub fn delivery_day(path: &Path) -> u32 {
    let parts: Vec<u32> = path
        .components()
        .map(|c| c.as_os_str().to_str().and_then(|s| s.parse().ok()).unwrap_or(0))
        .collect();
    parts
        .windows(3)
        .find(|w| {
            (1970..10_000).contains(&w[0]) && (1..13).contains(&w[1]) && (1..32).contains(&w[2])
        })
        .map_or(0, |w| w[0] * 10_000 + w[1] * 100 + w[2])
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
        assert_eq!(delivery_day(Path::new("x/CloudTrail/eu-west-1/2024/05/01/a.gz")), 20_240_501);
        assert_eq!(delivery_day(Path::new("a.gz")), 0);
    }
}
