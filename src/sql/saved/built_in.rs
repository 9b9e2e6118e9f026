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
    "attribution-coverage",
    "cross-account-role-use",
    "denied-role-assumptions",
    "issuing-grant-of-access-key",
    "role-users",
    "session-origin",
    "writes-under-assumed-roles",
}
