//! The command line: arguments, one file a command, and the only room that prints.

mod args;
mod chain;
mod completions;
mod coverage;
mod destination;
mod drawing;
mod event;
mod evidence;
mod exit;
mod export;
mod export_statement;
mod generate;
mod ingest;
mod json;
mod library;
mod man;
mod page;
mod query;
mod report;
mod s3;
mod schedule;
pub mod schema;
mod session;
mod sessions;
mod shell;
mod source;
mod store;
mod subject;
mod timeline;
mod ui;
mod unmatched;
mod who;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Args, Command};

use crate::error::{Error, Result};
use crate::panics;

/// Reads the arguments. `--logs` takes any number of sources, so in `query --logs DIR "SELECT …"` it
/// takes the statement as well; where that leaves the command without its own argument, the last
/// source is taken for it.
fn parse(words: Vec<OsString>) -> Args {
    let error = match Args::try_parse_from(&words) {
        Ok(args) => return args,
        Err(error) => error,
    };
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some(args) = own_argument_first(words).and_then(|w| Args::try_parse_from(w).ok())
    {
        return args;
    }
    error.exit()
}

fn own_argument_first(mut words: Vec<OsString>) -> Option<Vec<OsString>> {
    let logs = words.iter().position(|word| word == "--logs")?;
    let is_source = |word: &&OsString| !word.to_string_lossy().starts_with('-');
    let sources = words[logs + 1..].iter().take_while(is_source).count();
    if sources < 2 {
        return None;
    }
    let own = words.remove(logs + sources);
    words.insert(logs, own);
    Some(words)
}

/// Runs the program.
pub fn main() -> ExitCode {
    let args = parse(std::env::args_os().collect());
    // Long statements, such as lists of thousands of addresses, are planned recursively.
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(|| start(args));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        Ok(Err(_)) | Err(_) => ExitCode::FAILURE,
    }
}

/// Address space, not memory: only what is used is taken.
const STACK_BYTES: usize = 512 << 20;

fn start(args: Args) -> ExitCode {
    let ui = ui::Ui::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES / 16)
        // Whoever waits for their work tells what became of it.
        .on_thread_start(panics::keep_quiet)
        .build()
        .map_err(Error::io("tokio runtime"));
    let result = runtime.and_then(|runtime| {
        let done = panics::caught(|| runtime.block_on(run(args, &ui)));
        done.unwrap_or_else(|message| Err(Error::Panicked { message }))
    });
    exit::code(result, &ui)
}

async fn run(args: Args, ui: &ui::Ui) -> Result<exit::Outcome> {
    let store = args.store;
    match args.command {
        Command::Ingest(command) => ingest::run(&store, command, ui).await,
        Command::Query(command) => query::run(&store, command, ui).await,
        Command::Shell(command) => shell::run(&store, command, ui).await,
        Command::Sessions(command) => sessions::run(&store, command, ui).await,
        Command::Session(command) => session::run(&store, command, ui).await,
        Command::Chain(command) => chain::run(&store, command, ui).await,
        Command::Who(command) => who::run(&store, command, ui).await,
        Command::Timeline(command) => timeline::run(&store, command, ui).await,
        Command::Coverage(command) => coverage::run(&store, command, ui).await,
        Command::Event(command) => event::run(&store, command, ui).await,
        Command::Store(command) => store::run(&store, command, ui).await,
        Command::Completions(command) => completions::run(&command, ui),
        Command::Report(command) => report::run(&store, command, ui).await,
        Command::Schedule(command) => schedule::run(&store, &command, ui),
        Command::Export(command) => export::run(&store, command, ui).await,
        Command::Man(command) => man::run(&command, ui),
        Command::Schema(command) => schema::run(command, ui).await,
        Command::GenerateLogs(command) => generate::run(&command, ui),
    }
}
