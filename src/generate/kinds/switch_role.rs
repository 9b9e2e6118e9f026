//! Switching role in the console: three records in one second, and a key that was never shown.

use std::sync::Arc;

use super::assume_role::{Assume, assume};
use super::console;
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::json::Obj;
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

/// A console session switches to a role; returns the new session, without a key.
///
/// The session name is the user's; the SwitchRole event belongs to the new session.
pub fn switch(
    stage: &mut Stage,
    from: &Caller,
    name: &str,
    role: &Arc<Role>,
    desk: &Desk,
    at: Seconds,
    loss: Loss,
) -> Caller {
    hop(stage, "SwitchRole", (from, name), role, desk, at, loss)
}

/// The same under another event name: `RenewRole` refreshes a session of the role.
pub fn hop(
    stage: &mut Stage,
    event_name: &'static str,
    (from, name): (&Caller, &str),
    role: &Arc<Role>,
    desk: &Desk,
    at: Seconds,
    loss: Loss,
) -> Caller {
    let console_key = Some(stage.ids.temporary_key());
    let caller = from.with_key(console_key);
    let ask = Assume { console: true, loss, ..Assume::new(&caller, role, name, at, desk) };
    let session = assume(stage, &ask).with_key(None);
    // SwitchFrom names the caller, so the event is lost together with the copy beside it.
    let cross = caller.account() != &*role.account;
    let lost = if cross { loss.takes_owner_half() } else { loss.takes_caller_half() };
    if !lost {
        let arriving = Caller { created: None, ..session.clone() };
        stage.tell(&arriving, desk, at, event(event_name, &from.arn(), role));
    }
    session
}

/// Leaves the role: an end, and nothing is issued. The record shows no creation date, so it cannot be said
/// which session of that name ended.
pub fn exit(stage: &mut Stage, session: &Caller, desk: &Desk, at: Seconds) {
    let mut leaving = Caller { created: None, ..session.with_key(None) };
    leaving.behind.provable = false;
    let call = Call::write("signin", "ExitRole")
        .kind("AwsConsoleSignIn")
        .response(Obj::new().text("ExitRole", "Success").done());
    stage.tell(&leaving, desk, at, call);
}

fn event(name: &'static str, from: &str, role: &Role) -> Call {
    let redirect = format!(
        "https://eu-west-1.console.aws.amazon.com/console/home?account={}&role={}",
        role.account, role.name
    );
    Call::write("signin", name)
        .kind("AwsConsoleSignIn")
        .response(Obj::new().text(name, "Success").done())
        .additional(Obj::new().text("SwitchFrom", from).text("RedirectTo", &redirect).done())
}

/// A user signs in, looks around, switches role and goes on.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let there = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, home);
    let role = cast.role(&mut stage.dice, there);
    let desk = Desk::browser(&mut stage.dice);
    let session = console::user_login(stage, &user, &desk, stage.now);
    console::browse(stage, &session, &desk, stage.now, (2, 8));
    let at = stage.free_second(&role.session_id(&user.name), stage.now + 300);
    let loss = stage.draw_loss();
    let switched = switch(stage, &session, &user.name, &role, &desk, at, loss);
    console::browse(stage, &switched, &desk, at, (4, 16));
    if stage.dice.chance(300) {
        let at = stage.free_second(&role.session_id(&user.name), at + HOUR);
        let loss = stage.draw_loss();
        let of = (&session, user.name.as_str());
        let renewed = hop(stage, "RenewRole", of, &role, &desk, at, loss);
        console::browse(stage, &renewed, &desk, at, (1, 6));
        exit(stage, &renewed, &desk, at + 1300);
    }
}
