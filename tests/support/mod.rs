//! What several test programs share; each uses only a part of it.
#![allow(dead_code)]

pub mod python;
pub mod truth;

use std::path::Path;

use roletrail::intake::{Options, Silent};
use roletrail::pipeline::{self, Loaded};

/// Reads logs into memory.
pub fn load(roots: &[&Path]) -> Loaded {
    let sources: Vec<String> =
        roots.iter().map(|root| root.to_str().unwrap().to_owned()).collect();
    let loaded = pipeline::load(&sources, &Options::default(), 4 << 30, &Silent).unwrap();
    assert!(loaded.books.balance(), "{:?}", loaded.books);
    loaded
}
