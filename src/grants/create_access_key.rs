//! `iam:CreateAccessKey`: a long-term key of an IAM user, made by whoever asked.
//!
//! The response shows key and owner; `requestParameters.userName` is absent when users make keys for
//! themselves. The key joins its user's later calls. Those stay the user's own: that another session
//! made the key is shown as a link, and never changes who is behind a call.
//! Source: IAM API Reference, "CreateAccessKey".

use super::reading::{Reading, text};
use super::{Grant, Join, Kind};

pub(super) const KIND: Kind =
    Kind { name: "CreateAccessKey", sources: &["iam.amazonaws.com"], fill };

fn fill(reading: &Reading, grant: &mut Grant) {
    let issued = &reading.response["accessKey"];
    grant.join = Join::LongTermKey;
    grant.issued_access_key_id = text(&issued["accessKeyId"]);
    reading.fill_user(grant, text(&issued["userName"]));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::grants::Join;
    use crate::grants::tests::read;

    #[test]
    fn a_key_for_somebody_else_and_one_for_oneself() {
        let caller = json!({"type": "AssumedRole", "principalId": "AROAEXAMPLE:x",
            "arn": "arn:aws:sts::111111111111:assumed-role/Admin/x", "accountId": "111111111111"});
        let made = json!({"accessKey": {"accessKeyId": "AKIAEXAMPLE", "userName": "svc"}});
        let other =
            read("iam", "CreateAccessKey", &caller, json!({"userName": "svc"}), made.clone());
        let other = other.unwrap();
        assert_eq!(other.join, Join::LongTermKey);
        assert_eq!(other.child.identity_type, "IAMUser");
        assert_eq!(other.child.user_name.as_deref(), Some("svc"));
        assert_eq!(other.child.principal_id, None);
        assert_eq!(other.issued_access_key_id.as_deref(), Some("AKIAEXAMPLE"));

        let user = json!({"type": "IAMUser", "principalId": "AIDAEXAMPLE", "userName": "svc",
            "arn": "arn:aws:iam::111111111111:user/svc", "accountId": "111111111111"});
        let own = read("iam", "CreateAccessKey", &user, json!(null), made.clone()).unwrap();
        assert_eq!(own.child.principal_id.as_deref(), Some("AIDAEXAMPLE"));

        let root = json!({"type": "Root", "principalId": "111111111111",
            "arn": "arn:aws:iam::111111111111:root", "accountId": "111111111111"});
        let own = read("iam", "CreateAccessKey", &root, json!(null), made).unwrap();
        assert_eq!(own.child.identity_type, "Root");
    }

    #[test]
    fn a_response_without_key_is_no_key() {
        let user = json!({"type": "IAMUser", "principalId": "AIDAEXAMPLE"});
        let grant = read("iam", "CreateAccessKey", &user, json!("x"), json!([1])).unwrap();
        assert_eq!(grant.issued_access_key_id, None);
        assert!(read("not-iam", "CreateAccessKey", &user, json!(null), json!(null)).is_none());
    }
}
