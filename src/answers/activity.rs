//! Who did what: the view **activity**, filtered.

use datafusion::execution::SendableRecordBatchStream;

use super::filter::{Filter, Window};
use super::pattern::{has_wildcard, like};
use super::touching;
use super::unmatched::{self, Probe, Sought, Unmatched};
use crate::error::Result;
use crate::sql::Sql;

/// IAM's service prefix and the event source's, where they differ. Source: Service Authorization
/// Reference, beside the CloudTrail documentation of each service.
const OTHER_PREFIX: &[(&str, &str)] = &[
    ("application-autoscaling", "autoscaling"),
    ("cloudwatch", "monitoring"),
    ("efs", "elasticfilesystem"),
    ("ses", "email"),
    ("tag", "tagging"),
];

/// Which calls are wanted; everything that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct ActivityFilter {
    /// `iam:PutRolePolicy`, `s3:Delete*`, or a call's name alone.
    pub action: Option<String>,
    /// ARN or name of what was touched, with wildcards.
    pub resource: Option<String>,
    /// Role name or ARN of the calling session, with wildcards.
    pub role: Option<String>,
    /// Part of the origin, or a pattern.
    pub origin: Option<String>,
    /// Account whose log holds the call.
    pub account: Option<String>,
    /// Address it came from, with wildcards, or a network.
    pub source_ip: Option<String>,
    /// Access key that signed it.
    pub access_key: Option<String>,
    /// When.
    pub window: Window,
    /// Only calls that failed (`true`), only calls that succeeded (`false`).
    pub errors: Option<bool>,
    /// Only calls that change something.
    pub writes: bool,
    /// Without the calls of AWS services.
    pub no_services: bool,
    /// Only calls whose origin is not known.
    pub unresolved: bool,
}

/// What is read of each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// All columns of the view.
    All,
    /// What a line for people needs, with `resource_arn`: the first resource's.
    ForPeople,
}

impl Columns {
    fn list(self) -> &'static str {
        match self {
            Columns::All => "*",
            Columns::ForPeople => {
                "event_time, origin_type, origin, origin_account_id, origin_detail, chain,
                 chain_strength, event_source, event_name, source_ip_address,
                 coalesce(error_code, error_message) AS failure,
                 coalesce(resources[1]['arn'], denied_role_arn) AS resource_arn,
                 request_parameters, event_id"
            }
        }
    }

    /// A denied call shows no parameters; which role it wanted is known from its message.
    fn joined(self, filter: &mut Filter, window: Window) -> String {
        if self == Columns::All {
            return String::new();
        }
        let then = filter.between("event_time", window);
        format!(
            "LEFT JOIN (SELECT event_id AS denied_event_id, min(role_arn) AS denied_role_arn
                        FROM grants WHERE outcome = 'denied' AND role_arn IS NOT NULL AND {then}
                        GROUP BY event_id) AS denied
             ON denied_event_id = event_id"
        )
    }
}

/// Streams the calls by time.
///
/// # Errors
/// The engine's.
pub async fn list(
    sql: &Sql,
    wanted: &ActivityFilter,
    columns: Columns,
    limit: Option<usize>,
) -> Result<SendableRecordBatchStream> {
    let mut filter = conditions(sql, wanted, wanted.window).await?;
    let joined = columns.joined(&mut filter, wanted.window);
    let (clause, params) = filter.finish();
    let columns = columns.list();
    let statement =
        format!("SELECT {columns} FROM activity {joined} {clause} ORDER BY event_time, event_id");
    let mut frame = sql.plan(&statement, params).await?;
    if limit.is_some() {
        frame = frame.limit(0, limit)?;
    }
    sql.run(frame).await
}

/// Everything that is wanted, in this window.
///
/// # Errors
/// The engine's.
async fn conditions(sql: &Sql, wanted: &ActivityFilter, window: Window) -> Result<Filter> {
    let mut filter = Filter::default();
    if let Some(action) = &wanted.action {
        by_action(&mut filter, action);
    }
    if let Some(resource) = &wanted.resource {
        touching::condition(sql, &mut filter, resource, window).await?;
    }
    filter.fits(&["role_name", "role_arn"], wanted.role.as_deref());
    filter.contains(&["origin"], wanted.origin.as_deref());
    filter.fits(&["recipient_account_id"], wanted.account.as_deref());
    if let Some(address) = &wanted.source_ip {
        let from = filter.in_network("source_ip_address", address);
        filter.add(from);
    }
    filter.fits(&["access_key_id"], wanted.access_key.as_deref());
    filter.events_in(window, "activity");
    // A failed sign-in has a message, but no code.
    match wanted.errors {
        Some(true) => filter.add("coalesce(error_code, error_message) IS NOT NULL"),
        Some(false) => filter.add("coalesce(error_code, error_message) IS NULL"),
        None => {}
    }
    if wanted.writes {
        filter.add("read_only = false");
    }
    if wanted.unresolved {
        filter.add("origin IS NULL");
    }
    if wanted.no_services {
        filter.add("origin_type IS DISTINCT FROM 'AWSService'");
    }
    Ok(filter)
}

/// Why [`list`] found nothing.
///
/// # Errors
/// The engine's.
pub async fn unmatched(sql: &Sql, wanted: &ActivityFilter) -> Result<Unmatched> {
    let mut probes = Vec::new();
    if let Some(action) = &wanted.action {
        let mut filter = Filter::default();
        by_action(&mut filter, action);
        // The limit keeps what is asked of a name from being asked of every event.
        let names = "SELECT split_part(event_source, '.', 1) || ':' || event_name AS name
                     FROM (SELECT DISTINCT event_source, event_name FROM events LIMIT 100000)";
        probes.push(Probe::new(Sought::Action, action, "events", filter).names(names, ':'));
    }
    if let Some(resource) = &wanted.resource {
        probes.push(touching::probe(resource));
    }
    if let Some(role) = &wanted.role {
        probes.push(unmatched::role(role));
    }
    if let Some(origin) = &wanted.origin {
        probes.push(unmatched::origin(origin));
    }
    if let Some(account) = &wanted.account {
        let there = Filter::of_fitting(&["account_id"], account);
        let probe = Probe::new(Sought::Account, account, "coverage", there);
        let by_others = Filter::of_fitting(&["account_id", "origin_account_id"], account);
        let names = "SELECT account_id AS name FROM coverage";
        probes.push(probe.named("sessions", by_others).names(names, ':'));
    }
    if let Some(address) = &wanted.source_ip {
        probes.push(unmatched::address(address));
    }
    if let Some(key) = &wanted.access_key {
        let used = Filter::of_fitting(&["access_key_id"], key);
        let issued = Filter::of_fitting(&["issued_access_key_id"], key);
        let names = "SELECT unnest(access_key_ids) AS name FROM sessions";
        let probe = Probe::new(Sought::AccessKey, key, "events", used);
        probes.push(probe.named("grants", issued).names(names, ':'));
    }
    let mut found = unmatched::unmatched(sql, probes).await?;
    if found.unknown.is_empty() && wanted.window != Window::default() {
        let anytime = conditions(sql, wanted, Window::default()).await?;
        found.elsewhere = unmatched::elsewhere(sql, ("activity", "event_time"), anytime).await?;
    }
    Ok(found)
}

/// IAM's actions know no case, and some services put the API's version behind the call's name
/// (`UpdateFunctionCode20150331v2`).
fn by_action(filter: &mut Filter, action: &str) {
    let (service, call) = match action.split_once(':') {
        Some((service, call)) => (Some(service), call),
        None => (None, action),
    };
    let name = filter.bind(&like(call));
    if has_wildcard(call) {
        filter.add(format!("event_name ILIKE {name}"));
    } else {
        let versioned = filter.bind(&format!("{}20%", like(call)));
        filter.add(format!("event_name ILIKE {name} OR event_name ILIKE {versioned}"));
    }
    if let Some(service) = service.filter(|service| *service != "*") {
        let prefix = service.to_ascii_lowercase();
        let prefix = prefix.strip_suffix(".amazonaws.com").unwrap_or(&prefix);
        let source = filter.bind(&format!("{}.%", like(prefix)));
        let mut condition = format!("event_source LIKE {source}");
        if let Some((_, other)) = OTHER_PREFIX.iter().find(|(iam, _)| *iam == prefix) {
            let source = filter.bind(&format!("{other}.%"));
            condition.push_str(&format!(" OR event_source LIKE {source}"));
        }
        filter.add(condition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_become_conditions() {
        let clause = |action: &str| {
            let mut filter = Filter::default();
            by_action(&mut filter, action);
            filter.finish().0
        };
        assert_eq!(
            clause("s3:Delete*"),
            "WHERE (event_name ILIKE $p0) AND (event_source LIKE $p1)"
        );
        assert_eq!(clause("*:Put*"), "WHERE (event_name ILIKE $p0)");
        assert_eq!(clause("PutRolePolicy"), "WHERE (event_name ILIKE $p0 OR event_name ILIKE $p1)");
        assert!(clause("cloudwatch:PutMetricAlarm").ends_with("OR event_source LIKE $p3)"));
    }
}
