//! What S3 says when it refuses, in words that name the cause and what to do about it.
//!
//! Answers of S3 may repeat secrets: for an expired session token they hold the token itself. Nothing
//! of an answer is shown but its code, and its message where that is harmless.

use std::error::Error as _;

/// Text of an error and of all its causes, for looking only: it may hold secrets.
fn everything(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push('\n');
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The content of the first XML element `name`.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let rest = text.split_once(&format!("<{name}>"))?.1;
    Some(rest.split_once("</")?.0).filter(|content| content.len() < 200)
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Listing,
    Reading,
    Writing,
}

/// Cause and remedy in one sentence. `endpoint` is what was asked, for people.
pub(super) fn explain(error: &object_store::Error, doing: Doing, endpoint: &str) -> String {
    let text = everything(error);
    // Whoever hands out credentials may refuse as well, with the same codes.
    if let Some(known) = without_credentials(&text) {
        return known;
    }
    let code = element(&text, "Code");
    if let Some(known) = code.and_then(|code| by_code(code, doing, &text)) {
        return known;
    }
    match error {
        object_store::Error::NotFound { .. } if doing == Doing::Reading => {
            "the object is not there (any more)".to_owned()
        }
        object_store::Error::NotFound { .. } => "no such bucket; check its name".to_owned(),
        object_store::Error::Precondition { .. } => changed(),
        object_store::Error::PermissionDenied { .. } => denied(doing),
        object_store::Error::Unauthenticated { .. } => {
            "the credentials were not accepted; check them, or give --no-sign-request for a public \
             bucket"
                .to_owned()
        }
        object_store::Error::InvalidPath { .. } => {
            "a key has an empty part (//) or a part . or .., which cannot be read from here; copy it \
             first with aws s3 sync"
                .to_owned()
        }
        _ => by_text(&text, doing, endpoint),
    }
}

/// An object that is another one than when its reading began.
pub(super) fn changed() -> String {
    "the object was replaced while it was being read; ingest again".to_owned()
}

fn denied(doing: Doing) -> String {
    let needed = match doing {
        Doing::Listing => "s3:ListBucket on the bucket",
        Doing::Reading => {
            "s3:GetObject on the object (and kms:Decrypt, if it is encrypted with a key)"
        }
        Doing::Writing => {
            "s3:PutObject and s3:AbortMultipartUpload on the object, s3:DeleteObject to overwrite \
             (and kms:GenerateDataKey, if it is encrypted with a key)"
        }
    };
    format!("access denied; the credentials need {needed}")
}

fn by_code(code: &str, doing: Doing, text: &str) -> Option<String> {
    let region = element(text, "Region");
    Some(match code {
        "NoSuchBucket" => "no such bucket; check its name".to_owned(),
        "NoSuchKey" => "the object is not there (any more)".to_owned(),
        "AccessDenied" | "AllAccessDisabled" => denied(doing),
        "InvalidAccessKeyId" => "access denied: AWS does not know the access key id".to_owned(),
        "SignatureDoesNotMatch" => {
            "access denied: the secret access key does not belong to the access key id".to_owned()
        }
        "ExpiredToken" | "TokenRefreshRequired" => {
            "access denied: the credentials have expired; get new ones".to_owned()
        }
        "InvalidToken" => "access denied: the session token is not valid".to_owned(),
        "PreconditionFailed" => changed(),
        "RequestTimeTooSkewed" => "the clock of this machine is wrong".to_owned(),
        "InvalidObjectState" => {
            "the object is archived (Glacier); restore it first: aws s3api restore-object"
                .to_owned()
        }
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => wrong_region(region),
        "InvalidBucketName" => "that is no name of a bucket".to_owned(),
        "SlowDown" | "ServiceUnavailable" | "InternalError" => {
            format!("S3 stayed unavailable ({code}) through all attempts; try again later")
        }
        _ => {
            let word = code.chars().all(|c| c.is_ascii_alphanumeric());
            return word.then(|| format!("S3 refuses: {code}"));
        }
    })
}

fn wrong_region(region: Option<&str>) -> String {
    let plain = |r: &&str| r.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    match region.filter(plain) {
        Some(region) => format!("wrong region: the bucket is in {region}; set AWS_REGION={region}"),
        None => "wrong region; set AWS_REGION to the bucket's (aws s3api get-bucket-location)"
            .to_owned(),
    }
}

/// Trouble on the way to credentials, before the bucket was asked.
fn without_credentials(text: &str) -> Option<String> {
    let has = |part: &str| text.contains(part);
    if has("latest/api/token") || has("latest/meta-data") || has("security-credentials") {
        let text = "there are no AWS credentials: neither in the environment nor in a profile, and \
                    this machine has no instance role; for a public bucket give --no-sign-request";
        return Some(text.to_owned());
    }
    // The request to STS, whose address holds the token.
    if has(" REDACTED ") {
        let text = "AWS STS gave no credentials for the web identity token; check AWS_ROLE_ARN and \
                    AWS_WEB_IDENTITY_TOKEN_FILE";
        return Some(text.to_owned());
    }
    None
}

fn by_text(text: &str, doing: Doing, endpoint: &str) -> String {
    let has = |part: &str| text.contains(part);
    if has("Received redirect without LOCATION") || has("301 Moved Permanently") {
        return wrong_region(None);
    }
    if has("403 Forbidden") {
        return denied(doing);
    }
    if has("certificate") {
        return format!("the certificate of {endpoint} is not trusted");
    }
    let status = text.split("non-2xx status code: ").nth(1).and_then(|t| t.split(':').next());
    if let Some(status) = status.filter(|status| status.len() < 60) {
        return format!("S3 at {endpoint} answered {status} through all attempts; try again later");
    }
    if has("operation timed out") {
        return format!("S3 at {endpoint} did not answer in time; check the network");
    }
    if has("error sending request") || has("onnection") {
        let check = "check the network, the region and AWS_ENDPOINT_URL";
        return format!("cannot reach S3 at {endpoint}; {check}");
    }
    format!("S3 at {endpoint} gave an answer that cannot be understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        let source = std::io::Error::other(format!("non-2xx status code: 400 Bad Request: {body}"));
        let error = object_store::Error::Generic { store: "S3", source: Box::new(source) };
        explain(&error, Doing::Reading, "s3.eu-west-1.amazonaws.com")
    }

    #[test]
    fn answers_that_repeat_secrets_are_not_repeated() {
        let expired = said("<Error><Code>ExpiredToken</Code><Token-0>SECRET</Token-0></Error>");
        assert!(expired.contains("expired") && !expired.contains("SECRET"), "{expired}");
        let odd = said("<Error><Code>Odd</Code><Message>SECRET</Message></Error>");
        assert_eq!(odd, "S3 refuses: Odd");
        assert!(!said("<Code>SECRET in a code</Code>").contains("SECRET"));
        assert!(!said("SECRET").contains("SECRET"));
    }

    #[test]
    fn a_wrong_region_is_named() {
        let body = "<Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region>";
        assert!(said(body).contains("set AWS_REGION=eu-west-3"), "{}", said(body));
    }
}
