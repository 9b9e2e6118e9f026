//! IAM Roles Anywhere: a machine outside AWS shows a certificate.

use std::sync::Arc;

use super::assume_role::credentials;
use super::service_role::{ServiceAsk, assume_by_service};
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::Desk;
use crate::generate::identity::{Caller, Who};
use crate::generate::json::Obj;
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};
use crate::generate::truth::{Behind, Origin};

/// A certificate and what it asks for.
pub struct Certificate<'a> {
    /// Common name of its subject.
    pub name: &'a str,
    /// Its serial number, which becomes the session name.
    pub serial: &'a str,
    /// The role asked for.
    pub role: &'a Arc<Role>,
    /// When.
    pub at: Seconds,
    /// From where.
    pub desk: &'a Desk,
    /// What gets lost.
    pub loss: Loss,
}

impl Certificate<'_> {
    fn behind(&self) -> Behind {
        let subject = format!("CN={}", self.name);
        Behind::own(Origin::of_account("RolesAnywhere", &subject, &self.role.account))
    }

    fn arn(&self, what: &str) -> String {
        format!("arn:aws:rolesanywhere:{}:{}:{what}", self.desk.region, self.role.account)
    }

    fn request(&self) -> String {
        Obj::new()
            .text("profileArn", &self.arn("profile/30000000-aaaa-4bbb-8ccc-000000000001"))
            .text("roleArn", &self.role.arn())
            .text("trustAnchorArn", &self.arn("trust-anchor/30000000-aaaa-4bbb-8ccc-000000000002"))
            .int("durationSeconds", HOUR)
            .done()
    }

    fn response(&self, credentials: &str) -> String {
        let set = Obj::new()
            .raw("assumedRoleUser", &self.role.assumed_user(self.serial))
            .raw("credentials", credentials)
            .text("roleArn", &self.role.arn())
            .text("sourceIdentity", &format!("CN={}", self.name))
            .done();
        Obj::new()
            .raw("credentialSet", &format!("[{set}]"))
            .text("subjectArn", &self.arn("subject/30000000-aaaa-4bbb-8ccc-000000000003"))
            .done()
    }
}

/// Writes the service's own CreateSession and returns the session.
pub fn create_session(stage: &mut Stage, ask: &Certificate) -> Caller {
    let account = &*ask.role.account;
    let key = stage.ids.temporary_key();
    let block = Obj::new().text("type", "Unknown").text("accountId", account).done();
    let who = Who::Verbatim { account: account.into(), block };
    let caller = Caller::new(who, ask.behind());
    let response = ask.response(&credentials(stage, &key, ask.at + HOUR));
    let call =
        Call::write("rolesanywhere", "CreateSession").request(ask.request()).response(response);
    let kept = !ask.loss.takes_caller_half() && !stage.folder_lost(account, ask.desk.region);
    if kept {
        stage.tell(&caller, ask.desk, ask.at, call);
    }
    let behind = ask.behind().deeper().only_if(kept);
    let session = Caller::role(ask.role, ask.serial, behind, ask.at);
    let source_identity = Some(format!("CN={}", ask.name));
    Caller { key: Some(key), source_identity, ..session }
}

/// Writes the other shape: the service itself takes the role.
pub fn assumed_by_service(stage: &mut Stage, ask: &Certificate) -> Caller {
    let subject = format!("CN={}", ask.name);
    let tags = [("x509Subject/CN", ask.name), ("x509Issuer/CN", "Example Plant CA")];
    let request = ServiceAsk {
        tags: &tags,
        source_identity: Some(&subject),
        loss: ask.loss,
        ..ServiceAsk::new(
            "rolesanywhere.amazonaws.com",
            ask.role,
            ask.serial,
            ask.at,
            ask.desk.region,
        )
    };
    let session = assume_by_service(stage, &request);
    let behind = ask.behind().deeper().only_if(session.behind.provable);
    Caller { behind, ..session }
}

/// Both shapes of one issue: the service's own record, and what STS shows of it.
fn shown_twice(stage: &mut Stage, ask: &Certificate) -> Caller {
    let session = assumed_by_service(stage, ask);
    let account = &*ask.role.account;
    let block = Obj::new().text("type", "Unknown").text("accountId", account).done();
    let caller = Caller::new(Who::Verbatim { account: account.into(), block }, ask.behind());
    let key = session.key.clone().unwrap_or_default();
    let response = ask.response(&credentials(stage, &key, ask.at + HOUR));
    let call =
        Call::write("rolesanywhere", "CreateSession").request(ask.request()).response(response);
    stage.tell(&caller, ask.desk, ask.at, call);
    let kept = !stage.folder_lost(account, ask.desk.region);
    let behind = if kept { session.behind.clone().proven() } else { session.behind.clone() };
    Caller { behind, ..session }
}

/// A machine renews its session once or twice, in one of the two shapes.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let role = cast.role(&mut stage.dice, member);
    let desk = Desk::program(&mut stage.dice);
    let name = format!("press-{}.plant.example.com", stage.dice.below(40));
    let serial = stage.dice.hex(38);
    let shape = stage.dice.below(4);
    for n in 0..stage.dice.between(1, 2) {
        let (at, loss) = (stage.now + n * HOUR, stage.draw_loss());
        let ask = Certificate { name: &name, serial: &serial, role: &role, at, desk: &desk, loss };
        let session = match shape {
            0 => assumed_by_service(stage, &ask),
            1 => shown_twice(stage, &ask),
            _ => create_session(stage, &ask),
        };
        stage.work(&session, &desk, at, 1800, (2, 10));
    }
}
