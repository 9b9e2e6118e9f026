//! The stage on which actors play: it collects records and decides what gets lost.

use std::collections::HashSet;

use super::calls;
use super::clock::Seconds;
use super::desk::{Desk, HOME};
use super::dice::Dice;
use super::identity::Caller;
use super::ids::Ids;
use super::record::{Call, Line, Record};
use super::truth::Behind;

/// Which records of an issuing call never reach the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of them arrive.
    Nothing,
    /// The caller's copy is missing; of a call inside one account, that is all there is.
    CallerHalf,
    /// The role owner's copy is missing.
    OwnerHalf,
    /// Every copy is missing.
    Everything,
}

impl Loss {
    /// Whether the copy that names the caller is gone.
    pub fn takes_caller_half(self) -> bool {
        matches!(self, Loss::CallerHalf | Loss::Everything)
    }

    /// Whether the role owner's copy is gone.
    pub fn takes_owner_half(self) -> bool {
        matches!(self, Loss::OwnerHalf | Loss::Everything)
    }
}

/// One stretch of invented history.
pub struct Stage {
    /// Chance.
    pub dice: Dice,
    /// Identifiers.
    pub ids: Ids,
    /// When the present scene begins.
    pub now: Seconds,
    /// Records so far.
    pub records: Vec<Record>,
    losses: Option<u64>,
    taken: HashSet<(String, Seconds)>,
}

/// Sessions that share a name start in a second that belongs to their block, so that no two of
/// different blocks are confused by accident.
const TURNS: i64 = 64;

impl Stage {
    /// An empty stage; `losses` lets records disappear.
    pub fn new(seed: u64, block: u64, losses: bool) -> Stage {
        Stage {
            dice: Dice::new(seed, block),
            ids: Ids::new(seed, block),
            now: 0,
            records: Vec::new(),
            losses: losses.then_some(seed),
            taken: HashSet::new(),
        }
    }

    /// Draws what gets lost of one issuing call.
    pub fn draw_loss(&mut self) -> Loss {
        if self.losses.is_none() {
            return Loss::Nothing;
        }
        match self.dice.below(100) {
            0..5 => Loss::Everything,
            5..12 => Loss::CallerHalf,
            12..18 => Loss::OwnerHalf,
            _ => Loss::Nothing,
        }
    }

    /// Whether an account's whole folder of a region is lost; never the home region's.
    pub fn folder_lost(&self, account: &str, region: &str) -> bool {
        let Some(seed) = self.losses else { return false };
        if region == HOME {
            return false;
        }
        let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
        for byte in account.bytes().chain(region.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        (hash >> 33).is_multiple_of(9)
    }

    /// Records a call in the log of the caller's own account.
    pub fn tell(&mut self, caller: &Caller, desk: &Desk, at: Seconds, call: Call) {
        let recipient = caller.account().to_string();
        self.tell_in(&recipient, caller, desk, at, call);
    }

    /// Records a call in the log of a named account.
    pub fn tell_in(
        &mut self,
        recipient: &str,
        caller: &Caller,
        desk: &Desk,
        at: Seconds,
        call: Call,
    ) {
        self.tell_as(caller.behind.clone(), recipient, caller, desk, at, call);
    }

    /// Records a call about which something else is true than about the caller as such.
    pub fn tell_as(
        &mut self,
        behind: Behind,
        recipient: &str,
        caller: &Caller,
        desk: &Desk,
        at: Seconds,
        call: Call,
    ) {
        if self.folder_lost(recipient, call.region(desk)) {
            return;
        }
        let line = Line { identity: caller.identity(), desk, at, recipient, behind };
        let record = line.record(call, &mut self.dice);
        self.records.push(record);
    }

    /// One ordinary call drawn from the catalogue.
    pub fn call(&mut self, caller: &Caller, desk: &Desk, at: Seconds) {
        let call = calls::draw(&mut self.dice, caller, desk, at);
        self.tell(caller, desk, at, call);
    }

    /// One ordinary call by name.
    pub fn named(&mut self, caller: &Caller, desk: &Desk, at: Seconds, name: &str) {
        let call = calls::named(name, &mut self.dice, caller, desk, at);
        self.tell(caller, desk, at, call);
    }

    /// Ordinary calls by name, some seconds apart; returns the time after the last.
    pub fn series(
        &mut self,
        caller: &Caller,
        desk: &Desk,
        from: Seconds,
        names: &[&str],
    ) -> Seconds {
        let mut at = from;
        for name in names {
            self.named(caller, desk, at, name);
            at += self.dice.between(3, 20);
        }
        at
    }

    /// Ordinary calls, `least` to `most` of them, spread over `span` seconds.
    pub fn work(
        &mut self,
        caller: &Caller,
        desk: &Desk,
        from: Seconds,
        span: i64,
        counts: (i64, i64),
    ) {
        for _ in 0..self.dice.between(counts.0, counts.1) {
            let at = from + self.dice.between(1, span);
            self.call(caller, desk, at);
        }
    }

    /// The first second from `at` on in which a session of this principal id, made under a shared
    /// name, cannot be confused with another.
    pub fn free_second(&mut self, principal_id: &str, at: Seconds) -> Seconds {
        let mut free = at;
        let turn = (self.ids.block() as i64).rem_euclid(TURNS);
        while free.rem_euclid(TURNS) != turn || self.taken.contains(&(principal_id.into(), free)) {
            free += 1;
        }
        self.taken.insert((principal_id.into(), free));
        free
    }
}
