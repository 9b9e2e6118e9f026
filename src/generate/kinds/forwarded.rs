//! Forward access sessions: a service calls another one with the caller's authority, under a key
//! that no call ever issued.

use super::assume_role::{Assume, assume};
use crate::generate::cast::Cast;
use crate::generate::clock::Seconds;
use crate::generate::desk::{Desk, HOME};
use crate::generate::identity::Caller;
use crate::generate::stage::Stage;

const SERVICES: [&str; 5] = [
    "cloudformation.amazonaws.com",
    "athena.amazonaws.com",
    "lambda.amazonaws.com",
    "s3.amazonaws.com",
    "autoscaling.amazonaws.com",
];

/// Calls made by a service in the caller's name.
///
/// They keep principal and creation date of a session; where the caller used a long-term key, the
/// forward session has a creation date of its own.
pub fn forward(stage: &mut Stage, caller: &Caller, desk: &Desk, at: Seconds, count: i64) {
    let service = *stage.dice.pick(&SERVICES);
    let mut forwarded = caller.with_key(Some(stage.ids.temporary_key()));
    forwarded.invoked_by = Some(service);
    forwarded.created = caller.created.or(Some(at));
    let desk = Desk::service(service, desk.region);
    for n in 0..count {
        let at = at + n + stage.dice.between(0, 20);
        let name = *stage.dice.pick(&["Decrypt", "GenerateDataKey", "DescribeKey", "GetRole"]);
        stage.named(&forwarded, &desk, at, name);
    }
}

/// A user or a role session calls a service which calls further services.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, home);
    let desk = Desk::program(&mut stage.dice).in_region(HOME);
    let mut caller = Caller::user(&user);
    let at = stage.now;
    if stage.dice.chance(600) {
        let there = cast.member(&mut stage.dice);
        let role = cast.role(&mut stage.dice, there);
        let name = format!("stack-{}", stage.dice.hex(12));
        let loss = stage.draw_loss();
        let ask = Assume { loss, ..Assume::new(&caller, &role, &name, at, &desk) };
        caller = assume(stage, &ask);
    }
    stage.work(&caller, &desk, at, 300, (1, 8));
    let count = stage.dice.between(1, 12);
    forward(stage, &caller, &desk, at + 30, count);
}
