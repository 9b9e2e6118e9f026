//! Everything that bears on one stretch of time: its own facts, those near its ends, and of the undated
//! ones what its grants and sessions need.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hashbrown::{HashMap, HashSet};

use super::brought::{Held, issued_one_of};
use super::plan::Stretch;
use super::state::{Choice, Kept, Seconds, UNDATED, Wanted, number_of_sign_in_session};
use crate::error::Result;
use crate::grants::Join;
use crate::sessions::Facts;
use crate::sessions::facts::CredentialFacts;
use crate::sessions::link::{MARGIN, SIGN_IN_SESSION, first_calls};
use crate::sessions::twins::caller_copies;
use crate::store::Transaction;

/// Where facts lie.
#[derive(Clone, Copy)]
pub struct Sources<'s> {
    /// The store.
    pub tx: &'s Transaction,
    /// What it has, by stretch.
    pub stretches: &'s [Stretch],
    /// What this ingest brings.
    pub held: &'s Held,
    /// Facts that belong to no time.
    pub undated: &'s Facts,
}

impl Sources<'_> {
    /// The facts of a stretch and all that bear on it.
    ///
    /// # Errors
    /// The store's.
    pub fn near(&self, seconds: Seconds) -> Result<Facts> {
        let mut facts = self.read(&[seconds.widened(MARGIN)], Choice::All)?;
        self.add_sessions_without_date(&mut facts, seconds)?;
        self.add_programs(&mut facts, seconds.widened(SIGN_IN_SESSION + MARGIN))?;
        self.add_undated_users_of_keys(&mut facts);
        self.add_passwords(&mut facts);
        self.add_principals_elsewhere(&mut facts);
        Ok(facts)
    }

    /// Stored facts and new ones; `seconds` are in order, apart from each other.
    fn read(&self, seconds: &[Seconds], facts: Choice) -> Result<Facts> {
        let mut kept = Kept::default();
        // What belongs to no time does not belong to the first stretch either.
        let dated = |s: &Seconds| Seconds { from: s.from.max(UNDATED.saturating_add(1)), ..*s };
        let seconds: Vec<Seconds> = seconds.iter().map(dated).collect();
        let wanted = Wanted { seconds: &seconds, facts, answers: Choice::None };
        let (Some(first), Some(last)) = (seconds.first(), seconds.last()) else {
            return Ok(kept.facts);
        };
        let overlap =
            |stretch: &&Stretch| stretch.seconds.from < last.to && first.from < stretch.seconds.to;
        let stored = self.stretches.iter().filter(overlap).flat_map(|stretch| &stretch.files);
        let files: Vec<PathBuf> = stored.chain(&self.held.files).cloned().collect();
        kept.read(self.tx, &files, wanted)?;
        Ok(kept.facts)
    }

    /// Sign-in sessions last long: their tokens and what they sign in lie further apart.
    fn add_programs(&self, facts: &mut Facts, seconds: Seconds) -> Result<()> {
        let credentials = facts.credentials.values().map(|facts| &facts.sign_in_session_arn);
        let grants = facts.grants.values().map(|grant| &grant.sign_in_session_arn);
        let arns = credentials.chain(grants).flatten();
        let numbers: HashSet<i64> = arns.map(|arn| number_of_sign_in_session(Some(arn))).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        let wide = self.read(&[seconds], Choice::About(&numbers))?;
        // Not every piece of a credential shows the session.
        let ids: HashSet<&str> = wide.credentials.keys().map(String::as_str).collect();
        let whole = self.read(&[seconds], Choice::Of(&ids))?;
        whole.credentials.iter().for_each(|(id, credential)| bring(facts, id, credential));
        wide.grants.into_iter().for_each(|(id, grant)| facts.add_grant(id, grant));
        Ok(())
    }

    /// Role sessions without date that made their first call here, who issued their keys, and who else
    /// uses those.
    fn add_sessions_without_date(&self, facts: &mut Facts, seconds: Seconds) -> Result<()> {
        let first = first_calls(self.undated);
        let mut keys = HashSet::new();
        for (id, credential) in &self.undated.credentials {
            let session = credential.session_id.as_deref().unwrap_or("");
            let here = first.get(session).is_some_and(|second| seconds.holds(*second));
            if credential.lacks_date() && here {
                keys.extend(credential.access_key_id.as_deref());
                bring(facts, id, credential);
            }
        }
        self.add_grants_of(facts, &keys);
        let grants = self.undated.grants.values().filter(|grant| issued_one_of(grant, &keys));
        let issued: BTreeSet<i64> = grants.map(|grant| grant.second()).collect();
        let then = joined(issued.into_iter().map(|second| Seconds {
            from: second.saturating_sub(1),
            to: second.saturating_add(2),
        }));
        for (id, credential) in self.read(&then, Choice::All)?.credentials {
            if credential.access_key_id.as_deref().is_some_and(|key| keys.contains(key)) {
                bring(facts, &id, &credential);
            }
        }
        Ok(())
    }

    /// Undated callers who use a key that was issued here.
    fn add_undated_users_of_keys(&self, facts: &mut Facts) {
        let issued = facts.grants.values().filter_map(|grant| grant.issued_access_key_id.clone());
        let issued: HashSet<String> = issued.collect();
        let mut keys: HashSet<&str> = HashSet::new();
        let mut sessions: HashSet<&str> = HashSet::new();
        for (id, credential) in &self.undated.credentials {
            let key = credential.access_key_id.as_deref();
            if let Some(key) = key.filter(|key| issued.contains(*key)) {
                keys.insert(key);
                let without_date = credential.session_id.as_deref();
                sessions.extend(without_date.filter(|_| credential.lacks_date()));
                bring(facts, id, credential);
            }
        }
        // Only all credentials of a session together tell when it made its first call.
        for (id, credential) in &self.undated.credentials {
            if credential.session_id.as_deref().is_some_and(|session| sessions.contains(session)) {
                bring(facts, id, credential);
            }
        }
        self.add_grants_of(facts, &keys);
    }

    fn add_grants_of(&self, facts: &mut Facts, keys: &HashSet<&str>) {
        if keys.is_empty() {
            return;
        }
        for (id, grant) in &self.undated.grants {
            if issued_one_of(grant, keys) {
                facts.add_grant(id.clone(), grant.clone());
            }
        }
    }

    /// Who calls, where only another account's record shows it.
    fn add_principals_elsewhere(&self, facts: &mut Facts) {
        for id in unpaired(facts) {
            if let Some(credential) = self.undated.credentials.get(&id) {
                bring(facts, &id, credential);
            }
        }
    }

    /// The passwords of those who sign in here.
    fn add_passwords(&self, facts: &mut Facts) {
        let mut users: HashMap<String, HashSet<String>> = HashMap::new();
        for credential in facts.credentials.values().filter(|facts| facts.signed_in) {
            if let (Some(account), Some(user)) =
                (credential.account_id.as_deref(), credential.iam_user_name())
            {
                users.entry(account.to_owned()).or_default().insert(user.to_owned());
            }
        }
        for (id, grant) in &self.undated.grants {
            let users = grant.child.account_id.as_deref().and_then(|account| users.get(account));
            let user = grant.child.user_name.as_deref();
            let here = user.zip(users).is_some_and(|(user, users)| users.contains(user));
            if here && grant.join == Join::Password {
                facts.add_grant(id.clone(), grant.clone());
            }
        }
    }
}

/// Adds a credential that may be there already, whole as it is here.
fn bring(facts: &mut Facts, id: &str, credential: &CredentialFacts) {
    if !facts.credentials.contains_key(id) {
        facts.add_credential(id.to_owned(), Box::new(credential.clone()));
    }
}

/// Ranges in order of their beginnings, those that touch made one.
fn joined(ranges: impl Iterator<Item = Seconds>) -> Vec<Seconds> {
    let mut all: Vec<Seconds> = Vec::new();
    for range in ranges {
        match all.last_mut().filter(|last| last.to >= range.from) {
            Some(last) => last.to = last.to.max(range.to),
            None => all.push(range),
        }
    }
    all
}

/// Callers of calls that only the owner's account has recorded, by credential id.
fn unpaired(facts: &Facts) -> HashSet<String> {
    let copies = caller_copies(&facts.shared_calls);
    let halves = facts.shared_calls.iter().filter(|call| call.names_account_only);
    let unpaired = halves.filter(|call| !copies.contains_key(&call.record()));
    unpaired.map(|call| call.credential_id.clone()).collect()
}

/// The principals of such callers, by account.
pub fn principals_elsewhere(facts: &Facts) -> BTreeSet<(String, String)> {
    let callers = unpaired(facts);
    let callers = callers.iter().filter_map(|id| facts.credentials.get(id));
    callers.filter_map(|f| f.account_id.clone().zip(f.principal_id.clone())).collect()
}
