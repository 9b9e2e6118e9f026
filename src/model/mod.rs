//! Small checked values that every room speaks: instants, ARNs, stable ids, strengths.
//!
//! Knows nothing of JSON, Arrow, files or SQL.

pub mod arn;
pub mod ids;
pub mod short_ids;
pub mod strength;
pub mod time;
