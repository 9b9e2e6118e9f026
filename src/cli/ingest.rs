//! `ingest`: loads logs and prints the books.

use std::path::Path;
use std::time::Instant;

use super::args::Ingest;
use super::exit::Outcome;
use super::ui::Ui;
use crate::answers::{Window, typed};
use crate::decode::Limits;
use crate::error::{Error, Result};
use crate::intake::books::FileReject;
use crate::intake::{Books, Options};
use crate::model::time;
use crate::output::safe;
use crate::pipeline;
use crate::redact::{Key, Redactor, key_beside};
use crate::sources::s3::SCHEME;
use crate::sources::{self, LeftOut, Selection};
use crate::store::{Location, Store};

/// Runs the command.
pub async fn run(store: &Path, command: Ingest, ui: &Ui) -> Result<Outcome> {
    let now = chrono::Utc::now().timestamp_micros();
    let window = command.window;
    let window = Window::parse(window.since.as_deref(), window.until.as_deref(), now)?;
    typed::accounts(&command.accounts)?;
    let only = Selection {
        accounts: command.accounts,
        regions: command.regions,
        since: window.since,
        until: window.until,
    };
    let s3 = command.s3.settings();
    let at = Location::of(store, &s3)?;
    let key = key_beside(store);
    let key_was_there = key.exists();
    let redactor = redactor(store, command.redact, command.redact_key_file.as_deref(), ui)?;
    let options = Options {
        redactor,
        sources: sources::Options { only, s3 },
        threads: size(command.threads, 1),
        inflated_bytes: command.max_inflated.saturating_mul(1 << 20),
        limits: Limits {
            record_bytes: size(command.max_record, 1 << 10),
            string_bytes: size(command.max_string, 1 << 10),
            depth: size(command.max_depth, 1),
            ..Limits::default()
        },
        ..Options::of_memory(command.memory << 20)
    };
    let started = Instant::now();
    let bar = ui.progress();
    let done = pipeline::ingest(at.clone(), &command.sources, &options, &bar).await;
    if done.is_err() && command.redact && !key_was_there && key.exists() {
        // A key that nothing was stored with would only lie about. Where the store cannot be asked
        // it stays.
        let used = Store::exists(at)? && !matches!(done, Err(Error::Usage { .. }));
        if !used {
            std::fs::remove_file(&key).map_err(Error::io(&key))?;
            ui.note("the key is removed again: nothing was stored with it");
        }
    }
    let done = done?;
    report_problems(&done.problems, done.books.rejected, ui);
    for file in &done.conflicts {
        let path = file.path.display();
        ui.note(&format!(
            "warning: {path}: {} event ids came with a second, different content; both are kept",
            file.conflicts
        ));
    }
    match &done.merged {
        Some(Ok(merging)) => ui.note(&super::store::merged_text(merging)),
        Some(Err(error)) => ui.note(&format!(
            "warning: the logs are in, but small files could not be merged: {error}"
        )),
        None => {}
    }
    ui.print(&books_text(&done.books, store, done.snapshot.id))?;
    ui.note(&rate_text(&done.books, started.elapsed().as_secs_f64()));
    let rejected = done.books.rejected > 0;
    Ok(if rejected && command.strict { Outcome::Rejected } else { Outcome::Done })
}

/// The key of the pseudonyms: from a file, the environment, or beside the store.
pub fn redactor(
    store: &Path,
    wanted: bool,
    file: Option<&Path>,
    ui: &Ui,
) -> Result<Option<Redactor>> {
    if !wanted {
        return Ok(None);
    }
    let key = match (file, std::env::var_os("ROLETRAIL_REDACT_KEY")) {
        (Some(file), _) => Key::read(file)?,
        (None, Some(text)) => Key::new(text.as_encoded_bytes())?,
        (None, None) if store.to_string_lossy().starts_with(SCHEME) => {
            return Err(Error::usage_hint(
                "a store in S3 has no place beside it for the key of the pseudonyms",
                "give the key with --redact-key-file FILE or ROLETRAIL_REDACT_KEY; make one with: \
                 head -c 32 /dev/urandom | base64 > FILE",
            ));
        }
        (None, None) => {
            let path = key_beside(store);
            let (key, made) = Key::read_or_make(&path)?;
            if made {
                let path = path.display();
                ui.note(&format!(
                    "made a key for pseudonyms: {path}; keep it for further ingests, and do not hand it \
                     on with the store"
                ));
            }
            key
        }
    };
    Ok(Some(Redactor::new(&key)))
}

fn size(number: u64, unit: usize) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(unit)
}

/// Names file, position and reason of what could not be read: the first of `all`.
pub fn report_problems(problems: &[FileReject], all: u64, ui: &Ui) {
    for FileReject { path, reject } in problems {
        ui.note(&format!("warning: {}: {}: {}", path.display(), reject.position, reject.reason));
    }
    let more = all.saturating_sub(problems.len() as u64);
    if more > 0 {
        ui.note(&format!("warning: {more} more; see SELECT * FROM rejects"));
    }
}

/// The books, one line each; the same input gives the same text.
fn books_text(books: &Books, store: &Path, snapshot: u64) -> String {
    let span = match (books.first_event_time, books.last_event_time) {
        (Some(first), Some(last)) => {
            format!("{} to {}", time::format_instant(first), time::format_instant(last))
        }
        _ => "no events".to_owned(),
    };
    let mut files = format!("{} read", books.files);
    if books.archives > 0 {
        let plural = if books.archives == 1 { "" } else { "s" };
        files.push_str(&format!(", {} archive{plural} opened", books.archives));
    }
    if books.already_in > 0 {
        files.push_str(&format!(", {} already in", books.already_in));
    }
    for (what, count) in &books.passed_over {
        files.push_str(&format!(", {count} passed over ({what})"));
    }
    if books.unreadable > 0 {
        files.push_str(&format!(", {} of them unreadable", books.unreadable));
    }
    let left_out = left_out_text(books.left_out);
    let mut text = format!(
        "files       {files}\n\
         {left_out}\
         records     {} = {} kept + {} duplicates + {} rejected\n\
         time        {span}\n\
         accounts    {}\n",
        books.records, books.kept, books.duplicates, books.rejected, books.accounts
    );
    if books.conflicts > 0 {
        let line = "event ids that came with a second content; both are kept";
        text.push_str(&format!("conflicts   {} {line}\n", books.conflicts));
    }
    let store = store.to_string_lossy();
    text.push_str(&format!("store       {}, snapshot {snapshot}\n", safe::terminal(&store)));
    text
}

/// What paths alone kept out; a folder counts once, whatever lies in it.
fn left_out_text(left_out: LeftOut) -> String {
    let one_or_more = |n: u64, what: &str| match n {
        0 => None,
        1 => Some(format!("1 {what}")),
        n => Some(format!("{n} {what}s")),
    };
    let parts = [one_or_more(left_out.folders, "folder"), one_or_more(left_out.files, "file")];
    match parts.into_iter().flatten().collect::<Vec<_>>() {
        none if none.is_empty() => String::new(),
        some => format!("left out    {} by path, not opened\n", some.join(" and ")),
    }
}

/// How fast it went: differs from run to run, so it goes to stderr.
fn rate_text(books: &Books, seconds: f64) -> String {
    let per_second = |n: u64| n as f64 / seconds.max(1e-9);
    let peak = peak_memory_mib().map(|mib| format!(", peak memory {mib} MiB")).unwrap_or_default();
    format!(
        "{seconds:.1} s, {:.0} records/s, {:.0} MB/s of JSON{peak}",
        per_second(books.records),
        per_second(books.inflated_bytes) / 1e6
    )
}

/// Most memory this process ever held, where the system tells (Linux).
fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.div_ceil(1024))
}
