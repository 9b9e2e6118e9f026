//! `sts:AssumeRole`, by users, by other roles, by services and by principals of other accounts.
//!
//! A cross-account call is recorded twice, in the caller's account and in the role's, with one
//! `sharedEventID`; both show the issued key, only the caller's copy shows the caller's key.

use super::Kind;

pub(super) const KIND: Kind = Kind {
    name: "AssumeRole",
    sources: &["sts.amazonaws.com"],
    fill: |reading, grant| reading.fill_role(grant),
};
