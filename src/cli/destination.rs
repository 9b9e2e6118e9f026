//! Where an answer goes: stdout, or the file after `-o`.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::ui::Ui;
use crate::error::{Error, Result};
use crate::output::Format;

/// Opens it. Binary formats are kept off the terminal.
///
/// # Errors
/// [`Error::Usage`] and [`Error::Io`].
pub fn open(format: Option<Format>, file: Option<&Path>, ui: &Ui) -> Result<Box<dyn Write + Send>> {
    match file {
        Some(path) => Ok(Box::new(File::create(path).map_err(Error::io(path))?)),
        None if format.is_some_and(Format::is_binary) && ui.stdout_is_terminal() => {
            Err(Error::usage_hint(
                "this format is not for a terminal",
                "write it to a file with -o FILE",
            ))
        }
        None => Ok(Box::new(std::io::stdout())),
    }
}

/// Writes a text that is neutralised already.
///
/// # Errors
/// As [`open`].
pub fn write_text(text: &str, file: Option<&Path>, ui: &Ui) -> Result<()> {
    let mut out = open(None, file, ui)?;
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::io("output"))
}
