//! Invented CloudTrail logs with the ground truth of every event.
//!
//! Two products: large *worlds* to measure against, and small *stories* to learn from. Both are made
//! of the same parts, and the same seed gives the same bytes:
//!
//! - `clock`, `dice`, `ids`, `json`: times, chance, identifiers, text;
//! - `people`, `identity`, `desk`: who calls, and from where;
//! - `calls`: what they call; `record`: what that leaves in the log;
//! - `stage`: collects records and decides what is lost; `delivery`: turns them into files;
//! - `truth`: who is really behind each of them;
//! - `kinds`: one file for each kind of actor or grant, used by worlds and stories alike.

mod calls;
mod cast;
mod clock;
mod delivery;
mod desk;
mod dice;
mod identity;
mod ids;
mod json;
mod kinds;
mod people;
mod record;
mod stage;
mod stories;
mod truth;
mod world;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use delivery::Tally;
pub use stories::StoryInfo;

use crate::error::Result;

/// What a world is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldOptions {
    /// Distinct events, repeats not counted. The first few hundred show everybody once.
    pub events: u64,
    /// Accounts whose logs are delivered.
    pub accounts: u32,
    /// Days of history.
    pub days: u32,
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// Whether issuing events, halves of pairs and whole region folders go missing.
    pub losses: bool,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Distinct events: lines of `truth.csv` without its header.
    pub events: u64,
    /// Events among them whose origin the logs can prove.
    pub resolvable: u64,
    /// Files, records and bytes.
    pub delivered: Tally,
}

/// Writes a large world to `out/AWSLogs` and `out/truth.csv`.
pub fn world(options: &WorldOptions, out: &Path) -> Result<Summary> {
    world::play(options, out)
}

/// Writes the sample stories, one folder each, and says what they are.
pub fn stories(out: &Path, seed: u64) -> Result<Vec<StoryInfo>> {
    stories::tell(out, seed)
}
