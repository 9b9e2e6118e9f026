//! Machines, jobs and pods that services give roles to.

use super::Story;
use super::people::{FIRST, REGION, role, terminal};
use crate::generate::clock::hms;
use crate::generate::desk::Desk;
use crate::generate::kinds::ec2;
use crate::generate::kinds::pod_identity::{self, Pod};
use crate::generate::kinds::web_identity::{CLUSTER, Token, assume_with_token};
use crate::generate::kinds::workload::{self, Workload};
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "workloads",
    organization: false,
    play,
    page: "# Workloads: tasks, builds, things, pods

Services take roles of 111111111111 for what they run. Each session's origin is the service, depth 1, and
`origin_detail` says which workload it was:

- 06:00 an ECS task (`ecs-tasks.amazonaws.com`), 06:10 a build (`codebuild.amazonaws.com`), 06:20 a machine
  that Systems Manager manages (`ssm.amazonaws.com`, `mi-...`), 06:30 a thing of IoT
  (`credentials.iot.amazonaws.com`).
- 07:00:30, 07:01:30 pods of the node `i-0f00000000000000e` get `OrdersRole` by Pod Identity
  (`pods.eks.amazonaws.com`). For the pod `orders-1` both records are there, and the session tags name
  cluster, namespace, service account and pod. For the pod `orders-2` only the node's `AssumeRoleForPodIdentity`
  is: it shows no key, so that link is inferred.
- 07:10 a pod of another cluster shows its own token (IAM roles for service accounts). **Right answer:**
  `system:serviceaccount:mail:sender`, `WebIdentityUser`.
",
};

fn play(stage: &mut Stage) {
    let desk = terminal("192.0.2.80");
    for (n, workload) in Workload::ALL.into_iter().enumerate() {
        let name = ["OrdersTaskRole", "BuildRole", "PlantGatewayRole", "PressRole"][n];
        let role = role(stage, FIRST, "/", name);
        let at = hms(6, n as i64 * 10, 0);
        let session = workload::start(stage, workload, &role, at, REGION, Loss::Nothing);
        stage.series(&session, &desk, at + 5, &["GetObject", "PutObject"]);
    }
    pods(stage);
    let sender = role(stage, FIRST, "/", "MailSenderRole");
    let ask = Token {
        issuer: CLUSTER,
        subject: "system:serviceaccount:mail:sender",
        role: &sender,
        session: "aws-sdk-java-1714547400000",
        at: hms(7, 10, 0),
        desk: &desk,
        loss: Loss::Nothing,
    };
    let session = assume_with_token(stage, &ask);
    stage.series(&session, &desk, hms(7, 10, 2), &["GetQueueAttributes", "Decrypt"]);
}

fn pods(stage: &mut Stage) {
    let node_role = role(stage, FIRST, "/", "ShopNodeRole");
    let orders = role(stage, FIRST, "/", "OrdersRole");
    let agent = "aws-sdk-go-v2/1.26.1 os/linux lang/go#1.22.2 md/GOOS#linux md/GOARCH#amd64";
    let desk = Desk::new("192.0.2.81", agent, REGION);
    let instance = "i-0f00000000000000e";
    let [_, node] = ec2::refresh(stage, &node_role, instance, hms(7, 0, 0), REGION, Loss::Nothing);
    for (name, at, loss) in
        [("orders-1", hms(7, 0, 30), Loss::Nothing), ("orders-2", hms(7, 1, 30), Loss::OwnerHalf)]
    {
        let pod = Pod {
            cluster: "shop-blue",
            namespace: "shop",
            account: "orders",
            name,
            role: &orders,
            node: &node,
            desk: &desk,
            at,
            loss,
        };
        let session = pod_identity::start(stage, &pod);
        stage.series(&session, &desk, at + 3, &["GetItem", "GetSecretValue", "PutObject"]);
    }
}
