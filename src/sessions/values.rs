//! Small sets of texts that recur: addresses, user agents, regions, services.

use std::sync::Arc;

use hashbrown::HashSet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most values kept of a set that callers can grow at will (addresses, user agents).
pub const MOST_VALUES: usize = 100;

/// Most texts remembered; the memory is a cache, forgetting costs only space.
const MOST_TEXTS: usize = 100_000;

/// Remembers texts, so that millions of sets share them.
#[derive(Debug, Clone, Default)]
pub struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if self.0.len() >= MOST_TEXTS {
            self.0.clear();
        }
        self.0.get_or_insert_with(text, |text| Arc::from(text)).clone()
    }
}

/// The smallest values of a set, in text order; what is dropped does not depend on the order of
/// insertion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SmallestValues(Vec<Arc<str>>);

impl SmallestValues {
    /// Adds one value.
    pub fn add(&mut self, value: &str, texts: &mut Texts) {
        if let Some(place) = self.place_for(value) {
            self.put(place, texts.shared(value));
        }
    }

    /// Adds the values of another set.
    pub fn merge(&mut self, other: &SmallestValues) {
        for value in &other.0 {
            if let Some(place) = self.place_for(value) {
                self.put(place, value.clone());
            }
        }
    }

    /// Shares its texts with other sets.
    pub fn share(&mut self, texts: &mut Texts) {
        self.0.iter_mut().for_each(|value| *value = texts.shared(value));
    }

    /// The values in text order.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Where a value belongs that is not there and is small enough.
    fn place_for(&self, value: &str) -> Option<usize> {
        let place = self.0.binary_search_by(|known| known.as_ref().cmp(value)).err()?;
        (place < MOST_VALUES).then_some(place)
    }

    fn put(&mut self, place: usize, value: Arc<str>) {
        if self.0.is_empty() {
            // Most sets stay at one or two values, and there are millions of them.
            self.0.reserve_exact(1);
        }
        self.0.insert(place, value);
        self.0.truncate(MOST_VALUES);
    }
}

impl Serialize for SmallestValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values: Vec<&str> = self.values().collect();
        values.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SmallestValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::<String>::deserialize(deserializer)?;
        Ok(SmallestValues(values.into_iter().map(Arc::from).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_does_not_depend_on_the_order() {
        let names: Vec<String> = (0..150).map(|n| format!("{n:03}")).collect();
        let mut texts = Texts::default();
        let (mut up, mut down) = (SmallestValues::default(), SmallestValues::default());
        names.iter().for_each(|name| up.add(name, &mut texts));
        names.iter().rev().for_each(|name| down.add(name, &mut texts));
        assert_eq!(up, down);
        assert_eq!(up.values().collect::<Vec<_>>(), names[..MOST_VALUES]);
        let mut halves = SmallestValues::default();
        names[75..].iter().for_each(|name| halves.add(name, &mut texts));
        halves.merge(&up);
        assert_eq!(halves, up);
        let bytes = crate::sessions::packed::pack(&up).unwrap();
        assert_eq!(crate::sessions::packed::unpack::<SmallestValues>(&bytes).unwrap(), up);
    }
}
