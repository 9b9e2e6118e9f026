//! What linking needs to know of the events, condensed: one entry a credential, a grant, a call
//! that two accounts recorded. Facts of different files merge in any order to the same result, and
//! they can be kept between ingests, so that old events need not be read again.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::names::Names;
use super::values::{SmallestValues, Texts};
use crate::decode::{Event, Identity};
use crate::grants::Grant;
use crate::model::{arn, time};

/// What the records say of one credential. Times are microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the identity fields are those of userIdentity
pub struct CredentialFacts {
    pub session_id: Option<String>,
    pub partition: String,
    pub identity_type: Option<String>,
    pub principal_id: Option<String>,
    pub principal_arn: Option<String>,
    pub account_id: Option<String>,
    pub access_key_id: Option<String>,
    pub user_name: Option<String>,
    pub invoked_by: Option<String>,
    pub identity_provider: Option<String>,
    pub on_behalf_of_user_id: Option<String>,
    /// Who vouches for the name: the identity store of a user's id, the trust anchor of a certificate.
    pub vouched_by: Option<String>,
    pub issuer_type: Option<String>,
    pub issuer_arn: Option<String>,
    pub issuer_principal_id: Option<String>,
    pub issuer_account_id: Option<String>,
    pub issuer_user_name: Option<String>,
    pub created: Option<i64>,
    pub mfa_authenticated: Option<bool>,
    pub source_identity: Option<String>,
    pub ec2_role_delivery: Option<String>,
    pub in_scope_of: Option<(String, String)>,
    /// Provider and subject of the OIDC token behind it.
    pub web_identity: Option<(String, String)>,
    /// Account of the product provider that acts with it by delegated access.
    pub delegate_account_id: Option<String>,
    /// `signInSessionArn`: the sign-in session behind it.
    pub sign_in_session_arn: Option<String>,
    /// The record says that it is an AssumeRoot session.
    pub assumed_root: bool,
    /// Some record proves that it comes from the console.
    pub from_console: bool,
    /// A sign-in event stands at its start.
    pub signed_in: bool,
    /// It called the sign-in service, which takes credentials to the console or signs programs in.
    pub at_sign_in_service: bool,
    /// It asked for credentials: others may come of it.
    pub obtains: bool,
    /// Only a failed sign-in names the principal: nobody has proven to be it.
    pub claimed_only: bool,
    pub first_event_at: Option<i64>,
    pub last_event_at: Option<i64>,
    /// The last call that succeeded, and that no service made on the caller's behalf.
    pub last_success_at: Option<i64>,
    pub events: u64,
    pub writes: u64,
    pub errors: u64,
    /// Events among them that a service made on the caller's behalf.
    pub forwarded: u64,
    /// Events among them that a product provider made by delegated access.
    pub delegated: u64,
    pub source_ip_addresses: SmallestValues,
    pub user_agents: SmallestValues,
    pub aws_regions: SmallestValues,
    pub event_sources: SmallestValues,
}

impl CredentialFacts {
    /// The facts of a credential before any of its events is counted.
    pub fn of_identity(identity: &Identity, partition: &str) -> CredentialFacts {
        let columns = identity.columns.clone();
        CredentialFacts {
            partition: partition.to_owned(),
            identity_type: columns.identity_type,
            principal_id: columns.principal_id,
            principal_arn: columns.principal_arn,
            account_id: columns.account_id,
            access_key_id: columns.access_key_id,
            user_name: columns.user_name,
            invoked_by: columns.invoked_by,
            identity_provider: columns.identity_provider,
            on_behalf_of_user_id: columns.on_behalf_of_user_id,
            vouched_by: columns.identity_store_arn,
            issuer_type: columns.session_issuer_type,
            issuer_arn: columns.session_issuer_arn,
            issuer_principal_id: columns.session_issuer_principal_id,
            issuer_account_id: columns.session_issuer_account_id,
            issuer_user_name: columns.session_issuer_user_name,
            created: columns.session_created_at,
            mfa_authenticated: columns.mfa_authenticated,
            source_identity: columns.source_identity,
            ec2_role_delivery: columns.ec2_role_delivery,
            sign_in_session_arn: columns.sign_in_session_arn,
            in_scope_of: identity.in_scope_of.clone(),
            web_identity: identity.web_identity.clone(),
            delegate_account_id: identity.delegate_account_id.clone(),
            assumed_root: columns.assumed_root == Some(true),
            ..CredentialFacts::default()
        }
    }

    /// Adds what other records say of the same credential. Where two records differ in a value,
    /// the smaller text wins, whichever came first.
    pub fn merge(&mut self, other: CredentialFacts) {
        let text = [
            (&mut self.session_id, other.session_id),
            (&mut self.identity_type, other.identity_type),
            (&mut self.principal_id, other.principal_id),
            (&mut self.principal_arn, other.principal_arn),
            (&mut self.account_id, other.account_id),
            (&mut self.access_key_id, other.access_key_id),
            (&mut self.user_name, other.user_name),
            (&mut self.invoked_by, other.invoked_by),
            (&mut self.identity_provider, other.identity_provider),
            (&mut self.on_behalf_of_user_id, other.on_behalf_of_user_id),
            (&mut self.vouched_by, other.vouched_by),
            (&mut self.issuer_type, other.issuer_type),
            (&mut self.issuer_arn, other.issuer_arn),
            (&mut self.issuer_principal_id, other.issuer_principal_id),
            (&mut self.issuer_account_id, other.issuer_account_id),
            (&mut self.issuer_user_name, other.issuer_user_name),
            (&mut self.source_identity, other.source_identity),
            (&mut self.ec2_role_delivery, other.ec2_role_delivery),
            (&mut self.delegate_account_id, other.delegate_account_id),
            (&mut self.sign_in_session_arn, other.sign_in_session_arn),
        ];
        for (mine, theirs) in text {
            keep_smaller(mine, theirs);
        }
        keep_smaller(&mut self.in_scope_of, other.in_scope_of);
        keep_smaller(&mut self.web_identity, other.web_identity);
        keep_smaller(&mut self.created, other.created);
        keep_smaller(&mut self.first_event_at, other.first_event_at);
        self.last_event_at = self.last_event_at.max(other.last_event_at);
        self.last_success_at = self.last_success_at.max(other.last_success_at);
        self.mfa_authenticated = self.mfa_authenticated.max(other.mfa_authenticated);
        self.partition = std::cmp::min(std::mem::take(&mut self.partition), other.partition);
        self.assumed_root |= other.assumed_root;
        self.from_console |= other.from_console;
        self.signed_in |= other.signed_in;
        self.at_sign_in_service |= other.at_sign_in_service;
        self.obtains |= other.obtains;
        self.claimed_only |= other.claimed_only;
        self.events += other.events;
        self.writes += other.writes;
        self.errors += other.errors;
        self.forwarded += other.forwarded;
        self.delegated += other.delegated;
        self.source_ip_addresses.merge(&other.source_ip_addresses);
        self.user_agents.merge(&other.user_agents);
        self.aws_regions.merge(&other.aws_regions);
        self.event_sources.merge(&other.event_sources);
    }

    /// The second in which its session began; `None` without session or creation date.
    pub fn second(&self) -> Option<i64> {
        self.session_id.as_ref()?;
        self.created.map(|micros| micros.div_euclid(time::SECOND))
    }

    /// Whether it is a key of a role session whose records do not show when it began. Such a session
    /// counts as one of the time of its first call.
    pub fn lacks_date(&self) -> bool {
        let long_term = matches!(self.identity_type.as_deref(), Some("IAMUser" | "Root"));
        self.session_id.is_some() && self.created.is_none() && !long_term
    }

    /// The role's name: from the issuer, else from the assumed-role ARN.
    pub fn role_name(&self) -> Option<&str> {
        if self.identity_type.as_deref() != Some("AssumedRole") {
            return None;
        }
        let issuer = self.issuer_arn.as_deref().and_then(arn::role_name);
        issuer
            .or(self.issuer_user_name.as_deref())
            .or_else(|| arn::role_name(self.principal_arn.as_deref()?))
    }

    /// Whether all its calls were made by services on the caller's behalf, under keys that no call
    /// issued. Source: CloudTrail User Guide, "userIdentity element", invokedBy.
    pub fn is_forwarded(&self) -> bool {
        self.events > 0 && self.forwarded == self.events
    }

    /// Whether a further identity shows the same names, so that nothing can be learned from it.
    fn is_named_as(&self, identity: &Identity) -> bool {
        let shown = &identity.columns;
        self.principal_arn == shown.principal_arn
            && self.principal_id == shown.principal_id
            && self.account_id == shown.account_id
            && self.user_name == shown.user_name
            && self.on_behalf_of_user_id == shown.on_behalf_of_user_id
            && self.vouched_by == shown.identity_store_arn
            && self.issuer_arn == shown.session_issuer_arn
            && self.issuer_user_name == shown.session_issuer_user_name
            && self.issuer_principal_id == shown.session_issuer_principal_id
    }

    /// The name of an IAM user.
    pub fn iam_user_name(&self) -> Option<&str> {
        if self.identity_type.as_deref() != Some("IAMUser") {
            return None;
        }
        let named = || arn::Arn::parse(self.principal_arn.as_deref()?)?.user_name();
        self.user_name.as_deref().or_else(named)
    }

    /// The role session name: the principal id without the role's id before it. The instance
    /// identity role has colons in its role id, so the issuer's id is stripped where it is known.
    pub fn session_name(&self) -> Option<&str> {
        let Some(principal) = self.principal_id.as_deref() else {
            return arn::Arn::parse(self.principal_arn.as_deref()?)?.session_name();
        };
        if let Some(issuer) = self.issuer_principal_id.as_deref() {
            let name = principal.strip_prefix(issuer).and_then(|rest| rest.strip_prefix(':'));
            if let Some(name) = name {
                return Some(name).filter(|name| !name.is_empty());
            }
        }
        principal.split_once(':').map(|(_, name)| name).filter(|name| !name.is_empty())
    }
}

fn keep_smaller<T: Ord>(mine: &mut Option<T>, theirs: Option<T>) {
    match (mine.as_ref(), theirs) {
        (None, theirs) => *mine = theirs,
        (Some(known), Some(theirs)) if theirs < *known => *mine = Some(theirs),
        _ => {}
    }
}

/// One copy of a call that several accounts recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SharedCall {
    /// Empty for an owner's copy that shows none.
    pub shared_event_id: String,
    pub event_id: String,
    pub event_time: i64,
    pub event_name: String,
    /// Whether this copy names the caller only as a principal of another account.
    pub names_account_only: bool,
    pub principal_id: Option<String>,
    pub credential_id: String,
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

    /// Counts one event, which must not have been counted before.
    pub fn observe(&mut self, event: &Observed) {
        let (identity, sign_in) = (event.identity, event.signs_in);
        let of_event = || {
            let partition = crate::decode::actor::partition(&identity.columns, event.aws_region);
            let mut facts = CredentialFacts::of_identity(identity, partition);
            facts.session_id = event.session_id.map(str::to_owned);
            Box::new(facts)
        };
        let claimed_only = sign_in && event.session_id.is_none();
        learn_user(&mut self.names, identity, event.event_time);
        let facts = match self.credentials.entry_ref(event.credential_id) {
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
        facts.at_sign_in_service |= event.event_source.starts_with("signin.amazonaws.com");
        if sign_in && event.session_id.is_some() {
            facts.signed_in = true;
            facts.created = facts.created.or(Some(event.event_time));
        }
        facts.claimed_only |= claimed_only;
        facts.from_console |= event.from_console || facts.signed_in;
        facts.from_console |= event.event_type == Some("AwsConsoleAction");
        keep_smaller(&mut facts.first_event_at, Some(event.event_time));
        facts.last_event_at = facts.last_event_at.max(Some(event.event_time));
        if !event.failed && event.identity.columns.invoked_by.is_none() {
            facts.last_success_at = facts.last_success_at.max(Some(event.event_time));
        }
        facts.events += 1;
        facts.writes += u64::from(event.read_only == Some(false));
        facts.errors += u64::from(event.failed);
        facts.forwarded += u64::from(event.identity.columns.invoked_by.is_some());
        facts.delegated += u64::from(event.identity.delegate_account_id.is_some());
        if let Some(address) = event.source_ip_address {
            facts.source_ip_addresses.add(address, &mut self.texts);
        }
        if let Some(agent) = event.user_agent {
            facts.user_agents.add(agent, &mut self.texts);
        }
        if !event.aws_region.is_empty() {
            facts.aws_regions.add(event.aws_region, &mut self.texts);
        }
        facts.event_sources.add(event.event_source, &mut self.texts);
        // One credential can show different identities: a forwarded call, a session tag.
        if facts.in_scope_of != event.identity.in_scope_of {
            keep_smaller(&mut facts.in_scope_of, event.identity.in_scope_of.clone());
        }
        if facts.web_identity != event.identity.web_identity {
            keep_smaller(&mut facts.web_identity, event.identity.web_identity.clone());
        }
        merge_identity(facts, event.identity);
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
    if let (Some("IAMUser"), Some(id), Some(arn), Some(account)) = (kind, id, arn, account) {
        names.learn_user(account, id, arn, Some(at));
    }
}

/// Takes from a further identity of the same credential what the first one did not show.
fn merge_identity(facts: &mut CredentialFacts, identity: &Identity) {
    let columns = &identity.columns;
    let text = [
        (&mut facts.delegate_account_id, &identity.delegate_account_id),
        (&mut facts.sign_in_session_arn, &columns.sign_in_session_arn),
        (&mut facts.on_behalf_of_user_id, &columns.on_behalf_of_user_id),
        (&mut facts.vouched_by, &columns.identity_store_arn),
        (&mut facts.source_identity, &columns.source_identity),
        (&mut facts.ec2_role_delivery, &columns.ec2_role_delivery),
        (&mut facts.issuer_arn, &columns.session_issuer_arn),
        (&mut facts.issuer_type, &columns.session_issuer_type),
        (&mut facts.issuer_principal_id, &columns.session_issuer_principal_id),
        (&mut facts.issuer_account_id, &columns.session_issuer_account_id),
        (&mut facts.issuer_user_name, &columns.session_issuer_user_name),
        (&mut facts.principal_arn, &columns.principal_arn),
        (&mut facts.principal_id, &columns.principal_id),
        (&mut facts.account_id, &columns.account_id),
        (&mut facts.user_name, &columns.user_name),
        (&mut facts.invoked_by, &columns.invoked_by),
        (&mut facts.identity_provider, &columns.identity_provider),
    ];
    for (mine, theirs) in text {
        if theirs.is_some() && *mine != *theirs {
            keep_smaller(mine, theirs.clone());
        }
    }
    facts.mfa_authenticated = facts.mfa_authenticated.max(columns.mfa_authenticated);
    facts.assumed_root |= columns.assumed_root == Some(true);
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
        event_time: event.event_time,
        event_name: event.event_name.to_string(),
        names_account_only,
        principal_id: identity.principal_id.clone(),
        credential_id: event.actor.credential_id.to_string(),
    })
}
