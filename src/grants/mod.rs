//! Which call issued which credentials, to whom: one file a kind of grant.
//!
//! Source: IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail".
//! To add a kind, write its file and name it in [`KINDS`]; nothing else needs to know of it.

pub mod addendum;
mod assume_role;
mod assume_role_with_saml;
mod assume_role_with_web_identity;
mod assume_root;
pub mod cognito;
pub mod columns;
mod console_login;
mod console_session;
mod create_access_key;
pub mod denial;
mod get_federation_token;
pub mod get_role_credentials;
mod get_session_token;
mod identity_center;
mod login_profile;
pub mod pod_identity;
mod reading;
pub mod roles_anywhere;
mod service_credentials;
mod switch_role;

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

use crate::decode::Event;
use crate::decode::actor;
use crate::decode::event::names_previous_principal;
use crate::model::{arn, short_ids, time};
use reading::Reading;

/// Every kind of grant that is understood.
const KINDS: &[&Kind] = &[
    &assume_role::KIND,
    &assume_role_with_saml::KIND,
    &assume_role_with_web_identity::KIND,
    &assume_root::KIND,
    &get_session_token::KIND,
    &get_federation_token::KIND,
    &console_login::KIND,
    &switch_role::KIND,
    &get_role_credentials::KIND,
    &identity_center::FEDERATE,
    &identity_center::AUTHENTICATE,
    &identity_center::CREATE_TOKEN,
    &identity_center::CREATE_TOKEN_WITH_IAM,
    &console_session::RENEW,
    &console_session::EXIT,
    &console_session::SIGNIN_TOKEN,
    &console_session::AUTHORIZE,
    &console_session::OAUTH_TOKEN,
    &create_access_key::KIND,
    &login_profile::CREATE,
    &login_profile::UPDATE,
    &login_profile::CHANGE,
    &service_credentials::SERVICE,
    &service_credentials::SSH,
    &roles_anywhere::KIND,
    &pod_identity::KIND,
    &cognito::CREDENTIALS,
    &cognito::TOKEN,
    &cognito::DEVELOPER_TOKEN,
];

/// A kind of grant: which event it is, and how to read it.
struct Kind {
    /// `grants.kind`; the call's name.
    name: &'static str,
    /// `eventSource` values that carry it; an entry matches with any suffix, for partitions whose
    /// endpoints end in `.amazonaws.com.cn`.
    sources: &'static [&'static str],
    /// Fills in what is particular to the kind; the common fields are there already.
    fill: fn(&Reading, &mut Grant),
}

/// How the credentials that a grant issued are recognised in later calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Join {
    /// The record shows the issued key, or the session is found by principal and second.
    #[default]
    Issued,
    /// A console sign-in: the session begins with it, under keys that no record announces.
    SignIn,
    /// API credentials are taken to the console: the session that signs in shortly afterwards is the
    /// same principal.
    SigninToken,
    /// A console session signs in a program or agent: the new session names the sign-in session.
    SignInSession,
    /// The console's switch-role page: confirms a grant, and names the previous principal.
    Switch,
    /// Identity Center: no key, no principal; found by account, permission set, user and second.
    IdentityCenter,
    /// EKS Pod Identity's half without key; found by account, second and the cluster in the session name.
    PodIdentity,
    /// A long-term key of an IAM user, joined by the key itself.
    LongTermKey,
    /// A password: later sign-ins may have used it, which no record shows.
    Password,
    /// Nothing in later calls tells of it.
    Nothing,
}

impl Join {
    /// All of them, in order of declaration.
    pub const ALL: [Join; 10] = [
        Join::Issued,
        Join::SignIn,
        Join::SigninToken,
        Join::SignInSession,
        Join::Switch,
        Join::IdentityCenter,
        Join::PodIdentity,
        Join::LongTermKey,
        Join::Password,
        Join::Nothing,
    ];

    /// Whether the same principal goes on in another session, and no hat is put on.
    pub fn goes_on_as_itself(self) -> bool {
        matches!(self, Join::SignIn | Join::SigninToken | Join::SignInSession)
    }
}

/// Who made the issuing call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the fields of userIdentity
pub struct Caller {
    pub identity_type: Option<String>,
    pub arn: Option<String>,
    pub principal_id: Option<String>,
    pub account_id: Option<String>,
    pub access_key_id: Option<String>,
    pub user_name: Option<String>,
    pub invoked_by: Option<String>,
    pub identity_provider: Option<String>,
    pub on_behalf_of_user_id: Option<String>,
    /// Who vouches for the name: the identity store of a user's id, the trust anchor of a certificate.
    pub vouched_by: Option<String>,
    /// Session of the caller, if it has one.
    #[serde(with = "short_ids::option")]
    pub session_id: Option<String>,
    /// When that session began.
    pub created: Option<i64>,
    /// Credential of the caller.
    #[serde(with = "short_ids")]
    pub credential_id: String,
}

/// What calls with the issued credentials will look like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// Their `userIdentity.type`.
    pub identity_type: String,
    /// Partition of the account.
    pub partition: String,
    /// Their `userIdentity.accountId`.
    pub account_id: Option<String>,
    /// Their `userIdentity.principalId`, where the record shows it.
    pub principal_id: Option<String>,
    /// The role, with path.
    pub role_arn: Option<String>,
    /// The role's name.
    pub role_name: Option<String>,
    /// The role session name or federated user name that was asked for.
    pub session_name: Option<String>,
    /// The IAM user whose key or password it is.
    pub user_name: Option<String>,
}

/// One issuing event. Times are microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the fields are the columns of `grants`, described there
pub struct Grant {
    /// Not encoded: it is the key that encoded grants are kept under.
    #[serde(skip)]
    pub event_id: String,
    pub record_hash: u64,
    pub event_time: i64,
    pub kind: String,
    pub join: Join,
    pub denied: bool,
    pub denial_cause: Option<String>,
    pub denied_action: Option<String>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub caller: Caller,
    /// Who obtained the credentials, where that is not the caller of the record: the holder of a
    /// certificate, an identity of a pool, a service that was asked to act.
    pub principal: Option<Box<Caller>>,
    pub child: Child,
    /// Made by the console on somebody's behalf: later calls use other keys than the issued one.
    pub console_made: bool,
    pub issued_access_key_id: Option<String>,
    /// `signInSessionArn` that calls with the new credentials show.
    pub sign_in_session_arn: Option<String>,
    pub duration_seconds: Option<i64>,
    pub expires_at: Option<i64>,
    pub external_id: Option<String>,
    pub source_identity: Option<String>,
    pub mfa_serial: Option<String>,
    pub tags: Option<String>,
    pub transitive_tag_keys: Vec<String>,
    pub incoming_transitive_tags: Option<String>,
    pub session_policy: Option<String>,
    #[serde(with = "short_ids::option")]
    pub shared_event_id: Option<String>,
    /// The record that this one puts right, if it is such a one.
    pub corrects: Option<addendum::Correction>,
    /// The record that has put this one right.
    pub addendum_event_id: Option<String>,
    pub recipient_account_id: Option<String>,
    pub aws_region: Option<String>,
    pub source_ip_address: Option<String>,
    pub user_agent: Option<String>,
    pub source_file: String,
    pub source_record: i64,
}

impl Grant {
    /// The second of the issuing event: what `creationDate` of the issued credentials will show.
    pub fn second(&self) -> i64 {
        self.event_time.div_euclid(time::SECOND)
    }

    /// Whether nothing is inherited of whoever made the call: a password that somebody set.
    pub fn is_only_a_hint(&self) -> bool {
        self.join == Join::Password
    }

    /// Which record it was read from.
    pub fn record(&self) -> (&str, u64) {
        (&self.event_id, self.record_hash)
    }

    /// Whether this copy of the event stands before the other, by file and record.
    pub fn comes_before(&self, other: &Grant) -> bool {
        (&self.source_file, self.source_record) < (&other.source_file, other.source_record)
    }

    /// The role owner's copy of a cross-account call, which names the caller only by principal id.
    pub fn is_owner_half(&self) -> bool {
        self.caller.identity_type.as_deref() == Some("AWSAccount")
    }

    /// Who obtained the credentials.
    pub fn obtained_by(&self) -> &Caller {
        self.principal.as_deref().unwrap_or(&self.caller)
    }

    /// Whether the credentials that it was called with began later, by more than clocks may differ:
    /// nobody can have called with them.
    pub fn precedes_its_caller(&self) -> bool {
        let began = self.obtained_by().created.map(|micros| micros.div_euclid(time::SECOND));
        began.is_some_and(|began| began > self.second().saturating_add(1))
    }

    /// Whether the record's own identity names nobody, and its request or response does.
    pub fn names_caller_elsewhere(&self) -> bool {
        let unnamed = self.caller.session_id.is_none() && self.kind != "AssumeRole";
        self.principal.is_some() && unnamed && !self.denied
    }

    /// Caller and credentials in different accounts; `None` when one of them is not known.
    pub fn cross_account(&self) -> Option<bool> {
        let caller = self.caller.account_id.as_ref()?;
        Some(caller != self.child.account_id.as_ref()?)
    }
}

/// Reads a grant out of an event; `None` when the event issues nothing.
pub fn read(event: &Event, source_file: &str, source_record: i64) -> Option<Grant> {
    let kind = KINDS.iter().copied().find(|kind| {
        kind.name == event.event_name
            && kind.sources.iter().any(|source| event.event_source.starts_with(source))
    });
    let kind = kind.or_else(|| names_previous_principal(event).then_some(&switch_role::KIND))?;
    let mut grant = common(event, &event.event_name, source_file, source_record);
    let reading = Reading::of(event);
    if grant.denied {
        grant.denial_cause = Some(denial::cause(event).to_owned());
        denial::read_target(event, &mut grant);
    }
    (kind.fill)(&reading, &mut grant);
    Some(grant)
}

fn common(event: &Event, kind: &str, source_file: &str, source_record: i64) -> Grant {
    let owned = |text: &Option<std::borrow::Cow<str>>| text.as_ref().map(|t| t.to_string());
    let identity = &event.identity.columns;
    let region = event.aws_region.as_deref().unwrap_or("");
    let caller = Caller {
        identity_type: identity.identity_type.clone(),
        arn: identity.principal_arn.clone(),
        principal_id: identity.principal_id.clone(),
        account_id: identity
            .account_id
            .clone()
            .or_else(|| Some(arn::account(identity.principal_arn.as_deref()?)?.to_owned())),
        access_key_id: identity.access_key_id.clone(),
        user_name: identity.user_name.clone(),
        invoked_by: identity.invoked_by.clone(),
        identity_provider: identity.identity_provider.clone(),
        on_behalf_of_user_id: identity.on_behalf_of_user_id.clone(),
        vouched_by: identity.identity_store_arn.clone(),
        session_id: event.actor.session_id.as_deref().map(str::to_owned),
        created: identity.session_created_at,
        credential_id: event.actor.credential_id.to_string(),
    };
    Grant {
        event_id: event.event_id.to_string(),
        record_hash: event.record_hash,
        event_time: event.event_time,
        kind: kind.to_owned(),
        join: Join::Issued,
        denied: event.error_code.is_some(),
        denial_cause: None,
        denied_action: None,
        error_code: owned(&event.error_code),
        error_message: owned(&event.error_message),
        caller,
        principal: None,
        child: Child {
            partition: actor::partition(identity, region).to_owned(),
            ..Child::default()
        },
        console_made: made_by_console(event),
        issued_access_key_id: None,
        sign_in_session_arn: None,
        duration_seconds: None,
        expires_at: None,
        external_id: None,
        source_identity: None,
        mfa_serial: None,
        tags: None,
        transitive_tag_keys: Vec::new(),
        incoming_transitive_tags: None,
        session_policy: None,
        shared_event_id: owned(&event.shared_event_id),
        corrects: addendum::of(event),
        addendum_event_id: None,
        recipient_account_id: owned(&event.recipient_account_id),
        aws_region: owned(&event.aws_region),
        source_ip_address: owned(&event.source_ip_address),
        user_agent: owned(&event.user_agent),
        source_file: source_file.to_owned(),
        source_record,
    }
}

/// The console assumes roles itself when somebody switches roles or signs in through a provider;
/// such records come from `AWS Internal`, newer ones with the sign-in service's user agent.
fn made_by_console(event: &Event) -> bool {
    let internal = |text: Option<&str>| text == Some("AWS Internal");
    internal(event.source_ip_address.as_deref())
        || internal(event.identity.columns.invoked_by.as_deref())
        || event.user_agent.as_deref().is_some_and(|agent| {
            agent == "AWS Internal" || agent.starts_with("AWS Signin, aws-internal/")
        })
}
