//! roletrail: who did what, under which role, and when, from CloudTrail logs alone.
//!
//! The folders are the flow of the data:
//!
//! ```text
//! sources ─> decode ─> events ┐
//!  (files)   (JSON)    (rows) ├─> intake ──────────────> store ─> sql ─> answers ─> output ─> cli
//!                      grants ┘   (all cores,            (Delta   (views, (who, chain, (formats)
//!                      (who was    no duplicates,         tables)  saved   timeline)
//!                       handed     books)  │                       queries)
//!                       what)              └─> sessions ─┘
//!                                              (links, chains, origins)
//! ```
//!
//! [`pipeline`] is the one place that knows the order of the stages. Rules that keep the rooms apart:
//!
//! - nothing looks to its right in the picture, except that [`pipeline`] sees all rooms up to the store;
//! - [`sessions`] and [`grants`] compute: they know neither files nor SQL;
//! - raw JSON of logs is seen by [`decode`] and, for requests and responses, by [`grants`] alone; by
//!   [`redact`] before, where that is asked for;
//! - Delta Lake is named in [`store`] alone, DataFusion in [`store`], [`sql`] and [`output`];
//! - the library never prints, and never reads the environment or the clock while it computes; only
//!   [`cli`] talks to the terminal;
//! - session tokens are dropped in [`decode`], hostile text is neutralised in [`output`].

#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod error;
pub mod model;
pub mod panics;
pub mod redact;
pub mod table;

pub mod answers;
pub mod cli;
pub mod decode;
pub mod events;
pub mod grants;
pub mod intake;
pub mod ledger;
pub mod linking;
pub mod output;
pub mod pipeline;
pub mod sessions;
pub mod sources;
pub mod sql;
pub mod store;

pub mod generate;
