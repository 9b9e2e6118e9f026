//! `schedule`: the units that run `ingest` and `report` every day, for whatever starts jobs here.

use std::path::Path;

use clap::ValueEnum;

use super::args::Schedule;
use super::exit::Outcome;
use super::ui::Ui;
use crate::answers::report::sets::Sets;
use crate::error::{Error, Result};

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
    image: String,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Usage`].
pub fn run(store: &Path, command: &Schedule, ui: &Ui) -> Result<Outcome> {
    let job = job(store, command)?;
    let text = match command.format {
        Starter::Systemd => systemd(&job),
        Starter::Cron => cron(&job),
        Starter::Kubernetes => kubernetes(&job)?,
        Starter::Launchd => launchd(&job),
    };
    ui.print(&text)?;
    Ok(Outcome::Done)
}

fn job(store: &Path, command: &Schedule) -> Result<Job> {
    Sets::open(command.sets.as_deref())?.by_name(&command.name)?;
    let (hour, minute) = clock(&command.at)?;
    let remote = command.format == Starter::Kubernetes;
    // A job starts in another folder than its author; a container has folders of its own.
    let whole = |path: &str| -> Result<String> {
        if remote || path.starts_with(crate::sources::s3::SCHEME) {
            return Ok(path.to_owned());
        }
        let whole = std::path::absolute(path).map_err(Error::io(path))?;
        Ok(whole.to_string_lossy().into_owned())
    };
    let store = match store.to_string_lossy() {
        store if remote && store.starts_with("./") => "/var/lib/roletrail/store".to_owned(),
        store => whole(&store)?,
    };
    let program = match &command.program {
        Some(program) => program.clone(),
        None if remote => "roletrail".to_owned(),
        None => std::env::current_exe()
            .map_err(Error::io("the program"))?
            .to_string_lossy()
            .into_owned(),
    };
    let mut ingest = vec![program.clone(), "--store".into(), store.clone(), "ingest".into()];
    for source in &command.sources {
        ingest.push(whole(source)?);
    }
    let output = format!("{}/", whole(&command.output)?.trim_end_matches('/'));
    let mut report = vec![program, "--store".into(), store, "report".into(), command.name.clone()];
    report.extend(["--since".into(), "last".into(), "-o".into(), output]);
    if let Some(sets) = &command.sets {
        report.extend(["--sets".into(), whole(&sets.to_string_lossy())?]);
    }
    let commands = [ingest, report];
    // Units are lines: nothing that ends one may get in.
    if let Some(odd) = commands.iter().flatten().find(|word| word.chars().any(char::is_control)) {
        return Err(Error::usage(format!("{odd} holds a character that no unit can hold")));
    }
    Ok(Job {
        name: format!("roletrail-{}", command.name.to_ascii_lowercase().replace('_', "-")),
        every: command.every,
        hour,
        minute,
        commands,
        image: command.image.clone(),
    })
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

/// A word for a POSIX shell.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn shell_line(command: &[String]) -> String {
    command.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" ")
}

/// A word for a line of a unit: systemd.service(5), "Command lines", and `%` from systemd.unit(5).
fn unit_word(word: &str) -> String {
    let escaped =
        word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.:=@,+%$".contains(c);
    if !word.is_empty() && word.chars().all(plain) { escaped } else { format!("\"{escaped}\"") }
}

fn systemd(job: &Job) -> String {
    let line =
        |command: &[String]| command.iter().map(|w| unit_word(w)).collect::<Vec<_>>().join(" ");
    let (hour, minute) = (job.hour, job.minute);
    let calendar = match job.every {
        Every::Hour => format!("*-*-* *:{minute:02}:00 UTC"),
        Every::Day => format!("*-*-* {hour:02}:{minute:02}:00 UTC"),
        Every::Week => format!("Mon *-*-* {hour:02}:{minute:02}:00 UTC"),
    };
    let (name, [ingest, report]) = (&job.name, &job.commands);
    format!(
        "# /etc/systemd/system/{name}.service\n\
         [Unit]\n\
         Description=Load CloudTrail logs and write the report {name}\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         # One after the other; a failure ends the run, and the next one takes up its window.\n\
         ExecStart={}\n\
         ExecStart={}\n\
         \n\
         # /etc/systemd/system/{name}.timer\n\
         [Unit]\n\
         Description=When {name} runs\n\
         \n\
         [Timer]\n\
         OnCalendar={calendar}\n\
         # What was missed while the machine was off is made up for.\n\
         Persistent=true\n\
         \n\
         [Install]\n\
         WantedBy=timers.target\n",
        line(ingest),
        line(report),
    )
}

fn cron_times(job: &Job) -> String {
    match job.every {
        Every::Hour => format!("{} * * * *", job.minute),
        Every::Day => format!("{} {} * * *", job.minute, job.hour),
        Every::Week => format!("{} {} * * 1", job.minute, job.hour),
    }
}

fn cron(job: &Job) -> String {
    let [ingest, report] = &job.commands;
    // In a crontab a bare % is the end of the line.
    let line = format!("{} && {}", shell_line(ingest), shell_line(report)).replace('%', "\\%");
    format!(
        "# crontab -e; times are those of the machine's clock. What it prints is mailed to the crontab's owner.\n{} {line}\n",
        cron_times(job)
    )
}

fn kubernetes(job: &Job) -> Result<String> {
    let [ingest, report] = &job.commands;
    // JSON strings are YAML strings.
    let list = |command: &[String]| serde_json::to_string(command);
    let (name, image) = (&job.name, serde_json::to_string(&job.image)?);
    let container = |step: &str, command: &str| {
        format!(
            "            - name: {step}\n              image: {image}\n              command: {command}\n              \
             volumeMounts: [{{name: store, mountPath: /var/lib/roletrail}}]\n"
        )
    };
    Ok(format!(
        "# The image holds the program; the claim {name} holds the store.\n\
         apiVersion: batch/v1\n\
         kind: CronJob\n\
         metadata:\n  name: {name}\n\
         spec:\n  schedule: {}\n  timeZone: Etc/UTC\n  concurrencyPolicy: Forbid\n  jobTemplate:\n    spec:\n      \
         backoffLimit: 0\n      template:\n        spec:\n          restartPolicy: Never\n          initContainers:\n{}\
         \x20         containers:\n{}\
         \x20         volumes:\n            - name: store\n              persistentVolumeClaim: {{claimName: {name}}}\n",
        serde_json::to_string(&cron_times(job))?,
        container("ingest", &list(ingest)?),
        container("report", &list(report)?),
    ))
}

fn launchd(job: &Job) -> String {
    let [ingest, report] = &job.commands;
    let line = format!("{} && exec {}", shell_line(ingest), shell_line(report));
    let key = |name: &str, value: u8| format!("<key>{name}</key><integer>{value}</integer>");
    let minute = key("Minute", job.minute);
    let when = match job.every {
        Every::Hour => minute,
        Every::Day => key("Hour", job.hour) + &minute,
        Every::Week => key("Weekday", 1) + &key("Hour", job.hour) + &minute,
    };
    let name = &job.name;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!-- ~/Library/LaunchAgents/{name}.plist; times are those of the machine's clock -->\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n\
         \x20 <key>Label</key><string>{name}</string>\n\
         \x20 <key>ProgramArguments</key>\n  <array><string>/bin/sh</string><string>-c</string><string>{}</string></array>\n\
         \x20 <key>StartCalendarInterval</key><dict>{when}</dict>\n\
         \x20 <key>StandardErrorPath</key><string>/tmp/{name}.log</string>\n\
         </dict>\n</plist>\n",
        crate::output::safe::html(&line)
    )
}
