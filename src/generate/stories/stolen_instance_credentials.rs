//! Credentials of an instance, used from elsewhere.

use super::Story;
use super::people::{FIRST, REGION, role, terminal};
use crate::generate::clock::hms;
use crate::generate::desk::Desk;
use crate::generate::kinds::ec2;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "stolen-instance-credentials",
    organization: false,
    play,
    page: "# Stolen instance credentials

The instance `i-0a1b2c3d4e5f60718` of 111111111111 works under `WebServerRole` from 192.0.2.10. At every
refresh EC2 obtains two keys in one second: one for version 1 of the metadata service
(`ec2RoleDelivery` 1.0), one for version 2.

From 13:40 on the version 1 key of the refresh at 13:00:04 is used from 203.0.113.66 with a command
line: buckets are listed, objects read, and making a user is denied.

**Right answer:** every call, the thief's too, has the origin `ec2.amazonaws.com` at depth 1 (role
`WebServerRole`). What gives the theft away is the address 203.0.113.66, which is not the instance's.
",
};

const INSTANCE: &str = "i-0a1b2c3d4e5f60718";

fn play(stage: &mut Stage) {
    let web = role(stage, FIRST, "/", "WebServerRole");
    let agent = "aws-sdk-java/2.25.40 Linux/5.10.210 OpenJDK_64-Bit_Server_VM/17.0.11+9-LTS";
    let machine = Desk::new("192.0.2.10", agent, REGION);
    for (hour, second) in [(7, 1), (10, 2)] {
        let at = hms(hour, 0, second);
        let [old, new] = ec2::refresh(stage, &web, INSTANCE, at, REGION, Loss::Nothing);
        stage.series(
            &new,
            &machine,
            at + 30,
            &["GetParameter", "GetObject", "PutObject", "Decrypt"],
        );
        stage.series(&old, &machine, at + 600, &["DescribeInstances"]);
    }
    let at = hms(13, 0, 4);
    let [old, new] = ec2::refresh(stage, &web, INSTANCE, at, REGION, Loss::Nothing);
    stage.series(&new, &machine, at + 30, &["GetParameter", "GetObject", "PutObject"]);

    let thief = terminal("203.0.113.66");
    let loot =
        ["GetCallerIdentity", "ListBuckets", "GetBucketAcl", "GetObject", "GetObject", "ListRoles"];
    let end = stage.series(&old, &thief, hms(13, 40, 11), &loot);
    let message = format!(
        "User: {} is not authorized to perform: iam:CreateUser on resource: arn:aws:iam::111111111111:user/backup because no identity-based policy allows the iam:CreateUser action",
        old.arn()
    );
    stage.tell(&old, &thief, end, Call::write("iam", "CreateUser").error("AccessDenied", &message));
    stage.series(&new, &machine, hms(13, 50, 0), &["GetObject", "PutObject"]);
}
