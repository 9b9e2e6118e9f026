//! The session that an id on the command line means; several are listed, and none is chosen.

use super::ui::Ui;
use super::words;
use crate::answers::sessions::{self, Session};
use crate::answers::subject::{self, Breadth};
use crate::error::{Error, Result};
use crate::output::{self, Format, Style};
use crate::sql::Sql;
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

/// Sessions listed of several that fit.
const MOST_LISTED: usize = 20;

const LIST: TableDef = TableDef::answer("matches", LIST_COLUMNS);
const LIST_COLUMNS: &[Column] = &[
    col("session_id", Kind::Text, ""),
    col("started_at", Kind::Time, ""),
    col("account", Kind::Text, ""),
    col("hat", Kind::Text, ""),
    col("session_name", Kind::Text, ""),
    col("origin", Kind::Text, ""),
    col("calls", Kind::Int, ""),
];

/// The one session that `id` means.
///
/// # Errors
/// [`Error::NotFound`] for none and for several; the latter are listed on stderr.
pub async fn one(sql: &Sql, id: &str, ui: &Ui) -> Result<Session> {
    let found = subject::find(sql, id, Breadth::Session, MOST_LISTED + 1).await?;
    let mut sessions = sessions::load(sql, found.iter().map(String::as_str)).await?;
    if sessions.len() > 1 {
        let more = sessions.len() > MOST_LISTED;
        sessions.truncate(MOST_LISTED);
        list(&sessions, ui)?;
        let count =
            if more { format!("more than {MOST_LISTED}") } else { sessions.len().to_string() };
        return Err(Error::NotFound {
            message: format!("{id} fits {count} sessions"),
            hint: Some("give the id of one of them, as listed above".to_owned()),
        });
    }
    sessions.pop().ok_or_else(|| Error::NotFound {
        message: format!("there is no session {id}"),
        hint: Some("list what there is with: roletrail sessions".to_owned()),
    })
}

fn list(sessions: &[Session], ui: &Ui) -> Result<()> {
    let mut rows = RowsBuilder::new(&LIST);
    for session in sessions {
        rows.push(vec![
            words::short_id(&session.session_id).into(),
            session.begins().map_or(Cell::Null, Cell::Time),
            session.account_id.clone().into(),
            words::hat(session).into(),
            session.session_name.clone().into(),
            origin_of(session).into(),
            Cell::Int(i64::try_from(session.event_count).unwrap_or(i64::MAX)),
        ]);
    }
    let style = Style { width: ui.error_width(), ..Style::default() };
    let batch = rows.finish()?;
    output::write(Format::Table, &LIST.schema(), [Ok(batch)], &mut std::io::stderr(), &style)?;
    Ok(())
}

/// The session's origin in short.
pub fn origin_of(session: &Session) -> String {
    words::origin(
        session.origin_type.as_deref().unwrap_or("Unknown"),
        session.origin.as_deref(),
        session.origin_account_id.as_deref(),
        session.origin_detail.as_deref(),
    )
}
