//! The profile files of the AWS command line, `~/.aws/config` and `~/.aws/credentials`.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files". Only what
//! reading objects needs is taken from them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};

/// The settings of one profile; those of the credentials file come first.
#[derive(Default)]
pub(super) struct Profile(BTreeMap<String, String>);

impl Profile {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A way of getting credentials that needs the AWS command line, where the profile has no other.
    pub(super) fn not_built_in(&self) -> Option<&'static str> {
        if self.get("aws_access_key_id").is_some() && self.get("role_arn").is_none() {
            return None;
        }
        let ways = [
            ("sso_session", "IAM Identity Center"),
            ("sso_start_url", "IAM Identity Center"),
            ("credential_process", "an external process"),
            ("source_profile", "assuming a role"),
            ("credential_source", "assuming a role"),
            ("login_session", "a console sign-in"),
        ];
        ways.iter().find(|(name, _)| self.get(name).is_some()).map(|(_, what)| *what)
    }
}

/// Reads a profile; `None` when neither file has it.
///
/// # Errors
/// [`Error::Io`] for a file that is there and cannot be read.
pub(super) fn read(
    name: &str,
    config: Option<&Path>,
    credentials: Option<&Path>,
) -> Result<Option<Profile>> {
    let mut profile: Option<Profile> = None;
    // In the config file every profile but the default one is a section `[profile NAME]`.
    let prefixed = format!("profile {name}");
    let in_config: &[&str] = if name == "default" { &["default", &prefixed] } else { &[&prefixed] };
    for (path, sections) in [(config, in_config), (credentials, &[name])] {
        let Some(path) = path else { continue };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                if let Some(settings) = section(&text, sections) {
                    profile.get_or_insert_default().0.extend(settings);
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(e) => return Err(Error::io(path)(e)),
        }
    }
    Ok(profile)
}

/// The settings below any of the section headings. Nested ones (`s3 =` and indented lines) stand
/// beside the others: their names do not clash.
fn section(text: &str, headings: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(heading) = line.strip_prefix('[').and_then(|l| l.split(']').next()) {
            let words = heading.split_whitespace().collect::<Vec<_>>().join(" ");
            inside = headings.contains(&words.as_str());
            if inside {
                found.get_or_insert_default();
            }
        } else if let (true, Some((name, value))) = (inside, line.split_once('=')) {
            // A comment behind a value begins with a blank and a #.
            let value = value.split(" #").next().unwrap_or("").trim();
            let settings = found.get_or_insert_default();
            settings.insert(name.trim().to_ascii_lowercase(), value.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credentials_file_comes_first_and_sections_do_not_mix() {
        let dir = tempfile::tempdir().unwrap();
        let (config, credentials) = (dir.path().join("config"), dir.path().join("credentials"));
        let text = "[default]\nregion = us-east-1\n[profile  ops]\nregion=eu-west-1 # home\n\
                    aws_access_key_id = AKIAOLD\ns3 =\n  addressing_style = path\n[ops]\nregion = no\n\
                    [profile sso]\nsso_session = corp\nsso_account_id = 111111111111\n";
        std::fs::write(&config, text).unwrap();
        let text =
            "; keys\n[ops]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = a=b#c\n";
        std::fs::write(&credentials, text).unwrap();
        let read = |name| read(name, Some(&config), Some(&credentials)).unwrap();
        let ops = read("ops").unwrap();
        let get = |name| ops.get(name);
        assert_eq!(get("region"), Some("eu-west-1"));
        assert_eq!(get("aws_access_key_id"), Some("AKIAEXAMPLE"));
        assert_eq!(get("aws_secret_access_key"), Some("a=b#c"));
        assert_eq!(get("addressing_style"), Some("path"));
        assert_eq!(ops.not_built_in(), None);
        assert_eq!(read("sso").unwrap().not_built_in(), Some("IAM Identity Center"));
        assert_eq!(read("default").unwrap().get("region"), Some("us-east-1"));
        assert!(read("nobody").is_none());
    }
}
