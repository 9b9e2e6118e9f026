//! Calls on objects and queues.

use super::Spec;
use super::What::{DataRead, DataWrite, Read, Write};

#[rustfmt::skip]
pub const CALLS: &[Spec] = &[
    Spec { source: "s3", name: "ListBuckets", what: Read, weight: 25,
        request: r#"{"Host":"s3.$region.amazonaws.com"}"#, response: "", resource: "" },
    Spec { source: "s3", name: "GetBucketPolicy", what: Read, weight: 20,
        request: r#"{"bucketName":"$name-$account","Host":"$name-$account.s3.$region.amazonaws.com","policy":"policy"}"#,
        response: "", resource: r#"{"accountId":"$account","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$name-$account"}"# },
    Spec { source: "s3", name: "GetBucketAcl", what: Read, weight: 15,
        request: r#"{"bucketName":"$name-$account","Host":"$name-$account.s3.$region.amazonaws.com"}"#,
        response: "", resource: r#"{"accountId":"$account","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$name-$account"}"# },
    Spec { source: "s3", name: "PutBucketPolicy", what: Write, weight: 6,
        request: r#"{"bucketName":"$name-$account","Host":"$name-$account.s3.$region.amazonaws.com","bucketPolicy":{"Version":"2012-10-17","Statement":[{"Sid":"$hex","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::$account:root"},"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::$name-$account","arn:aws:s3:::$name-$account/*"]}]}}"#,
        response: "", resource: r#"{"accountId":"$account","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$name-$account"}"# },
    Spec { source: "s3", name: "GetObject", what: DataRead, weight: 90,
        request: r#"{"bucketName":"$name-$account","Host":"$name-$account.s3.$region.amazonaws.com","key":"year=2024/month=05/part-$number.parquet"}"#,
        response: "", resource: r#"{"accountId":"$account","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$name-$account"}"# },
    Spec { source: "s3", name: "PutObject", what: DataWrite, weight: 40,
        request: r#"{"bucketName":"$name-$account","Host":"$name-$account.s3.$region.amazonaws.com","key":"incoming/$guid.json","x-amz-server-side-encryption":"aws:kms"}"#,
        response: r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:$region:$account:key/$guid"}"#,
        resource: r#"{"accountId":"$account","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$name-$account"}"# },
    Spec { source: "s3", name: "DeleteObject", what: DataWrite, weight: 8,
        request: r#"{"bucketName":"$name-$account","Host":"$name-$account.s3.$region.amazonaws.com","key":"incoming/$guid.json"}"#,
        response: "", resource: r#"{"accountId":"$account","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$name-$account"}"# },
    Spec { source: "sqs", name: "GetQueueAttributes", what: Read, weight: 15,
        request: r#"{"queueUrl":"https://sqs.$region.amazonaws.com/$account/$name","attributeNames":["All"]}"#, response: "", resource: "" },
    Spec { source: "rds", name: "DescribeDBInstances", what: Read, weight: 15,
        request: r#"{"dBInstanceIdentifier":"$name","maxRecords":100}"#, response: "", resource: "" },
    Spec { source: "cloudformation", name: "DescribeStacks", what: Read, weight: 20,
        request: r#"{"stackName":"arn:aws:cloudformation:$region:$account:stack/$name/$guid"}"#, response: "", resource: "" },
    Spec { source: "ssm", name: "GetParameter", what: Read, weight: 25,
        request: r#"{"name":"/$name/database/url","withDecryption":true}"#, response: "",
        resource: r#"{"accountId":"$account","ARN":"arn:aws:ssm:$region:$account:parameter/$name/database/url"}"# },
];
