//! GetSessionToken: a user swaps the long-term key for a temporary one, mostly to show MFA. The
//! session is still the user.

use std::sync::Arc;

use super::assume_role::{Assume, assume, credentials, session_name};
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::json::Obj;
use crate::generate::people::User;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

/// Writes the issuing record and returns the user with the temporary key.
pub fn get_session_token(
    stage: &mut Stage,
    user: &Arc<User>,
    desk: &Desk,
    at: Seconds,
    loss: Loss,
) -> Caller {
    let caller = Caller::user(user);
    let key = stage.ids.temporary_key();
    let request = Obj::new()
        .int("durationSeconds", 12 * HOUR)
        .text("serialNumber", &user.mfa_serial())
        .done();
    let response = Obj::new().raw("credentials", &credentials(stage, &key, at + 12 * HOUR)).done();
    if !loss.takes_caller_half() {
        let call = Call::write("sts", "GetSessionToken").request(request).response(response);
        stage.tell(&caller, desk, at, call);
    }
    let behind = caller.behind.clone();
    let session = Caller::temporary(caller.who, behind, key, at);
    Caller { mfa: true, ..session }
}

/// A user shows MFA, works, and takes a role.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, member);
    let desk = Desk::program(&mut stage.dice);
    let loss = stage.draw_loss();
    let session = get_session_token(stage, &user, &desk, stage.now, loss);
    stage.work(&session, &desk, stage.now, 600, (2, 10));
    if stage.dice.chance(600) {
        let there = cast.member(&mut stage.dice);
        let role = cast.role(&mut stage.dice, there);
        let (name, at) = session_name(stage, &role, &user.name, stage.now + 120);
        let loss = stage.draw_loss();
        let ask = Assume { loss, ..Assume::new(&session, &role, &name, at, &desk) };
        let under_role = assume(stage, &ask);
        stage.work(&under_role, &desk, at, 600, (2, 12));
    }
}
