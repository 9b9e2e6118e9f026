//! Sessions whose records cannot all be true, or whose names say what is not so.

use super::Story;
use super::people::{FIRST, SECOND, role, terminal, user};
use crate::generate::clock::{HOUR, hms};
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "contradictions",
    organization: false,
    play,
    page: "# Sessions that contradict themselves

- 09:00:00 anna takes `Builder` with MFA, source identity `anna` and the transitive tag `Project`, and from
  there `Publisher` in 222222222222 (09:10:00): both sessions carry tag and source identity. Nothing is wrong.
- 09:50:00 From anna's session somebody takes `Publisher` with the source identity `mallory`: AWS refuses to
  change it, so one of the records is not genuine.
- 10:00:00 mallory takes `Builder` under the session name `anna`.
- 10:05:00 From there she gets `Publisher` for two hours, though a chain allows one.
- 11:00:00 mallory takes `Publisher` as `i-0123456789abcdef0`, which no instance did, for 15 minutes, and
  uses it at 11:40:00 all the same.

**Right answer:** the keys name the callers whatever the sessions call themselves: anna or mallory. The
column `contradictions` of **sessions** tells what does not fit.
",
};

fn play(stage: &mut Stage) {
    let (anna, mallory) = (user(stage, FIRST, "anna"), user(stage, FIRST, "mallory"));
    let builder = role(stage, FIRST, "/", "Builder");
    let publisher = role(stage, SECOND, "/", "Publisher");
    let (desk, other) = (terminal("192.0.2.31"), terminal("198.51.100.77"));
    let (as_anna, as_mallory) = (Caller::user(&anna), Caller::user(&mallory));
    stage.series(&as_anna, &desk, hms(8, 59, 0), &["GetCallerIdentity"]);

    let mut ask = Assume::new(&as_anna, &builder, "build-77", hms(9, 0, 0), &desk);
    ask.mfa_serial = Some(anna.mfa_serial());
    ask.source_identity = Some("anna");
    ask.tag = Some(("Project", "apollo"));
    let build = assume(stage, &ask);
    stage.series(&build, &desk, hms(9, 1, 0), &["DescribeStacks", "PutObject"]);
    let mut ask = Assume::new(&build, &publisher, "build-77", hms(9, 10, 0), &desk);
    ask.external_id = Some("publish-1");
    let publish = assume(stage, &ask);
    stage.series(&publish, &desk, hms(9, 11, 0), &["PutObject"]);

    let posing = assume(stage, &Assume::new(&as_mallory, &builder, "anna", hms(10, 0, 0), &other));
    stage.series(&posing, &other, hms(10, 1, 0), &["ListBuckets", "ListRoles"]);
    let mut ask = Assume::new(&posing, &publisher, "release", hms(10, 5, 0), &other);
    ask.duration = Some(2 * HOUR);
    let long = assume(stage, &ask);
    stage.series(&long, &other, hms(10, 6, 0), &["GetBucketPolicy"]);

    let mut ask = Assume::new(&build, &publisher, "build-78", hms(9, 50, 0), &other);
    ask.source_identity = Some("mallory");
    let forged = assume(stage, &ask);
    stage.series(&forged, &other, hms(9, 51, 0), &["PutBucketPolicy"]);

    let name = "i-0123456789abcdef0";
    let mut ask = Assume::new(&as_mallory, &publisher, name, hms(11, 0, 0), &other);
    ask.duration = Some(900);
    let instance = assume(stage, &ask);
    stage.series(&instance, &other, hms(11, 5, 0), &["ListBuckets"]);
    stage.series(&instance, &other, hms(11, 40, 0), &["DeleteObject"]);
}
