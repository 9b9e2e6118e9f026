//! Finds log files and turns each into a stream of uncompressed bytes.
//!
//! Knows paths, delivery layouts and gzip; knows nothing of JSON or records.

pub mod discover;
pub mod layout;
pub mod open;

pub use discover::{Found, LogFile, discover};
pub use open::{OpenedFile, Stored, Version, open};
