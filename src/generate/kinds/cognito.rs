//! Cognito identity pools: an app's user gets a role's credentials, in one step or over a token.

use std::sync::Arc;

use super::assume_role::credentials;
use super::web_identity::{Token, assume_with_token};
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::Desk;
use crate::generate::identity::{Caller, Who};
use crate::generate::json::Obj;
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};
use crate::generate::truth::{Behind, Origin};

/// Issuer of the pool's tokens.
pub const PROVIDER: &str = "cognito-identity.amazonaws.com";

fn caller(account: &str, identity: &str) -> Caller {
    let who = Who::Verbatim { account: account.into(), block: r#"{"type":"Unknown"}"#.into() };
    Caller::new(who, Behind::own(Origin::outside("WebIdentityUser", identity)))
}

fn request(identity: &str) -> String {
    let logins = Obj::new().text("accounts.google.com", "HIDDEN_DUE_TO_SECURITY_REASONS").done();
    Obj::new().text("identityId", identity).raw("logins", &logins).done()
}

/// The enhanced flow: GetCredentialsForIdentity shows the key, and the session keeps the token's subject,
/// which names the identity even where that data event was not recorded.
pub fn get_credentials(
    stage: &mut Stage,
    identity: &str,
    role: &Arc<Role>,
    desk: &Desk,
    at: Seconds,
    loss: Loss,
) -> Caller {
    let account = &*role.account;
    let key = stage.ids.temporary_key();
    let response = Obj::new()
        .raw("credentials", &credentials(stage, &key, at + HOUR))
        .text("identityId", identity)
        .done();
    let mut call = Call::read("cognito-identity", "GetCredentialsForIdentity")
        .request(request(identity))
        .response(response);
    call.data = true;
    let caller = caller(account, identity);
    if !loss.takes_caller_half() {
        stage.tell(&caller, desk, at, call);
    }
    let attributes = Obj::new()
        .text(
            "cognito-identity.amazonaws.com:aud",
            "eu-west-1:40000000-aaaa-4bbb-8ccc-000000000000",
        )
        .text("cognito-identity.amazonaws.com:sub", identity)
        .done();
    let federation = Obj::new().text("federatedProvider", PROVIDER).raw("attributes", &attributes);
    let session = Caller::role(role, "CognitoIdentityCredentials", caller.behind.deeper(), at);
    Caller { key: Some(key), web_federation: Some(federation.done()), ..session }
}

/// The classic flow: a token first, with which the app takes the role itself.
pub fn with_open_id_token(
    stage: &mut Stage,
    identity: &str,
    role: &Arc<Role>,
    desk: &Desk,
    at: Seconds,
    loss: Loss,
) -> Caller {
    let response =
        Obj::new().text("identityId", identity).text("token", "HIDDEN_DUE_TO_SECURITY_REASONS");
    let mut call = Call::read("cognito-identity", "GetOpenIdToken")
        .request(request(identity))
        .response(response.done());
    call.data = true;
    stage.tell(&caller(&role.account, identity), desk, at, call);
    let ask =
        Token { issuer: PROVIDER, subject: identity, role, session: "app", at: at + 1, desk, loss };
    assume_with_token(stage, &ask)
}

/// A user of an app, by either flow.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let role = cast.role(&mut stage.dice, member);
    let desk = Desk::program(&mut stage.dice);
    let identity = format!("{}:{}", desk.region, stage.dice.guid());
    let (at, loss) = (stage.now, stage.draw_loss());
    let session = if stage.dice.chance(600) {
        get_credentials(stage, &identity, &role, &desk, at, loss)
    } else {
        let at = stage.free_second(&role.session_id("app"), at);
        with_open_id_token(stage, &identity, &role, &desk, at - 1, loss)
    };
    stage.work(&session, &desk, at + 64, 900, (2, 10));
}
