//! Whether a grant and a credential agree: in kind, key, principal, role, as far as both show them.

use super::by_record::is_sso;
use super::facts::CredentialFacts;
use crate::grants::Grant;
use crate::grants::get_role_credentials::is_role_of_permission_set;
use crate::model::arn::Arn;
use crate::model::time;

pub(super) fn second_of(facts: &CredentialFacts) -> Option<i64> {
    facts.created.map(|micros| micros.div_euclid(time::SECOND))
}

pub(super) fn same_kind(grant: &Grant, facts: &CredentialFacts) -> bool {
    facts.identity_type.as_deref() == Some(grant.child.identity_type.as_str())
}

pub(super) fn same_key(grant: &Grant, facts: &CredentialFacts) -> bool {
    grant.issued_access_key_id.is_some() && grant.issued_access_key_id == facts.access_key_id
}

/// Whether the issued credentials act as the calling principal. Roles assumed by services may lack
/// the principal id in the response; then account, role and session name together stand for it.
pub(super) fn same_principal(grant: &Grant, facts: &CredentialFacts) -> bool {
    match (&grant.child.principal_id, &facts.principal_id) {
        (Some(issued), Some(calling)) => issued == calling,
        _ => {
            let name = facts.session_name();
            role_agrees(grant, facts) == Some(true)
                && name.is_some()
                && grant.child.session_name.as_deref() == name
        }
    }
}

/// Whether what the calls show rules out that a grant issued their credentials, though principal and second
/// agree: another `sourceIdentity`, which nobody can change, or the console, which AssumeRoot never
/// reaches. Sources: IAM User Guide, "Monitor and control actions taken with assumed roles" and "Perform a
/// privileged task".
pub(super) fn refutes(grant: &Grant, facts: &CredentialFacts) -> bool {
    let shown = grant.source_identity.as_ref().zip(facts.source_identity.as_ref());
    let in_console = grant.kind == "AssumeRoot" && facts.from_console;
    in_console || shown.is_some_and(|(set, shown)| set != shown)
}

/// Whether it is a sign-in to the console, one second after the grant.
pub(super) fn signs_in_after(grant: &Grant, facts: &CredentialFacts) -> bool {
    let borrowed = matches!(facts.identity_type.as_deref(), Some("AssumedRole" | "FederatedUser"));
    facts.signed_in
        && borrowed
        && second_of(facts).is_some_and(|second| second - grant.second() == 1)
}

/// Whether the role agrees, as far as both sides show it; `None` where they show nothing to compare.
/// Where the response shows no principal, the session names may differ: Lambda's do.
pub(super) fn role_agrees(grant: &Grant, facts: &CredentialFacts) -> Option<bool> {
    if let (Some(issued), Some(calling)) = (&grant.child.principal_id, &facts.principal_id) {
        return Some(issued == calling);
    }
    if let (Some(asked), Some(issuer)) = (&grant.child.role_arn, &facts.issuer_arn) {
        return Some(asked == issuer);
    }
    Some(grant.child.role_name.as_deref()? == facts.role_name()?)
}

/// Whether the caller of an issue may be the previous principal that the record of a role switch names.
/// The console goes on with the identity of the sign-in when somebody switches a second time, and names
/// its sessions after that one. Source: IAM User Guide, "Switching to a role (console)".
pub(super) fn may_have_switched(issue: &Grant, switch: &Grant) -> bool {
    let (caller, previous) = (&issue.caller, &switch.caller);
    if caller.arn.is_some() && caller.arn == previous.arn {
        return true;
    }
    let previous = previous.arn.as_deref().and_then(Arn::parse);
    let Some(previous) = previous.filter(|_| issue.console_made) else { return false };
    let same_account = caller.account_id.as_deref() == Some(previous.account);
    let role_session = previous.session_name();
    same_account
        && match (caller.arn.as_deref(), caller.principal_id.as_deref()) {
            (Some(arn), _) => {
                let caller = Arn::parse(arn).and_then(|arn| arn.session_name().or(arn.user_name()));
                caller.is_some() && caller == role_session
            }
            // The owner's half shows the id alone.
            (None, Some(id)) => id.split_once(':').map(|(_, name)| name) == role_session,
            (None, None) => false,
        }
}

/// The session that EKS makes for a pod: in the cluster's account, named after the cluster.
pub(super) fn fits_pod(grant: &Grant, facts: &CredentialFacts) -> bool {
    let named = grant.child.session_name.as_deref().zip(facts.session_name());
    same_kind(grant, facts)
        && facts.created.is_some()
        && grant.child.account_id == facts.account_id
        && named.is_some_and(|(start, name)| name.starts_with(start))
}

/// Whether a long-term key is the one that was made: same key, same owner, and not used before. Logs
/// whose keys were rewritten show one key for many.
pub(super) fn fits_long_term_key(grant: &Grant, facts: &CredentialFacts) -> bool {
    let child = &grant.child;
    let owner = match (&child.principal_id, &facts.principal_id) {
        (Some(made_for), Some(calling)) => made_for == calling,
        _ => match (child.user_name.as_deref(), facts.iam_user_name()) {
            (Some(made_for), Some(calling)) => made_for == calling,
            _ => true,
        },
    };
    let first = facts.first_event_at.map_or(i64::MAX, |micros| micros.div_euclid(time::SECOND));
    owner
        && facts.created.is_none()
        && same_kind(grant, facts)
        && same_key(grant, facts)
        && child.account_id == facts.account_id
        && grant.second() <= first
}

/// Identity Center shows account and permission set, and the user by id or by name.
pub(super) fn fits_identity_center(grant: &Grant, facts: &CredentialFacts) -> bool {
    let Some(role) = facts.role_name().filter(|_| is_sso(facts)) else {
        return false;
    };
    let set_fits =
        grant.child.role_name.as_deref().is_none_or(|set| is_role_of_permission_set(role, set));
    let user_fits = match (&grant.caller.on_behalf_of_user_id, &facts.on_behalf_of_user_id) {
        // An id counts inside its store.
        (Some(asked), Some(shown)) => {
            let stores = grant.caller.vouched_by.as_ref().zip(facts.vouched_by.as_ref());
            asked == shown && stores.is_none_or(|(asked, shown)| asked == shown)
        }
        _ => match grant.child.session_name.as_deref() {
            Some(user) => facts.session_name() == Some(user),
            // Only an id on one side and a name on the other: the target must carry the link.
            None => grant.child.role_name.is_some() && grant.child.account_id.is_some(),
        },
    };
    set_fits && user_fits
}
