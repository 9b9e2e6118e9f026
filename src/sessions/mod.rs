//! Who is behind each session: facts collected from events, linked hop by hop to an origin.
//!
//! Pure computation over [`facts::Facts`]: no files, no SQL, and the result does not depend on the
//! order in which the facts were collected. The parts, in the order in which they run:
//! [`twins`] finds the other half of calls that two accounts recorded, [`candidates`] the issuing
//! events that could have started each credential, [`origin`] walks from credential to credential
//! up to an origin, [`mod@link`] puts the tables together, [`rows`] makes them Arrow batches.

pub mod candidates;
pub mod columns;
pub mod facts;
pub mod link;
pub mod origin;
pub mod rows;
pub mod twins;

pub use facts::Facts;
pub use link::{Linked, link};
