//! Some programs assume a role twice within a second and use only one of the two keys.

use super::assume_role::{Assume, assume};
use crate::generate::cast::Cast;
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::stage::Stage;

/// Assumes twice in the same second; returns the session whose key will be used.
pub fn assume_twice(stage: &mut Stage, ask: &Assume) -> Caller {
    let first = assume(stage, ask);
    let second = assume(stage, ask);
    if stage.dice.chance(500) { first } else { second }
}

/// A user's program assumes twice and works with one key.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let there = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, home);
    let role = cast.role(&mut stage.dice, there);
    let desk = Desk::program(&mut stage.dice);
    let caller = Caller::user(&user);
    let name = format!("aws-go-sdk-{}{}", stage.now, stage.dice.digits(9));
    // Both issues are lost together: with one left, nobody could say that there was another.
    let loss = stage.draw_loss();
    let ask = Assume { loss, ..Assume::new(&caller, &role, &name, stage.now, &desk) };
    let session = assume_twice(stage, &ask);
    stage.work(&session, &desk, stage.now, 600, (3, 15));
}
