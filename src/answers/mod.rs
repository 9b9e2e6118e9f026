//! The questions people ask most, answered as typed values: which sessions there are, who did what,
//! where one session comes from and what came of it.
//!
//! Everything is SQL over the public tables, so that whoever doubts an answer can ask again by hand.
//! What users type reaches a statement as a bound value only, never as text. Nothing here formats
//! or prints.

pub mod activity;
pub mod chain;
pub mod coverage;
pub mod event;
mod filter;
pub mod kinship;
mod pattern;
pub mod report;
mod rows;
pub mod session;
pub mod sessions;
pub mod subject;
pub mod timeline;
mod touching;
pub mod typed;
pub mod unmatched;

pub use filter::Window;
pub use rows::Rows;
