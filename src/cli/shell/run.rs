//! Runs a statement and shows its rows: on the terminal through a pager where they are many, or into
//! the file of `\o`. Ctrl-C stops the statement, not the program.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;

use super::Shell;
use crate::error::{Error, Result};
use crate::output::{self, Format, Style, is_broken_pipe};
use crate::sql::{Dialect, Params};

/// Rows that are kept for one table on the terminal.
const MOST_ROWS: usize = 10_000;

impl Shell<'_> {
    /// Runs one statement and shows its answer.
    pub(super) async fn answer(
        &mut self,
        sql: &str,
        params: Params,
        dialect: Dialect,
    ) -> Result<()> {
        let start = Instant::now();
        tokio::select! {
            done = self.rows(sql, params, dialect) => done?,
            stop = tokio::signal::ctrl_c() => {
                stop.map_err(Error::io("signals"))?;
                self.ui.note("stopped");
                return Ok(());
            }
        }
        if self.timing {
            self.ui.note(&format!("time: {:.3} s", start.elapsed().as_secs_f64()));
        }
        Ok(())
    }

    async fn rows(&self, sql: &str, params: Params, dialect: Dialect) -> Result<()> {
        let frame = self.tables.plan_exactly(sql, params, dialect).await?;
        let mut rows = self.tables.run(frame).await?;
        let schema = rows.schema();
        if let Some(path) = &self.output {
            let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
            let mut file = file.map_err(Error::io(path))?;
            let style = Style { file: true, ..Style::default() };
            output::write_stream(self.format, rows, &mut file, &style).await?;
            return Ok(());
        }
        let mut text = Vec::new();
        let cut = {
            let mut sink = output::sink(self.format, &schema, &mut text, &self.style())?;
            let mut shown = 0;
            let mut cut = false;
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                let room = MOST_ROWS - shown;
                shown += batch.num_rows().min(room);
                sink.write(&batch.slice(0, batch.num_rows().min(room)))?;
                if batch.num_rows() > room {
                    cut = true;
                    break;
                }
            }
            sink.finish()?;
            cut
        };
        self.show(&text)?;
        if cut {
            self.ui.note(&format!(
                "only the first {MOST_ROWS} rows; for all of them write them to a file: \\format csv, \\o FILE"
            ));
        }
        Ok(())
    }

    fn style(&self) -> Style {
        let style = self.ui.style(None, false);
        // Too narrow for any table, so rows become lists.
        if self.expanded { Style { width: Some(0), ..style } } else { style }
    }

    /// Shows rows that are there already.
    pub(super) fn listing(&self, (schema, batch): (SchemaRef, RecordBatch)) -> Result<()> {
        let mut text = Vec::new();
        let format = if self.format.is_binary() { Format::Table } else { self.format };
        output::write(format, &schema, [Ok(batch)], &mut text, &self.style())?;
        self.show(&text)
    }

    /// Writes text that is neutralised already; through a pager where it is longer than the terminal.
    fn show(&self, text: &[u8]) -> Result<()> {
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        let height = terminal_size::terminal_size().map(|(_, height)| usize::from(height.0));
        let long = height.is_some_and(|height| lines >= height);
        let at_terminal = self.ui.stdout_is_terminal() && std::io::stdin().is_terminal();
        if long && at_terminal && paged(text) {
            return Ok(());
        }
        let mut out = std::io::stdout();
        match out.write_all(text).and_then(|()| out.flush()).map_err(Error::io("stdout")) {
            Err(error) if is_broken_pipe(&error) => Ok(()),
            done => done,
        }
    }
}

/// Whether a pager showed it: `$PAGER`, else `less`, which ends at once where a page is enough.
fn paged(text: &[u8]) -> bool {
    let pager = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
    let pager = pager.unwrap_or_else(|| "less".to_owned());
    let mut command = if cfg!(windows) { Command::new("cmd") } else { Command::new("sh") };
    command.arg(if cfg!(windows) { "/C" } else { "-c" }).arg(pager);
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRSX");
    }
    let Ok(mut child) = command.stdin(Stdio::piped()).spawn() else { return false };
    tokio::task::block_in_place(|| {
        if let Some(mut input) = child.stdin.take() {
            // A pager that was left early reads no more.
            let _ = input.write_all(text);
        }
        child.wait().is_ok_and(|status| status.success())
    })
}
