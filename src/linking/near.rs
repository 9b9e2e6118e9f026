//! Everything that bears on one stretch of time: its own facts, those near its ends, and of the undated
//! ones what its grants and sessions need.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hashbrown::HashSet;

use super::brought::Held;
use super::callers::Callers;
use super::plan::Stretch;
use super::state::{Choice, Kept, Seconds, UNDATED, Wanted, number_of_sign_in_session};
use super::without_date::{SignIns, WithoutDate};
use crate::error::Result;
use crate::grants::Grant;
use crate::sessions::Facts;
use crate::sessions::facts::CredentialFacts;
use crate::sessions::link::{MARGIN, SIGN_IN_SESSION};
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
    pub undated: &'s WithoutDate,
    /// Callers without session.
    pub callers: &'s Callers<'s>,
    /// How many threads may work at once.
    pub threads: usize,
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
        self.add_undated_users_of_keys(&mut facts)?;
        self.add_passwords(&mut facts)?;
        self.add_principals_elsewhere(&mut facts)?;
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
        let files: Vec<PathBuf> = stored.cloned().collect();
        kept.read(self.tx, &files, wanted)?;
        self.held.spills.iter().try_for_each(|spill| kept.read_spill(spill, wanted))?;
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
        whole.credentials.into_iter().for_each(|(id, credential)| bring(facts, id, credential));
        wide.grants.into_iter().for_each(|(id, grant)| facts.add_grant(id, grant));
        Ok(())
    }

    /// Role sessions without date that made their first call here, who issued their keys, and who else
    /// uses those.
    fn add_sessions_without_date(&self, facts: &mut Facts, seconds: Seconds) -> Result<()> {
        let first = &self.undated.first_calls;
        let here = |session: &str| first.get(session).is_some_and(|second| seconds.holds(*second));
        let mut keys = HashSet::new();
        for (id, credential) in self.undated.sessions_without_date(here)? {
            keys.extend(credential.access_key_id.clone());
            bring(facts, id, credential);
        }
        let grants = self.undated.issues_of(&keys)?;
        let issued: BTreeSet<i64> = grants.iter().map(|grant| grant.second()).collect();
        add_grants(facts, grants);
        let then = joined(issued.into_iter().map(|second| Seconds {
            from: second.saturating_sub(1),
            to: second.saturating_add(2),
        }));
        for (id, credential) in self.read(&then, Choice::All)?.credentials {
            if credential.access_key_id.as_ref().is_some_and(|key| keys.contains(key)) {
                bring(facts, id, credential);
            }
        }
        Ok(())
    }

    /// Undated callers who use a key that was issued here.
    fn add_undated_users_of_keys(&self, facts: &mut Facts) -> Result<()> {
        let issued = facts.grants.values().filter_map(|grant| grant.issued_access_key_id.clone());
        let users = self.undated.users_of(&issued.collect())?;
        let keys = users.iter().filter_map(|(_, user)| user.access_key_id.clone()).collect();
        let sessions = users.iter().filter(|(_, user)| user.lacks_date());
        let sessions = sessions.filter_map(|(_, user)| user.session_id.clone()).collect();
        // Only all credentials of a session together tell when it made its first call.
        for (id, credential) in users.into_iter().chain(self.undated.of_sessions(&sessions)?) {
            bring(facts, id, credential);
        }
        add_grants(facts, self.undated.issues_of(&keys)?);
        Ok(())
    }

    /// Who calls, where only another account's record shows it.
    fn add_principals_elsewhere(&self, facts: &mut Facts) -> Result<()> {
        let ids = unpaired(facts);
        let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let found = self.callers.facts_of(&ids)?;
        found.into_iter().for_each(|(id, credential)| bring(facts, id, credential));
        Ok(())
    }

    /// The passwords of those who sign in here.
    fn add_passwords(&self, facts: &mut Facts) -> Result<()> {
        let mut sign_ins = SignIns::new();
        for credential in facts.credentials.values().filter(|facts| facts.signed_in) {
            let user = credential.account_id.as_deref().zip(credential.iam_user_name());
            let Some(((account, user), second)) = user.zip(credential.second()) else { continue };
            let user = (account.to_owned(), user.to_owned());
            sign_ins.entry(user).or_default().push(second);
        }
        add_grants(facts, self.undated.passwords_before(&sign_ins)?);
        Ok(())
    }
}

fn add_grants(facts: &mut Facts, grants: Vec<Grant>) {
    for grant in grants {
        facts.add_grant((grant.event_id.clone(), grant.record_hash), Box::new(grant));
    }
}

/// Adds a credential that may be there already, whole as it is here.
fn bring(facts: &mut Facts, id: String, credential: Box<CredentialFacts>) {
    if !facts.credentials.contains_key(&id) {
        facts.add_credential(id, credential);
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
