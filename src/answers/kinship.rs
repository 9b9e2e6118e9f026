//! Which session obtained which: all hops of the store as a graph of small numbers, so that
//! ancestors and descendants are found without asking the engine hop by hop.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;

use super::rows::Rows;
use crate::error::Result;
use crate::sql::{Params, Sql};

/// A hop from a session to one that obtained it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hop {
    /// What joins the two.
    pub rule: String,
    /// How strong that is.
    pub strength: String,
    /// Rivals, this one included.
    pub candidates: u64,
}

impl Hop {
    fn rank(&self) -> u8 {
        match self.strength.as_str() {
            "exact" => 3,
            "ambiguous" => 2,
            "inferred" => 1,
            _ => 0,
        }
    }
}

/// All hops between sessions.
#[derive(Debug, Default)]
pub struct Kinship {
    numbers: HashMap<Arc<str>, u32>,
    ids: Vec<Arc<str>>,
    parents: HashMap<u32, Vec<(u32, Hop)>>,
    children: HashMap<u32, Vec<u32>>,
}

impl Kinship {
    /// Reads the hops once. Refused candidates are none, and a password is only a hint.
    ///
    /// # Errors
    /// The engine's.
    pub async fn load(sql: &Sql) -> Result<Kinship> {
        let statement = "
            SELECT DISTINCT child_session_id, parent_session_id, rule, strength, candidates
            FROM links
            WHERE strength <> 'none' AND rule <> 'login_profile' AND child_session_id IS NOT NULL
              AND parent_session_id IS NOT NULL AND parent_session_id <> child_session_id";
        let mut all = Kinship::default();
        let mut stream = sql.stream(statement, Params::none()).await?;
        while let Some(batch) = stream.next().await {
            let rows = Rows::new(&batch?)?;
            for row in 0..rows.len() {
                let text = |name| rows.text(name, row).unwrap_or("");
                let hop = Hop {
                    rule: text("rule").to_owned(),
                    strength: text("strength").to_owned(),
                    candidates: rows.count("candidates", row),
                };
                all.add(text("child_session_id"), text("parent_session_id"), hop);
            }
        }
        Ok(all)
    }

    fn number(&mut self, id: &str) -> u32 {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        let id: Arc<str> = id.into();
        self.ids.push(id.clone());
        self.numbers.insert(id, number);
        number
    }

    /// Adds a hop; of several between the same two the strongest counts.
    pub fn add(&mut self, child: &str, parent: &str, hop: Hop) {
        let (child, parent) = (self.number(child), self.number(parent));
        let parents = self.parents.entry(child).or_default();
        match parents.iter_mut().find(|(known, _)| *known == parent) {
            Some((_, known)) => {
                let better = (hop.rank(), &known.rule) > (known.rank(), &hop.rule);
                if better {
                    *known = hop;
                }
            }
            None => {
                parents.push((parent, hop));
                self.children.entry(parent).or_default().push(child);
            }
        }
    }

    /// The sessions that obtained this one.
    pub fn parents(&self, id: &str) -> impl Iterator<Item = (&str, &Hop)> {
        let parents = self.numbers.get(id).and_then(|n| self.parents.get(n)).into_iter().flatten();
        parents.filter_map(|(parent, hop)| Some((self.ids.get(*parent as usize)?.as_ref(), hop)))
    }

    /// The sessions that this one obtained.
    pub fn children(&self, id: &str) -> impl Iterator<Item = &str> {
        let children =
            self.numbers.get(id).and_then(|n| self.children.get(n)).into_iter().flatten();
        children.filter_map(|child| self.ids.get(*child as usize).map(AsRef::as_ref))
    }

    /// These sessions and everything that they obtained, at most `most`, near ones first. The flag
    /// tells whether some were left out.
    pub fn descendants(&self, start: &[String], most: usize) -> (Vec<String>, bool) {
        self.walk(start, most, |id| self.children(id).map(str::to_owned).collect())
    }

    /// These sessions and everything that they came from; as [`Kinship::descendants`].
    pub fn ancestors(&self, start: &[String], most: usize) -> (Vec<String>, bool) {
        self.walk(start, most, |id| self.parents(id).map(|(id, _)| id.to_owned()).collect())
    }

    fn walk(
        &self,
        start: &[String],
        most: usize,
        next: impl Fn(&str) -> Vec<String>,
    ) -> (Vec<String>, bool) {
        let mut found: Vec<String> = start.to_vec();
        let mut seen: std::collections::HashSet<String> = start.iter().cloned().collect();
        let mut at = 0;
        while at < found.len() {
            for id in next(&found[at]) {
                if !seen.contains(&id) {
                    if found.len() >= most {
                        return (found, true);
                    }
                    seen.insert(id.clone());
                    found.push(id);
                }
            }
            at += 1;
        }
        (found, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(strength: &str) -> Hop {
        Hop { rule: "access_key".to_owned(), strength: strength.to_owned(), candidates: 1 }
    }

    #[test]
    fn circles_and_long_chains_end() {
        let mut all = Kinship::default();
        for i in 0..5000 {
            all.add(&format!("s{}", i + 1), &format!("s{i}"), hop("exact"));
        }
        all.add("s0", "s5000", hop("inferred"));
        let start = ["s2500".to_owned()];
        assert_eq!(all.ancestors(&start, 10_000).0.len(), 5001);
        assert_eq!(all.descendants(&start, 10_000), (all.descendants(&start, 5001).0, false));
        assert!(all.descendants(&start, 10).1);
    }

    #[test]
    fn the_strongest_of_several_hops_counts() {
        let mut all = Kinship::default();
        all.add("c", "p", hop("ambiguous"));
        all.add("c", "p", hop("exact"));
        all.add("c", "p", hop("inferred"));
        assert_eq!(all.parents("c").collect::<Vec<_>>(), [("p", &hop("exact"))]);
        assert_eq!(all.children("p").count(), 1);
    }
}
