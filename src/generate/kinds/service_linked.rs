//! Service-linked roles: their path names the service, and many of their calls show no key.

use std::sync::Arc;

use super::service_role::{ServiceAsk, assume_by_service};
use crate::generate::cast::Cast;
use crate::generate::clock::Seconds;
use crate::generate::desk::{Desk, REGIONS};
use crate::generate::identity::Caller;
use crate::generate::people::Role;
use crate::generate::stage::{Loss, Stage};

/// The service takes its role; the path of the role proves the service even without this record.
pub fn start(
    stage: &mut Stage,
    (role, service): (&Arc<Role>, &'static str),
    session: &str,
    at: Seconds,
    region: &'static str,
    loss: Loss,
) -> Caller {
    let ask =
        ServiceAsk { lifetime: 900, loss, ..ServiceAsk::new(service, role, session, at, region) };
    let mut caller = assume_by_service(stage, &ask);
    caller.behind = caller.behind.proven();
    caller.invoked_by = Some(service);
    caller
}

/// Calls of a service under its role, made from inside AWS.
pub fn run(stage: &mut Stage, caller: &Caller, region: &'static str, at: Seconds, count: i64) {
    let desk = Desk::service(caller.invoked_by.unwrap_or("AWS Internal"), region);
    for n in 0..count {
        let name = *stage.dice.pick(&[
            "DescribeInstances",
            "DescribeSecurityGroups",
            "DescribeVolumes",
            "DescribeKey",
            "CreateTags",
            "DescribeDBInstances",
        ]);
        stage.named(caller, &desk, at + 1 + n, name);
    }
}

/// A service looks after its resources; three times of four without a key.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let (role, service) = stage.dice.pick(&cast.members[member].linked).clone();
    let region = *stage.dice.pick(&REGIONS);
    let session = match service {
        "rds.amazonaws.com" => "SLRManagement".to_string(),
        "inspector2.amazonaws.com" => format!("MandoService{}", stage.dice.below(4)),
        "config.amazonaws.com" => "AWSConfig-Describe".to_string(),
        _ => "AutoScaling".to_string(),
    };
    let (at, loss) = (stage.now, stage.draw_loss());
    let mut caller = start(stage, (&role, service), &session, at, region, loss);
    if stage.dice.chance(750) {
        caller.key = None;
    }
    let count = stage.dice.between(3, 20);
    run(stage, &caller, region, at, count);
}
