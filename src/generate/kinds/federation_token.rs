//! GetFederationToken: a user's program hands out sessions under names of its own choice.

use std::sync::Arc;

use super::assume_role::credentials;
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::Desk;
use crate::generate::identity::{Caller, Who};
use crate::generate::json::{Obj, quote};
use crate::generate::people::User;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

/// Writes the issuing record and returns the federated session, which still names the user.
pub fn get_federation_token(
    stage: &mut Stage,
    user: &Arc<User>,
    name: &str,
    desk: &Desk,
    at: Seconds,
    loss: Loss,
) -> Caller {
    let caller = Caller::user(user);
    let key = stage.ids.temporary_key();
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let request = Obj::new().text("name", name).raw("policy", &quote(policy)).done();
    let federated = Obj::new()
        .text("federatedUserId", &format!("{}:{name}", user.account))
        .text("arn", &format!("arn:aws:sts::{}:federated-user/{name}", user.account))
        .done();
    let response = Obj::new()
        .raw("credentials", &credentials(stage, &key, at + 12 * HOUR))
        .raw("federatedUser", &federated)
        .int("packedPolicySize", 5);
    if !loss.takes_caller_half() {
        let call =
            Call::write("sts", "GetFederationToken").request(request).response(response.done());
        stage.tell(&caller, desk, at, call);
    }
    let who = Who::Federated { user: user.clone(), name: name.to_string() };
    Caller::temporary(who, caller.behind, key, at)
}

/// A broker hands out one session, and somebody works with it.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, member);
    let desk = Desk::program(&mut stage.dice);
    let name = *stage.dice.pick(&["partner-upload", "support", "field-app"]);
    let loss = stage.draw_loss();
    let session = get_federation_token(stage, &user, name, &desk, stage.now, loss);
    stage.work(&session, &desk, stage.now, 1800, (4, 20));
}
