//! A person behind two roles in two accounts.

use super::Story;
use super::people::{FIRST, SECOND, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::json::{Obj, quote};
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::record::Call;
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "two-hats",
    organization: false,
    play,
    page: "# Two hats: one person, two roles, two accounts

At 09:14:05 somebody put a policy on the role `PaymentsRole` in 222222222222, created an access key
and changed the policy of a bucket, all as `SecurityBreakGlassRole`, session `incident-4711`. The session name says
nothing about who it was.

**Right answer:** `arn:aws:iam::111111111111:user/anna`, depth 2.
anna took `SecurityAnalystRole` in 111111111111 at 09:00:12 and from there `SecurityBreakGlassRole` in
222222222222 at 09:12:40. The second step is two records, one in each account's log, with one
`sharedEventID`; only the copy of 111111111111 shows the key of anna's first session.
",
};

fn play(stage: &mut Stage) {
    let anna = user(stage, FIRST, "anna");
    let analyst = role(stage, FIRST, "/", "SecurityAnalystRole");
    let break_glass = role(stage, SECOND, "/", "SecurityBreakGlassRole");
    let desk = terminal("198.51.100.23");
    let as_anna = Caller::user(&anna);
    stage.series(&as_anna, &desk, hms(8, 58, 31), &["GetCallerIdentity", "ListBuckets"]);

    let mut ask = Assume::new(&as_anna, &analyst, "anna", hms(9, 0, 12), &desk);
    ask.mfa_serial = Some(anna.mfa_serial());
    let first = assume(stage, &ask);
    let reads = ["DescribeTrails", "ListRoles", "DescribeInstances", "DescribeSecurityGroups"];
    stage.series(&first, &desk, hms(9, 1, 3), &reads);
    stage.series(&first, &desk, hms(9, 10, 44), &["GetBucketPolicy", "ListUsers"]);

    let mut ask = Assume::new(&first, &break_glass, "incident-4711", hms(9, 12, 40), &desk);
    ask.duration = Some(3600);
    let second = assume(stage, &ask);
    let reads = ["GetCallerIdentity", "ListRoles", "GetRole", "ListBuckets", "GetBucketPolicy"];
    stage.series(&second, &desk, hms(9, 12, 52), &reads);
    stage.tell(&second, &desk, hms(9, 14, 5), put_role_policy());
    let new_key = stage.ids.long_term_key();
    stage.tell(&second, &desk, hms(9, 15, 33), create_access_key(&new_key));
    stage.named(&second, &desk, hms(9, 17, 2), "PutBucketPolicy");
    stage.series(&second, &desk, hms(9, 17, 40), &["GetBucketPolicy", "GetCallerIdentity"]);
}

fn put_role_policy() -> Call {
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let request = Obj::new()
        .text("roleName", "PaymentsRole")
        .text("policyName", "temporary-fix")
        .raw("policyDocument", &quote(policy));
    Call::write("iam", "PutRolePolicy").request(request.done())
}

fn create_access_key(key: &str) -> Call {
    let issued = Obj::new()
        .text("userName", "svc-payments")
        .text("accessKeyId", key)
        .text("status", "Active")
        .text("createDate", "May 1, 2024 9:15:33 AM")
        .done();
    Call::write("iam", "CreateAccessKey")
        .request(Obj::new().text("userName", "svc-payments").done())
        .response(Obj::new().raw("accessKey", &issued).done())
}
