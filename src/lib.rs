//! roletrail: who did what, under which role, and when, from CloudTrail logs alone.

pub mod error;
pub mod events;
pub mod grants;
pub mod output;
pub mod sessions;
pub mod store;
pub mod table;
