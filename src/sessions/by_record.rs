//! What a credential's own records tell of it, without any grant at hand: fields and role paths that
//! only AWS can write.

use std::sync::Arc;

use super::facts::CredentialFacts;
use super::workload;
use crate::model::arn;

/// Whether the role belongs to Identity Center: `AWSReservedSSO_<permission set>_<16 hexadecimal>`
/// below the path that only AWS can use. A name alone proves nothing: anybody can choose it.
/// Source: IAM Identity Center User Guide, "Referencing permission sets in resource policies".
pub(super) fn is_sso(facts: &CredentialFacts) -> bool {
    let named = facts.role_name().is_some_and(|role| {
        let suffix = role.strip_prefix("AWSReservedSSO_").and_then(|r| r.rsplit_once('_'));
        suffix.is_some_and(|(_, hex)| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    // An assumed-role ARN shows no path: then the form of the name has to do.
    let path = facts.issuer_arn.as_deref();
    named && path.is_none_or(|arn| arn.contains(":role/aws-reserved/sso.amazonaws.com/"))
}

pub(super) fn label(facts: &CredentialFacts) -> Arc<str> {
    let account = facts.account_id.as_deref().unwrap_or("?");
    match facts.identity_type.as_deref() {
        Some("Root") => format!("{account}/root").into(),
        Some("FederatedUser") => {
            format!("{account}/federated-user/{}", facts.session_name().unwrap_or("?")).into()
        }
        _ => format!("{account}/{}", facts.role_name().unwrap_or("?")).into(),
    }
}

pub(super) fn label_of(facts: &CredentialFacts) -> Option<Arc<str>> {
    Some(label(facts))
}

/// Before 2025 Identity Center recorded its users as type `Unknown` with a user name.
pub(super) fn is_old_identity_center(facts: &CredentialFacts) -> bool {
    let mut sources = facts.event_sources.values();
    facts.user_name.is_some()
        && sources.any(|s| s.starts_with("sso.") || s.starts_with("sso-") || s.contains(".sso."))
}

/// AssumeRoot sessions last 15 minutes at the most, reach IAM, S3 and SQS only, and never the console.
/// Sources: STS API Reference, "AssumeRoot"; IAM User Guide, "Perform a privileged task".
///
/// What is refused, or a service does on the caller's behalf, proves nothing.
pub(super) fn surely_not_assumed(facts: &CredentialFacts) -> bool {
    const LONGEST: i64 = (900 + 60) * crate::model::time::SECOND;
    let long = facts.created.zip(facts.last_success_at).is_some_and(|(c, l)| l - c > LONGEST);
    facts.from_console || facts.went_far || long
}

/// Whether a service is beyond the reach of AssumeRoot sessions.
pub(super) fn is_far(event_source: &str) -> bool {
    let reach = ["iam.amazonaws.com", "s3.amazonaws.com", "sqs.amazonaws.com", "sts.amazonaws.com"];
    !reach.contains(&event_source.strip_suffix(".cn").unwrap_or(event_source))
}

/// Services that a record names by itself, with no grant at hand: fields and role paths that only
/// AWS can write.
pub(super) fn service_by_record(
    facts: &CredentialFacts,
) -> Option<(String, &'static str, Option<String>)> {
    if let Some(service) = facts.issuer_arn.as_deref().and_then(arn::service_of_linked_role) {
        let detail = workload::detail(service, facts, std::iter::empty());
        return Some((service.to_owned(), "service_linked_role", detail));
    }
    if facts.ec2_role_delivery.is_some() {
        let china = facts.partition == "aws-cn";
        let service = if china { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
        let detail = workload::detail(service, facts, std::iter::empty());
        return Some((service.to_owned(), "ec2_role_delivery", detail));
    }
    let (kind, resource) = facts.in_scope_of.as_ref()?;
    let service = match kind.as_str() {
        "AWS::Lambda::Function" => "lambda.amazonaws.com",
        "AWS::EC2::Instance" => "ec2.amazonaws.com",
        "AWS::ECS::Task" => "ecs-tasks.amazonaws.com",
        "AWS::CodeBuild::Project" | "AWS::CodeBuild::Build" => "codebuild.amazonaws.com",
        "AWS::SSM::ManagedInstance" => "ssm.amazonaws.com",
        _ => return None,
    };
    Some((service.to_owned(), "in_scope_of", Some(resource.clone())))
}
