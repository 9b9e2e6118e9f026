//! EC2 instances: at every refresh two keys in one second, one for each version of the metadata
//! service.

use std::sync::Arc;

use super::service_role::{ServiceAsk, assume_by_service};
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, MINUTE, Seconds};
use crate::generate::desk::{Desk, REGIONS};
use crate::generate::identity::Caller;
use crate::generate::people::{Role, partition};
use crate::generate::stage::{Loss, Stage};

/// Credentials of one refresh: for version 1 and version 2 of the metadata service.
///
/// `ec2RoleDelivery` in the calls proves the service even where the issuing records are lost.
pub fn refresh(
    stage: &mut Stage,
    role: &Arc<Role>,
    instance: &str,
    at: Seconds,
    region: &'static str,
    loss: Loss,
) -> [Caller; 2] {
    let service = match partition(&role.account) {
        "aws-cn" => "ec2.amazonaws.com.cn",
        _ => "ec2.amazonaws.com",
    };
    ["1.0", "2.0"].map(|version| {
        let ask = ServiceAsk {
            lifetime: 6 * HOUR + 35 * MINUTE,
            shows_user: false,
            loss,
            ..ServiceAsk::new(service, role, instance, at, region)
        };
        let mut session = assume_by_service(stage, &ask);
        session.behind = session.behind.proven();
        session.ec2_delivery = Some(version);
        session
    })
}

/// A machine works through a few refreshes.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let role = stage.dice.pick(&cast.members[member].instance_roles).clone();
    let instance = format!("i-{}", stage.dice.hex(17));
    let region = *stage.dice.pick(&REGIONS);
    let desk = Desk { region, ..Desk::program(&mut stage.dice) };
    let mut at = stage.now;
    for _ in 0..stage.dice.between(1, 3) {
        let loss = stage.draw_loss();
        let [old, new] = refresh(stage, &role, &instance, at, region, loss);
        stage.work(&new, &desk, at, 3000, (3, 14));
        if stage.dice.chance(400) {
            stage.work(&old, &desk, at, 3000, (1, 4));
        }
        at += HOUR + stage.dice.between(-120, 120);
    }
}
