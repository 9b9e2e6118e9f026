//! `sts:AssumeRoot`: a privileged session in a member account, shown there as type `Root`.
//!
//! Source: IAM User Guide, "Track privileged tasks in AWS CloudTrail".

use serde_json::Value;

use super::reading::{Reading, text};
use super::{Grant, Kind};
use crate::model::arn;

pub(super) const KIND: Kind = Kind { name: "AssumeRoot", sources: &["sts.amazonaws.com"], fill };

fn fill(reading: &Reading, grant: &mut Grant) {
    reading.fill_issued(grant);
    "Root".clone_into(&mut grant.child.identity_type);
    // The member account's id, or the ARN of its root.
    let target = text(&reading.request["targetPrincipal"]);
    let account = target.as_deref().map(|t| arn::account(t).unwrap_or(t).to_owned());
    grant.child.account_id = account.clone().or_else(|| grant.child.account_id.take());
    grant.child.principal_id = account;
    let task = &reading.request["taskPolicyArn"];
    if !task.is_null() {
        let policy: serde_json::Map<String, Value> =
            [("taskPolicyArn".to_owned(), task.clone())].into_iter().collect();
        grant.session_policy = Some(Value::Object(policy).to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::grants::tests::read;

    #[test]
    fn the_member_is_named_by_id_or_by_arn() {
        let caller = json!({"type": "AssumedRole", "principalId": "AROAEXAMPLE:x", "accountId": "111111111111",
            "arn": "arn:aws:sts::111111111111:assumed-role/RootTasks/x"});
        for target in ["333333333333", "arn:aws:iam::333333333333:root"] {
            let task = json!({"arn": "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"});
            let request = json!({"targetPrincipal": target, "taskPolicyArn": task});
            let response = json!({"credentials": {"accessKeyId": "ASIAEXAMPLE"}});
            let grant = read("sts", "AssumeRoot", &caller, request, response).unwrap();
            assert_eq!(grant.child.identity_type, "Root");
            assert_eq!(grant.child.account_id.as_deref(), Some("333333333333"), "{target}");
            assert_eq!(grant.child.principal_id, grant.child.account_id);
            assert!(grant.session_policy.unwrap().contains("S3UnlockBucketPolicy"));
        }
    }
}
