//! People who sign in outside AWS: a company directory and IAM Identity Center.

use std::sync::Arc;

use super::Story;
use super::people::{FIRST, SECOND, browser, role, terminal};
use crate::generate::cast::Person;
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::kinds::saml::{self, Assertion};
use crate::generate::kinds::{console, identity_center as center};
use crate::generate::people::Role;
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "saml-and-identity-center",
    organization: true,
    play,
    page: "# People from outside: SAML and Identity Center

111111111111 holds the Identity Center instance, 222222222222 is where people work.

**Right answers**

- `carla`, `SAMLUser`: takes `DirectoryAdmin` in 222222222222 with a program at 08:00:10.
- `dev`, `SAMLUser`: the same role through the browser at 08:30:20. The `ConsoleLogin` of the same second
  shows no key, and the console calls show other keys than the one that was issued; principal id
  and creation date join them.
- `emma@example.com`, `IdentityCenterUser`: records of the newer shape, where the portal shows only
  `onBehalfOf.userId`. Command line session of `AWSReservedSSO_ReadOnlyAccess_...` at 09:00:30, console
  session at 09:40:00. No record shows a key; the role name and the second join them.
- `farid@example.com`, `IdentityCenterUser`: the older shape, type `Unknown` with a user name, at 10:00:15.
",
};

fn play(stage: &mut Stage) {
    saml_people(stage);
    let set = "AWSReservedSSO_ReadOnlyAccess_0f1e2d3c4b5a6978";
    let reserved = role(stage, SECOND, "/aws-reserved/sso.amazonaws.com/eu-west-1/", set);
    let instance: Arc<str> = FIRST.into();
    let emma = person("emma@example.com", "10000000-aaaa-4bbb-8ccc-000000000001", true);
    newer_person(stage, &emma, &instance, &reserved);
    let farid = person("farid@example.com", "10000000-aaaa-4bbb-8ccc-000000000002", false);
    let desk = terminal("203.0.113.90");
    let at = hms(10, 0, 15);
    let session = center::get_role_credentials(stage, &farid, &instance, &reserved, &desk, at);
    stage.series(&session, &desk, at, &["GetCallerIdentity", "ListBuckets", "DescribeStacks"]);
}

fn person(name: &str, user_id: &str, newer: bool) -> Person {
    Person { name: name.into(), user_id: user_id.into(), newer }
}

fn saml_people(stage: &mut Stage) {
    let admin = role(stage, SECOND, "/", "DirectoryAdmin");
    for (subject, address, at, in_browser) in [
        ("carla", "198.51.100.61", hms(8, 0, 10), false),
        ("dev", "198.51.100.62", hms(8, 30, 20), true),
    ] {
        let desk = if in_browser { browser(address) } else { terminal(address) };
        let loss = Loss::Nothing;
        let ask = Assertion { subject, role: &admin, at, desk: &desk, browser: in_browser, loss };
        let session = saml::assume(stage, &ask);
        if in_browser {
            console::role_login(stage, &session, &desk, at);
            console::browse(stage, &session, &desk, at, (6, 6));
        } else {
            stage.series(
                &session,
                &desk,
                at + 5,
                &["GetCallerIdentity", "RunInstances", "CreateTags"],
            );
        }
    }
}

fn newer_person(stage: &mut Stage, emma: &Person, instance: &Arc<str>, reserved: &Arc<Role>) {
    let desk = terminal("203.0.113.80");
    let at = hms(9, 0, 30);
    let session = center::get_role_credentials(stage, emma, instance, reserved, &desk, at);
    stage.series(&session, &desk, at, &["GetCallerIdentity", "ListBuckets", "GetObject"]);
    let named = center::naming_person(&session, emma, instance);
    stage.series(&named, &desk, at + 90, &["DescribeInstances", "StartQuery"]);

    let desk = browser("203.0.113.80");
    let at = hms(9, 40, 0);
    let portal: Caller = center::at_portal(stage, emma, instance);
    stage.tell(&portal, &desk, at - 6, center::portal_call("Authenticate", reserved));
    stage.tell(&portal, &desk, at, center::portal_call("Federate", reserved));
    let session = center::session(reserved, emma, at);
    console::role_login(stage, &session, &desk, at);
    console::browse(stage, &session, &desk, at, (5, 5));
}
