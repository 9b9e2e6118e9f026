//! How S3 is asked: the options of every command that reads logs, and the environment.

use clap::Args;

use super::words;
use crate::sources::s3::Settings;

/// Options for sources in S3. Credentials, region and endpoint come from where the AWS command line
/// takes them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "S3")]
pub struct S3Args {
    /// Do not sign requests: for public buckets
    #[arg(long, hide_short_help = true)]
    pub no_sign_request: bool,
    /// Agree to pay for the requests
    #[arg(long, hide_short_help = true)]
    pub request_payer: bool,
    /// Address of the service instead of AWS's
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub endpoint_url: Option<String>,
    /// Profile of ~/.aws/config and ~/.aws/credentials instead of AWS_PROFILE
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub profile: Option<String>,
}

impl S3Args {
    /// The options as they are typed, quoted for a shell.
    pub fn typed(&self) -> Vec<String> {
        let flags =
            [(self.no_sign_request, "--no-sign-request"), (self.request_payer, "--request-payer")];
        let mut all: Vec<String> =
            flags.iter().filter(|(on, _)| *on).map(|(_, flag)| (*flag).to_owned()).collect();
        let values = [("--endpoint-url", &self.endpoint_url), ("--profile", &self.profile)];
        all.extend(
            values.iter().filter_map(|(name, value)| Some(words::option(name, value.as_ref()?))),
        );
        all
    }

    /// The options together with the environment.
    pub fn settings(&self) -> Settings {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Settings {
            anonymous: self.no_sign_request,
            request_payer: self.request_payer,
            endpoint: self.endpoint_url.clone(),
            profile: self.profile.clone(),
            ..Settings::from_environment(variables)
        }
    }
}
