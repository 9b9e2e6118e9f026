//! Which machine, function, task, pod or thing a service's session belongs to: what tells the origins
//! `ec2.amazonaws.com`, `lambda.amazonaws.com` and so on apart.
//!
//! Services choose these session names themselves. Sources: the services' guides; names of CodeBuild,
//! ECS, IoT and Systems Manager sessions are not documented as such.

use serde_json::Value;

use super::facts::CredentialFacts;
use crate::grants::Grant;
use crate::grants::pod_identity;

/// What tells the sessions of one service apart; `grants` are the events that may have issued it.
pub(super) fn detail<'g>(
    service: &str,
    facts: &CredentialFacts,
    grants: impl Iterator<Item = &'g Grant>,
) -> Option<String> {
    if let Some((_, resource)) = &facts.in_scope_of {
        return Some(resource.clone());
    }
    if service.starts_with(pod_identity::SERVICE) {
        return pod(facts, grants);
    }
    Some(named(service, facts.session_name()?))
}

/// A session name in the words of the service that chose it.
fn named(service: &str, name: &str) -> String {
    let service = service.split(".amazonaws.com").next().unwrap_or(service);
    match (service, name) {
        ("ec2", name) => format!("instance {name}"),
        ("lambda", name) => format!("function {name}"),
        ("ecs-tasks", name) => format!("task {name}"),
        ("ssm", name) if name.starts_with("mi-") => format!("managed instance {name}"),
        ("ssm", name) if name.starts_with("i-") => format!("instance {name}"),
        ("codebuild", name) => {
            format!("build {}", name.strip_prefix("AWSCodeBuild-").unwrap_or(name))
        }
        ("credentials.iot", name) if is_certificate(name) => format!("certificate {name}"),
        ("credentials.iot", name) => format!("thing {name}"),
        ("rolesanywhere", name) => format!("certificate {name}"),
        (_, name) => format!("session {name}"),
    }
}

/// IoT names certificates by 64 hexadecimal digits.
fn is_certificate(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Cluster, namespace, service account and pod: from the session tags of the issuing event, where all
/// that fit agree; else what the session name tells.
fn pod<'g>(facts: &CredentialFacts, mut grants: impl Iterator<Item = &'g Grant>) -> Option<String> {
    let name = facts.session_name()?;
    let first = grants.next();
    let told = first.and_then(|grant| pod_by_tags(grant).or_else(|| pod_by_name(grant, name)));
    let agreed =
        grants.all(|grant| pod_by_tags(grant).or_else(|| pod_by_name(grant, name)) == told);
    told.filter(|_| agreed).or_else(|| Some(format!("session {name}")))
}

fn pod_by_tags(grant: &Grant) -> Option<String> {
    let tags: Value = serde_json::from_str(grant.tags.as_deref()?).ok()?;
    let tag = |name: &str| tags.get(name)?.as_str().filter(|value| !value.is_empty());
    let parts = [
        ("cluster", tag("eks-cluster-name")),
        ("namespace", tag("kubernetes-namespace")),
        ("service account", tag("kubernetes-service-account")),
        ("pod", tag("kubernetes-pod-name")),
    ];
    let parts: Vec<String> =
        parts.iter().filter_map(|(what, name)| Some(format!("{what} {}", (*name)?))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `eks-<cluster>-<pod>-<uuid>`, where the cluster is known.
fn pod_by_name(grant: &Grant, name: &str) -> Option<String> {
    const UUID: usize = 36;
    let start = grant.child.session_name.as_deref().filter(|start| start.ends_with('-'))?;
    let cluster = start.strip_prefix("eks-")?.strip_suffix('-')?;
    let rest = name.strip_prefix(start)?;
    let pod = rest.get(..rest.len().checked_sub(UUID + 1)?).filter(|pod| !pod.is_empty());
    Some(match pod {
        Some(pod) => format!("cluster {cluster}, pod {pod}"),
        None => format!("cluster {cluster}"),
    })
}

/// Says in the detail that a product provider acted by delegated access. The origin stays: it is who
/// delegated. Source: CloudTrail User Guide, "CloudTrail userIdentity element", invokedByDelegate.
pub(super) fn note_delegate(facts: &CredentialFacts, detail: &mut Option<String>) {
    let Some(account) = &facts.delegate_account_id else { return };
    let delegate = if facts.delegated == facts.events {
        format!("delegated to account {account}")
    } else {
        format!("delegated to account {account} in {} of {} calls", facts.delegated, facts.events)
    };
    match detail {
        Some(detail) if detail.contains(&delegate) => {}
        Some(detail) => detail.push_str(&format!(", {delegate}")),
        None => *detail = Some(delegate),
    }
}

/// Namespace and service account of a Kubernetes token's subject, which IAM roles for service accounts
/// show as `system:serviceaccount:<namespace>:<service account>`.
pub(super) fn service_account(subject: &str) -> Option<String> {
    let (namespace, account) = subject.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    Some(format!("namespace {namespace}, service account {account}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str) -> CredentialFacts {
        CredentialFacts {
            identity_type: Some("AssumedRole".to_owned()),
            principal_id: Some(format!("AROAEXAMPLE:{name}")),
            ..CredentialFacts::default()
        }
    }

    #[test]
    fn each_service_names_its_workloads() {
        let certificate = "ab".repeat(32);
        for (service, name, expected) in [
            ("ec2.amazonaws.com", "i-0a", "instance i-0a"),
            ("ec2.amazonaws.com.cn", "i-0a", "instance i-0a"),
            ("lambda.amazonaws.com", "orders", "function orders"),
            ("ecs-tasks.amazonaws.com", "0f1e", "task 0f1e"),
            ("ssm.amazonaws.com", "mi-0a", "managed instance mi-0a"),
            ("ssm.amazonaws.com", "i-0a", "instance i-0a"),
            ("codebuild.amazonaws.com", "AWSCodeBuild-1-2", "build 1-2"),
            ("credentials.iot.amazonaws.com", "press-7", "thing press-7"),
            ("credentials.iot.amazonaws.com", &certificate, &format!("certificate {certificate}")),
            ("rds.amazonaws.com", "SLRManagement", "session SLRManagement"),
        ] {
            let told = detail(service, &facts(name), std::iter::empty());
            assert_eq!(told.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_subject_of_a_cluster_is_a_service_account() {
        let told = service_account("system:serviceaccount:shop:orders");
        assert_eq!(told.as_deref(), Some("namespace shop, service account orders"));
        assert_eq!(service_account("repo:example/shop"), None);
    }
}
