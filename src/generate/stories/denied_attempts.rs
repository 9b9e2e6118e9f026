//! Attempts that failed, for many reasons.

use super::Story;
use super::people::{FIRST, SECOND, browser, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::denied::{Cause, attempt};
use crate::generate::kinds::failed_sign_in;
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "denied-attempts",
    organization: false,
    play,
    page: "# Why was the role not assumable

- jonas tries `PayrollAdmin` in 222222222222 six times between 15:00 and 15:01: no permission, no trust,
  a service control policy, a permissions boundary, a wrong MFA code, a duration over the limit.
- From his session of `Deployer` he asks for more than the hour that a chain allows (15:10:00), and once
  more at 16:30:00, when the session is over.
- At 15:20 he creates `ReportWriter` and takes it at once: three bare denials within six seconds, then it
  works. That is a new role spreading, not an attack.
- Two console sign-ins fail at 15:40. Whoever typed the name has not shown who they are.

**Right answer:** every denied AssumeRole is `arn:aws:iam::111111111111:user/jonas` (depth 0, from the
session of `Deployer` depth 1). The role stands only in the message. The failed sign-ins prove nobody.
",
};

fn play(stage: &mut Stage) {
    let jonas = user(stage, FIRST, "jonas");
    let payroll = role(stage, SECOND, "/", "PayrollAdmin");
    let deployer = role(stage, FIRST, "/teams/", "Deployer");
    let desk = terminal("192.0.2.99");
    let as_jonas = Caller::user(&jonas);
    for (n, cause) in [
        Cause::NoIdentityPolicy,
        Cause::NoTrust,
        Cause::ServiceControlPolicy,
        Cause::PermissionsBoundary,
        Cause::WrongMfaCode,
        Cause::DurationTooLong,
    ]
    .into_iter()
    .enumerate()
    {
        attempt(stage, &as_jonas, &payroll, &desk, hms(15, 0, n as i64 * 9), cause);
    }
    let session = assume(stage, &Assume::new(&as_jonas, &deployer, "jonas", hms(15, 5, 0), &desk));
    stage.series(&session, &desk, hms(15, 6, 0), &["GetCallerIdentity", "DescribeStacks"]);
    attempt(stage, &session, &payroll, &desk, hms(15, 10, 0), Cause::ChainTooLong);
    attempt(stage, &session, &payroll, &desk, hms(16, 30, 0), Cause::ExpiredToken);

    spreading(stage, &as_jonas);
    let page = browser("192.0.2.99");
    failed_sign_in::fail(stage, &jonas, false, &page, hms(15, 40, 0));
    failed_sign_in::fail(stage, &jonas, true, &page, hms(15, 40, 21));
}

fn spreading(stage: &mut Stage, caller: &Caller) {
    let writer = role(stage, FIRST, "/", "ReportWriter");
    let desk = terminal("192.0.2.99");
    stage.named(caller, &desk, hms(15, 20, 0), "CreateRole");
    for second in [1, 3, 6] {
        attempt(stage, caller, &writer, &desk, hms(15, 20, second), Cause::Unspecified);
    }
    let session = assume(stage, &Assume::new(caller, &writer, "report", hms(15, 20, 9), &desk));
    stage.series(&session, &desk, hms(15, 20, 12), &["PutObject", "ListBuckets"]);
}
