//! An IAM user with the long-term key: the simplest actor, who names itself in every record.

use crate::generate::cast::Cast;
use crate::generate::desk::{Desk, HOME};
use crate::generate::identity::Caller;
use crate::generate::stage::Stage;

/// A user at work.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, member);
    let desk = Desk::program(&mut stage.dice);
    stage.work(&Caller::user(&user), &desk, stage.now, 600, (3, 25));
}

/// One call that is never lost: fills what is left of a stretch.
pub fn one_call(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, member);
    let desk = Desk::program(&mut stage.dice).in_region(HOME);
    stage.named(&Caller::user(&user), &desk, stage.now, "GetCallerIdentity");
}

/// Shows every user once with id and ARN together, in a folder that is never lost. From then on a
/// user's unique id alone names the user.
pub fn roll_call(stage: &mut Stage, cast: &Cast) {
    for user in cast.members.iter().flat_map(|member| &member.users) {
        let desk = Desk::program(&mut stage.dice).in_region(HOME);
        let at = stage.now + stage.dice.between(0, 300);
        stage.named(&Caller::user(user), &desk, at, "GetCallerIdentity");
    }
}
