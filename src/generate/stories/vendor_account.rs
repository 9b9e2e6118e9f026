//! A vendor whose logs nobody here has.

use super::Story;
use super::people::{FIRST, VENDOR, role, terminal};
use crate::generate::clock::hms;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::vendor;
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "vendor-account",
    organization: false,
    play,
    page: "# A vendor comes in

Two principals of 999999999999, an account without logs here, take `VendorAuditRole` in 111111111111.
Only the role owner's half of each call exists: it shows account and principal id, no name and no key.

**Right answers**, both `AWSAccount`, account 999999999999, their calls at depth 1:

- session `collector-1` (05:00:00): `AROAEXAMPLEVENDOR0001:nightly-scan`
- session `collector-2` (05:30:00): `AIDAEXAMPLEVENDOR0002`, which came without the external id
",
};

fn play(stage: &mut Stage) {
    let audit = role(stage, FIRST, "/vendors/", "VendorAuditRole");
    let desk = terminal("203.0.113.200");
    for (id, session, at, external_id) in [
        ("AROAEXAMPLEVENDOR0001:nightly-scan", "collector-1", hms(5, 0, 0), Some("tenant-4711")),
        ("AIDAEXAMPLEVENDOR0002", "collector-2", hms(5, 30, 0), None),
    ] {
        let caller = vendor::principal(&VENDOR.into(), id);
        let ask = Assume { external_id, ..Assume::new(&caller, &audit, session, at, &desk) };
        let session = assume(stage, &ask);
        let calls =
            ["GetCallerIdentity", "ListRoles", "DescribeTrails", "GetBucketAcl", "DescribeVolumes"];
        stage.series(&session, &desk, at + 5, &calls);
    }
}
