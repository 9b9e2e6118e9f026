//! `sts:AssumeRole`, by users, by other roles, by services and by principals of other accounts.
//!
//! A cross-account call is recorded twice, in the caller's account and in the role's, with one
//! `sharedEventID`; both show the issued key, only the caller's copy shows the caller's key.

use super::reading::Reading;
use super::{Grant, Kind, roles_anywhere};

pub(super) const KIND: Kind = Kind { name: "AssumeRole", sources: &["sts.amazonaws.com"], fill };

fn fill(reading: &Reading, grant: &mut Grant) {
    reading.fill_role(grant);
    grant.principal = roles_anywhere::behind_service(reading, grant).map(Box::new);
}
