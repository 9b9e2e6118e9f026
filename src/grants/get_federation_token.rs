//! `sts:GetFederationToken`: a federated user, vouched for by an IAM user or root.

use super::reading::{Reading, text};
use super::{Grant, Kind};

pub(super) const KIND: Kind =
    Kind { name: "GetFederationToken", sources: &["sts.amazonaws.com"], fill };

fn fill(reading: &Reading, grant: &mut Grant) {
    reading.fill_issued(grant);
    "FederatedUser".clone_into(&mut grant.child.identity_type);
    grant.child.account_id = grant.caller.account_id.clone();
    grant.child.principal_id = text(&reading.response["federatedUser"]["federatedUserId"]);
    grant.child.session_name = text(&reading.request["name"]);
}
