//! The saved queries that a command can run, their list and their description.

use arrow::array::RecordBatch;

use super::args::LibraryArgs;
use super::ui::Ui;
use crate::error::Result;
use crate::output::safe;
use crate::sql::saved::{Library, Saved};
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

/// Opens the queries; what is wrong with a user's files goes to stderr, and the others work.
///
/// # Errors
/// The folder's.
pub fn open(args: &LibraryArgs, ui: &Ui) -> Result<Library> {
    let library = Library::open(args.queries.as_deref())?;
    for trouble in &library.troubles {
        ui.note(&format!("warning: {trouble}"));
    }
    Ok(library)
}

const LIST: TableDef = TableDef::answer("queries", LIST_COLUMNS);
const LIST_COLUMNS: &[Column] = &[
    col("question", Kind::Int, ""),
    col("name", Kind::Text, ""),
    col("group", Kind::Text, ""),
    col("severity", Kind::Text, ""),
    col("title", Kind::Text, ""),
    col("shows", Kind::Text, ""),
    col("cannot_know", Kind::Text, ""),
    col("parameters", Kind::TextList, ""),
    col("file", Kind::Text, ""),
];

/// All queries, one row each.
///
/// # Errors
/// Arrow's.
pub fn rows(library: &Library) -> Result<RecordBatch> {
    let mut rows = RowsBuilder::new(&LIST);
    for saved in library.all() {
        let names = saved.params.iter().map(|param| param.name.as_str().into()).collect();
        rows.push(vec![
            saved.question.map_or(Cell::Null, |number| Cell::Int(number.into())),
            saved.name.as_str().into(),
            saved.group.as_str().into(),
            saved.severity.name().into(),
            saved.title.as_str().into(),
            saved.shows.as_str().into(),
            saved.cannot_know.as_str().into(),
            Cell::List(names),
            saved.file.as_ref().map(|file| file.display().to_string()).into(),
        ]);
    }
    rows.finish()
}

/// All queries by group: number, name, severity and question.
pub fn list(library: &Library) -> String {
    let widest = library.all().iter().map(|saved| saved.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (group, members) in library.groups() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}\n", safe::terminal(group)));
        for saved in members {
            let number = saved.question.map_or(String::new(), |number| number.to_string());
            let (name, title) = (safe::terminal(&saved.name), safe::terminal(&saved.title));
            let severity = saved.severity.name();
            text.push_str(&format!("  {number:>2}  {name:widest$}  {severity:8}  {title}\n"));
        }
    }
    text
}

/// What a query asks, what it cannot know, and its parameters.
pub fn describe(saved: &Saved, width: usize) -> String {
    let mut text = format!("{}\n", safe::terminal(&saved.title));
    let from = match &saved.file {
        Some(file) => file.display().to_string(),
        None => "built in".to_owned(),
    };
    let question = saved.question.map(|number| number.to_string()).unwrap_or_default();
    for (label, value) in [
        ("name", saved.name.as_str()),
        ("question", &question),
        ("group", &saved.group),
        ("severity", saved.severity.name()),
        ("shows", &saved.shows),
        ("cannot know", &saved.cannot_know),
        ("from", &from),
    ] {
        if !value.is_empty() {
            push_wrapped(&mut text, label, value, width);
        }
    }
    if !saved.params.is_empty() {
        text.push_str("\nParameters\n");
    }
    for param in &saved.params {
        let mut value = param.kind.name().to_owned();
        match &param.default {
            _ if param.required => value.push_str(", must be given"),
            Some(default) => value.push_str(&format!(", {default} by default")),
            None => {}
        }
        if !param.meaning.is_empty() {
            value.push_str(&format!(": {}", param.meaning));
        }
        push_wrapped(&mut text, &param.name, &value, width);
    }
    text
}

/// One labelled line, longer ones broken between words.
fn push_wrapped(text: &mut String, label: &str, value: &str, width: usize) {
    const INDENT: usize = 15;
    let (label, value) = (safe::terminal(label), safe::terminal(value));
    let mut line = format!("  {label:12}");
    let mut empty = true;
    for word in value.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(INDENT - 1);
        }
        line.push(' ');
        line.push_str(word);
        empty = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}
