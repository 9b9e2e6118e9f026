//! `generate-logs`: invented logs for tests and benchmarks.

use super::args::GenerateLogs;
use super::exit::Outcome;
use super::ui::Ui;
use crate::error::Result;
use crate::generate::{self, WorldOptions};

/// Runs the command.
pub fn run(command: &GenerateLogs, ui: &Ui) -> Result<Outcome> {
    if command.stories {
        for story in generate::stories(&command.output, command.seed)? {
            ui.note(&format!("{}: {} events, {} files", story.name, story.events, story.files));
        }
        return Ok(Outcome::Done);
    }
    let options = WorldOptions {
        events: command.events,
        accounts: command.accounts,
        days: command.days,
        seed: command.seed,
        losses: command.losses,
    };
    let summary = generate::world(&options, &command.output)?;
    let delivered = summary.delivered;
    ui.note(&format!(
        "{} events ({} resolvable), {} records in {} files, {} bytes of JSON, {} bytes gzipped",
        summary.events,
        summary.resolvable,
        delivered.records,
        delivered.files,
        delivered.json_bytes,
        delivered.gzip_bytes
    ));
    Ok(Outcome::Done)
}
