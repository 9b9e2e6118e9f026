//! `iam:CreateLoginProfile`, `UpdateLoginProfile`, `ChangePassword`: a console password for an IAM
//! user. No record of a later sign-in says which password was typed, so that a password was set
//! shortly before is a hint and no more.
//! Source: IAM API Reference, "CreateLoginProfile", "UpdateLoginProfile", "ChangePassword".

use super::reading::{Reading, text};
use super::{Grant, Join, Kind};

pub(super) const CREATE: Kind = kind("CreateLoginProfile");
pub(super) const UPDATE: Kind = kind("UpdateLoginProfile");
pub(super) const CHANGE: Kind = kind("ChangePassword");

const fn kind(name: &'static str) -> Kind {
    Kind { name, sources: &["iam.amazonaws.com"], fill }
}

fn fill(reading: &Reading, grant: &mut Grant) {
    grant.join = Join::Password;
    reading.fill_user(grant, text(&reading.response["loginProfile"]["userName"]));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::grants::Join;
    use crate::grants::tests::read;

    #[test]
    fn names_whose_password_it_is() {
        let user = json!({"type": "IAMUser", "principalId": "AIDAEXAMPLE", "userName": "anna",
            "arn": "arn:aws:iam::111111111111:user/anna", "accountId": "111111111111"});
        let made = json!({"loginProfile": {"userName": "svc"}});
        let request = json!({"userName": "svc"});
        for name in ["CreateLoginProfile", "UpdateLoginProfile"] {
            let grant = read("iam", name, &user, request.clone(), made.clone()).unwrap();
            assert_eq!(grant.join, Join::Password);
            assert_eq!(grant.child.user_name.as_deref(), Some("svc"));
            assert_eq!(grant.issued_access_key_id, None);
        }
        let own = read("iam", "ChangePassword", &user, json!(null), json!(null)).unwrap();
        assert_eq!(own.child.user_name.as_deref(), Some("anna"));
    }
}
