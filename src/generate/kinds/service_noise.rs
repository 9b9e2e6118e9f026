//! Services acting for themselves: the bulk of many logs, and nobody's session.

use crate::generate::calls;
use crate::generate::cast::Cast;
use crate::generate::desk::{Desk, REGIONS};
use crate::generate::identity::{Caller, Who};
use crate::generate::json::Obj;
use crate::generate::record::Call;
use crate::generate::stage::Stage;

const PAIRS: [(&str, &str); 5] = [
    ("cloudtrail.amazonaws.com", "GetBucketAcl"),
    ("cloudtrail.amazonaws.com", "GenerateDataKey"),
    ("config.amazonaws.com", "PutObject"),
    ("delivery.logs.amazonaws.com", "PutObject"),
    ("logs.amazonaws.com", "Decrypt"),
];

/// A run of calls of one service, and now and then a service event without an identity type.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = &cast.members[cast.member(&mut stage.dice)].id;
    let (service, call) = *stage.dice.pick(&PAIRS);
    let caller = Caller::service(service);
    let region = *stage.dice.pick(&REGIONS);
    let desk = Desk::service(service, region);
    for _ in 0..stage.dice.between(3, 20) {
        let at = stage.now + stage.dice.between(0, 900);
        let drawn = calls::named(call, &mut stage.dice, &caller, &desk, at);
        stage.tell_in(member, &caller, &desk, at, drawn);
    }
    if stage.dice.chance(200) {
        rotate_key(stage, member);
    }
}

/// A service event: identity with account and service, without a type.
fn rotate_key(stage: &mut Stage, account: &str) {
    let block = Obj::new().text("accountId", account).text("invokedBy", "kms.amazonaws.com").done();
    let service = Caller::service("kms.amazonaws.com");
    let who = Who::Verbatim { account: account.into(), block };
    let caller = Caller { who, ..service };
    let region = *stage.dice.pick(&REGIONS);
    let desk = Desk::service("kms.amazonaws.com", region);
    let mut call = Call::write("kms", "RotateKey").kind("AwsServiceEvent");
    call.details = Some(Obj::new().text("keyId", &stage.dice.guid()).done());
    stage.tell(&caller, &desk, stage.now, call);
}
