//! `aws login`: a console session signs in a program. The program's key is announced nowhere; its calls
//! show principal and creation date of the console session, or, for an agent, a sign-in session of
//! their own.

use super::console;
use super::switch_role;
use crate::generate::cast::Cast;
use crate::generate::clock::{MINUTE, Seconds};
use crate::generate::desk::{CLI, Desk, HOME};
use crate::generate::identity::Caller;
use crate::generate::json::Obj;
use crate::generate::record::Call;
use crate::generate::stage::Stage;

/// What is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A command line on the same device.
    CommandLine,
    /// An agent with a sign-in session of its own.
    Agent,
}

/// The session authorizes the program in the browser, and the program fetches its token; returns the
/// program's credential.
pub fn login(
    stage: &mut Stage,
    session: &Caller,
    program: Program,
    browser: &Desk,
    at: Seconds,
) -> Caller {
    let authorizing = session.with_key(None);
    let client = Obj::new().text("client_id", "arn:aws:signin:::devtools/same-device").done();
    let call = |name| Call::write("signin", name).request(client.clone());
    stage.tell(&authorizing, browser, at, call("AuthorizeOAuth2Access"));
    let mut token = call("CreateOAuth2Token");
    let key = Some(stage.ids.temporary_key());
    let mut child = session.with_key(key);
    if program == Program::Agent {
        let id = stage.dice.guid();
        let arn = format!("arn:aws:signin:{}:{}:session/{id}", browser.region, session.account());
        token = token.additional(Obj::new().text("signInSessionArn", &arn).done());
        child.created = Some(at + 2);
        child.sign_in_session = Some(arn);
    }
    let desk = Desk { agent: CLI.to_string(), ..browser.clone() };
    stage.tell(&authorizing, &desk, at + 2, token);
    child
}

/// A user, sometimes under a role of the console, signs in a command line or an agent.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, home);
    let desk = Desk::browser(&mut stage.dice).in_region(HOME);
    let mut at = stage.now;
    let mut session = console::user_login(stage, &user, &desk, at);
    if stage.dice.chance(600) {
        let there = cast.member(&mut stage.dice);
        let role = cast.role(&mut stage.dice, there);
        at = stage.free_second(&role.session_id(&user.name), at + MINUTE);
        let loss = stage.draw_loss();
        let name = user.name.clone();
        session = switch_role::switch(stage, &session, &name, &role, &desk, at, loss);
    }
    console::browse(stage, &session, &desk, at, (1, 5));
    let program = if stage.dice.chance(400) { Program::Agent } else { Program::CommandLine };
    let child = login(stage, &session, program, &desk, at + 5 * MINUTE);
    let cli = Desk { agent: CLI.to_string(), ..desk };
    stage.work(&child, &cli, at + 6 * MINUTE, 1200, (3, 12));
}
