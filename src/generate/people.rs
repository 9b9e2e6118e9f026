//! The principals that credentials are made for: users and roles with their ids and ARNs.

use std::sync::Arc;

use super::truth::Origin;

/// An account of China's partition.
pub const CHINA: &str = "444444444444";
/// An account of AWS GovCloud (US).
pub const GOVCLOUD: &str = "555555555555";

/// The partition that an account belongs to.
pub fn partition(account: &str) -> &'static str {
    match account {
        CHINA => "aws-cn",
        GOVCLOUD => "aws-us-gov",
        _ => "aws",
    }
}

/// An IAM user with one long-term key.
#[derive(Debug)]
pub struct User {
    /// The user name.
    pub name: String,
    /// The account it lives in.
    pub account: Arc<str>,
    /// Its unique id, `AIDA…`.
    pub id: String,
    /// Its long-term access key, `AKIA…`.
    pub key: String,
}

impl User {
    /// The user's ARN.
    pub fn arn(&self) -> String {
        format!("arn:{}:iam::{}:user/{}", partition(&self.account), self.account, self.name)
    }

    /// The ARN of the user's MFA device.
    pub fn mfa_serial(&self) -> String {
        format!("arn:{}:iam::{}:mfa/{}", partition(&self.account), self.account, self.name)
    }

    /// The user as the start of a chain.
    pub fn origin(&self) -> Origin {
        Origin::of_account("IAMUser", &self.arn(), &self.account)
    }
}

/// The root user of an account as the start of a chain.
pub fn root_origin(account: &str) -> Origin {
    Origin::of_account("Root", &root_arn(account), account)
}

/// The ARN of an account's root user.
pub fn root_arn(account: &str) -> String {
    format!("arn:{}:iam::{account}:root", partition(account))
}

/// A role.
#[derive(Debug)]
pub struct Role {
    /// The account it lives in.
    pub account: Arc<str>,
    /// Its path, from `/` to `/`.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its unique id, `AROA…`.
    pub id: String,
}

impl Role {
    /// The role's ARN, with its path.
    pub fn arn(&self) -> String {
        let Role { account, path, name, .. } = self;
        format!("arn:{}:iam::{account}:role{path}{name}", partition(account))
    }

    /// The ARN of a session of the role, which drops the path.
    pub fn session_arn(&self, session: &str) -> String {
        let Role { account, name, .. } = self;
        format!("arn:{}:sts::{account}:assumed-role/{name}/{session}", partition(account))
    }

    /// The principal id of a session of the role.
    pub fn session_id(&self, session: &str) -> String {
        format!("{}:{session}", self.id)
    }

    /// What `responseElements.assumedRoleUser` shows.
    pub fn assumed_user(&self, session: &str) -> String {
        super::json::Obj::new()
            .text("assumedRoleId", &self.session_id(session))
            .text("arn", &self.session_arn(session))
            .done()
    }

    /// What `resources` shows for a call on the role.
    pub fn resource(&self) -> String {
        super::json::Obj::new()
            .text("ARN", &self.arn())
            .text("accountId", &self.account)
            .text("type", "AWS::IAM::Role")
            .done()
    }
}
