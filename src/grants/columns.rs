//! The columns of **grants**.

use crate::table::Kind::{Bool, Int, Json, Text, TextList, Time};
use crate::table::{Column, TableDef, col};

/// One row a call that issued credentials, or tried to.
pub const GRANTS: TableDef = TableDef {
    name: "grants",
    doc: "One row a call that issued credentials or tried to; the two halves of a cross-account call are one row.",
    columns: COLUMNS,
    partition_by: None,
    lookup: &[
        "event_id",
        "twin_event_id",
        "issued_access_key_id",
        "issued_session_id",
        "caller_session_id",
    ],
    sort_by: &["event_time", "event_id"],
};

#[rustfmt::skip]
const COLUMNS: &[Column] = &[
    col("event_id", Text, "the issuing event; of a cross-account pair, the caller's copy"),
    col("twin_event_id", Text, "the other record of the same issue: the role owner's copy, or what STS shows of a service's grant"),
    col("addendum_event_id", Text, "a later record of the same call that corrected this one (addendum, reason UPDATED_DATA)"),
    col("event_time", Time, "when the credentials were issued"),
    col("kind", Text, "the call: AssumeRole, AssumeRoleWithSAML, ConsoleLogin, SwitchRole, GetRoleCredentials, CreateAccessKey, …; some issue nothing that later calls show, and are no link"),
    col("outcome", Text, "granted or denied"),
    col("denial_cause", Text, "why it was denied, as far as the record tells: no_identity_policy, identity_policy_denies, trust_policy, trust_policy_denies, trust_policy_or_claims, resource_policy, service_control_policy, resource_control_policy, permissions_boundary, session_policy, vpc_endpoint_policy, mfa_code, mfa_device, caller_kind, session_tags, source_identity, duration_over_limit, chaining_over_one_hour, malformed_request, expired_token, bad_credentials, saml_assertion, saml_provider, oidc_token, oidc_provider, identity_token, identity_provider, malformed_session_policy, packed_policy_too_large, region_disabled, throttled, sign_in_failed, other_error; unspecified when AWS does not say: trust policy, permission, MFA, external id, or no such role"),
    col("denied_action", Text, "action that was denied, as the message names it; sts:TagSession for an AssumeRole whose tags were refused"),
    col("propagation", Bool, "true for a denial that only waited for a new role or policy to spread: the same caller got the same role within 60 s, after equal denials only; null when not denied, or when caller or role are not shown"),
    col("error_code", Text, "errorCode"),
    col("error_message", Text, "errorMessage, unaltered"),
    col("caller_type", Text, "userIdentity.type of the caller"),
    col("caller_arn", Text, "userIdentity.arn of the caller"),
    col("caller_principal_id", Text, "userIdentity.principalId of the caller"),
    col("caller_account_id", Text, "account of the caller"),
    col("caller_access_key_id", Text, "access key the caller used"),
    col("caller_session_id", Text, "session of the caller; joins sessions"),
    col("obtained_by", Text, "who obtained the credentials, where that is not the caller of the record: a certificate's subject, an identity of a pool, a service that was asked to act"),
    col("role_arn", Text, "role that was asked for; for a denied call read from its message"),
    col("role_name", Text, "name of that role, without path"),
    col("role_account_id", Text, "account of that role, or the account the credentials are for"),
    col("session_name", Text, "roleSessionName or federated user name; chosen by the caller"),
    col("user_name", Text, "IAM user whose key or password was made"),
    col("assumed_role_id", Text, "principalId that the issued credentials will show"),
    col("issued_access_key_id", Text, "access key that was issued, where the log shows it"),
    col("issued_session_id", Text, "session that was started; joins sessions"),
    col("duration_asked_seconds", Int, "lifetime asked for (durationSeconds); null when the caller left it to AWS"),
    col("duration_seconds", Int, "lifetime given: from the event to the expiry; as asked where the record shows no expiry"),
    col("expires_at", Time, "when the credentials expire"),
    col("external_id", Text, "externalId"),
    col("source_identity", Text, "sourceIdentity"),
    col("mfa_serial", Text, "serialNumber: the MFA device presented"),
    col("tags", Json, "session tags passed, as a JSON object"),
    col("transitive_tag_keys", TextList, "transitiveTagKeys"),
    col("incoming_transitive_tags", Json, "incomingTransitiveTags: inherited from the calling session"),
    col("session_policy", Json, "policy and policyArns that narrow the session"),
    col("cross_account", Bool, "whether caller and role are in different accounts"),
    col("used", Bool, "whether any logged call used what was issued"),
    col("recipient_account_id", Text, "account whose log holds the issuing event"),
    col("aws_region", Text, "region that recorded it"),
    col("source_ip_address", Text, "sourceIPAddress of the issuing call"),
    col("user_agent", Text, "userAgent of the issuing call"),
    col("source_file", Text, "file of the issuing event"),
    col("source_record", Int, "its number in that file, from 1"),
];
