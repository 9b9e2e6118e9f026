//! What words are: AWS's own, which stay, and others, which do not.

use std::net::IpAddr;

use super::Redactor;

/// Texts that stay as a whole.
const WHOLE: &[&str] = &[
    "AWS Internal",
    "HIDDEN_DUE_TO_SECURITY_REASONS",
    "ANONYMOUS_PRINCIPAL",
    "Anonymous",
    "anonymous",
    "unknown",
    "aws",
    "***",
    "0.0.0.0",
    "127.0.0.1",
    "::",
    "::1",
    // Identity providers that are everybody's.
    "accounts.google.com",
    "appleid.apple.com",
    "graph.facebook.com",
    "login.microsoftonline.com",
    "sts.windows.net",
    "token.actions.githubusercontent.com",
    "www.amazon.com",
];

/// Parts of names that systems put there, not people.
#[rustfmt::skip]
const PARTS: &[&str] = &[
    "AWSCodeBuild", "AWSReservedSSO", "CN", "OU", "arn", "eks", "heads", "http", "https", "ref",
    "refs", "repo", "s3", "serviceaccount", "system", "urn",
];

/// Kinds of resources, as ARNs and paths name them.
#[rustfmt::skip]
const KINDS: &[&str] = &[
    "access-point", "alarm", "alias", "api", "app", "application", "assumed-role",
    "autoScalingGroup", "autoScalingGroupName", "aws-reserved", "aws-service-role", "bucket",
    "build", "catalog", "certificate", "channel", "cluster", "container", "container-instance",
    "crl", "dashboard", "database", "db", "dhcp-options", "distribution", "document", "domain",
    "event-bus", "eventdatastore", "federated-user", "file-system", "fleet", "function", "group",
    "hostedzone", "identitypool", "identitystore", "image", "import", "instance",
    "instance-profile", "internet-gateway", "job", "key", "key-pair", "launch-template", "layer",
    "loadbalancer", "log-group", "log-stream", "managed-instance", "mfa", "namespace",
    "natgateway", "network-interface", "oidc-provider", "parameter", "permissionSet", "pipeline",
    "pod", "podidentityassociation", "policy", "profile", "project", "queue", "registry",
    "report", "repository", "restapis", "role", "root", "rule", "saml-provider", "secret",
    "security-group", "server-certificate", "service", "service-role", "session", "sms-mfa",
    "snapshot", "ssoins", "stack", "stage", "stateMachine", "stream", "sts", "subject", "subnet",
    "table", "target", "targetgroup", "task", "task-definition", "topic", "trail", "trust-anchor",
    "user", "userpool", "volume", "vpc", "vpc-endpoint", "workgroup",
];

/// How actions begin.
#[rustfmt::skip]
const VERBS: &[&str] = &[
    "Accept", "Add", "Allocate", "Apply", "Assign", "Associate", "Assume", "Attach", "Authorize",
    "Batch", "Cancel", "Change", "Complete", "Confirm", "Copy", "Create", "Decode", "Decrypt",
    "Delete", "Deregister", "Describe", "Detach", "Disable", "Disassociate", "Enable", "Encrypt",
    "Execute", "Export", "Filter", "Generate", "Get", "Head", "Import", "Invoke", "Issue",
    "Leave", "Link", "List", "Lookup", "Merge", "Modify", "Move", "Pass", "Post", "Publish",
    "Purchase", "Put", "Query", "ReEncrypt", "Read", "Reboot", "Receive", "Register", "Reject",
    "Release", "Remove", "Replace", "Reset", "Restore", "Retire", "Revoke", "Rotate", "Run",
    "Scan", "Schedule", "Search", "Select", "Send", "Set", "Simulate", "Start", "Stop", "Submit",
    "Subscribe", "Switch", "Tag", "Terminate", "Test", "Transfer", "Unassign", "Unlink",
    "Unsubscribe", "Untag", "Update", "Upload", "Validate", "Verify", "View", "Write",
];

/// Labels of hosts of AWS's beside regions and the last one, which is always the service's.
#[rustfmt::skip]
const HOST_LABELS: &[&str] = &[
    "api", "apigateway", "aoss", "aws", "backup", "buildspec", "config", "connect", "console",
    "console-nlb", "credentials", "delivery", "dkr", "dualstack", "dynamodb", "ecr", "ecs",
    "edgelambda", "eks", "elasticache", "elb", "es", "events", "execute-api", "fips", "iot",
    "kms", "lambda", "logs", "monitoring", "multi-region", "oidc", "ops", "pods", "portal", "rds",
    "replication", "replicator", "rolesanywhere", "s3", "scheduler", "session", "signin", "sns",
    "sqs", "ssm", "sso", "sts", "tasks", "transitgateway", "us-east", "vpce", "website", "www",
];

const HOSTS: &[&str] = &[
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".aws.amazon.com",
    ".amazonaws.cn",
    ".amazonaws-us-gov.com",
    ".amazon.com",
];

/// Words of AWS's messages, and of what this program writes beside them.
#[rustfmt::skip]
const MESSAGE: &[&str] = &[
    "a", "access", "account", "action", "actions", "active", "add", "after", "all", "allow",
    "allowed", "allows", "already", "an", "and", "any", "api", "apply", "are", "argument", "arn",
    "as", "assertion", "assume", "assumed", "at", "attached", "attempt", "audience",
    "authenticate", "authentication", "authorization", "authorized", "aws", "based", "be",
    "because", "been", "before", "between", "boundary", "bucket", "bucketname", "build", "by",
    "call", "caller", "called", "calling", "can", "cannot", "certificate", "chaining", "changed",
    "character", "characters", "check", "claim", "claims", "client", "code", "combination",
    "condition", "conditional", "conflict", "contain", "contains", "context", "control", "could",
    "create", "credential", "credentials", "current", "currently", "date", "decode", "delegated",
    "delete", "denied", "deny", "denies", "device", "did", "disabled", "does", "document", "due",
    "duration", "durationseconds", "either", "eligible", "enabled", "encountered", "end",
    "endpoint", "enough", "entity", "error", "exceed", "exceeded", "exceeds", "exception",
    "exist", "existing", "exists", "expired", "explicit", "explicitly", "fail", "failed",
    "failure", "field", "file", "following", "for", "format", "found", "from", "function",
    "global", "grant", "grants", "group", "has", "have", "hour", "hours", "id", "identified",
    "identifier", "identity", "if", "in", "incorrect", "instance", "internal", "invalid", "is",
    "issued", "issuer", "it", "its", "key", "known", "large", "length", "less", "limit",
    "limited", "list", "log", "login", "longer", "made", "malformed", "match", "matched",
    "matches", "max", "maximum", "maxsessionduration", "member", "message", "method", "mfa",
    "minimum", "minutes", "missing", "more", "multifactorauthentication", "must", "name", "names",
    "need", "needed", "new", "no", "non", "none", "not", "null", "number", "object", "of", "on",
    "once", "one", "only", "operation", "option", "or", "order", "organization", "organizations",
    "other", "out", "over", "packed", "parameter", "parameters", "parse", "pass", "passed",
    "password", "perform", "performed", "permission", "permissions", "please", "pod", "policies",
    "policy", "present", "principal", "privileges", "process", "provide", "provided", "provider",
    "quota", "rate", "received", "record", "region", "regular", "reject", "rejected", "request",
    "requested", "requests", "require", "required", "requires", "resource", "resources",
    "response", "retry", "role", "roles", "root", "saml", "same", "satisfy", "second", "seconds",
    "secret", "security", "service", "services", "session", "set", "should", "sign", "signature",
    "signed", "signing", "size", "source", "specified", "state", "status", "subject", "success",
    "such", "support", "supplied", "supported", "syntax", "system", "tag", "tags", "task",
    "temporarily", "temporary", "than", "that", "the", "their", "then", "there", "this",
    "throttled", "throttling", "time", "to", "token", "too", "try", "trust", "trusted", "type",
    "unable", "under", "unauthorized", "unavailable", "unknown", "unrecognized", "unsupported",
    "until", "update", "usage", "use", "used", "user", "username", "users", "using", "valid",
    "validation", "value", "values", "version", "vpc", "was", "web", "when", "which", "while",
    "will", "with", "within", "without", "write", "xml", "you", "your",
];

fn has(words: &[&str], word: &str) -> bool {
    words.contains(&word)
}

/// Whether a whole text is AWS's own.
pub(super) fn is_plain(text: &str) -> bool {
    has(WHOLE, text) || is_region(text) || matches!(text, "true" | "false" | "*" | "")
}

/// Whether a part of a name is no person's: `AWSServiceRoleForRDS`, `repo`.
pub(super) fn is_part(part: &str) -> bool {
    let linked = part.strip_prefix("AWSServiceRoleFor");
    linked.is_some_and(|of| of.starts_with(|c: char| c.is_ascii_uppercase())) || has(PARTS, part)
}

/// Whether a word names a kind of resource.
pub(super) fn is_kind(word: &str) -> bool {
    has(KINDS, word)
}

/// Whether a word is one of AWS's messages.
pub(super) fn is_message(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    has(MESSAGE, &lower)
}

/// `eu-west-1`, `us-gov-west-1`, `eu-west-1a`.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [area, between @ .., number] = parts.as_slice() else { return false };
    const DIRECTIONS: &[&str] = &[
        "north",
        "south",
        "east",
        "west",
        "central",
        "northeast",
        "northwest",
        "southeast",
        "southwest",
        "gov",
        "iso",
        "isob",
        "isoe",
        "isof",
    ];
    let digits = number.trim_end_matches(|c: char| c.is_ascii_lowercase());
    area.len() == 2
        && area.bytes().all(|b| b.is_ascii_lowercase())
        && (1..=2).contains(&between.len())
        && between.iter().all(|part| has(DIRECTIONS, part))
        && digits.len() == 1
        && number.len() <= 2
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// `iam:PutRolePolicy`, `s3:*`, `s3:Get*`.
pub(super) fn is_action(text: &str) -> bool {
    let Some((service, call)) = text.split_once(':') else { return false };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let call_plain = call.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'*');
    !service.is_empty()
        && service.bytes().all(plain)
        && call_plain
        && (call == "*" || VERBS.iter().any(|verb| begins_with_verb(call, verb)))
}

/// A verb and what it is done to: `GetUser`, `Get*`; not `Getachew`.
fn begins_with_verb(call: &str, verb: &str) -> bool {
    let after = call.strip_prefix(verb);
    after.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// Twelve digits and nothing else.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Access keys and unique ids. Source: IAM User Guide, "IAM identifiers".
fn is_key_id(word: &str) -> bool {
    const PREFIXES: &[&str] = &[
        "ABIA", "ACCA", "AGPA", "AIDA", "AIPA", "AKIA", "ANPA", "ANVA", "APKA", "AROA", "ASCA",
        "ASIA",
    ];
    let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    word.len() > 6
        && word.get(..4).is_some_and(|prefix| has(PREFIXES, prefix))
        && word.bytes().all(upper)
}

/// Twelve hexadecimal digits at the least, not all of them letters.
fn is_long_hexadecimal(word: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    word.len() >= 12 && word.bytes().all(hex) && word.bytes().any(|b| b.is_ascii_digit())
}

/// `i-0123456789abcdef0`: prefix and digits.
fn resource_id(word: &str) -> Option<(&str, &str)> {
    let (prefix, digits) = word.split_once('-')?;
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let known = prefix.len() <= 12 && prefix.bytes().all(|b| b.is_ascii_lowercase());
    let long = matches!(digits.len(), 8 | 17) && digits.bytes().all(hex);
    (known && !prefix.is_empty() && long).then_some((prefix, digits))
}

impl Redactor {
    /// A word that is something by its form; `None` for any other.
    pub(super) fn known_form(&self, word: &str) -> Option<String> {
        if is_plain(word) {
            return Some(word.to_owned());
        }
        if is_account(word) {
            return Some(self.account(word));
        }
        if is_key_id(word) {
            return Some(self.key_id(word));
        }
        if let Some((prefix, digits)) = resource_id(word) {
            return Some(self.resource_id(prefix, digits));
        }
        if is_long_hexadecimal(word) {
            return Some(self.hexadecimal(word));
        }
        if let Ok(address) = word.parse::<IpAddr>() {
            return Some(self.address(address));
        }
        self.host(word)
    }

    /// A host of AWS's: its service and region stay, a bucket's or an alias's name does not.
    fn host(&self, word: &str) -> Option<String> {
        let suffix = HOSTS.iter().find(|suffix| word.ends_with(**suffix))?;
        let labels = word.strip_suffix(*suffix)?;
        let in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !labels.chars().all(in_host) {
            return None;
        }
        let count = labels.split('.').count();
        let labels = labels.split('.').enumerate().map(|(n, label)| {
            let service = n + 1 == count && count == 1 && *suffix != ".amazon.com";
            if service || is_region(label) || has(HOST_LABELS, label) {
                label.to_owned()
            } else {
                self.known_form(label).unwrap_or_else(|| self.parts(label))
            }
        });
        Some(format!("{}{suffix}", labels.collect::<Vec<_>>().join(".")))
    }

    /// A name, part by part.
    pub(super) fn parts(&self, name: &str) -> String {
        let mut out = String::with_capacity(name.len() + 16);
        let mut rest = name;
        while let Some(first) = rest.chars().next() {
            let inside = first.is_alphanumeric();
            let end = rest.find(|c: char| c.is_alphanumeric() != inside).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            if !inside || is_part(part) {
                out.push_str(part);
            } else if let Some(known) = self.known_form(part) {
                out.push_str(&known);
            } else {
                out.push_str(&self.name(part));
            }
            rest = after;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        for region in ["eu-west-1", "us-gov-west-1", "ap-southeast-2", "eu-west-1a", "cn-north-1"] {
            assert!(is_region(region), "{region}");
        }
        for other in ["anna-1", "de-anna-1", "eu-west", "eu-west-12x", "my-app-1"] {
            assert!(!is_region(other), "{other}");
        }
        assert!(is_action("iam:PutRolePolicy") && is_action("s3:*") && is_action("s3:Get*"));
        assert!(!is_action("user:anna") && !is_action("account:Anna") && !is_action("x"));
        assert_eq!(resource_id("i-0123456789abcdef0"), Some(("i", "0123456789abcdef0")));
        assert_eq!(resource_id("build-77"), None);
        assert!(is_key_id("ASIAEXAMPLENQ7BFXLH6") && !is_key_id("ASIA") && !is_key_id("anna"));
    }
}
