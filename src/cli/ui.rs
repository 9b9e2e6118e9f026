//! The only place that writes to the terminal: answers to stdout, everything else to stderr.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use unicode_width::UnicodeWidthStr;

use crate::error::{Error, Place, Result};
use crate::intake::Progress;
use crate::output::{Style, safe};

/// What is known of the terminal.
pub struct Ui {
    stdout_terminal: bool,
    stderr_terminal: bool,
    color: bool,
}

impl Ui {
    /// Looks at stdout, stderr and `NO_COLOR`.
    pub fn new() -> Ui {
        let stdout_terminal = std::io::stdout().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ui {
            stdout_terminal,
            stderr_terminal: std::io::stderr().is_terminal(),
            color: stdout_terminal && !no_color,
        }
    }

    /// How tables are to look; `file` when the output goes to a file.
    pub fn style(&self, limit: Option<usize>, file: bool) -> Style {
        let width = console_width().filter(|_| self.stdout_terminal && !file);
        Style { width, color: self.color && !file, limit, file, ..Style::default() }
    }

    /// Whether stdout is a terminal.
    pub fn stdout_is_terminal(&self) -> bool {
        self.stdout_terminal
    }

    /// Whether colour may be used on stdout.
    pub fn color(&self) -> bool {
        self.color
    }

    /// Columns for drawings; 100 when stdout is no terminal.
    pub fn width(&self) -> usize {
        console_width().filter(|_| self.stdout_terminal).unwrap_or(100)
    }

    /// Columns for tables on stderr; `None` when stderr is no terminal.
    pub fn error_width(&self) -> Option<usize> {
        console_width().filter(|_| self.stderr_terminal)
    }

    /// Writes text to stdout. It must be neutralised already.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn print(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::io("stdout"))
    }

    /// One line to stderr, neutralised.
    pub fn note(&self, line: &str) {
        // Nobody is left to be told when stderr is closed.
        let _ = writeln!(std::io::stderr(), "{}", safe::terminal(line));
    }

    /// An error and what to do about it.
    pub fn error(&self, error: &Error) {
        self.note(&format!("error: {error}"));
        let statement = match error {
            Error::Query { cause, .. } => cause,
            other => other,
        };
        if let Error::Statement { place: Some(place), .. } = statement {
            self.place(place);
        }
        if let Some(hint) = error.hint() {
            self.note(&format!("hint: {hint}"));
        }
    }

    /// The line of a statement with its place marked.
    fn place(&self, place: &Place) {
        // One sign for each character, so that the mark stands below what is meant.
        let visible = |c: char| if safe::is_hidden(c) { ' ' } else { c };
        let line: Vec<char> = place.text.chars().map(visible).collect();
        let at = usize::try_from(place.column - 1).unwrap_or(0).min(line.len());
        let from = at.saturating_sub(BEFORE_MARK);
        let before: String = line[from..at].iter().collect();
        let length = usize::try_from(place.length).unwrap_or(1).min(line.len() - at).max(1);
        let rest: String = line[at..].iter().take(AFTER_MARK.max(length)).collect();
        let cut = if from > 0 { "…" } else { "" };
        let end = if line.len() > at + rest.chars().count() { "…" } else { "" };
        let marked: String = line[at..].iter().take(length).collect();
        let marks = "^".repeat(marked.width().max(1));
        let indent = " ".repeat(before.width() + cut.width());
        self.note(&format!("  line {}, column {}", place.line, place.column));
        self.note(&format!("  {cut}{before}{rest}{end}"));
        self.note(&format!("  {indent}{marks}"));
    }

    /// A progress bar on stderr, drawn only on a terminal.
    pub fn progress(&self) -> Bar {
        let target = if self.stderr_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Bar(ProgressBar::with_draw_target(None, target))
    }
}

/// Characters of a statement shown before and after the place where it is wrong.
const BEFORE_MARK: usize = 40;
const AFTER_MARK: usize = 36;

fn console_width() -> Option<usize> {
    let asked = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    asked.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
}

/// Shows how far an intake is.
pub struct Bar(ProgressBar);

impl Progress for Bar {
    fn waiting(&self) {
        // Nobody is left to be told when stderr is closed.
        let _ = writeln!(
            std::io::stderr(),
            "another run is writing to the store; this one waits for its end"
        );
    }

    fn start(&self, files: u64, bytes: u64) {
        self.0.set_length(bytes);
        let style = ProgressStyle::with_template(
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} eta {eta} of {msg} files",
        );
        if let Ok(style) = style {
            self.0.set_style(style);
        }
        self.0.set_message(files.to_string());
    }

    fn advance(&self, _files: u64, bytes: u64) {
        self.0.inc(bytes);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
