//! EKS Pod Identity: `eks-auth:AssumeRoleForPodIdentity`, called by the node for a pod.
//!
//! It shows neither key nor role: those stand in the `sts:AssumeRole` that `pods.eks.amazonaws.com` makes
//! in the same second, with cluster, namespace, service account and pod as session tags. Where that
//! record is missing, this one stands in for it: the session is named `eks-<cluster>-<pod>-<uuid>`.
//! Source: Amazon EKS User Guide, "Grant Pods access to AWS resources based on tags".

use super::reading::{Reading, find};
use super::{Caller, Grant, Join, Kind};
use crate::decode::actor;

/// The service that assumes the role.
pub const SERVICE: &str = "pods.eks.amazonaws.com";

pub(super) const KIND: Kind =
    Kind { name: "AssumeRoleForPodIdentity", sources: &["eks-auth.amazonaws.com"], fill };

fn fill(reading: &Reading, grant: &mut Grant) {
    grant.join = Join::PodIdentity;
    let child = &mut grant.child;
    "AssumedRole".clone_into(&mut child.identity_type);
    child.account_id =
        grant.recipient_account_id.clone().or_else(|| grant.caller.account_id.clone());
    // The beginning of the session's name, as far as it is known.
    child.session_name = find(&reading.request, "clusterName").map(|name| format!("eks-{name}-"));
    grant.principal = Some(Box::new(Caller {
        identity_type: Some("AWSService".to_owned()),
        invoked_by: Some(SERVICE.to_owned()),
        credential_id: actor::credential_of_service(SERVICE),
        ..Caller::default()
    }));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::grants::Join;
    use crate::grants::tests::read;

    #[test]
    fn the_node_calls_and_the_service_acts() {
        let node = json!({"type": "AssumedRole", "principalId": "AROAEXAMPLE:i-0a", "accountId": "111111111111",
            "sessionContext": {"attributes": {"creationDate": "2024-05-01T08:00:00Z"}}});
        let request = json!({"clusterName": "shop", "token": "HIDDEN_DUE_TO_SECURITY_REASONS"});
        let grant =
            read("eks-auth", "AssumeRoleForPodIdentity", &node, request, json!(null)).unwrap();
        assert_eq!(grant.join, Join::PodIdentity);
        assert_eq!(grant.child.session_name.as_deref(), Some("eks-shop-"));
        assert_eq!(grant.caller.principal_id.as_deref(), Some("AROAEXAMPLE:i-0a"));
        let service = grant.principal.unwrap();
        assert_eq!(service.invoked_by.as_deref(), Some("pods.eks.amazonaws.com"));
        let again = json!({"type": "AWSService", "invokedBy": "pods.eks.amazonaws.com"});
        let sts = read("sts", "AssumeRole", &again, json!({}), json!({})).unwrap();
        assert_eq!(sts.caller.credential_id, service.credential_id);
    }
}
