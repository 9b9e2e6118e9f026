//! Long-term credentials that a session leaves behind.

use super::Story;
use super::people::{FIRST, SECOND, browser, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::json::Obj;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::console;
use crate::generate::kinds::made_key::{create_access_key, set_password};
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "keys-made-by-a-session",
    organization: false,
    play,
    page: "# Keys made by a session

noah takes `UserAdmin` in 222222222222 at 09:00:00 and makes the user `svc-backup` there (09:02:00), an
access key for it (09:03:00) and a console password (09:04:00). The key is used from another address from
21:00:00 on; with it `DataReader` is taken at 21:05:00. At 22:00:00 somebody signs in to the console as
`svc-backup`. At 22:30:00 the user makes itself a second key with the first one and never uses it.

**Right answers**

- Calls with the key are `arn:aws:iam::222222222222:user/svc-backup`, depth 0, and those of `DataReader`
  are the same user, depth 1: long-term keys may have been handed on, so noah is not their origin.
- But the key was made by noah's session of `UserAdmin`: the link is exact (the key itself), and `chain`
  goes through it in both directions.
- The sign-in is `svc-backup`'s, too. That noah's session set the last password before it is a hint
  (`login_profile`, inferred), nothing more.
",
};

fn play(stage: &mut Stage) {
    let noah = user(stage, FIRST, "noah");
    let admin = role(stage, SECOND, "/", "UserAdmin");
    let reader = role(stage, SECOND, "/", "DataReader");
    let owner = user(stage, SECOND, "svc-backup");
    let desk = terminal("198.51.100.40");
    let as_noah = Caller::user(&noah);
    let session = assume(stage, &Assume::new(&as_noah, &admin, "noah", hms(9, 0, 0), &desk));
    stage.series(&session, &desk, hms(9, 1, 0), &["ListUsers", "GetAccountSummary"]);
    let request = Obj::new().text("userName", &owner.name).done();
    stage.tell(&session, &desk, hms(9, 2, 0), Call::write("iam", "CreateUser").request(request));
    let at = hms(9, 3, 0);
    let keyed = create_access_key(stage, &session, &owner, &desk, at, Loss::Nothing);
    set_password(stage, &session, &owner, &desk, hms(9, 4, 0), "CreateLoginProfile");

    let elsewhere = terminal("203.0.113.99");
    let holder = Caller::user(&keyed);
    let calls = ["GetCallerIdentity", "ListBuckets", "GetObject"];
    stage.series(&holder, &elsewhere, hms(21, 0, 0), &calls);
    let ask = Assume::new(&holder, &reader, "nightly", hms(21, 5, 0), &elsewhere);
    let reading = assume(stage, &ask);
    stage.series(&reading, &elsewhere, hms(21, 5, 10), &["GetObject", "GetObject", "Decrypt"]);

    let page = browser("203.0.113.99");
    let signed_in = console::user_login(stage, &owner, &page, hms(22, 0, 0));
    console::browse(stage, &signed_in, &page, hms(22, 0, 5), (4, 4));
    create_access_key(stage, &holder, &owner, &elsewhere, hms(22, 30, 0), Loss::Nothing);
}
