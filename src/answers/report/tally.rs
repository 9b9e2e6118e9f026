//! Everything that is counted over the calls of the window, in one pass: the engine counts by session,
//! and what it gives is added up here. Asking for each number by itself would join all calls to those
//! behind them each time.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use futures::StreamExt;

use super::super::filter::Window;
use super::super::rows::Rows;
use super::attribution::{Attribution, Outcome};
use super::calls;
use super::figures::{Figures, Origin, Role};
use crate::error::Result;
use crate::sql::Sql;

/// Origins and roles that are listed.
const MOST_LISTED: usize = 10;

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The totals.
    pub figures: Figures,
    /// Who made most calls, most first; AWS's own services aside.
    pub origins: Vec<Origin>,
    /// Under which roles most were made.
    pub roles: Vec<Role>,
    /// Of how many it is known who made them.
    pub attribution: Attribution,
}

/// Counts.
///
/// # Errors
/// The engine's.
pub(super) async fn tally(sql: &Sql, window: Window) -> Result<Tally> {
    let (clause, params) = calls(window, &[]);
    let statement = format!(
        "SELECT a.session_id, a.origin_type, a.origin, a.origin_account_id, a.origin_detail,
                a.role_arn, a.role_name, a.chain_strength, a.unresolved_reason,
                a.recipient_account_id, a.aws_region, count(*) AS calls,
                count(*) FILTER (WHERE a.read_only = false) AS writes,
                count(coalesce(a.error_code, a.error_message)) AS errors,
                min(a.event_time) AS first, max(a.event_time) AS last
         FROM activity a {clause} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
    );
    let mut sums = Sums::default();
    let mut rows = sql.stream(&statement, params).await?;
    while let Some(batch) = rows.next().await {
        let rows = Rows::new(&batch?)?;
        (0..rows.len()).for_each(|row| sums.add(&rows, row));
    }
    Ok(sums.finish())
}

/// Different texts, known by 128 bits of each: sessions may be millions.
#[derive(Default)]
struct Distinct(HashSet<u128>);

impl Distinct {
    fn add(&mut self, value: impl Hash) {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &value).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        self.0.insert(half(0) << 64 | half(1));
    }

    fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Calls of one kind.
#[derive(Default)]
struct Sum {
    calls: u64,
    writes: u64,
    errors: u64,
    unknown: u64,
    sessions: Distinct,
    /// Roles of an origin, or origins of a role.
    others: Distinct,
}

impl Sum {
    fn add(&mut self, rows: &Rows, row: usize) {
        self.calls += rows.count("calls", row);
        self.writes += rows.count("writes", row);
        self.errors += rows.count("errors", row);
        if let Some(session) = rows.text("session_id", row) {
            self.sessions.add(session);
        }
    }
}

type Texts<const N: usize> = [Option<String>; N];

#[derive(Default)]
struct Sums {
    all: Sum,
    first: Option<i64>,
    last: Option<i64>,
    service_calls: u64,
    people: Distinct,
    roles: Distinct,
    accounts: Distinct,
    regions: Distinct,
    /// By type, origin, account and detail.
    by_origin: HashMap<Texts<4>, Sum>,
    /// By ARN and name.
    by_role: HashMap<Texts<2>, Sum>,
    /// By strength and reason.
    by_outcome: HashMap<Texts<2>, Sum>,
}

impl Sums {
    fn add(&mut self, rows: &Rows, row: usize) {
        let text = |name| rows.string(name, row);
        self.all.add(rows, row);
        let (first, last) = (rows.time("first", row), rows.time("last", row));
        self.first = self.first.into_iter().chain(first).min();
        self.last = self.last.max(last);
        for (name, seen) in [
            ("role_arn", &mut self.roles),
            ("recipient_account_id", &mut self.accounts),
            ("aws_region", &mut self.regions),
        ] {
            if let Some(value) = rows.text(name, row) {
                seen.add(value);
            }
        }
        let origin = ["origin_type", "origin", "origin_account_id", "origin_detail"].map(text);
        let calls = rows.count("calls", row);
        let service = origin[0].as_deref() == Some("AWSService");
        // Instances and functions are workloads of one service.
        let detail = origin[3].as_deref().filter(|_| !service);
        let who = (&origin[..3], detail);
        if service {
            self.service_calls += calls;
        }
        let role = ["role_arn", "role_name"].map(text);
        if role[1].is_some() {
            let sum = self.by_role.entry(role.clone()).or_default();
            sum.add(rows, row);
            sum.others.add(who);
            sum.unknown += if origin[1].is_none() { calls } else { 0 };
        }
        let reason = match origin[1] {
            Some(_) => None,
            None => text("unresolved_reason").or(Some("identity_not_recorded".to_owned())),
        };
        self.by_outcome.entry([text("chain_strength"), reason]).or_default().add(rows, row);
        if origin[1].is_some() && !service {
            self.people.add(who);
            let sum = self.by_origin.entry(origin).or_default();
            sum.add(rows, row);
            if let Some(role) = &role[0] {
                sum.others.add(role);
            }
        }
    }

    fn finish(self) -> Tally {
        let mut attribution = Attribution::default();
        for ([chain_strength, unresolved_reason], sum) in most_first(self.by_outcome, [1, 0]) {
            let of = match unresolved_reason {
                None => &mut attribution.known,
                Some(_) => &mut attribution.unknown,
            };
            *of += sum.calls;
            let sessions = sum.sessions.count();
            let outcome = Outcome { chain_strength, unresolved_reason, calls: sum.calls, sessions };
            attribution.outcomes.push(outcome);
        }
        let origins = most_first(self.by_origin, [1, 3, 2, 0]).into_iter().take(MOST_LISTED);
        let roles = most_first(self.by_role, [0, 1]).into_iter().take(MOST_LISTED);
        Tally {
            figures: Figures {
                calls: self.all.calls,
                writes: self.all.writes,
                errors: self.all.errors,
                service_calls: self.service_calls,
                origins: self.people.count(),
                sessions: self.all.sessions.count(),
                roles: self.roles.count(),
                accounts: self.accounts.count(),
                regions: self.regions.count(),
                first_event_at: self.first,
                last_event_at: self.last,
            },
            origins: origins.map(origin).collect(),
            roles: roles.map(role).collect(),
            attribution,
        }
    }
}

fn origin((key, sum): (Texts<4>, Sum)) -> Origin {
    let [origin_type, origin, origin_account_id, origin_detail] = key;
    Origin {
        origin_type,
        origin,
        origin_account_id,
        origin_detail,
        calls: sum.calls,
        writes: sum.writes,
        errors: sum.errors,
        sessions: sum.sessions.count(),
        roles: sum.others.count(),
    }
}

fn role(([role_arn, role_name], sum): (Texts<2>, Sum)) -> Role {
    Role {
        role_arn,
        role_name,
        calls: sum.calls,
        writes: sum.writes,
        errors: sum.errors,
        sessions: sum.sessions.count(),
        origins: sum.others.count(),
        unknown: sum.unknown,
    }
}

/// By calls, the most first; equals by their texts in this order, what has none last.
fn most_first<const N: usize>(
    sums: HashMap<Texts<N>, Sum>,
    order: [usize; N],
) -> Vec<(Texts<N>, Sum)> {
    let mut all: Vec<_> = sums.into_iter().collect();
    all.sort_by(|(a, one), (b, other)| {
        let texts = order.iter().map(|i| (a[*i].is_none(), &a[*i]).cmp(&(b[*i].is_none(), &b[*i])));
        let by_text = texts.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then);
        other.calls.cmp(&one.calls).then(by_text)
    });
    all
}
