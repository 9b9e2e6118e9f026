//! `sts:AssumeRoleWithWebIdentity`: the subject of an OIDC token, such as a repository's workflow
//! or a Kubernetes service account.

use super::Kind;

pub(super) const KIND: Kind = Kind {
    name: "AssumeRoleWithWebIdentity",
    sources: &["sts.amazonaws.com"],
    fill: |reading, grant| reading.fill_role(grant),
};
