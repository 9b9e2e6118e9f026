//! EKS Pod Identity: the node asks for a pod, and in the same second the service takes the role.

use std::sync::Arc;

use super::ec2;
use super::service_role::{ServiceAsk, assume_by_service};
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::{Desk, REGIONS};
use crate::generate::identity::Caller;
use crate::generate::json::Obj;
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

/// A pod that wants a role.
pub struct Pod<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// The namespace.
    pub namespace: &'a str,
    /// The service account.
    pub account: &'a str,
    /// The pod's name.
    pub name: &'a str,
    /// The role associated with the service account.
    pub role: &'a Arc<Role>,
    /// The node's session.
    pub node: &'a Caller,
    /// Where the node calls from, and the region.
    pub desk: &'a Desk,
    /// When.
    pub at: Seconds,
    /// The caller's half is the node's record, the owner's half the service's.
    pub loss: Loss,
}

/// Writes both records and returns the pod's session. Either of them proves the service.
pub fn start(stage: &mut Stage, pod: &Pod) -> Caller {
    let asked =
        !pod.loss.takes_caller_half() && !stage.folder_lost(pod.node.account(), pod.desk.region);
    if asked {
        let request = Obj::new()
            .text("clusterName", pod.cluster)
            .text("token", "HIDDEN_DUE_TO_SECURITY_REASONS")
            .done();
        let call = Call::read("eks-auth", "AssumeRoleForPodIdentity").request(request);
        stage.tell(pod.node, pod.desk, pod.at, call);
    }
    let name = format!("eks-{}-{}-{}", pod.cluster, pod.name, stage.dice.guid());
    let region = pod.desk.region;
    let cluster_arn =
        format!("arn:aws:eks:{region}:{}:cluster/{}", pod.node.account(), pod.cluster);
    let uid = stage.dice.guid();
    let tags = [
        ("eks-cluster-arn", cluster_arn.as_str()),
        ("eks-cluster-name", pod.cluster),
        ("kubernetes-namespace", pod.namespace),
        ("kubernetes-service-account", pod.account),
        ("kubernetes-pod-name", pod.name),
        ("kubernetes-pod-uid", &uid),
    ];
    let loss = if pod.loss.takes_owner_half() { Loss::Everything } else { Loss::Nothing };
    let service = "pods.eks.amazonaws.com";
    let ask = ServiceAsk {
        lifetime: 6 * HOUR,
        tags: &tags,
        loss,
        ..ServiceAsk::new(service, pod.role, &name, pod.at, region)
    };
    let session = assume_by_service(stage, &ask);
    let behind = if asked { session.behind.clone().proven() } else { session.behind.clone() };
    Caller { behind, ..session }
}

/// A node starts, and one to three of its pods go to work.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let node_role = stage.dice.pick(&cast.members[member].instance_roles).clone();
    let region = *stage.dice.pick(&REGIONS);
    let desk = Desk { region, ..Desk::program(&mut stage.dice) };
    let instance = format!("i-{}", stage.dice.hex(17));
    let [_, node] = ec2::refresh(stage, &node_role, &instance, stage.now, region, Loss::Nothing);
    for n in 0..stage.dice.between(1, 3) {
        let role = cast.role(&mut stage.dice, member);
        let name =
            format!("{}-{}", stage.dice.pick(&["orders", "search", "mail"]), stage.dice.hex(5));
        let pod = Pod {
            cluster: "shop-blue",
            namespace: "shop",
            account: "worker",
            name: &name,
            role: &role,
            node: &node,
            desk: &desk,
            at: stage.now + 30 + n * 40,
            loss: stage.draw_loss(),
        };
        let session = start(stage, &pod);
        stage.work(&session, &desk, pod.at, 1200, (2, 9));
    }
}
