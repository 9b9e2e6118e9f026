//! Of how many calls it is known who was behind them, and why not of the others.

use serde::Serialize;

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
