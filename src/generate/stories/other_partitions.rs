//! The same in China and in AWS GovCloud (US).

use super::Story;
use super::people::{role, user};
use crate::generate::clock::hms;
use crate::generate::desk::{BROWSER, CLI, Desk};
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::forwarded::forward;
use crate::generate::kinds::{console, ec2, switch_role};
use crate::generate::people::{CHINA, GOVCLOUD};
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "other-partitions",
    organization: false,
    play,
    page: "# China and GovCloud

444444444444 is an account of China's partition (`arn:aws-cn:`, endpoints `*.amazonaws.com.cn`), 555555555555 one
of AWS GovCloud (US) (`arn:aws-us-gov:`).

**Right answers**

- Session `lin` of `Deployer` in 444444444444 (02:00:10): `arn:aws-cn:iam::444444444444:user/lin`, depth 1, and so
  is the console session of `Auditor` that lin switched to at 02:30:00.
- An instance in China (03:00:00): `ec2.amazonaws.com.cn`, as the records spell it.
- Session `olga` of `Analyst` in 555555555555 (14:00:10): `arn:aws-us-gov:iam::555555555555:user/olga`, depth 1.
- At 14:20 a service makes calls in the name of olga's long-term key. They show a key and a creation date of
  their own; they are olga's, depth 0, and no session of hers (`forwarded`, inferred).
- At 14:30 a product provider, 999999999999, works by delegated access as a role that olga took for it: olga's,
  and `origin_detail` says to whom it was delegated.
",
};

fn play(stage: &mut Stage) {
    let lin = user(stage, CHINA, "lin");
    let deployer = role(stage, CHINA, "/teams/", "Deployer");
    let auditor = role(stage, CHINA, "/", "Auditor");
    let desk = Desk::new("198.51.100.120", CLI, "cn-north-1");
    let as_lin = Caller::user(&lin);
    let ask = Assume::new(&as_lin, &deployer, "lin", hms(2, 0, 10), &desk);
    let session = assume(stage, &ask);
    stage.series(&session, &desk, hms(2, 1, 0), &["ListBuckets", "GetObject", "ListRoles"]);
    let page = Desk::new("198.51.100.120", BROWSER, "cn-north-1");
    let signed_in = console::user_login(stage, &lin, &page, hms(2, 20, 0));
    let at = hms(2, 30, 0);
    let switched =
        switch_role::switch(stage, &signed_in, "lin", &auditor, &page, at, Loss::Nothing);
    console::browse(stage, &switched, &page, at, (3, 3));
    let machine = role(stage, CHINA, "/", "WebServerRole");
    let instance = "i-0c000000000000c4c";
    let at = hms(3, 0, 0);
    let [_, new] = ec2::refresh(stage, &machine, instance, at, "cn-north-1", Loss::Nothing);
    stage.series(&new, &desk, at + 9, &["GetParameter", "PutObject"]);

    let olga = user(stage, GOVCLOUD, "olga");
    let analyst = role(stage, GOVCLOUD, "/", "Analyst");
    let desk = Desk::new("203.0.113.180", CLI, "us-gov-west-1");
    let as_olga = Caller::user(&olga);
    let ask = Assume::new(&as_olga, &analyst, "olga", hms(14, 0, 10), &desk);
    let session = assume(stage, &ask);
    stage.series(&session, &desk, hms(14, 1, 0), &["DescribeInstances", "ListUsers"]);
    stage.series(&as_olga, &desk, hms(14, 19, 50), &["StartQuery"]);
    forward(stage, &as_olga, &desk, hms(14, 20, 0), 3);
    let support = role(stage, GOVCLOUD, "/", "ProviderSupport");
    let ask = Assume::new(&as_olga, &support, "case-77", hms(14, 30, 0), &desk);
    let delegated = Caller { delegate: Some("999999999999"), ..assume(stage, &ask) };
    stage.series(&delegated, &desk, hms(14, 31, 0), &["DescribeInstances", "StopInstances"]);
}
