//! The commands that begin with a backslash.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Next, Shell};
use crate::cli::{library, schema};
use crate::error::{Error, Result};
use crate::output::Format;
use crate::sql::{Dialect, offered, parse_param};

/// Name, arguments, meaning.
#[rustfmt::skip]
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    ("?", "", "this list"),
    ("q", "", "end"),
    ("d", "[TABLE]", "tables, or the columns of one"),
    ("df", "[PART]", "functions, or those with PART in their name"),
    ("run", "NAME [k=v …]", "a saved query with its parameters; without NAME the list"),
    ("i", "FILE", "statements from a file"),
    ("o", "[FILE]", "answers go to FILE from now on; without FILE to the terminal"),
    ("format", "FORMAT", "table, csv, json, ndjson or markdown; with \\o also parquet and arrow"),
    ("x", "", "each row as a list of its columns, on or off"),
    ("timing", "", "how long statements take, on or off"),
];

/// Files that read files that read files.
const DEEPEST: usize = 8;

impl Shell<'_> {
    /// One command, without its backslash.
    pub(super) async fn command(&mut self, text: &str) -> Result<Next> {
        let text = text.trim().trim_end_matches(';');
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let argument = Some(rest).filter(|rest| !rest.is_empty());
        match name {
            "q" | "quit" => return Ok(Next::Quit),
            "?" | "h" | "help" => self.help()?,
            "d" | "dt" | "dv" => self.listing(schema::listing(argument, None)?)?,
            "df" => self.listing(schema::listing(None, Some(rest))?)?,
            "run" => self.saved(argument).await?,
            "i" => return self.file(argument).await,
            "o" => self.redirect(argument)?,
            "format" => self.format_as(rest)?,
            "x" => {
                self.expanded = !self.expanded;
                self.ui.note(if self.expanded {
                    "rows as lists: on"
                } else {
                    "rows as lists: off"
                });
            }
            "timing" => {
                self.timing = !self.timing;
                self.ui.note(if self.timing { "timing: on" } else { "timing: off" });
            }
            other => {
                let names = COMMANDS.iter().map(|(name, ..)| *name);
                let hint = offered(other, names).unwrap_or_else(|| r"\? shows them all".to_owned());
                return Err(Error::usage_hint(format!("there is no command \\{other}"), hint));
            }
        }
        Ok(Next::Go)
    }

    fn help(&self) -> Result<()> {
        let lines = COMMANDS.iter().map(|(name, arguments, meaning)| {
            let call = format!("\\{name} {arguments}");
            format!("  {call:22}{meaning}\n")
        });
        self.ui.print(&lines.collect::<String>())
    }

    async fn saved(&mut self, argument: Option<&str>) -> Result<()> {
        let Some(argument) = argument else {
            return self.ui.print(&library::list(&self.library));
        };
        let mut words = argument.split_whitespace();
        let saved = self.library.by_name(words.next().unwrap_or_default())?.clone();
        let given = words.map(parse_param).collect::<Result<Vec<_>>>()?;
        let params = saved.bind(&given, chrono::Utc::now().timestamp_micros())?;
        let dialect = if saved.file.is_none() { Dialect::Plain } else { self.dialect };
        self.answer(&saved.sql, params, dialect).await.map_err(|error| saved.blame(error))
    }

    async fn file(&mut self, argument: Option<&str>) -> Result<Next> {
        let Some(path) = argument.map(PathBuf::from) else {
            return Err(Error::usage(r"\i needs a file"));
        };
        if self.depth >= DEEPEST {
            return Err(Error::usage(format!(
                "{} reads files that read files without end",
                path.display()
            )));
        }
        let file = std::fs::File::open(&path).map_err(Error::io(&path))?;
        self.depth += 1;
        let next = Box::pin(self.read(std::io::BufReader::new(file), &path)).await;
        self.depth -= 1;
        next
    }

    fn redirect(&mut self, argument: Option<&str>) -> Result<()> {
        self.output = argument.map(PathBuf::from);
        if let Some(path) = &self.output {
            // Told now rather than after a long query.
            std::fs::File::create(path).map_err(Error::io(path))?;
        } else if self.format.is_binary() {
            self.format = Format::Table;
        }
        Ok(())
    }

    fn format_as(&mut self, name: &str) -> Result<()> {
        let format = Format::from_str(name, true).map_err(|_| {
            Error::usage_hint(
                format!("there is no format {name}"),
                "table, csv, json, ndjson, markdown, parquet, arrow",
            )
        })?;
        if format.is_binary() && self.output.is_none() {
            return Err(Error::usage_hint(
                "this format is not for a terminal",
                r"name a file first: \o FILE",
            ));
        }
        self.format = format;
        Ok(())
    }
}
