//! The files of `queries/`.

/// Groups in the order of lists; others come after them.
pub(super) const GROUPS: &[&str] = &[
    "Who it was",
    "Ways in",
    "Roles and accounts",
    "Stolen credentials",
    "What outlives a credential",
    "Changes",
    "Logs",
];

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        /// Name and text of every file.
        pub(super) const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../queries/", $name, ".sql")))),+];
    };
}

files! {
    "access-key-history",
    "api-key-to-console",
    "assume-root-use",
    "attribution-coverage",
    "borrowed-session-names",
    "break-glass-use",
    "chain-activity",
    "changes-around-event",
    "console-session-parents",
    "credential-from-several-addresses",
    "credentials-outliving-a-key",
    "cross-account-role-use",
    "delegated-access",
    "denied-role-assumptions",
    "first-role-by-role",
    "identity-center-users",
    "instance-credentials-elsewhere",
    "instance-credentials-foreign-endpoint",
    "instance-profile-activity",
    "instance-role-console-sign-in",
    "issuing-grant-of-access-key",
    "live-descendants",
    "logging-gaps",
    "minted-credentials",
    "oidc-workflows",
    "pod-identities",
    "role-enumeration",
    "role-juggling",
    "role-user-agents",
    "role-users",
    "service-role-used-by-user",
    "session-origin",
    "trust-changes",
    "unknown-external-accounts",
    "writes-under-assumed-roles",
}
