//! `signin:ConsoleLogin`: the start of a console session.
//!
//! No key is shown. The session's `creationDate` is the event's time, its principal the event's.
//! Source: CloudTrail User Guide, "AWS Management Console sign-in events".

use super::reading::{Reading, text};
use super::{Grant, Join, Kind};
use crate::decode::event::sign_in_succeeded;

pub(super) const KIND: Kind =
    Kind { name: "ConsoleLogin", sources: &["signin.amazonaws.com"], fill };

fn fill(reading: &Reading, grant: &mut Grant) {
    grant.join = Join::SignIn;
    grant.denied = !sign_in_succeeded(reading.event);
    if grant.denied {
        grant.denial_cause = Some("sign_in_failed".to_owned());
    }
    grant.console_made = true;
    let child = &mut grant.child;
    child.identity_type = grant.caller.identity_type.clone().unwrap_or_default();
    child.account_id = grant.caller.account_id.clone();
    child.principal_id = grant.caller.principal_id.clone();
    grant.mfa_serial = text(&reading.additional["MFAIdentifier"]);
}
