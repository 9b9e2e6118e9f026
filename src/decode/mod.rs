//! Bytes in; typed events, or rejects that say where and why, out.
//!
//! The only room that sees raw JSON of logs. Each record is sliced out of the stream by itself, so
//! that one bad record costs one record, and session tokens are dropped here, before anything is
//! kept. Knows nothing of files or SQL, and of Arrow only what Parquet needs.

pub mod account;
pub mod actor;
mod document;
mod element;
pub mod event;
pub mod identity;
pub mod json;
pub mod parquet;
pub mod raw;
pub mod redact;
pub mod reject;
mod rest;
mod resume;
mod scan;
pub mod stream;
mod table;
mod table_columns;
mod unique;
mod usual;
mod window;

pub use actor::Actor;
pub use event::{Decoder, Event, Resource};
pub use identity::{Identity, IdentityColumns};
pub use stream::{Item, Limits, Place, RecordStream, Reject};
