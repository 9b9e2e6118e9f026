//! A session whose beginning is not in the logs.

use super::Story;
use super::people::{FIRST, SECOND, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "missing-grant",
    organization: false,
    play,
    page: "# The grant is not in the logs

The session `maintenance` of `Deployer` in 111111111111 began at 07:50:00, before these logs. It changes
things at 08:05 and takes `DatabaseAdmin` in 222222222222 at 08:20:00. hugo, who works at the same time
from the same address, has a session `maintenance` of the same role from 08:30:00 on.

**Right answer:** the session of 07:50:00 and everything that comes from it is **unknown**. It must not
be given to hugo: session name, role and address are the same, but neither key nor creation date is.
hugo's own session of 08:30:00 is `arn:aws:iam::111111111111:user/hugo`, depth 1. (`truth.csv` knows that
the unknown one was ines.)
",
};

fn play(stage: &mut Stage) {
    let ines = user(stage, FIRST, "ines");
    let hugo = user(stage, FIRST, "hugo");
    let deployer = role(stage, FIRST, "/teams/", "Deployer");
    let database = role(stage, SECOND, "/", "DatabaseAdmin");
    let desk = terminal("192.0.2.55");

    let as_ines = Caller::user(&ines);
    let mut ask = Assume::new(&as_ines, &deployer, "maintenance", hms(7, 50, 0), &desk);
    ask.loss = Loss::Everything;
    let orphan = assume(stage, &ask);
    let calls = ["DescribeInstances", "StopInstances", "PutRolePolicy", "GetParameter"];
    stage.series(&orphan, &desk, hms(8, 5, 0), &calls);
    let ask = Assume::new(&orphan, &database, "maintenance", hms(8, 20, 0), &desk);
    let child = assume(stage, &ask);
    stage.series(&child, &desk, hms(8, 21, 0), &["DescribeDBInstances", "GetSecretValue"]);

    let as_hugo = Caller::user(&hugo);
    stage.series(&as_hugo, &desk, hms(8, 29, 0), &["GetCallerIdentity"]);
    let ask = Assume::new(&as_hugo, &deployer, "maintenance", hms(8, 30, 0), &desk);
    let session = assume(stage, &ask);
    stage.series(&session, &desk, hms(8, 31, 0), &["DescribeInstances", "DescribeStacks"]);
}
