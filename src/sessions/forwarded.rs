//! Calls that services make in the name of a long-term key: each forward access session shows a key that
//! nobody issued and a creation date of its own, but it is no session of the user's.
//!
//! Source: CloudTrail User Guide, "CloudTrail userIdentity element", invokedBy; IAM User Guide, "Forward
//! access sessions". That the creation date is the forward session's own is measured, not documented.

use hashbrown::HashMap;

use super::candidates::FORWARDED;
use super::facts::CredentialFacts;
use super::origin::Origin;
use super::solve::Node;
use crate::model::ids;
use crate::model::strength::Strength;

/// Credentials of long-term sessions, as indices, by session.
pub(super) struct LongTerm<'n>(HashMap<&'n str, Vec<usize>>);

impl<'n> LongTerm<'n> {
    pub(super) fn of(nodes: &[Node<'n>]) -> LongTerm<'n> {
        let mut by_session: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, Node { facts, .. }) in nodes.iter().enumerate() {
            let user = facts.identity_type.as_deref() == Some("IAMUser") && facts.created.is_none();
            if let Some(session) = facts.session_id.as_deref().filter(|_| user && facts.events > 0)
            {
                by_session.entry(session).or_default().push(i);
            }
        }
        LongTerm(by_session)
    }

    /// Notes on a user's forward session what it comes from: the one key that the user's own calls show.
    pub(super) fn note(&self, facts: &CredentialFacts, origin: &mut Origin) {
        let forward = facts.is_forwarded() && facts.access_key_id.is_some();
        if !forward || facts.created.is_none() || origin.link_rule.is_some() {
            return;
        }
        origin.link_rule = Some(FORWARDED);
        origin.link_strength = Strength::Inferred;
        origin.chain_strength = origin.chain_strength.min(Strength::Inferred);
        let (Some(account), Some(principal)) = (&facts.account_id, &facts.principal_id) else {
            return;
        };
        let own = ids::session_id(&facts.partition, account, principal, None);
        if let Some([only]) = self.0.get(own.as_str()).map(Vec::as_slice) {
            origin.parent = Some(*only);
        }
    }
}
