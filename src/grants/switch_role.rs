//! `signin:SwitchRole`: the console's own record of a role switch, in the role's account.
//!
//! Its identity is the new role session, without key or date; `SwitchFrom` names the previous
//! principal by ARN. The credentials come from the `AssumeRole` of the same second, so this record
//! confirms that one and only stands in for it where it is missing.

use super::reading::{Reading, text};
use super::{Caller, Grant, Join, Kind};
use crate::decode::event::sign_in_succeeded;
use crate::model::{arn, ids};

pub(super) const KIND: Kind = Kind { name: "SwitchRole", sources: &["signin.amazonaws.com"], fill };

pub(super) fn fill(reading: &Reading, grant: &mut Grant) {
    grant.join = Join::Switch;
    grant.denied = !sign_in_succeeded(reading.event);
    if grant.denied {
        grant.denial_cause = Some("sign_in_failed".to_owned());
    }
    grant.console_made = true;
    let role = &reading.event.identity.columns;
    let arn_text = role.principal_arn.as_deref();
    let child = &mut grant.child;
    "AssumedRole".clone_into(&mut child.identity_type);
    child.account_id = grant.caller.account_id.clone();
    child.principal_id = grant.caller.principal_id.clone();
    child.role_arn = role.session_issuer_arn.clone();
    child.role_name = arn_text.and_then(arn::role_name).map(str::to_owned);
    child.session_name =
        arn_text.and_then(|a| arn::Arn::parse(a)?.session_name()).map(str::to_owned);
    let previous = text(&reading.additional["SwitchFrom"]);
    if previous.is_none() {
        grant.join = Join::Nothing;
        return;
    }
    grant.caller = caller_by_arn(previous);
}

/// The previous principal, of whom only the ARN is known: enough to name an IAM user, not enough to
/// find a session.
fn caller_by_arn(previous: Option<String>) -> Caller {
    let parsed = previous.as_deref().and_then(arn::Arn::parse);
    let identity_type = parsed.map(|p| match p.resource.split('/').next() {
        Some("user") => "IAMUser",
        Some("assumed-role") => "AssumedRole",
        Some("root") => "Root",
        Some("federated-user") => "FederatedUser",
        _ => "Unknown",
    });
    Caller {
        identity_type: identity_type.map(str::to_owned),
        account_id: parsed.map(|p| p.account.to_owned()).filter(|a| !a.is_empty()),
        credential_id: ids::external_credential_id(&[
            "switched from",
            previous.as_deref().unwrap_or(""),
        ]),
        arn: previous,
        ..Caller::default()
    }
}
