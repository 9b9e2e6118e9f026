//! `sts:AssumeRoleWithSAML`: a user of an identity provider, named by the assertion's subject.
//!
//! Source: IAM User Guide, "Logging IAM and AWS STS API calls", example AssumeRoleWithSAML.

use super::Kind;

pub(super) const KIND: Kind = Kind {
    name: "AssumeRoleWithSAML",
    sources: &["sts.amazonaws.com"],
    fill: |reading, grant| reading.fill_role(grant),
};
