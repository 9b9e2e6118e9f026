//! Lambda functions: the issuing call shows another session name than the calls, and no
//! `assumedRoleUser`.

use std::sync::Arc;

use super::service_role::{ServiceAsk, assume_by_service};
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds, digits};
use crate::generate::desk::{Desk, REGIONS};
use crate::generate::identity::{Caller, Who};
use crate::generate::people::Role;
use crate::generate::stage::{Loss, Stage};

/// A function gets credentials; its calls carry the function's name.
pub fn start(
    stage: &mut Stage,
    role: &Arc<Role>,
    function: &str,
    at: Seconds,
    region: &'static str,
    loss: Loss,
) -> Caller {
    let number = stage.dice.below(900);
    let name = format!("awslambda_{number}_{}{:03}", digits(at), stage.dice.below(1000));
    let ask = ServiceAsk {
        lifetime: 2 * HOUR,
        shows_user: false,
        loss,
        ..ServiceAsk::new("lambda.amazonaws.com", role, &name, at, region)
    };
    let mut session = assume_by_service(stage, &ask);
    session.who = Who::Role { role: role.clone(), session: function.to_string() };
    session
}

/// Where a function calls from.
pub fn desk(stage: &mut Stage, function: &str, region: &'static str) -> Desk {
    let agent = format!(
        "Boto3/1.34.84 md/Botocore#1.34.84 ua/2.0 os/linux#5.10.213 md/arch#x86_64 lang/python#3.12.2 exec-env/AWS_Lambda_python3.12 app/{function}"
    );
    Desk::new(&stage.dice.address(), &agent, region)
}

/// A function runs.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let role = stage.dice.pick(&cast.members[member].function_roles).clone();
    let region = *stage.dice.pick(&REGIONS);
    let function = *stage.dice.pick(&["orders-import", "thumbnails", "invoice-mailer"]);
    let desk = desk(stage, function, region);
    let loss = stage.draw_loss();
    let session = start(stage, &role, function, stage.now, region, loss);
    stage.work(&session, &desk, stage.now, 1800, (4, 24));
}
