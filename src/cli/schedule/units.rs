//! The units as text, each word quoted as its reader wants it.

use super::super::words::shell;
use super::{CLAIM, CONFIG, Every, Job};
use crate::error::Result;

/// Both commands in one line for a POSIX shell; `last` stands before the second.
fn shell_line(job: &Job, last: &str) -> String {
    let line = |words: &[String]| words.iter().map(|w| shell(w)).collect::<Vec<_>>().join(" ");
    let [ingest, report] = &job.commands;
    let set = |(name, value): &(String, String)| format!("{name}={} ", shell(value));
    let environment = match job.variables.as_slice() {
        [] => String::new(),
        all => format!("export {}&& ", all.iter().map(set).collect::<String>()),
    };
    format!("{environment}{} && {last}{}", line(ingest), line(report))
}

/// A text for a unit of systemd: systemd.syntax(7), "Quoting", and `%` from systemd.unit(5).
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%")
}

/// A word for a line that starts a program: `$` besides, from systemd.service(5), "Command lines".
fn unit_word(word: &str) -> String {
    let escaped = quoted(word).replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.:=@,+%$".contains(c);
    if !word.is_empty() && word.chars().all(plain) { escaped } else { format!("\"{escaped}\"") }
}

pub(super) fn systemd(job: &Job) -> String {
    let line =
        |command: &[String]| command.iter().map(|w| unit_word(w)).collect::<Vec<_>>().join(" ");
    let (hour, minute) = (job.hour, job.minute);
    let calendar = match job.every {
        Every::Hour => format!("*-*-* *:{minute:02}:00 UTC"),
        Every::Day => format!("*-*-* {hour:02}:{minute:02}:00 UTC"),
        Every::Week => format!("Mon *-*-* {hour:02}:{minute:02}:00 UTC"),
    };
    let mut settings = String::new();
    if let Some(user) = &job.user {
        settings.push_str(&format!("User={}\n", quoted(user)));
    }
    for (name, value) in &job.variables {
        settings.push_str(&format!("Environment=\"{name}={}\"\n", quoted(value)));
    }
    let found = job.fails_on.as_ref().map_or(String::new(), |severity| {
        format!(
            "# Exit code 5 of the second: it found something of severity {severity} or above.\n"
        )
    });
    let (name, [ingest, report]) = (&job.name, &job.commands);
    format!(
        "# Two files. Then: systemctl daemon-reload && systemctl enable --now {name}.timer\n\
         # /etc/systemd/system/{name}.service\n\
         [Unit]\n\
         Description=Load CloudTrail logs and write the report {name}\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         {settings}\
         # One after the other; a failure ends the run, and the next one takes up its window.\n\
         {found}\
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

pub(super) fn cron(job: &Job) -> String {
    // In a crontab a bare % is the end of the line.
    let line = shell_line(job, "").replace('%', "\\%");
    format!(
        "# crontab -e; times are those of the machine's clock. What it prints is mailed to the crontab's owner.\n{} {line}\n",
        cron_times(job)
    )
}

/// JSON is YAML: every value is written as JSON, its line breaks and signs escaped.
pub(super) fn kubernetes(job: &Job) -> Result<String> {
    let [ingest, report] = &job.commands;
    let (name, image) = (&job.name, serde_json::to_string(&job.image)?);
    let (mut mounts, mut volumes) = (Vec::new(), String::new());
    let mut head = "# kubectl apply -f FILE. The image holds the program.\n".to_owned();
    if job.claim {
        mounts.push(format!("{{name: store, mountPath: {CLAIM}}}"));
        volumes.push_str(&format!(
            "            - name: store\n              persistentVolumeClaim: {{claimName: {name}}}\n"
        ));
        head = format!(
            "# kubectl apply -f FILE. The image holds the program; the claim {name}, which must be there, holds the store.\n"
        );
    }
    if !job.config.is_empty() {
        mounts.push(format!("{{name: queries, mountPath: {CONFIG}}}"));
        volumes.push_str(&format!(
            "            - name: queries\n              configMap: {{name: {name}}}\n"
        ));
        let from = |path: &String| format!(" --from-file={}", shell(path));
        let files: String = job.config.iter().map(from).collect();
        head.push_str(&format!("# Sets and queries: kubectl create configmap {name}{files}\n"));
    }
    let mut environment = String::new();
    if !job.variables.is_empty() {
        let one =
            |(name, value): &(String, String)| serde_json::json!({"name": name, "value": value});
        let all: Vec<_> = job.variables.iter().map(one).collect();
        environment = format!("              env: {}\n", serde_json::to_string(&all)?);
    }
    if !volumes.is_empty() {
        volumes.insert_str(0, "          volumes:\n");
    }
    let account = match &job.service_account {
        Some(account) => {
            format!("          serviceAccountName: {}\n", serde_json::to_string(account)?)
        }
        None => String::new(),
    };
    let container = |step: &str, command: &[String]| -> Result<String> {
        let command = serde_json::to_string(command)?;
        Ok(format!(
            "            - name: {step}\n              image: {image}\n              command: {command}\n{environment}              \
             volumeMounts: [{}]\n",
            mounts.join(", ")
        ))
    };
    Ok(format!(
        "{head}\
         apiVersion: batch/v1\n\
         kind: CronJob\n\
         metadata:\n  name: {name}\n\
         spec:\n  schedule: {}\n  timeZone: Etc/UTC\n  concurrencyPolicy: Forbid\n  jobTemplate:\n    spec:\n      \
         backoffLimit: 0\n      template:\n        spec:\n          restartPolicy: Never\n{account}          initContainers:\n{}\
         \x20         containers:\n{}\
{volumes}",
        serde_json::to_string(&cron_times(job))?,
        container("ingest", ingest)?,
        container("report", report)?,
    ))
}

pub(super) fn launchd(job: &Job) -> String {
    let line = shell_line(job, "exec ");
    let key = |name: &str, value: u8| format!("<key>{name}</key><integer>{value}</integer>");
    let minute = key("Minute", job.minute);
    let when = match job.every {
        Every::Hour => minute,
        Every::Day => key("Hour", job.hour) + &minute,
        Every::Week => key("Weekday", 1) + &key("Hour", job.hour) + &minute,
    };
    let (name, log) = (&job.name, crate::output::safe::html(&job.log));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!-- ~/Library/LaunchAgents/{name}.plist; then: launchctl bootstrap gui/$UID ~/Library/LaunchAgents/{name}.plist; times are those of the machine's clock -->\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n\
         \x20 <key>Label</key><string>{name}</string>\n\
         \x20 <key>ProgramArguments</key>\n  <array><string>/bin/sh</string><string>-c</string><string>{}</string></array>\n\
         \x20 <key>StartCalendarInterval</key><dict>{when}</dict>\n\
         \x20 <key>StandardOutPath</key><string>{log}</string>\n\
         \x20 <key>StandardErrorPath</key><string>{log}</string>\n\
         </dict>\n</plist>\n",
        crate::output::safe::html(&line)
    )
}
