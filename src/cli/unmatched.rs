//! Why nothing fits, in words.

use super::source;
use super::ui::Ui;
use crate::answers::unmatched::{Sought, Unknown, Unmatched};
use crate::error::Result;
use crate::model::time;
use crate::sql::Sql;

/// Tells on stderr why there are no rows of `what`: `calls` or `sessions`.
///
/// # Errors
/// The engine's.
pub async fn tell(what: &str, found: &Unmatched, tables: &Sql, ui: &Ui) -> Result<()> {
    for unknown in &found.unknown {
        ui.note(&line(unknown, what));
    }
    if let Some(elsewhere) = found.elsewhere {
        let instant = |t: Option<i64>| t.map(time::format_instant).unwrap_or_default();
        let (first, last) = (instant(elsewhere.first), instant(elsewhere.last));
        let one = elsewhere.rows == 1;
        let (what, fit) = if one { (what.trim_end_matches('s'), "fits") } else { (what, "fit") };
        let when =
            if first == last { format!("at {first}") } else { format!("from {first} to {last}") };
        ui.note(&format!("{} {what} {fit} outside this window, {when}", elsewhere.rows));
    } else if found.unknown.is_empty() && found.options > 1 {
        ui.note(&format!("each of these options fits some {what}, but none fit all of them"));
    }
    ui.note(&source::nothing_found(what, tables).await?);
    Ok(())
}

fn line(unknown: &Unknown, what: &str) -> String {
    let value = &unknown.value;
    let (said, named) = match (unknown.sought, what) {
        (Sought::Role, _) => (
            format!("nobody acted under a role {value} in these logs"),
            "it was only asked for: roletrail query --name denied-role-assumptions".to_owned(),
        ),
        (Sought::Action, _) => (format!("no call {value} in these logs"), String::new()),
        (Sought::Resource, _) => (format!("no call names {value} in these logs"), String::new()),
        (Sought::Origin, _) => {
            (format!("nobody behind these calls is named {value}"), String::new())
        }
        (Sought::Principal, _) => {
            (format!("no session of a principal {value} in these logs"), String::new())
        }
        (Sought::Account, "sessions") => (
            format!("no session in account {value}"),
            "sessions elsewhere began there: roletrail coverage".to_owned(),
        ),
        (Sought::Account, _) => {
            (format!("no logs of account {value}"), "others name it: roletrail coverage".to_owned())
        }
        (Sought::Address, _) => (format!("no call came from {value}"), String::new()),
        (Sought::AccessKey, _) => (
            format!("no call was signed with {value}"),
            format!(
                "it was issued: roletrail query --name issuing-grant-of-access-key -p key={value}"
            ),
        ),
    };
    if unknown.named {
        return format!("{said}; {named}");
    }
    match (unknown.near.as_slice(), unknown.sought) {
        ([], Sought::Account) => format!("{said}; roletrail coverage lists the accounts"),
        ([], _) => said,
        (near, _) => format!("{said}; did you mean {}?", near.join(", ")),
    }
}
