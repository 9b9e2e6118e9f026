//! Answers of what was just linked, held as bytes: most callers began shortly before the piece of time
//! that asks for them, and a few may be asked for at any later time. Finding few answers in many files
//! would cost more than the linking.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;

use super::pieces::WrittenTo;
use super::state::{Choice, Seconds, Wanted, number_of_principal};
use super::without_date::WithoutDate;
use crate::error::Result;
use crate::sessions::link::{LONGEST, MARGIN};
use crate::sessions::outside::Answer;
use crate::sessions::packed::unpack;

/// Bytes of answers that are held at most, for every fact that is linked at once: those of some pieces.
/// Older ones are read from the files that they were written to.
const BYTES_A_FACT: usize = 1024;

/// See the module.
#[derive(Debug)]
pub struct Recent {
    most_bytes: usize,
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Of those that may be asked for at any time: the second that they belong to, and what is said of
    /// them. Facts of as many are held as well, see [`WithoutDate`].
    lasting: HashMap<String, (i64, Arc<[u8]>)>,
}

/// An answer to be told to those who come later.
#[derive(Debug)]
pub struct Told {
    /// The second that the credential belongs to.
    pub second: i64,
    /// Its id.
    pub id: String,
    /// Whether its session has a creation date.
    pub dated: bool,
    /// Who is behind it.
    pub answer: Answer,
    /// The same as bytes.
    pub packed: Arc<[u8]>,
}

impl Told {
    /// What [`Choice::About`] chooses by.
    pub fn about(&self) -> i64 {
        number_of_principal(self.answer.principal())
    }
}

#[derive(Debug)]
struct Piece {
    seconds: Seconds,
    written_to: WrittenTo,
    answers: HashMap<String, Held>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    second: i64,
    about: i64,
    packed: Arc<[u8]>,
}

impl Recent {
    /// Nothing, and no more than fits to pieces of so many facts.
    pub fn new(most_facts: usize) -> Recent {
        let most_bytes = most_facts.saturating_mul(BYTES_A_FACT);
        Recent { most_bytes, pieces: VecDeque::new(), bytes: 0, lasting: HashMap::new() }
    }

    /// Holds the answers of a piece that follows the last one: for ever those of sessions without
    /// creation date and of whoever made what has none; the others at least until they are written, and
    /// while they are likely to be asked for.
    pub fn add(
        &mut self,
        seconds: Seconds,
        told: &[Told],
        written_to: WrittenTo,
        undated: &WithoutDate,
    ) {
        let answers = HashMap::with_capacity(told.len());
        let mut piece = Piece { seconds, written_to, answers, bytes: 0 };
        for told in told {
            let Told { second, id, dated, packed, .. } = told;
            if !dated || undated.has_obtainer(id) {
                self.lasting.insert(id.clone(), (*second, packed.clone()));
            }
            piece.bytes += packed.len() + id.len() + size_of::<(String, Held)>();
            let held = Held { second: *second, about: told.about(), packed: packed.clone() };
            piece.answers.insert(id.clone(), held);
        }
        self.bytes += piece.bytes;
        self.pieces.push_back(piece);
        let since = seconds.from.saturating_sub(LONGEST + MARGIN);
        while let Some(oldest) = self.pieces.front() {
            let wanted = oldest.seconds.to > since && self.bytes <= self.most_bytes;
            if wanted || oldest.written_to.get().is_none() {
                break;
            }
            self.bytes -= oldest.bytes;
            self.pieces.pop_front();
        }
    }

    /// Whether the answers of a piece are held.
    pub fn holds(&self, piece: Seconds) -> bool {
        self.pieces.iter().any(|held| held.seconds == piece)
    }

    /// Adds the wanted answers of a piece that is held; as reading its file would.
    ///
    /// # Errors
    /// The decoder's: a defect of ours.
    pub fn read(
        &self,
        piece: Seconds,
        wanted: Wanted,
        found: &mut HashMap<String, Answer>,
    ) -> Result<()> {
        let Some(piece) = self.pieces.iter().find(|held| held.seconds == piece) else {
            return Ok(());
        };
        let mut add = |id: &str, held: &Held| -> Result<()> {
            if wanted.holds_answer(held.second, id, held.about) {
                found.insert(id.to_owned(), unpack(&held.packed)?);
            }
            Ok(())
        };
        match wanted.answers {
            Choice::Of(ids) => ids
                .iter()
                .filter_map(|id| piece.answers.get_key_value(*id))
                .try_for_each(|(id, held)| add(id, held)),
            _ => piece.answers.iter().try_for_each(|(id, held)| add(id, held)),
        }
    }

    /// What was said of a credential that belongs to a second, if it is held for ever.
    ///
    /// # Errors
    /// As [`Recent::read`].
    pub fn lasting(&self, second: i64, id: &str) -> Result<Option<Answer>> {
        let found = self.lasting.get(id).filter(|(then, _)| *then == second);
        found.map(|(_, packed)| unpack(packed)).transpose()
    }
}
