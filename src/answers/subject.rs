//! What an id on the command line stands for: a session id or the beginning of one, an access key,
//! an event, an ARN, or a name.

use super::filter::Filter;
use super::pattern::like;
use super::rows::{Rows, texts};
use crate::error::{Error, Result};
use crate::sql::Sql;

/// Fewest characters of a session id after its `s-`.
const SHORTEST_PREFIX: usize = 4;

/// Names further away than this many edits are no near matches.
const MOST_EDITS: i64 = 3;

/// How an id is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// `s-…`, whole or cut.
    Session,
    /// `AKIA…`, `ASIA…`.
    AccessKey,
    /// An event id.
    Event,
    /// A role's ARN.
    Role,
    /// The ARN of a user or of an assumed role.
    Principal,
    /// Anything else: a name.
    Name,
}

/// How much a name may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breadth {
    /// One session: names are session names; only if there is none, roles and users.
    Session,
    /// All sessions of a role, user or session name.
    All,
}

/// How `text` is to be read, by its shape alone.
pub fn kind_of(text: &str) -> IdKind {
    let base32 = |c: char| c.is_ascii_digit() || (c.is_ascii_lowercase() && !"ilou".contains(c));
    let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    let key = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    match text {
        _ if text.strip_prefix("s-").is_some_and(|rest| rest.chars().all(base32)) => {
            IdKind::Session
        }
        _ if text.len() >= 16
            && text.starts_with('A')
            && text[1..].starts_with(['K', 'S'])
            && text[2..].starts_with("IA")
            && text.chars().all(key) =>
        {
            IdKind::AccessKey
        }
        _ if text.starts_with("sha256:") => IdKind::Event,
        _ if text.len() == 36
            && text.chars().filter(|c| *c == '-').count() == 4
            && text.chars().all(hex) =>
        {
            IdKind::Event
        }
        _ if text.starts_with("arn:") && text.contains(":role/") => IdKind::Role,
        _ if text.starts_with("arn:") => IdKind::Principal,
        _ => IdKind::Name,
    }
}

/// The ids of the sessions that `text` stands for, at most `most`; never none.
///
/// # Errors
/// [`Error::NotFound`] with near matches, [`Error::Usage`], and the engine's.
pub async fn find(sql: &Sql, text: &str, breadth: Breadth, most: usize) -> Result<Vec<String>> {
    if text.trim().is_empty() {
        return Err(Error::usage_hint(
            "nothing is named",
            "give a session id, an access key id, an event id, a role or a session name; \
             `roletrail sessions` lists them",
        ));
    }
    let kind = kind_of(text);
    if kind == IdKind::Session && text.len() < 2 + SHORTEST_PREFIX {
        return Err(Error::usage_hint(
            format!("{text} is too short for a session id"),
            format!("give at least {SHORTEST_PREFIX} characters after s-"),
        ));
    }
    if kind == IdKind::Event {
        return by_event(sql, text).await;
    }
    let mut found = matching(sql, conditions(kind, text, breadth), most).await?;
    if found.is_empty() && kind == IdKind::Name && breadth == Breadth::Session {
        found = matching(sql, conditions(kind, text, Breadth::All), most).await?;
    }
    if found.is_empty() && kind == IdKind::Principal && breadth == Breadth::All {
        // A user's former name, or one of whom only the sessions are there.
        let mut filter = Filter::default();
        let id = filter.bind(text);
        filter.add(format!("origin = {id}"));
        found = matching(sql, filter, most).await?;
    }
    if found.is_empty() && kind != IdKind::Name {
        found = matching(sql, conditions(IdKind::Name, text, breadth), most).await?;
    }
    if found.is_empty() { Err(not_found(sql, text, kind).await?) } else { Ok(found) }
}

fn conditions(kind: IdKind, text: &str, breadth: Breadth) -> Filter {
    let mut filter = Filter::default();
    let id = filter.bind(text);
    let all_names = format!(
        "session_name = {id} OR principal_id = {id} OR role_name = {id}
         OR (identity_type = 'IAMUser' AND split_part(principal_arn, '/', -1) = {id})"
    );
    let condition = match (kind, breadth) {
        (IdKind::Session, _) => {
            let prefix = filter.bind(&format!("{}%", like(text)));
            format!("session_id LIKE {prefix}")
        }
        (IdKind::AccessKey, _) => format!("array_has(access_key_ids, {id})"),
        (IdKind::Role, _) => format!("role_arn = {id}"),
        (IdKind::Principal, _) => format!("principal_arn = {id}"),
        (_, Breadth::Session) => format!("session_name = {id} OR principal_id = {id}"),
        (_, Breadth::All) => all_names,
    };
    filter.add(condition);
    filter
}

async fn matching(sql: &Sql, filter: Filter, most: usize) -> Result<Vec<String>> {
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT session_id FROM sessions {clause}
         ORDER BY coalesce(started_at, first_event_at), session_id LIMIT {most}"
    );
    texts(sql, &statement, params, "session_id").await
}

/// The session that made the call.
async fn by_event(sql: &Sql, text: &str) -> Result<Vec<String>> {
    let mut filter = Filter::default();
    filter.fits(&["event_id"], Some(text));
    let (clause, params) = filter.finish();
    let columns = "session_id, origin_type, origin, event_name, recipient_account_id";
    let mut callers = Vec::new();
    let mut sessions = Vec::new();
    for batch in sql.rows(&format!("SELECT {columns} FROM activity {clause}"), params).await? {
        let rows = Rows::new(&batch)?;
        for row in 0..rows.len() {
            match rows.string("session_id", row) {
                Some(id) if !sessions.contains(&id) => sessions.push(id),
                Some(_) => {}
                None => {
                    let origin = rows.text("origin", row).unwrap_or("unknown");
                    let kind = rows.text("origin_type", row).unwrap_or("Unknown");
                    callers.push(format!("{origin} ({kind})"));
                }
            }
        }
    }
    if !sessions.is_empty() {
        return Ok(sessions);
    }
    Err(match callers.first() {
        Some(caller) => Error::NotFound {
            message: format!("event {text} was made by {caller}, not by a session"),
            hint: Some(format!(
                "see all of it with: roletrail query 'SELECT * FROM activity WHERE event_id = $id' \
                 -p id={text}"
            )),
        },
        None => Error::NotFound {
            message: format!("there is no event {text} in these logs"),
            hint: Some("the logs may not cover its account, region or time".to_owned()),
        },
    })
}

async fn not_found(sql: &Sql, text: &str, kind: IdKind) -> Result<Error> {
    let near = near(sql, text, kind).await?;
    let what = match kind {
        IdKind::Session => "no session id begins with",
        IdKind::AccessKey => "no session used or was issued the access key",
        IdKind::Role => "no session of the role",
        IdKind::Principal => "no session of the principal",
        _ => "no session, role or user is named",
    };
    let hint = match (near.as_slice(), kind) {
        ([], IdKind::AccessKey) => "the logs may not cover its account, region or time".to_owned(),
        ([], _) => "list what there is with: roletrail sessions".to_owned(),
        (near, _) => format!("near matches: {}", near.join(", ")),
    };
    Ok(Error::NotFound { message: format!("{what} {text}"), hint: Some(hint) })
}

/// What may have been meant.
async fn near(sql: &Sql, text: &str, kind: IdKind) -> Result<Vec<String>> {
    let all = match kind {
        IdKind::Session => "SELECT session_id AS name FROM sessions",
        IdKind::AccessKey => "SELECT unnest(access_key_ids) AS name FROM sessions",
        IdKind::Role => "SELECT role_arn AS name FROM sessions",
        IdKind::Principal => "SELECT principal_arn AS name FROM sessions",
        _ => {
            "SELECT role_name AS name FROM sessions UNION ALL SELECT session_name FROM sessions
             UNION ALL SELECT split_part(principal_arn, '/', -1) FROM sessions"
        }
    };
    let mut filter = Filter::default();
    let id = filter.bind(text);
    // Paths and accounts of roles are forgotten more often than names are mistyped.
    let compared = |of: &str| match kind {
        IdKind::Role => format!("lower(split_part({of}, '/', -1))"),
        _ => format!("lower({of})"),
    };
    let edits = format!("levenshtein({}, {})", compared("name"), compared(&id));
    let beginning = match kind {
        // Ids are random: only a common beginning says anything.
        IdKind::Session => text.chars().take(2 + SHORTEST_PREFIX).collect::<String>(),
        _ => text.to_owned(),
    };
    let inside = filter.bind(&format!("%{}%", like(&beginning)));
    filter.add("name IS NOT NULL");
    filter.add(format!("{edits} <= {MOST_EDITS} OR name ILIKE {inside}"));
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT name FROM (SELECT DISTINCT name FROM ({all})) {clause} ORDER BY {edits}, name LIMIT 3"
    );
    texts(sql, &statement, params, "name").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart_by_their_shape() {
        assert_eq!(kind_of("s-pe9hc9"), IdKind::Session);
        assert_eq!(kind_of("s-"), IdKind::Session);
        assert_eq!(kind_of("s-Unlucky"), IdKind::Name);
        assert_eq!(kind_of("ASIAEXAMPLENQ7BFXLH6"), IdKind::AccessKey);
        assert_eq!(kind_of("ASIA"), IdKind::Name);
        assert_eq!(kind_of("247424d3-0000-4000-8000-0123456789ab"), IdKind::Event);
        assert_eq!(kind_of("arn:aws:iam::111111111111:role/x/Deployer"), IdKind::Role);
        assert_eq!(kind_of("arn:aws:iam::111111111111:user/anna"), IdKind::Principal);
        assert_eq!(kind_of("anna"), IdKind::Name);
        assert_eq!(kind_of("Ä"), IdKind::Name);
        assert_eq!(kind_of(""), IdKind::Name);
    }
}
