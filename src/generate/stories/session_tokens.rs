//! Temporary credentials that are not role sessions.

use std::sync::Arc;

use super::Story;
use super::people::{FIRST, SECOND, THIRD, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::assume_root::{assume_root, cleanup};
use crate::generate::kinds::federation_token::get_federation_token;
use crate::generate::kinds::session_token::get_session_token;
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "session-tokens",
    organization: false,
    play,
    page: "# Session tokens, federation tokens, root on loan

- kira shows MFA with GetSessionToken at 09:00:00: the temporary key is still kira, depth 0. With it kira
  takes `Operator` in 222222222222 at 09:05:00: depth 1.
- A broker with kira's long-term key hands out the federated session `partner-upload` at 10:00:00: origin
  kira, depth 0.
- kira, as `RootTasks` (11:00:00), takes root of 333333333333 with AssumeRoot at 11:01:00. The calls say
  `Root`. **Right answer:** not the root user but `arn:aws:iam::111111111111:user/kira`, depth 2.
",
};

fn play(stage: &mut Stage) {
    let kira = user(stage, FIRST, "kira");
    let operator = role(stage, SECOND, "/", "Operator");
    let desk = terminal("198.51.100.130");
    let token = get_session_token(stage, &kira, &desk, hms(9, 0, 0), Loss::Nothing);
    stage.series(&token, &desk, hms(9, 1, 0), &["GetCallerIdentity", "ListBuckets"]);
    let session = assume(stage, &Assume::new(&token, &operator, "kira", hms(9, 5, 0), &desk));
    stage.series(&session, &desk, hms(9, 6, 0), &["DescribeInstances", "StopInstances"]);

    let at = hms(10, 0, 0);
    let partner = get_federation_token(stage, &kira, "partner-upload", &desk, at, Loss::Nothing);
    let partner_desk = terminal("203.0.113.12");
    stage.series(
        &partner,
        &partner_desk,
        hms(10, 1, 0),
        &["PutObject", "PutObject", "ListBuckets"],
    );

    let tasks = role(stage, FIRST, "/", "RootTasks");
    let session = assume(stage, &Assume::new(&token, &tasks, "root-task-1", hms(11, 0, 0), &desk));
    let member: Arc<str> = THIRD.into();
    let root = assume_root(stage, &session, &member, &desk, hms(11, 1, 0), Loss::Nothing);
    cleanup(stage, &root, &desk, hms(11, 1, 20));
}
