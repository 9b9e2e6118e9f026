//! Amazon Resource Names, read without trusting them.
//!
//! Source: IAM User Guide, "IAM identifiers". A role's path is part of its ARN but not of the
//! assumed-role ARN, so the two are never rebuilt from each other.

/// The parts of `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: &'a str,
    /// `iam`, `sts`, …
    pub service: &'a str,
    /// Twelve digits, or empty.
    pub account: &'a str,
    /// Everything after the account, for example `role/teams/Deployer`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; `None` when the text has fewer than six parts or no `arn:` prefix.
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        let prefix = parts.next()?;
        let (partition, service, _region) = (parts.next()?, parts.next()?, parts.next()?);
        let (account, resource) = (parts.next()?, parts.next()?);
        (prefix == "arn").then_some(Arn { partition, service, account, resource })
    }

    /// The role name of a role ARN or an assumed-role ARN.
    pub fn role_name(&self) -> Option<&'a str> {
        match self.resource.split_once('/')? {
            ("role", path) => path.rsplit('/').next().filter(|n| !n.is_empty()),
            ("assumed-role", rest) => rest.split('/').next().filter(|n| !n.is_empty()),
            _ => None,
        }
    }

    /// The session name of an assumed-role ARN.
    pub fn session_name(&self) -> Option<&'a str> {
        let rest = self.resource.strip_prefix("assumed-role/")?;
        rest.split_once('/').map(|(_, name)| name).filter(|n| !n.is_empty())
    }

    /// The user name of an IAM user ARN, without its path.
    pub fn user_name(&self) -> Option<&'a str> {
        let path = self.resource.strip_prefix("user/")?;
        path.rsplit('/').next().filter(|n| !n.is_empty())
    }
}

/// The role name in an ARN given as text.
pub fn role_name(arn: &str) -> Option<&str> {
    Arn::parse(arn)?.role_name()
}

/// The account in an ARN given as text; `None` when empty.
pub fn account(arn: &str) -> Option<&str> {
    Some(Arn::parse(arn)?.account).filter(|a| !a.is_empty())
}

/// The partition of an ARN given as text.
pub fn partition(arn: &str) -> Option<&str> {
    Some(Arn::parse(arn)?.partition).filter(|p| !p.is_empty())
}

/// The partition a region belongs to, for records that show no ARN.
pub fn partition_of_region(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The service principal in the path of a service-linked role:
/// `arn:aws:iam::1…:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS`.
pub fn service_of_linked_role(role_arn: &str) -> Option<&str> {
    let resource = Arn::parse(role_arn)?.resource;
    let rest = resource.strip_prefix("role/aws-service-role/")?;
    rest.split('/').next().filter(|service| service.contains(".amazonaws.com"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_roles_with_and_without_path() {
        assert_eq!(role_name("arn:aws:iam::1:role/teams/Deployer"), Some("Deployer"));
        assert_eq!(role_name("arn:aws-cn:sts::1:assumed-role/Deployer/x"), Some("Deployer"));
        assert_eq!(role_name("arn:aws:iam::1:user/anna"), None);
        assert_eq!(role_name("not an arn"), None);
        let linked = "arn:aws:iam::1:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS";
        assert_eq!(service_of_linked_role(linked), Some("rds.amazonaws.com"));
        assert_eq!(service_of_linked_role("arn:aws:iam::1:role/rds.amazonaws.com/X"), None);
    }
}
