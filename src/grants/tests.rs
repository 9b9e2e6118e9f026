//! What the tests of the kinds share: a record made from its parts, read as the tool reads it.

use serde_json::{Value, json};

use super::{Grant, Join};
use crate::decode::event::Decoder;
use crate::decode::raw::RawRecord;

/// Reads the grant out of a record with this service, call, caller, request and response.
pub(crate) fn read(
    service: &str,
    name: &str,
    identity: &Value,
    request: Value,
    response: Value,
) -> Option<Grant> {
    let record = json!({
        "eventVersion": "1.11", "eventID": "e", "eventTime": "2024-05-01T09:00:00Z",
        "awsRegion": "eu-west-1", "eventSource": format!("{service}.amazonaws.com"), "eventName": name,
        "userIdentity": identity, "requestParameters": request, "responseElements": response,
        "recipientAccountId": "111111111111",
    });
    read_record(&record)
}

/// Reads the grant out of a whole record.
pub(crate) fn read_record(record: &Value) -> Option<Grant> {
    let text = record.to_string();
    let raw: RawRecord = serde_json::from_str(&text).unwrap();
    let event = Decoder::default().event(&raw).unwrap();
    super::read(&event, "log.json.gz", 1)
}

/// The number of a way to join is kept between ingests; the list of them makes it known to
/// whoever reads it again. This match does not compile when one is missing here.
#[test]
fn the_list_of_joins_is_whole_and_in_order() {
    let place = |join: Join| match join {
        Join::Issued => 0,
        Join::SignIn => 1,
        Join::SigninToken => 2,
        Join::SignInSession => 3,
        Join::Switch => 4,
        Join::IdentityCenter => 5,
        Join::PodIdentity => 6,
        Join::LongTermKey => 7,
        Join::Password => 8,
        Join::Nothing => 9,
    };
    assert!(Join::ALL.iter().enumerate().all(|(i, join)| place(*join) == i));
    assert_eq!(place(Join::Nothing) + 1, Join::ALL.len());
}
