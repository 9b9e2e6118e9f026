//! `sts:GetSessionToken`: temporary credentials of the same IAM user or root, often with MFA.

use super::{Grant, Kind, reading::Reading};

pub(super) const KIND: Kind =
    Kind { name: "GetSessionToken", sources: &["sts.amazonaws.com"], fill };

fn fill(reading: &Reading, grant: &mut Grant) {
    reading.fill_issued(grant);
    grant.child.identity_type = grant.caller.identity_type.clone().unwrap_or_default();
    grant.child.account_id = grant.caller.account_id.clone();
    grant.child.principal_id = grant.caller.principal_id.clone();
}
