//! Which session and which credential a record's identity stands for.
//!
//! A *session* is (partition, account, principal id, creation date); a *credential* is one access
//! key inside it. Console and instance sessions use several keys, and the same key id can occur in
//! several sessions, so neither level alone will do.

use std::sync::Arc;

use super::identity::IdentityColumns;
use crate::model::{arn, ids, time};

/// Session and credential behind a call, as far as its own record tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The session; `None` for callers that have none: services, outside identities, principals of
    /// other accounts, unknown callers.
    pub session_id: Option<Arc<str>>,
    /// The credential inside the session, or the caller without session.
    pub credential_id: Arc<str>,
    /// Whether the record is a sign-in to the console or a step of one; with a session, it succeeded.
    pub signs_in: bool,
}

/// The actor of an ordinary call.
pub fn of_identity(identity: &IdentityColumns, region: &str) -> Actor {
    in_session_since(identity, region, identity.session_created_at)
}

/// The actor of a sign-in event that succeeded: `ConsoleLogin` and `SwitchRole` show neither key
/// nor creation date, and belong to the session that begins with them.
pub fn of_sign_in(identity: &IdentityColumns, region: &str, event_time: i64) -> Actor {
    let created = identity.session_created_at.or(Some(event_time));
    Actor { signs_in: true, ..in_session_since(identity, region, created) }
}

/// The actor of a sign-in that failed: somebody who claims to be the principal.
pub fn of_failed_sign_in(identity: &IdentityColumns) -> Actor {
    let credential_id = external(identity, "sign-in failed").into();
    Actor { session_id: None, credential_id, signs_in: true }
}

fn in_session_since(identity: &IdentityColumns, region: &str, created: Option<i64>) -> Actor {
    let Some(session_id) = session_of(identity, region, created) else {
        let credential_id = external(identity, "").into();
        return Actor { session_id: None, credential_id, signs_in: false };
    };
    // A user's name may change while its keys stay: each name has calls of its own.
    let user = identity.identity_type.as_deref() == Some("IAMUser");
    let name = identity.principal_arn.as_deref().filter(|_| user);
    let credential_id = ids::credential_id(&session_id, identity.access_key_id.as_deref(), name);
    let (session_id, credential_id) = (Some(session_id.into()), credential_id.into());
    Actor { session_id, credential_id, signs_in: false }
}

fn session_of(identity: &IdentityColumns, region: &str, created: Option<i64>) -> Option<String> {
    match identity.identity_type.as_deref() {
        Some("AssumedRole" | "FederatedUser" | "IAMUser" | "Root" | "Role") => {}
        _ => return None,
    }
    let arn = identity.principal_arn.as_deref();
    let principal = identity.principal_id.as_deref().or(arn)?;
    let account = identity.account_id.as_deref().or(arn.and_then(arn::account))?;
    let seconds = created.map(|micros| micros.div_euclid(time::SECOND));
    let partition = partition(identity, region);
    let root = identity.identity_type.as_deref() == Some("Root");
    match identity.access_key_id.as_deref().filter(|key| is_temporary(key)) {
        // Root's sessions without date are none of its long-term credentials; only the key is left to
        // tell them apart.
        Some(key) if root && seconds.is_none() => {
            let principal = format!("{principal}/{key}");
            Some(ids::session_id(partition, account, &principal, None))
        }
        _ => Some(ids::session_id(partition, account, principal, seconds)),
    }
}

/// Whether a key belongs to temporary credentials.
/// Source: IAM User Guide, "IAM identifiers", unique identifiers.
pub fn is_temporary(access_key_id: &str) -> bool {
    access_key_id.starts_with("ASIA")
}

/// The partition, from whatever ARN there is, else from the region.
pub fn partition<'a>(identity: &'a IdentityColumns, region: &'a str) -> &'a str {
    [&identity.principal_arn, &identity.session_issuer_arn]
        .into_iter()
        .find_map(|arn| arn::partition(arn.as_deref()?))
        .unwrap_or_else(|| arn::partition_of_region(region))
}

/// The id of an AWS service as a caller.
pub fn credential_of_service(service: &str) -> String {
    let identity = IdentityColumns {
        identity_type: Some("AWSService".to_owned()),
        invoked_by: Some(service.to_owned()),
        ..IdentityColumns::default()
    };
    external(&identity, "")
}

fn external(identity: &IdentityColumns, claim: &str) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    ids::external_credential_id(&[
        claim,
        &text(&identity.identity_type),
        &text(&identity.account_id),
        &text(&identity.principal_id),
        &text(&identity.principal_arn),
        &text(&identity.user_name),
        &text(&identity.invoked_by),
        &text(&identity.identity_provider),
        &text(&identity.on_behalf_of_user_id),
        &text(&identity.identity_store_arn),
    ])
}
