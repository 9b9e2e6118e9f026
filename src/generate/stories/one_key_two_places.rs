//! One credential in two places at once, and those that only look like it.

use super::Story;
use super::people::{FIRST, REGION, SECOND, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::lambda;
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "one-key-two-places",
    organization: false,
    play,
    page: "# One key in two places

- oskar takes `Builder` in 222222222222 at 09:00:00 and works with Terraform from 198.51.100.61. From 09:10 on the
  same key is used with a command line on Windows from 203.0.113.44, while he goes on.
- petra's calls of 10:00 leave through a pool of addresses of one network: 192.0.2.70, 192.0.2.71, 192.0.2.70.
- quentin's laptop moves from 198.51.100.80 to 203.0.113.81 at 11:20 and stays there.
- The function `importer` runs in two places with one key.
- oskar's own key is used from 198.51.100.61 and, from 15:00 on, with another program from 192.0.2.200.

**Right answer:** one credential was held in two places at once: the session `oskar` of `Builder`, from 203.0.113.44.
The others are one holder each, as far as these logs show.
",
};

const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.8.2 (+https://www.terraform.io) terraform-provider-aws/5.47.0 aws-sdk-go-v2/1.26.1 os/linux lang/go#1.22.2";
const WINDOWS: &str = "aws-cli/2.15.40 md/awscrt#0.19.19 ua/2.0 os/windows#10 md/arch#amd64 lang/python#3.11.8 md/pyimpl#CPython";

fn play(stage: &mut Stage) {
    let (oskar, petra) = (user(stage, FIRST, "oskar"), user(stage, FIRST, "petra"));
    let quentin = user(stage, FIRST, "quentin");
    let builder = role(stage, SECOND, "/", "Builder");
    let own = Desk::new("198.51.100.61", TERRAFORM, REGION);
    let other = Desk::new("203.0.113.44", WINDOWS, REGION);
    let as_oskar = Caller::user(&oskar);
    let session = assume(stage, &Assume::new(&as_oskar, &builder, "oskar", hms(9, 0, 0), &own));
    stage.series(&session, &own, hms(9, 1, 0), &["DescribeStacks", "DescribeInstances"]);
    stage.series(&session, &other, hms(9, 10, 0), &["GetCallerIdentity", "ListBuckets"]);
    stage.series(&session, &own, hms(9, 12, 0), &["CreateTags", "DescribeVolumes"]);
    stage.series(&session, &other, hms(9, 15, 0), &["GetObject", "PutBucketPolicy"]);

    let as_petra = Caller::user(&petra);
    for (minute, host) in [(0, 70), (2, 71), (4, 70)] {
        let desk = terminal(&format!("192.0.2.{host}"));
        stage.series(&as_petra, &desk, hms(10, minute, 0), &["GetObject"]);
    }
    let as_quentin = Caller::user(&quentin);
    for (minute, address) in [(0, "198.51.100.80"), (20, "203.0.113.81")] {
        let calls = ["DescribeInstances", "GetParameter"];
        stage.series(&as_quentin, &terminal(address), hms(11, minute, 0), &calls);
    }
    let importer = role(stage, FIRST, "/service-role/", "importer-role-3kk2");
    let at = hms(12, 0, 0);
    let session = lambda::start(stage, &importer, "importer", at, REGION, Loss::Nothing);
    let desk = lambda::desk(stage, "importer", REGION);
    for (minute, address) in [(0, "192.0.2.90"), (1, "203.0.113.90"), (2, "192.0.2.90")] {
        let desk = Desk { address: address.to_string(), ..desk.clone() };
        stage.series(&session, &desk, hms(12, minute, 5), &["GetObject"]);
    }
    stage.series(&as_oskar, &own, hms(14, 0, 0), &["GetCallerIdentity", "DescribeStacks"]);
    stage.series(&as_oskar, &terminal("192.0.2.200"), hms(15, 0, 0), &["ListUsers", "ListRoles"]);
}
