//! Credentials of an instance and a role of a function in the hands of people.

use super::Story;
use super::people::{FIRST, REGION, VENDOR, browser, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::console_from_api::{arrive, get_signin_token};
use crate::generate::kinds::{console, ec2, lambda};
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "instance-break-out",
    organization: false,
    play,
    page: "# Out of the instance

Three instances of 111111111111 work under `AppServerRole`. `i-0aaaaaaaaaaaaaa01` and `i-0aaaaaaaaaaaaaa02` reach AWS
through the gateway 192.0.2.20, `i-0aaaaaaaaaaaaaa03` through the gateway 192.0.2.21 and once, at 09:30, through the
other one. S3 they reach by an endpoint of their own account, with private addresses.

- 10:00 The credentials of `i-0aaaaaaaaaaaaaa03` are used through an endpoint of 999999999999: the address 10.8.0.4 is
  private and looks like any other.
- 10:10 With the same credentials somebody asks for a sign-in token from 203.0.113.77 and is in the console at
  10:11:00, as the instance's role.
- The role `resizer-role-9pzz` is the function `resizer`'s, which takes it at 08:00. At 11:00 the user pia takes it.

**Right answers:** until 10:12 everything is `ec2.amazonaws.com`, depth 1, the console too (inferred). The foreign
endpoint is `vpce-0eeeeeeeeeeeeee99`; the foreign address is 203.0.113.77, and 192.0.2.20 is none. The function's role was
used by `arn:aws:iam::111111111111:user/pia`.
",
};

fn play(stage: &mut Stage) {
    let app = role(stage, FIRST, "/", "AppServerRole");
    let agent = "aws-sdk-go-v2/1.26.1 os/linux lang/go#1.22.2 md/GOOS#linux md/GOARCH#amd64";
    let gateway = |address: &str| Desk::new(address, agent, REGION);
    let own = ("vpce-0aaaaaaaaaaaaaa11", FIRST);
    let inside = Desk { endpoint: Some(own), ..gateway("10.0.3.15") };
    let mut last = None;
    for (n, address) in [(1, "192.0.2.20"), (2, "192.0.2.20"), (3, "192.0.2.21")] {
        let instance = format!("i-0aaaaaaaaaaaaaa0{n}");
        let at = hms(8, n, 0);
        let [_, session] = ec2::refresh(stage, &app, &instance, at, REGION, Loss::Nothing);
        stage.series(&session, &gateway(address), at + 30, &["GetParameter", "DescribeStacks"]);
        stage.series(&session, &inside, at + 90, &["GetObject", "PutObject"]);
        stage.series(&session, &gateway(address), hms(9, n, 0), &["GetParameter"]);
        last = Some(session);
    }
    let Some(session) = last else { return };
    stage.series(&session, &gateway("192.0.2.20"), hms(9, 30, 0), &["GetParameter"]);

    let theirs = ("vpce-0eeeeeeeeeeeeee99", VENDOR);
    let elsewhere = Desk { endpoint: Some(theirs), ..terminal("10.8.0.4") };
    let loot = ["GetObject", "GetObject", "ListRoles"];
    stage.series(&session, &elsewhere, hms(10, 0, 0), &loot);
    get_signin_token(stage, &session, &terminal("203.0.113.77"), hms(10, 10, 0));
    let page = browser("203.0.113.77");
    let in_console = arrive(stage, &session, &page, hms(10, 11, 0));
    console::browse(stage, &in_console, &page, hms(10, 11, 0), (4, 4));
    function_role(stage);
}

fn function_role(stage: &mut Stage) {
    let resizer = role(stage, FIRST, "/service-role/", "resizer-role-9pzz");
    let session = lambda::start(stage, &resizer, "resizer", hms(8, 0, 0), REGION, Loss::Nothing);
    let desk = lambda::desk(stage, "resizer", REGION);
    stage.series(&session, &desk, hms(8, 0, 2), &["CreateLogStream", "GetObject", "PutObject"]);
    let pia = user(stage, FIRST, "pia");
    let desk = terminal("198.51.100.61");
    let as_pia = Caller::user(&pia);
    let taken = assume(stage, &Assume::new(&as_pia, &resizer, "resizer", hms(11, 0, 0), &desk));
    stage.series(&taken, &desk, hms(11, 0, 10), &["ListBuckets", "GetObject", "DeleteObject"]);
}
