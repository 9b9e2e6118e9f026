//! The columns of **sessions**, **credentials**, **links** and **attributions**.

use crate::table::Kind::{Bool, Int, Json, Text, TextList, Time};
use crate::table::{Column, TableDef, col};

/// One row a session.
pub const SESSIONS: TableDef = TableDef {
    name: "sessions",
    doc: "One row a session: one principal with one creation date. IAM users and root have one more row, without creation date, for what they did with long-term credentials.",
    columns: SESSION_COLUMNS,
    partition_by: None,
    lookup: &["session_id", "parent_session_id", "principal_id"],
    sort_by: &["started_at", "session_id"],
};

#[rustfmt::skip]
const SESSION_COLUMNS: &[Column] = &[
    col("session_id", Text, "stable id made from partition, account, principal id and creation date"),
    col("identity_type", Text, "userIdentity.type of its calls"),
    col("principal_id", Text, "userIdentity.principalId; for a role AROA…:session name"),
    col("principal_arn", Text, "userIdentity.arn; for a role without the role's path"),
    col("account_id", Text, "account the session acts in"),
    col("role_arn", Text, "role, with path (sessionIssuer.arn)"),
    col("role_name", Text, "role name, without path"),
    col("role_kind", Text, "service-linked, service, sso or ordinary"),
    col("session_name", Text, "role session name; chosen by the caller, never proof of identity"),
    col("started_at", Time, "creationDate; null for long-term credentials"),
    col("expires_at", Time, "expiry, where the issuing event is in the logs"),
    col("first_event_at", Time, "first logged call"),
    col("last_event_at", Time, "last logged call"),
    col("event_count", Int, "logged calls"),
    col("write_count", Int, "calls with readOnly = false"),
    col("error_count", Int, "calls that failed"),
    col("access_key_ids", TextList, "access keys used or issued"),
    col("source_ip_addresses", TextList, "addresses it called from; the first 100 in text order"),
    col("user_agents", TextList, "user agents it called with; the first 100 in text order"),
    col("aws_regions", TextList, "regions it called"),
    col("event_sources", TextList, "services it called"),
    col("mfa_authenticated", Bool, "whether any call shows MFA"),
    col("source_identity", Text, "sourceIdentity"),
    col("from_console", Bool, "true when proven to come from the console; null when not known"),
    col("parent_session_id", Text, "session that obtained this one; null at the origin or when not known"),
    col("origin_type", Text, "identity type that starts the chain: IAMUser, Root, SAMLUser, WebIdentityUser, IdentityCenterUser, AWSService, AWSAccount, FederatedUser, Unknown, …"),
    col("origin", Text, "who is behind it: ARN, user name, token subject, service principal; null when unknown"),
    col("origin_account_id", Text, "account of the origin, where it has one"),
    col("origin_detail", Text, "what helps to find the origin: provider, instance, function, unresolved principal"),
    col("depth", Int, "assumed roles between the origin and this session; null when the origin is unknown"),
    col("chain", TextList, "labels from the origin to this session"),
    col("link_rule", Text, "rule that found the parent: access_key, creation_time, shared_event, console_login, identity_center, …"),
    col("link_strength", Text, "exact, ambiguous, inferred or none: of the hop to the parent"),
    col("chain_strength", Text, "the weakest strength between here and the origin"),
    col("candidates", Int, "issuing events that could have started it"),
    col("unresolved_reason", Text, "why the origin is not known"),
    col("cross_account", Bool, "whether the caller that obtained it was in another account"),
    col("used", Bool, "whether any logged call used it; a sign-in alone is no use"),
    col("issued_by_kind", Text, "the call that issued it: AssumeRole, ConsoleLogin, …; null when not known or when the candidates differ"),
    col("grant_event_id", Text, "the issuing event, where there is one candidate; joins grants"),
    col("duration_asked_seconds", Int, "lifetime asked for (durationSeconds); null when the caller left it to AWS"),
    col("duration_seconds", Int, "lifetime given: from the issuing event to the expiry"),
    col("mfa_serial", Text, "MFA device presented when it was issued (serialNumber)"),
    col("external_id", Text, "externalId presented when it was issued"),
    col("session_policy", Json, "policies passed that narrow it"),
    col("session_tags", Json, "session tags in force, as one object: those passed and those inherited along the chain"),
    col("transitive_tags", Json, "those among them that sessions it starts inherit"),
    col("source_identity_session_id", Text, "first session of the chain that carries this sourceIdentity"),
    col("contradictions", TextList, "what its records say that cannot all be true: source_identity_changed, transitive_tags_differ, chained_over_one_hour (a role session took it for more than 3600 s), calls_after_expiry and calls_before_creation (by more than 60 s), started_before_parent, mfa_differs (GetSessionToken with a device, calls without), account_differs (ARN and account do not agree), named_after_somebody_else (another known user's name, or an instance id without EC2), instance_name_unproven (the same, origin unknown); empty when nothing"),
];

/// One row a credential of a session, or a caller without session.
pub const CREDENTIALS: TableDef = TableDef {
    name: "credentials",
    doc: "One row a credential: one access key inside a session, or a caller that has no session (a service, a SAML user). Parents hang on credentials; activity takes each event's origin from here.",
    columns: CREDENTIAL_COLUMNS,
    partition_by: None,
    lookup: &["credential_id", "session_id", "access_key_id"],
    sort_by: &["credential_id"],
};

#[rustfmt::skip]
const CREDENTIAL_COLUMNS: &[Column] = &[
    col("credential_id", Text, "stable id made from the session and the access key"),
    col("session_id", Text, "joins sessions; null for a caller without session"),
    col("access_key_id", Text, "access key; null when the calls show none"),
    col("identity_type", Text, "userIdentity.type"),
    col("principal_id", Text, "userIdentity.principalId"),
    col("principal_arn", Text, "userIdentity.arn"),
    col("account_id", Text, "userIdentity.accountId"),
    col("role_arn", Text, "role, with path"),
    col("role_name", Text, "role name"),
    col("session_name", Text, "role session name"),
    col("ec2_role_delivery", Text, "metadata service version that handed out this key: 1.0 or 2.0"),
    col("first_event_at", Time, "first logged call"),
    col("last_event_at", Time, "last logged call"),
    col("event_count", Int, "logged calls"),
    col("forwarded_count", Int, "calls among them that a service made on behalf of the caller"),
    col("parent_credential_id", Text, "credential that obtained this one"),
    col("grant_event_id", Text, "issuing event"),
    col("origin_type", Text, "as in sessions"),
    col("origin", Text, "as in sessions"),
    col("origin_account_id", Text, "as in sessions"),
    col("origin_detail", Text, "as in sessions"),
    col("depth", Int, "as in sessions"),
    col("chain", TextList, "as in sessions"),
    col("link_rule", Text, "as in sessions"),
    col("link_strength", Text, "as in sessions"),
    col("chain_strength", Text, "as in sessions"),
    col("candidates", Int, "as in sessions"),
    col("unresolved_reason", Text, "as in sessions"),
];

/// One row a hop.
pub const LINKS: TableDef = TableDef {
    name: "links",
    doc: "One row a hop from a session's credential to the credential that obtained it; every candidate has its row (the first 1000 of a credential, and the first 100 refused ones; the column candidates tells how many there are).",
    columns: LINK_COLUMNS,
    partition_by: None,
    lookup: &["child_session_id", "parent_session_id", "grant_event_id"],
    sort_by: &["child_session_id", "child_access_key_id", "grant_event_id"],
};

#[rustfmt::skip]
const LINK_COLUMNS: &[Column] = &[
    col("child_session_id", Text, "session that was started"),
    col("child_access_key_id", Text, "its access key; null when its calls show none"),
    col("parent_session_id", Text, "session that obtained it; null when the parent is no session (a service, an outside identity)"),
    col("parent_access_key_id", Text, "access key used to obtain it"),
    col("rule", Text, "what joins the two"),
    col("strength", Text, "exact, ambiguous, inferred; none for a candidate that was refused"),
    col("grant_event_id", Text, "the issuing event, the caller's copy"),
    col("twin_event_id", Text, "the role owner's copy"),
    col("candidates", Int, "rivals, this one included"),
    col("source_file", Text, "file of the issuing event"),
    col("source_record", Int, "its number in that file, from 1"),
];

/// One row an event whose caller only another record can name.
pub const ATTRIBUTIONS: TableDef = TableDef {
    name: "attributions",
    doc: "One row an event whose own record does not name the credential behind it, but another record does: the role owner's half of a cross-account call.",
    columns: ATTRIBUTION_COLUMNS,
    partition_by: None,
    lookup: &["event_id", "credential_id"],
    sort_by: &["event_id", "record_hash"],
};

#[rustfmt::skip]
const ATTRIBUTION_COLUMNS: &[Column] = &[
    col("event_id", Text, "the event"),
    col("record_hash", Int, "its content, as in events: one event id can stand over two records"),
    col("event_time", Time, "when it happened"),
    col("credential_id", Text, "the credential that made the call; joins credentials"),
    col("rule", Text, "what joins the two records"),
    col("strength", Text, "exact or inferred"),
    col("proof_event_id", Text, "the other record"),
];
