//! Calls that services make in the name of a long-term key: each forward access session shows a key that
//! nobody issued and a creation date of its own, but it is no session of the user's.
//!
//! Source: CloudTrail User Guide, "CloudTrail userIdentity element", invokedBy; IAM User Guide, "Forward
//! access sessions". That the creation date is the forward session's own is measured, not documented.

use super::candidates::FORWARDED;
use super::facts::CredentialFacts;
use super::origin::Origin;
use crate::model::ids;
use crate::model::strength::Strength;

/// Whether a service makes these calls; the console, which shows as `AWS Internal`, is no other service.
fn is_forward(facts: &CredentialFacts) -> bool {
    facts.is_forwarded()
        && facts.access_key_id.is_some()
        && facts.created.is_some()
        && facts.invoked_by.as_deref() != Some("AWS Internal")
}

/// The user's own session that a forward session belongs to, as id.
pub fn long_term(facts: &CredentialFacts) -> Option<String> {
    let user = facts.identity_type.as_deref() == Some("IAMUser");
    if !user || !is_forward(facts) {
        return None;
    }
    let (account, principal) = (facts.account_id.as_deref()?, facts.principal_id.as_deref()?);
    Some(ids::session_id(&facts.partition, account, principal, None))
}

/// Notes on a user's forward session what it comes from: the one key that the user's own calls show;
/// `key` is its place.
pub(super) fn note(
    facts: &CredentialFacts,
    origin: &mut Origin,
    key: impl Fn(&str) -> Option<usize>,
) {
    if !is_forward(facts) || origin.link_rule.is_some() {
        return;
    }
    origin.link_rule = Some(FORWARDED);
    origin.link_strength = Strength::Inferred;
    origin.chain_strength = origin.chain_strength.min(Strength::Inferred);
    if let Some(key) = long_term(facts).and_then(|session| key(&session)) {
        origin.parent = Some(key);
    }
}
