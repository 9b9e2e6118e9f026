//! Links what an ingest brings, and what that touches: the store's sessions are linked stretch of time by
//! stretch of time, and only those stretches again in which something can have changed.
//!
//! A stretch is a pure function of the facts in and near it ([`near`]) and of what it asks elsewhere
//! ([`crate::sessions::outside`]): who is behind callers whose sessions began earlier, and what holds for
//! the whole of the logs ([`undated`]). Every stretch keeps its facts and answers ([`state`]) and the
//! questions that it asked. So a stretch is linked again when facts near it are new, or when an answer to
//! one of its questions has changed; nobody obtains credentials with those of a later session, so going
//! forward in time once is enough. Where time is cut ([`plan`]) makes no difference to any answer.

pub mod brought;
mod callers;
mod near;
mod pieces;
mod plan;
mod questions;
mod recent;
mod spill;
pub mod state;
mod stretch;
pub mod undated;
mod values;
mod without_date;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use hashbrown::HashMap;

pub use brought::Brought;

use crate::error::Result;
use crate::sessions::link::Scope;
use crate::sessions::outside::Outside;
use crate::sessions::{Facts, link, rows};
use crate::store::columns::{LINKING_QUESTIONS, LINKING_STATE};
use crate::store::{DataFile, EncodedPart, Transaction};
use crate::table::TableDef;
use near::Sources;
use plan::Stretch;
use questions::Asked;
use state::Seconds;
use stretch::Run;

/// Parts of tables that are to be replaced.
#[derive(Debug, Default)]
pub struct Parts {
    /// Their names; tables have the same parts.
    names: BTreeSet<String>,
    /// New files, by table.
    files: BTreeMap<&'static str, Vec<DataFile>>,
    /// What is to come into the next files, by table.
    waiting: BTreeMap<&'static str, Vec<EncodedPart>>,
    /// How many parts that is.
    count: usize,
    /// When the last of them ends; `None` for parts that belong to no time.
    ends: Option<i64>,
}

/// Parts that share a file, at the most: a file is opened in the same time whether it has one or several,
/// but the others are copied when one of them is replaced.
const TOGETHER: usize = 8;

/// Rows of the tables of a part.
pub type TableParts = Vec<(&'static TableDef, EncodedPart)>;

impl Parts {
    fn add(&mut self, def: &TableDef, file: DataFile) {
        if let Some(name) = table_name(def) {
            self.files.entry(name).or_default().push(file);
        }
    }

    /// Adds the tables of a part: into the files of the part before, where it follows that in time.
    ///
    /// # Errors
    /// The store's.
    fn add_tables(
        &mut self,
        tx: &Transaction,
        when: Option<Seconds>,
        tables: TableParts,
    ) -> Result<()> {
        if self.count >= TOGETHER || self.ends != when.map(|seconds| seconds.from) {
            self.write(tx)?;
        }
        self.count += 1;
        self.ends = when.map(|seconds| seconds.to);
        for (def, encoded) in tables {
            self.waiting.entry(def.name).or_default().push(encoded);
        }
        Ok(())
    }

    /// Writes what waits.
    fn write(&mut self, tx: &Transaction) -> Result<()> {
        for (def, _) in rows::TABLES {
            if let Some(encoded) = self.waiting.remove(def.name) {
                self.add(def, tx.write_parts(def, &encoded)?);
            }
        }
        self.count = 0;
        Ok(())
    }

    /// Adds others, which share no file with these.
    ///
    /// # Errors
    /// The store's.
    fn merge(&mut self, tx: &Transaction, mut others: Parts) -> Result<()> {
        others.write(tx)?;
        self.names.extend(others.names);
        for (table, files) in others.files {
            self.files.entry(table).or_default().extend(files);
        }
        Ok(())
    }

    /// Makes them part of the transaction.
    ///
    /// # Errors
    /// The store's.
    pub fn replace(mut self, tx: &mut Transaction) -> Result<()> {
        self.write(tx)?;
        for def in tables() {
            let files = self.files.remove(def.name).unwrap_or_default();
            tx.replace_parts(def, self.names.clone(), files)?;
        }
        Ok(())
    }
}

/// All tables that linking makes.
fn tables() -> impl Iterator<Item = &'static TableDef> {
    rows::TABLES.iter().map(|(def, _)| *def).chain([&LINKING_STATE, &LINKING_QUESTIONS])
}

fn table_name(def: &TableDef) -> Option<&'static str> {
    tables().map(|known| known.name).find(|name| *name == def.name)
}

/// Links what was brought and what it touches; writes all rows that may have changed. No stretch of time
/// has more than about `most` facts; with one of `threads` nothing is done at once.
///
/// # Errors
/// The store's.
pub fn link_and_write(
    tx: &Transaction,
    brought: Brought,
    most: usize,
    threads: usize,
) -> Result<Parts> {
    let mut held = brought.into_held();
    let stretches = plan::stretches(tx.parts(&LINKING_STATE)?);
    let stored = plan::any_stored(&stretches);
    let asked = Asked::of_store(tx)?;
    let mut parts = Parts::default();
    let (told, callers) =
        undated::link_and_write(tx, (most, threads), &held, (&stretches, &asked), &mut parts)?;
    let undated::Told { answers: undated, facts, mut changed, moved } = told;
    changed.extend(held.raised.iter().map(|number| (*number, i64::MIN)));
    held.forget_keys();
    let (stretches, undated_facts) = (&stretches, &facts);
    let sources =
        Sources { tx, stretches, held: &held, undated: undated_facts, callers: &callers, threads };
    let mut run = Run::new(sources, &asked, undated, most, changed);
    // Stretches that are linked anyway wait for each other no longer than they must.
    let mut together: Vec<&Stretch> = Vec::new();
    for stretch in stretches {
        let moved = moved.iter().any(|second| stretch.seconds.holds(*second));
        if !stored || moved || held.touches(stretch.seconds) {
            together.push(stretch);
            continue;
        }
        run = run.link(&std::mem::take(&mut together), &mut parts)?;
        if run.asks_what_changed(stretch)? {
            together.push(stretch);
        }
    }
    run.link(&together, &mut parts)?;
    Ok(parts)
}

/// Does two things, at once where there are threads for it.
fn both<A: Send, B>(
    threads: usize,
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B,
) -> (A, B) {
    if threads < 2 {
        return (first(), second());
    }
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        (first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), second)
    })
}

/// Links everything at once, without a store: the tables, as batches.
///
/// # Errors
/// Arrow's: a defect of ours.
pub fn link_in_memory(facts: &Facts) -> Result<Vec<(&'static TableDef, Vec<RecordBatch>)>> {
    undated::with_linked(facts, |without_date, undated| {
        let earlier = HashMap::new();
        let outside = Outside { names: &facts.names, undated: &undated, earlier: &earlier };
        let dated = link(facts, Scope::ALL, outside);
        let mut tables = Vec::new();
        for (def, build) in rows::TABLES {
            let batches = build(without_date).batches.chain(build(&dated).batches);
            tables.push((def, batches.collect::<Result<_>>()?));
        }
        Ok(tables)
    })
}
