//! The page about one session.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr;

use super::{subject, words};
use crate::answers::session::{Action, Evidence, SessionAnswer};
use crate::answers::sessions::Session;
use crate::model::time;
use crate::output::{cut, safe};

/// Kinds of calls, started sessions and rivals that are shown.
const MOST_LINES: usize = 15;
/// Values of a list that are shown.
const MOST_VALUES: usize = 5;
/// Columns before a value.
const LABEL: usize = 13;

/// The page; what comes from logs is neutralised.
pub fn page(answer: &SessionAnswer, width: usize, color: bool) -> String {
    let mut page = Page { text: String::new(), width, color };
    page.who(&answer.session);
    page.how(answer);
    page.properties(&answer.session);
    page.actions(&answer.actions);
    page.started(&answer.started);
    page.text
}

struct Page {
    text: String,
    width: usize,
    color: bool,
}

impl Page {
    fn heading(&mut self, title: &str) {
        let (on, off) = if self.color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
        let space = if self.text.is_empty() { "" } else { "\n" };
        self.text.push_str(&format!("{space}{on}{title}{off}\n"));
    }

    /// A labelled value; long ones are broken at blanks.
    fn line(&mut self, label: &str, value: &str) {
        let value = safe::terminal(value);
        let room = self.width.saturating_sub(2 + LABEL).max(20);
        let mut label = label;
        for line in wrap(&value, room) {
            self.text.push_str(format!("  {label:LABEL$}{line}").trim_end());
            self.text.push('\n');
            label = "";
        }
    }

    /// As [`Page::line`], if there is a value.
    fn maybe(&mut self, label: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(label, value);
        }
    }

    fn who(&mut self, session: &Session) {
        self.heading("Who");
        let kind = session.origin_type.as_deref().unwrap_or("Unknown");
        match &session.origin {
            Some(origin) => self.line("origin", &format!("{origin} ({kind})")),
            None => {
                let reason = session.unresolved_reason.as_deref().unwrap_or("");
                self.line("origin", &format!("unknown: {}", words::reason_short(reason)));
                self.line("what to do", words::advice(reason));
            }
        }
        self.maybe("account", session.origin_account_id.as_deref());
        self.maybe("detail", session.origin_detail.as_deref());
        self.line("chain", &session.chain.join(" → "));
        if let Some(depth) = session.depth {
            let roles = if depth == 1 { "role" } else { "roles" };
            self.line("depth", &format!("{depth} {roles} between origin and session"));
        }
        self.maybe("strength", session.chain_strength.as_deref());
        for (n, name) in session.contradictions.iter().enumerate() {
            self.line(if n == 0 { "but" } else { "" }, words::contradiction(name));
        }
        self.heading("Session");
        self.line("id", &session.session_id);
        let account = session.account_id.as_deref().unwrap_or("an unknown account");
        self.line("acts as", &format!("{} in {account}", words::hat(session)));
        self.maybe("session name", session.session_name.as_deref());
        self.maybe("role", session.role_arn.as_deref());
        self.maybe("principal", session.principal_arn.as_deref());
    }

    fn how(&mut self, answer: &SessionAnswer) {
        self.heading("How it was obtained");
        let mut grants: BTreeMap<_, Vec<&Evidence>> = BTreeMap::new();
        for evidence in &answer.evidence {
            let key = (evidence.event_time, evidence.grant_event_id.as_deref());
            grants.entry(key).or_default().push(evidence);
        }
        if grants.is_empty() {
            self.line("evidence", &no_evidence(&answer.session));
        }
        if grants.len() > 1 {
            let count =
                format!("{} issuing events fit, each for the access keys named", grants.len());
            self.line("several", &count);
        }
        for (n, all) in grants.values().enumerate() {
            if n == MOST_LINES {
                self.line("", &format!("… {} more; see the table links", grants.len() - n));
                break;
            }
            if n > 0 {
                self.text.push('\n');
            }
            self.grant(all);
        }
    }

    /// One issuing event and the access keys that it explains.
    fn grant(&mut self, all: &[&Evidence]) {
        let Some(first) = all.first() else { return };
        let when = first.event_time.map(time::format_instant).unwrap_or_default();
        self.line("call", &format!("{} at {when}", first.kind.as_deref().unwrap_or("?")));
        let caller = first.caller_arn.as_deref().or(first.caller_principal_id.as_deref());
        let kind = first.caller_type.as_deref().unwrap_or("?");
        let account = first.caller_account_id.as_deref().map(|a| format!(", account {a}"));
        let account = account.unwrap_or_default();
        self.line("caller", &format!("{} ({kind}{account})", caller.unwrap_or("unnamed")));
        self.maybe("obtained by", first.obtained_by.as_deref());
        let key = first.parent_access_key_id.as_deref().map(|key| format!(", key {key}"));
        if let Some(parent) = &first.parent_session_id {
            self.line("from session", &format!("{parent}{}", key.unwrap_or_default()));
        }
        self.maybe("from address", first.source_ip_address.as_deref());
        if let Some(agent) = &first.user_agent {
            self.line("user agent", &self.fit(agent));
        }
        let mut rules: BTreeMap<(&str, &str, u64), Vec<&str>> = BTreeMap::new();
        for evidence in all {
            let key = evidence.child_access_key_id.as_deref().unwrap_or("calls without key");
            let rule = (evidence.strength.as_str(), evidence.rule.as_str(), evidence.candidates);
            rules.entry(rule).or_default().push(key);
        }
        for ((strength, rule, candidates), keys) in rules {
            let rivals =
                if candidates > 1 { format!(", one of {candidates}") } else { String::new() };
            let keys = some_of(keys.iter().copied(), keys.len());
            let strength = if strength == "none" { "refused, the keys differ" } else { strength };
            self.line("proof", &format!("{strength}: {}{rivals}, for {keys}", words::rule(rule)));
        }
        self.maybe("event", first.grant_event_id.as_deref());
        self.maybe("other half", first.twin_event_id.as_deref());
        self.maybe("corrected by", first.addendum_event_id.as_deref());
        if let (Some(file), Some(record)) = (&first.source_file, first.source_record) {
            self.line("record", &format!("{record} of {file}"));
        }
        let lifetime = words::lifetime(first.duration_asked_seconds, first.duration_seconds);
        self.maybe("lifetime", lifetime.as_deref());
        self.maybe("external id", first.external_id.as_deref());
        self.maybe("MFA device", first.mfa_serial.as_deref());
        self.maybe("source id", first.source_identity.as_deref());
        self.maybe("policy", first.session_policy.as_deref());
        self.maybe("tags passed", first.tags.as_deref());
        self.maybe("inherited", first.incoming_transitive_tags.as_deref());
    }

    fn properties(&mut self, session: &Session) {
        self.heading("Properties");
        let instant = |micros: Option<i64>| micros.map(time::format_instant);
        self.maybe("started", instant(session.started_at).as_deref());
        self.maybe("expires", instant(session.expires_at).as_deref());
        if let (Some(first), Some(last)) = (session.first_event_at, session.last_event_at) {
            let (first, last) = (time::format_instant(first), time::format_instant(last));
            self.line("active", &format!("{first} to {last}"));
        }
        // Identity providers check MFA by themselves, and no record shows it.
        let shown = |mfa| if mfa { "shown by its records" } else { "not shown by its records" };
        self.maybe("MFA", session.mfa_authenticated.map(shown));
        if let Some(name) = &session.source_identity {
            let since = session.source_identity_session_id.as_deref();
            let since = since.filter(|since| *since != session.session_id);
            let since = since.map(|id| format!(", since session {}", words::short_id(id)));
            self.line("source id", &format!("{name}{}", since.unwrap_or_default()));
        }
        self.maybe("tags", session.session_tags.as_deref());
        self.maybe("passed on", session.transitive_tags.as_deref());
        self.maybe("console", session.from_console.filter(|console| *console).map(|_| "yes"));
        for (n, agent) in session.user_agents.iter().take(MOST_VALUES).enumerate() {
            self.line(if n == 0 { "agents" } else { "" }, &self.fit(agent));
        }
        for (label, values) in [
            ("access keys", &session.access_key_ids),
            ("addresses", &session.source_ip_addresses),
            ("regions", &session.aws_regions),
        ] {
            if !values.is_empty() {
                self.line(label, &some_of(values.iter().map(String::as_str), values.len()));
            }
        }
    }

    fn actions(&mut self, actions: &[Action]) {
        self.heading("What it did");
        if actions.is_empty() {
            self.row("never used, as far as these logs show");
            return;
        }
        let total: u64 = actions.iter().map(|action| action.calls).sum();
        let widest = total.to_string().len();
        for action in actions.iter().take(MOST_LINES) {
            let marks = [(action.writes, "write"), (action.errors, "error")];
            let marks = marks.iter().filter(|(n, _)| *n > 0).map(|(n, what)| {
                let plural = if *n == 1 { "" } else { "s" };
                format!("  {n} {what}{plural}")
            });
            let name = words::action(&action.event_source, &action.event_name);
            let line = format!("{:widest$}  {name}{}", action.calls, marks.collect::<String>());
            self.row(&line);
        }
        if actions.len() > MOST_LINES {
            self.row(&format!("… {} more kinds of calls", actions.len() - MOST_LINES));
        }
    }

    fn started(&mut self, started: &[Session]) {
        self.heading("What it started");
        if started.is_empty() {
            self.row("no session, as far as these logs show");
        }
        for session in started.iter().take(MOST_LINES) {
            let begins = session.begins().map(time::format_instant).unwrap_or_default();
            let account = session.account_id.as_deref().unwrap_or("?");
            let name = session.session_name.as_deref().map(|name| format!("  {name}"));
            self.row(&format!(
                "{begins}  {}  {account}/{}{}  {}",
                words::short_id(&session.session_id),
                words::hat_from_above(session),
                name.unwrap_or_default(),
                words::calls(session)
            ));
        }
        if started.len() > MOST_LINES {
            self.row(&format!("… {} more sessions", started.len() - MOST_LINES));
        }
    }

    /// A text that may be cut: an agent's beginning says what it is.
    fn fit(&self, text: &str) -> String {
        cut(&safe::terminal(text), self.width.saturating_sub(2 + LABEL).max(20))
    }

    fn row(&mut self, line: &str) {
        let line = cut(&safe::terminal(line), self.width.saturating_sub(2));
        self.text.push_str(&format!("  {line}\n"));
    }
}

/// Why there is no issuing event to show.
pub(super) fn no_evidence(session: &Session) -> String {
    match (session.link_rule.as_deref(), session.unresolved_reason.as_deref()) {
        (Some("forwarded"), _) => {
            "inferred: forwarded calls; services make such keys themselves, and \
                                   no record shows it"
                .to_owned()
        }
        (Some(rule), _) => format!(
            "{}: {}; the issuing event is not in these logs",
            session.link_strength.as_deref().unwrap_or("inferred"),
            words::rule(rule)
        ),
        (None, Some(reason)) => format!("none: {}", words::reason_short(reason)),
        (None, None) if session.is_long_term() => {
            "long-term credentials: nobody issued them for a session".to_owned()
        }
        (None, None) => format!(
            "its own records name {}",
            if session.origin.is_some() {
                subject::origin_of(session)
            } else {
                "nobody".to_owned()
            }
        ),
    }
}

fn some_of<'v>(values: impl Iterator<Item = &'v str>, count: usize) -> String {
    let mut text = values.take(MOST_VALUES).collect::<Vec<_>>().join(", ");
    if count > MOST_VALUES {
        text.push_str(&format!(" and {} more", count - MOST_VALUES));
    }
    text
}

/// Breaks at blanks; a word that is too long stays whole, because ids must be copied whole.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_broken_at_blanks() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcdefghij", "k"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
