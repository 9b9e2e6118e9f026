//! Calls on identities, keys and secrets.

use super::Spec;
use super::What::{Read, Write};

#[rustfmt::skip]
pub const CALLS: &[Spec] = &[
    Spec { source: "iam", name: "ListRoles", what: Read, weight: 15,
        request: r#"{"maxItems":1000,"pathPrefix":"/"}"#, response: "", resource: "" },
    Spec { source: "iam", name: "ListUsers", what: Read, weight: 8,
        request: r#"{"maxItems":1000}"#, response: "", resource: "" },
    Spec { source: "iam", name: "GetRole", what: Read, weight: 15,
        request: r#"{"roleName":"$name"}"#, response: "", resource: "" },
    Spec { source: "iam", name: "GetAccountSummary", what: Read, weight: 8,
        request: "", response: "", resource: "" },
    Spec { source: "iam", name: "PutRolePolicy", what: Write, weight: 4,
        request: r#"{"roleName":"$name","policyName":"inline-$number","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:PutObject\"],\"Resource\":\"arn:aws:s3:::$name-$account/*\"}]}"}"#,
        response: "", resource: "" },
    Spec { source: "iam", name: "CreateRole", what: Write, weight: 3,
        request: r#"{"roleName":"$name","path":"/service-role/","assumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"lambda.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}","description":"$name worker"}"#,
        response: r#"{"role":{"path":"/service-role/","roleName":"$name","roleId":"AROAEXAMPLENEW$number","arn":"arn:aws:iam::$account:role/service-role/$name","createDate":"May 1, 2024 9:00:00 AM","assumeRolePolicyDocument":"%7B%22Version%22%3A%222012-10-17%22%7D"}}"#,
        resource: "" },
    Spec { source: "kms", name: "Decrypt", what: Read, weight: 60,
        request: r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::$name-$account/incoming/$hex.json"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#,
        response: "", resource: r#"{"accountId":"$account","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$region:$account:key/$guid"}"# },
    Spec { source: "kms", name: "GenerateDataKey", what: Read, weight: 40,
        request: r#"{"keySpec":"AES_256","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::$name-$account/incoming/$hex.json"},"keyId":"arn:aws:kms:$region:$account:key/$guid"}"#,
        response: "", resource: r#"{"accountId":"$account","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$region:$account:key/$guid"}"# },
    Spec { source: "kms", name: "DescribeKey", what: Read, weight: 12,
        request: r#"{"keyId":"alias/$name"}"#, response: "",
        resource: r#"{"accountId":"$account","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$region:$account:key/$guid"}"# },
    Spec { source: "secretsmanager", name: "GetSecretValue", what: Read, weight: 20,
        request: r#"{"secretId":"arn:aws:secretsmanager:$region:$account:secret:$name-$hex"}"#, response: "", resource: "" },
    Spec { source: "sts", name: "GetCallerIdentity", what: Read, weight: 40,
        request: "", response: "", resource: "" },
    Spec { source: "cloudtrail", name: "DescribeTrails", what: Read, weight: 8,
        request: r#"{"trailNameList":[],"includeShadowTrails":false}"#, response: "", resource: "" },
];
