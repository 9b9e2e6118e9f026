//! What the linking of one stretch of time takes from outside of it: who is behind a caller whose
//! session began earlier, and what holds for the whole of the logs.
//!
//! Whatever is taken can be told as a [`Question`], so that a stretch is linked again when an answer has
//! changed, and only then.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::facts::CredentialFacts;
use super::link::{Linked, LinkedCredential};
use super::names::Names;
use super::origin::{Bearer, Origin};
use super::packed::{pack, unpack};
use super::properties::{Properties, Tags};
use crate::error::Result;
use crate::grants::Caller;
use crate::model::strength::Strength;

/// Something that is asked outside.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Question<'q> {
    /// Who is behind this credential?
    Answer(&'q str),
    /// What is the ARN of this user? Account and principal id.
    UserArn(&'q str, &'q str),
    /// How many users bore this ARN?
    Bearers(&'q str),
    /// Which sessions of this principal are there? Account and principal id.
    SessionsOf(&'q str, &'q str),
    /// Are the logs of this account there?
    HasLogs(&'q str),
    /// Which programs were signed in by this sign-in session? Its ARN.
    SignInSession(&'q str),
    /// What is the name of this Identity Center user?
    IdentityCenterUser(&'q str),
    /// Is there anybody of this name?
    Person(&'q str),
    /// Which is the one key of this long-term session?
    OnlyKeyOf(&'q str),
    /// Which passwords were set for this user? Account and user name.
    Passwords(&'q str, &'q str),
    /// Who uses this long-term key, and who issued it?
    Key(&'q str),
}

impl Question<'_> {
    /// A number that stands for the question. Two questions with one number would only make work.
    pub fn number(self) -> u64 {
        xxh3_64(&serde_json::to_vec(&self).unwrap_or_default())
    }
}

/// Who is behind a credential that is linked elsewhere, as far as those whom it obtained
/// credentials for need to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What identifies it.
    facts: Box<CredentialFacts>,
    /// When it could be used; not told of those who have no end.
    life: Option<Life>,
    origin_type: String,
    origin: Option<String>,
    account_id: Option<String>,
    detail: Option<String>,
    depth: Option<u32>,
    chain: Vec<String>,
    chain_strength: Strength,
    unresolved_reason: Option<String>,
    /// Id, who vouches for it, and whether several bear the name.
    bearer: Option<(Option<String>, Option<String>, bool)>,
    transitive_tags: Option<String>,
    source_identity: Option<String>,
    source_identity_session_id: Option<String>,
}

/// When a credential was used, and when it ends; microseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Life {
    /// First call.
    pub first_event_at: Option<i64>,
    /// Last call.
    pub last_event_at: Option<i64>,
    /// Expiry, as far as the logs tell.
    pub expires_at: Option<i64>,
}

impl Answer {
    /// What is to be told of a linked credential.
    pub fn of(credential: &LinkedCredential, life: Option<Life>) -> Answer {
        let LinkedCredential { facts, origin, properties, .. } = credential;
        let tags = properties.transitive_tags.as_deref();
        Answer {
            facts: Box::new(identifying(facts)),
            life,
            origin_type: origin.origin_type.clone(),
            origin: origin.origin.clone(),
            account_id: origin.account_id.clone(),
            detail: origin.detail.clone(),
            depth: origin.depth,
            chain: origin.chain.iter().map(ToString::to_string).collect(),
            chain_strength: origin.chain_strength,
            unresolved_reason: origin.unresolved_reason.as_deref().map(str::to_owned),
            bearer: origin
                .bearer
                .as_deref()
                .map(|bearer| (bearer.id.clone(), bearer.vouched_by.clone(), bearer.name_shared)),
            transitive_tags: tags.and_then(|tags| serde_json::to_string(tags).ok()),
            source_identity: properties.source_identity.as_deref().map(str::to_owned),
            source_identity_session_id: properties
                .source_identity_session_id
                .as_deref()
                .map(str::to_owned),
        }
    }

    /// What can be told of a caller before it is linked.
    pub(super) fn unlinked(caller: &Caller) -> Answer {
        let facts = CredentialFacts {
            session_id: caller.session_id.clone(),
            identity_type: caller.identity_type.clone(),
            created: caller.created,
            ..CredentialFacts::default()
        };
        Answer { facts: Box::new(facts), ..Answer::nobody() }
    }

    /// What is said where nothing is known.
    pub fn nobody() -> Answer {
        let origin = Origin::unknown("parent_unresolved", None);
        Answer {
            facts: Box::default(),
            life: None,
            origin_type: origin.origin_type,
            origin: None,
            account_id: None,
            detail: None,
            depth: None,
            chain: Vec::new(),
            chain_strength: Strength::None,
            unresolved_reason: origin.unresolved_reason.map(Cow::into_owned),
            bearer: None,
            transitive_tags: None,
            source_identity: None,
            source_identity_session_id: None,
        }
    }

    /// What stands for the credential itself where it is linked elsewhere.
    pub(super) fn facts(&self) -> CredentialFacts {
        let mut facts = CredentialFacts::clone(&self.facts);
        let life = self.life.unwrap_or_default();
        (facts.first_event_at, facts.last_event_at) = (life.first_event_at, life.last_event_at);
        facts
    }

    pub(super) fn expires_at(&self) -> Option<i64> {
        self.life?.expires_at
    }

    /// Account and principal.
    pub fn principal(&self) -> Option<(&str, &str)> {
        self.facts.account_id.as_deref().zip(self.facts.principal_id.as_deref())
    }

    /// Whether it says the same of who is behind the credential.
    pub fn says_same(&self, other: &Answer) -> bool {
        let now = Answer { life: other.life, ..self.clone() };
        now == *other
    }

    /// Whether it says the same of when the credential could be used.
    pub fn lives_alike(&self, other: &Answer) -> bool {
        self.life == other.life
    }

    pub(super) fn origin(&self) -> Origin {
        let bearer = self.bearer.clone();
        let bearer =
            bearer.map(|(id, vouched_by, name_shared)| Bearer { id, vouched_by, name_shared });
        Origin {
            bearer: bearer.map(Arc::new),
            origin_type: self.origin_type.clone(),
            origin: self.origin.clone(),
            account_id: self.account_id.clone(),
            detail: self.detail.clone(),
            depth: self.depth,
            chain: self.chain.iter().map(|label| Arc::from(label.as_str())).collect(),
            link_rule: None,
            link_strength: self.chain_strength,
            chain_strength: self.chain_strength,
            unresolved_reason: self.unresolved_reason.clone().map(Cow::Owned),
            parent: None,
            grant: None,
        }
    }

    pub(super) fn properties(&self) -> Properties {
        let tags = |text: &String| serde_json::from_str::<Tags>(text).ok();
        Properties {
            transitive_tags: self.transitive_tags.as_ref().and_then(tags).map(Arc::new),
            source_identity: self.source_identity.as_deref().map(Arc::from),
            source_identity_session_id: self.source_identity_session_id.as_deref().map(Arc::from),
            ..Properties::default()
        }
    }
}

/// What tells a credential from others, and what it acts as.
fn identifying(facts: &CredentialFacts) -> CredentialFacts {
    CredentialFacts {
        session_id: facts.session_id.clone(),
        partition: facts.partition.clone(),
        identity_type: facts.identity_type.clone(),
        principal_id: facts.principal_id.clone(),
        principal_arn: facts.principal_arn.clone(),
        account_id: facts.account_id.clone(),
        access_key_id: facts.access_key_id.clone(),
        issuer_type: facts.issuer_type.clone(),
        issuer_arn: facts.issuer_arn.clone(),
        issuer_principal_id: facts.issuer_principal_id.clone(),
        issuer_account_id: facts.issuer_account_id.clone(),
        issuer_user_name: facts.issuer_user_name.clone(),
        created: facts.created,
        ..CredentialFacts::default()
    }
}

/// What is told of callers without creation date: they belong to no stretch of time. There are very many,
/// and a stretch asks for few of them, so they are held as bytes.
#[derive(Debug, Default)]
pub struct Undated {
    answers: HashMap<Box<str>, PackedAnswer>,
    /// Credentials with calls of their own, by long-term session.
    keys: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug)]
struct PackedAnswer {
    /// Stands for the answer.
    number: u64,
    bytes: Box<[u8]>,
    /// What the bytes say, once that was asked.
    answer: OnceLock<Box<Answer>>,
}

impl PackedAnswer {
    fn of(answer: &Answer) -> Result<PackedAnswer> {
        let bytes = pack(answer)?.into_boxed_slice();
        Ok(PackedAnswer { number: xxh3_64(&bytes), bytes, answer: OnceLock::new() })
    }

    fn answer(&self) -> &Answer {
        self.answer.get_or_init(|| Box::new(self.read()))
    }

    fn read(&self) -> Answer {
        // Bytes of ours can be read; if ever not, nobody is named.
        unpack(&self.bytes).unwrap_or_else(|_| Answer::nobody())
    }
}

impl Undated {
    /// Adds what the linking of [`super::link::Scope::Undated`] says.
    ///
    /// # Errors
    /// The encoder's: a defect of ours.
    pub fn add(&mut self, linked: &Linked) -> Result<()> {
        for credential in linked.credentials.iter().filter(|c| c.home) {
            let user = credential.facts.identity_type.as_deref() == Some("IAMUser");
            let session = credential.facts.session_id.as_ref();
            if let Some(session) = session.filter(|_| user && credential.facts.events > 0) {
                let keys = self.keys.entry(session.clone()).or_default();
                keys.insert(credential.id.to_string());
            }
            let answer = PackedAnswer::of(&Answer::of(credential, None))?;
            self.answers.insert(credential.id.as_ref().into(), answer);
        }
        Ok(())
    }

    /// Adds what the linking of other callers says.
    pub fn merge(&mut self, others: Undated) {
        self.answers.extend(others.answers);
        for (session, keys) in others.keys {
            self.keys.entry(session).or_default().extend(keys);
        }
    }

    /// Keeps no more than the bytes of what was asked.
    pub fn forget_asked(&mut self) {
        self.answers.values_mut().for_each(|packed| _ = packed.answer.take());
    }

    fn answer(&self, credential_id: &str) -> Option<&Answer> {
        self.answers.get(credential_id).map(PackedAnswer::answer)
    }

    /// What is told of a caller; keeps nothing of it but the bytes that are there.
    pub fn told(&self, credential_id: &str) -> Option<Answer> {
        let packed = self.answers.get(credential_id)?;
        Some(packed.read())
    }

    /// What is told of each, as numbers of question and answer.
    pub fn by_number(&self) -> BTreeMap<u64, u64> {
        let mut all = BTreeMap::new();
        for (id, answer) in &self.answers {
            add_answer(&mut all, Question::Answer(id), answer.number);
        }
        all
    }
}

/// Everything outside of a stretch of time.
#[derive(Debug, Clone, Copy)]
pub struct Outside<'o> {
    /// Names that hold everywhere.
    pub names: &'o Names,
    /// Callers without creation date.
    pub undated: &'o Undated,
    /// Callers whose sessions began in an earlier stretch, by credential id.
    pub earlier: &'o HashMap<String, Answer>,
}

impl<'o> Outside<'o> {
    pub(super) fn answer(&self, credential_id: &str) -> Option<&'o Answer> {
        self.earlier.get(credential_id).or_else(|| self.undated.answer(credential_id))
    }

    /// The one key that a user's own long-term calls show.
    pub(super) fn only_key(&self, session_id: &str) -> Option<&'o str> {
        only(self.undated.keys.get(session_id)?)
    }
}

fn only(keys: &BTreeSet<String>) -> Option<&str> {
    keys.first().filter(|_| keys.len() == 1).map(String::as_str)
}

/// All answers that hold everywhere, as numbers of question and answer: what differs between two states
/// has changed.
pub fn answers_by_number(names: &Names, undated: &Undated) -> BTreeMap<u64, u64> {
    let mut all = undated.by_number();
    names.each_answer(|question, answer| {
        add_answer(&mut all, question, xxh3_64(answer.as_bytes()));
    });
    for (session, keys) in &undated.keys {
        // A third key changes nothing: which of two it was is not known either.
        add_answer(&mut all, Question::OnlyKeyOf(session), number_of(&only(keys)));
    }
    all
}

/// Adds an answer. Of two questions with one number, each changes what stands there.
pub fn add_answer(all: &mut BTreeMap<u64, u64>, question: Question, answer: u64) {
    let known = all.entry(question.number()).or_default();
    *known = known.wrapping_add(answer);
}

/// A number that stands for an answer.
pub fn number_of<T: Serialize>(answer: &T) -> u64 {
    xxh3_64(&serde_json::to_vec(answer).unwrap_or_default())
}
