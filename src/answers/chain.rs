//! Trees of sessions: from an origin down to everything that came of the sessions asked for.
//!
//! A session may have several parents, when its credentials were issued by several calls; it then
//! stands in every tree that it belongs to, and what came of it is shown once.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::filter::Filter;
use super::kinship::{Hop, Kinship};
use super::rows::Rows;
use super::session::{self, Evidence};
use super::sessions::{self, IDS_AT_ONCE, Session};
use crate::error::Result;
use crate::sql::Sql;

/// The answer for one or more sessions.
#[derive(Debug, Default)]
pub struct Chain {
    /// One tree an origin, by the time of its first session.
    pub trees: Vec<Tree>,
    /// Whether sessions were left out.
    pub cut: bool,
    /// By session id: the issuing events that could have started it.
    pub evidence: HashMap<String, Vec<Evidence>>,
}

/// What of a session's calls came through one of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Calls with credentials that this caller obtained.
    pub calls: u64,
    /// Calls with credentials that several callers may have obtained.
    pub not_told_apart: u64,
}

/// An origin and what came of it.
#[derive(Debug)]
pub struct Tree {
    /// A session that tells of the origin: the origin's own, or the first one below it.
    pub origin: Session,
    /// The origin's own long-term calls, where they are in the tree.
    pub own: Option<Session>,
    /// Whether those were asked for.
    pub own_asked: bool,
    /// Sessions, every one after its parent.
    pub nodes: Vec<Node>,
    /// The sessions right under the origin, as indices.
    pub tops: Vec<usize>,
}

/// A session in a tree.
#[derive(Debug)]
pub struct Node {
    /// The session.
    pub session: Session,
    /// How it was obtained from the one above it.
    pub hop: Hop,
    /// The session above it; none right under the origin.
    pub parent: Option<usize>,
    /// Sessions below it, by time.
    pub children: Vec<usize>,
    /// 1 right under the origin.
    pub level: usize,
    /// Whether it was asked for.
    pub asked: bool,
    /// Whether it stands further up already, with everything below it.
    pub seen_above: bool,
    /// Whether other credentials of it came from elsewhere.
    pub shared: bool,
    /// The part of its calls that belongs to the session above, where it has several above it.
    pub share: Option<Share>,
}

/// What makes two top sessions belong to one origin.
type OriginKey = (Option<String>, Option<String>, Option<String>, Option<String>);

/// The trees for these sessions: at most `most` sessions above and below them each, the nearest first.
///
/// # Errors
/// The engine's.
pub async fn chain(sql: &Sql, asked: &[String], most: usize) -> Result<Chain> {
    let kinship = Kinship::around(sql, asked, most).await?;
    let (mut wanted, up_cut) = kinship.ancestors(asked, most);
    let (down, down_cut) = kinship.descendants(asked, most);
    let known: HashSet<String> = wanted.iter().cloned().collect();
    wanted.extend(down.into_iter().filter(|id| !known.contains(id)));
    let sessions = sessions::load(sql, wanted.iter().map(String::as_str)).await?;
    let asked = asked.iter().map(String::as_str).collect();
    let evidence = evidence_of(sql, &sessions).await?;
    let mut trees = grow(sessions, &kinship, &asked);
    share_out(sql, &mut trees).await?;
    Ok(Chain { trees, cut: up_cut || down_cut, evidence })
}

async fn evidence_of(sql: &Sql, sessions: &[Session]) -> Result<HashMap<String, Vec<Evidence>>> {
    let mut all: HashMap<String, Vec<Evidence>> = HashMap::new();
    for some in sessions.chunks(IDS_AT_ONCE) {
        let ids: Vec<&str> = some.iter().map(|session| session.session_id.as_str()).collect();
        for evidence in session::evidence(sql, &ids).await? {
            all.entry(evidence.child_session_id.clone()).or_default().push(evidence);
        }
    }
    Ok(all)
}

/// Says of every session with several callers which of its calls came through which of them.
async fn share_out(sql: &Sql, trees: &mut [Tree]) -> Result<()> {
    let shared = trees.iter().flat_map(|tree| &tree.nodes).filter(|node| node.shared);
    let ids: BTreeSet<String> = shared.map(|node| node.session.session_id.clone()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut calls: HashMap<(String, Option<String>), u64> = HashMap::new();
    for some in ids.chunks(IDS_AT_ONCE) {
        let mut filter = Filter::default();
        let list = filter.bind_list(some.iter().copied());
        filter.add(format!("c.session_id IN ({list})"));
        let (clause, params) = filter.finish();
        let statement = format!(
            "SELECT c.session_id, p.session_id AS caller, sum(c.event_count) AS calls
             FROM credentials c
             LEFT JOIN credentials p ON p.credential_id = c.parent_credential_id
             {clause} GROUP BY c.session_id, p.session_id"
        );
        for batch in sql.rows(&statement, params).await? {
            let rows = Rows::new(&batch)?;
            for row in 0..rows.len() {
                let session = rows.string("session_id", row).unwrap_or_default();
                calls.insert((session, rows.string("caller", row)), rows.count("calls", row));
            }
        }
    }
    for tree in trees {
        for i in 0..tree.nodes.len() {
            let node = &tree.nodes[i];
            let above = match node.parent {
                Some(parent) => Some(&tree.nodes[parent].session),
                None => tree.own.as_ref(),
            };
            let Some(above) = above.filter(|_| node.shared) else { continue };
            let of = |caller: Option<&str>| {
                let key = (node.session.session_id.clone(), caller.map(str::to_owned));
                calls.get(&key).copied().unwrap_or(0)
            };
            let share = Share { calls: of(Some(&above.session_id)), not_told_apart: of(None) };
            tree.nodes[i].share = Some(share);
        }
    }
    Ok(())
}

/// Puts sessions, ordered by time, into trees.
pub fn grow(sessions: Vec<Session>, kinship: &Kinship, asked: &HashSet<&str>) -> Vec<Tree> {
    let grower = Grower {
        at: sessions.iter().enumerate().map(|(i, s)| (s.session_id.as_str(), i)).collect(),
        sessions: &sessions,
        kinship,
        asked,
    };
    let mut trees: Vec<Tree> = Vec::new();
    let mut by_origin: HashMap<OriginKey, usize> = HashMap::new();
    let mut placed = HashSet::new();
    let tops = (0..sessions.len()).filter(|i| grower.is_top(*i));
    let mut starts: Vec<usize> = tops.collect();
    // Users are shown at full length where they stand by themselves, not where a key of theirs was made.
    starts.sort_by_key(|i| !grower.stands_by_itself(*i));
    loop {
        for top in std::mem::take(&mut starts) {
            let at = *by_origin.entry(origin_key(&sessions[top])).or_insert_with(|| {
                trees.push(Tree {
                    origin: sessions[top].clone(),
                    own: None,
                    own_asked: false,
                    nodes: Vec::new(),
                    tops: Vec::new(),
                });
                trees.len() - 1
            });
            grower.plant(&mut trees[at], top, &mut placed);
        }
        // What is left hangs on nothing but itself: a circle.
        match (0..sessions.len()).find(|i| !placed.contains(i)) {
            Some(left) => starts.push(left),
            None => return trees,
        }
    }
}

/// Unknown origins are never taken for one another.
fn origin_key(session: &Session) -> OriginKey {
    let kind = session.origin_type.clone();
    match kind.as_deref() {
        Some("Unknown") | None => (kind, Some(session.session_id.clone()), None, None),
        Some("AWSService") => (kind, session.origin.clone(), None, session.origin_detail.clone()),
        _ => {
            let bearer = session.origin_detail.as_deref().and_then(bearer).map(str::to_owned);
            // A user's name may change, the id does not.
            let by_id = bearer.as_deref().is_some_and(|bearer| bearer.starts_with("user id "));
            let name = session.origin.clone().filter(|_| !by_id);
            (kind, name, session.origin_account_id.clone(), bearer)
        }
    }
}

/// The part of an origin's detail that tells it from others of its name: a user's id, where several bore
/// the name or it changed, an identity store, a provider, a trust anchor.
fn bearer(detail: &str) -> Option<&str> {
    let detail = detail.split(", delegated to account ").next()?;
    if let Some(at) = detail.find("identity store ").or_else(|| detail.find("provider ")) {
        return Some(&detail[at..]);
    }
    let mut parts = detail.split(", ");
    parts.find(|part| part.starts_with("trust-anchor/") || part.starts_with("user id AIDA"))
}

struct Grower<'s> {
    sessions: &'s [Session],
    at: HashMap<&'s str, usize>,
    kinship: &'s Kinship,
    asked: &'s HashSet<&'s str>,
}

impl Grower<'_> {
    fn is_top(&self, i: usize) -> bool {
        let id = &self.sessions[i].session_id;
        self.stands_by_itself(i)
            || !self.kinship.parents(id).any(|(parent, _)| self.at.contains_key(parent))
    }

    /// A user of whose long-term keys only some were made by the sessions above: what the user did
    /// need not come from them.
    fn stands_by_itself(&self, i: usize) -> bool {
        let session = &self.sessions[i];
        session.is_long_term()
            && session.parent_session_id.is_none()
            && self.kinship.parents(&session.session_id).next().is_some()
    }

    /// Adds a top session and everything below it.
    fn plant(&self, tree: &mut Tree, top: usize, placed: &mut HashSet<usize>) {
        let session = &self.sessions[top];
        let mut waiting: Vec<(usize, Option<usize>, usize)> = Vec::new();
        if session.is_long_term() {
            tree.own_asked = self.asked.contains(session.session_id.as_str());
            tree.own = Some(session.clone());
            tree.origin = session.clone();
            placed.insert(top);
            waiting.extend(self.below(top).into_iter().rev().map(|child| (child, None, top)));
        } else {
            waiting.push((top, None, top));
        }
        while let Some((i, above, from)) = waiting.pop() {
            let at = tree.nodes.len();
            let seen_above = !placed.insert(i);
            let level = above.map_or(1, |above| tree.nodes[above].level + 1);
            tree.nodes.push(self.node(i, from, above, level, seen_above));
            match above {
                Some(above) => tree.nodes[above].children.push(at),
                None => tree.tops.push(at),
            }
            let key = origin_key(&tree.origin);
            let shared = tree.nodes[at].shared;
            let mut below = self.below(i);
            // Of what several callers' credentials obtained, each tree has what came of its own.
            below.retain(|child| !shared || self.belongs(*child, &key));
            below.retain(|child| !seen_above || (shared && !placed.contains(child)));
            waiting.extend(below.into_iter().rev().map(|child| (child, Some(at), i)));
        }
    }

    /// Whether a session has this origin, or one that is not known.
    fn belongs(&self, i: usize, origin: &OriginKey) -> bool {
        let session = &self.sessions[i];
        session.origin.is_none() || origin_key(session) == *origin
    }

    fn node(
        &self,
        i: usize,
        from: usize,
        parent: Option<usize>,
        level: usize,
        seen_above: bool,
    ) -> Node {
        let session = &self.sessions[i];
        let above = &self.sessions[from].session_id;
        let mut parents = self.kinship.parents(&session.session_id);
        let hop = parents.find(|(id, _)| *id == above).map(|(_, hop)| hop.clone());
        let own = || Hop {
            rule: session.link_rule.clone().unwrap_or_default(),
            strength: session.link_strength.clone().unwrap_or_default(),
            candidates: session.candidates,
        };
        Node {
            hop: hop.unwrap_or_else(own),
            parent,
            children: Vec::new(),
            level,
            asked: self.asked.contains(session.session_id.as_str()),
            seen_above,
            shared: session.unresolved_reason.as_deref() == Some("credentials_disagree")
                || self.kinship.parents(&session.session_id).nth(1).is_some(),
            share: None,
            session: session.clone(),
        }
    }

    /// The sessions below one, by time.
    fn below(&self, i: usize) -> Vec<usize> {
        let children = self.kinship.children(&self.sessions[i].session_id);
        let mut children: Vec<usize> =
            children.filter_map(|child| self.at.get(child).copied()).collect();
        children.sort_unstable();
        children
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, origin: Option<&str>, started_at: Option<i64>) -> Session {
        Session {
            session_id: id.to_owned(),
            started_at,
            depth: origin.map(|_| i64::from(started_at.is_some())),
            origin_type: Some(if origin.is_some() { "IAMUser" } else { "Unknown" }.to_owned()),
            origin: origin.map(str::to_owned),
            ..Session::default()
        }
    }

    fn shape(tree: &Tree) -> Vec<(usize, &str, bool)> {
        tree.nodes.iter().map(|n| (n.level, n.session.session_id.as_str(), n.seen_above)).collect()
    }

    #[test]
    fn a_session_of_two_parents_stands_in_both_trees_and_its_children_once() {
        let mut kin = Kinship::default();
        for (child, parent) in [("both", "anna"), ("both", "liam"), ("leaf", "both")] {
            kin.add(child, parent, Hop::default());
        }
        let sessions = vec![
            session("anna", Some("anna"), None),
            session("liam", Some("liam"), None),
            session("both", None, Some(1)),
            session("leaf", None, Some(2)),
        ];
        let trees = grow(sessions, &kin, &HashSet::from(["both"]));
        assert_eq!(trees.len(), 2);
        assert_eq!(shape(&trees[0]), [(1, "both", false), (2, "leaf", false)]);
        assert_eq!(shape(&trees[1]), [(1, "both", true)]);
        assert!(trees[1].nodes[0].asked && trees[1].own.is_some());
    }

    #[test]
    fn those_of_one_name_have_trees_of_their_own() {
        for (details, trees) in [
            (["user id AIDAONE", "user id AIDATWO"], 2),
            (["user id AIDAONE, also named x", "user id AIDAONE, delegated to account 9"], 1),
            (["provider one", "namespace a, service account b, provider two"], 2),
            (["certificate 00, trust-anchor/t, profile/p", "certificate 01, trust-anchor/t"], 1),
            (["certificate 00, trust-anchor/t", "certificate 00, trust-anchor/u"], 2),
            (["user id u, identity store a", "user id u, identity store b"], 2),
            (["user id u", "delegated to account 9"], 1),
        ] {
            let mut sessions =
                vec![session("a", Some("x"), Some(1)), session("b", Some("x"), Some(2))];
            for (session, detail) in sessions.iter_mut().zip(details) {
                session.origin_detail = Some(detail.to_owned());
            }
            let grown = grow(sessions, &Kinship::default(), &HashSet::new());
            assert_eq!(grown.len(), trees, "{details:?}");
        }
    }

    #[test]
    fn a_user_with_keys_of_other_making_stands_by_itself() {
        let mut kin = Kinship::default();
        for (child, parent) in [("role", "anna"), ("svc", "role"), ("leaf", "svc")] {
            kin.add(child, parent, Hop::default());
        }
        let sessions = |parent: Option<&str>| {
            let mut all = vec![
                session("anna", Some("anna"), None),
                session("role", Some("anna"), Some(1)),
                session("svc", Some("svc"), None),
                session("leaf", Some("svc"), Some(2)),
            ];
            all[2].parent_session_id = parent.map(str::to_owned);
            all
        };
        let trees = grow(sessions(Some("role")), &kin, &HashSet::new());
        assert_eq!(trees.len(), 1);
        let whole = [(1, "role", false), (2, "svc", false), (3, "leaf", false)];
        assert_eq!(shape(&trees[0]), whole);
        let trees = grow(sessions(None), &kin, &HashSet::new());
        assert_eq!(trees.len(), 2);
        assert_eq!(shape(&trees[0]), [(1, "leaf", false)]);
        assert_eq!(shape(&trees[1]), [(1, "role", false), (2, "svc", true)]);
    }

    #[test]
    fn what_came_of_a_shared_session_stands_with_its_own_origin() {
        let mut kin = Kinship::default();
        for (child, parent) in [("both", "anna"), ("both", "liam")] {
            kin.add(child, parent, Hop::default());
        }
        for child in ["of-anna", "of-liam", "of-nobody"] {
            kin.add(child, "both", Hop::default());
        }
        let sessions = vec![
            session("anna", Some("anna"), None),
            session("liam", Some("liam"), None),
            session("both", None, Some(1)),
            session("of-anna", Some("anna"), Some(2)),
            session("of-liam", Some("liam"), Some(3)),
            session("of-nobody", None, Some(4)),
        ];
        let trees = grow(sessions, &kin, &HashSet::new());
        let first = [(1, "both", false), (2, "of-anna", false), (2, "of-nobody", false)];
        assert_eq!(shape(&trees[0]), first);
        assert_eq!(shape(&trees[1]), [(1, "both", true), (2, "of-liam", false)]);
        assert_eq!(trees.len(), 2);
    }

    #[test]
    fn circles_are_drawn_and_unknown_origins_stay_apart() {
        let mut kin = Kinship::default();
        kin.add("a", "b", Hop::default());
        kin.add("b", "a", Hop::default());
        let sessions = ["a", "b", "c"].map(|id| session(id, None, Some(1))).to_vec();
        let trees = grow(sessions, &kin, &HashSet::new());
        assert_eq!(trees.len(), 2);
        assert_eq!(shape(&trees[0]), [(1, "c", false)]);
        assert_eq!(shape(&trees[1]), [(1, "a", false), (2, "b", false), (3, "a", true)]);
    }
}
