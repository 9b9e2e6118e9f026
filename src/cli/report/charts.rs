//! The drawings: SVG written by hand.
//!
//! They are bars, ticks and arrows in the page's own colours, which follow the reader's choice of light
//! or dark and turn into ink on paper; the libraries for charts draw fixed colours, sizes and fonts, and
//! text that shrinks with the drawing on a phone. So what stretches here holds no text: scales stand
//! beside it as text of the page.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::text::{count, instant};
use crate::answers::report::{Activity, Bucket, Notable, Path, Stripe};
use crate::model::time;

/// Height of the drawing over time, in its own units.
const HEIGHT: u64 = 100;

/// Calls over time: one bar a stretch, changes and failures on top of the rest.
pub fn over_time(activity: &Activity) -> Markup {
    let all = |b: &Bucket| b.reads + b.writes + b.errors;
    let most = activity.buckets.iter().map(all).max().unwrap_or(0).max(1);
    let bars = activity.buckets.len().max(1);
    let title = format!("Calls over time; most in one bar: {}", count(most, "call"));
    html! {
        svg.bars viewBox=(format!("0 0 {} {HEIGHT}", bars * 10)) preserveAspectRatio="none" role="img" aria-label=(title) {
            @for (i, bucket) in activity.buckets.iter().enumerate() {
                g {
                    title { (instant(bucket.start)) " UTC: " (count(all(bucket), "call")) ", " (bucket.writes) " changed something, " (bucket.errors) " failed" }
                    rect.hover x=(i * 10) y="0" width="10" height=(HEIGHT) {}
                    @for (class, from, size) in stack(bucket, most) {
                        rect class=(class) x=(format!("{}", i * 10 + 1)) y=(format!("{:.2}", from)) width="8" height=(format!("{size:.2}")) {}
                    }
                }
            }
        }
    }
}

/// The parts of a bar from the bottom up: class, upper edge, height.
fn stack(bucket: &Bucket, most: u64) -> Vec<(&'static str, f64, f64)> {
    let mut top = HEIGHT as f64;
    let mut parts = Vec::new();
    for (class, n) in
        [("reads", bucket.reads), ("writes", bucket.writes), ("errors", bucket.errors)]
    {
        if n > 0 {
            // A single call among thousands is still to be seen.
            let size = (n as f64 / most as f64 * HEIGHT as f64).max(1.5);
            top -= size;
            parts.push((class, top.max(0.0), size));
        }
    }
    parts
}

/// Calls of a session in time.
pub fn ticks(notable: &Notable) -> Markup {
    let times: Vec<i64> = notable.calls.iter().filter_map(|call| call.event_time).collect();
    let first = notable.session.started_at.into_iter().chain(times.first().copied()).min();
    let (Some(first), Some(last)) = (first, times.last().copied()) else { return html! {} };
    let span = (last - first).max(time::SECOND);
    let at = |t: i64| ((t - first) as f64 / span as f64 * 990.0).clamp(0.0, 990.0);
    html! {
        svg.ticks viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-label=(format!("{} between {} and {}", count(times.len() as u64, "call"), instant(Some(first)), instant(Some(last)))) {
            rect.track x="0" y="11" width="1000" height="2" {}
            @for call in &notable.calls {
                @if let Some(t) = call.event_time {
                    rect class=(kind(call)) x=(format!("{:.1}", at(t))) y=(if call.read_only == Some(false) { 2 } else { 7 }) width="5" height=(if call.read_only == Some(false) { 20 } else { 10 }) {
                        title { (instant(Some(t))) " " (call.event_name) }
                    }
                }
            }
        }
        div.scale aria-hidden="true" { span { (instant(Some(first))) } span { (instant(Some(last))) } }
    }
}

/// The class of a call.
pub fn kind(call: &crate::answers::report::Call) -> &'static str {
    match call.read_only {
        _ if call.failed() => "errors",
        Some(false) => "writes",
        _ => "reads",
    }
}

/// Where there are events of an account and region.
pub fn stripe(stripe: &Stripe) -> Markup {
    let most = stripe.cells.iter().copied().max().unwrap_or(0).max(1) as f64;
    html! {
        svg.stripe viewBox=(format!("0 0 {} 10", stripe.cells.len().max(1) * 10)) preserveAspectRatio="none" role="img" aria-label=(format!("events in {} of {} hours", stripe.hours_with_events, stripe.hours)) {
            @for (i, events) in stripe.cells.iter().enumerate() {
                @if *events == 0 {
                    rect.gap x=(i * 10) y="0" width="10" height="10" {}
                } @else {
                    rect.covered x=(i * 10) y="0" width="10" height="10" opacity=(format!("{:.2}", 0.35 + 0.65 * (*events as f64 / most).sqrt())) {}
                }
            }
        }
    }
}

const BOX: (i64, i64) = (190, 46);
const GAP: (i64, i64) = (62, 14);

/// A place in the drawing of chains.
struct Node {
    column: i64,
    label: String,
    known: bool,
    y: i64,
}

/// Who reached which role through which: columns from left to right, one a hop.
pub fn chains(paths: &[Path]) -> Markup {
    let (nodes, edges) = layout(paths);
    let x = |node: &Node| node.column * (BOX.0 + GAP.0) + 4;
    let width = nodes.iter().map(|n| x(n) + BOX.0 + 4).max().unwrap_or(0);
    let height = nodes.iter().map(|n| n.y + BOX.1 + 4).max().unwrap_or(0);
    let most = edges.values().map(|(sessions, _)| *sessions).max().unwrap_or(1) as f64;
    html! {
        svg.chains width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) role="img" aria-label="Role chains as arrows from origins on the left to roles on the right; the table below holds the same" {
            @for ((from, to), (sessions, crossing)) in &edges {
                @let (a, b) = (&nodes[*from], &nodes[*to]);
                @let (x1, y1, x2, y2) = (x(a) + BOX.0, a.y + BOX.1 / 2, x(b) - 6, b.y + BOX.1 / 2);
                @let bend = (x2 - x1) / 2;
                path class=(if *crossing { "hop crossing" } else { "hop" }) d=(format!("M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend)) stroke-width=(format!("{:.1}", 1.5 + 4.0 * (*sessions as f64 / most).sqrt())) {
                    title { (a.label) " to " (b.label) ": " (count(*sessions, "session")) }
                }
                path class=(if *crossing { "head crossing" } else { "head" }) d=(format!("M{} {y2} l-8 -5 v10 z", x2 + 6)) {}
            }
            @for node in &nodes {
                @let (above, below) = two_lines(&node.label);
                g {
                    title { (node.label) }
                    rect class=(match (node.column, node.known) { (_, false) => "node unknown", (0, _) => "node origin", _ => "node" }) x=(x(node)) y=(node.y) width=(BOX.0) height=(BOX.1) rx="8" {}
                    text.name x=(x(node) + 12) y=(node.y + 20) { (above) }
                    text.account x=(x(node) + 12) y=(node.y + 36) { (below) }
                }
            }
        }
    }
}

/// Name and account of a label; long names end with an ellipsis, the title has them whole.
fn two_lines(label: &str) -> (String, String) {
    let account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let (name, below) = match label.split_once('/') {
        Some((first, rest)) if account(first) => (rest, first.to_owned()),
        _ => (label, String::new()),
    };
    let fits = |text: &str, most: usize| match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    };
    (fits(name, 18), below)
}

type Edges = BTreeMap<(usize, usize), (u64, bool)>;

fn layout(paths: &[Path]) -> (Vec<Node>, Edges) {
    let mut sorted: Vec<&Path> = paths.iter().collect();
    // Ways that begin alike lie together.
    sorted.sort_by(|a, b| a.chain.cmp(&b.chain));
    let mut nodes: Vec<Node> = Vec::new();
    let mut edges = Edges::new();
    let mut filled: BTreeMap<i64, i64> = BTreeMap::new();
    for path in sorted {
        let unknown = path.origin_type.as_deref() == Some("Unknown");
        let mut before: Option<usize> = None;
        for (column, label) in path.chain.iter().enumerate() {
            let known = !(unknown && column == 0);
            let column = i64::try_from(column).unwrap_or(0);
            let at = nodes
                .iter()
                .position(|n| n.column == column && n.label == *label && n.known == known);
            let at = at.unwrap_or_else(|| {
                // Not higher than where it came from: lines then seldom cross.
                let least = before.map_or(4, |before: usize| nodes[before].y);
                let y = filled.get(&column).copied().unwrap_or(4).max(least);
                filled.insert(column, y + BOX.1 + GAP.1);
                nodes.push(Node { column, label: label.clone(), known, y });
                nodes.len() - 1
            });
            if let Some(before) = before {
                let account = |n: &Node| two_lines(&n.label).1;
                let (a, b) = (account(&nodes[before]), account(&nodes[at]));
                let edge = edges.entry((before, at)).or_insert((0, !a.is_empty() && a != b));
                edge.0 += path.sessions;
            }
            before = Some(at);
        }
    }
    (nodes, edges)
}

/// A bar behind a number, as a part of the largest.
pub fn meter(n: u64, most: u64) -> Markup {
    let width = if most == 0 { 0.0 } else { n as f64 / most as f64 * 100.0 };
    html! { span.meter aria-hidden="true" { span style=(format!("width:{:.1}%", width.max(0.5))) {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_that_begin_alike_share_their_places() {
        let path = |labels: &[&str], origin_type: &str| Path {
            chain: labels.iter().map(|l| (*l).to_owned()).collect(),
            origin_type: Some(origin_type.to_owned()),
            sessions: 2,
            ..Path::default()
        };
        let paths = [
            path(&["111111111111/anna", "111111111111/A", "222222222222/B"], "IAMUser"),
            path(&["111111111111/anna", "111111111111/A"], "IAMUser"),
            path(&["unknown", "111111111111/A", "222222222222/B"], "Unknown"),
        ];
        let (nodes, edges) = layout(&paths);
        // anna, A and B; then unknown, with A in the second column shared, and B in the third.
        assert_eq!(nodes.len(), 4, "{:?}", nodes.iter().map(|n| &n.label).collect::<Vec<_>>());
        assert_eq!(edges.values().filter(|(_, crossing)| *crossing).count(), 1);
        assert_eq!(edges.values().map(|(sessions, _)| sessions).sum::<u64>(), 10);
        for (i, a) in nodes.iter().enumerate() {
            for b in &nodes[i + 1..] {
                assert!(a.column != b.column || (a.y - b.y).abs() >= BOX.1, "boxes overlap");
            }
        }
    }
}
