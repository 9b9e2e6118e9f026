//! Identity Center's records before and after they changed.

use std::sync::Arc;

use super::Story;
use super::people::{FIRST, SECOND, browser, role, terminal};
use crate::generate::cast::Person;
use crate::generate::clock::hms;
use crate::generate::json::Obj;
use crate::generate::kinds::{console, identity_center as center};
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "identity-center",
    organization: true,
    play,
    page: "# Identity Center, two generations

111111111111 holds the Identity Center instance, 222222222222 is where people work, under
`AWSReservedSSO_Billing_...`.

**Right answers**, all `IdentityCenterUser`, their role sessions at depth 1, every hop inferred:

- `rosa@example.com`, older records: type `Unknown` with a user name. `Authenticate` and `Federate` at 08:00
  open the console; the record of `Federate` comes from the sign-in service, its target in the request.
- `sven@example.com`, newer records: only `onBehalfOf.userId`. A program gets a bearer token with
  `CreateToken` at 09:00:00, and with that credentials by `GetRoleCredentials` at 09:00:05 and, after an hour,
  again at 10:00:05: two sessions of one person. The first call of a session comes in the same second.
- The portal's own records name `sven` by id alone; his name is learned from his role sessions.
",
};

fn target(role: &Role, (account, set): (&str, &str)) -> String {
    Obj::new().text(account, &role.account).text(set, "Billing").done()
}

fn play(stage: &mut Stage) {
    let name = "AWSReservedSSO_Billing_1a2b3c4d5e6f7081";
    let billing = role(stage, SECOND, "/aws-reserved/sso.amazonaws.com/eu-west-1/", name);
    let instance: Arc<str> = FIRST.into();
    let person = |name: &str, n: u32, newer| Person {
        name: format!("{name}@example.com"),
        user_id: format!("10000000-aaaa-4bbb-8ccc-00000000001{n}"),
        newer,
    };

    let rosa = person("rosa", 1, false);
    let page = browser("203.0.113.31");
    let portal = center::at_portal(stage, &rosa, &instance);
    let at = hms(8, 0, 10);
    stage.tell(
        &portal,
        &page,
        hms(8, 0, 0),
        Call::write("sso", "Authenticate").kind("AwsServiceEvent"),
    );
    let federate = Call::read("signin", "Federate").kind("AwsServiceEvent");
    let federate = federate.request(target(&billing, ("accountId", "roleName")));
    stage.tell(&portal, &page, at, federate);
    let session = center::session(&billing, &rosa, at);
    console::browse(stage, &session, &page, at, (4, 4));

    let sven = person("sven", 2, true);
    let desk = terminal("203.0.113.32");
    let portal = center::at_portal(stage, &sven, &instance);
    let token = Obj::new()
        .text("accessToken", "HIDDEN_DUE_TO_SECURITY_REASONS")
        .text("refreshToken", "HIDDEN_DUE_TO_SECURITY_REASONS")
        .done();
    let call = Call::write("sso", "CreateToken").response(token);
    stage.tell(&portal, &desk, hms(9, 0, 0), call);
    for hour in [9, 10] {
        let at = hms(hour, 0, 5);
        let session = center::get_role_credentials(stage, &sven, &instance, &billing, &desk, at);
        stage.series(&session, &desk, at, &["GetCallerIdentity", "ListBuckets", "GetObject"]);
        let named = center::naming_person(&session, &sven, &instance);
        stage.named(&named, &desk, at + 300, "StartQuery");
    }
}
