//! From result to exit code.

use std::process::ExitCode;

use super::ui::Ui;
use crate::error::{Error, Result};
use crate::output::is_broken_pipe;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All well: 0.
    Done,
    /// Some input was rejected and `--strict` was given: 4.
    Rejected,
    /// A report found something at or above `--fail-on`: 5.
    Found,
}

/// The exit code; prints the error, if there is one. Codes are part of the public contract:
/// 0 done, 1 failed, 2 wrong usage, 3 nothing readable was found, 4 done but input was rejected,
/// 5 a report found something.
pub fn code(result: Result<Outcome>, ui: &Ui) -> ExitCode {
    let code = match &result {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Rejected) => 4,
        Ok(Outcome::Found) => 5,
        Err(error) if is_broken_pipe(error) => return ExitCode::SUCCESS,
        Err(Error::Usage { .. }) => 2,
        Err(Error::NothingReadable { .. }) => 3,
        Err(_) => 1,
    };
    if let Err(error) = &result {
        ui.error(error);
    }
    ExitCode::from(code)
}
