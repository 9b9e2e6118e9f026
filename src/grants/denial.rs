//! Why an attempt was denied, as far as its record tells.
//!
//! Sources: IAM User Guide, "Troubleshooting access denied error messages" and "Troubleshooting
//! SAML 2.0 federation with AWS"; STS API Reference, errors of the AssumeRole calls. A trust policy
//! condition that fails (MFA, external id, organization) has no message of its own: it reads like
//! any other denial and is `unspecified` or `trust_policy` here.
//!
//! A message may quote what the caller wrote (`Value '…' at 'roleSessionName'`), so a text counts
//! only under the error codes that AWS writes it with.

use super::Grant;
use crate::decode::Event;
use crate::model::arn;

/// Characters of an `errorMessage` from which on it may have been cut: CloudTrail keeps 1 KB.
/// Source: CloudTrail User Guide, "CloudTrail record contents".
const CUT_FROM: usize = 1000;

/// What kind of failure an error code reports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Somebody was not allowed to.
    Access,
    /// The request was not well formed.
    Validation,
    /// The token of an identity provider was refused.
    Token,
    /// Anything else.
    Other,
}

/// Texts that name their cause by themselves, under the codes that come with them. Lower case.
const OWN_TEXTS: &[(Family, &str, &str)] = &[
    (Family::Access, "multifactorauthentication failed with invalid mfa one time", "mfa_code"),
    (Family::Access, "multifactorauthentication failed, unable to validate mfa", "mfa_device"),
    (Family::Access, "multifactorauthentication failed", "mfa"),
    (Family::Access, "cannot call getsessiontoken with session credentials", "caller_kind"),
    (Family::Access, "cannot call getfederationtoken with session credentials", "caller_kind"),
    (Family::Access, "roles may not be assumed by root accounts", "caller_kind"),
    (Family::Access, "not authorized to perform sts:assumerolewithsaml", TRUST_OR_CLAIMS),
    (Family::Access, "not authorized to perform sts:assumerolewithwebidentity", TRUST_OR_CLAIMS),
    (Family::Access, "is not authorized to perform: sts:tagsession", "session_tags"),
    (Family::Access, "is not authorized to perform: sts:setsourceidentity", "source_identity"),
    (Family::Validation, "exceeds the maxsessionduration set for this role", "duration_over_limit"),
    (
        Family::Validation,
        "exceeds the 1 hour session limit for roles assumed by role chaining",
        "chaining_over_one_hour",
    ),
    (Family::Token, "token expired", "expired_token"),
    (Family::Token, "token too old", "expired_token"),
    (Family::Token, "must be redeemed within", "expired_token"),
    (Family::Token, "response signature invalid", "saml_assertion"),
    (Family::Token, "rolesessionname is required", "saml_assertion"),
    (Family::Token, "rolesessionname in authnresponse must match", "saml_assertion"),
    (Family::Token, "source identity must match", "saml_assertion"),
    (Family::Token, "does not contain the required audience", "saml_assertion"),
    (Family::Token, "issuer not present in specified provider", "saml_provider"),
    (Family::Token, "specified provider doesn't exist", "saml_provider"),
    (Family::Token, "no openidconnect provider found", "oidc_provider"),
    (Family::Token, "couldn't retrieve verification key", "oidc_provider"),
    (Family::Token, "incorrect token audience", "oidc_token"),
];

/// The role's trust policy, the claims it was shown, or no such role: STS does not say which.
const TRUST_OR_CLAIMS: &str = "trust_policy_or_claims";

/// Error codes that name their cause by themselves, without `Client.` and `Exception`.
const CODES: &[(&str, &str)] = &[
    ("ExpiredToken", "expired_token"),
    ("RequestExpired", "expired_token"),
    ("InvalidIdentityToken", "identity_token"),
    ("IDPRejectedClaim", "identity_provider"),
    ("IDPCommunicationError", "identity_provider"),
    ("MalformedPolicyDocument", "malformed_session_policy"),
    ("PackedPolicyTooLarge", "packed_policy_too_large"),
    ("RegionDisabled", "region_disabled"),
    ("Throttling", "throttled"),
    ("InvalidClientTokenId", "bad_credentials"),
    ("SignatureDoesNotMatch", "bad_credentials"),
    ("UnrecognizedClient", "bad_credentials"),
    ("ValidationError", "malformed_request"),
    ("Validation", "malformed_request"),
];

/// Clauses of an access denied message; the policy that decides comes first. Lower case.
const CLAUSES: &[(&str, &str)] = &[
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
];

/// Causes of a denial that ends by itself once a new role or policy has spread.
const PASSING: &[&str] =
    &["unspecified", "no_identity_policy", "trust_policy", "resource_policy", TRUST_OR_CLAIMS];

/// The code without what services put around it.
fn plain(code: &str) -> &str {
    let code = code.strip_prefix("Client.").unwrap_or(code);
    code.strip_suffix("Exception").unwrap_or(code)
}

fn family(code: &str) -> Family {
    match plain(code) {
        "" | "Forbidden" | "UnauthorizedAccess" => Family::Access,
        code if code.starts_with("AccessDenied") => Family::Access,
        code if code.ends_with("UnauthorizedOperation") => Family::Access,
        "ValidationError" | "Validation" => Family::Validation,
        "ExpiredToken" | "InvalidIdentityToken" => Family::Token,
        code if code.starts_with("AuthSaml") => Family::Token,
        _ => Family::Other,
    }
}

/// The cause of a failed call: its own text, then its code, then the clause of an access denied
/// message; `unspecified` for a denial that says no more, `other_error` for any other failure.
pub fn cause(event: &Event) -> &'static str {
    let message = event.error_message.as_deref().unwrap_or("").to_lowercase();
    let code = event.error_code.as_deref().unwrap_or("");
    let family = family(code);
    if let Some((.., cause)) =
        OWN_TEXTS.iter().find(|(of, text, _)| *of == family && message.contains(text))
    {
        return cause;
    }
    if let Some((_, cause)) = CODES.iter().find(|(known, _)| plain(code) == *known) {
        return cause;
    }
    if family != Family::Access {
        return "other_error";
    }
    // So CloudTrail records a web identity that the trust policy does not accept.
    let web_identity = event.event_name == "AssumeRoleWithWebIdentity";
    if web_identity && message.contains("an unknown error occurred") {
        return TRUST_OR_CLAIMS;
    }
    CLAUSES.iter().find(|(text, _)| message.contains(text)).map_or("unspecified", |(_, c)| c)
}

/// Whether a denial of this cause may end by itself.
pub fn may_pass(cause: &str) -> bool {
    PASSING.contains(&cause)
}

/// A denied call has neither request nor response; its message names action and role:
/// `User: … is not authorized to perform: sts:AssumeRole on resource: arn:…`.
pub(super) fn read_target(event: &Event, grant: &mut Grant) {
    if family(event.error_code.as_deref().unwrap_or("")) != Family::Access {
        return;
    }
    let message = event.error_message.as_deref().unwrap_or("");
    let long = message.len() >= CUT_FROM;
    let Some((action, after)) = action(message) else { return };
    if !(long && after.is_empty()) {
        grant.denied_action = Some(action.to_owned());
    }
    let Some(resource) = after.trim_start().strip_prefix("on resource: ") else { return };
    let Some(target) = Target::read(resource, long) else { return };
    grant.child.account_id = arn::account(target.arn).map(str::to_owned);
    let is_role = arn::Arn::parse(target.arn).is_some_and(|arn| arn.resource.starts_with("role/"));
    if is_role && !target.cut {
        grant.child.role_arn = Some(target.arn.to_owned());
        grant.child.role_name = arn::role_name(target.arn).map(str::to_owned);
    }
}

/// The action that was denied, and what follows it. Some services say `You are not authorized to
/// perform this operation.` first.
fn action(message: &str) -> Option<(&str, &str)> {
    message.split("authorized to perform").skip(1).find_map(|said| {
        let said = said.trim_start_matches(':').trim_start();
        let (action, after) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
        let action = action.trim_matches(QUOTES).trim_end_matches(['.', ',']);
        action.contains(':').then_some((action, after))
    })
}

const QUOTES: [char; 4] = ['"', '\'', '“', '”'];

/// The resource of a denial.
struct Target<'m> {
    arn: &'m str,
    /// The message ends before the ARN does: half a name would be a wrong name.
    cut: bool,
}

impl<'m> Target<'m> {
    /// `long`: the message may have been cut at its end.
    fn read(text: &'m str, long: bool) -> Option<Target<'m>> {
        let text = text.trim_start();
        if let Some(quoted) = text.strip_prefix(QUOTES) {
            return Some(match quoted.split_once(QUOTES) {
                Some((arn, _)) => Target { arn, cut: false },
                None => Target { arn: quoted.split_whitespace().next()?, cut: true },
            });
        }
        let word = text.split_whitespace().next()?;
        let arn = word.trim_end_matches(['.', ',', ';', '…']);
        let dots = word.ends_with("..") || word.ends_with('…');
        Some(Target { arn, cut: dots || (long && word.len() == text.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decoder;
    use crate::decode::stream::{Item, Limits, RecordStream};
    use crate::grants;

    const ROLE: &str = "arn:aws:iam::222222222222:role/teams/Deployer";

    /// The grant read from a failed call.
    fn failed(name: &str, code: &str, message: &str) -> Grant {
        let record = serde_json::json!({
            "eventVersion": "1.08", "eventID": "1", "eventTime": "2024-05-01T09:00:00Z",
            "eventSource": "sts.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
            "errorCode": code, "errorMessage": message,
            "requestParameters": null, "responseElements": null,
            "userIdentity": {
                "type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "111111111111",
                "arn": "arn:aws:iam::111111111111:user/anna", "accessKeyId": "AKIAEXAMPLE"
            }
        });
        let text = serde_json::json!({ "Records": [record] }).to_string();
        let mut records = RecordStream::new(text.as_bytes(), Limits::default());
        let Some(Item::Record(_, record, _)) = records.next() else { panic!("no record") };
        let event = Decoder::default().event(&record).unwrap();
        grants::read(&event, "log", 1).unwrap()
    }

    fn cause_of(code: &str, message: &str) -> String {
        failed("AssumeRole", code, message).denial_cause.unwrap()
    }

    fn bare(rest: &str) -> String {
        format!(
            "User: arn:aws:iam::111111111111:user/anna is not authorized to perform: \
             sts:AssumeRole on resource: {rest}"
        )
    }

    #[test]
    fn every_clause_of_an_access_denied_message_names_its_cause() {
        let allows = |policy: &str| format!("because no {policy} allows the sts:AssumeRole action");
        let denies = |policy: &str| format!("with an explicit deny in {policy}");
        for (clause, cause) in [
            (allows("identity-based policy"), "no_identity_policy"),
            (denies("an identity-based policy"), "identity_policy_denies"),
            (allows("role trust policy"), "trust_policy"),
            (denies("the role trust policy"), "trust_policy_denies"),
            (denies("a role trust policy"), "trust_policy_denies"),
            (allows("resource-based policy"), "resource_policy"),
            (denies("a resource-based policy"), "resource_policy_denies"),
            (denies("a service control policy"), "service_control_policy"),
            (denies("a resource control policy"), "resource_control_policy"),
            (allows("permissions boundary"), "permissions_boundary"),
            (denies("a permissions boundary"), "permissions_boundary"),
            (allows("session policy"), "session_policy"),
            (denies("a sessions policy"), "session_policy"),
            (allows("VPC endpoint policy"), "vpc_endpoint_policy"),
            (
                "with an explicit deny in a VPC endpoint policy transitively through a service \
                 control policy"
                    .to_owned(),
                "service_control_policy",
            ),
            (denies("an identity-based policy: arn:aws:iam::1:policy/X"), "identity_policy_denies"),
            (String::new(), "unspecified"),
        ] {
            for code in ["AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"] {
                assert_eq!(cause_of(code, &bare(&format!("{ROLE} {clause}"))), cause, "{clause}");
                let upper = bare(ROLE) + " " + &clause.to_uppercase();
                assert_eq!(cause_of(code, &upper), cause, "{clause}");
            }
        }
    }

    #[test]
    fn errors_with_their_own_text_name_their_cause() {
        #[rustfmt::skip]
        let table = [
            ("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ", "mfa_code"),
            ("AccessDenied", "MultiFactorAuthentication failed, unable to validate MFA code. Please verify", "mfa_device"),
            ("AccessDenied", "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.", "mfa"),
            ("AccessDenied", "Cannot call GetSessionToken with session credentials", "caller_kind"),
            ("AccessDenied", "Cannot call GetFederationToken with session credentials", "caller_kind"),
            ("AccessDenied", "Roles may not be assumed by root accounts.", "caller_kind"),
            ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML", "trust_policy_or_claims"),
            ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", "trust_policy_or_claims"),
            ("AccessDenied", "User: x is not authorized to perform: sts:TagSession on resource: y because no role trust policy allows it", "session_tags"),
            ("AccessDenied", "User: x is not authorized to perform: sts:SetSourceIdentity on resource: y", "source_identity"),
            ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", "duration_over_limit"),
            ("ValidationException", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.", "chaining_over_one_hour"),
            ("ValidationError", "1 validation error detected: Value 'x y' at 'roleSessionName' failed to satisfy constraint", "malformed_request"),
            ("ValidationError", "x is not a valid ARN", "malformed_request"),
            ("ExpiredToken", "The security token included in the request is expired", "expired_token"),
            ("ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time", "expired_token"),
            ("InvalidIdentityToken", "Token too old", "expired_token"),
            ("ExpiredTokenException", "Response must be redeemed within 5 minutes of issuance", "expired_token"),
            ("InvalidClientTokenId", "The security token included in the request is invalid.", "bad_credentials"),
            ("SignatureDoesNotMatch", "Signature expired", "bad_credentials"),
            ("UnrecognizedClientException", "", "bad_credentials"),
            ("InvalidIdentityToken", "Response signature invalid", "saml_assertion"),
            ("InvalidIdentityToken", "RoleSessionName is required in AuthnResponse", "saml_assertion"),
            ("InvalidIdentityTokenException", "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}", "saml_assertion"),
            ("InvalidIdentityToken", "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64}", "saml_assertion"),
            ("InvalidIdentityToken", "Audience does not contain the required audience", "saml_assertion"),
            ("InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://x", "oidc_provider"),
            ("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider", "oidc_provider"),
            ("InvalidIdentityToken", "Incorrect token audience", "oidc_token"),
            ("InvalidIdentityToken", "", "identity_token"),
            ("IDPRejectedClaim", "", "identity_provider"),
            ("IDPCommunicationError", "", "identity_provider"),
            ("AuthSamlInvalidSamlResponse", "Issuer not present in specified provider", "saml_provider"),
            ("InvalidIdentityToken", "Specified provider doesn't exist", "saml_provider"),
            ("MalformedPolicyDocument", "Syntax errors in session policy", "malformed_session_policy"),
            ("PackedPolicyTooLarge", "Packed size of session tags consumes 120%", "packed_policy_too_large"),
            ("PackedPolicyTooLargeException", "", "packed_policy_too_large"),
            ("RegionDisabledException", "STS is not activated in this region", "region_disabled"),
            ("Throttling", "Rate exceeded", "throttled"),
            ("ThrottlingException", "Rate exceeded", "throttled"),
            ("InternalFailure", "no role trust policy allows", "other_error"),
            ("Forbidden", "", "unspecified"),
            ("UnauthorizedAccess", "", "unspecified"),
        ];
        for (code, message, cause) in table {
            assert_eq!(cause_of(code, message), cause, "{code}: {message}");
        }
        let web = |message| failed("AssumeRoleWithWebIdentity", "AccessDenied", message);
        let unknown = web("An unknown error occurred").denial_cause;
        assert_eq!(unknown.as_deref(), Some(TRUST_OR_CLAIMS));
        assert_eq!(cause_of("AccessDenied", "An unknown error occurred"), "unspecified");
    }

    #[test]
    fn what_a_caller_wrote_into_a_message_is_no_cause_and_no_target() {
        let echo = format!(
            "Value 'no role trust policy allows, {}' at 'roleSessionName' failed",
            bare(ROLE)
        );
        let grant = failed("AssumeRole", "ValidationError", &echo);
        assert_eq!(grant.denial_cause.as_deref(), Some("malformed_request"));
        assert_eq!((grant.child.role_arn, grant.denied_action), (None, None));
    }

    /// Action, role, account.
    fn target(message: &str) -> (Option<String>, Option<String>, Option<String>) {
        let grant = failed("AssumeRole", "AccessDenied", message);
        assert_eq!(grant.child.role_name.is_some(), grant.child.role_arn.is_some());
        (grant.denied_action, grant.child.role_arn, grant.child.account_id)
    }

    #[test]
    fn the_role_is_read_from_the_message() {
        let all = |role: &str| {
            let role = Some(role.to_owned());
            (Some("sts:AssumeRole".to_owned()), role, Some("222222222222".to_owned()))
        };
        for form in ["R", "R.", "R,", "\"R\"", "'R'.", "“R”", "R with an explicit deny", "R\n"]
        {
            assert_eq!(target(&bare(&form.replace('R', ROLE))), all(ROLE), "{form}");
        }
        // A quoted name may end in a full stop: role names can.
        let dotted = format!("{ROLE}.");
        assert_eq!(target(&bare(&format!("\"{dotted}\""))), all(&dotted));
        let other_service =
            format!("You are not authorized to perform this operation. {}", bare(ROLE));
        assert_eq!(target(&other_service), all(ROLE));
        let twice = bare(&format!("{ROLE} on resource: arn:aws:iam::333333333333:role/Other"));
        assert_eq!(target(&twice), all(ROLE));
    }

    #[test]
    fn half_a_role_name_is_no_role_name() {
        let action = Some("sts:AssumeRole".to_owned());
        let account = Some("222222222222".to_owned());
        for cut in
            ["arn:aws:iam::222222222222:role/teams/Depl...", "\"arn:aws:iam::222222222222:role/De"]
        {
            assert_eq!(target(&bare(cut)), (action.clone(), None, account.clone()), "{cut}");
        }
        let long = format!("{}{}", "You may not. ".repeat(80), bare(ROLE));
        assert_eq!(target(&long), (action.clone(), None, account));
        // The same length with something after the role: the role is whole.
        assert_eq!(target(&format!("{long} because")).1.as_deref(), Some(ROLE));
        for nothing in ["", "*", "arn:aws", "\"", "arn:aws:sts::222222222222:assumed-role/X/y"] {
            assert_eq!(target(&bare(nothing)).1, None, "{nothing}");
        }
        let no_resource = "User: x is not authorized to perform: sts:AssumeRole";
        assert_eq!(target(no_resource), (action, None, None));
        assert_eq!(target("Access denied"), (None, None, None));
    }
}
