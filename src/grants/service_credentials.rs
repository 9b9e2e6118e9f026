//! Credentials of IAM users that are no access keys: `iam:CreateServiceSpecificCredential` (CodeCommit,
//! Keyspaces) and `iam:UploadSSHPublicKey`. Calls made with them show neither, so nothing joins them.
//! Source: IAM API Reference.

use super::reading::{Reading, text};
use super::{Grant, Join, Kind};

pub(super) const SERVICE: Kind = kind("CreateServiceSpecificCredential", |reading, grant| {
    fill(reading, grant, "serviceSpecificCredential");
});
pub(super) const SSH: Kind = kind("UploadSSHPublicKey", |reading, grant| {
    fill(reading, grant, "sSHPublicKey");
});

const fn kind(name: &'static str, fill: fn(&Reading, &mut Grant)) -> Kind {
    Kind { name, sources: &["iam.amazonaws.com"], fill }
}

fn fill(reading: &Reading, grant: &mut Grant, member: &str) {
    grant.join = Join::Nothing;
    reading.fill_user(grant, text(&reading.response[member]["userName"]));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::grants::Join;
    use crate::grants::tests::read;

    #[test]
    fn they_issue_nothing_that_calls_show() {
        let user = json!({"type": "IAMUser", "principalId": "AIDAEXAMPLE", "userName": "anna"});
        for (name, member) in [
            ("CreateServiceSpecificCredential", "serviceSpecificCredential"),
            ("UploadSSHPublicKey", "sSHPublicKey"),
        ] {
            let made = json!({member: {"userName": "svc"}});
            let grant = read("iam", name, &user, json!({}), made).unwrap();
            assert_eq!(grant.join, Join::Nothing);
            assert_eq!(grant.child.user_name.as_deref(), Some("anna"), "its own");
            let made = json!({member: {"userName": "svc"}});
            let grant = read("iam", name, &user, json!({"userName": "svc"}), made).unwrap();
            assert_eq!(grant.child.user_name.as_deref(), Some("svc"));
        }
    }
}
