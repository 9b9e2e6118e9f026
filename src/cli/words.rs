//! Values of the tables in the words of people. Text from logs passes through as it is; whoever
//! prints it neutralises it.

use serde_json::Value;

use crate::answers::sessions::Session;
use crate::model::arn::Arn;

/// Characters of a session id that people are shown: enough to be unique.
const SHORT_ID: usize = 10;

/// The beginning of a session id, which every command takes for the whole.
pub fn short_id(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

/// The name at the end of an ARN, or the text itself.
pub fn short_name(name: &str) -> &str {
    match Arn::parse(name) {
        Some(parsed) => parsed.user_name().unwrap_or(parsed.resource),
        None => name,
    }
}

/// The origin, short but not to be mistaken for another one: `111111111111/anna`.
pub fn origin(
    kind: &str,
    origin: Option<&str>,
    account: Option<&str>,
    detail: Option<&str>,
) -> String {
    let name = origin.map(short_name);
    match (kind, name, account, detail) {
        (_, None, ..) => "unknown".to_owned(),
        ("AWSService", Some(name), _, Some(detail)) => format!("{name}, {detail}"),
        ("AWSService", Some(name), ..) => name.to_owned(),
        (_, Some(name), Some(account), detail) => {
            let id =
                detail.and_then(|d| d.split(", ").find(|part| part.starts_with("user id AIDA")));
            let id = id.map(|id| format!(" ({id})")).unwrap_or_default();
            format!("{account}/{name}{id}")
        }
        (kind @ ("SAMLUser" | "WebIdentityUser"), Some(name), None, Some(detail)) => {
            let provider = detail.split_once("provider ").map(|(_, provider)| provider);
            let provider = provider.and_then(|provider| provider.split(", ").next());
            match provider {
                Some(provider) => format!("{name} ({kind} of {})", short_provider(provider)),
                None => format!("{name} ({kind})"),
            }
        }
        (kind, Some(name), None, _) => format!("{name} ({kind})"),
    }
}

/// The name of an identity provider without the ARN around it.
fn short_provider(provider: &str) -> &str {
    let resource = Arn::parse(provider).map_or(provider, |arn| arn.resource);
    let named = ["oidc-provider/", "saml-provider/"].iter().find_map(|p| resource.strip_prefix(p));
    named.unwrap_or(resource)
}

/// The roles after the origin; the account only where it changes.
pub fn chain(labels: &[String], origin_account: Option<&str>) -> Vec<String> {
    let mut account = origin_account;
    let mut short = Vec::with_capacity(labels.len());
    for label in labels.iter().skip(1) {
        short.push(match label.split_once('/') {
            Some((here, role)) if Some(here) == account => role.to_owned(),
            Some((here, _)) => {
                account = Some(here);
                label.clone()
            }
            None => label.clone(),
        });
    }
    short
}

/// `iam:PutRolePolicy`.
pub fn action(source: &str, name: &str) -> String {
    let plain = source.strip_suffix(".cn").unwrap_or(source);
    format!("{}:{name}", plain.strip_suffix(".amazonaws.com").unwrap_or(plain))
}

/// What a call touched: the first resource, or what the request says best.
pub fn target(resource_arn: Option<&str>, request: Option<&str>) -> String {
    let request: Value =
        request.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    let member = |name: &str| request.get(name).and_then(Value::as_str).filter(|v| !v.is_empty());
    if let Some(arn) = resource_arn {
        let tail = Arn::parse(arn).map_or(arn, |parsed| parsed.resource);
        return match member("key").filter(|key| arn.contains(":s3:::") && !tail.ends_with(key)) {
            Some(key) => format!("{tail}/{key}"),
            None => tail.to_owned(),
        };
    }
    let Some(best) = TELLING.iter().find_map(|name| member(name)).or_else(|| any_id(&request))
    else {
        return first_item(&request).unwrap_or_default();
    };
    let best = Arn::parse(best).map_or(best, |parsed| parsed.resource);
    match member("policyName").or_else(|| member("key")).filter(|more| *more != best) {
        Some(more) => format!("{best}, {more}"),
        None => best.to_owned(),
    }
}

/// Request parameters that name what is touched, the most telling first.
const TELLING: &[&str] = &[
    "roleName",
    "userName",
    "groupName",
    "bucketName",
    "functionName",
    "instanceId",
    "roleArn",
    "policyArn",
    "instanceProfileName",
    "secretId",
    "keyId",
    "tableName",
    "trailName",
    "name",
    "dBInstanceIdentifier",
    "topicArn",
    "queueUrl",
    "logGroupName",
    "clusterName",
    "stackName",
    "groupId",
    "detectorId",
    "targetPrincipal",
    "policyName",
    "resourceArn",
];

/// The first member that looks like an identifier.
fn any_id(request: &Value) -> Option<&str> {
    let endings = ["Name", "Id", "Arn", "Identifier", "ARN"];
    let mut members = request.as_object()?.iter();
    let (_, value) = members.find(|(name, value)| {
        value.is_string() && *name != "roleSessionName" && endings.iter().any(|e| name.ends_with(e))
    })?;
    value.as_str()
}

/// EC2's way: `{"instancesSet":{"items":[{"instanceId":"i-…"}]}}`.
fn first_item(request: &Value) -> Option<String> {
    request.as_object()?.iter().filter(|(name, _)| name.ends_with("Set")).find_map(|(_, set)| {
        let items = set.get("items")?.as_array()?;
        let first = items.first()?;
        let id = any_id(first).filter(|id| !id.is_empty())?;
        Some(if items.len() > 1 { format!("{id}, …") } else { id.to_owned() })
    })
}

/// What joins two sessions.
pub fn rule(rule: &str) -> &str {
    match rule {
        "access_key" => "access key",
        "creation_time" => "same second",
        "shared_event" => "shared event id",
        "console_login" => "console sign-in",
        "console_switch" => "role switch in the console",
        "identity_center" => "Identity Center",
        "sign_in_session" => "sign-in session",
        "service_linked_role" => "service-linked role",
        "ec2_role_delivery" => "instance role",
        "in_scope_of" => "named by the record",
        "session_issuer" => "session issuer",
        "pod_identity" => "pod identity",
        "forwarded" => "forwarded call",
        "signin_token" => "taken to the console",
        "web_id_federation_data" => "token named by the record",
        "principal_at_time" => "session of that principal at the time",
        "login_profile" => "password set before the sign-in",
        other => other,
    }
}

/// Why the origin is not known, in a few words.
pub fn reason_short(reason: &str) -> &str {
    match reason {
        "grant_missing" => "the issuing event is not in these logs",
        "grant_issued_another_key" => "the only fitting issuing event gave out another key",
        "grant_contested" => "the only fitting issuing event fits other sessions as well",
        "no_key_and_no_creation_date" => "its calls show neither key nor creation date",
        "candidates_disagree" => "several issuing events fit, and they disagree",
        "credentials_disagree" => "its access keys came from different callers",
        "too_many_candidates" => "more issuing events fit than anybody could compare",
        "parent_unresolved" => "whoever obtained it is unknown",
        "circular_evidence" => "the evidence goes round in a circle",
        "started_before_parent" => "its caller's own session began only after it was obtained",
        "sign_in_failed" => "the sign-in failed, so the name is only a claim",
        "root_session_without_grant" => "a root session, but nothing tells whose",
        "identity_not_recorded" => "the records name nobody",
        "identity_contradicts_itself" => {
            "type, ARN, account or name of its identity cannot all be true"
        }
        other => other,
    }
}

/// What to do about an unknown origin.
pub fn advice(reason: &str) -> &'static str {
    match reason {
        "grant_missing" | "parent_unresolved" => {
            "Load more logs: 36 hours before the session began, us-east-1 beside its own region, and \
             the account of whoever obtained it."
        }
        "grant_issued_another_key" => {
            "The session's own issuing event is missing: load the logs of the same minute from all \
             regions and from the caller's account."
        }
        "grant_contested" => {
            "One event starts one session, and this one fits several: the issuing event of at least one \
             of them is missing. Load the logs of the same minute from all regions."
        }
        "no_key_and_no_creation_date" => {
            "Nothing joins these calls to an issuing event; look at invoked_by and the services' own logs."
        }
        "candidates_disagree" => {
            "The issuing events are listed above; who holds which key can only be told by the callers."
        }
        "too_many_candidates" => {
            "So many in one second are no accident: the times or names in these logs were rewritten."
        }
        "credentials_disagree" => {
            "Ask for the access keys one by one: the table credentials names an origin for each."
        }
        "circular_evidence" => "See the table links for all hops; one of them must be wrong.",
        "started_before_parent" => {
            "Nobody calls with credentials that do not exist yet: times or keys of these logs were rewritten."
        }
        "sign_in_failed" => "Treat the name as a guess of whoever typed it.",
        "root_session_without_grant" => {
            "Load the logs of the management account: AssumeRoot is recorded there."
        }
        "identity_contradicts_itself" => {
            "AWS writes no such identity: compare the file with the original in S3 and its digest."
        }
        "identity_not_recorded" => "Look at the events' additional_event_data and extra for more.",
        _ => "See the table links for what was considered.",
    }
}

/// What in a session's records cannot be true at once.
pub fn contradiction(name: &str) -> &str {
    match name {
        "source_identity_changed" => "its source identity is not its caller's",
        "transitive_tags_differ" => "it inherited other tags than its caller passes on",
        "chained_over_one_hour" => "a role session got more than an hour",
        "calls_after_expiry" => "calls after it had expired",
        "calls_before_creation" => "calls before it was made",
        "started_before_parent" => "it is older than its caller",
        "mfa_differs" => "an MFA device was presented, its calls show none",
        "account_differs" => "its ARN and its account do not agree",
        "named_after_somebody_else" => "named after somebody else",
        "instance_name_unproven" => "named like an instance, nothing shows EC2",
        other => other,
    }
}

/// `asked 7200 s, given 3600 s`.
pub fn lifetime(asked: Option<i64>, given: Option<i64>) -> Option<String> {
    match (asked, given) {
        (None, None) => None,
        (None, Some(given)) => Some(format!("given {given} s, none asked for")),
        (Some(asked), None) => Some(format!("asked {asked} s")),
        (Some(asked), Some(given)) => Some(format!("asked {asked} s, given {given} s")),
    }
}

/// `9 calls, 3 writes`, or `never used`.
pub fn calls(session: &Session) -> String {
    let mut text = match session.event_count {
        0 => return "never used".to_owned(),
        n => call_count(n),
    };
    for (count, one, many) in
        [(session.write_count, "write", "writes"), (session.error_count, "error", "errors")]
    {
        match count {
            0 => {}
            1 => text.push_str(&format!(", 1 {one}")),
            n => text.push_str(&format!(", {n} {many}")),
        }
    }
    text
}

/// `1 call`, `9 calls`.
pub fn call_count(n: u64) -> String {
    if n == 1 { "1 call".to_owned() } else { format!("{n} calls") }
}

/// The hat: the role, or what else kind of session it is.
pub fn hat(session: &Session) -> String {
    let named = |what: &str| match session.session_name.as_deref() {
        Some(name) => format!("{what} {name}"),
        None => what.to_owned(),
    };
    match (session.identity_type.as_deref(), session.role_name.as_deref()) {
        (_, Some(role)) => role.to_owned(),
        (Some("FederatedUser"), _) => named("federated user"),
        (Some("Root"), _) if session.depth != Some(0) => "root".to_owned(),
        _ if session.started_at.is_none() => "long-term credentials".to_owned(),
        _ if session.link_rule.as_deref() == Some("forwarded") => "forwarded calls".to_owned(),
        _ if session.from_console == Some(true)
            || session.link_rule.as_deref() == Some("console_login") =>
        {
            "console session".to_owned()
        }
        _ => "temporary credentials".to_owned(),
    }
}

/// The hat, seen from the session that handed it out: whose long-term key it is.
pub fn hat_from_above(session: &Session) -> String {
    let user = session.principal_arn.as_deref().and_then(|arn| Arn::parse(arn)?.user_name());
    match user.filter(|_| session.is_long_term()) {
        Some(user) => format!("long-term key of {user}"),
        None => hat(session),
    }
}

/// A word for a POSIX shell.
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// An option and its value for a POSIX shell.
pub fn option(name: &str, value: &str) -> String {
    // What begins like an option would be taken for one.
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("{name}{between}{}", shell(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_short_and_unambiguous() {
        let arn = "arn:aws:iam::111111111111:user/team/anna";
        assert_eq!(origin("IAMUser", Some(arn), Some("111111111111"), None), "111111111111/anna");
        assert_eq!(origin("SAMLUser", Some("carla"), None, None), "carla (SAMLUser)");
        let ec2 = origin("AWSService", Some("ec2.amazonaws.com"), None, Some("instance i-1"));
        assert_eq!(ec2, "ec2.amazonaws.com, instance i-1");
        assert_eq!(origin("Unknown", None, None, Some("x")), "unknown");
    }

    #[test]
    fn chains_name_an_account_where_it_changes() {
        let labels = ["1/anna", "1/A", "2/B", "2/C"].map(str::to_owned);
        assert_eq!(chain(&labels, Some("1")), ["A", "2/B", "C"]);
        assert_eq!(chain(&[], None), Vec::<String>::new());
    }

    #[test]
    fn targets_are_telling() {
        let put = r#"{"roleName":"PaymentsRole","policyName":"fix"}"#;
        assert_eq!(target(None, Some(put)), "PaymentsRole, fix");
        let bucket = Some("arn:aws:s3:::archive");
        assert_eq!(target(bucket, Some(r#"{"bucketName":"archive","key":"a/b"}"#)), "archive/a/b");
        let ec2 = r#"{"instancesSet":{"items":[{"instanceId":"i-1"},{"instanceId":"i-2"}]}}"#;
        assert_eq!(target(None, Some(ec2)), "i-1, …");
        assert_eq!(target(None, Some("not json")), "");
        assert_eq!(target(None, None), "");
    }
}
