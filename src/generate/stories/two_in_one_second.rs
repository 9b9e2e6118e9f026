//! Sessions that begin in the same second.

use super::Story;
use super::people::{FIRST, SECOND, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::collision::forward_by_either;
use crate::generate::kinds::double_assume::assume_twice;
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "two-in-one-second",
    organization: false,
    play,
    page: "# Two in one second

- 12:00:00, session `sdk-run` of `DataReader`: liam's program takes the role twice and uses one key.
  **Right answer:** one session of `arn:aws:iam::111111111111:user/liam`; the other key was never used.
- 12:30:00, session `nightly` of `BackupOperator` in 222222222222: liam and anna both take it, in the same
  second, under the same name. **Right answer:** the keys tell them apart, so the direct calls are liam's
  or anna's. One call that a service forwarded shows a key of its own: it fits both, so it is
  **unknown**. (`truth.csv` knows that it was liam's.)
",
};

fn play(stage: &mut Stage) {
    let liam = user(stage, FIRST, "liam");
    let anna = user(stage, FIRST, "anna");
    let reader = role(stage, FIRST, "/", "DataReader");
    let backup = role(stage, SECOND, "/", "BackupOperator");
    let desk = terminal("192.0.2.17");
    let as_liam = Caller::user(&liam);
    let ask = Assume::new(&as_liam, &reader, "sdk-run", hms(12, 0, 0), &desk);
    let session = assume_twice(stage, &ask);
    stage.series(
        &session,
        &desk,
        hms(12, 0, 1),
        &["GetObject", "GetObject", "Decrypt", "DescribeTable"],
    );

    let at = hms(12, 30, 0);
    let first = assume(stage, &Assume::new(&as_liam, &backup, "nightly", at, &desk));
    let other = terminal("192.0.2.18");
    let as_anna = Caller::user(&anna);
    let second = assume(stage, &Assume::new(&as_anna, &backup, "nightly", at, &other));
    stage.series(&first, &desk, at + 5, &["DescribeVolumes", "CreateTags", "DescribeInstances"]);
    stage.series(&second, &other, at + 6, &["DescribeDBInstances", "PutObject", "DeleteObject"]);
    forward_by_either(stage, &first, &desk, at + 60);
}
