//! Draws trees of sessions for a reader with a terminal of a given width.
//!
//! Chains can be thousands of hops long and roles can have thousands of sessions, so nothing here
//! recurses, and what is left out is said.

use std::collections::HashMap;

use unicode_width::UnicodeWidthStr;

use super::words;
use crate::answers::chain::{Chain, Node, Share, Tree};
use crate::answers::sessions::Session;
use crate::model::time;
use crate::output::{cut, safe};

/// Sessions of one role that are drawn beside each other.
const MOST_SIBLINGS: usize = 20;
/// Hops above the session asked for before the middle is left out, and how many stay at each end.
const LONG_WAY: usize = 8;
const FIRST_HOPS: usize = 3;
const LAST_HOPS: usize = 3;
/// Room that a line needs beside its branches.
const ROOM: usize = 40;
/// Shortest name that a line is cut to.
const SHORTEST_NAME: usize = 12;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Canvas {
    /// Columns.
    pub width: usize,
    /// Whether the session asked for may be bold; otherwise it is marked by a sign.
    pub color: bool,
    /// Whether lines end with session ids.
    pub ids: bool,
}

/// Draws all trees.
pub fn draw(chain: &Chain, canvas: Canvas) -> String {
    let drawn: Vec<String> =
        chain.trees.iter().map(|tree| Drawing::new(tree, canvas).draw()).collect();
    drawn.join("\n")
}

/// What stands at the end of a branch.
enum Item {
    Node(usize),
    /// Hops left out, and where the way goes on.
    Gap(usize, Vec<usize>),
    Note(String),
}

struct Drawing<'t> {
    tree: &'t Tree,
    canvas: Canvas,
    /// Whether a node was asked for or stands above one that was.
    leads: Vec<bool>,
    /// Sessions below each node.
    below: Vec<usize>,
    /// Level of the nearest session asked for, when that is far away.
    far: Option<usize>,
    /// Branches drawn one below the other.
    deepest: usize,
    several_days: bool,
}

impl<'t> Drawing<'t> {
    fn new(tree: &'t Tree, canvas: Canvas) -> Drawing<'t> {
        let nodes = &tree.nodes;
        let mut leads: Vec<bool> = nodes.iter().map(|node| node.asked).collect();
        let mut below = vec![0; nodes.len()];
        for (i, node) in nodes.iter().enumerate().rev() {
            if let Some(parent) = node.parent {
                leads[parent] |= leads[i];
                below[parent] += below[i] + 1;
            }
        }
        let nearest = nodes.iter().filter(|node| node.asked).map(|node| node.level).min();
        let times = nodes.iter().map(|node| &node.session).chain(&tree.own);
        let days = times.flat_map(|s| [s.begins(), s.last_event_at]).flatten().map(time::day_of);
        let (first, last) = days.fold((i32::MAX, i32::MIN), |(a, b), day| (a.min(day), b.max(day)));
        Drawing {
            tree,
            canvas,
            leads,
            below,
            far: nearest.filter(|level| *level > LONG_WAY && !tree.own_asked),
            deepest: (canvas.width.saturating_sub(ROOM) / 3).clamp(LONG_WAY, 30),
            several_days: first < last,
        }
    }

    fn draw(&self) -> String {
        let mut out = self.origin_line();
        let mut waiting: Vec<(Item, String, bool, usize)> = Vec::new();
        push_branches(&mut waiting, self.items(&self.tree.tops), String::new(), 1);
        while let Some((item, prefix, last, depth)) = waiting.pop() {
            let branch = format!("{prefix}{}", if last { "└─ " } else { "├─ " });
            let under = format!("{prefix}{}", if last { "   " } else { "│  " });
            let items = match &item {
                Item::Note(text) => {
                    out.push_str(&format!("{branch}{}\n", cut(text, self.room(&branch))));
                    continue;
                }
                Item::Gap(hops, on) => {
                    out.push_str(&format!("{branch}… {hops} hops left out …\n"));
                    self.items(on)
                }
                Item::Node(i) => {
                    let items = self.under(*i, depth);
                    self.node_lines(&mut out, *i, &branch, &under, !items.is_empty());
                    items
                }
            };
            push_branches(&mut waiting, items, under, depth + 1);
        }
        out
    }

    fn room(&self, branch: &str) -> usize {
        self.canvas.width.saturating_sub(branch.width()).max(SHORTEST_NAME)
    }

    /// What hangs under a node.
    fn under(&self, i: usize, depth: usize) -> Vec<Item> {
        let node = &self.tree.nodes[i];
        if depth >= self.deepest && self.below[i] > 0 {
            let n = self.below[i];
            let note = format!("… {n} {} below left out", sessions(n));
            return vec![Item::Note(note)];
        }
        match self.far {
            Some(far) if node.level == FIRST_HOPS && self.leads[i] => {
                let goes_on = far - LAST_HOPS;
                vec![Item::Gap(goes_on - FIRST_HOPS - 1, self.at_level(i, goes_on))]
            }
            _ => self.items(&node.children),
        }
    }

    /// The nodes of one level below a node that lead to what was asked for.
    fn at_level(&self, from: usize, level: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut waiting = vec![from];
        while let Some(i) = waiting.pop() {
            let node = &self.tree.nodes[i];
            if node.level == level {
                found.push(i);
            } else {
                waiting.extend(node.children.iter().rev().filter(|child| self.leads[**child]));
            }
        }
        found
    }

    /// Siblings, where many equal ones are folded; never those that lead to what was asked for.
    fn items(&self, siblings: &[usize]) -> Vec<Item> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut folded: Vec<(String, usize)> = Vec::new();
        let mut items = Vec::new();
        for i in siblings {
            let hat = words::hat(&self.tree.nodes[*i].session);
            let count = seen.entry(hat.clone()).or_insert(0);
            *count += 1;
            if *count <= MOST_SIBLINGS || self.leads[*i] {
                items.push(Item::Node(*i));
                continue;
            }
            match folded.iter_mut().find(|(name, _)| *name == hat) {
                Some((_, n)) => *n += 1,
                None => folded.push((hat, 1)),
            }
        }
        items.extend(folded.into_iter().map(|(hat, n)| {
            Item::Note(format!("… {n} more {} of {}", sessions(n), safe::terminal(&hat)))
        }));
        items
    }

    fn origin_line(&self) -> String {
        let mut line = origin_text(&self.tree.origin);
        let mut rest = String::new();
        if let Some(own) = &self.tree.own {
            rest = format!("  {}", words::calls(own));
            if self.canvas.ids {
                rest.push_str(&format!("  {}", words::short_id(&own.session_id)));
            }
        }
        line = cut(&line, self.canvas.width.saturating_sub(rest.width() + 2).max(SHORTEST_NAME));
        format!("{}\n", self.marked(&line, &rest, self.tree.own_asked))
    }

    fn marked(&self, name: &str, rest: &str, asked: bool) -> String {
        match (asked, self.canvas.color) {
            (false, _) => format!("{name}{rest}"),
            (true, true) => format!("\u{1b}[1m{name}\u{1b}[0m{rest}"),
            (true, false) => format!("{name}{rest} ◀"),
        }
    }

    /// One line where it fits, otherwise two.
    fn node_lines(&self, out: &mut String, i: usize, branch: &str, under: &str, goes_on: bool) {
        let node = &self.tree.nodes[i];
        let session = &node.session;
        let hat = words::hat_from_above(session);
        let name = safe::terminal(&hat);
        let account = session.account_id.as_deref().map(safe::terminal).unwrap_or_default();
        let calls = match node.share {
            Some(share) => shared_calls(session, share),
            None => words::calls(session),
        };
        let mut rest = format!("{}  {calls}", self.span(session));
        if node.seen_above {
            rest.push_str("  (see above)");
        }
        let proof = proof(node);
        if !proof.is_empty() {
            rest.push_str(&format!("   [{proof}]"));
        }
        if self.canvas.ids {
            rest.push_str(&format!("  {}", words::short_id(&session.session_id)));
        }
        let room = self.room(branch).saturating_sub(if node.asked { 2 } else { 0 });
        if name.width() + account.width() + rest.width() + 4 <= room {
            let rest = format!("  {account}  {rest}");
            out.push_str(&format!("{branch}{}\n", self.marked(&name, &rest, node.asked)));
            return;
        }
        let name = cut(&name, room.saturating_sub(account.width() + 2).max(SHORTEST_NAME));
        let first = self.marked(&name, &format!("  {account}"), node.asked);
        let bar = if goes_on { "│  " } else { "   " };
        let second = format!("{under}{bar}");
        let rest = cut(&rest, self.room(&second));
        out.push_str(&format!("{branch}{first}\n{second}{rest}\n"));
    }

    /// `09:00:12–09:41:03`; with the date when the tree spans several days.
    fn span(&self, session: &Session) -> String {
        let (Some(begin), end) = (session.begins(), session.last_event_at) else {
            return String::new();
        };
        let whole = |micros| time::format_instant(micros).replace('T', " ").replace('Z', "");
        let from = if self.several_days { whole(begin) } else { time::format_clock(begin) };
        match end.filter(|end| *end != begin) {
            None => from,
            Some(end) if time::day_of(end) == time::day_of(begin) => {
                format!("{from}–{}", time::format_clock(end))
            }
            Some(end) => format!("{from}–{}", whole(end)),
        }
    }
}

fn sessions(n: usize) -> &'static str {
    if n == 1 { "session" } else { "sessions" }
}

fn push_branches(
    waiting: &mut Vec<(Item, String, bool, usize)>,
    items: Vec<Item>,
    prefix: String,
    depth: usize,
) {
    let last = items.len().saturating_sub(1);
    let branches = items.into_iter().enumerate();
    waiting.extend(branches.rev().map(|(i, item)| (item, prefix.clone(), i == last, depth)));
}

/// `anna (IAMUser, 111111111111)`.
fn origin_text(session: &Session) -> String {
    let kind = session.origin_type.as_deref().unwrap_or("Unknown");
    let text = match session.origin.as_deref() {
        None => {
            let reason = session.unresolved_reason.as_deref().unwrap_or("");
            let detail = session.origin_detail.iter().map(|d| format!("; {d}")).collect::<String>();
            format!("unknown ({}{detail})", words::reason_short(reason))
        }
        Some(origin) => {
            let about = [
                Some(kind),
                session.origin_account_id.as_deref(),
                session.origin_detail.as_deref(),
            ];
            let about: Vec<&str> = about.into_iter().flatten().collect();
            format!("{} ({})", words::short_name(origin), about.join(", "))
        }
    };
    safe::terminal(&text).into_owned()
}

/// `3 of its 7 calls, 1 not told apart`: a session that several callers took.
fn shared_calls(session: &Session, share: Share) -> String {
    let mut text = format!("{} of its {}", share.calls, words::call_count(session.event_count));
    if share.not_told_apart > 0 {
        text.push_str(&format!(", {} not told apart", share.not_told_apart));
    }
    text
}

/// `exact: access key`.
fn proof(node: &Node) -> String {
    let hop = &node.hop;
    if hop.rule.is_empty() {
        return String::new();
    }
    let mut text = format!("{}: {}", hop.strength, words::rule(&hop.rule));
    if hop.candidates > 1 {
        text.push_str(&format!(", one of {}", hop.candidates));
    }
    if node.shared && node.share.is_none() {
        text.push_str("; other keys by others");
    }
    for name in &node.session.contradictions {
        text.push_str(&format!("; but {}", words::contradiction(name)));
    }
    safe::terminal(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::answers::chain::grow;
    use crate::answers::kinship::{Hop, Kinship};

    fn session(id: &str, hat: &str, started_at: Option<i64>) -> Session {
        Session {
            session_id: id.to_owned(),
            role_name: started_at.map(|_| hat.to_owned()),
            account_id: Some("111111111111".to_owned()),
            started_at,
            depth: Some(i64::from(started_at.is_some())),
            origin_type: Some("IAMUser".to_owned()),
            origin: Some("arn:aws:iam::111111111111:user/anna".to_owned()),
            origin_account_id: Some("111111111111".to_owned()),
            ..Session::default()
        }
    }

    fn drawn(kin: &Kinship, sessions: Vec<Session>, asked: &str, width: usize) -> String {
        let trees = grow(sessions, kin, &HashSet::from([asked]));
        draw(&Chain { trees, ..Chain::default() }, Canvas { width, color: false, ids: false })
    }

    fn hop() -> Hop {
        Hop { rule: "access_key".to_owned(), strength: "exact".to_owned(), candidates: 1 }
    }

    #[test]
    fn equal_siblings_are_folded_but_never_the_one_asked_for() {
        let mut kin = Kinship::default();
        let mut all = vec![session("top", "", None)];
        for i in 0..60 {
            let id = format!("s{i}");
            kin.add(&id, "top", hop());
            all.push(session(&id, "Deployer\u{1b}[2J", Some(i * time::SECOND)));
        }
        let shown = drawn(&kin, all, "s50", 100);
        assert!(shown.contains("└─ … 39 more sessions of Deployer\\x1b[2J"), "{shown}");
        assert!(shown.contains("00:00:50  never used   [exact: access key] ◀"), "{shown}");
        assert_eq!(shown.lines().count(), 1 + 20 + 1 + 1);
    }

    #[test]
    fn thousands_of_hops_fit_the_terminal() {
        let mut kin = Kinship::default();
        let mut all = vec![session("s0", "", None)];
        for i in 1..3000 {
            kin.add(&format!("s{i}"), &format!("s{}", i - 1), hop());
            all.push(session(&format!("s{i}"), "SomeRoleWithALongNameThatGoesOn", Some(i)));
        }
        for width in [60, 80, 100, 200] {
            let shown = drawn(&kin, all.clone(), "s2000", width);
            assert!(shown.contains("… 1993 hops left out …"), "{shown}");
            assert!(shown.contains("sessions below left out"), "{shown}");
            assert_eq!(shown.matches('◀').count(), 1);
            assert!(shown.lines().all(|line| line.width() <= width), "{width}\n{shown}");
        }
    }
}
