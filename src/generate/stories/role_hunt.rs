//! Somebody looks for a role that opens.

use super::Story;
use super::people::{FIRST, SECOND, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::denied::{Cause, attempt};
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "role-hunt",
    organization: false,
    play,
    page: "# Looking for a role that opens

- 08:00 tara lists roles and users of 111111111111. From 08:10 on she tries six roles of 222222222222 within a minute and is
  refused; the seventh, `LegacyReader`, opens, and she lists buckets there.
- umar's nightly job, whose permissions were taken away, is refused by one role an hour, six in all.
- vera is refused by one role six times.

**Right answer:** tara looked for roles: `arn:aws:iam::111111111111:user/tara`. umar and vera did not.
",
};

fn play(stage: &mut Stage) {
    let tara = user(stage, FIRST, "tara");
    let (umar, vera) = (user(stage, FIRST, "umar"), user(stage, FIRST, "vera"));
    let desk = terminal("203.0.113.130");
    let as_tara = Caller::user(&tara);
    stage.series(&as_tara, &desk, hms(8, 0, 0), &["GetCallerIdentity", "ListRoles", "ListUsers"]);
    let names = ["Admin", "Billing", "DatabaseAdmin", "Deployer", "NetworkAdmin", "SecurityAudit"];
    let roles = names.map(|name| role(stage, SECOND, "/", name));
    for (n, role) in roles.iter().enumerate() {
        attempt(stage, &as_tara, role, &desk, hms(8, 10, 9 * n as i64), Cause::Unspecified);
    }
    let legacy = role(stage, SECOND, "/", "LegacyReader");
    let session = assume(stage, &Assume::new(&as_tara, &legacy, "tara", hms(8, 11, 30), &desk));
    stage.series(&session, &desk, hms(8, 12, 0), &["ListBuckets", "GetBucketPolicy"]);

    let (job, as_umar) = (terminal("198.51.100.131"), Caller::user(&umar));
    let (office, as_vera) = (terminal("198.51.100.132"), Caller::user(&vera));
    for (n, role) in roles.iter().enumerate() {
        let n = n as i64;
        attempt(stage, &as_umar, role, &job, hms(10 + n, 5, 0), Cause::NoIdentityPolicy);
        attempt(stage, &as_vera, &roles[0], &office, hms(9, 0, 7 * n), Cause::NoTrust);
    }
}
