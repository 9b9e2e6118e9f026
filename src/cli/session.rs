//! `session`: everything about one session.

use std::path::Path;

use super::args::Session;
use super::exit::Outcome;
use super::ui::Ui;
use super::{destination, json, page, query, source, subject};
use crate::answers::{session, sessions};
use crate::error::Result;
use crate::output::Format;

/// Runs the command.
pub async fn run(store: &Path, command: Session, ui: &Ui) -> Result<Outcome> {
    let tables = source::open(store, &command.source, ui).await?;
    let found = subject::one(&tables, &command.id, ui).await?;
    let args = &command.output;
    let file = args.output.as_deref();
    match args.format {
        None => {
            let answer = session::session(&tables, &found.session_id).await?;
            let color = ui.color() && file.is_none();
            destination::write_text(&page::page(&answer, ui.width(), color), file, ui)?;
        }
        Some(Format::Json) => {
            let answer = session::session(&tables, &found.session_id).await?;
            let value = serde_json::to_value(&answer)?;
            destination::write_text(&json::text(&value), file, ui)?;
        }
        Some(format) => {
            let row = sessions::row(&tables, &found.session_id).await?;
            query::write_stream(row, &args.rows(format), ui).await?;
        }
    }
    Ok(Outcome::Done)
}
