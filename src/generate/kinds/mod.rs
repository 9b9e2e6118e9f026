//! Kinds of actors and grants, one file each: how it looks in the logs, and a scene for large worlds.
//!
//! A new kind is a new file and one row in [`KINDS`].

pub mod assume_role;
pub mod assume_root;
pub mod aws_login;
pub mod chain;
pub mod cognito;
pub mod collision;
pub mod console;
pub mod console_from_api;
pub mod denied;
pub mod double_assume;
pub mod ec2;
pub mod failed_sign_in;
pub mod federation_token;
pub mod forwarded;
pub mod identity_center;
pub mod lambda;
pub mod made_key;
pub mod pod_identity;
pub mod roles_anywhere;
pub mod saml;
pub mod service_linked;
pub mod service_noise;
pub mod service_role;
pub mod session_token;
pub mod switch_role;
pub mod user_key;
pub mod vendor;
pub mod web_identity;
pub mod workload;

use super::cast::Cast;
use super::stage::Stage;

/// A kind of scene.
pub struct Kind {
    /// What it is called.
    pub name: &'static str,
    /// How often it is played.
    pub weight: u64,
    /// Plays one scene from `stage.now` on, in at most [`LONGEST`] records.
    pub play: fn(&mut Stage, &Cast),
}

/// No scene writes more records than this.
pub const LONGEST: u64 = 160;

/// Every kind of scene of a large world.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    Kind { name: "user-key", weight: 10, play: user_key::scene },
    Kind { name: "assume-role", weight: 16, play: assume_role::scene },
    Kind { name: "chain", weight: 10, play: chain::scene },
    Kind { name: "double-assume", weight: 4, play: double_assume::scene },
    Kind { name: "collision", weight: 1, play: collision::scene },
    Kind { name: "saml", weight: 5, play: saml::scene },
    Kind { name: "web-identity", weight: 8, play: web_identity::scene },
    Kind { name: "ec2", weight: 8, play: ec2::scene },
    Kind { name: "lambda", weight: 8, play: lambda::scene },
    Kind { name: "service-linked", weight: 6, play: service_linked::scene },
    Kind { name: "console", weight: 4, play: console::scene },
    Kind { name: "switch-role", weight: 4, play: switch_role::scene },
    Kind { name: "session-token", weight: 3, play: session_token::scene },
    Kind { name: "federation-token", weight: 2, play: federation_token::scene },
    Kind { name: "assume-root", weight: 1, play: assume_root::scene },
    Kind { name: "identity-center", weight: 8, play: identity_center::scene },
    Kind { name: "forwarded", weight: 5, play: forwarded::scene },
    Kind { name: "service-noise", weight: 6, play: service_noise::scene },
    Kind { name: "denied", weight: 3, play: denied::scene },
    Kind { name: "failed-sign-in", weight: 1, play: failed_sign_in::scene },
    Kind { name: "vendor", weight: 3, play: vendor::scene },
    Kind { name: "made-key", weight: 3, play: made_key::scene },
    Kind { name: "workload", weight: 4, play: workload::scene },
    Kind { name: "pod-identity", weight: 4, play: pod_identity::scene },
    Kind { name: "roles-anywhere", weight: 3, play: roles_anywhere::scene },
    Kind { name: "cognito", weight: 3, play: cognito::scene },
    Kind { name: "console-from-api", weight: 3, play: console_from_api::scene },
    Kind { name: "aws-login", weight: 3, play: aws_login::scene },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_writes_records_and_none_too_many() {
        let cast = Cast::new(3, 1);
        for kind in KINDS {
            for block in 1..40 {
                let mut stage = Stage::new(1, block, false);
                (kind.play)(&mut stage, &cast);
                let records = stage.records.len() as u64;
                assert!((1..=LONGEST).contains(&records), "{}: {records}", kind.name);
            }
        }
    }

    #[test]
    fn a_world_of_one_account_works() {
        let cast = Cast::new(1, 1);
        for kind in KINDS {
            (kind.play)(&mut Stage::new(1, 1, true), &cast);
        }
    }
}
