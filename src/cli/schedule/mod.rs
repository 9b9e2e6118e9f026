//! `schedule`: the units that run `ingest` and `report` every day, for whatever starts jobs here.

mod units;

use std::path::{Path, PathBuf};

use clap::{ValueEnum, value_parser};

use super::args::LibraryArgs;
use super::exit::Outcome;
use super::library;
use super::report::{FailOn, ReportFormat};
use super::s3::S3Args;
use super::ui::Ui;
use crate::answers::report::sets::Sets;
use crate::answers::{Window, typed};
use crate::error::{Error, Result};
use crate::sources::s3::SCHEME;

/// `schedule`
#[derive(Debug, clap::Args)]
pub struct Schedule {
    /// The set of queries that is reported
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Logs that are loaded first: as for ingest; may be repeated
    #[arg(long = "source", value_name = "SOURCE", required = true)]
    pub sources: Vec<String>,
    /// Folder or s3://BUCKET/PREFIX that the reports are written to
    #[arg(short, long, value_name = "FOLDER")]
    pub output: String,
    /// How often
    #[arg(long, value_enum, default_value_t = Every::Day)]
    pub every: Every,
    /// When: hour and minute; UTC where the starter knows it
    #[arg(long, value_name = "HH:MM", default_value = "06:00")]
    pub at: String,
    /// Who starts the job
    #[arg(long, value_enum)]
    pub format: Starter,
    /// Options of the report
    #[command(flatten)]
    pub report: ReportArgs,
    /// Options of the ingest
    #[command(flatten)]
    pub ingest: IngestArgs,
    /// Options for where it runs
    #[command(flatten)]
    pub place: PlaceArgs,
    /// How S3 is asked
    #[command(flatten)]
    pub s3: S3Args,
}

/// What is handed on to `report`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Handed on to report")]
pub struct ReportArgs {
    /// End with exit code 5, a failed job, when a query of this severity or above found something
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// How the report is written; a page otherwise
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub report_format: Option<ReportFormat>,
    /// A TOML file of sets, as for report
    #[arg(long, value_name = "FILE", env = "ROLETRAIL_SETS", hide_env_values = true)]
    pub sets: Option<PathBuf>,
    /// Where more saved queries are
    #[command(flatten)]
    pub library: LibraryArgs,
    /// Memory that may be used, MiB
    #[arg(long, value_name = "MIB", value_parser = value_parser!(u64).range(64..=1 << 24))]
    pub memory: Option<u64>,
}

/// What is handed on to `ingest`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Handed on to ingest")]
pub struct IngestArgs {
    /// Only logs of this account, by their paths; may be repeated
    #[arg(long = "account", value_name = "ID", value_delimiter = ',')]
    pub accounts: Vec<String>,
    /// Only logs of this region, by their paths; may be repeated
    #[arg(long = "region", value_name = "REGION", value_delimiter = ',')]
    pub regions: Vec<String>,
    /// ingest --since: older days of a bucket are not listed again each time; 7d back from each run
    #[arg(long, value_name = "TIME")]
    pub ingest_since: Option<String>,
    /// Store pseudonyms instead of accounts, names, keys, addresses and resources
    #[arg(long)]
    pub redact: bool,
    /// Key of the pseudonyms
    #[arg(long, value_name = "FILE", requires = "redact")]
    pub redact_key_file: Option<PathBuf>,
}

/// Where the job runs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Where it runs")]
pub struct PlaceArgs {
    /// The program; otherwise this one
    #[arg(long, value_name = "PATH")]
    pub program: Option<String>,
    /// A variable of its environment, such as AWS_REGION=eu-west-1; may be repeated. No secrets: units
    /// are no place for them
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// User whose ~/.aws and rights it has, for systemd
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The image that holds the program, for Kubernetes
    #[arg(long, value_name = "IMAGE", default_value = "roletrail:latest")]
    pub image: String,
    /// The service account whose role it has, for Kubernetes
    #[arg(long, value_name = "NAME")]
    pub service_account: Option<String>,
}

/// Who starts the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Starter {
    /// A service and a timer
    Systemd,
    /// A line of a crontab
    Cron,
    /// A CronJob with the store on a claim
    Kubernetes,
    /// A property list of macOS
    Launchd,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Every {
    /// Each hour, at the minute of --at
    Hour,
    /// Each day
    Day,
    /// Each Monday
    Week,
}

/// The job, checked.
struct Job {
    name: String,
    every: Every,
    hour: u8,
    minute: u8,
    /// Each a list of arguments, the program first: both must succeed, in this order.
    commands: [Vec<String>; 2],
    /// Names and values.
    variables: Vec<(String, String)>,
    /// Severity of `--fail-on`.
    fails_on: Option<String>,
    user: Option<String>,
    image: String,
    service_account: Option<String>,
    /// Whether anything lies on the claim of a CronJob.
    claim: bool,
    /// What a ConfigMap has to hold: files and folders here.
    config: Vec<String>,
    /// Where launchd writes what the job says.
    log: String,
}

/// Where the claim and the ConfigMap are in a container.
const CLAIM: &str = "/var/lib/roletrail";
const CONFIG: &str = "/etc/roletrail";

/// Runs the command.
///
/// # Errors
/// [`Error::Usage`].
pub fn run(store: &Path, command: &Schedule, ui: &Ui) -> Result<Outcome> {
    let job = job(store, command, ui)?;
    let text = match command.format {
        Starter::Systemd => units::systemd(&job),
        Starter::Cron => units::cron(&job),
        Starter::Kubernetes => units::kubernetes(&job)?,
        Starter::Launchd => units::launchd(&job),
    };
    ui.print(&text)?;
    Ok(Outcome::Done)
}

fn job(store: &Path, command: &Schedule, ui: &Ui) -> Result<Job> {
    // What would end each night's run is said now.
    let library = library::open(&command.report.library, ui)?;
    let sets = Sets::open(command.report.sets.as_deref())?;
    sets.by_name(&command.name)?.choose(&library)?;
    typed::accounts(&command.ingest.accounts)?;
    Window::parse(
        command.ingest.ingest_since.as_deref(),
        None,
        chrono::Utc::now().timestamp_micros(),
    )?;
    let (hour, minute) = clock(&command.at)?;
    let paths = Paths { remote: command.format == Starter::Kubernetes };
    for (given, name, starter) in [
        (&command.place.user, "--user", Starter::Systemd),
        (&command.place.service_account, "--service-account", Starter::Kubernetes),
    ] {
        if given.is_some() && command.format != starter {
            return Err(Error::usage(format!("{name} is for {}", word(&starter))));
        }
    }
    let store = match store.to_string_lossy() {
        store if paths.remote => {
            paths.data(store.strip_prefix("./roletrail-").unwrap_or(&store))?
        }
        store => paths.data(&store)?,
    };
    let program = match &command.place.program {
        Some(program) => program.clone(),
        None if paths.remote => "roletrail".to_owned(),
        None => std::env::current_exe()
            .map_err(Error::io("the program"))?
            .to_string_lossy()
            .into_owned(),
    };
    let start = |what: &str| vec![program.clone(), "--store".into(), store.clone(), what.into()];
    let commands =
        [ingest(command, &paths, start("ingest"))?, report(command, &paths, start("report"))?];
    let variables = variables(&command.place.variables)?;
    let values = variables.iter().map(|(_, value)| value);
    let place = &command.place;
    let others = place.user.iter().chain(&place.service_account).chain([&place.image]);
    // Units are lines: nothing that ends one may get in.
    let odd = |word: &&String| word.chars().any(char::is_control);
    if let Some(odd) = commands.iter().flatten().chain(values).chain(others).find(odd) {
        return Err(Error::usage(format!("{odd} holds a character that no unit can hold")));
    }
    let config = [command.report.sets.as_ref(), command.report.library.queries.as_ref()];
    let claim = commands.iter().flatten().any(|word| word.starts_with(CLAIM));
    let profile_of_root = command.s3.profile.is_some().then(|| "root".to_owned());
    Ok(Job {
        name: format!("roletrail-{}", command.name.to_ascii_lowercase().replace('_', "-")),
        every: command.every,
        hour,
        minute,
        commands,
        variables,
        fails_on: command.report.fail_on.as_ref().map(word),
        // Without a user systemd sets no HOME, and a profile would not be found.
        user: place.user.clone().or(profile_of_root),
        image: place.image.clone(),
        service_account: place.service_account.clone(),
        config: config
            .into_iter()
            .flatten()
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
        claim,
        log: match store.starts_with(SCHEME) {
            true => paths.data(&format!("roletrail-{}.log", command.name))?,
            false => format!("{store}.{}.log", command.name),
        },
    })
}

fn ingest(command: &Schedule, paths: &Paths, mut words: Vec<String>) -> Result<Vec<String>> {
    for source in &command.sources {
        if source == "-" {
            return Err(Error::usage("a job has no standard input to read logs from"));
        }
        words.push(paths.data(source)?);
    }
    let args = &command.ingest;
    words.extend(args.accounts.iter().flat_map(|id| ["--account".to_owned(), id.clone()]));
    words.extend(args.regions.iter().flat_map(|region| ["--region".to_owned(), region.clone()]));
    option(&mut words, "--since", args.ingest_since.clone());
    if args.redact {
        words.push("--redact".into());
    }
    let key = args.redact_key_file.as_ref().map(|path| paths.data(&path.to_string_lossy()));
    option(&mut words, "--redact-key-file", key.transpose()?);
    if in_s3(&words) {
        let flags = [
            (command.s3.no_sign_request, "--no-sign-request"),
            (command.s3.request_payer, "--request-payer"),
        ];
        words.extend(flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag.to_owned()));
        s3(&mut words, &command.s3);
    }
    Ok(words)
}

fn report(command: &Schedule, paths: &Paths, mut words: Vec<String>) -> Result<Vec<String>> {
    let args = &command.report;
    let output = format!("{}/", paths.data(&command.output)?.trim_end_matches('/'));
    words.extend([command.name.clone(), "--since".into(), "last".into(), "-o".into(), output]);
    option(&mut words, "--fail-on", args.fail_on.as_ref().map(word));
    option(&mut words, "--format", args.report_format.as_ref().map(word));
    option(&mut words, "--sets", args.sets.as_deref().map(|file| paths.config(file)).transpose()?);
    let folder = args.library.queries.as_deref();
    let folder = match paths.remote {
        true => folder.map(|_| CONFIG.to_owned()),
        false => folder.map(|folder| paths.config(folder)).transpose()?,
    };
    option(&mut words, "--queries", folder);
    option(&mut words, "--memory", args.memory.map(|mib| mib.to_string()));
    // Who reads a public bucket unsigned still signs what is written.
    if in_s3(&words) {
        s3(&mut words, &command.s3);
    }
    Ok(words)
}

/// Whether anything of it, the store too, is in a bucket.
fn in_s3(words: &[String]) -> bool {
    words.iter().any(|word| word.starts_with(SCHEME))
}

fn s3(words: &mut Vec<String>, args: &S3Args) {
    option(words, "--endpoint-url", args.endpoint_url.clone());
    option(words, "--profile", args.profile.clone());
}

fn option(words: &mut Vec<String>, name: &str, value: Option<String>) {
    words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
}

/// How an option's value is typed.
fn word<V: ValueEnum>(value: &V) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// A job starts in another folder than its author; a container has folders of its own.
struct Paths {
    remote: bool,
}

impl Paths {
    fn data(&self, path: &str) -> Result<String> {
        if path.starts_with(SCHEME) {
            return Ok(path.to_owned());
        }
        let whole = match self.remote {
            true => Path::new(CLAIM).join(path.trim_start_matches("./")),
            false => std::path::absolute(path).map_err(Error::io(path))?,
        };
        Ok(whole.to_string_lossy().into_owned())
    }

    fn config(&self, path: &Path) -> Result<String> {
        match (self.remote, path.file_name()) {
            (true, Some(name)) => Ok(format!("{CONFIG}/{}", name.to_string_lossy())),
            _ => self.data(&path.to_string_lossy()),
        }
    }
}

/// Variables whose values must not lie in a unit, which others may read.
const SECRETS: &[&str] = &[
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "ROLETRAIL_REDACT_KEY",
];

fn variables(all: &[String]) -> Result<Vec<(String, String)>> {
    let one = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let digit = name.starts_with(|c: char| c.is_ascii_digit());
        if SECRETS.contains(&name) {
            return Err(Error::usage_hint(
                format!("--env {name}: a unit is no place for a secret"),
                "let the job find it: the role of the instance or service account, a profile in \
                 ~/.aws/credentials, --redact-key-file",
            ));
        }
        if name.is_empty() || digit || !name.chars().all(plain) || !text.contains('=') {
            return Err(Error::usage_hint(
                format!("--env {text} is no variable"),
                "write NAME=VALUE: AWS_REGION=eu-west-1",
            ));
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    all.iter().map(one).collect()
}

fn clock(text: &str) -> Result<(u8, u8)> {
    let wrong = || Error::usage_hint(format!("--at {text} is no time of day"), "write 06:00");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str, below: u8| {
        let digits = (digits.len() == 2).then_some(digits)?;
        digits.parse().ok().filter(|n| *n < below)
    };
    number(hour, 24).zip(number(minute, 60)).ok_or_else(wrong)
}
