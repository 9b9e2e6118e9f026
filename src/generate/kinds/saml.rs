//! AssumeRoleWithSAML: a person from a company directory, by program or through the browser.

use std::sync::Arc;

use super::assume_role::credentials;
use super::console;
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::{Desk, INTERNAL};
use crate::generate::identity::{Caller, Who};
use crate::generate::json::Obj;
use crate::generate::people::{Role, partition};
use crate::generate::record::Call;
use crate::generate::stage::{Loss, Stage};
use crate::generate::truth::{Behind, Origin};

const QUALIFIER: &str = "kVbFnWfvEXAMPLEqualifier0=";

/// A sign-in with an assertion.
pub struct Assertion<'a> {
    /// The subject of the assertion.
    pub subject: &'a str,
    /// The role asked for.
    pub role: &'a Arc<Role>,
    /// When.
    pub at: Seconds,
    /// Where the person sits.
    pub desk: &'a Desk,
    /// Through the browser: AWS's own address, and a console session with other keys.
    pub browser: bool,
    /// What gets lost.
    pub loss: Loss,
}

fn subject(name: &str) -> Caller {
    let who = Who::Token {
        kind: "SAMLUser",
        principal_id: format!("{QUALIFIER}:{name}"),
        name: name.to_string(),
        provider: QUALIFIER.to_string(),
    };
    Caller::new(who, Behind::own(Origin::outside("SAMLUser", name)))
}

/// Writes the issuing record and returns the session.
pub fn assume(stage: &mut Stage, ask: &Assertion) -> Caller {
    let (role, account) = (ask.role, &*ask.role.account);
    let key = stage.ids.temporary_key();
    let call = issuing_call(stage, ask, &key);
    let internal = Desk::new(INTERNAL, "AWS Signin, aws-internal/3", ask.desk.region);
    let desk = if ask.browser { &internal } else { ask.desk };
    let caller = subject(ask.subject);
    let kept = !ask.loss.takes_caller_half() && !stage.folder_lost(account, desk.region);
    if kept {
        stage.tell_in(account, &caller, desk, ask.at, call);
    }
    let behind = caller.behind.deeper().only_if(kept);
    Caller { key: Some(key), ..Caller::role(role, ask.subject, behind, ask.at) }
}

fn issuing_call(stage: &mut Stage, ask: &Assertion, key: &str) -> Call {
    let account = &*ask.role.account;
    let provider =
        format!("arn:{}:iam::{account}:saml-provider/CompanyDirectory", partition(account));
    let request = Obj::new()
        .text("sAMLAssertionID", &format!("_{}", stage.dice.guid()))
        .text("roleSessionName", ask.subject)
        .text("roleArn", &ask.role.arn())
        .text("principalArn", &provider)
        .int("durationSeconds", HOUR);
    let response = Obj::new()
        .text("subjectType", "persistent")
        .text("issuer", "https://idp.example.com/saml/metadata")
        .raw("credentials", &credentials(stage, key, ask.at + HOUR))
        .text("nameQualifier", QUALIFIER)
        .raw("assumedRoleUser", &ask.role.assumed_user(ask.subject))
        .text("subject", ask.subject)
        .text("audience", "https://signin.aws.amazon.com/saml");
    let resource = Obj::new()
        .text("ARN", &provider)
        .text("accountId", account)
        .text("type", "AWS::IAM::SAMLProvider");
    Call::read("sts", "AssumeRoleWithSAML")
        .request(request.done())
        .response(response.done())
        .resource(ask.role.resource())
        .resource(resource.done())
}

/// A person takes a role; half of the time through the browser, where the console follows.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let role = cast.role(&mut stage.dice, member);
    let name = stage.dice.pick(&cast.people).name.replace("@", "@corp.");
    let browser = stage.dice.chance(500);
    let desk =
        if browser { Desk::browser(&mut stage.dice) } else { Desk::program(&mut stage.dice) };
    let at = stage.free_second(&role.session_id(&name), stage.now);
    let loss = stage.draw_loss();
    let ask = Assertion { subject: &name, role: &role, at, desk: &desk, browser, loss };
    let session = assume(stage, &ask);
    if browser {
        console::role_login(stage, &session, &desk, at);
        console::browse(stage, &session, &desk, at, (4, 20));
    } else {
        stage.work(&session, &desk, at, 900, (4, 20));
    }
}
