//! Long-term credentials that a session makes for a user: an access key, a password. What is done
//! with them is the user's own, whoever made them.

use std::sync::Arc;

use super::assume_role::{Assume, assume, session_name};
use super::console;
use crate::generate::cast::Cast;
use crate::generate::clock::{MINUTE, Seconds, iam_date};
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::json::Obj;
use crate::generate::people::User;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

/// Writes CreateAccessKey and returns the user with the new key. Users who make one for themselves
/// name nobody.
pub fn create_access_key(
    stage: &mut Stage,
    maker: &Caller,
    owner: &Arc<User>,
    desk: &Desk,
    at: Seconds,
    loss: Loss,
) -> Arc<User> {
    let key = stage.ids.long_term_key();
    let own = maker.principal_id() == owner.id;
    let request = Obj::new().text("userName", &owner.name).done();
    let issued = Obj::new()
        .text("userName", &owner.name)
        .text("accessKeyId", &key)
        .text("status", "Active")
        .text("createDate", &iam_date(at))
        .done();
    let mut call =
        Call::write("iam", "CreateAccessKey").response(Obj::new().raw("accessKey", &issued).done());
    call.request = (!own).then_some(request);
    if !loss.takes_caller_half() {
        stage.tell(maker, desk, at, call);
    }
    let User { name, account, id, .. } = &**owner;
    Arc::new(User { name: name.clone(), account: account.clone(), id: id.clone(), key })
}

/// Writes CreateLoginProfile or UpdateLoginProfile.
pub fn set_password(
    stage: &mut Stage,
    maker: &Caller,
    owner: &User,
    desk: &Desk,
    at: Seconds,
    name: &'static str,
) {
    let request =
        Obj::new().text("userName", &owner.name).flag("passwordResetRequired", false).done();
    let mut call = Call::write("iam", name).request(request);
    if name == "CreateLoginProfile" {
        let profile = Obj::new()
            .text("userName", &owner.name)
            .text("createDate", &iam_date(at))
            .flag("passwordResetRequired", false)
            .done();
        call = call.response(Obj::new().raw("loginProfile", &profile).done());
    }
    stage.tell(maker, desk, at, call);
}

/// Somebody under a role makes a key for a user, or users make one for themselves; it is used, partly
/// to take another role. Sometimes a password follows, and a sign-in.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let there = cast.member(&mut stage.dice);
    let owner = cast.user(&mut stage.dice, there);
    let desk = Desk::program(&mut stage.dice);
    let (mut maker, mut at) = (Caller::user(&owner), stage.now);
    if stage.dice.chance(700) {
        let (user, role) = (cast.user(&mut stage.dice, home), cast.role(&mut stage.dice, there));
        let (name, free) = session_name(stage, &role, &user.name, at);
        let loss = stage.draw_loss();
        maker = assume(
            stage,
            &Assume { loss, ..Assume::new(&Caller::user(&user), &role, &name, free, &desk) },
        );
        at = free + MINUTE;
    }
    let loss = stage.draw_loss();
    let keyed = create_access_key(stage, &maker, &owner, &desk, at, loss);
    let elsewhere = Desk::program(&mut stage.dice);
    let holder = Caller::user(&keyed);
    stage.work(&holder, &elsewhere, at, 900, (2, 12));
    if stage.dice.chance(500) {
        let role = cast.role(&mut stage.dice, there);
        let (name, free) = session_name(stage, &role, "backup", at + 10 * MINUTE);
        let loss = stage.draw_loss();
        let ask = Assume { loss, ..Assume::new(&holder, &role, &name, free, &elsewhere) };
        let session = assume(stage, &ask);
        stage.work(&session, &elsewhere, free, 600, (2, 8));
    }
    if stage.dice.chance(400) {
        set_password(stage, &maker, &owner, &desk, at + 30, "UpdateLoginProfile");
        let browser = Desk::browser(&mut stage.dice);
        let session = console::user_login(stage, &owner, &browser, at + 20 * MINUTE);
        console::browse(stage, &session, &browser, at + 20 * MINUTE, (1, 6));
    }
}
