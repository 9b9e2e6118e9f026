//! AssumeRoot: the management account acts as root of a member account. The calls say Root, and
//! somebody else is behind them.

use std::sync::Arc;

use super::assume_role::{Assume, assume, credentials};
use crate::generate::cast::Cast;
use crate::generate::clock::Seconds;
use crate::generate::desk::{Desk, HOME};
use crate::generate::identity::{Caller, Who};
use crate::generate::json::Obj;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

/// Writes the issuing record into the caller's log and returns the root session of the member.
pub fn assume_root(
    stage: &mut Stage,
    caller: &Caller,
    member: &Arc<str>,
    desk: &Desk,
    at: Seconds,
    loss: Loss,
) -> Caller {
    let key = stage.ids.temporary_key();
    let task = Obj::new()
        .text("arn", "arn:aws:iam::aws:policy/root-task/IAMDeleteRootUserCredentials")
        .done();
    let request = Obj::new()
        .text("targetPrincipal", member)
        .raw("taskPolicyArn", &task)
        .int("durationSeconds", 900)
        .done();
    let response = Obj::new().raw("credentials", &credentials(stage, &key, at + 900)).done();
    let kept = !loss.takes_caller_half() && !stage.folder_lost(caller.account(), desk.region);
    if kept {
        let call = Call::write("sts", "AssumeRoot").request(request).response(response);
        stage.tell(caller, desk, at, call);
    }
    let behind = caller.behind.deeper().only_if(kept);
    let mut root = Caller::temporary(Who::Root(member.clone()), behind, key, at);
    // The documented example leaves the flag out; without the issuing record it is all there is.
    root.assumed_root = !kept || stage.dice.chance(700);
    root
}

/// What somebody with root of a member account does.
pub fn cleanup(stage: &mut Stage, root: &Caller, desk: &Desk, at: Seconds) {
    stage.tell(root, desk, at, Call::read("iam", "GetLoginProfile"));
    stage.tell(root, desk, at + 4, Call::read("iam", "ListAccessKeys"));
    stage.tell(root, desk, at + 9, Call::write("iam", "DeleteLoginProfile"));
}

/// An administrator of the management account cleans up in a member.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.other(&mut stage.dice, 0);
    let user = cast.user(&mut stage.dice, 0);
    let desk = Desk::program(&mut stage.dice).in_region(HOME);
    let mut caller = Caller::user(&user);
    let mut at = stage.now;
    if stage.dice.chance(700) {
        let role = cast.role(&mut stage.dice, 0);
        let (name, loss) = (format!("root-task-{}", stage.dice.hex(8)), stage.draw_loss());
        let ask = Assume { loss, ..Assume::new(&caller, &role, &name, at, &desk) };
        caller = assume(stage, &ask);
        at += 40;
    }
    let loss = stage.draw_loss();
    let root = assume_root(stage, &caller, &cast.members[member].id, &desk, at, loss);
    cleanup(stage, &root, &desk, at + 5);
}
