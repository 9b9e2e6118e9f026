//! All tests of the whole program, as one test program: each of its own would carry all of DataFusion
//! again (0.4 GB, and as long to link), and the tests of one file would wait for those of another.
//!
//! `cargo test --test all grants::` runs those of one file.

mod activity;
mod any_bytes;
mod archives;
mod attribution;
mod benches;
mod cli;
mod containers;
mod coverage;
mod damaged;
mod disk_full;
mod doubtful;
mod event;
mod export;
mod grants;
mod hops;
mod hostile;
mod house;
mod ingest_again;
mod intake;
mod interop;
mod killed;
mod not_theirs;
mod notebook;
mod odd_records;
mod oracle;
mod parquet;
mod readme;
mod redact;
mod refuted;
mod report;
mod rivals;
mod s3;
mod s3_store;
mod schedule;
mod shell;
mod sql;
mod support;
mod unknown;
mod upkeep;
