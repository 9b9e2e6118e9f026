//! Failed console sign-ins: whoever typed the name has not shown who they are.

use super::console::login_call;
use crate::generate::cast::Cast;
use crate::generate::clock::Seconds;
use crate::generate::desk::Desk;
use crate::generate::identity::{Caller, Who};
use crate::generate::json::Obj;
use crate::generate::people::User;
use crate::generate::stage::Stage;
use crate::generate::truth::Behind;

/// The user mistypes the password, or with `hidden` the own name, which CloudTrail then hides.
pub fn fail(stage: &mut Stage, user: &User, hidden: bool, desk: &Desk, at: Seconds) {
    let name = if hidden { "HIDDEN_DUE_TO_SECURITY_REASONS" } else { &user.name };
    let block = Obj::new()
        .text("type", "IAMUser")
        .text("accountId", &user.account)
        .text("accessKeyId", "")
        .text("userName", name)
        .done();
    let behind = Behind::own(user.origin()).only_if(false);
    let who = Who::Verbatim { account: user.account.clone(), block };
    let mut call = login_call("Failure", None);
    let message =
        if hidden { "No username found in supplied account" } else { "Failed authentication" };
    call.error_message = Some(message.to_string());
    stage.tell(&Caller::new(who, behind), desk, at, call);
}

/// One to three failures.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, member);
    let desk = Desk::browser(&mut stage.dice);
    for n in 0..stage.dice.between(1, 3) {
        let hidden = stage.dice.chance(300);
        fail(stage, &user, hidden, &desk, stage.now + n * 15);
    }
}
