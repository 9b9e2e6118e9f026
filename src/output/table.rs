//! A table for the eye, drawn as psql draws it: numbers flush right, NULL blank, `(3 rows)` below.
//!
//! Rows are kept until the end, because widths depend on all of them. Where a width is given (a
//! terminal), columns are cut to fit, with `…` at the cut; where even narrow columns do not fit,
//! each row is shown as a list of its columns, in full. Without a width nothing is cut: what goes
//! into a file or a pipe is evidence. But one long value does not make all rows as long: it pushes
//! its own row out of line.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::cell::{Cells, is_number};
use super::{Out, Sink, Style, between, safe};
use crate::error::Result;

/// No column is cut narrower than this; if that is too wide, rows become lists.
const NARROWEST: usize = 14;

/// Without a given width no column is padded further than this.
const WIDEST: usize = 200;

const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

pub(super) struct Table<'w> {
    out: Out<'w>,
    style: Style,
    names: Vec<String>,
    /// Which columns are flush right.
    right: Vec<bool>,
    /// Which columns hold times.
    times: Vec<bool>,
    rows: Vec<Vec<String>>,
    /// Columns that were left out.
    left_out: Vec<String>,
}

impl<'w> Table<'w> {
    pub(super) fn new(schema: &SchemaRef, out: Out<'w>, style: Style) -> Table<'w> {
        let fields = schema.fields();
        Table {
            out,
            style,
            names: fields.iter().map(|f| safe::terminal(f.name()).into_owned()).collect(),
            right: fields.iter().map(|f| is_number(f.data_type())).collect(),
            times: fields.iter().map(|f| f.data_type().is_temporal()).collect(),
            rows: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The width of every column; `None` when the table does not fit.
    fn widths(&self) -> Option<Vec<usize>> {
        let mut widths: Vec<usize> = self.names.iter().map(|n| n.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let Some(terminal) = self.style.width else {
            return Some(widths.into_iter().map(|width| width.min(WIDEST)).collect());
        };
        // A blank on either side of every cell, and a bar between two cells.
        let frame = (3 * widths.len()).saturating_sub(1);
        let room = terminal.saturating_sub(frame);
        let keeps = |column: usize| self.times[column] && !self.style.optional.is_empty();
        let capped = |(column, width): (usize, &usize), cap: usize| {
            if keeps(column) { *width } else { (*width).min(cap) }
        };
        let total = |cap: usize| widths.iter().enumerate().map(|w| capped(w, cap)).sum::<usize>();
        let widest = widths.iter().copied().max().unwrap_or(0);
        if total(widest) <= room {
            return Some(widths);
        }
        if total(NARROWEST) > room {
            return None;
        }
        // The largest cap that fits: narrow columns keep their width, wide ones share the rest.
        let cap = (NARROWEST..widest).rev().find(|cap| total(*cap) <= room).unwrap_or(NARROWEST);
        Some(widths.iter().enumerate().map(|w| capped(w, cap)).collect())
    }

    /// The widths of a table that fits, some columns left out where that helps.
    fn fitted(&mut self) -> Option<Vec<usize>> {
        for name in self.style.optional {
            if let Some(widths) = self.widths() {
                return Some(widths);
            }
            let Some(column) = self.names.iter().position(|known| known == name) else { continue };
            self.left_out.push(self.names.remove(column));
            self.right.remove(column);
            self.times.remove(column);
            self.rows.iter_mut().for_each(|row| _ = row.remove(column));
        }
        self.widths()
    }

    fn draw(&mut self, widths: &[usize]) -> Result<()> {
        let rule: Vec<String> = widths.iter().map(|w| "-".repeat(w + 2)).collect();
        let head = self.line(&self.names, widths, Align::Middle);
        let (on, off) = self.bold();
        self.out.text(&format!("{on}{head}{off}\n{}\n", rule.join("+")))?;
        for row in std::mem::take(&mut self.rows) {
            let line = self.line(&row, widths, Align::ByColumn);
            self.out.text(&line)?;
            self.out.text("\n")?;
        }
        Ok(())
    }

    fn line(&self, cells: &[String], widths: &[usize], align: Align) -> String {
        let padded = cells.iter().zip(widths).zip(&self.right).map(|((cell, width), right)| {
            let whole = self.style.width.is_none();
            let cell = if whole { cell.clone() } else { cut(cell, *width) };
            let space = width.saturating_sub(cell.width());
            let left = match (align, right) {
                (Align::Middle, _) => space / 2,
                (Align::ByColumn, true) => space,
                (Align::ByColumn, false) => 0,
            };
            format!(" {}{cell}{} ", " ".repeat(left), " ".repeat(space - left))
        });
        let line = padded.collect::<Vec<_>>().join("|");
        line.trim_end().to_owned()
    }

    /// Every row as a list of its columns.
    fn draw_lists(&mut self) -> Result<()> {
        let widest = self.names.iter().map(|n| n.width()).max().unwrap_or(0);
        let (on, off) = self.bold();
        for (number, row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            let title = format!("-[ RECORD {} ]", number + 1);
            let rule = "-".repeat((widest + 1).saturating_sub(title.len()));
            self.out.text(&format!("{on}{title}{rule}+-{off}\n"))?;
            for (name, cell) in self.names.iter().zip(&row) {
                let space = " ".repeat(widest - name.width());
                let line = format!("{name}{space} | {cell}");
                self.out.text(&format!("{}\n", line.trim_end()))?;
            }
        }
        Ok(())
    }

    fn bold(&self) -> (&'static str, &'static str) {
        if self.style.color { (BOLD, PLAIN) } else { ("", "") }
    }

    fn footer(&self, rows: usize) -> String {
        let rows_text = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        match self.style.limit {
            Some(limit) if rows > 0 && rows >= limit => {
                format!("({rows_text}; cut at --limit {limit}, there may be more)\n")
            }
            _ => format!("({rows_text})\n"),
        }
    }
}

#[derive(Clone, Copy)]
enum Align {
    Middle,
    ByColumn,
}

impl Sink for Table<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let columns = batch.columns().iter().map(Cells::new).collect::<Result<Vec<_>>>()?;
        let mut value = String::new();
        for row in 0..batch.num_rows() {
            let mut cells = Vec::with_capacity(columns.len());
            for (column, field) in columns.iter().zip(schema.fields()) {
                value.clear();
                column.push_shown(&mut value, row, between(field.name()));
                cells.push(safe::terminal(&value).into_owned());
            }
            self.rows.push(cells);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let footer = self.footer(self.rows.len());
        match self.fitted() {
            Some(widths) => self.draw(&widths)?,
            None => self.draw_lists()?,
        }
        self.out.text(&footer)?;
        if !self.left_out.is_empty() {
            let names = self.left_out.join(", ");
            self.out.text(&format!(
                "too narrow for {names}: see them in a wider terminal or with --format csv\n"
            ))?;
        }
        self.out.flush()
    }
}

/// `text` in at most `width` columns of the terminal; what is cut off is marked by `…`.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1; // the mark
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}
