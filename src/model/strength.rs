//! How sure a link is.

use serde::{Deserialize, Serialize};

/// How strong the evidence for one hop, or for a whole chain, is. Ordered from weak to strong, so
/// that a chain is as strong as the minimum of its hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// No link: the origin is not known, or a candidate was refused.
    None,
    /// Follows from fields that AWS writes, but not from a documented one-to-one join.
    Inferred,
    /// Several issuing events fit equally well; they may still agree on the origin.
    Ambiguous,
    /// One issuing event, joined by values that AWS documents as identical.
    Exact,
}

impl Strength {
    /// The value used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Strength::None => "none",
            Strength::Inferred => "inferred",
            Strength::Ambiguous => "ambiguous",
            Strength::Exact => "exact",
        }
    }
}
