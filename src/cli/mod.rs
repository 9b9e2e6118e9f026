//! The command line: arguments, one file a command, and the only room that prints.

mod args;
mod chain;
mod completions;
mod destination;
mod drawing;
mod exit;
mod generate;
mod ingest;
mod json;
mod page;
mod query;
pub mod schema;
mod session;
mod sessions;
mod source;
mod subject;
mod timeline;
mod ui;
mod who;
mod words;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// Runs the program.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let ui = ui::Ui::new();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(crate::error::Error::io("tokio runtime"))
        .and_then(|runtime| runtime.block_on(run(args, &ui)));
    exit::code(result, &ui)
}

async fn run(args: Args, ui: &ui::Ui) -> crate::error::Result<exit::Outcome> {
    let store = args.store;
    match args.command {
        Command::Ingest(command) => ingest::run(&store, command, ui).await,
        Command::Query(command) => query::run(&store, command, ui).await,
        Command::Sessions(command) => sessions::run(&store, command, ui).await,
        Command::Session(command) => session::run(&store, command, ui).await,
        Command::Chain(command) => chain::run(&store, command, ui).await,
        Command::Who(command) => who::run(&store, command, ui).await,
        Command::Timeline(command) => timeline::run(&store, command, ui).await,
        Command::Completions(command) => completions::run(&command, ui),
        Command::Schema(command) => schema::run(command, ui).await,
        Command::GenerateLogs(command) => generate::run(&command, ui),
    }
}
