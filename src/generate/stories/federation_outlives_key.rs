//! A key is deactivated, and the tokens that it obtained go on.

use super::Story;
use super::people::{FIRST, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::json::Obj;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::federation_token::get_federation_token;
use crate::generate::kinds::session_token::get_session_token;
use crate::generate::people::User;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "federation-outlives-key",
    organization: false,
    play,
    page: "# The key is dead, long live the token

- 08:00 The key of `svc-portal` hands out the federated session `field-app` for twelve hours.
- 09:00 The same key gets a session token that is never used.
- 10:00 olivia, as `KeyAdmin`, finds the key where it should not be and deactivates it. At 10:05 the key is refused.
- 11:00 and 12:00 `field-app` goes on from 203.0.113.120: a secret is read, an object written, a table tried.
- 13:00 olivia deletes the key of `svc-old`, which obtained nothing. 13:10 she sets her own new key to active.

**Right answer:** everything but olivia's work is `arn:aws:iam::111111111111:user/svc-portal`, depth 0. Two tokens outlived
the key: `field-app`, with three calls since, and the session token.
",
};

fn play(stage: &mut Stage) {
    let (portal, old) = (user(stage, FIRST, "svc-portal"), user(stage, FIRST, "svc-old"));
    let olivia = user(stage, FIRST, "olivia");
    let admin = role(stage, FIRST, "/", "KeyAdmin");
    let desk = terminal("192.0.2.120");
    let at = hms(8, 0, 0);
    let app = get_federation_token(stage, &portal, "field-app", &desk, at, Loss::Nothing);
    let phone = terminal("203.0.113.120");
    stage.series(&app, &phone, hms(8, 5, 0), &["GetObject", "PutObject"]);
    get_session_token(stage, &portal, &desk, hms(9, 0, 0), Loss::Nothing);
    stage.series(&Caller::user(&old), &desk, hms(9, 10, 0), &["ListBuckets"]);

    let office = terminal("198.51.100.121");
    let as_olivia = Caller::user(&olivia);
    let session = assume(stage, &Assume::new(&as_olivia, &admin, "olivia", hms(9, 55, 0), &office));
    stage.tell(&session, &office, hms(10, 0, 0), update_key(&portal, "Inactive"));
    let refused = Call::read("s3", "ListBuckets")
        .error("InvalidClientTokenId", "The security token included in the request is invalid");
    stage.tell(&Caller::user(&portal), &desk, hms(10, 5, 0), refused);

    stage.series(&app, &phone, hms(11, 0, 0), &["GetSecretValue", "PutObject"]);
    let denied = "User is not authorized to perform: dynamodb:GetItem";
    let call = Call::read("dynamodb", "DescribeTable").error("AccessDenied", denied);
    stage.tell(&app, &phone, hms(12, 0, 0), call);

    let request = Obj::new().text("userName", &old.name).text("accessKeyId", &old.key).done();
    let call = Call::write("iam", "DeleteAccessKey").request(request);
    stage.tell(&as_olivia, &office, hms(13, 0, 0), call);
    stage.tell(&as_olivia, &office, hms(13, 10, 0), update_key(&olivia, "Active"));
}

fn update_key(user: &User, status: &str) -> Call {
    let request = Obj::new()
        .text("userName", &user.name)
        .text("status", status)
        .text("accessKeyId", &user.key);
    Call::write("iam", "UpdateAccessKey").request(request.done())
}
