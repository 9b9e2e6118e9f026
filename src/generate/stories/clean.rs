//! A day on which nothing happened.

use super::Story;
use super::people::{FIRST, REGION, SECOND, role, terminal, user};
use crate::generate::calls;
use crate::generate::clock::hms;
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::lambda;
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "clean",
    organization: false,
    play,
    page: "# A clean day

anna and ben look things up, anna reads logs of 222222222222 as `ReadOnlyRole`, a function does its work,
CloudTrail checks its bucket. Nothing is notable.

**Right answer:** every event has its origin (`arn:aws:iam::111111111111:user/anna`,
`arn:aws:iam::111111111111:user/ben`, `lambda.amazonaws.com`, `cloudtrail.amazonaws.com`), and no question
about misuse finds anything.
",
};

fn play(stage: &mut Stage) {
    let anna = user(stage, FIRST, "anna");
    let ben = user(stage, FIRST, "ben");
    let read_only = role(stage, SECOND, "/", "ReadOnlyRole");
    let desk = terminal("198.51.100.23");
    let as_anna = Caller::user(&anna);
    stage.series(&as_anna, &desk, hms(9, 0, 0), &["GetCallerIdentity", "DescribeInstances"]);
    let ask = Assume::new(&as_anna, &read_only, "anna", hms(9, 10, 0), &desk);
    let session = assume(stage, &ask);
    stage.series(&session, &desk, hms(9, 11, 0), &["DescribeLogGroups", "StartQuery", "GetObject"]);

    let calls = ["GetCallerIdentity", "DescribeStacks", "GetFunction20150331v2", "DescribeTable"];
    stage.series(&Caller::user(&ben), &terminal("198.51.100.24"), hms(10, 0, 0), &calls);

    let worker = role(stage, FIRST, "/service-role/", "thumbnails-role-7fq1");
    let function = "thumbnails";
    let session = lambda::start(stage, &worker, function, hms(11, 0, 0), REGION, Loss::Nothing);
    let function_desk = lambda::desk(stage, function, REGION);
    stage.series(
        &session,
        &function_desk,
        hms(11, 0, 2),
        &["CreateLogStream", "GetObject", "PutObject"],
    );

    let service = "cloudtrail.amazonaws.com";
    let (caller, desk) = (Caller::service(service), Desk::service(service, REGION));
    let call = calls::named("GetBucketAcl", &mut stage.dice, &caller, &desk, 0);
    stage.tell_in(FIRST, &caller, &desk, hms(12, 0, 0), call);
}
