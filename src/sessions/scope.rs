//! What is linked at once: sessions of a stretch of time, or callers that belong to no time.

use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};

use super::facts::{CredentialFacts, Facts};
use super::held::Held;
use super::twins::WholeGrant;
use crate::grants::Join;
use crate::model::time;

/// What is to be linked; everything else that the facts hold is there to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Credentials without creation date, but not those of role sessions.
    Undated,
    /// Sessions that began and grants that were made in these seconds since 1970, the last one not
    /// included; of role sessions without date, those with the first call in them.
    Seconds(i64, i64),
}

impl Scope {
    /// All times.
    pub const ALL: Scope = Scope::Seconds(i64::MIN, i64::MAX);

    pub(super) fn holds(self, second: i64) -> bool {
        match self {
            Scope::Undated => false,
            Scope::Seconds(from, to) => {
                (from..to).contains(&second) || (second, to) == (to, i64::MAX)
            }
        }
    }
}

/// Credentials with their ids: those of the facts, and those that only a grant mentions.
pub(super) type Known<'f> = Vec<(Cow<'f, str>, Held<'f, CredentialFacts>)>;

/// Which credentials are in scope.
pub(super) struct Home<'f> {
    scope: Scope,
    /// First call of each role session without creation date, in seconds.
    first_calls: HashMap<&'f str, i64>,
}

impl<'f> Home<'f> {
    pub(super) fn of(facts: &'f Facts, scope: Scope) -> Home<'f> {
        Home { scope, first_calls: first_calls(facts) }
    }

    pub(super) fn holds(&self, facts: &CredentialFacts) -> bool {
        match facts.second() {
            Some(second) => self.scope.holds(second),
            None if facts.lacks_date() => {
                let session = facts.session_id.as_deref().unwrap_or("");
                self.first_calls.get(session).is_some_and(|second| self.scope.holds(*second))
            }
            None => self.scope == Scope::Undated,
        }
    }
}

/// When role sessions without creation date made their first call: seconds by session.
pub fn first_calls(facts: &Facts) -> HashMap<&str, i64> {
    let mut first: HashMap<&str, i64> = HashMap::new();
    for credential in facts.credentials.values().filter(|facts| facts.lacks_date()) {
        let session = credential.session_id.as_deref().unwrap_or("");
        let second = credential.first_event_at.unwrap_or(0).div_euclid(time::SECOND);
        let slot = first.entry(session).or_insert(second);
        *slot = second.min(*slot);
    }
    first
}

/// The credentials that take part, ordered by id: those in scope and, for what grants in scope were used
/// for, the others that the facts hold of any date, and the long-term keys that grants in scope made.
pub(super) fn known<'f>(facts: &'f Facts, grants: &[WholeGrant], home: &Home) -> Known<'f> {
    let recorded = facts.credentials.iter();
    let recorded = recorded.map(|(id, f)| (Cow::from(id.as_str()), Held::Borrowed(f.as_ref())));
    let mut known: Known = if home.scope == Scope::Undated {
        let mentioned = facts.mentioned.iter();
        let mentioned = mentioned
            .filter(|(id, _)| !facts.credentials.contains_key(id.as_str()))
            .map(|(id, f)| (Cow::from(id.as_str()), Held::Borrowed(f.as_ref())));
        recorded.filter(|(_, facts)| home.holds(facts)).chain(mentioned).collect()
    } else {
        let made = grants.iter().filter(|whole| {
            whole.grant.join == Join::LongTermKey && home.scope.holds(whole.grant.second())
        });
        let keys: HashSet<&str> =
            made.filter_map(|whole| whole.grant.issued_access_key_id.as_deref()).collect();
        let is_made =
            |f: &CredentialFacts| f.access_key_id.as_deref().is_some_and(|key| keys.contains(key));
        let any_date = |f: &CredentialFacts| f.second().is_some() || f.lacks_date();
        recorded.filter(|(_, facts)| any_date(facts) || is_made(facts)).collect()
    };
    known.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    known
}
