//! Why an attempt was denied, as far as its message tells.
//!
//! Sources: IAM User Guide, "Troubleshooting access denied error messages" and "Troubleshooting
//! SAML 2.0 federation with AWS"; STS API Reference, errors of the AssumeRole calls. A trust policy
//! condition that fails (MFA, external id, organization) has no message of its own: it reads like
//! any other denial and is `unspecified` or `trust_policy` here.

use super::Grant;
use crate::decode::Event;
use crate::model::arn;

/// Texts that name their cause, more telling ones first. Matched without regard to case.
const CAUSES: &[(&str, &str)] = &[
    ("multifactorauthentication failed", "mfa"),
    ("with session credentials", "caller_kind"),
    ("may not be assumed by root", "caller_kind"),
    ("exceeds the maxsessionduration", "duration_over_limit"),
    ("1 hour session limit for roles assumed by role chaining", "chaining_over_one_hour"),
    ("perform: sts:tagsession", "session_tags"),
    ("perform: sts:setsourceidentity", "source_identity"),
    ("service control policy", "service_control_policy"),
    ("resource control policy", "resource_control_policy"),
    ("permissions boundary", "permissions_boundary"),
    ("vpc endpoint policy", "vpc_endpoint_policy"),
    ("session policy", "session_policy"),
    ("sessions policy", "session_policy"),
    ("no identity-based policy allows", "no_identity_policy"),
    ("explicit deny in an identity-based policy", "identity_policy_denies"),
    ("no role trust policy allows", "trust_policy"),
    ("explicit deny in the role trust policy", "trust_policy_denies"),
    ("explicit deny in a role trust policy", "trust_policy_denies"),
    ("no resource-based policy allows", "resource_policy"),
    ("explicit deny in a resource-based policy", "resource_policy_denies"),
    ("not authorized to perform sts:assumerolewith", "trust_policy"),
    ("not activated in this region", "region_disabled"),
    ("security token included in the request is expired", "expired_token"),
    ("token expired", "expired_token"),
    ("token too old", "expired_token"),
    ("must be redeemed within", "expired_token"),
];

/// Error codes that name their cause by themselves; matched as prefixes.
const CODES: &[(&str, &str)] = &[
    ("ExpiredToken", "expired_token"),
    ("InvalidIdentityToken", "identity_token"),
    ("IDPRejectedClaim", "identity_token"),
    ("IDPCommunicationError", "identity_provider"),
    ("MalformedPolicyDocument", "session_policy"),
    ("PackedPolicyTooLarge", "session_policy"),
    ("RegionDisabled", "region_disabled"),
    ("Throttling", "throttled"),
    ("InvalidClientTokenId", "bad_credentials"),
    ("SignatureDoesNotMatch", "bad_credentials"),
    ("UnrecognizedClient", "bad_credentials"),
    ("ValidationError", "malformed_request"),
];

/// The cause of a denied call. `unspecified` where AWS does not say.
pub fn cause(event: &Event) -> &'static str {
    let message = event.error_message.as_deref().unwrap_or("").to_lowercase();
    let code = event.error_code.as_deref().unwrap_or("");
    let by_text = CAUSES.iter().find(|(text, _)| message.contains(text));
    let by_code = || CODES.iter().find(|(prefix, _)| code.starts_with(prefix));
    by_text.or_else(by_code).map_or("unspecified", |(_, cause)| cause)
}

/// A denied call has neither request nor response; its message names the role.
pub(super) fn read_target(event: &Event, grant: &mut Grant) {
    let message = event.error_message.as_deref().unwrap_or("");
    let Some((_, after)) = message.split_once("on resource: ") else { return };
    let target = after.split_whitespace().next().unwrap_or("");
    let target = target.trim_matches(['"', '\'']).trim_end_matches(['.', ',']);
    if arn::role_name(target).is_some() {
        grant.child.role_arn = Some(target.to_owned());
        grant.child.role_name = arn::role_name(target).map(str::to_owned);
        grant.child.account_id = arn::account(target).map(str::to_owned);
    }
}
