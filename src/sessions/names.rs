//! Names learned from all records together: for callers whose own record names them badly, for users who
//! share a name or changed it, and of people after whom a session may be called.
//!
//! All lookups are global, over the whole store: a user's id is the user's for ever, and so is what it
//! was ever called. Every event is learned from by itself: what is known does not depend on which events
//! were read together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::by_record::is_sso;
use super::facts::CredentialFacts;
use super::origin::{Bearer, Origin};
use super::outside::Question;
use crate::model::arn;

/// Names kept of one Identity Center user: from two on nothing follows.
const MOST_NAMES: usize = 2;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Names {
    /// By account and `AIDA…` id: the user's ARNs, with the last call under each.
    users: BTreeMap<String, BTreeMap<String, BTreeMap<String, Option<i64>>>>,
    /// By user ARN: the ids of all who bore it, one after the other.
    bearers: BTreeMap<String, BTreeSet<String>>,
    /// By Identity Center user id, and by store: user names.
    identity_center: BTreeMap<String, BTreeMap<Option<String>, BTreeSet<String>>>,
    /// By Identity Center user id: the stores that have one.
    stores: BTreeMap<String, BTreeSet<String>>,
    /// Names of users that the logs know, in lower case.
    people: BTreeSet<String>,
    /// Accounts whose own principals make calls in the logs.
    accounts: BTreeSet<String>,
}

impl Names {
    /// Learns what one event shows that is the first of its credential, or shows other names.
    pub fn learn(&mut self, facts: &CredentialFacts, claimed_only: bool) {
        if let (Some(id), Some(store)) = (&facts.on_behalf_of_user_id, &facts.vouched_by) {
            self.stores.entry(id.clone()).or_default().insert(store.clone());
        }
        let kind = facts.identity_type.as_deref();
        if kind == Some("AssumedRole") && is_sso(facts) {
            let user = facts.on_behalf_of_user_id.as_deref();
            if let Some((user, name)) = user.zip(facts.session_name()) {
                self.learn_identity_center(user, facts.vouched_by.as_deref(), name);
            }
        }
        let own = matches!(kind, Some("AssumedRole" | "FederatedUser" | "IAMUser" | "Root"));
        if let Some(account) = facts.account_id.as_ref().filter(|_| own)
            && !self.accounts.contains(account)
        {
            self.accounts.insert(account.clone());
        }
        if !claimed_only && let Some(person) = person(facts) {
            self.people.insert(person.to_lowercase());
        }
    }

    /// Learns the name of the user behind one event, microseconds since 1970.
    pub fn learn_user(&mut self, account: &str, id: &str, arn: &str, at: Option<i64>) {
        let known = self.users.get_mut(account).and_then(|users| users.get_mut(id));
        if let Some(last) = known.and_then(|arns| arns.get_mut(arn)) {
            *last = at.max(*last);
            return;
        }
        let users = self.users.entry(account.to_owned()).or_default();
        users.entry(id.to_owned()).or_default().insert(arn.to_owned(), at);
        self.bearers.entry(arn.to_owned()).or_default().insert(id.to_owned());
    }

    fn learn_identity_center(&mut self, user: &str, store: Option<&str>, name: &str) {
        let stores = self.identity_center.entry(user.to_owned()).or_default();
        let names = stores.entry(store.map(str::to_owned)).or_default();
        names.insert(name.to_owned());
        while names.len() > MOST_NAMES {
            names.pop_last();
        }
    }

    /// Adds what was learned from other events.
    pub fn merge(&mut self, other: Names) {
        for (account, users) in &other.users {
            for (id, arns) in users {
                arns.iter().for_each(|(arn, at)| self.learn_user(account, id, arn, *at));
            }
        }
        for (user, stores) in &other.identity_center {
            for (store, names) in stores {
                let store = store.as_deref();
                names.iter().for_each(|name| self.learn_identity_center(user, store, name));
            }
        }
        for (user, stores) in other.stores {
            self.stores.entry(user).or_default().extend(stores);
        }
        self.people.extend(other.people);
        self.accounts.extend(other.accounts);
    }

    fn arns(
        &self,
        account: Option<&str>,
        id: Option<&str>,
    ) -> Option<&BTreeMap<String, Option<i64>>> {
        self.users.get(account?)?.get(id?)
    }

    /// What a user is called; the last name of one who had several.
    pub fn user_arn(&self, account: Option<&str>, id: Option<&str>) -> Option<&str> {
        last_name(self.arns(account, id)?)
    }

    /// Notes on an IAM user's origin who of those that bore the name it is, and what else the user was
    /// called.
    pub(super) fn tell_apart(&self, origin: &mut Origin, id: Option<&str>) {
        let Some(arn) = origin.origin.as_deref() else { return };
        let bearers = self.bearers.get(arn).map_or(0, BTreeSet::len);
        let arns = self.arns(origin.account_id.as_deref(), id);
        let others: Vec<&str> = arns
            .into_iter()
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
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

    /// The one name of an Identity Center user.
    pub(super) fn identity_center_user(&self, id: &str, store: Option<&str>) -> Option<&str> {
        let stores = self.identity_center.get(id)?;
        let known = stores.get(&store.map(str::to_owned));
        let known = known.or_else(|| match self.stores.get(id).map_or(0, BTreeSet::len) {
            // A record without store is of the only one.
            0 | 1 => stores.get(&None),
            _ => None,
        })?;
        known.first().filter(|_| known.len() == 1).map(String::as_str)
    }

    /// The id of an Identity Center user; with its store where several have such an id.
    pub(super) fn identity_center_id(&self, id: &str, store: Option<&str>) -> String {
        let several = self.stores.get(id).is_some_and(|stores| stores.len() > 1);
        match store.filter(|_| several) {
            Some(store) => format!("user id {id}, identity store {store}"),
            None => format!("user id {id}"),
        }
    }

    /// Whether somebody of this name is known; in lower case.
    pub(super) fn knows_person(&self, name: &str) -> bool {
        self.people.contains(name)
    }

    /// Whether the logs of an account are there, so far as calls of its own principals tell: another
    /// account's logs show those as `AWSAccount`.
    pub fn has_logs_of(&self, account: &str) -> bool {
        self.accounts.contains(account)
    }

    /// Everything that can be asked for, with a text that is another one when the answer is.
    pub(super) fn each_answer(&self, mut each: impl FnMut(Question, &str)) {
        self.accounts.iter().for_each(|account| each(Question::HasLogs(account), "yes"));
        for (account, users) in &self.users {
            for (id, arns) in users {
                let all: Vec<&str> = arns.keys().map(String::as_str).collect();
                let last = last_name(arns).unwrap_or("");
                each(Question::UserArn(account, id), &format!("{last} of {all:?}"));
            }
        }
        for (arn, bearers) in &self.bearers {
            each(Question::Bearers(arn), &bearers.len().to_string());
        }
        let ids: BTreeSet<&String> =
            self.identity_center.keys().chain(self.stores.keys()).collect();
        for id in ids {
            let told = (self.identity_center.get(id), self.stores.get(id));
            each(Question::IdentityCenterUser(id), &format!("{told:?}"));
        }
        self.people.iter().for_each(|name| each(Question::Person(name), ""));
    }
}

fn last_name(arns: &BTreeMap<String, Option<i64>>) -> Option<&str> {
    arns.iter().max_by_key(|(arn, last)| (**last, arn.as_str())).map(|(arn, _)| arn.as_str())
}

/// The name of the user that a caller is.
fn person(facts: &CredentialFacts) -> Option<&str> {
    match facts.identity_type.as_deref()? {
        "IAMUser" => {
            let arn = facts.principal_arn.as_deref().and_then(arn::Arn::parse);
            arn.and_then(|arn| arn.user_name()).or(facts.user_name.as_deref())
        }
        "SAMLUser" | "IdentityCenterUser" => facts.user_name.as_deref(),
        "AssumedRole" if is_sso(facts) => facts.session_name(),
        _ => None,
    }
}
