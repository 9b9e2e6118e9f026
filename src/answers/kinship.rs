//! Which session obtained which, as a graph of small numbers: of few relatives those hops alone, else all
//! hops of the store, so that the engine is not asked hop by hop.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::StreamExt;

use super::filter::Filter;
use super::rows::Rows;
use crate::error::Result;
use crate::sql::Sql;

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

/// Up to so many sessions are followed hop by hop; for more, it is cheaper to read all hops at once.
const FEW: usize = 1000;

/// And up to so many hops deep.
const MOST_STEPS: usize = 16;

/// Where a session stands in a hop.
#[derive(Debug, Clone, Copy)]
enum Side {
    Child,
    Parent,
}

/// Hops between sessions: all of them, or those around some sessions.
#[derive(Debug, Default)]
pub struct Kinship {
    numbers: HashMap<Arc<str>, u32>,
    ids: Vec<Arc<str>>,
    parents: HashMap<u32, Vec<(u32, Hop)>>,
    children: HashMap<u32, Vec<u32>>,
}

impl Kinship {
    /// All hops. Refused candidates are none, and a password is only a hint.
    ///
    /// # Errors
    /// The engine's.
    async fn load(sql: &Sql) -> Result<Kinship> {
        let mut all = Kinship::default();
        all.read(sql, Filter::default()).await?;
        Ok(all)
    }

    /// The hops by which the nearest `most` ancestors and descendants of these sessions are found, and all
    /// those by which each of them was obtained. Where they are few, only they are read.
    ///
    /// # Errors
    /// The engine's.
    pub async fn around(sql: &Sql, start: &[String], most: usize) -> Result<Kinship> {
        let mut near = Kinship::default();
        for side in [Side::Child, Side::Parent] {
            if !near.follow(sql, start, side, most).await? {
                return Kinship::load(sql).await;
            }
        }
        let (up, _) = near.ancestors(start, most);
        let (down, _) = near.descendants(start, most);
        let all: HashSet<&str> = up.iter().chain(&down).map(String::as_str).collect();
        let all: Vec<&str> = all.into_iter().collect();
        near.read_of(sql, &all, Side::Child).await?;
        Ok(near)
    }

    /// Reads the hops in which the sessions stand on this side, then those of the sessions found on
    /// the other one, and so on until there are more than `most`. Whether they were few.
    async fn follow(
        &mut self,
        sql: &Sql,
        start: &[String],
        side: Side,
        most: usize,
    ) -> Result<bool> {
        let mut known: HashSet<String> = HashSet::new();
        let mut edge: Vec<String> = start.to_vec();
        for _ in 0..MOST_STEPS {
            edge.retain(|id| known.insert(id.clone()));
            // One level more than is asked for tells nothing more.
            if edge.is_empty() || known.len() > most.max(start.len()) {
                return Ok(true);
            }
            if known.len() > FEW {
                return Ok(false);
            }
            let ids: Vec<&str> = edge.iter().map(String::as_str).collect();
            self.read_of(sql, &ids, side).await?;
            let next: HashSet<String> = match side {
                Side::Child => ids
                    .iter()
                    .flat_map(|id| self.parents(id))
                    .map(|(id, _)| id.to_owned())
                    .collect(),
                Side::Parent => {
                    ids.iter().flat_map(|id| self.children(id)).map(str::to_owned).collect()
                }
            };
            edge = next.into_iter().collect();
        }
        Ok(false)
    }

    /// Reads the hops in which one of the sessions stands on this side.
    async fn read_of(&mut self, sql: &Sql, ids: &[&str], side: Side) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut filter = Filter::default();
        let list = filter.bind_list(ids.iter().copied());
        filter.add(match side {
            Side::Child => format!("child_session_id IN ({list})"),
            Side::Parent => format!("parent_session_id IN ({list})"),
        });
        self.read(sql, filter).await
    }

    async fn read(&mut self, sql: &Sql, mut filter: Filter) -> Result<()> {
        filter.add(
            "strength <> 'none' AND rule <> 'login_profile' AND child_session_id IS NOT NULL
              AND parent_session_id IS NOT NULL AND parent_session_id <> child_session_id",
        );
        let (clause, params) = filter.finish();
        let statement = format!(
            "SELECT DISTINCT child_session_id, parent_session_id, rule, strength, candidates
             FROM links {clause}"
        );
        let mut stream = sql.stream(&statement, params).await?;
        while let Some(batch) = stream.next().await {
            let rows = Rows::new(&batch?)?;
            for row in 0..rows.len() {
                let text = |name| rows.text(name, row).unwrap_or("");
                let hop = Hop {
                    rule: text("rule").to_owned(),
                    strength: text("strength").to_owned(),
                    candidates: rows.count("candidates", row),
                };
                self.add(text("child_session_id"), text("parent_session_id"), hop);
            }
        }
        Ok(())
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

    /// These sessions and everything that they obtained, at most `most`, near ones first, those at one
    /// distance by id. The flag tells whether some were left out.
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
            let mut ids = next(&found[at]);
            ids.sort_unstable();
            for id in ids {
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::sessions::columns::LINKS;
    use crate::sql::Source;
    use crate::table::build::{Cell, RowsBuilder};

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

    /// Hops between forty sessions, with circles and sessions of several parents.
    async fn tables() -> Sql {
        let mut links = RowsBuilder::new(&LINKS);
        for i in 0..60_u64 {
            let text = |n: u64| Cell::from(Some(format!("s-{:02}", n % 40)));
            let values = LINKS.columns.iter().map(|column| match column.name {
                "child_session_id" => text(i * 7 + 1),
                "parent_session_id" => text(i * i),
                "rule" => if i % 9 == 4 { "login_profile" } else { "access_key" }.into(),
                "strength" => ["exact", "ambiguous", "none", "inferred"][(i % 4) as usize].into(),
                "candidates" => Cell::Int(1),
                _ => Cell::Null,
            });
            links.push(values.collect());
        }
        let tables = BTreeMap::from([(LINKS.name, vec![links.finish().unwrap()])]);
        Sql::open(Source::Memory(tables), 64 << 20).await.unwrap()
    }

    #[tokio::test]
    async fn the_hops_around_some_sessions_tell_of_them_what_all_hops_tell() {
        let sql = tables().await;
        let all = Kinship::load(&sql).await.unwrap();
        let sorted = |(mut ids, cut): (Vec<String>, bool)| {
            ids.sort_unstable();
            (ids, cut)
        };
        for i in 0..40 {
            let start = [format!("s-{i:02}"), format!("s-{:02}", (i * 3) % 40)];
            let start = &start[..1 + i % 2];
            let near = Kinship::around(&sql, start, 100).await.unwrap();
            let up = sorted(near.ancestors(start, 100));
            let down = sorted(near.descendants(start, 100));
            assert_eq!(up, sorted(all.ancestors(start, 100)));
            assert_eq!(down, sorted(all.descendants(start, 100)));
            for id in up.0.iter().chain(&down.0) {
                let parents = |of: &Kinship| {
                    let parents = of.parents(id).map(|(id, hop)| (id.to_owned(), hop.clone()));
                    parents.collect::<BTreeMap<_, _>>()
                };
                assert_eq!(parents(&near), parents(&all), "{id}");
            }
            for most in [1, 2, 5, 11] {
                let some = Kinship::around(&sql, start, most).await.unwrap();
                assert_eq!(some.ancestors(start, most), all.ancestors(start, most), "{most}");
                assert_eq!(some.descendants(start, most), all.descendants(start, most), "{most}");
            }
        }
    }
}
