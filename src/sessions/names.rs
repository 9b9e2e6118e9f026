//! Names for callers whose own record names them badly, learned from other records.
//!
//! All lookups are global, over the whole store: a user's id is the user's for ever, and so is what it
//! was ever called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::by_record::is_sso;
use super::facts::CredentialFacts;
use super::origin::{Bearer, Origin};

/// See the module.
pub struct Names<'f> {
    /// By account and `AIDA…` id: the user's ARNs, with the last call under each.
    users: HashMap<(&'f str, &'f str), BTreeMap<&'f str, Option<i64>>>,
    /// By user ARN: the ids of all who bore it, one after the other.
    bearers: HashMap<&'f str, BTreeSet<&'f str>>,
    /// By Identity Center user id and store: user name; `None` where records disagree.
    identity_center: HashMap<(&'f str, Option<&'f str>), Option<&'f str>>,
    /// By Identity Center user id: the stores that have one.
    stores: HashMap<&'f str, BTreeSet<&'f str>>,
}

impl<'f> Names<'f> {
    /// Collects names from all credentials.
    pub fn collect(all: impl Iterator<Item = &'f CredentialFacts>) -> Names<'f> {
        let mut names = Names {
            users: HashMap::new(),
            bearers: HashMap::new(),
            identity_center: HashMap::new(),
            stores: HashMap::new(),
        };
        for facts in all {
            if let (Some(id), Some(store)) = (&facts.on_behalf_of_user_id, &facts.vouched_by) {
                names.stores.entry(id).or_default().insert(store);
            }
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
                let arns = names.users.entry((account, id)).or_default();
                let last = arns.entry(arn).or_default();
                *last = facts.last_event_at.max(*last);
                names.bearers.entry(arn).or_default().insert(id);
            }
        }
        names
    }

    fn note_identity_center(&mut self, facts: &'f CredentialFacts) {
        let user = facts.on_behalf_of_user_id.as_deref();
        if let (Some(user), Some(name), true) = (user, facts.session_name(), is_sso(facts)) {
            let place = (user, facts.vouched_by.as_deref());
            let slot = self.identity_center.entry(place).or_insert(Some(name));
            if *slot != Some(name) {
                *slot = None;
            }
        }
    }

    /// What a user is called; the last name of one who had several.
    pub(super) fn user_arn(&self, account: Option<&str>, id: Option<&str>) -> Option<&'f str> {
        let arns = self.users.get(&(account?, id?))?;
        arns.iter().max_by_key(|(arn, last)| (**last, **arn)).map(|(arn, _)| *arn)
    }

    /// Notes on an IAM user's origin who of those that bore the name it is, and what else the user was
    /// called.
    pub(super) fn tell_apart(&self, origin: &mut Origin, id: Option<&str>) {
        let Some(arn) = origin.origin.as_deref() else { return };
        let bearers = self.bearers.get(arn).map_or(0, BTreeSet::len);
        let account = origin.account_id.as_deref().unwrap_or("");
        let arns = id.and_then(|id| self.users.get(&(account, id)));
        let others: Vec<&str> = arns
            .into_iter()
            .flat_map(BTreeMap::keys)
            .copied()
            .filter(|other| *other != arn)
            .collect();
        origin.detail = match id {
            Some(id) if !others.is_empty() => {
                Some(format!("user id {id}, also named {}", others.join(", ")))
            }
            Some(id) if bearers > 1 => Some(format!("user id {id}")),
            None if bearers > 1 => Some(format!("one of {bearers} users of this name")),
            _ => None,
        };
        let id = id.map(str::to_owned);
        origin.bearer = Some(Arc::new(Bearer { id, vouched_by: None, name_shared: bearers > 1 }));
    }

    pub(super) fn identity_center_user(&self, id: &str, store: Option<&str>) -> Option<&'f str> {
        let known = self.identity_center.get(&(id, store));
        let known = known.or_else(|| match self.stores.get(id).map_or(0, BTreeSet::len) {
            // A record without store is of the only one.
            0 | 1 => self.identity_center.get(&(id, None)),
            _ => None,
        });
        known.copied().flatten()
    }

    /// The id of an Identity Center user; with its store where several have such an id.
    pub(super) fn identity_center_id(&self, id: &str, store: Option<&str>) -> String {
        let several = self.stores.get(id).is_some_and(|stores| stores.len() > 1);
        match store.filter(|_| several) {
            Some(store) => format!("user id {id}, identity store {store}"),
            None => format!("user id {id}"),
        }
    }
}
