//! `man`: the manual page, made from what can be typed.

use clap::CommandFactory;
use clap_mangen::Man;

use super::args::{Args, Man as ManArgs};
use super::exit::Outcome;
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::sql::offered;

/// Runs the command.
pub fn run(command: &ManArgs, ui: &Ui) -> Result<Outcome> {
    let mut program = Args::command();
    program.build();
    if let Some(dir) = &command.output {
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        clap_mangen::generate_to(program, dir).map_err(Error::io(dir))?;
        return Ok(Outcome::Done);
    }
    let page = match &command.command {
        None => program,
        Some(name) => {
            let known = || program.get_subcommands().map(clap::Command::get_name);
            program.find_subcommand(name).cloned().ok_or_else(|| Error::NotFound {
                message: format!("there is no command {name}"),
                hint: offered(name, known()),
            })?
        }
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text).map_err(Error::io("manual page"))?;
    ui.print(&String::from_utf8_lossy(&text))?;
    Ok(Outcome::Done)
}
