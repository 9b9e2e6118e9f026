//! Credentials of the API taken to the console: GetSigninToken, then a console session of the same
//! principal. Whether that keeps the creation date is not documented, so both are played.

use super::assume_role::{Assume, assume};
use super::console;
use super::federation_token::get_federation_token;
use crate::generate::cast::Cast;
use crate::generate::clock::{MINUTE, Seconds};
use crate::generate::desk::{Desk, HOME};
use crate::generate::identity::Caller;
use crate::generate::record::Call;
use crate::generate::stage::Stage;

/// The session asks for a sign-in token.
pub fn get_signin_token(stage: &mut Stage, session: &Caller, desk: &Desk, at: Seconds) {
    let call = Call::read("signin", "GetSigninToken").kind("AwsConsoleSignIn");
    stage.tell(session, desk, at, call);
}

/// The console session that follows, with a sign-in event and a creation date of its own.
pub fn arrive(stage: &mut Stage, session: &Caller, desk: &Desk, at: Seconds) -> Caller {
    let arriving = Caller { key: None, created: None, ..session.clone() };
    stage.tell(&arriving, desk, at, console::login_call("Success", None));
    Caller { created: Some(at), ..arriving }
}

/// A role or federated session goes to the console.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let there = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, home);
    let desk = Desk::program(&mut stage.dice).in_region(HOME);
    let browser = Desk::browser(&mut stage.dice).in_region(HOME);
    let (at, loss) = (stage.now, stage.draw_loss());
    let session = if stage.dice.chance(250) {
        let name = format!("broker-{}", stage.dice.hex(8));
        get_federation_token(stage, &user, &name, &desk, at, loss)
    } else {
        let role = cast.role(&mut stage.dice, there);
        let name = format!("console-{}", stage.dice.hex(8));
        let caller = Caller::user(&user);
        assume(stage, &Assume { loss, ..Assume::new(&caller, &role, &name, at, &desk) })
    };
    stage.work(&session, &desk, at, 120, (1, 4));
    get_signin_token(stage, &session, &desk, at + 2 * MINUTE);
    let console = if stage.dice.chance(500) {
        arrive(stage, &session, &browser, at + 3 * MINUTE)
    } else {
        session.with_key(None)
    };
    console::browse(stage, &console, &browser, at + 3 * MINUTE, (3, 12));
}
