//! What the records say of one credential.

use serde::{Deserialize, Serialize};

use super::values::SmallestValues;
use crate::decode::Identity;
use crate::decode::actor::is_temporary;
use crate::model::{arn, short_ids, time};

/// What the records say of one credential. Times are microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the identity fields are those of userIdentity
pub struct CredentialFacts {
    #[serde(with = "short_ids::option")]
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
    /// A call of its own succeeded at a service that AssumeRoot sessions do not reach.
    pub went_far: bool,
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
        self.went_far |= other.went_far;
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

    /// Whether it is a key of a session, of a role or of AssumeRoot, whose records do not show when it
    /// began. Such a session counts as one of the time of its first call.
    pub fn lacks_date(&self) -> bool {
        let long_term = match self.identity_type.as_deref() {
            Some("IAMUser") => true,
            Some("Root") => !self.access_key_id.as_deref().is_some_and(is_temporary),
            _ => false,
        };
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
    pub(super) fn is_named_as(&self, identity: &Identity) -> bool {
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

pub(super) fn keep_smaller<T: Ord>(mine: &mut Option<T>, theirs: Option<T>) {
    match (mine.as_ref(), theirs) {
        (None, theirs) => *mine = theirs,
        (Some(known), Some(theirs)) if theirs < *known => *mine = Some(theirs),
        _ => {}
    }
}

/// Takes from a further identity of the same credential what the first one did not show.
pub(super) fn merge_identity(facts: &mut CredentialFacts, identity: &Identity) {
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
