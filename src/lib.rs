//! roletrail: who did what, under which role, and when, from CloudTrail logs alone.

pub mod decode;
pub mod error;
pub mod events;
pub mod generate;
pub mod grants;
pub mod intake;
pub mod ledger;
pub mod linking_state;
pub mod model;
pub mod pipeline;
pub mod sessions;
pub mod sources;
pub mod store;
pub mod table;
