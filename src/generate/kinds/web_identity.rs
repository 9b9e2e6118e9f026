//! AssumeRoleWithWebIdentity: a workload shows a token of its own platform.

use std::sync::Arc;

use super::assume_role::{Assume, assume, credentials};
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::Desk;
use crate::generate::identity::{Caller, Who};
use crate::generate::json::Obj;
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};
use crate::generate::truth::{Behind, Origin};

/// GitHub's issuer.
pub const GITHUB: &str = "token.actions.githubusercontent.com";
/// The issuer of a Kubernetes cluster.
pub const CLUSTER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE0D8A1B2C3D4E5F60718293A4B";

/// A request with a token.
pub struct Token<'a> {
    /// Who issued the token.
    pub issuer: &'a str,
    /// Whom the token names.
    pub subject: &'a str,
    /// The role asked for.
    pub role: &'a Arc<Role>,
    /// Under which session name.
    pub session: &'a str,
    /// When.
    pub at: Seconds,
    /// From where.
    pub desk: &'a Desk,
    /// What gets lost.
    pub loss: Loss,
}

/// Writes the issuing record and returns the session.
pub fn assume_with_token(stage: &mut Stage, ask: &Token) -> Caller {
    let account = &*ask.role.account;
    let provider = format!("arn:aws:iam::{account}:oidc-provider/{}", ask.issuer);
    let key = stage.ids.temporary_key();
    let request = Obj::new()
        .text("roleArn", &ask.role.arn())
        .text("roleSessionName", ask.session)
        .int("durationSeconds", HOUR);
    let response = Obj::new()
        .raw("credentials", &credentials(stage, &key, ask.at + HOUR))
        .text("subjectFromWebIdentityToken", ask.subject)
        .raw("assumedRoleUser", &ask.role.assumed_user(ask.session))
        .text("provider", &provider)
        .text("audience", "sts.amazonaws.com");
    let verified =
        Obj::new().text("identityProviderConnectionVerificationMethod", "IAMTrustStore").done();
    let call = Call::read("sts", "AssumeRoleWithWebIdentity")
        .request(request.done())
        .response(response.done())
        .additional(verified)
        .resource(ask.role.resource());
    let caller = bearer(&provider, ask.subject);
    let kept = !ask.loss.takes_caller_half() && !stage.folder_lost(account, ask.desk.region);
    if kept {
        stage.tell_in(account, &caller, ask.desk, ask.at, call);
    }
    let behind = caller.behind.deeper().only_if(kept);
    let mut session = Caller::role(ask.role, ask.session, behind, ask.at);
    session.key = Some(key);
    session.web_federation =
        Some(Obj::new().text("federatedProvider", &provider).raw("attributes", "{}").done());
    session
}

fn bearer(provider: &str, subject: &str) -> Caller {
    let who = Who::Token {
        kind: "WebIdentityUser",
        principal_id: format!("{provider}:sts.amazonaws.com:{subject}"),
        name: subject.to_string(),
        provider: provider.to_string(),
    };
    Caller::new(who, Behind::own(Origin::outside("WebIdentityUser", subject)))
}

/// A GitHub workflow or a Kubernetes service account at work, sometimes under a second role.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let role = cast.role(&mut stage.dice, member);
    let desk = Desk::program(&mut stage.dice);
    let number = stage.dice.below(40);
    let github = stage.dice.chance(500);
    let (issuer, subject, name) = if github {
        let subject = format!("repo:exampleorg/service-{number}:ref:refs/heads/main");
        (GITHUB, subject, "GitHubActions".to_string())
    } else {
        let subject = format!("system:serviceaccount:team-{number}:worker");
        (CLUSTER, subject, format!("botocore-session-{}", stage.now))
    };
    let at = stage.free_second(&role.session_id(&name), stage.now);
    let loss = stage.draw_loss();
    let ask =
        Token { issuer, subject: &subject, role: &role, session: &name, at, desk: &desk, loss };
    let session = assume_with_token(stage, &ask);
    stage.work(&session, &desk, at, 600, (4, 20));
    if stage.dice.chance(300) {
        second_role(stage, cast, &session, &desk, at + 60);
    }
}

fn second_role(stage: &mut Stage, cast: &Cast, first: &Caller, desk: &Desk, at: Seconds) {
    let member = cast.member(&mut stage.dice);
    let role = cast.role(&mut stage.dice, member);
    let (name, loss) = (format!("release-{}", stage.dice.hex(10)), stage.draw_loss());
    let ask = Assume { loss, ..Assume::new(first, &role, &name, at, desk) };
    let session = assume(stage, &ask);
    stage.work(&session, desk, at, 300, (2, 8));
}
