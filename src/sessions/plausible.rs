//! Identities that contradict themselves: a root user with a user's ARN, a service with the name of a
//! person. AWS writes no such record, so whoever wrote it, it names nobody.
//!
//! Source: CloudTrail User Guide, "CloudTrail userIdentity element"; IAM User Guide, "IAM identifiers".

use super::facts::CredentialFacts;
use crate::model::arn::Arn;

/// Whether type, ARN, account and names of an identity cannot all be true. What is absent or has no
/// known form contradicts nothing.
pub(super) fn contradicts_itself(facts: &CredentialFacts) -> bool {
    let kind = facts.identity_type.as_deref().unwrap_or("");
    let arn = facts.principal_arn.as_deref().and_then(Arn::parse);
    let other_kind = arn.is_some_and(|arn| !is_of_kind(&arn, kind));
    // Callers of other accounts and roles are joined by principal; here the ARN is the name.
    let by_arn = matches!(kind, "IAMUser" | "Root");
    let other_account = by_arn
        && arn
            .zip(facts.account_id.as_deref())
            .is_some_and(|(arn, account)| !arn.account.is_empty() && arn.account != account);
    let shown = arn.and_then(|arn| arn.user_name()).zip(facts.user_name.as_deref());
    let other_name = kind == "IAMUser" && shown.is_some_and(|(a, b)| !a.eq_ignore_ascii_case(b));
    let no_service = matches!(kind, "AWSService" | "")
        && facts.invoked_by.as_deref().is_some_and(|service| !is_service(service));
    other_kind || other_account || other_name || no_service
}

fn is_of_kind(arn: &Arn, kind: &str) -> bool {
    let is = |service: &str, start: &str| arn.service == service && arn.resource.starts_with(start);
    match kind {
        "IAMUser" => is("iam", "user/"),
        "Root" => arn.service == "iam" && arn.resource == "root",
        "AssumedRole" => is("sts", "assumed-role/") || is("iam", "role/"),
        "FederatedUser" => is("sts", "federated-user/"),
        _ => true,
    }
}

/// A host name, as service principals are, or the name that AWS gives itself.
fn is_service(name: &str) -> bool {
    let of_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    name == "AWS Internal" || name.bytes().all(of_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(kind: &str, arn: &str) -> CredentialFacts {
        CredentialFacts {
            identity_type: Some(kind.to_owned()),
            principal_arn: Some(arn.to_owned()),
            account_id: Some("111111111111".to_owned()),
            ..CredentialFacts::default()
        }
    }

    #[test]
    fn type_and_arn_agree_or_not() {
        let [user, role, root] =
            ["iam::111111111111:user/a/anna", "iam::111111111111:role/R", "iam::111111111111:root"]
                .map(|rest| format!("arn:aws:{rest}"));
        let session = "arn:aws-cn:sts::111111111111:assumed-role/R/x";
        for (kind, arn, wrong) in [
            ("IAMUser", user.as_str(), false),
            ("IAMUser", session, true),
            ("IAMUser", "redacted", false),
            ("IAMUser", "arn:aws:iam::222222222222:user/anna", true),
            ("Root", &root, false),
            ("Root", &user, true),
            ("AssumedRole", session, false),
            ("AssumedRole", &role, false),
            ("AssumedRole", "arn:aws:sts::222222222222:assumed-role/R/x", false),
            ("AssumedRole", &user, true),
            ("FederatedUser", session, true),
            ("SAMLUser", &user, false),
        ] {
            assert_eq!(contradicts_itself(&identity(kind, arn)), wrong, "{kind} {arn}");
        }
    }

    #[test]
    fn names_agree_or_not() {
        let anna = identity("IAMUser", "arn:aws:iam::111111111111:user/a/anna");
        for (name, wrong) in [("anna", false), ("Anna", false), ("zoe", true)] {
            let facts = CredentialFacts { user_name: Some(name.to_owned()), ..anna.clone() };
            assert_eq!(contradicts_itself(&facts), wrong, "{name}");
        }
        for (name, wrong) in
            [("ec2.amazonaws.com", false), ("AWS Internal", false), ("anna@corp", true)]
        {
            let facts = CredentialFacts {
                identity_type: Some("AWSService".to_owned()),
                invoked_by: Some(name.to_owned()),
                ..CredentialFacts::default()
            };
            assert_eq!(contradicts_itself(&facts), wrong, "{name}");
        }
    }
}
