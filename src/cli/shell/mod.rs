//! `shell`: a prompt for SQL with the habits of psql. Statements end with `;`, commands begin with a
//! backslash. From a pipe it reads the same words and shows no prompt.

mod commands;
mod editor;
mod run;
mod text;

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use rustyline::error::ReadlineError;

use super::args::Shell as ShellArgs;
use super::exit::Outcome;
use super::library;
use super::source;
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::output::Format;
use crate::sql::saved::Library;
use crate::sql::{Dialect, Params, Sql};

/// What a session at the prompt remembers.
struct Shell<'u> {
    ui: &'u Ui,
    tables: Sql,
    library: Library,
    dialect: Dialect,
    format: Format,
    /// Where answers go instead of the terminal.
    output: Option<PathBuf>,
    /// Whether every row is shown as a list of its columns.
    expanded: bool,
    timing: bool,
    /// Statements that failed.
    failed: u64,
    /// Files being read by `\i`, one in another.
    depth: usize,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Quit,
}

/// Runs the command.
pub async fn run(store: &Path, command: ShellArgs, ui: &Ui) -> Result<Outcome> {
    let tables = source::open(store, &command.source, ui).await?;
    let mut shell = Shell {
        ui,
        tables,
        library: library::open(&command.library, ui)?,
        dialect: command.dialect.into(),
        format: command.format,
        output: None,
        expanded: false,
        timing: false,
        failed: 0,
        depth: 0,
    };
    if std::io::stdin().is_terminal() {
        shell.prompt().await?;
        return Ok(Outcome::Done);
    }
    let input = std::io::BufReader::new(std::io::stdin());
    shell.read(input, Path::new("stdin")).await?;
    match shell.failed {
        0 => Ok(Outcome::Done),
        1 => Err(Error::usage("one statement failed")),
        n => Err(Error::usage(format!("{n} statements failed"))),
    }
}

impl Shell<'_> {
    /// Asks and answers until the end.
    async fn prompt(&mut self) -> Result<()> {
        let mut editor = editor::open(&self.tables, &self.library)?;
        let history = editor::history_file();
        if let Some(file) = &history {
            // The first time there is none.
            let _ = editor.load_history(file);
        }
        self.ui.note(r"Statements end with ; and \? shows the commands, \q ends.");
        loop {
            let line = tokio::task::block_in_place(|| editor.readline("roletrail=> "));
            match line {
                Ok(text) => {
                    let _ = editor.add_history_entry(text.trim());
                    if self.text(&text).await == Next::Quit {
                        break;
                    }
                }
                // The line is given up, not the program.
                Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => {
                    return Err(Error::usage(format!("the terminal cannot be read: {error}")));
                }
            }
        }
        if let Some(file) = &history
            && let Err(error) = editor.save_history(file)
        {
            self.ui.note(&format!("the history was not kept in {}: {error}", file.display()));
        }
        Ok(())
    }

    /// Reads statements and commands from a file or a pipe.
    async fn read(&mut self, mut input: impl BufRead, name: &Path) -> Result<Next> {
        let mut pending = String::new();
        loop {
            let mut line = String::new();
            let read = input.read_line(&mut line).map_err(Error::io(name))?;
            if read == 0 {
                break;
            }
            if pending.trim().is_empty() && line.trim_start().starts_with('\\') {
                pending.clear();
                if self.text(&line).await == Next::Quit {
                    return Ok(Next::Quit);
                }
                continue;
            }
            pending.push_str(&line);
            let (whole, rest) = text::statements(&pending);
            let (whole, rest) =
                (whole.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), rest.to_owned());
            for statement in whole {
                self.statement(&statement).await;
            }
            pending = rest;
        }
        // The last statement may do without its semicolon.
        self.statement(&pending).await;
        Ok(Next::Go)
    }

    /// One or more statements, or one command.
    async fn text(&mut self, text: &str) -> Next {
        let trimmed = text.trim();
        if let Some(command) = trimmed.strip_prefix('\\') {
            return match Box::pin(self.command(command)).await {
                Ok(next) => next,
                Err(error) => {
                    self.failed += 1;
                    self.ui.error(&error);
                    Next::Go
                }
            };
        }
        if ["quit", "exit", "quit;", "exit;"].contains(&trimmed.to_lowercase().as_str()) {
            return Next::Quit;
        }
        let (whole, rest) = text::statements(text);
        for statement in whole.into_iter().chain([rest]) {
            self.statement(statement).await;
        }
        Next::Go
    }

    /// One statement; what goes wrong is said, and the session goes on.
    async fn statement(&mut self, sql: &str) {
        if text::is_empty(sql) {
            return;
        }
        if let Err(error) = self.answer(sql, Params::none(), self.dialect).await {
            self.failed += 1;
            self.ui.error(&error);
        }
    }
}
