//! Counts events and files by account, region and hour.

use std::collections::BTreeMap;

use hashbrown::HashMap;

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

/// See the module.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Accounts and regions are few and come again and again: by account, then region, the number that
    /// stands for the two.
    places: HashMap<String, HashMap<String, usize>>,
    number_of_places: usize,
    /// By number of the place and start of the hour.
    hours: HashMap<(usize, i64), InHour>,
}

#[derive(Debug, Default)]
struct InHour {
    events: u64,
    /// In order.
    files: Vec<usize>,
}

impl Coverage {
    /// Counts one event.
    pub fn add(&mut self, account: &str, region: &str, event_time: i64, file: usize) {
        let hour = event_time.div_euclid(time::HOUR).saturating_mul(time::HOUR);
        let known = self.places.get(account).and_then(|regions| regions.get(region)).copied();
        let place = known.unwrap_or_else(|| self.new_place(account, region));
        let InHour { events, files } = self.hours.entry((place, hour)).or_default();
        *events += 1;
        if files.last() != Some(&file)
            && let Err(gap) = files.binary_search(&file)
        {
            files.insert(gap, file);
        }
    }

    fn new_place(&mut self, account: &str, region: &str) -> usize {
        let number = self.number_of_places;
        self.number_of_places += 1;
        self.places.entry_ref(account).or_default().insert(region.to_owned(), number);
        number
    }

    /// The counts, ordered.
    pub fn counts(&self) -> BTreeMap<Hour, Count> {
        let regions = self.places.iter().flat_map(|(account, regions)| {
            regions.iter().map(move |(region, number)| (*number, (account, region)))
        });
        let places: HashMap<usize, _> = regions.collect();
        let hours = self.hours.iter().filter_map(|((place, hour), InHour { events, files })| {
            let (account, region) = places.get(place)?;
            let count = Count { files: files.len() as u64, events: *events };
            Some((((*account).clone(), (*region).clone(), *hour), count))
        });
        hours.collect()
    }

    /// Accounts that were met.
    pub fn accounts(&self) -> u64 {
        self.places.len() as u64
    }
}
