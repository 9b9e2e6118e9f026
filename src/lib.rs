//! roletrail: who did what, under which role, and when, from CloudTrail logs alone.

pub mod error;
pub mod model;
pub mod table;
pub mod sources;
pub mod decode;
pub mod events;
pub mod grants;
pub mod sessions;
pub mod store;
