//! Which issuing events could have started a credential.
//!
//! The ladder, best first; only the best rung that holds anything counts:
//!
//! 1. the issued key is the used key, and role and second agree;
//! 2. the sign-in session that a token was made for is the one that the calls show;
//! 3. the issued principal is the calling principal and the second agrees, where keys cannot decide:
//!    calls without key, the console (which uses other keys than the issued one), forwarded calls;
//! 4. the same, one second apart;
//! 5. the console's own record of a role switch; Identity Center's record of handing out a role, EKS's
//!    of asking for a pod's;
//!    a provider's grant, or a sign-in token, shortly before a console sign-in;
//! 6. for what a role's console session calls, its sign-in;
//! 7. for the sign-in of an IAM user, the last time that somebody set the password.
//!
//! Long-term keys have no creation date in later calls; the key itself joins them, and the owner must
//! agree. A grant that does not show its key proves no key: what it joins by principal and second is
//! inferred. Nothing joins over the border of a partition.
//!
//! Never on session name, ARN or address alone. A key that differs where keys do decide refuses the
//! candidate: its credentials are others.

use hashbrown::{HashMap, HashSet};

use super::agreement::{
    fits_identity_center, fits_long_term_key, fits_pod, may_have_switched, refutes, role_agrees,
    same_key, same_kind, same_principal, second_of, signs_in_after,
};
use super::facts::CredentialFacts;
use super::twins::WholeGrant;
use crate::grants::{Grant, Join, roles_anywhere};
use crate::model::strength::Strength;
use crate::model::time;

/// Longest time between a provider's grant and the console sign-in made with it: the lifetime of a
/// federation sign-in address. Source: IAM User Guide, "Enabling custom identity broker access".
const SIGN_IN_WINDOW: i64 = 15 * 60;

/// Seconds around an issue in which no other call issues the same key, if keys were not rewritten.
const REWRITTEN_WITHIN: i64 = 15 * 60;

/// Longest time between the sign-in of a program and the token that it calls with, seconds: how long a
/// sign-in session lasts. Source: AWS Sign-In User Guide, "Sign in to the AWS CLI".
pub const SIGN_IN_SESSION: i64 = 12 * 3600;

/// Seconds around a session or a grant in which the other one can lie, and whatever bears on the two;
/// but for [`SIGN_IN_SESSION`], and what only a key joins.
pub const MARGIN: i64 = 16 * 60;

/// Clocks differ: what a key may be used before the recorded time of its issue, microseconds.
const USED_EARLY: i64 = 60 * time::SECOND;

/// The rule of the weakest hint: a password that was set before a sign-in. It is evidence to look at,
/// not a hop.
pub const LOGIN_PROFILE: &str = "login_profile";

/// The rule of what a sign-in to the console begins, or follows on.
pub const CONSOLE_LOGIN: &str = "console_login";
/// The rule of credentials that principal and second join to a grant.
pub const CREATION_TIME: &str = "creation_time";
/// The rule of calls that services make with the caller's authority.
pub const FORWARDED: &str = "forwarded";
/// The rule of an issued key that is the used one.
pub const ACCESS_KEY: &str = "access_key";
/// The rule of the console's own record of a role switch.
pub const CONSOLE_SWITCH: &str = "console_switch";
/// The rule of a node's record of asking for a pod's credentials.
pub const POD_IDENTITY: &str = "pod_identity";

/// Rungs of the ladder below which only hints are left.
pub(super) const RUNGS: usize = 7;
/// The last rung on which keys stand; long-term keys and those off by a second included.
const LAST_BY_KEY: usize = 1;
/// The rung of the console's own records of a role switch.
const SWITCH: usize = 5;

/// One issuing event that could have started a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Index into the list of grants.
    pub grant: usize,
    /// What joins them.
    pub rule: &'static str,
    /// How strong the join is.
    pub strength: Strength,
}

impl Candidate {
    /// Whether it is a way that credentials took, and not only a hint.
    pub fn is_hop(&self) -> bool {
        self.rule != LOGIN_PROFILE
    }
}

/// The candidates of one credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Those on the best rung.
    pub found: Vec<Candidate>,
    /// Those that fit but for a key, their own or that of another call of the session, when there
    /// are no others.
    pub refused: Vec<Candidate>,
    /// One of its own calls would fit as well as those found, or alone fits: the records show two
    /// sessions, one taken with the other, as one credential.
    pub takes_itself: bool,
    /// Further ones that fit, beyond [`MOST_RIVALS`]; only counted.
    pub more: usize,
    /// Rung of those found: the lower, the better the evidence.
    pub rung: usize,
    /// They are refused because they fit more sessions than they can have started.
    pub contested: bool,
}

/// Rivals kept of one credential. More of them say nothing more, and logs whose times were rewritten
/// could have as many as there are sessions, for each of these.
pub const MOST_RIVALS: usize = 1000;

impl Candidates {
    /// How many there are, refused ones too.
    pub fn count(&self) -> usize {
        self.found.len() + self.refused.len() + self.more
    }

    /// Keeps the candidates in evidence, but lets none of them count.
    pub fn refuse_all(&mut self) {
        self.refused.append(&mut self.found);
        self.refused.iter_mut().for_each(|candidate| candidate.strength = Strength::None);
    }
}

/// Grants by what they are looked up by. All lookups are near in time (a second, for a sign-in
/// [`SIGN_IN_WINDOW`]), but for three: by key for calls without creation date, by the sign-in session that
/// a token names ([`SIGN_IN_SESSION`]), and for the last password of a user.
pub struct Index<'f> {
    grants: &'f [WholeGrant<'f>],
    /// By issued key.
    by_key: HashMap<&'f str, Vec<usize>>,
    /// By issued principal.
    by_principal: HashMap<&'f str, Vec<usize>>,
    by_principal_second: HashMap<(&'f str, i64), Vec<usize>>,
    /// By account, role name and second; whether the principal is shown as well.
    by_role_second: HashMap<(bool, &'f str, &'f str, i64), Vec<usize>>,
    /// Bridges, which show neither key nor principal, by account and second.
    bridges: HashMap<(&'f str, i64), Vec<usize>>,
    by_sign_in_session: HashMap<&'f str, Vec<usize>>,
    /// Passwords by account and user name.
    passwords: HashMap<(&'f str, &'f str), Vec<usize>>,
    console_sessions: HashSet<&'f str>,
}

impl<'f> Index<'f> {
    /// Indexes the grants that issued something.
    pub fn new(grants: &'f [WholeGrant<'f>], console_sessions: HashSet<&'f str>) -> Index<'f> {
        let mut index = Index {
            grants,
            by_key: HashMap::new(),
            by_principal: HashMap::new(),
            by_principal_second: HashMap::new(),
            by_role_second: HashMap::new(),
            bridges: HashMap::new(),
            by_sign_in_session: HashMap::new(),
            passwords: HashMap::new(),
            console_sessions,
        };
        for (i, whole) in grants.iter().enumerate().filter(|(_, w)| !w.grant.denied) {
            index.add(i, whole.grant);
        }
        index
    }

    fn add(&mut self, i: usize, grant: &'f Grant) {
        let child = &grant.child;
        let account = child.account_id.as_deref().unwrap_or("");
        match (grant.join, child.user_name.as_deref()) {
            (Join::Password, Some(user)) => {
                self.passwords.entry((account, user)).or_default().push(i);
                return;
            }
            (Join::Password | Join::Nothing, _) => return,
            _ => {}
        }
        if let Some(arn) = grant.sign_in_session_arn.as_deref() {
            self.by_sign_in_session.entry(arn).or_default().push(i);
            return;
        }
        let second = grant.second();
        if let Some(key) = grant.issued_access_key_id.as_deref() {
            self.by_key.entry(key).or_default().push(i);
        }
        if let Some(principal) = child.principal_id.as_deref() {
            self.by_principal.entry(principal).or_default().push(i);
            self.by_principal_second.entry((principal, second)).or_default().push(i);
        }
        if let Some(role) = child.role_name.as_deref() {
            let place = (child.principal_id.is_some(), account, role, second);
            self.by_role_second.entry(place).or_default().push(i);
        }
        if matches!(grant.join, Join::IdentityCenter | Join::PodIdentity) {
            self.bridges.entry((account, second)).or_default().push(i);
        }
    }

    /// The candidates for one credential. `id` is its own: nothing starts itself.
    pub fn of(&self, id: &str, facts: &CredentialFacts) -> Candidates {
        if facts.session_id.is_none() || facts.claimed_only {
            return Candidates::default();
        }
        let mut ladder = Ladder::default();
        self.climb(&mut ladder, id, facts, self.with_key(facts));
        // Nothing is better than the key, so in a crowd of one second nobody else need be asked.
        if ladder.rungs[..=LAST_BY_KEY].iter().all(Vec::is_empty) {
            let others = self.without_key(facts).into_iter().filter(|i| !ladder.met.contains(i));
            let others = others.collect();
            self.climb(&mut ladder, id, facts, others);
        }
        let Ladder { mut rungs, mut refused, own_rung, .. } = ladder;
        let best = rungs.iter().position(|rung| !rung.is_empty());
        let mut found = best.map(|best| std::mem::take(&mut rungs[best])).unwrap_or_default();
        let switches = self.unconfirmed_switches(&found, &rungs[SWITCH]);
        found.extend(switches);
        if found.is_empty() && facts.signed_in {
            found = self.before_sign_in(id, facts, Join::SigninToken, "signin_token");
            if found.is_empty() {
                found = self.before_sign_in(id, facts, Join::Issued, CONSOLE_LOGIN);
            }
            found.extend(self.password_before(facts));
        }
        let takes_itself = match best {
            Some(best) => own_rung <= best,
            None => own_rung < usize::MAX && found.is_empty(),
        };
        if found.len() > 1 || takes_itself {
            for candidate in &mut found {
                candidate.strength = candidate.strength.min(Strength::Ambiguous);
            }
        }
        if !found.is_empty() {
            refused.clear();
        }
        let more =
            found.len().saturating_sub(MOST_RIVALS) + refused.len().saturating_sub(MOST_RIVALS);
        found.truncate(MOST_RIVALS);
        refused.truncate(MOST_RIVALS);
        let rung = best.unwrap_or(RUNGS);
        Candidates { found, refused, takes_itself, more, rung, contested: false }
    }

    /// Judges some grants.
    fn climb(&self, ladder: &mut Ladder, id: &str, facts: &CredentialFacts, grants: Vec<usize>) {
        for i in grants {
            ladder.met.insert(i);
            let grant = self.grants[i].grant;
            if grant.child.partition != facts.partition {
                continue; // Nothing leads from one partition into another.
            }
            let own = grant.obtained_by().credential_id == id;
            match self.judge(i, facts) {
                // What begins with its own sign-in does not take itself.
                _ if own && grant.join.goes_on_as_itself() => {}
                Verdict::Rung(rung, _) if own => ladder.own_rung = ladder.own_rung.min(rung),
                _ if own => {}
                Verdict::Rung(rung, candidate) => ladder.rungs[rung].push(candidate),
                Verdict::OtherKey(candidate) => ladder.refused.push(candidate),
                Verdict::No => {}
            }
        }
    }

    /// The console's records of switching to the session that name somebody else than those who are
    /// found by principal and second: their calls cannot be told from each other.
    fn unconfirmed_switches(&self, found: &[Candidate], bridges: &[Candidate]) -> Vec<Candidate> {
        let by_second = |c: &Candidate| is_by_second(c, self.grants);
        if found.is_empty() || !found.iter().all(by_second) {
            return Vec::new();
        }
        let grant = |c: &Candidate| self.grants[c.grant].grant;
        let confirmed =
            |switch: &Candidate| found.iter().any(|c| may_have_switched(grant(c), grant(switch)));
        let switches = bridges.iter().filter(|c| c.rule == CONSOLE_SWITCH);
        switches.filter(|switch| !confirmed(switch)).copied().collect()
    }

    /// Grants that issued the credential's key to its account: within a second of its creation, where
    /// the records tell it.
    fn with_key(&self, facts: &CredentialFacts) -> Vec<usize> {
        let key = facts.access_key_id.as_deref().unwrap_or("");
        let mut near = self.by_key.get(key).cloned().unwrap_or_default();
        let created = second_of(facts);
        near.retain(|i| {
            let grant = self.grants[*i].grant;
            let account = &grant.child.account_id;
            let in_time = match created {
                Some(second) => (second - grant.second()).abs() <= 1,
                None => facts
                    .first_event_at
                    .is_none_or(|first| grant.event_time.saturating_sub(first) <= USED_EARLY),
            };
            in_time && (account.is_none() || *account == facts.account_id)
        });
        near
    }

    /// Grants that may have issued something else than its key: within a second of its creation, or for
    /// the sign-in session that its calls name.
    fn without_key(&self, facts: &CredentialFacts) -> Vec<usize> {
        let seconds = second_of(facts).map(|created| created - 1..=created + 1);
        let account = facts.account_id.as_deref().unwrap_or("");
        let (principal, role) = (facts.principal_id.as_deref(), facts.role_name());
        let mut near: Vec<&Vec<usize>> = Vec::new();
        for second in seconds.into_iter().flatten() {
            near.extend(principal.and_then(|id| self.by_principal_second.get(&(id, second))));
            // A grant that shows another principal is another's.
            let shown: &[bool] = if principal.is_some() { &[false] } else { &[false, true] };
            let places = shown.iter().filter_map(|shown| Some((*shown, account, role?, second)));
            near.extend(places.filter_map(|place| self.by_role_second.get(&place)));
            let places = [(account, second), ("", second)];
            near.extend(places.iter().filter_map(|place| self.bridges.get(place)));
        }
        let arn = facts.sign_in_session_arn.as_deref();
        let named = arn.and_then(|arn| self.by_sign_in_session.get(arn)).into_iter().flatten();
        // Of a session without date, its first call tells the time.
        let first = facts.first_event_at.filter(|_| facts.lacks_date());
        let began = facts.created.or(first).map(|micros| micros.div_euclid(time::SECOND));
        let in_time = |i: &&usize| {
            let apart = began.map(|began| (self.grants[**i].grant.second() - began).abs());
            apart.is_some_and(|apart| apart <= SIGN_IN_SESSION)
        };
        let named = named.filter(in_time);
        let mut near: Vec<usize> = near.into_iter().flatten().chain(named).copied().collect();
        near.retain(|i| {
            let account = &self.grants[*i].grant.child.account_id;
            account.is_none() || *account == facts.account_id
        });
        near.sort_unstable();
        near.dedup();
        near
    }

    fn judge(&self, i: usize, facts: &CredentialFacts) -> Verdict {
        let grant = self.grants[i].grant;
        let off = second_of(facts).map_or(0, |s| (s - grant.second()).abs());
        // A forwarded call shows principal and second of the session, and a key that nobody issued.
        // The console itself shows as `AWS Internal` and is no other service.
        let forwarded = facts.is_forwarded()
            && facts.access_key_id.is_some()
            && facts.invoked_by.as_deref() != Some("AWS Internal");
        let by_second = if forwarded { FORWARDED } else { CREATION_TIME };
        let at = |rung, rule, strength| Verdict::Rung(rung, Candidate { grant: i, rule, strength });
        match grant.join {
            Join::Issued if !same_kind(grant, facts) => Verdict::No,
            Join::Issued if self.key_fits(grant, facts) => {
                at(usize::from(off > 0), ACCESS_KEY, Strength::Exact)
            }
            Join::Issued if second_of(facts).is_none() || !same_principal(grant, facts) => {
                Verdict::No
            }
            Join::Issued if refutes(grant, facts) => Verdict::No,
            Join::Issued => match self.keys_decide(grant, facts) {
                Keys::Differ => Verdict::OtherKey(Candidate {
                    grant: i,
                    rule: CREATION_TIME,
                    strength: Strength::None,
                }),
                // Nobody has published this record: without the key it is no proof.
                Keys::Silent if grant.kind == roles_anywhere::NAME => {
                    at(3 + usize::from(off > 0), by_second, Strength::Inferred)
                }
                Keys::Silent if off == 0 => at(3, by_second, Strength::Exact),
                // A sign-in begins a session of its own; the grant's is another one.
                _ if signs_in_after(grant, facts) => at(4, CONSOLE_LOGIN, Strength::Inferred),
                _ => at(3 + usize::from(off > 0), by_second, Strength::Inferred),
            },
            Join::SignIn if !same_kind(grant, facts) || !same_principal(grant, facts) => {
                Verdict::No
            }
            // A role signs in with credentials that something else issued; what the console calls after
            // that belongs to the sign-in.
            Join::SignIn if grant.child.identity_type == "AssumedRole" && off == 0 => {
                at(6, CONSOLE_LOGIN, Strength::Inferred)
            }
            Join::SignIn if grant.child.identity_type == "AssumedRole" => Verdict::No,
            Join::SignIn if off == 0 && forwarded => at(3, FORWARDED, Strength::Exact),
            Join::SignIn if off == 0 => at(3, CONSOLE_LOGIN, Strength::Exact),
            Join::SignIn => at(4, CONSOLE_LOGIN, Strength::Inferred),
            Join::SignInSession if same_kind(grant, facts) && same_principal(grant, facts) => {
                at(2, "sign_in_session", Strength::Exact)
            }
            Join::Switch if same_principal(grant, facts) => {
                at(SWITCH, CONSOLE_SWITCH, Strength::Inferred)
            }
            Join::IdentityCenter if fits_identity_center(grant, facts) => {
                at(5, "identity_center", Strength::Inferred)
            }
            Join::PodIdentity if fits_pod(grant, facts) => at(5, POD_IDENTITY, Strength::Inferred),
            Join::LongTermKey if fits_long_term_key(grant, facts) => {
                at(0, ACCESS_KEY, Strength::Exact)
            }
            Join::Switch
            | Join::SigninToken
            | Join::SignInSession
            | Join::IdentityCenter
            | Join::PodIdentity
            | Join::LongTermKey
            | Join::Password
            | Join::Nothing => Verdict::No,
        }
    }

    /// Whether the issued key is the used one. Keys repeat where logs were rewritten: one that several
    /// calls issued counts only together with the role.
    fn key_fits(&self, grant: &Grant, facts: &CredentialFacts) -> bool {
        let only_issue = || {
            let key = grant.issued_access_key_id.as_deref().unwrap_or("");
            let all = self.by_key.get(key).into_iter().flatten().map(|i| self.grants[*i].grant);
            let near = |other: &&Grant| {
                let apart = (other.second() - grant.second()).abs();
                let counts = facts.created.is_none() || apart <= REWRITTEN_WITHIN;
                other.join == Join::Issued && counts
            };
            all.filter(near).count() == 1
        };
        same_key(grant, facts) && role_agrees(grant, facts).unwrap_or_else(only_issue)
    }

    /// Whether keys say anything about a grant whose principal and second fit.
    fn keys_decide(&self, grant: &Grant, facts: &CredentialFacts) -> Keys {
        if facts.access_key_id.is_none() || facts.from_console || facts.is_forwarded() {
            return Keys::Silent;
        }
        if grant.issued_access_key_id.is_none() {
            // One key was issued, and nothing tells whether it is this one.
            return Keys::Doubtful;
        }
        // The console marks only part of its calls: that the session is a console session is known
        // from other records, that this key belongs to it is not.
        let session = facts.session_id.as_deref().unwrap_or("");
        if grant.console_made || self.console_sessions.contains(session) {
            return Keys::Doubtful;
        }
        Keys::Differ
    }

    /// A role session that signed in to the console under a new creation date: its credentials were
    /// handed out shortly before, or taken to the console by a session of the same principal.
    fn before_sign_in(
        &self,
        id: &str,
        facts: &CredentialFacts,
        join: Join,
        rule: &'static str,
    ) -> Vec<Candidate> {
        let role = matches!(facts.identity_type.as_deref(), Some("AssumedRole" | "FederatedUser"));
        let (Some(second), Some(principal), true) =
            (second_of(facts), facts.principal_id.as_deref(), role)
        else {
            return Vec::new();
        };
        let same_principal = self.by_principal.get(principal).into_iter().flatten();
        same_principal
            .filter(|i| {
                let grant = self.grants[**i].grant;
                let before = second - grant.second();
                grant.join == join
                    && grant.obtained_by().credential_id != id
                    && same_kind(grant, facts)
                    && grant.child.partition == facts.partition
                    && grant.child.account_id == facts.account_id
                    && (0..=SIGN_IN_WINDOW).contains(&before)
                    && !refutes(grant, facts)
            })
            .map(|i| Candidate { grant: *i, rule, strength: Strength::Inferred })
            .collect()
    }

    /// The last password that was set for a user before a sign-in. Which password was typed, no record
    /// tells; an older one cannot have been.
    fn password_before(&self, facts: &CredentialFacts) -> Option<Candidate> {
        let second = second_of(facts)?;
        if facts.identity_type.as_deref() != Some("IAMUser") {
            return None;
        }
        let place = (facts.account_id.as_deref()?, facts.iam_user_name()?);
        let set = self.passwords.get(&place)?.iter().copied();
        let grant = set
            .filter(|i| self.grants[*i].grant.second() <= second)
            .max_by_key(|i| (self.grants[*i].grant.event_time, *i))?;
        Some(Candidate { grant, rule: LOGIN_PROFILE, strength: Strength::Inferred })
    }
}

/// Whether principal and second join a credential to what was issued, so that a grant which is missing
/// could have issued it as well.
pub(super) fn is_by_second(candidate: &Candidate, grants: &[WholeGrant]) -> bool {
    [CREATION_TIME, FORWARDED].contains(&candidate.rule)
        || (candidate.rule == CONSOLE_LOGIN && grants[candidate.grant].grant.join == Join::Issued)
}

/// What was found on each rung.
struct Ladder {
    rungs: [Vec<Candidate>; RUNGS],
    refused: Vec<Candidate>,
    /// The best rung of its own calls.
    own_rung: usize,
    met: HashSet<usize>,
}

impl Default for Ladder {
    fn default() -> Ladder {
        Ladder {
            rungs: Default::default(),
            refused: Vec::new(),
            own_rung: usize::MAX,
            met: HashSet::new(),
        }
    }
}

enum Verdict {
    Rung(usize, Candidate),
    OtherKey(Candidate),
    No,
}

enum Keys {
    /// They cannot contradict.
    Silent,
    /// They differ, as they do in console sessions, and this is one; or the grant does not show its own.
    Doubtful,
    /// They differ, so the credentials are others.
    Differ,
}
