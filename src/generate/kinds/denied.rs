//! Denied attempts: no request parameters, no response, no resources; the role stands only in the
//! message. The role's account hears nothing of it.

use std::sync::Arc;

use super::assume_role::{Assume, assume};
use crate::generate::cast::Cast;
use crate::generate::clock::Seconds;
use crate::generate::desk::Desk;
use crate::generate::identity::Caller;
use crate::generate::people::Role;
use crate::generate::record::Call;
use crate::generate::stage::Stage;

/// Why an attempt fails, as far as the message tells.
#[derive(Debug, Clone, Copy)]
pub enum Cause {
    /// The bare message: STS does not say why.
    Unspecified,
    /// The caller has no permission.
    NoIdentityPolicy,
    /// The role does not trust the caller.
    NoTrust,
    /// An organization's policy forbids it.
    ServiceControlPolicy,
    /// The caller's permissions boundary does not allow it.
    PermissionsBoundary,
    /// A wrong code of an MFA device.
    WrongMfaCode,
    /// Longer than the role allows.
    DurationTooLong,
    /// Longer than an hour in a chain.
    ChainTooLong,
    /// The caller's own credentials are over.
    ExpiredToken,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 9] = [
        Cause::Unspecified,
        Cause::NoIdentityPolicy,
        Cause::NoTrust,
        Cause::ServiceControlPolicy,
        Cause::PermissionsBoundary,
        Cause::WrongMfaCode,
        Cause::DurationTooLong,
        Cause::ChainTooLong,
        Cause::ExpiredToken,
    ];

    fn error(self, caller: &str, role: &str) -> (&'static str, String) {
        let bare = format!(
            "User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
        );
        let denied = |clause: &str| ("AccessDenied", format!("{bare} {clause}"));
        match self {
            Cause::Unspecified => ("AccessDenied", bare),
            Cause::NoIdentityPolicy => {
                denied("because no identity-based policy allows the sts:AssumeRole action")
            }
            Cause::NoTrust => {
                denied("because no role trust policy allows the sts:AssumeRole action")
            }
            Cause::ServiceControlPolicy => {
                denied("with an explicit deny in a service control policy")
            }
            Cause::PermissionsBoundary => {
                denied("because no permissions boundary allows the sts:AssumeRole action")
            }
            Cause::WrongMfaCode => (
                "AccessDenied",
                "MultiFactorAuthentication failed with invalid MFA one time pass code. ".into(),
            ),
            Cause::DurationTooLong => (
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                    .into(),
            ),
            Cause::ChainTooLong => (
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.".into(),
            ),
            Cause::ExpiredToken => (
                "ExpiredTokenException",
                "The security token included in the request is expired".into(),
            ),
        }
    }
}

/// A failed attempt, recorded in the caller's account only.
pub fn attempt(
    stage: &mut Stage,
    caller: &Caller,
    role: &Role,
    desk: &Desk,
    at: Seconds,
    cause: Cause,
) {
    let (code, message) = cause.error(&caller.arn(), &role.arn());
    let call = Call::read("sts", "AssumeRole").error(code, &message);
    stage.tell(caller, desk, at, call);
}

/// A few failed attempts; sometimes a new role that only has to spread, and then works.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let home = cast.member(&mut stage.dice);
    let there = cast.member(&mut stage.dice);
    let user = cast.user(&mut stage.dice, home);
    let role = cast.role(&mut stage.dice, there);
    let (caller, desk) = (Caller::user(&user), Desk::program(&mut stage.dice));
    if stage.dice.chance(400) {
        return propagation(stage, &caller, &role, &desk);
    }
    for n in 0..stage.dice.between(1, 8) {
        let cause = *stage.dice.pick(&Cause::ALL[..7]);
        attempt(stage, &caller, &role, &desk, stage.now + n * 7, cause);
    }
}

fn propagation(stage: &mut Stage, caller: &Caller, role: &Arc<Role>, desk: &Desk) {
    let mut at = stage.now;
    for _ in 0..stage.dice.between(2, 5) {
        attempt(stage, caller, role, desk, at, Cause::Unspecified);
        at += 2;
    }
    let (name, loss) = (format!("first-run-{}", stage.dice.hex(9)), stage.draw_loss());
    let ask = Assume { loss, ..Assume::new(caller, role, &name, at, desk) };
    let session = assume(stage, &ask);
    stage.work(&session, desk, at, 200, (1, 6));
}
