//! What linking needs to know of the events, condensed: one entry a credential, a grant, a call
//! that two accounts recorded. Facts of different files merge in any order to the same result, and
//! they can be kept between ingests, so that old events need not be read again.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::by_record::is_far;
pub use super::credential_facts::CredentialFacts;
use super::credential_facts::{keep_smaller, merge_identity};
use super::names::Names;
use super::values::Texts;
use crate::decode::{Event, Identity};
use crate::grants::Grant;
use crate::model::arn::Arn;
use crate::model::short_ids;

/// One copy of a call that several accounts recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SharedCall {
    /// Empty for an owner's copy that shows none.
    #[serde(with = "short_ids")]
    pub shared_event_id: String,
    /// Not encoded: it is the key that encoded calls are kept under.
    #[serde(skip)]
    pub event_id: String,
    /// Tells two contents under one event id apart.
    pub record_hash: u64,
    pub event_time: i64,
    pub event_name: String,
    /// Whether this copy names the caller only as a principal of another account.
    pub names_account_only: bool,
    pub principal_id: Option<String>,
    #[serde(with = "short_ids")]
    pub credential_id: String,
}

/// An event id, and the content under it: one id can stand over two.
pub type RecordId<'f> = (&'f str, u64);

impl SharedCall {
    /// Which record it is.
    pub fn record(&self) -> RecordId<'_> {
        (&self.event_id, self.record_hash)
    }
}

/// Everything that linking works on.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By credential id.
    pub credentials: HashMap<String, Box<CredentialFacts>>,
    /// By event id and content, so that two contents under one id stay apart.
    pub grants: BTreeMap<(String, u64), Box<Grant>>,
    /// Copies of calls that several accounts recorded.
    pub shared_calls: BTreeSet<SharedCall>,
    /// Callers that a grant names and that may have no record of their own, by credential id: the
    /// previous principal of a role switch, the holder of a certificate, an identity of a pool.
    pub mentioned: BTreeMap<String, Box<CredentialFacts>>,
    /// Names that any record may need.
    pub names: Names,
    /// Texts that the credentials' sets have in common.
    texts: Texts,
}

impl Facts {
    /// Adds the facts of other events.
    pub fn merge(&mut self, mut other: Facts) {
        if other.credentials.len() > self.credentials.len() {
            std::mem::swap(self, &mut other); // the result is the same, the work is less
        }
        for (id, facts) in other.credentials {
            self.put(id, facts);
        }
        for (id, grant) in other.grants {
            self.add_grant(id, grant);
        }
        self.shared_calls.extend(other.shared_calls);
        for (id, facts) in other.mentioned {
            self.mention(id, facts);
        }
        self.names.merge(other.names);
    }

    /// Adds a caller that a grant names.
    pub fn mention(&mut self, id: String, facts: Box<CredentialFacts>) {
        match self.mentioned.entry(id) {
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                entry.get_mut().merge(*facts)
            }
            std::collections::btree_map::Entry::Vacant(entry) => _ = entry.insert(facts),
        }
    }

    /// Notes who obtained credentials by a call that was observed before.
    pub fn note_obtainer(&mut self, grant: &Grant) {
        let caller = grant.obtained_by();
        if let Some(facts) = self.credentials.get_mut(caller.credential_id.as_str()) {
            facts.obtains = true;
            return;
        }
        let facts = CredentialFacts {
            identity_type: caller.identity_type.clone(),
            principal_arn: caller.arn.clone(),
            account_id: caller.account_id.clone(),
            user_name: caller.user_name.clone(),
            identity_provider: caller.identity_provider.clone(),
            on_behalf_of_user_id: caller.on_behalf_of_user_id.clone(),
            vouched_by: caller.vouched_by.clone(),
            invoked_by: caller.invoked_by.clone(),
            ..CredentialFacts::default()
        };
        self.mention(caller.credential_id.clone(), Box::new(facts));
    }

    fn put(&mut self, id: String, facts: Box<CredentialFacts>) {
        match self.credentials.entry(id) {
            hashbrown::hash_map::Entry::Occupied(mut entry) => entry.get_mut().merge(*facts),
            hashbrown::hash_map::Entry::Vacant(entry) => _ = entry.insert(facts),
        }
    }

    /// Adds what some events say of a credential.
    pub fn add_credential(&mut self, id: String, mut facts: Box<CredentialFacts>) {
        let sets = [
            &mut facts.source_ip_addresses,
            &mut facts.user_agents,
            &mut facts.aws_regions,
            &mut facts.event_sources,
        ];
        sets.into_iter().for_each(|set| set.share(&mut self.texts));
        self.put(id, facts);
    }

    /// Adds a grant. The same event may stand in several files; the first by name is its evidence.
    pub fn add_grant(&mut self, id: (String, u64), grant: Box<Grant>) {
        match self.grants.entry(id) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(grant);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                if grant.comes_before(entry.get()) {
                    entry.insert(grant);
                }
            }
        }
    }

    /// Whether there is a grant of this event, whatever its content.
    pub fn has_grant(&self, event_id: &str) -> bool {
        let from = (event_id.to_owned(), 0);
        self.grants.range(from..).next().is_some_and(|((id, _), _)| id == event_id)
    }

    /// Counts events, which must not have been counted before, of one identity and credential.
    pub fn observe<'e>(&mut self, mut events: impl Iterator<Item = Observed<'e>>) {
        let Some(first) = events.next() else { return };
        let (identity, sign_in) = (first.identity, first.signs_in);
        let of_event = || {
            let partition = crate::decode::actor::partition(&identity.columns, first.aws_region);
            let mut facts = CredentialFacts::of_identity(identity, partition);
            facts.session_id = first.session_id.map(str::to_owned);
            Box::new(facts)
        };
        let claimed_only = sign_in && first.session_id.is_none();
        let facts = match self.credentials.entry_ref(first.credential_id) {
            hashbrown::hash_map::EntryRef::Occupied(entry) => {
                let facts = entry.into_mut();
                if !facts.is_named_as(identity) {
                    self.names.learn(&of_event(), claimed_only);
                }
                facts
            }
            hashbrown::hash_map::EntryRef::Vacant(entry) => {
                let facts = of_event();
                self.names.learn(&facts, claimed_only);
                entry.insert_entry(facts).into_mut()
            }
        };
        facts.claimed_only |= claimed_only;
        // One credential can show different identities: a forwarded call, a session tag.
        if facts.in_scope_of != identity.in_scope_of {
            keep_smaller(&mut facts.in_scope_of, identity.in_scope_of.clone());
        }
        if facts.web_identity != identity.web_identity {
            keep_smaller(&mut facts.web_identity, identity.web_identity.clone());
        }
        merge_identity(facts, identity);
        let (mut before, mut latest) = (None, first.event_time);
        for event in std::iter::once(first).chain(events) {
            facts.count(&event, before.as_ref(), &mut self.texts);
            latest = latest.max(event.event_time);
            before = Some(event);
        }
        learn_user(&mut self.names, identity, latest);
    }
}

impl CredentialFacts {
    /// Counts one event; what it has in common with the one before needs no second look.
    fn count(&mut self, event: &Observed, before: Option<&Observed>, texts: &mut Texts) {
        if event.signs_in && event.session_id.is_some() {
            self.signed_in = true;
            self.created = self.created.or(Some(event.event_time));
        }
        self.from_console |= event.from_console || self.signed_in;
        self.from_console |= event.event_type == Some("AwsConsoleAction");
        keep_smaller(&mut self.first_event_at, Some(event.event_time));
        self.last_event_at = self.last_event_at.max(Some(event.event_time));
        let forwarded = event.identity.columns.invoked_by.is_some();
        if !event.failed && !forwarded {
            self.last_success_at = self.last_success_at.max(Some(event.event_time));
            self.went_far = self.went_far || is_far(event.event_source);
        }
        self.events += 1;
        self.writes += u64::from(event.read_only == Some(false));
        self.errors += u64::from(event.failed);
        self.forwarded += u64::from(forwarded);
        self.delegated += u64::from(event.identity.delegate_account_id.is_some());
        let new = |of: for<'o> fn(&Observed<'o>) -> Option<&'o str>| {
            let value = of(event)?;
            let same = before.is_some_and(|before| of(before) == Some(value));
            (!same).then_some(value)
        };
        if let Some(address) = new(|event| event.source_ip_address) {
            self.source_ip_addresses.add(address, texts);
        }
        if let Some(agent) = new(|event| event.user_agent) {
            self.user_agents.add(agent, texts);
        }
        if let Some(region) = new(|event| Some(event.aws_region)).filter(|name| !name.is_empty()) {
            self.aws_regions.add(region, texts);
        }
        if let Some(source) = new(|event| Some(event.event_source)) {
            self.at_sign_in_service |= source.starts_with("signin.amazonaws.com");
            self.event_sources.add(source, texts);
        }
    }
}

/// Learns what the IAM user behind an event is called.
fn learn_user(names: &mut Names, identity: &Identity, at: i64) {
    let shown = &identity.columns;
    let (kind, id, arn, account) = match shown.identity_type.as_deref() {
        Some("FederatedUser") => (
            shown.session_issuer_type.as_deref(),
            &shown.session_issuer_principal_id,
            &shown.session_issuer_arn,
            &shown.session_issuer_account_id,
        ),
        kind => (kind, &shown.principal_id, &shown.principal_arn, &shown.account_id),
    };
    if let (Some("IAMUser"), Some(id), Some(arn), Some(account)) = (kind, id, arn, account)
        && Arn::parse(arn).is_some_and(|arn| arn.account == account && arn.user_name().is_some())
    {
        names.learn_user(account, id, arn, Some(at));
    }
}

/// What [`Facts::observe`] looks at in one event.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Observed<'e> {
    pub identity: &'e Identity,
    pub session_id: Option<&'e str>,
    pub credential_id: &'e str,
    pub event_time: i64,
    pub event_source: &'e str,
    /// See [`crate::decode::Actor::signs_in`].
    pub signs_in: bool,
    pub event_type: Option<&'e str>,
    pub aws_region: &'e str,
    pub read_only: Option<bool>,
    pub failed: bool,
    pub from_console: bool,
    pub source_ip_address: Option<&'e str>,
    pub user_agent: Option<&'e str>,
}

impl<'e> Observed<'e> {
    /// The view of one decoded event.
    pub fn of(event: &'e Event<'_>) -> Observed<'e> {
        Observed {
            identity: &event.identity,
            session_id: event.actor.session_id.as_deref(),
            credential_id: &event.actor.credential_id,
            event_time: event.event_time,
            event_source: &event.event_source,
            signs_in: event.actor.signs_in,
            event_type: event.event_type.as_deref(),
            aws_region: event.aws_region.as_deref().unwrap_or(""),
            read_only: event.read_only,
            failed: event.error_code.is_some() || event.error_message.is_some(),
            from_console: event.from_console == Some(true),
            source_ip_address: event.source_ip_address.as_deref(),
            user_agent: event.user_agent.as_deref(),
        }
    }
}

/// The copy of a shared call that an event is, if it is one whose caller matters: services share
/// almost every call with accounts of AWS, which nobody's logs show.
pub fn shared_call(event: &Event) -> Option<SharedCall> {
    let identity = &event.identity.columns;
    let names_account_only = match identity.identity_type.as_deref()? {
        "AWSAccount" => true,
        "AWSService" => return None,
        _ => false,
    };
    let shared_event_id = event.shared_event_id.as_deref();
    // Of an owner's copy without one the caller can still be looked for.
    let shared_event_id = shared_event_id.or(names_account_only.then_some(""))?.to_owned();
    Some(SharedCall {
        shared_event_id,
        event_id: event.event_id.to_string(),
        record_hash: event.record_hash,
        event_time: event.event_time,
        event_name: event.event_name.to_string(),
        names_account_only,
        principal_id: identity.principal_id.clone(),
        credential_id: event.actor.credential_id.to_string(),
    })
}
