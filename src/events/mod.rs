//! The **events** table: its columns, batches built from decoded events, and the way back from a
//! row to its record.

pub mod batch;
pub mod columns;
pub mod rebuild;

pub use batch::EventsBuilder;
pub use columns::EVENTS;
