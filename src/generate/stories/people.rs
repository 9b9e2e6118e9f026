//! The accounts of the stories, and a short way to invite people and roles.

use std::sync::Arc;

use crate::generate::desk::{BROWSER, CLI, Desk};
use crate::generate::people::{Role, User};
use crate::generate::stage::Stage;

/// The account where people have their users.
pub const FIRST: &str = "111111111111";
/// A production account.
pub const SECOND: &str = "222222222222";
/// A third account.
pub const THIRD: &str = "333333333333";
/// A vendor's account, which delivers no logs.
pub const VENDOR: &str = "999999999999";
/// Where everything regional happens.
pub const REGION: &str = "eu-west-1";

/// A user.
pub fn user(stage: &mut Stage, account: &str, name: &str) -> Arc<User> {
    let (id, key) = (stage.ids.user(), stage.ids.long_term_key());
    Arc::new(User { name: name.into(), account: account.into(), id, key })
}

/// A role.
pub fn role(stage: &mut Stage, account: &str, path: &str, name: &str) -> Arc<Role> {
    let id = stage.ids.role();
    Arc::new(Role { account: account.into(), path: path.into(), name: name.into(), id })
}

/// Somebody at a command line.
pub fn terminal(address: &str) -> Desk {
    Desk::new(address, CLI, REGION)
}

/// Somebody at the console.
pub fn browser(address: &str) -> Desk {
    Desk::new(address, BROWSER, REGION)
}
