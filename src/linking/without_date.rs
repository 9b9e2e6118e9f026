//! Facts that belong to no time, held as bytes: every stretch may need some of them, none needs many, and
//! there can be hundreds of thousands.

use hashbrown::{HashMap, HashSet};
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::Result;
use crate::grants::{Grant, Join};
use crate::sessions::Facts;
use crate::sessions::facts::CredentialFacts;
use crate::sessions::link::first_calls;
use crate::sessions::names::Names;
use crate::sessions::packed::{pack, unpack};

/// See the module.
pub struct WithoutDate {
    /// Names that any record may need.
    pub names: Names,
    /// When role sessions without creation date made their first call: seconds by session.
    pub first_calls: HashMap<String, i64>,
    credentials: HashMap<String, Packed<Credential>>,
    grants: Vec<Packed<Issue>>,
    /// Who obtained those grants: numbers of credential ids.
    obtainers: HashSet<u64>,
}

/// Something as bytes, and what it is looked for by.
struct Packed<T> {
    by: T,
    bytes: Box<[u8]>,
}

impl<T> Packed<T> {
    fn of(by: T, value: &impl Serialize) -> Result<Packed<T>> {
        Ok(Packed { by, bytes: pack(value)?.into() })
    }

    fn value<V: DeserializeOwned>(&self) -> Result<V> {
        unpack(&self.bytes)
    }
}

impl Packed<Issue> {
    fn grant(&self) -> Result<Grant> {
        Ok(Grant { event_id: self.by.event_id.clone(), ..self.value()? })
    }
}

/// Texts are told by numbers here: two with one number only make work.
struct Credential {
    key: u64,
    session: u64,
    lacks_date: bool,
}

struct Issue {
    event_id: String,
    key: u64,
    /// Account and user whose password it set.
    password_of: u64,
}

fn number(text: Option<&str>) -> u64 {
    text.map_or(0, |text| xxh3_64(text.as_bytes()))
}

fn number_of_user(account: &str, user: &str) -> u64 {
    number(Some(&format!("{account}/{user}")))
}

impl WithoutDate {
    /// Packs facts, and frees them on the way.
    ///
    /// # Errors
    /// The encoder's: a defect of ours.
    pub fn of(mut facts: Facts) -> Result<WithoutDate> {
        let first_calls = first_calls(&facts);
        let first_calls = first_calls.into_iter().map(|(id, at)| (id.to_owned(), at)).collect();
        let mut kept = WithoutDate {
            names: std::mem::take(&mut facts.names),
            first_calls,
            credentials: HashMap::with_capacity(facts.credentials.len()),
            grants: Vec::with_capacity(facts.grants.len()),
            obtainers: HashSet::new(),
        };
        for (id, credential) in facts.credentials {
            let by = Credential {
                key: number(credential.access_key_id.as_deref()),
                session: number(credential.session_id.as_deref()),
                lacks_date: credential.lacks_date(),
            };
            kept.credentials.insert(id, Packed::of(by, &credential)?);
        }
        for grant in facts.grants.into_values() {
            let (account, user) = (&grant.child.account_id, &grant.child.user_name);
            let user = account.as_deref().zip(user.as_deref());
            let password_of = user.filter(|_| grant.join == Join::Password);
            let by = Issue {
                event_id: grant.event_id.clone(),
                key: number(grant.issued_access_key_id.as_deref()),
                password_of: password_of.map_or(0, |(account, user)| number_of_user(account, user)),
            };
            kept.obtainers.insert(number(Some(&grant.obtained_by().credential_id)));
            kept.grants.push(Packed::of(by, &grant)?);
        }
        Ok(kept)
    }

    /// Whether a credential obtained one of the grants, so that it may be asked for at any time.
    pub fn has_obtainer(&self, id: &str) -> bool {
        self.obtainers.contains(&number(Some(id)))
    }

    /// One credential.
    ///
    /// # Errors
    /// The decoder's: a defect of ours.
    pub fn credential(&self, id: &str) -> Result<Option<Box<CredentialFacts>>> {
        self.credentials.get(id).map(Packed::value).transpose()
    }

    /// Role sessions without creation date, for which `wanted` says so.
    ///
    /// # Errors
    /// As [`WithoutDate::credential`].
    pub fn sessions_without_date(&self, wanted: impl Fn(&str) -> bool) -> Result<Credentials> {
        let begun: HashSet<u64> = self
            .first_calls
            .keys()
            .filter(|session| wanted(session))
            .map(|session| number(Some(session)))
            .collect();
        let all = self.matching(|by| by.lacks_date && begun.contains(&by.session))?;
        Ok(all.into_iter().filter(|(_, c)| wanted(c.session_id.as_deref().unwrap_or(""))).collect())
    }

    /// Credentials with one of these keys.
    ///
    /// # Errors
    /// As [`WithoutDate::credential`].
    pub fn users_of(&self, keys: &HashSet<String>) -> Result<Credentials> {
        let numbers: HashSet<u64> = keys.iter().map(|key| number(Some(key))).collect();
        let all = self.matching(|by| numbers.contains(&by.key))?.into_iter();
        let uses = |facts: &CredentialFacts| {
            facts.access_key_id.as_ref().is_some_and(|k| keys.contains(k))
        };
        Ok(all.filter(|(_, facts)| uses(facts)).collect())
    }

    /// Credentials of these sessions.
    ///
    /// # Errors
    /// As [`WithoutDate::credential`].
    pub fn of_sessions(&self, sessions: &HashSet<String>) -> Result<Credentials> {
        let numbers: HashSet<u64> = sessions.iter().map(|id| number(Some(id))).collect();
        let all = self.matching(|by| numbers.contains(&by.session))?.into_iter();
        let belongs = |facts: &CredentialFacts| {
            facts.session_id.as_ref().is_some_and(|s| sessions.contains(s))
        };
        Ok(all.filter(|(_, facts)| belongs(facts)).collect())
    }

    fn matching(&self, wanted: impl Fn(&Credential) -> bool) -> Result<Credentials> {
        let all = self.credentials.iter().filter(|(_, packed)| wanted(&packed.by));
        all.map(|(id, packed)| Ok((id.clone(), packed.value()?))).collect()
    }

    /// Grants that issued one of these keys.
    ///
    /// # Errors
    /// As [`WithoutDate::credential`].
    pub fn issues_of(&self, keys: &HashSet<String>) -> Result<Vec<Grant>> {
        let numbers: HashSet<u64> = keys.iter().map(|key| number(Some(key))).collect();
        let near = self.grants.iter().filter(|packed| numbers.contains(&packed.by.key));
        let mut grants: Vec<Grant> = near.map(Packed::grant).collect::<Result<_>>()?;
        grants
            .retain(|grant| grant.issued_access_key_id.as_ref().is_some_and(|k| keys.contains(k)));
        Ok(grants)
    }

    /// Passwords that were set for these users: account and name.
    ///
    /// # Errors
    /// As [`WithoutDate::credential`].
    pub fn passwords_of(&self, users: &HashSet<(String, String)>) -> Result<Vec<Grant>> {
        let numbers: HashSet<u64> =
            users.iter().map(|(account, user)| number_of_user(account, user)).collect();
        let near = self.grants.iter().filter(|packed| numbers.contains(&packed.by.password_of));
        let mut grants: Vec<Grant> = near.map(Packed::grant).collect::<Result<_>>()?;
        let of = |grant: &Grant| grant.child.account_id.clone().zip(grant.child.user_name.clone());
        grants.retain(|grant| of(grant).is_some_and(|user| users.contains(&user)));
        Ok(grants)
    }
}

/// Credentials by id.
pub type Credentials = Vec<(String, Box<CredentialFacts>)>;
