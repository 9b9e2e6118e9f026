//! `completions`: scripts for shell completion.

use clap::CommandFactory;

use super::args::{Args, Completions};
use super::exit::Outcome;
use super::ui::Ui;
use crate::error::Result;

/// Runs the command.
pub fn run(command: &Completions, ui: &Ui) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Args::command(), "roletrail", &mut script);
    ui.print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Done)
}
