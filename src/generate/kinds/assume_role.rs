//! AssumeRole: the call from which most sessions come, in one account or across two.

use std::sync::Arc;

use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds, expiration};
use crate::generate::desk::{Desk, INTERNAL};
use crate::generate::identity::{Caller, Who};
use crate::generate::json::{Obj, quote};
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};
use crate::generate::truth::Behind;

/// A request to assume a role.
pub struct Assume<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Which role.
    pub role: &'a Arc<Role>,
    /// Under which session name.
    pub session: &'a str,
    /// When; the session's `creationDate`.
    pub at: Seconds,
    /// From where.
    pub desk: &'a Desk,
    /// `durationSeconds`, where asked for.
    pub duration: Option<i64>,
    /// `externalId`.
    pub external_id: Option<&'a str>,
    /// `serialNumber`: an MFA device was presented.
    pub mfa_serial: Option<String>,
    /// `sourceIdentity` chosen here; an inherited one goes along by itself.
    pub source_identity: Option<&'a str>,
    /// One transitive session tag.
    pub tag: Option<(&'a str, &'a str)>,
    /// The console switches role: AWS's own address, and the session uses other keys.
    pub console: bool,
    /// What gets lost.
    pub loss: Loss,
}

impl<'a> Assume<'a> {
    /// A plain request of which every record arrives.
    pub fn new(
        caller: &'a Caller,
        role: &'a Arc<Role>,
        session: &'a str,
        at: Seconds,
        desk: &'a Desk,
    ) -> Assume<'a> {
        Assume {
            caller,
            role,
            session,
            at,
            desk,
            duration: None,
            external_id: None,
            mfa_serial: None,
            source_identity: None,
            tag: None,
            console: false,
            loss: Loss::Nothing,
        }
    }

    fn source_identity(&self) -> Option<&str> {
        self.source_identity.or(self.caller.source_identity.as_deref())
    }

    fn cross_account(&self) -> bool {
        self.caller.account() != &*self.role.account
    }

    fn request(&self) -> String {
        let mut request =
            Obj::new().text("roleArn", &self.role.arn()).text("roleSessionName", self.session);
        if let Some(seconds) = self.duration {
            request = request.int("durationSeconds", seconds);
        }
        request = request
            .maybe("externalId", self.external_id)
            .maybe("serialNumber", self.mfa_serial.as_deref())
            .maybe("sourceIdentity", self.source_identity());
        if let Some((key, value)) = self.tag {
            let tag = Obj::new().text("key", key).text("value", value).done();
            request = request
                .raw("tags", &format!("[{tag}]"))
                .raw("transitiveTagKeys", &format!("[{}]", quote(key)));
        }
        request.maybe_raw("incomingTransitiveTags", self.caller.transitive_tags.as_deref()).done()
    }

    fn child_tags(&self) -> Option<String> {
        match self.tag {
            Some((key, value)) => Some(Obj::new().text(key, value).done()),
            None => self.caller.transitive_tags.clone(),
        }
    }
}

/// `responseElements.credentials`.
pub fn credentials(stage: &mut Stage, key: &str, expires: Seconds) -> String {
    Obj::new()
        .text("accessKeyId", key)
        .text("expiration", &expiration(expires))
        .text("sessionToken", &stage.dice.session_token())
        .done()
}

/// Assumes the role: writes the record, or both halves, and returns the new session.
pub fn assume(stage: &mut Stage, ask: &Assume) -> Caller {
    let key = stage.ids.temporary_key();
    let call = granted(stage, ask, &key);
    let proven = record_halves(stage, ask, call);
    let behind = ask.caller.behind.deeper().only_if(proven);
    let mut child = Caller::role(ask.role, ask.session, behind, ask.at);
    child.key = Some(key);
    child.mfa =
        ask.mfa_serial.is_some() || (ask.caller.mfa && matches!(ask.caller.who, Who::User(_)));
    child.source_identity = ask.source_identity().map(str::to_string);
    child.transitive_tags = ask.child_tags();
    child
}

fn granted(stage: &mut Stage, ask: &Assume, key: &str) -> Call {
    let expires = ask.at + ask.duration.unwrap_or(HOUR);
    let mut response = Obj::new()
        .raw("credentials", &credentials(stage, key, expires))
        .raw("assumedRoleUser", &ask.role.assumed_user(ask.session))
        .maybe("sourceIdentity", ask.source_identity());
    if ask.tag.is_some() {
        response = response.int("packedPolicySize", 4);
    }
    let endpoint = Obj::new()
        .text("endpointType", if ask.desk.region == "us-east-1" { "global" } else { "regional" })
        .text("awsServingRegion", ask.desk.region)
        .done();
    let mut call = Call::read("sts", "AssumeRole")
        .request(ask.request())
        .response(response.done())
        .additional(Obj::new().raw("RequestDetails", &endpoint).done())
        .resource(ask.role.resource());
    if ask.cross_account() {
        call.shared = Some(stage.dice.guid());
    }
    call
}

/// Writes what is not lost; true when the caller can be told from it.
fn record_halves(stage: &mut Stage, ask: &Assume, call: Call) -> bool {
    let internal = Desk::new(INTERNAL, INTERNAL, ask.desk.region);
    let desk = if ask.console { &internal } else { ask.desk };
    let cross = ask.cross_account();
    let (region, owner) = (call.region(desk), &*ask.role.account);
    let foreign = matches!(ask.caller.who, Who::Foreign { .. });
    let caller_half = !foreign
        && !ask.loss.takes_caller_half()
        && !stage.folder_lost(ask.caller.account(), region);
    let owner_half = cross && !ask.loss.takes_owner_half() && !stage.folder_lost(owner, region);
    // A user's unique id stands beside its ARN elsewhere in the logs; a session's does not. Of an
    // account without logs the principal id is all there is to know.
    let named_by_id = foreign || matches!(ask.caller.who, Who::User(_));
    let proven = caller_half || (owner_half && named_by_id);
    let behind = ask.caller.behind.clone().only_if(proven);
    if caller_half {
        write_caller_half(stage, ask, desk, call.clone(), behind.clone());
    }
    if owner_half {
        let seen = ask.caller.as_foreign(behind);
        stage.tell_in(owner, &seen, desk, ask.at, call);
    }
    proven
}

fn write_caller_half(stage: &mut Stage, ask: &Assume, desk: &Desk, call: Call, behind: Behind) {
    let mut caller = ask.caller.clone();
    if ask.console {
        caller.invoked_by = Some(INTERNAL);
    }
    let recipient = caller.account().to_string();
    stage.tell_as(behind, &recipient, &caller, desk, ask.at, call);
}

/// A session name such as people and tools choose, and a second in which it is unmistakable.
pub fn session_name(stage: &mut Stage, role: &Role, owner: &str, at: Seconds) -> (String, Seconds) {
    let name = match stage.dice.below(5) {
        0 => (*stage.dice.pick(&["terraform", "GitHubActions", "admin", "session1"])).to_string(),
        1 => format!("botocore-session-{at}"),
        2 => format!("AWS-CLI-session-{at}"),
        3 => format!("deploy-{}", stage.dice.hex(8)),
        _ => owner.to_string(),
    };
    let at = stage.free_second(&role.session_id(&name), at);
    (name, at)
}

/// A user takes a role, half of the time in another account, and works under it.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, home);
    let there = if stage.dice.chance(500) { home } else { cast.other(&mut stage.dice, home) };
    let role = cast.role(&mut stage.dice, there);
    let (caller, desk) = (Caller::user(&user), Desk::program(&mut stage.dice));
    stage.work(&caller, &desk, stage.now, 60, (0, 3));
    let (name, at) = session_name(stage, &role, &user.name, stage.now + 60);
    let loss = stage.draw_loss();
    let mut ask = Assume { loss, ..Assume::new(&caller, &role, &name, at, &desk) };
    match stage.dice.below(6) {
        0 => ask.duration = Some(900),
        1 => ask.source_identity = Some(&user.name),
        2 => ask.mfa_serial = Some(user.mfa_serial()),
        3 => ask.tag = Some(("Project", "apollo")),
        _ => {}
    }
    let session = assume(stage, &ask);
    stage.work(&session, &desk, at, 900, (5, 30));
}
