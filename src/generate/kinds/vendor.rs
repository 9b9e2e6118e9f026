//! A vendor's account, which delivers no logs: only the role owner's half of each call, and of the
//! vendor nothing but account and principal id.

use std::sync::Arc;

use super::assume_role::{Assume, assume};
use crate::generate::cast::Cast;
use crate::generate::desk::Desk;
use crate::generate::identity::{Caller, Who};
use crate::generate::stage::Stage;
use crate::generate::truth::{Behind, Origin};

/// A principal of an account without logs.
pub fn principal(account: &Arc<str>, principal_id: &str) -> Caller {
    let who = Who::Foreign { account: account.clone(), principal_id: principal_id.to_string() };
    Caller::new(who, Behind::own(Origin::of_account("AWSAccount", principal_id, account)))
}

/// A vendor collects data under a role of ours.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let vendor = stage.dice.below(cast.vendors.len() as u64) as usize;
    let id = if vendor.is_multiple_of(2) {
        format!("AROAEXAMPLEVENDOR{vendor:04}:collector")
    } else {
        format!("AIDAEXAMPLEVENDOR{vendor:04}")
    };
    let caller = principal(&cast.vendors[vendor], &id);
    let member = cast.member(&mut stage.dice);
    let role = cast.role(&mut stage.dice, member);
    let desk = Desk::program(&mut stage.dice);
    let (name, loss) = (format!("collector-{}", stage.dice.hex(8)), stage.draw_loss());
    let ask = Assume {
        loss,
        external_id: Some("example-tenant-4711"),
        ..Assume::new(&caller, &role, &name, stage.now, &desk)
    };
    let session = assume(stage, &ask);
    stage.work(&session, &desk, stage.now, 900, (4, 20));
}
