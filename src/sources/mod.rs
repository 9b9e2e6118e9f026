//! Finds log files and turns each into a stream of uncompressed bytes.
//!
//! Knows paths, delivery layouts, compression and archives; knows nothing of JSON or records.

pub mod ahead;
pub mod archive;
pub mod discover;
mod inflate;
pub mod layout;
pub mod open;
pub mod s3;
pub mod select;

pub use ahead::Ahead;
pub use archive::Member;
pub use discover::{Found, LeftOut, LogFile, Options, discover};
pub use open::{OpenedFile, Stored, Version, open};
pub use select::Selection;
