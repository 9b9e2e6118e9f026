//! Calls that change what CloudTrail records, with who was behind them.

use futures::StreamExt;

use super::{CoverageFilter, Finding};
use crate::answers::filter::Filter;
use crate::answers::rows::Rows;
use crate::error::Result;
use crate::sql::Sql;

/// What a call does to the recording. Source: CloudTrail API Reference, actions that change trails,
/// event data stores, channels and who administers them.
const CALLS: &[(&str, &[&str])] = &[
    (
        "stops",
        &["StopLogging", "DeleteTrail", "StopEventDataStoreIngestion", "DeleteEventDataStore"],
    ),
    (
        "narrows",
        &[
            "UpdateTrail",
            "PutEventSelectors",
            "PutInsightSelectors",
            "PutEventConfiguration",
            "UpdateEventDataStore",
            "UpdateChannel",
            "DeleteChannel",
            "PutResourcePolicy",
            "DeleteResourcePolicy",
            "DeregisterOrganizationDelegatedAdmin",
        ],
    ),
    (
        "starts",
        &[
            "CreateTrail",
            "StartLogging",
            "CreateEventDataStore",
            "RestoreEventDataStore",
            "StartEventDataStoreIngestion",
            "CreateChannel",
            "RegisterOrganizationDelegatedAdmin",
        ],
    ),
];

/// By time. `state` is `narrows` for whatever may narrow: what it does is in its parameters.
pub(super) async fn trail_changes(sql: &Sql, wanted: &CoverageFilter) -> Result<Vec<Finding>> {
    let mut filter = Filter::default();
    filter.add("event_source IN ('cloudtrail.amazonaws.com', 'cloudtrail.amazonaws.com.cn')");
    let names = CALLS.iter().flat_map(|(_, names)| names.iter().copied());
    let names = filter.bind_list(names);
    filter.add(format!("event_name IN ({names})"));
    filter.fits(&["recipient_account_id"], wanted.account.as_deref());
    filter.fits(&["aws_region"], wanted.region.as_deref());
    filter.events_in(wanted.window, "activity");
    let (clause, params) = filter.finish();
    let statement = format!(
        "SELECT event_time, recipient_account_id, aws_region, event_source, event_name,
                resources[1]['arn'] AS resource_arn, request_parameters, origin_type, origin,
                origin_account_id, origin_detail, chain, chain_strength,
                coalesce(error_code, error_message) AS failure, event_id
         FROM activity {clause} ORDER BY event_time, event_id"
    );
    let mut found = Vec::new();
    let mut stream = sql.stream(&statement, params).await?;
    while let Some(batch) = stream.next().await {
        let rows = Rows::new(&batch?)?;
        found.extend((0..rows.len()).map(|row| finding(&rows, row)));
    }
    Ok(found)
}

fn finding(rows: &Rows, row: usize) -> Finding {
    let text = |name| rows.string(name, row);
    let name = text("event_name");
    let effect = CALLS.iter().find(|(_, names)| names.iter().any(|n| Some(*n) == name.as_deref()));
    Finding {
        account_id: text("recipient_account_id"),
        aws_region: text("aws_region"),
        since: rows.time("event_time", row),
        state: effect.map(|(effect, _)| (*effect).to_owned()),
        event_source: text("event_source"),
        event_name: name,
        resource_arn: text("resource_arn"),
        request_parameters: text("request_parameters"),
        origin_type: text("origin_type"),
        origin: text("origin"),
        origin_account_id: text("origin_account_id"),
        origin_detail: text("origin_detail"),
        chain: rows.list("chain", row),
        chain_strength: text("chain_strength"),
        failure: text("failure"),
        event_id: text("event_id"),
        ..Finding::default()
    }
}
