//! Rows of **grants**.

use super::{TableRows, build, instant, text};
use crate::grants::columns::GRANTS;
use crate::sessions::link::{Linked, LinkedGrant, expiry};
use crate::sessions::properties::seconds_given;
use crate::table::build::Cell;

pub(super) fn rows<'l>(linked: &'l Linked<'l>) -> TableRows<'l> {
    let mut all: Vec<&LinkedGrant> = linked.grants.iter().filter(|g| g.home).collect();
    all.sort_unstable_by_key(|g| (g.grant.event_time, &g.grant.event_id, g.grant.record_hash));
    build(&GRANTS, all, |rows, grant| rows.push(grant_row(grant)))
}

fn grant_row<'l>(linked: &'l LinkedGrant<'l>) -> Vec<Cell<'l>> {
    let grant = &linked.grant;
    let (caller, child) = (&grant.caller, &grant.child);
    let holder = grant.principal.as_deref();
    let obtained_by = holder.and_then(|h| h.user_name.clone().or_else(|| h.invoked_by.clone()));
    let keys = &grant.transitive_tag_keys;
    vec![
        grant.event_id.as_str().into(),
        text(&linked.twin_event_id),
        text(&grant.addendum_event_id),
        Cell::Time(grant.event_time),
        grant.kind.as_str().into(),
        if grant.denied { "denied" } else { "granted" }.into(),
        text(&grant.denial_cause),
        text(&grant.denied_action),
        linked.propagation.into(),
        text(&grant.error_code),
        text(&grant.error_message),
        text(&caller.identity_type),
        text(&caller.arn),
        text(&caller.principal_id),
        text(&caller.account_id),
        text(&caller.access_key_id),
        text(&caller.session_id),
        obtained_by.into(),
        text(&child.role_arn),
        text(&child.role_name),
        text(&child.account_id),
        text(&child.session_name),
        text(&child.user_name),
        text(&child.principal_id),
        text(&grant.issued_access_key_id),
        text(&linked.issued_session_id),
        grant.duration_seconds.into(),
        seconds_given(grant).into(),
        instant(expiry(grant)),
        text(&grant.external_id),
        text(&grant.source_identity),
        text(&grant.mfa_serial),
        text(&grant.tags),
        if keys.is_empty() { Cell::Null } else { keys.as_slice().into() },
        text(&grant.incoming_transitive_tags),
        text(&grant.session_policy),
        grant.cross_account().into(),
        linked.used.into(),
        text(&grant.recipient_account_id),
        text(&grant.aws_region),
        text(&grant.source_ip_address),
        text(&grant.user_agent),
        grant.source_file.as_str().into(),
        Cell::Int(grant.source_record),
    ]
}
