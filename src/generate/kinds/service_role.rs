//! A service assumes a role of an account: what EC2, Lambda and service-linked roles share.

use std::sync::Arc;

use super::assume_role::credentials;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::json::{Obj, list, quote};
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};

/// A service's request for a role.
pub struct ServiceAsk<'a> {
    /// The service principal.
    pub service: &'static str,
    /// The role.
    pub role: &'a Arc<Role>,
    /// The session name in the request.
    pub session: &'a str,
    /// When.
    pub at: Seconds,
    /// Where it is recorded.
    pub region: &'static str,
    /// How long the credentials live.
    pub lifetime: i64,
    /// Whether the response shows `assumedRoleUser`; several services leave it out.
    pub shows_user: bool,
    /// Transitive session tags.
    pub tags: &'a [(&'a str, &'a str)],
    /// `sourceIdentity` that the service sets.
    pub source_identity: Option<&'a str>,
    /// What gets lost.
    pub loss: Loss,
}

impl<'a> ServiceAsk<'a> {
    /// A request without tags of which every record arrives, answered with `assumedRoleUser`.
    pub fn new(
        service: &'static str,
        role: &'a Arc<Role>,
        session: &'a str,
        at: Seconds,
        region: &'static str,
    ) -> ServiceAsk<'a> {
        let (lifetime, shows_user, tags) = (HOUR, true, &[]);
        let (source_identity, loss) = (None, Loss::Nothing);
        ServiceAsk {
            service,
            role,
            session,
            at,
            region,
            lifetime,
            shows_user,
            tags,
            source_identity,
            loss,
        }
    }
}

/// Writes the issuing record; returns the session. The twin of the record lies in AWS's account.
pub fn assume_by_service(stage: &mut Stage, ask: &ServiceAsk) -> Caller {
    let key = stage.ids.temporary_key();
    let caller = Caller::service(ask.service);
    let desk = Desk::service(ask.service, ask.region);
    let mut response =
        Obj::new().raw("credentials", &credentials(stage, &key, ask.at + ask.lifetime));
    response = response.maybe("sourceIdentity", ask.source_identity);
    if ask.shows_user {
        response = response.raw("assumedRoleUser", &ask.role.assumed_user(ask.session));
    }
    let mut call = Call::read("sts", "AssumeRole")
        .request(request(ask))
        .response(response.done())
        .resource(ask.role.resource());
    call.shared = Some(stage.dice.guid());
    let account = &*ask.role.account;
    let kept = !ask.loss.takes_caller_half() && !stage.folder_lost(account, ask.region);
    if kept {
        stage.tell_in(account, &caller, &desk, ask.at, call);
    }
    let behind = caller.behind.deeper().only_if(kept);
    let source_identity = ask.source_identity.map(str::to_string);
    let session = Caller::role(ask.role, ask.session, behind, ask.at);
    Caller { key: Some(key), source_identity, ..session }
}

fn request(ask: &ServiceAsk) -> String {
    let request = Obj::new().text("roleArn", &ask.role.arn()).text("roleSessionName", ask.session);
    let request = request.maybe("sourceIdentity", ask.source_identity);
    if ask.tags.is_empty() {
        return request.done();
    }
    let tag = |(key, value): &(&str, &str)| Obj::new().text("key", key).text("value", value).done();
    let tags: Vec<String> = ask.tags.iter().map(tag).collect();
    let keys: Vec<String> = ask.tags.iter().map(|(key, _)| quote(key)).collect();
    request.raw("tags", &list(&tags)).raw("transitiveTagKeys", &list(&keys)).done()
}
