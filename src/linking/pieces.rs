//! The pieces of stretches that follow each other, one after the other: while one is linked, the facts of the
//! next are read and the tables of the one before are written.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::ScopedJoinHandle;

use hashbrown::HashMap;

use super::near::{Sources, principals_elsewhere};
use super::plan::{Stretch, part_name};
use super::questions;
use super::recent::Told;
use super::state::{Rows, Seconds};
use super::stretch::{Run, old_answers};
use super::{Parts, TableParts, both};
use crate::error::{Error, Result};
use crate::sessions::Linked;
use crate::sessions::outside::Answer;
use crate::sessions::rows::{self, TableRows};
use crate::store::columns::{LINKING_QUESTIONS, LINKING_STATE};
use crate::store::{DataFile, Place, Transaction};
use crate::table::TableDef;

/// Where the answers of a piece were written to, once they are.
pub type WrittenTo = Arc<OnceLock<PathBuf>>;

/// Pieces that are under way at once, however many threads there may be: each holds some tens of thousands
/// of facts.
const AT_ONCE: usize = 2;

/// A piece of a stretch.
#[derive(Clone, Copy)]
pub struct Piece<'s> {
    /// When.
    pub seconds: Seconds,
    /// The stretch that begins with it, if one does.
    pub begins: Option<&'s Stretch>,
    /// Whether its stretch ends with it.
    pub ends: bool,
}

/// What goes from piece to piece, in order of time: who has it may link.
struct Turn<'r> {
    /// The linking so far.
    run: Run<'r>,
    /// What was said of the stretch when it was last linked, less what was said again.
    old: HashMap<String, Answer>,
}

/// What is written of a piece.
struct Written {
    part: String,
    seconds: Seconds,
    tables: TableParts,
    /// Files of what linking must remember.
    files: Vec<(&'static TableDef, DataFile)>,
}

/// Links and writes the pieces, in order of time.
///
/// # Errors
/// The store's.
pub fn in_turn<'r>(
    run: Run<'r>,
    sources: Sources<'r>,
    pieces: &[Piece],
    parts: &mut Parts,
) -> Result<Run<'r>> {
    std::thread::scope(|scope| {
        let (first, mut turn) = channel();
        _ = first.send(Turn { run, old: HashMap::new() });
        let mut under_way = VecDeque::new();
        let mut finish = |thread: ScopedJoinHandle<Result<Written>>| -> Result<()> {
            let piece = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            piece.files.into_iter().for_each(|(def, file)| parts.add(def, file));
            parts.names.insert(piece.part);
            parts.add_tables(sources.tx, Some(piece.seconds), piece.tables)
        };
        for piece in pieces {
            let (pass, next) = channel();
            let mine = std::mem::replace(&mut turn, next);
            under_way.push_back(scope.spawn(move || one(sources, *piece, &mine, &pass)));
            if under_way.len() >= sources.threads.min(AT_ONCE) {
                under_way.pop_front().map(&mut finish).transpose()?;
            }
        }
        under_way.into_iter().try_for_each(finish)?;
        let lost = |_| Error::Encoding("a piece of time was lost".to_owned());
        turn.recv().map(|turn| turn.run).map_err(lost)
    })
}

/// One piece: reads, waits for its turn, links, passes the turn on, writes.
fn one<'r>(
    sources: Sources<'r>,
    Piece { seconds: piece, begins, ends }: Piece,
    turn: &Receiver<Turn<'r>>,
    pass: &Sender<Turn<'r>>,
) -> Result<Written> {
    let (tx, part) = (sources.tx, part_name(piece.from));
    let facts = sources.near(piece)?;
    let principals = principals_elsewhere(&facts);
    let old = begins.map(|stretch| old_answers(tx, stretch)).transpose()?;
    // Where an earlier piece has failed there is no turn, and its error ends the whole.
    let Ok(mut turn) = turn.recv() else {
        return Ok(Written { part, seconds: piece, tables: Vec::new(), files: Vec::new() });
    };
    turn.old.extend(old.into_iter().flatten());
    let (linked, told, written_to) = turn.run.link_piece(piece, &facts, &principals)?;
    for Told { id, answer, .. } in &told {
        turn.run.note_change(id, turn.old.remove(id).as_ref(), answer);
    }
    if ends {
        turn.run.note_gone(turn.old.drain());
    }
    _ = pass.send(turn);
    let asked = questions::asked(&linked, &principals);
    let write_state = || {
        let mut rows = Rows::dated(&facts, piece);
        told.iter().for_each(|told| rows.add_answer(told));
        rows.write(tx, Place::Part(&part))
    };
    let threads = sources.threads;
    let (state, tables) = both(threads, write_state, || encode_tables(tx, threads, &linked, &part));
    let (tables, state) = (tables?, state?);
    _ = written_to.set(tx.path_of(&LINKING_STATE, &state)?);
    let asked = questions::write(tx, &part, asked.into_iter().map(|number| (number, None)))?;
    let files = vec![(&LINKING_STATE, state), (&LINKING_QUESTIONS, asked)];
    Ok(Written { part, seconds: piece, tables, files })
}

/// Two threads share the tables: they are few, and of very different sizes.
pub fn encode_tables(
    tx: &Transaction,
    threads: usize,
    linked: &Linked,
    part: &str,
) -> Result<TableParts> {
    let next = AtomicUsize::new(0);
    let some_tables = || -> Result<TableParts> {
        let mut encoded = TableParts::new();
        while let Some((def, build)) = rows::TABLES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let TableRows { rows, batches } = build(linked);
            if rows > 0 {
                encoded.push((*def, tx.encode_part(def, part, rows, batches)?));
            }
        }
        Ok(encoded)
    };
    let (others, mine) = both(threads, some_tables, some_tables);
    let mut encoded = mine?;
    encoded.extend(others?);
    Ok(encoded)
}
