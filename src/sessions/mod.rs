//! Who is behind each session: facts collected from events, linked hop by hop to an origin.
//!
//! Pure computation over [`facts::Facts`]: no files, no SQL, and the result does not depend on the
//! order in which the facts were collected. The parts, in the order in which they run:
//! `corrections` merges late records into the calls that they put right, [`twins`] finds the other half
//! of calls that two accounts recorded, [`candidates`] the issuing events that could have started
//! each credential (`contest` refuses those that fit too many), [`mod@solve`] walks from credential to
//! credential up to an [`origin`] (with names learned in [`names`]; `seen_from_outside` finds callers whom
//! only another account's record shows), [`properties`] tells what is carried along, [`mod@link`] puts the
//! tables together, and [`rows`] makes them Arrow batches.
//!
//! What is linked at once is a [`scope`]: a stretch of time, or the callers that belong to none. What a
//! stretch takes from elsewhere comes through [`outside`].

mod agreement;
mod by_record;
pub mod candidates;
pub mod columns;
mod contest;
pub mod corrections;
mod credential_facts;
pub mod facts;
mod forwarded;
pub mod held;
mod issued;
pub mod link;
pub mod names;
pub mod origin;
pub mod outside;
pub mod packed;
mod plausible;
mod propagation;
pub mod properties;
mod roots;
pub mod rows;
pub mod scope;
mod seen_from_outside;
pub mod solve;
pub mod twins;
pub mod values;
mod workload;

pub use facts::Facts;
pub use forwarded::long_term as long_term_session;
pub use link::{Linked, SHARED_EVENT, link};
