//! Roles that services take.

use super::Story;
use super::people::{FIRST, REGION, role};
use crate::generate::clock::hms;
use crate::generate::json::Obj;
use crate::generate::kinds::{lambda, service_linked};
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "service-linked-role",
    organization: false,
    play,
    page: "# Roles that services take

- RDS takes `AWSServiceRoleForRDS` three times in one second under one session name; its calls show no
  key. **Right answer:** `rds.amazonaws.com` whichever of the three it was; which one cannot be known.
- Inspector takes `AWSServiceRoleForAmazonInspector2`; its calls show the issued key.
  **Right answer:** `inspector2.amazonaws.com`.
- Lambda takes `orders-role-k2x9` under a name such as `awslambda_17_20240501...`, the calls carry the
  function's name `orders-import`, and the issuing record shows no role id: only the key joins them.
  **Right answer:** `lambda.amazonaws.com`.

All calls have depth 1. The issuing records carry a `sharedEventID` whose twin lies in AWS's own account
and is not missing.
",
};

fn play(stage: &mut Stage) {
    let path = |service: &str| format!("/aws-service-role/{service}/");
    let rds = ("rds.amazonaws.com", "AWSServiceRoleForRDS");
    let role_of_rds = role(stage, FIRST, &path(rds.0), rds.1);
    let at = hms(6, 15, 9);
    for _ in 0..3 {
        let of = (&role_of_rds, rds.0);
        let caller = service_linked::start(stage, of, "SLRManagement", at, REGION, Loss::Nothing);
        service_linked::run(stage, &caller.with_key(None), REGION, at, 2);
    }
    let inspector = ("inspector2.amazonaws.com", "AWSServiceRoleForAmazonInspector2");
    let role_of_inspector = role(stage, FIRST, &path(inspector.0), inspector.1);
    let (of, at) = ((&role_of_inspector, inspector.0), hms(6, 40, 0));
    let caller = service_linked::start(stage, of, "MandoService0", at, REGION, Loss::Nothing);
    service_linked::run(stage, &caller, REGION, at, 5);

    let worker = role(stage, FIRST, "/service-role/", "orders-role-k2x9");
    let at = hms(7, 0, 0);
    let mut session = lambda::start(stage, &worker, "orders-import", at, REGION, Loss::Nothing);
    let desk = lambda::desk(stage, "orders-import", REGION);
    stage.series(&session, &desk, at + 2, &["CreateLogStream", "GetItem", "GetObject"]);
    let function = format!("arn:aws:lambda:{REGION}:{FIRST}:function:orders-import");
    let scope = Obj::new()
        .text("issuerType", "AWS::Lambda::Function")
        .text("credentialsIssuedTo", &function);
    session.in_scope_of = Some(scope.done());
    stage.series(&session, &desk, at + 60, &["GetSecretValue", "PutObject"]);
}
