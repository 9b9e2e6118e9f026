//! Which credentials, region and endpoint S3 is asked with: what the AWS command line would take from
//! the same environment and the same profile files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::profile::{self, Profile};
use crate::error::{Error, Result};

/// Everything that is taken from outside. The library itself never looks at the environment.
#[derive(Clone, Default)]
pub struct Settings {
    /// Variables whose names begin with `AWS_`, and `HOME`.
    pub environment: BTreeMap<String, String>,
    /// Do not sign requests: for public buckets.
    pub anonymous: bool,
    /// Agree to pay for requests.
    pub request_payer: bool,
    /// Address of the service, instead of AWS's.
    pub endpoint: Option<String>,
    /// Profile, instead of `AWS_PROFILE`.
    pub profile: Option<String>,
}

/// Values are secrets: only names are shown.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("environment", &self.environment.keys())
            .field("anonymous", &self.anonymous)
            .finish_non_exhaustive()
    }
}

/// What the settings come to, as `object_store` names it, without the prefix `aws_`.
pub(super) struct Resolved {
    /// Names and values for the builder.
    pub options: Vec<(&'static str, String)>,
    /// Whether credentials can only come from the instance that this runs on.
    pub instance_credentials: bool,
}

/// Variables that are handed on under the same name.
const PASSED_ON: &[(&str, &str)] = &[
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file"),
    ("AWS_ROLE_ARN", "role_arn"),
    ("AWS_ROLE_SESSION_NAME", "role_session_name"),
    ("AWS_ENDPOINT_URL_STS", "endpoint_url_sts"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "container_credentials_relative_uri"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "container_credentials_full_uri"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "container_authorization_token_file"),
    ("AWS_METADATA_ENDPOINT", "metadata_endpoint"),
    ("AWS_PROXY_URL", "proxy_url"),
];

impl Settings {
    /// Takes what it needs of an environment.
    pub fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Settings {
        let ours = |name: &str| name.starts_with("AWS_") || name == "HOME";
        let environment = variables.filter(|(name, value)| ours(name) && !value.is_empty());
        Settings { environment: environment.collect(), ..Settings::default() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    fn flag(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|v| matches!(v, "1" | "true" | "TRUE" | "True"))
    }

    fn file(&self, variable: &str, name: &str) -> Option<PathBuf> {
        let named = self.variable(variable).map(PathBuf::from);
        named.or_else(|| Some(PathBuf::from(self.variable("HOME")?).join(".aws").join(name)))
    }

    /// Credentials in the environment come before a profile that the environment names; a profile
    /// that was given as an option comes before both.
    ///
    /// # Errors
    /// [`Error::Usage`] for a profile that is absent or wants something that is not built in.
    pub(super) fn resolve(&self) -> Result<Resolved> {
        let profile = self.read_profile()?;
        let in_environment = self.profile.is_none() && self.variable("AWS_ACCESS_KEY_ID").is_some();
        let mut options = Vec::new();
        let mut put = |name: &'static str, value: Option<&str>| {
            options.extend(value.map(|value| (name, value.to_owned())));
        };
        let region = self.variable("AWS_REGION").or(self.variable("AWS_DEFAULT_REGION"));
        put("region", region.or(profile.get("region")));
        let endpoint = self.endpoint.as_deref();
        let endpoint = endpoint.or(self.variable("AWS_ENDPOINT_URL_S3"));
        let endpoint = endpoint.or(self.variable("AWS_ENDPOINT_URL"));
        let endpoint = endpoint.or(self.variable("AWS_ENDPOINT"));
        let endpoint = endpoint.or(profile.get("endpoint_url"));
        put("endpoint_url", endpoint);
        // Whoever names an address with http:// means it; AWS itself is always asked over https.
        let plain = endpoint.is_some_and(|e| e.starts_with("http://"));
        put("allow_http", plain.then_some("true"));
        let virtual_hosted = self.variable("AWS_VIRTUAL_HOSTED_STYLE_REQUEST");
        let style = profile.get("addressing_style").map(|style| match style {
            "virtual" => "true",
            _ => "false",
        });
        put("virtual_hosted_style_request", virtual_hosted.or(style));
        let payer = self.request_payer || self.flag("AWS_REQUEST_PAYER");
        put("request_payer", payer.then_some("true"));
        if self.anonymous || self.flag("AWS_SKIP_SIGNATURE") {
            put("skip_signature", Some("true"));
            return Ok(Resolved { options, instance_credentials: false });
        }
        if in_environment {
            put("access_key_id", self.variable("AWS_ACCESS_KEY_ID"));
            put("secret_access_key", self.variable("AWS_SECRET_ACCESS_KEY"));
            put("session_token", self.variable("AWS_SESSION_TOKEN"));
            return Ok(Resolved { options, instance_credentials: false });
        }
        if let Some(key) = profile.get("aws_access_key_id") {
            put("access_key_id", Some(key));
            put("secret_access_key", profile.get("aws_secret_access_key"));
            put("session_token", profile.get("aws_session_token"));
            return Ok(Resolved { options, instance_credentials: false });
        }
        for (variable, name) in PASSED_ON {
            put(name, self.variable(variable));
        }
        for name in ["web_identity_token_file", "role_arn", "role_session_name"] {
            put(name, profile.get(name));
        }
        let elsewhere = ["web_identity_token_file", "container_credentials_"];
        let instance_credentials =
            !options.iter().any(|(name, _)| elsewhere.iter().any(|e| name.starts_with(e)));
        if instance_credentials && self.flag("AWS_EC2_METADATA_DISABLED") {
            return Err(no_credentials());
        }
        Ok(Resolved { options, instance_credentials })
    }

    fn read_profile(&self) -> Result<Profile> {
        let named = self.profile.as_deref().or(self.variable("AWS_PROFILE"));
        let named = named.or(self.variable("AWS_DEFAULT_PROFILE"));
        let name = named.unwrap_or("default");
        let config = self.file("AWS_CONFIG_FILE", "config");
        let credentials = self.file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let profile = profile::read(name, config.as_deref(), credentials.as_deref())?;
        let Some(profile) = profile else {
            if named.is_none() {
                return Ok(Profile::default());
            }
            let text = format!("there is no AWS profile {name}");
            return Err(Error::usage_hint(text, "list what there is: aws configure list-profiles"));
        };
        let signed = !self.anonymous && !self.flag("AWS_SKIP_SIGNATURE");
        let needed = self.profile.is_some() || self.variable("AWS_ACCESS_KEY_ID").is_none();
        match profile.not_built_in() {
            Some(what) if signed && needed => Err(Error::usage_hint(
                format!("AWS profile {name} gets its credentials by {what}, which is not built in"),
                format!(
                    "let the AWS command line get them: \
                     eval \"$(aws configure export-credentials --profile {name} --format env)\""
                ),
            )),
            _ => Ok(profile),
        }
    }
}

pub(super) fn no_credentials() -> Error {
    Error::usage_hint(
        "there are no AWS credentials",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket give \
         --no-sign-request",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::from_environment(owned)
    }

    fn resolved(settings: &Settings) -> std::collections::BTreeMap<&'static str, String> {
        settings.resolve().unwrap().options.into_iter().collect()
    }

    #[test]
    fn options_come_before_the_environment_and_that_before_the_profile() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        let text = "[profile ops]\nregion = eu-west-1\nendpoint_url = https://profile.example\n\
                    aws_access_key_id = AKIAPROFILE\naws_secret_access_key = x\n";
        std::fs::write(&config, text).unwrap();
        let mut both = settings(&[
            ("AWS_CONFIG_FILE", config.to_str().unwrap()),
            ("AWS_PROFILE", "ops"),
            ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
            ("AWS_SECRET_ACCESS_KEY", "y"),
            ("AWS_DEFAULT_REGION", "eu-north-1"),
            ("AWS_ENDPOINT_URL", "https://general.example"),
            ("AWS_ENDPOINT_URL_S3", "https://s3.example"),
            ("AWS_REQUEST_PAYER", ""),
        ]);
        let by_environment = resolved(&both);
        let get = |name| by_environment.get(name).map(String::as_str);
        assert_eq!(get("access_key_id"), Some("AKIAENVIRONMENT"));
        assert_eq!(get("region"), Some("eu-north-1"));
        assert_eq!(get("endpoint_url"), Some("https://s3.example"));
        assert_eq!((get("allow_http"), get("request_payer")), (None, None));
        both.profile = Some("ops".to_owned());
        both.endpoint = Some("http://127.0.0.1:9".to_owned());
        let by_option = resolved(&both);
        assert_eq!(by_option["access_key_id"], "AKIAPROFILE");
        assert_eq!(by_option["endpoint_url"], "http://127.0.0.1:9");
        assert_eq!(by_option["allow_http"], "true");
        both.anonymous = true;
        assert!(!resolved(&both).contains_key("access_key_id"));
        assert!(!format!("{both:?}").contains("AKIA"), "values are not shown");
    }

    #[test]
    fn a_token_file_comes_before_the_instance() {
        let role = [("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/reader")];
        assert!(settings(&role).resolve().unwrap().instance_credentials);
        let token = [role[0], ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")];
        let by_token = settings(&token).resolve().unwrap();
        assert!(!by_token.instance_credentials);
        assert!(by_token.options.contains(&("web_identity_token_file", "/token".to_owned())));
        let off = settings(&[("AWS_EC2_METADATA_DISABLED", "true")]);
        assert!(matches!(off.resolve(), Err(Error::Usage { .. })));
    }
}
