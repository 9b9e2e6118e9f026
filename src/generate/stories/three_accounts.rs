//! A chain of three roles over three accounts.

use super::Story;
use super::people::{FIRST, SECOND, THIRD, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "three-accounts",
    organization: true,
    play,
    page: "# Three accounts: a chain of three roles

Logs of an organization trail over 111111111111, 222222222222 and 333333333333. Follow the session
`release-77` of `ReleaseRole` in 333333333333, which stops an instance at 10:21, and the session
`audit-77` of `AuditReader` in 111111111111.

**Right answer:** `arn:aws:iam::111111111111:user/ben`. The chain is ben -> `BuildRole` (222222222222,
10:00:05) -> `ReleaseRole` (333333333333, 10:20:10) -> `AuditReader` (111111111111, 10:30:45): depth 1, 2
and 3. Every step crosses accounts and so is two records; the source identity `ben` goes along.
",
};

fn play(stage: &mut Stage) {
    let ben = user(stage, FIRST, "ben");
    let build = role(stage, SECOND, "/ci/", "BuildRole");
    let release = role(stage, THIRD, "/ci/", "ReleaseRole");
    let audit = role(stage, FIRST, "/", "AuditReader");
    let desk = terminal("203.0.113.40");
    let as_ben = Caller::user(&ben);
    stage.series(&as_ben, &desk, hms(9, 59, 0), &["GetCallerIdentity"]);

    let mut ask = Assume::new(&as_ben, &build, "build-77", hms(10, 0, 5), &desk);
    ask.source_identity = Some("ben");
    ask.tag = Some(("Project", "apollo"));
    let first = assume(stage, &ask);
    stage.series(
        &first,
        &desk,
        hms(10, 1, 0),
        &["GetObject", "PutObject", "DescribeStacks", "Decrypt"],
    );

    let second =
        assume(stage, &Assume::new(&first, &release, "release-77", hms(10, 20, 10), &desk));
    let calls = ["DescribeInstances", "StopInstances", "CreateTags", "GetParameter"];
    stage.series(&second, &desk, hms(10, 21, 0), &calls);

    let third = assume(stage, &Assume::new(&second, &audit, "audit-77", hms(10, 30, 45), &desk));
    stage.series(
        &third,
        &desk,
        hms(10, 31, 0),
        &["DescribeTrails", "ListRoles", "GetAccountSummary"],
    );
}
