//! Of how many calls it is known who was behind them, and why not of the others.

use serde::Serialize;

use super::super::filter::Window;
use super::super::rows::Rows;
use super::calls;
use crate::error::Result;
use crate::sql::Sql;

/// Calls by how well their origin is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Attribution {
    /// Calls whose origin is known.
    pub known: u64,
    /// Calls whose origin is not known.
    pub unknown: u64,
    /// The two by strength and reason, most calls first.
    pub outcomes: Vec<Outcome>,
}

/// One kind of knowing or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Weakest hop of the chain: `exact`, `ambiguous`, `inferred`, `none`.
    pub chain_strength: Option<String>,
    /// Why the origin is not known; none where it is.
    pub unresolved_reason: Option<String>,
    /// Calls.
    pub calls: u64,
    /// Sessions that made them.
    pub sessions: u64,
}

pub(super) async fn attribution(sql: &Sql, window: Window) -> Result<Attribution> {
    let (clause, params) = calls(window, &[]);
    let statement = format!(
        "SELECT a.chain_strength, CASE WHEN a.origin IS NULL
                    THEN coalesce(a.unresolved_reason, 'identity_not_recorded') END AS reason,
                count(*) AS calls, count(DISTINCT a.session_id) AS sessions
         FROM activity a {clause} GROUP BY 1, 2 ORDER BY calls DESC, 2, 1"
    );
    let mut found = Attribution::default();
    for batch in sql.rows(&statement, params).await? {
        let rows = Rows::new(&batch)?;
        for row in 0..rows.len() {
            let outcome = Outcome {
                chain_strength: rows.string("chain_strength", row),
                unresolved_reason: rows.string("reason", row),
                calls: rows.count("calls", row),
                sessions: rows.count("sessions", row),
            };
            match outcome.unresolved_reason {
                None => found.known += outcome.calls,
                Some(_) => found.unknown += outcome.calls,
            }
            found.outcomes.push(outcome);
        }
    }
    Ok(found)
}
