//! Counts events and files by account, region and hour.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use crate::model::time;

/// Account, region, start of the hour.
pub type Hour = (String, String, i64);

/// Files and events of an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Files that hold events of the hour.
    pub files: u64,
    /// Events.
    pub events: u64,
}

/// See the module. Partial counts of several workers merge in any order.
#[derive(Debug, Default)]
pub struct Coverage {
    hours: HashMap<Hour, (u64, HashSet<usize>)>,
}

impl Coverage {
    /// Counts one event.
    pub fn add(&mut self, account: &str, region: &str, event_time: i64, file: usize) {
        let hour = event_time.div_euclid(time::HOUR) * time::HOUR;
        let key = (account.to_owned(), region.to_owned(), hour);
        let (events, files) = self.hours.entry(key).or_default();
        *events += 1;
        files.insert(file);
    }

    /// Adds the counts of another worker.
    pub fn merge(&mut self, other: Coverage) {
        for (hour, (events, files)) in other.hours {
            let mine = self.hours.entry(hour).or_default();
            mine.0 += events;
            mine.1.extend(files);
        }
    }

    /// The counts, ordered.
    pub fn counts(&self) -> BTreeMap<Hour, Count> {
        self.hours
            .iter()
            .map(|(hour, (events, files))| {
                (hour.clone(), Count { files: files.len() as u64, events: *events })
            })
            .collect()
    }

    /// Accounts that were met.
    pub fn accounts(&self) -> u64 {
        self.hours.keys().map(|(account, ..)| account).collect::<HashSet<_>>().len() as u64
    }
}
