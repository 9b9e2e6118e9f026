//! Two callers take one role under one session name in one second. The keys still tell them apart;
//! a forwarded call, which shows a key of its own, belongs to either.

use super::assume_role::{Assume, assume};
use super::forwarded;
use crate::generate::cast::Cast;
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::stage::Stage;

/// Two users of one account collide.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let there = cast.member(&mut stage.dice);
    let role = cast.role(&mut stage.dice, there);
    let desk = Desk::program(&mut stage.dice);
    let users = &cast.members[home].users;
    let name = format!("nightly-{}", stage.dice.hex(10));
    let (at, loss) = (stage.now, stage.draw_loss());
    let sessions: Vec<Caller> = [&users[0], &users[1]]
        .map(|user| {
            let caller = Caller::user(user);
            let ask = Assume { loss, ..Assume::new(&caller, &role, &name, at, &desk) };
            assume(stage, &ask)
        })
        .into();
    for session in &sessions {
        stage.work(session, &desk, at, 300, (3, 10));
    }
    forward_by_either(stage, &sessions[0], &desk, at + 120);
}

/// A forwarded call of a session whose principal and second fit two callers: nobody can say whose.
pub fn forward_by_either(stage: &mut Stage, session: &Caller, desk: &Desk, at: i64) {
    let mut session = session.clone();
    session.behind.provable = false;
    forwarded::forward(stage, &session, desk, at, 1);
}
