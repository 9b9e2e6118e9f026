//! Under the trees: the issuing events of the sessions asked for and of those above them, with all
//! rivals, and what each session carries.

use std::collections::{BTreeMap, HashSet};

use super::page::wrap;
use super::words;
use crate::answers::chain::{Chain, Node, Tree};
use crate::answers::session::Evidence;
use crate::answers::sessions::Session;
use crate::model::time;
use crate::output::safe;

/// Sessions whose evidence is shown.
const MOST_SESSIONS: usize = 12;
/// Issuing events shown of one session.
const MOST_GRANTS: usize = 5;
/// Keys named of those that one event explains.
const MOST_KEYS: usize = 3;

/// The text; what comes from logs is neutralised. Empty when no session was asked for by itself.
pub fn text(chain: &Chain, width: usize, color: bool) -> String {
    let mut seen = HashSet::new();
    let ways = chain.trees.iter().flat_map(way);
    let sessions: Vec<&Session> =
        ways.map(|node| &node.session).filter(|s| seen.insert(s.session_id.as_str())).collect();
    if sessions.is_empty() {
        return String::new();
    }
    let (on, off) = if color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    let mut out = format!("\n{on}Evidence{off}\n");
    for session in sessions.iter().take(MOST_SESSIONS) {
        let name = format!("{} {}", words::hat(session), words::short_id(&session.session_id));
        out.push_str(&format!("  {}\n", safe::terminal(&name)));
        let evidence = chain.evidence.get(&session.session_id).map_or(&[][..], Vec::as_slice);
        for line in lines(session, evidence) {
            for (n, part) in
                wrap(&safe::terminal(&line), width.saturating_sub(6)).iter().enumerate()
            {
                out.push_str(&format!("    {}{part}\n", if n > 0 { "  " } else { "" }));
            }
        }
    }
    if sessions.len() > MOST_SESSIONS {
        let more = sessions.len() - MOST_SESSIONS;
        out.push_str(&format!("  … {more} more sessions: --format json shows theirs too\n"));
    }
    out
}

/// The nodes that were asked for, and those above them.
fn way(tree: &Tree) -> impl Iterator<Item = &Node> {
    let mut leads: Vec<bool> = tree.nodes.iter().map(|node| node.asked).collect();
    for (i, node) in tree.nodes.iter().enumerate().rev() {
        if let Some(parent) = node.parent {
            leads[parent] |= leads[i];
        }
    }
    tree.nodes.iter().zip(leads).filter(|(_, leads)| *leads).map(|(node, _)| node)
}

fn lines(session: &Session, evidence: &[Evidence]) -> Vec<String> {
    let mut grants: BTreeMap<_, Vec<&Evidence>> = BTreeMap::new();
    for one in evidence {
        grants.entry((one.event_time, one.grant_event_id.as_deref())).or_default().push(one);
    }
    let mut lines = Vec::new();
    if grants.is_empty() {
        lines.push(super::page::no_evidence(session));
    }
    let count = grants.len();
    for of_one_grant in grants.into_values().take(MOST_GRANTS) {
        grant(&mut lines, &of_one_grant, session);
    }
    if count > MOST_GRANTS {
        lines.push(format!("… {} more issuing events; see the table links", count - MOST_GRANTS));
    }
    let carried = [
        ("tags in force", &session.session_tags),
        ("passed on", &session.transitive_tags),
        ("source identity", &session.source_identity),
    ];
    let carried =
        carried.iter().filter_map(|(what, value)| Some(format!("{what} {}", value.as_ref()?)));
    let carried: Vec<String> = carried.collect();
    if !carried.is_empty() {
        lines.push(carried.join("; "));
    }
    lines.extend(session.contradictions.iter().map(|c| format!("but {}", words::contradiction(c))));
    lines
}

fn grant(lines: &mut Vec<String>, all: &[&Evidence], session: &Session) {
    let Some(first) = all.first() else { return };
    let when = first.event_time.map(time::format_instant).unwrap_or_default();
    let caller = first.caller_arn.as_deref().or(first.caller_principal_id.as_deref());
    // A service has neither ARN nor id; right under it the session's origin is its name.
    let service = session.origin.as_deref().filter(|_| session.depth == Some(1));
    let kind = match first.caller_type.as_deref() {
        Some("AWSService") => service.unwrap_or("a service"),
        kind => kind.unwrap_or("somebody"),
    };
    let call = first.kind.as_deref().unwrap_or("?");
    let by = match (caller, first.obtained_by.as_deref()) {
        (Some(caller), Some(principal)) => format!("{caller} for {principal}"),
        (None, Some(principal)) => principal.to_owned(),
        (caller, None) => caller.unwrap_or(kind).to_owned(),
    };
    lines.push(format!("{call} at {when} by {by}"));
    let mut rules: BTreeMap<(&str, &str, u64), Vec<&str>> = BTreeMap::new();
    for one in all {
        let key = one.child_access_key_id.as_deref().unwrap_or("calls without key");
        rules.entry((&one.strength, &one.rule, one.candidates)).or_default().push(key);
    }
    for ((strength, rule, candidates), keys) in rules {
        let strength = if strength == "none" { "refused, the keys differ" } else { strength };
        let rivals = if candidates > 1 { format!(", one of {candidates}") } else { String::new() };
        let more = keys.len().saturating_sub(MOST_KEYS);
        let mut named = keys.into_iter().take(MOST_KEYS).collect::<Vec<_>>().join(", ");
        if more > 0 {
            named.push_str(&format!(" and {more} more"));
        }
        lines.push(format!("{strength}: {}{rivals}, for {named}", words::rule(rule)));
    }
    let ids = [
        ("event", &first.grant_event_id),
        ("other half", &first.twin_event_id),
        ("corrected by", &first.addendum_event_id),
    ];
    let ids = ids.iter().filter_map(|(what, id)| Some(format!("{what} {}", id.as_ref()?)));
    lines.push(ids.collect::<Vec<_>>().join(", "));
    if let (Some(file), Some(record)) = (&first.source_file, first.source_record) {
        lines.push(format!("record {record} of {file}"));
    }
    let shown = [
        ("MFA device", &first.mfa_serial),
        ("external id", &first.external_id),
        ("policy", &first.session_policy),
        ("tags passed", &first.tags),
    ];
    let shown =
        shown.iter().filter_map(|(what, value)| Some(format!("{what} {}", value.as_ref()?)));
    let lifetime = words::lifetime(first.duration_asked_seconds, first.duration_seconds);
    let properties: Vec<String> = lifetime.into_iter().chain(shown).collect();
    if !properties.is_empty() {
        lines.push(properties.join("; "));
    }
}
