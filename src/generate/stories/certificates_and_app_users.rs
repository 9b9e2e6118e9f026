//! Outside identities that are neither people of a directory nor workflows.

use super::Story;
use super::people::{FIRST, SECOND, role, terminal};
use crate::generate::clock::hms;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::cognito;
use crate::generate::kinds::roles_anywhere::{Certificate, assumed_by_service, create_session};
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "certificates-and-app-users",
    organization: false,
    play,
    page: "# Certificates and users of an app

**Right answers**

- 05:00: a machine shows a certificate to IAM Roles Anywhere and gets `PlantMachineRole` in 111111111111; its
  session is named after the certificate's serial number. Origin: `CN=press-7.plant.example.com`
  (`RolesAnywhere`), depth 1. With it `PlantArchive` in 222222222222 is taken at 05:05: depth 2.
- 06:00: another machine, recorded in the other shape: `rolesanywhere.amazonaws.com` itself assumes the role.
  Origin: `CN=press-8.plant.example.com`.
- 08:00: a user of an app gets credentials of `AppUserRole` from a Cognito identity pool. Origin: the id in
  the pool (`WebIdentityUser`); the key of `GetCredentialsForIdentity` joins them.
- 08:10: another user. Trails record Cognito's data event only when asked to, and it is missing here. The
  session itself keeps the token's subject, so the origin is known: inferred.
- 08:20: a third user, by the classic flow: a token first, then AssumeRoleWithWebIdentity.
",
};

fn play(stage: &mut Stage) {
    let press = role(stage, FIRST, "/", "PlantMachineRole");
    let archive = role(stage, SECOND, "/", "PlantArchive");
    let desk = terminal("203.0.113.150");
    let mut ask = Certificate {
        name: "press-7.plant.example.com",
        serial: "5d0a3c9e41b7f26880aa17c4e9d2",
        role: &press,
        at: hms(5, 0, 0),
        desk: &desk,
        loss: Loss::Nothing,
    };
    let session = create_session(stage, &ask);
    stage.series(&session, &desk, hms(5, 0, 5), &["PutObject", "PutObject"]);
    let at = hms(5, 5, 0);
    let further = assume(stage, &Assume::new(&session, &archive, "press-7", at, &desk));
    stage.series(&further, &desk, at + 2, &["PutObject", "ListBuckets"]);

    ask.name = "press-8.plant.example.com";
    ask.serial = "5d0a3c9e41b7f26880aa17c4e9d3";
    ask.at = hms(6, 0, 0);
    let session = assumed_by_service(stage, &ask);
    stage.series(&session, &desk, ask.at + 5, &["PutObject"]);

    let user = role(stage, FIRST, "/", "AppUserRole");
    let phone = terminal("198.51.100.200");
    let identity = |n: u32| format!("eu-west-1:40000000-aaaa-4bbb-8ccc-00000000000{n}");
    for (n, minute, loss) in [(1, 0, Loss::Nothing), (2, 10, Loss::Everything)] {
        let at = hms(8, minute, 0);
        let session = cognito::get_credentials(stage, &identity(n), &user, &phone, at, loss);
        stage.series(&session, &phone, at + 2, &["GetObject", "GetItem"]);
    }
    let (id, at) = (identity(3), hms(8, 20, 0));
    let session = cognito::with_open_id_token(stage, &id, &user, &phone, at, Loss::Nothing);
    stage.series(&session, &phone, at + 3, &["GetObject"]);
}
