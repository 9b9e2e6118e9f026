//! Names for callers whose own record names them badly, learned from other records.

use hashbrown::HashMap;

use super::by_record::is_sso;
use super::facts::CredentialFacts;

/// See the module.
pub struct Names<'f> {
    /// (account, `AIDA…` id) to user ARN.
    users: HashMap<(&'f str, &'f str), &'f str>,
    /// Identity Center user id to user name; `None` where records disagree.
    identity_center: HashMap<&'f str, Option<&'f str>>,
}

impl<'f> Names<'f> {
    /// Collects names from all credentials.
    pub fn collect(all: impl Iterator<Item = &'f CredentialFacts>) -> Names<'f> {
        let mut names = Names { users: HashMap::new(), identity_center: HashMap::new() };
        for facts in all {
            let (kind, id, arn, account) = match facts.identity_type.as_deref() {
                Some("IAMUser") => {
                    ("IAMUser", &facts.principal_id, &facts.principal_arn, &facts.account_id)
                }
                Some("FederatedUser") => (
                    facts.issuer_type.as_deref().unwrap_or(""),
                    &facts.issuer_principal_id,
                    &facts.issuer_arn,
                    &facts.issuer_account_id,
                ),
                Some("AssumedRole") => {
                    names.note_identity_center(facts);
                    continue;
                }
                _ => continue,
            };
            if let ("IAMUser", Some(id), Some(arn), Some(account)) = (kind, id, arn, account) {
                let slot =
                    names.users.entry((account.as_str(), id.as_str())).or_insert(arn.as_str());
                *slot = (*slot).min(arn.as_str());
            }
        }
        names
    }

    fn note_identity_center(&mut self, facts: &'f CredentialFacts) {
        let user = facts.on_behalf_of_user_id.as_deref();
        if let (Some(user), Some(name), true) = (user, facts.session_name(), is_sso(facts)) {
            let slot = self.identity_center.entry(user).or_insert(Some(name));
            if *slot != Some(name) {
                *slot = None;
            }
        }
    }

    pub(super) fn user_arn(
        &self,
        account: Option<&str>,
        principal: Option<&str>,
    ) -> Option<&'f str> {
        self.users.get(&(account?, principal?)).copied()
    }

    pub(super) fn identity_center_user(&self, id: &str) -> Option<&'f str> {
        self.identity_center.get(id).copied().flatten()
    }
}
