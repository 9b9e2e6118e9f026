//! What tells sessions of root apart: those of root itself, and those that AssumeRoot made.

use hashbrown::HashMap;

use super::by_record::surely_not_assumed;
use super::facts::CredentialFacts;

/// What the calls of a session of root show, whichever of its keys they were made with.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Root {
    /// Nothing that tells.
    Untold,
    /// Root itself signed in.
    Itself,
    /// AssumeRoot made the session.
    Assumed,
}

/// By session of root, what its calls show.
pub(super) fn roots<'n>(own: impl Iterator<Item = &'n CredentialFacts>) -> HashMap<&'n str, Root> {
    let mut roots = HashMap::new();
    for facts in own.filter(|facts| facts.identity_type.as_deref() == Some("Root")) {
        let Some(session) = facts.session_id.as_deref() else { continue };
        let root = roots.entry(session).or_insert(Root::Untold);
        if facts.assumed_root {
            *root = Root::Assumed;
        } else if *root == Root::Untold && surely_not_assumed(facts) {
            *root = Root::Itself;
        }
    }
    roots
}
