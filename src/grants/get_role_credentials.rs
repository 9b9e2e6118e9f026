//! Identity Center's `GetRoleCredentials`: a user of the access portal gets credentials of the role
//! `AWSReservedSSO_<permission set>_<suffix>` in a member account.
//!
//! The record shows neither key nor principal. Its second equals the role session's creation date;
//! account and permission set stand in the request or in `serviceEventDetails`, under names that
//! differ between versions (unconfirmed which), so all are accepted.

use super::identity_center::either;
use super::reading::Reading;
use super::{Grant, Join, Kind};

pub(super) const KIND: Kind = Kind {
    name: "GetRoleCredentials",
    sources: &["sso.amazonaws.com", "portal.sso.", "signin.amazonaws.com"],
    fill,
};

pub(super) fn fill(reading: &Reading, grant: &mut Grant) {
    grant.join = Join::IdentityCenter;
    let child = &mut grant.child;
    "AssumedRole".clone_into(&mut child.identity_type);
    child.account_id = either(reading, "accountId");
    // The permission set's name; the role's own name adds a prefix and a suffix.
    child.role_name = either(reading, "roleName");
    child.session_name = grant.caller.user_name.clone();
}

/// Whether a role's name is that of a permission set: `AWSReservedSSO_<set>_<16 hexadecimal>`. Some
/// records may show the role itself.
pub fn is_role_of_permission_set(role_name: &str, permission_set: &str) -> bool {
    if role_name == permission_set {
        return true;
    }
    let Some(rest) = role_name.strip_prefix("AWSReservedSSO_") else { return false };
    rest.rsplit_once('_').is_some_and(|(set, _)| set == permission_set)
}
