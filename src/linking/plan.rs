//! How time is cut into stretches that are linked one by one: each has at most some tens of thousands
//! of facts, so that memory stays bounded whatever the size of the store, and what one ingest touches
//! can be linked again without the rest.
//!
//! Where time is cut changes no answer, see [`crate::sessions::link()`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::brought::UNIT;
use super::state::{Seconds, Share};

/// The part of the tables that belongs to no time.
pub const UNDATED_PART: &str = "undated";

const BEGIN: &str = "begin";

/// The name of the part that a share of the callers without session is.
pub fn share_name(number: u64, of: u64) -> String {
    format!("callers-{number}-of-{of}")
}

/// The share that a part is, if it is one.
pub fn share_of(part: &str) -> Option<Share> {
    let (number, of) = part.strip_prefix("callers-")?.split_once("-of-")?;
    let share = Share { number: number.parse().ok()?, of: of.parse().ok()? };
    Some(share).filter(|share| share.number < share.of)
}

/// A stretch as the store has it.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// When.
    pub seconds: Seconds,
    /// Files of **linking_state** with its facts; none where nothing is stored yet.
    pub files: Vec<PathBuf>,
}

/// Whether anything of them is stored: whether something was linked before.
pub fn any_stored(stretches: &[Stretch]) -> bool {
    stretches.iter().any(|stretch| !stretch.files.is_empty())
}

/// The name of the part of the tables that a stretch is, by its first second.
pub fn part_name(from: i64) -> String {
    if from == i64::MIN { BEGIN.to_owned() } else { format!("from-{from}") }
}

fn first_second(part: &str) -> Option<i64> {
    match part {
        BEGIN => Some(i64::MIN),
        _ => part.strip_prefix("from-")?.parse().ok(),
    }
}

/// The stretches of a store, in order, without gaps; one without files where there are none.
pub fn stretches(parts: BTreeMap<String, Vec<PathBuf>>) -> Vec<Stretch> {
    let mut starts: BTreeMap<i64, Vec<PathBuf>> =
        parts.into_iter().filter_map(|(part, files)| Some((first_second(&part)?, files))).collect();
    starts.entry(i64::MIN).or_default();
    let ends: Vec<i64> = starts.keys().skip(1).copied().chain([i64::MAX]).collect();
    let both = starts.into_iter().zip(ends);
    both.map(|((from, files), to)| Stretch { seconds: Seconds { from, to }, files }).collect()
}

/// Cuts a stretch so that no piece has more than `most` facts, as far as units of time allow it. `counts`
/// are the facts by number of the unit.
pub fn cut(seconds: Seconds, counts: &BTreeMap<i64, usize>, most: usize) -> Vec<Seconds> {
    let mut pieces = Vec::new();
    let (mut from, mut sum) = (seconds.from, 0_usize);
    for (unit, count) in counts {
        let start = unit.saturating_mul(UNIT);
        if sum > 0 && sum + count > most && start > from && start < seconds.to {
            pieces.push(Seconds { from, to: start });
            (from, sum) = (start, 0);
        }
        sum += count;
    }
    pieces.push(Seconds { from, to: seconds.to });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_cut_between_units_and_no_second_is_lost() {
        let counts = BTreeMap::from([(10, 3), (11, 4), (12, 9), (13, 1)]);
        let whole = Seconds { from: 600, to: 900 };
        let second = |unit: i64| unit * UNIT;
        assert_eq!(cut(whole, &counts, 100), [whole]);
        let pieces = cut(whole, &counts, 7);
        let ends: Vec<_> = pieces.iter().map(|piece| (piece.from, piece.to)).collect();
        assert_eq!(ends, [(600, second(12)), (second(12), second(13)), (second(13), 900)]);
        assert_eq!(cut(whole, &BTreeMap::new(), 7), [whole]);
    }

    #[test]
    fn parts_tell_where_stretches_begin() {
        let file = |name: &str| vec![PathBuf::from(name)];
        let parts = [("undated", "u"), ("from-1200", "b"), ("begin", "a")];
        let parts = parts.map(|(part, name)| (part.to_owned(), file(name)));
        let found = stretches(BTreeMap::from(parts));
        let told: Vec<_> =
            found.iter().map(|s| (part_name(s.seconds.from), s.seconds.to)).collect();
        assert_eq!(told, [("begin".to_owned(), 1200), ("from-1200".to_owned(), i64::MAX)]);
        assert_eq!(found[1].files, file("b"));
        let share = Share { number: 3, of: 8 };
        assert_eq!(share_of(&share_name(3, 8)), Some(share));
        assert!(
            ["undated", "callers-8-of-8", "from-3"].iter().all(|part| share_of(part).is_none())
        );
        assert_eq!(stretches(BTreeMap::new()).len(), 1);
    }
}
