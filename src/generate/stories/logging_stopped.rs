//! Logging is stopped, a role is opened to strangers, and an emergency role is taken.

use std::sync::Arc;

use super::Story;
use super::people::{FIRST, SECOND, VENDOR, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::json::{Obj, quote};
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::denied::{Cause, attempt};
use crate::generate::kinds::vendor;
use crate::generate::people::{Role, User};
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "logging-stopped",
    organization: false,
    play,
    page: "# Logging stops, a door opens

- 07:00 hanna uses `PayrollAdmin` in 222222222222, as she does every day.
- 08:30 wanda takes `Automation` in 222222222222. At 09:05 she stops the trail `main` of 111111111111; to delete it is refused.
- 09:10 as `Automation` she lets 999999999999 assume `PayrollAdmin`; at 09:12 she removes the role's permissions boundary. Setting
  the boundary of the user `svc-pay` is refused. At 09:20 she is refused `EmergencyAccess`.
- 10:00 a principal of 999999999999 takes `PayrollAdmin`. At 11:00 hanna uses it as well.
- 13:10 ivan, of operations, starts logging again and takes `EmergencyAccess` with MFA at 13:20, for eight minutes, in which he
  sets the trust policy back.

**Right answers:** 111111111111 has no event between 09:06 and 13:10, because wanda stopped its trail. The stranger is new to
the role, hanna is not. ivan's is the emergency.
",
};

fn play(stage: &mut Stage) {
    let (hanna, wanda) = (user(stage, FIRST, "hanna"), user(stage, FIRST, "wanda"));
    // Operations have users of their own in the second account, whose trail never stopped.
    let ivan = user(stage, SECOND, "ivan");
    let payroll = role(stage, SECOND, "/", "PayrollAdmin");
    let automation = role(stage, SECOND, "/", "Automation");
    let emergency = role(stage, SECOND, "/", "EmergencyAccess");
    let (office, desk) = (terminal("198.51.100.140"), terminal("203.0.113.141"));

    let as_hanna = Caller::user(&hanna);
    let session = assume(stage, &Assume::new(&as_hanna, &payroll, "hanna", hms(7, 0, 0), &office));
    stage.series(&session, &office, hms(7, 1, 0), &["GetItem", "GetObject"]);

    let as_wanda = Caller::user(&wanda);
    let tool = assume(stage, &Assume::new(&as_wanda, &automation, "wanda", hms(8, 30, 0), &desk));
    stage.tell(&as_wanda, &desk, hms(9, 4, 0), trail("DeleteTrail").error("AccessDenied", DENIED));
    stage.tell(&as_wanda, &desk, hms(9, 5, 0), trail("StopLogging"));
    stage.tell(&tool, &desk, hms(9, 10, 0), trust(&payroll, VENDOR));
    let request = Obj::new().text("roleName", &payroll.name).done();
    let call = Call::write("iam", "DeleteRolePermissionsBoundary").request(request);
    stage.tell(&tool, &desk, hms(9, 12, 0), call);
    let call = Call::write("iam", "PutUserPermissionsBoundary")
        .request(Obj::new().text("userName", "svc-pay").done())
        .error("AccessDenied", DENIED);
    stage.tell(&tool, &desk, hms(9, 14, 0), call);
    attempt(stage, &tool, &emergency, &desk, hms(9, 20, 0), Cause::NoTrust);

    let stranger = vendor::principal(&VENDOR.into(), "AIDAEXAMPLESTRANGER1");
    let far = terminal("203.0.113.200");
    let ask = Assume::new(&stranger, &payroll, "payroll-sync", hms(10, 0, 0), &far);
    let session = assume(stage, &ask);
    stage.series(&session, &far, hms(10, 1, 0), &["ListBuckets", "GetObject", "GetItem"]);
    // Her own account does not log; the role's account does, and knows her by id.
    let ask = Assume::new(&as_hanna, &payroll, "hanna", hms(11, 0, 0), &office);
    let ask = Assume { loss: Loss::CallerHalf, ..ask };
    let session = assume(stage, &ask);
    stage.series(&session, &office, hms(11, 1, 0), &["GetItem"]);
    operations(stage, &ivan, &emergency, &payroll);
}

fn operations(stage: &mut Stage, ivan: &Arc<User>, emergency: &Arc<Role>, payroll: &Role) {
    let desk = terminal("198.51.100.142");
    let keeper = role(stage, FIRST, "/", "TrailKeeper");
    let as_ivan = Caller::user(ivan);
    // The first account logs nothing yet.
    let ask = Assume::new(&as_ivan, &keeper, "ivan", hms(13, 9, 0), &desk);
    let session = assume(stage, &Assume { loss: Loss::OwnerHalf, ..ask });
    stage.tell(&session, &desk, hms(13, 10, 0), trail("StartLogging"));
    let mut ask = Assume::new(&as_ivan, emergency, "ivan", hms(13, 20, 0), &desk);
    ask.mfa_serial = Some(ivan.mfa_serial());
    let session = assume(stage, &ask);
    stage.series(&session, &desk, hms(13, 21, 0), &["GetRole", "ListUsers"]);
    stage.tell(&session, &desk, hms(13, 28, 0), trust(payroll, FIRST));
}

const DENIED: &str = "User is not authorized to perform this action with an explicit deny in a service control policy";

fn trail(name: &'static str) -> Call {
    let arn = format!("arn:aws:cloudtrail:eu-west-1:{FIRST}:trail/main");
    Call::write("cloudtrail", name).request(Obj::new().text("name", &arn).done())
}

fn trust(role: &Role, account: &str) -> Call {
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    let request =
        Obj::new().text("roleName", &role.name).raw("policyDocument", &quote(&policy)).done();
    Call::write("iam", "UpdateAssumeRolePolicy").request(request)
}
