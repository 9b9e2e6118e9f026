//! Facts that belong to no time, out of memory: every stretch may need some of them, none needs many, and
//! there can be hundreds of thousands.

use std::collections::BTreeSet;
use std::path::Path;

use hashbrown::{HashMap, HashSet};
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::values::{Place, Values};
use crate::error::Result;
use crate::grants::{Grant, Join};
use crate::sessions::Facts;
use crate::sessions::corrections::joined_to;
use crate::sessions::facts::CredentialFacts;
use crate::sessions::link::{MARGIN, first_calls};
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
    /// What they are.
    values: Values,
    /// Who obtained those grants: numbers of credential ids.
    obtainers: HashSet<u64>,
}

/// Credentials and grants with their encodings, which are kept in two places.
pub struct Encoded<'f> {
    /// With their ids.
    pub credentials: Vec<(&'f str, &'f CredentialFacts, Vec<u8>)>,
    /// Their encodings lack the event ids.
    pub grants: Vec<(&'f Grant, Vec<u8>)>,
}

impl Encoded<'_> {
    /// Encodes them.
    ///
    /// # Errors
    /// The encoder's: a defect of ours.
    pub fn of(facts: &Facts) -> Result<Encoded<'_>> {
        let credentials = facts.credentials.iter();
        let credentials =
            credentials.map(|(id, facts)| Ok((id.as_str(), facts.as_ref(), pack(facts)?)));
        let grants = facts.grants.values().map(|grant| Ok((grant.as_ref(), pack(grant)?)));
        Ok(Encoded {
            credentials: credentials.collect::<Result<_>>()?,
            grants: grants.collect::<Result<_>>()?,
        })
    }
}

/// Where something is, and what it is looked for by.
struct Packed<T> {
    by: T,
    place: Place,
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
    /// The event id of the record that it puts right.
    corrects: Option<String>,
    /// What is known of a password that it set.
    password: Option<Password>,
}

struct Password {
    account: String,
    user: String,
    /// When it was set, seconds since 1970.
    second: i64,
    denied: bool,
    /// Whether it puts another record right.
    corrects: bool,
}

fn number(text: Option<&str>) -> u64 {
    text.map_or(0, |text| xxh3_64(text.as_bytes()))
}

impl WithoutDate {
    /// Nothing yet; values will be in a file in the folder `dir`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io).
    pub fn new(dir: &Path) -> Result<WithoutDate> {
        Ok(WithoutDate {
            names: Names::default(),
            first_calls: HashMap::new(),
            credentials: HashMap::new(),
            grants: Vec::new(),
            values: Values::new(dir)?,
            obtainers: HashSet::new(),
        })
    }

    /// Adds facts, all but their names.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io).
    pub fn add(&mut self, facts: &Facts, encoded: &Encoded) -> Result<()> {
        let first_calls = first_calls(facts).into_iter();
        self.first_calls.extend(first_calls.map(|(id, at)| (id.to_owned(), at)));
        for (id, credential, bytes) in &encoded.credentials {
            let by = Credential {
                key: number(credential.access_key_id.as_deref()),
                session: number(credential.session_id.as_deref()),
                lacks_date: credential.lacks_date(),
            };
            let place = self.values.put(bytes)?;
            self.credentials.insert((*id).to_owned(), Packed { by, place });
        }
        for (grant, bytes) in &encoded.grants {
            let by = Issue {
                event_id: grant.event_id.clone(),
                key: number(grant.issued_access_key_id.as_deref()),
                corrects: grant.correction().map(|(_, original)| original.to_owned()),
                password: Password::set_by(grant),
            };
            if !grant.is_only_a_hint() {
                self.obtainers.insert(number(Some(&grant.obtained_by().credential_id)));
            }
            let place = self.values.put(bytes)?;
            self.grants.push(Packed { by, place });
        }
        Ok(())
    }

    fn value<T, V: DeserializeOwned>(&self, packed: &Packed<T>) -> Result<V> {
        unpack(&self.values.get(packed.place)?)
    }

    fn grant(&self, packed: &Packed<Issue>) -> Result<Grant> {
        Ok(Grant { event_id: packed.by.event_id.clone(), ..self.value(packed)? })
    }

    /// Whether a credential obtained one of the grants, so that it may be asked for at any time.
    pub fn has_obtainer(&self, id: &str) -> bool {
        self.obtainers.contains(&number(Some(id)))
    }

    /// Role sessions without creation date, for which `wanted` says so.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io); the decoder's: a defect of ours.
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
    /// As [`WithoutDate::sessions_without_date`].
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
    /// As [`WithoutDate::sessions_without_date`].
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
        all.map(|(id, packed)| Ok((id.clone(), self.value(packed)?))).collect()
    }

    /// Grants that issued one of these keys, with the records that corrections join to them.
    ///
    /// # Errors
    /// As [`WithoutDate::sessions_without_date`].
    pub fn issues_of(&self, keys: &HashSet<String>) -> Result<Vec<Grant>> {
        let numbers: HashSet<u64> = keys.iter().map(|key| number(Some(key))).collect();
        let near = self.grants.iter().filter(|packed| numbers.contains(&packed.by.key));
        let grants: Vec<Grant> = near.map(|packed| self.grant(packed)).collect::<Result<_>>()?;
        let issued = |grant: &&Grant| {
            grant.issued_access_key_id.as_ref().is_some_and(|key| keys.contains(key))
        };
        let issued: Vec<&str> = grants.iter().filter(issued).map(|g| g.event_id.as_str()).collect();
        if issued.is_empty() {
            return Ok(Vec::new());
        }
        let corrections = self.grants.iter().map(|packed| &packed.by);
        let corrections =
            corrections.filter_map(|by| Some((by.event_id.as_str(), by.corrects.as_deref()?)));
        let joined = joined_to(issued.into_iter(), corrections);
        let joined = |packed: &&Packed<Issue>| joined.contains(packed.by.event_id.as_str());
        self.grants.iter().filter(joined).map(|packed| self.grant(packed)).collect()
    }

    /// The last passwords that were set before these users signed in, with whatever was set near them;
    /// `sign_ins` are seconds by account and name. Older ones bear on nothing.
    ///
    /// # Errors
    /// As [`WithoutDate::sessions_without_date`].
    pub fn passwords_before(&self, sign_ins: &SignIns) -> Result<Vec<Grant>> {
        let mut set: HashMap<(&str, &str), Vec<SetBy>> = HashMap::new();
        for packed in &self.grants {
            let Some(password) = &packed.by.password else { continue };
            let user = (password.account.as_str(), password.user.as_str());
            set.entry(user).or_default().push((password, packed));
        }
        let mut near = Vec::new();
        for ((account, user), seconds) in sign_ins {
            let Some(set) = set.get(&(account.as_str(), user.as_str())) else { continue };
            let last = |sign_in: &i64| {
                let set = set.iter().filter(|(password, _)| !password.denied);
                set.map(|(password, _)| password.second).filter(|second| second <= sign_in).max()
            };
            let last: BTreeSet<i64> = seconds.iter().filter_map(last).collect();
            // What is put right may be anything else then.
            let all_count = set.iter().any(|(password, _)| password.corrects);
            let counts = |second: i64| {
                let (from, to) = (second.saturating_sub(MARGIN), second.saturating_add(MARGIN));
                all_count || last.range(from..=to).next().is_some()
            };
            let counting = set.iter().filter(|(password, _)| counts(password.second));
            near.extend(counting.map(|(_, packed)| *packed));
        }
        near.into_iter().map(|packed| self.grant(packed)).collect()
    }
}

impl Password {
    fn set_by(grant: &Grant) -> Option<Password> {
        let user = grant.child.account_id.clone().zip(grant.child.user_name.clone());
        let (account, user) = user.filter(|_| grant.join == Join::Password)?;
        let (second, denied) = (grant.second(), grant.denied);
        Some(Password { account, user, second, denied, corrects: grant.corrects.is_some() })
    }
}

/// A password, and the grant that set it.
type SetBy<'k> = (&'k Password, &'k Packed<Issue>);

/// When users signed in, seconds since 1970, by account and name.
pub type SignIns = HashMap<(String, String), Vec<i64>>;

/// Credentials by id.
pub type Credentials = Vec<(String, Box<CredentialFacts>)>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grants::Child;
    use crate::grants::addendum::Correction;

    /// The passwords that count for one who signed in then, by event id.
    fn counting(set: Vec<Grant>, sign_ins: &[i64]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let mut kept = WithoutDate::new(dir.path()).unwrap();
        let mut facts = Facts::default();
        for grant in set {
            facts.add_grant((grant.event_id.clone(), grant.record_hash), Box::new(grant));
        }
        kept.add(&facts, &Encoded::of(&facts).unwrap()).unwrap();
        let user = ("111122223333".to_owned(), "anna".to_owned());
        let found = kept.passwords_before(&SignIns::from([(user, sign_ins.to_vec())])).unwrap();
        let mut ids: Vec<String> = found.into_iter().map(|grant| grant.event_id).collect();
        ids.sort();
        ids
    }

    fn password(id: &str, user: &str, second: i64) -> Grant {
        let child = Child {
            account_id: Some("111122223333".to_owned()),
            user_name: Some(user.to_owned()),
            ..Child::default()
        };
        let event_time = second * crate::model::time::SECOND;
        let event_id = id.to_owned();
        Grant { event_id, event_time, join: Join::Password, child, ..Grant::default() }
    }

    #[test]
    fn only_the_last_password_before_a_sign_in_counts() {
        let set = || {
            let at = [("a", 10_000), ("b", 20_000), ("c", 30_000), ("d", 40_000)];
            let mut set: Vec<Grant> =
                at.into_iter().map(|(id, second)| password(id, "anna", second)).collect();
            set.push(password("other", "bert", 30_000));
            set
        };
        assert_eq!(counting(set(), &[35_000]), ["c"]);
        assert_eq!(counting(set(), &[30_000, 39_999]), ["c"]);
        assert_eq!(counting(set(), &[15_000, 50_000]), ["a", "d"]);
        assert_eq!(counting(set(), &[9_999]), [""; 0]);
        let mut refused = set();
        refused[2].denied = true;
        assert_eq!(counting(refused, &[35_000]), ["b"]);
        let near = [set(), vec![password("near", "anna", 30_000 - MARGIN)]].concat();
        assert_eq!(counting(near, &[35_000]), ["c", "near"]);
        let mut corrected = set();
        let (original_event_id, fields) = ("z".to_owned(), Vec::new());
        let correction = Correction { original_event_id, fields };
        corrected[0].corrects = Some(correction);
        assert_eq!(counting(corrected, &[35_000]), ["a", "b", "c", "d"]);
    }
}
