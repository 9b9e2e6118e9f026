//! Objects in S3 as sources: which bucket is asked how ([`settings`], [`profile`]), what lies in it
//! ([`list`]), its content as streams ([`fetch`]), objects that are written ([`put`]), small objects
//! that several machines change ([`small`]), and a bucket as engines take it ([`told`]).
//!
//! `object_store` speaks the protocol: it signs, retries with growing pauses, and goes on in the
//! middle of an object whose connection broke. Everything asynchronous stays behind this door: the
//! rest of the program reads on plain threads.

mod fetch;
mod list;
mod odd_keys;
mod profile;
mod put;
mod settings;
mod small;
mod told;
mod trouble;

use std::future::Future;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, resolve_bucket_region};
use object_store::client::SpawnedReqwestConnector;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use tokio::runtime::Runtime;

use crate::error::{Error, Result};
use odd_keys::{Connector, Odd};

pub use fetch::{Body, Refused};
pub(super) use fetch::{Fetching, PART_BYTES};
pub(super) use list::find;
pub use put::{Prefix, Upload};
pub use settings::Settings;
pub use small::{Listed, Tail};

/// What addresses of objects begin with.
pub const SCHEME: &str = "s3://";

/// Longest that one request may take, headers and body together.
const REQUEST_SECONDS: u64 = 120;

/// A bucket, and how it is asked.
pub struct Bucket {
    name: String,
    /// What is asked, for people.
    endpoint: String,
    store: AmazonS3,
    /// What keys it has that the client has no path for.
    odd: Arc<Odd>,
}

/// Holds credentials: only the name is shown.
impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bucket").field(&self.name).finish()
    }
}

impl Bucket {
    /// Makes ready to ask; nothing is asked yet.
    fn connect(name: &str, settings: &Settings) -> Result<Arc<Bucket>> {
        let resolved = settings.resolve()?;
        let option = |name| resolved.options.iter().find(|(n, _)| *n == name).map(|(_, v)| v);
        let found = match (option("region"), option("endpoint_url")) {
            (None, None) => region_of(name),
            _ => None,
        };
        let region = option("region").or(found.as_ref()).map_or("us-east-1", String::as_str);
        let virtual_hosted = option("virtual_hosted_style_request").is_some_and(|v| v == "true");
        let aws = format!("https://s3.{region}.amazonaws.com");
        let endpoint = option("endpoint_url").map_or(aws, |e| e.trim_end_matches('/').to_owned());
        let mut builder = AmazonS3Builder::new().with_bucket_name(name).with_region(region);
        for (name, value) in &resolved.options {
            let key: AmazonS3ConfigKey = name.parse().map_err(|e| wrong(name, &e))?;
            builder = builder.with_config(key, value);
        }
        if virtual_hosted && option("endpoint_url").is_some() {
            let with_bucket = endpoint.replacen("://", &format!("://{name}."), 1);
            builder = builder.with_endpoint(with_bucket);
        }
        let odd = Arc::new(Odd::default());
        let timeout: AmazonS3ConfigKey = "timeout".parse().map_err(|e| wrong("timeout", &e))?;
        builder = builder.with_config(timeout, format!("{REQUEST_SECONDS}s"));
        if let Some(runtime) = runtime() {
            // A connection lives on the threads that opened it: those of the engine may be kept busy
            // for long, and whoever shares the connection would wait for them.
            let here = SpawnedReqwestConnector::new(runtime.handle().clone());
            builder = builder.with_http_connector(Connector { inner: here, odd: odd.clone() });
        }
        if resolved.instance_credentials {
            // Most machines are no instances: finding out must not take minutes.
            let asking = builder.clone().with_retry(retries(1, Duration::from_secs(5)));
            let asking = asking.build().map_err(|e| wrong(name, &e))?;
            builder = builder.with_credentials(asking.credentials().clone());
        }
        let builder = builder.with_retry(retries(7, Duration::from_secs(180)));
        let store = builder.build().map_err(|e| wrong(name, &e))?;
        odd.sign_with(store.credentials().clone(), region);
        Ok(Arc::new(Bucket { name: name.to_owned(), endpoint, store, odd }))
    }

    /// The address of a key.
    fn address(&self, key: &str) -> String {
        // Millions of these are held at once: not a byte more than needed.
        [SCHEME, &self.name, "/", key].concat()
    }
}

/// The region of a bucket of AWS's, which tells it to anybody; `None` when it cannot be asked.
fn region_of(bucket: &str) -> Option<String> {
    let bucket = bucket.to_owned();
    let asked = async move { resolve_bucket_region(&bucket, &ClientOptions::new()).await.ok() };
    Pending::start(asked).wait().flatten()
}

fn retries(most: usize, within: Duration) -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(15),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: most, retry_timeout: within }
}

/// A setting that cannot be used. The error's own words are left out: they may repeat its value.
fn wrong(what: &str, error: &object_store::Error) -> Error {
    let hint = match error {
        object_store::Error::NotSupported { .. } => "it is not supported",
        _ => "check the variables AWS_… and the profile; a key id needs its secret key",
    };
    Error::usage_hint(format!("the settings for S3 ({what}) cannot be used"), hint)
}

/// A result that is on its way.
pub(super) struct Pending<T>(Receiver<T>);

impl<T: Send + 'static> Pending<T> {
    /// Starts the work on threads of its own. May be called anywhere, inside a runtime or not.
    fn start(work: impl Future<Output = T> + Send + 'static) -> Pending<T> {
        let (sender, receiver) = sync_channel(1);
        if let Some(runtime) = runtime() {
            runtime.spawn(async move {
                // Nobody waits any more when an ingest has failed elsewhere.
                let _ = sender.send(work.await);
            });
        }
        Pending(receiver)
    }

    /// Waits for it; `None` when the work could not be started or did not end.
    fn wait(self) -> Option<T> {
        self.0.recv().ok()
    }
}

/// The threads that talk to S3, started at first need and kept: a runtime must not be dropped where
/// another one runs.
fn runtime() -> Option<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let start = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("s3").enable_all().build().ok()
    };
    RUNTIME.get_or_init(start).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::path::Path;
    use object_store::signer::Signer;

    fn address(variables: &[(&str, &str)]) -> String {
        let keys = [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "x")];
        let all = keys.iter().chain(variables);
        let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let bucket = Bucket::connect("logs", &Settings::from_environment(all)).unwrap();
        let key = Path::from("a.json.gz");
        let runtime = runtime().unwrap();
        let method = "GET".parse().unwrap();
        let signed = bucket.store.signed_url(method, &key, Duration::from_secs(1));
        let url = runtime.block_on(signed).unwrap().to_string();
        url.split('?').next().unwrap().to_owned()
    }

    #[test]
    fn buckets_are_part_of_the_path_or_of_the_host() {
        let region = ("AWS_REGION", "eu-west-3");
        let virtual_hosted = ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true");
        let own = ("AWS_ENDPOINT_URL", "https://s3.example:9000/");
        let aws = "s3.eu-west-3.amazonaws.com";
        assert_eq!(address(&[region]), format!("https://{aws}/logs/a.json.gz"));
        assert_eq!(address(&[region, virtual_hosted]), format!("https://logs.{aws}/a.json.gz"));
        assert_eq!(address(&[own]), "https://s3.example:9000/logs/a.json.gz");
        assert_eq!(address(&[own, virtual_hosted]), "https://logs.s3.example:9000/a.json.gz");
    }

    #[test]
    fn secrets_are_never_part_of_what_is_shown() {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "eu-west-1"),
        ];
        let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::from_environment(keys.into_iter());
        let bucket = Bucket::connect("logs", &settings).unwrap();
        let shown = format!("{settings:?} {bucket:?}");
        assert!(!shown.contains("secret") && !shown.contains("AKIA"), "{shown}");
        let half = [("AWS_ACCESS_KEY_ID".to_owned(), "AKIAEXAMPLE".to_owned())];
        let error = Bucket::connect("logs", &Settings::from_environment(half.into_iter()));
        assert!(error.unwrap_err().hint().unwrap().contains("needs its secret key"));
    }
}
