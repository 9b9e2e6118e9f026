//! Chains of roles up to five deep, over several accounts, with loops A→B→A and roles that assume
//! themselves.

use std::sync::Arc;

use super::assume_role::{Assume, assume, session_name};
use crate::generate::cast::Cast;
use crate::generate::clock::HOUR;
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::people::Role;
use crate::generate::stage::Stage;

/// A user takes role after role and works a little under each.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, home);
    let desk = Desk::program(&mut stage.dice);
    let mut caller = Caller::user(&user);
    let mut at = stage.now;
    for role in itinerary(stage, cast, home) {
        let (name, free) = session_name(stage, &role, &user.name, at);
        let loss = stage.draw_loss();
        let duration = stage.dice.chance(300).then_some(HOUR);
        let ask = Assume { loss, duration, ..Assume::new(&caller, &role, &name, free, &desk) };
        caller = assume(stage, &ask);
        // Some sessions do nothing but take the next role.
        stage.work(&caller, &desk, free, 240, (0, 9));
        at = free + stage.dice.between(5, 300);
    }
}

/// The roles of one chain, in order.
fn itinerary(stage: &mut Stage, cast: &Cast, home: usize) -> Vec<Arc<Role>> {
    let near = cast.role(&mut stage.dice, home);
    let away = cast.other(&mut stage.dice, home);
    let far = cast.role(&mut stage.dice, away);
    match stage.dice.below(5) {
        0 => vec![near.clone(), far, near],
        1 => vec![near.clone(), near.clone(), near],
        2 => vec![near.clone(), far.clone(), near, far],
        _ => {
            let depth = stage.dice.between(2, 5);
            (0..depth).map(|_| anywhere(stage, cast)).collect()
        }
    }
}

fn anywhere(stage: &mut Stage, cast: &Cast) -> Arc<Role> {
    let member = cast.member(&mut stage.dice);
    cast.role(&mut stage.dice, member)
}
