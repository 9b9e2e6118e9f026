//! IAM Identity Center: the portal hands out sessions of `AWSReservedSSO_` roles whose name is the
//! person's. No record shows the issued key.

use std::sync::Arc;

use super::assume_role::{Assume, assume};
use super::console;
use crate::generate::cast::{Cast, Person};
use crate::generate::clock::Seconds;
use crate::generate::desk::{Desk, HOME};
use crate::generate::identity::{Caller, Who};
use crate::generate::json::Obj;
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::Stage;
use crate::generate::truth::{Behind, Origin};

const STORE: &str = "d-9367000001";

fn on_behalf_of(person: &Person, instance: &str) -> String {
    let store = format!("arn:aws:identitystore::{instance}:identitystore/{STORE}");
    Obj::new().text("userId", &person.user_id).text("identityStoreArn", &store).done()
}

fn origin(person: &Person) -> Behind {
    Behind::own(Origin::outside("IdentityCenterUser", &person.name))
}

/// The person at the portal, in the shape of the person's generation.
pub fn at_portal(stage: &mut Stage, person: &Person, instance: &Arc<str>) -> Caller {
    let block = if person.newer {
        Obj::new()
            .text("type", "IdentityCenterUser")
            .text("accountId", instance)
            .raw("onBehalfOf", &on_behalf_of(person, instance))
            .text("credentialId", &stage.dice.guid())
            .done()
    } else {
        Obj::new()
            .text("type", "Unknown")
            .text("principalId", &person.user_id)
            .text("accountId", instance)
            .text("userName", &person.name)
            .done()
    };
    Caller::new(Who::Verbatim { account: instance.clone(), block }, origin(person))
}

/// A portal call that names the role it is about in `serviceEventDetails`.
pub fn portal_call(name: &'static str, role: &Role) -> Call {
    let set = role.name.trim_start_matches("AWSReservedSSO_");
    let set = set.rsplit_once('_').map_or(set, |(set, _)| set);
    let mut call = Call::read("sso", name).kind("AwsServiceEvent");
    call.details = Some(Obj::new().text("role_name", set).text("account_id", &role.account).done());
    call
}

/// A call that opens the console, as one of the versions of the portal records it.
fn federate(stage: &mut Stage, role: &Role) -> Call {
    let full = portal_call("Federate", role);
    let set = full.details.clone().unwrap_or_default();
    let camel = set.replace("role_name", "roleName").replace("account_id", "accountId");
    match stage.dice.below(3) {
        0 => full,
        1 => Call { details: None, ..full }.request(camel),
        _ => Call { source: "signin", details: Some(camel), ..full },
    }
}

/// The person opens the console at the portal.
fn open_console(stage: &mut Stage, cast: &Cast, person: &Person, role: &Arc<Role>) {
    let desk = Desk::browser(&mut stage.dice).in_region(HOME);
    let portal = at_portal(stage, person, &cast.management().id);
    let at = stage.now;
    stage.tell(&portal, &desk, at - 5, portal_call("Authenticate", role));
    let call = federate(stage, role);
    if !stage.draw_loss().takes_caller_half() {
        stage.tell(&portal, &desk, at, call);
    }
    console::browse(stage, &session(role, person, at), &desk, at, (2, 9));
}

/// A session of a person under a role that Identity Center made; its name is the proof.
pub fn session(role: &Arc<Role>, person: &Person, at: Seconds) -> Caller {
    Caller::role(role, &person.name, origin(person).deeper(), at)
}

/// The same session as those services record it that also name the person.
pub fn naming_person(session: &Caller, person: &Person, instance: &str) -> Caller {
    Caller { on_behalf_of: Some(on_behalf_of(person, instance)), ..session.clone() }
}

/// Writes GetRoleCredentials into the instance's account and returns the session with its key.
pub fn get_role_credentials(
    stage: &mut Stage,
    person: &Person,
    instance: &Arc<str>,
    role: &Arc<Role>,
    desk: &Desk,
    at: Seconds,
) -> Caller {
    let portal = at_portal(stage, person, instance);
    stage.tell(&portal, desk, at, portal_call("GetRoleCredentials", role));
    let key = stage.ids.temporary_key();
    Caller { key: Some(key), ..session(role, person, at) }
}

/// Shows every person once with user id and session name together, in a folder that is never lost.
pub fn roll_call(stage: &mut Stage, cast: &Cast) {
    let instance = &cast.management().id;
    for (number, person) in cast.people.iter().enumerate() {
        let member = &cast.members[number % cast.members.len()];
        let at = stage.now + stage.dice.between(0, 300);
        let session = session(&member.reserved[0], person, at);
        let session = session.with_key(Some(stage.ids.temporary_key()));
        let session = naming_person(&session, person, instance);
        let desk = Desk::program(&mut stage.dice).in_region(HOME);
        stage.named(&session, &desk, at + 1, "GetCallerIdentity");
    }
}

/// A person fetches credentials and works, sometimes on under a second role.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let person = stage.dice.pick(&cast.people);
    let instance = &cast.management().id;
    let member = cast.member(&mut stage.dice);
    let role = stage.dice.pick(&cast.members[member].reserved).clone();
    if stage.dice.chance(250) {
        return open_console(stage, cast, person, &role);
    }
    let desk = Desk::program(&mut stage.dice);
    let (at, home) = (stage.now, desk.in_region(HOME));
    if stage.dice.chance(200) {
        let portal = at_portal(stage, person, instance);
        stage.tell(&portal, &home, at - 9, Call::write("sso", "CreateToken"));
    }
    let lost = stage.draw_loss().takes_caller_half();
    let session = if lost {
        session(&role, person, at).with_key(Some(stage.ids.temporary_key()))
    } else {
        get_role_credentials(stage, person, instance, &role, &home, at)
    };
    stage.work(&session, &desk, at, 900, (3, 18));
    if person.newer {
        let named = naming_person(&session, person, instance);
        stage.work(&named, &desk, at, 900, (1, 6));
    }
    if stage.dice.chance(250) {
        let there = cast.member(&mut stage.dice);
        let next = cast.role(&mut stage.dice, there);
        let loss = stage.draw_loss();
        let at = at + 90;
        let ask = Assume { loss, ..Assume::new(&session, &next, &person.name, at, &desk) };
        let second = assume(stage, &ask);
        stage.work(&second, &desk, at, 600, (2, 8));
    }
}
