//! Console sign-in: no key is shown, and the session that follows uses several.

use std::sync::Arc;

use crate::generate::calls;
use crate::generate::cast::Cast;
use crate::generate::clock::Seconds;
use crate::generate::desk::{Desk, HOME};
use crate::generate::identity::{Caller, Who};
use crate::generate::json::Obj;
use crate::generate::people::User;
use crate::generate::record::Call;
use crate::generate::stage::Stage;
use crate::generate::truth::Behind;

/// A ConsoleLogin call with its outcome.
pub fn login_call(outcome: &str, mfa: Option<&str>) -> Call {
    let additional = Obj::new()
        .text("LoginTo", "https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true")
        .text("MobileVersion", "No")
        .maybe("MFAIdentifier", mfa)
        .text("MFAUsed", if mfa.is_some() { "Yes" } else { "No" });
    Call::write("signin", "ConsoleLogin")
        .kind("AwsConsoleSignIn")
        .response(Obj::new().text("ConsoleLogin", outcome).done())
        .additional(additional.done())
}

/// An IAM user signs in with MFA; returns the console session, without a key.
pub fn user_login(stage: &mut Stage, user: &Arc<User>, desk: &Desk, at: Seconds) -> Caller {
    let behind = Behind::own(user.origin());
    let signing_in = Caller::new(Who::User(user.clone()), behind);
    stage.tell(&signing_in, desk, at, login_call("Success", Some(&user.mfa_serial())));
    Caller { created: Some(at), mfa: true, ..signing_in }
}

/// The root user signs in; returns the console session, without a key.
pub fn root_login(stage: &mut Stage, account: &Arc<str>, desk: &Desk, at: Seconds) -> Caller {
    let session = Caller::root(account, String::new(), at);
    let signing_in = Caller { created: None, ..session.clone() };
    stage.tell(&signing_in, desk, at, login_call("Success", None));
    session.with_key(None)
}

/// A role session arrives in the console, as the browser's SAML or portal sign-in ends.
pub fn role_login(stage: &mut Stage, session: &Caller, desk: &Desk, at: Seconds) {
    let shows_context = stage.dice.chance(500);
    let created = session.created.filter(|_| shows_context);
    let arriving = Caller { key: None, created, ..session.clone() };
    stage.tell(&arriving, desk, at, login_call("Success", None));
}

/// Calls of a console session: two to five keys, and only some calls say that they come from there.
pub fn browse(
    stage: &mut Stage,
    session: &Caller,
    desk: &Desk,
    from: Seconds,
    (least, most): (i64, i64),
) {
    let keys: Vec<Caller> = (0..stage.dice.between(2, 5))
        .map(|_| session.with_key(Some(stage.ids.temporary_key())))
        .collect();
    for _ in 0..stage.dice.between(least, most) {
        let at = from + stage.dice.between(2, 1200);
        let caller = stage.dice.pick(&keys);
        let mut call = calls::draw(&mut stage.dice, caller, desk, at);
        call.from_console = stage.dice.chance(300);
        stage.tell(caller, desk, at, call);
    }
}

/// A user, or rarely root, signs in and looks around.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let desk = Desk::browser(&mut stage.dice);
    let at = stage.now;
    let session = if stage.dice.chance(100) {
        root_login(stage, &cast.members[member].id, &desk.in_region(HOME), at)
    } else {
        let user = cast.user(&mut stage.dice, member);
        user_login(stage, &user, &desk, at)
    };
    browse(stage, &session, &desk, at, (5, 30));
}
