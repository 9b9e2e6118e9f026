//! Containers: the same records give the same events, whatever they are wrapped in, and the books
//! balance in all of them.

use crate::support::wraps::{self, Case, record, subscription};
use proptest::prelude::*;
use roletrail::events::rebuild;
use serde_json::{Value, json};

/// All forms hold what the plain file holds, in the same order.
fn assert_same(records: &[Value]) {
    let plain = Case::of(&wraps::records(records)).load();
    let events = wraps::events(&plain);
    for (name, bytes) in wraps::texts(records) {
        let loaded = Case::of(&bytes).load();
        let books = &loaded.books;
        let count = records.len() as u64;
        let said = wraps::rejects(&loaded);
        assert_eq!(
            (books.records, books.kept, books.rejected),
            (count, count, 0),
            "{name}: {said:?}"
        );
        assert!(wraps::events(&loaded) == events, "{name}");
        assert_eq!(wraps::numbers(&loaded), wraps::numbers(&plain), "{name}");
    }
}

/// However a text is packed, it holds what it holds.
fn assert_same_packed(records: &[Value], text: &[u8]) {
    let plain = Case::of(text).load();
    let events = wraps::events(&plain);
    for (name, bytes) in wraps::packed(text) {
        let loaded = Case::of(&bytes).load();
        let books = &loaded.books;
        let count = records.len() as u64;
        let said = wraps::rejects(&loaded);
        assert_eq!(
            (books.records, books.kept, books.rejected),
            (count, count, 0),
            "{name}: {said:?}"
        );
        assert!(wraps::events(&loaded) == events, "{name}");
    }
}

#[test]
fn every_compression_and_archive_gives_the_same_events() {
    let records: Vec<Value> = (1..=5).map(record).collect();
    for text in [wraps::records(&records), subscription(&records).to_string().into_bytes()] {
        assert_same_packed(&records, &text);
    }
}

#[test]
fn every_container_gives_the_same_events() {
    assert_same(&(1..=5).map(record).collect::<Vec<_>>());
    assert_same(&[record(1)]);
}

#[test]
fn windows_do_not_matter() {
    let large = |n| {
        let mut large = record(n);
        large["requestParameters"] = json!({"x": "é{\"[,\\".repeat(20_000)});
        large
    };
    assert_same(&(1..=7).map(large).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The same records in every container: the same events, and each rebuilt as it was.
    #[test]
    fn any_records_survive_any_container(records in wraps::any_records()) {
        assert_same(&records);
        assert_same_packed(&records, &wraps::records(&records));
        let loaded = Case::of(&subscription(&records).to_string().into_bytes()).load();
        for batch in &loaded.tables["events"] {
            for row in 0..batch.num_rows() {
                let rebuilt = rebuild::record(batch, row);
                prop_assert!(records.contains(&rebuilt), "{rebuilt}");
            }
        }
    }
}

fn texts(loaded: &roletrail::pipeline::Loaded, column: &str) -> Vec<String> {
    use arrow::array::{Array, StringArray};
    let batches = loaded.tables["events"].iter();
    batches
        .flat_map(|batch| {
            let column = batch.column_by_name(column).unwrap();
            let column: &StringArray = column.as_any().downcast_ref().unwrap();
            let cell = |n| if column.is_valid(n) { column.value(n) } else { "NULL" }.to_owned();
            (0..column.len()).map(cell).collect::<Vec<_>>()
        })
        .collect()
}

fn load(bytes: impl AsRef<[u8]>) -> roletrail::pipeline::Loaded {
    Case::of(bytes.as_ref()).load()
}

#[test]
fn one_bad_element_costs_one_and_its_place_is_named() {
    let good = |n| record(n).to_string();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let cases = [
        (
            format!("{}\n{{\"eventTime\":\"x,\n{}\n{}\n", good(1), good(2), good(3)),
            "record 2, byte",
        ),
        (format!("{}\nnot json at all\n{}\n{}\n", good(1), good(2), good(3)), "trailing junk"),
        (format!("[{},7,{},{}]", good(1), good(2), good(3)), "expected a record"),
        (
            format!(
                r#"{{"Events":[{{"CloudTrailEvent":{}}},{{"CloudTrailEvent":"{{\"eventTime\":"}},{{"CloudTrailEvent":{}}},{{"CloudTrailEvent":{}}}]}}"#,
                quoted(&good(1)),
                quoted(&good(2)),
                quoted(&good(3))
            ),
            "CloudTrailEvent: not a record: EOF",
        ),
        (
            format!(
                r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"message":{}}},{{"message":"START RequestId: 5"}},{{"message":{}}},{{"message":{}}}]}}"#,
                quoted(&good(1)),
                quoted(&good(2)),
                quoted(&good(3))
            ),
            "the object has message",
        ),
        (
            format!(
                r#"{{"logEvents":[{{"message":{}}},{{"message":{}}},{{"message":{}}},{{"message":{}}}]}}"#,
                quoted(&good(1)),
                quoted(r#"{"eventTime":"noon","eventName":"x"}"#),
                quoted(&good(2)),
                quoted(&good(3))
            ),
            "in logEvents[].message: eventTime is not an instant",
        ),
        (
            format!(
                "x,y\n1,{}\n2,nothing\n3,{}\n4,{}\n",
                csv(&good(1)),
                csv(&good(2)),
                csv(&good(3))
            ),
            "no column of this row",
        ),
        (
            format!(
                "x,y\n1,{}\n2,\"open\n3,{}\n4,{}\n",
                csv(&good(1)),
                csv(&good(2)),
                csv(&good(3))
            ),
            "record 2",
        ),
        (
            format!("{}{}{}{}", good(1), r#"{"digestS3Object":"x"}"#, good(2), good(3)),
            "a digest, no record of a call",
        ),
        (
            format!(
                "{}\n{}\n{}\n{}\n",
                r#"{"eventTime":"2024-05-01T09:00:00Z","eventType":"AwsCloudTrailInsight"}"#,
                good(1),
                good(2),
                good(3)
            ),
            "record 1, byte 0: a record of kind Insights",
        ),
        (
            format!("{}\n{{\"Records\":[{{\"eventTime\":5}},{}]}}\n{}", good(1), good(2), good(3)),
            "not an instant",
        ),
    ];
    for (text, reason) in cases {
        let loaded = load(&text);
        let said = wraps::rejects(&loaded);
        assert_eq!((loaded.books.kept, loaded.books.rejected), (3, 1), "{text}: {said:?}");
        assert!(said[0].contains(reason), "{said:?} should say {reason}");
    }
}

fn csv(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[test]
fn what_is_cut_off_or_joined_wrongly_hides_nothing_that_can_be_read() {
    let document = |n| json!({"Records": [record(n), record(n + 1)]}).to_string();
    let cut = |text: String, from_end: usize| text[..text.len() - from_end].to_owned();
    for (text, kept, rejected) in [
        (cut(document(1), 2), 2, 1),
        (cut(document(1), 30) + &document(3), 3, 1),
        (document(1) + "garbage" + &document(3), 4, 1),
        (document(1) + "]}" + &document(3), 4, 1),
        (format!("\u{0}\u{0}{}", document(1)), 2, 1),
        (document(1) + "\u{0}\u{0}\u{0}", 2, 1),
        (format!("<html>{}", document(1)), 2, 1),
        (format!("{}\n{}", document(1), cut(document(3), 400)), 3, 1),
        ("[".repeat(1_000_000), 0, 1),
        (format!("{}{}", "[".repeat(1_000_000), document(1)), 2, 2),
        (format!("[{},{},{}]", record(1), "[".repeat(5000) + &"]".repeat(5000), record(2)), 2, 1),
        (
            format!(
                r#"{{"a":{}1{},"Records":[{}]}}"#,
                "[".repeat(9000),
                "]".repeat(9000),
                record(1)
            ),
            1,
            0,
        ),
        (format!("{}\n{{\"x\":\"\\ud800\",\"eventTime\":1}}\n{}", record(1), record(2)), 2, 1),
        (format!("{}\n{{\"message\":\"\\ud800 {{\"}}\n{}", record(1), record(2)), 2, 1),
    ] {
        let case = Case::of(text.as_bytes());
        case.file("good.json", &wraps::records(&[record(9)]));
        let loaded = case.load();
        let said = wraps::rejects(&loaded);
        let start: String = text.chars().take(60).collect();
        let found = (loaded.books.kept - 1, loaded.books.rejected);
        assert_eq!(found, (kept, rejected), "{start}: {said:?}");
    }
}

#[test]
fn a_record_over_the_limit_costs_itself_alone_and_nothing_in_it_is_believed() {
    let inner = json!({"eventTime": "2024-05-01T09:00:00Z", "eventName": "Invented"}).to_string();
    let numbers = "[1,2,3],".repeat(3 << 20);
    for filling in [format!("{numbers}0"), format!("{inner},").repeat(400_000) + "0"] {
        let large = format!(r#"{{"eventTime":"2024-05-01T09:00:00Z","x":[{filling}],"y":"}}]"}}"#);
        assert!(large.len() > 17 << 20);
        for text in [
            format!(r#"{{"Records":[{},{large},{}]}}"#, record(1), record(2)),
            format!("{}\n{large}\n{}", record(1), record(2)),
        ] {
            let loaded = load(&text);
            let said = wraps::rejects(&loaded);
            assert_eq!((loaded.books.kept, loaded.books.rejected), (2, 1), "{said:?}");
            assert!(said[0].contains("record exceeds 16777216 bytes"), "{said:?}");
        }
    }
    let beside = format!(r#"{{"x":[{numbers}0],"Records":[{},{}]}}"#, record(1), record(2));
    assert_eq!(load(&beside).books.kept, 2);
}

#[test]
fn unknown_shapes_say_what_they_are_and_what_to_do() {
    for (text, reason) in [
        (&b"PAR1\x15\x04"[..], "footer at its end is missing"),
        (b"\xff\xfe{\0", "UTF-16"),
        (b"{\0\"\0R\0", "UTF-16LE"),
        (b"\xfd7zXZ\0\0\x04", "xz -d"),
        (b"BZh91AY&SY", "bzip2 -d"),
        (b"H4sIAAAAAAAA", "base64 -d"),
        (br#"{"hits":{"hits":[]},"took":5}"#, "the object has hits, took"),
        (b"a,b\n1,2\n", "not JSON"),
        (br#"{"message":"{\"Records\":[]}"}"#, "whole log file"),
        (br#""text""#, "not JSON"),
    ] {
        let case = Case::of(text);
        case.file("good.json", &wraps::records(&[record(1)]));
        let said = wraps::rejects(&case.load());
        assert!(said.len() == 1 && said[0].contains(reason), "{said:?} should say {reason}");
    }
    for (text, what) in
        [(r#"{"digestS3Object":"x"}"#, "digest"), (r#"{"hashSignature":"x"}"#, "signature")]
    {
        let case = Case::of(text.as_bytes());
        case.file("good.json", &wraps::records(&[record(1)]));
        assert_eq!(case.load().books.passed_over[what], 1);
    }
}

#[test]
fn tables_whose_columns_are_the_members_of_a_record_are_read_where_nothing_is_lost() {
    let head = "eventversion,useridentity,eventtime,eventsource,eventname,awsregion,readonly,\
                requestparameters,eventid,recipientaccountid,account,resources\n";
    let identity =
        csv(r#"{"type":"AssumedRole","principalid":"AROA1:x","arn":"a","accountid":"1234567890",
        "sessioncontext":{"attributes":{"creationdate":"2024-05-01T08:00:00Z"}}}"#);
    let row = |identity: &str, parameters: &str| {
        format!(
            "1.08,{identity},2024-05-01 09:00:00.000,sts.amazonaws.com,GetCallerIdentity,eu-west-1,true,\
             {parameters},e{},12345678901,222222222222,\n",
            parameters.len()
        )
    };
    let parameters = csv(r#"{"bucketName":"b"}"#);
    let text = format!(
        "{head}{}{}{}",
        row(&identity, &parameters),
        row("\"{type=AssumedRole, arn=x}\"", "null"),
        row(&identity, "\"{bucketName=b}\"")
    );
    let loaded = load(&text);
    let said = wraps::rejects(&loaded);
    assert_eq!((loaded.books.kept, loaded.books.rejected), (1, 2), "{said:?}");
    assert!(said[0].contains("CAST(userIdentity AS JSON)"), "{said:?}");
    assert!(said[1].contains("CAST(requestParameters AS JSON)"), "{said:?}");
    for (column, value) in [
        ("principal_id", "AROA1:x"),
        ("account_id", "001234567890"),
        ("recipient_account_id", "012345678901"),
        ("request_parameters", r#"{"bucketName":"b"}"#),
        ("event_name", "GetCallerIdentity"),
    ] {
        assert_eq!(texts(&loaded, column), [value]);
    }
    let event = &rebuild::record(&loaded.tables["events"][0], 0);
    assert_eq!(
        event["userIdentity"]["sessionContext"]["attributes"]["creationDate"],
        "2024-05-01T08:00:00Z"
    );
    assert_eq!((&event["account"], &event["readOnly"]), (&json!("222222222222"), &json!(true)));
    assert_eq!(event["recipientAccountId"], "12345678901", "what was there is kept");
}

#[test]
fn what_a_caller_wrote_into_a_request_is_never_taken_for_the_record() {
    let forged = record(9).to_string();
    let request = serde_json::json!({"message": forged, "detail": record(8)}).to_string();
    let text = format!(
        "eventtime,eventname,eventsource,eventid,requestparameters,additionaleventdata\n\
         2024-05-01T09:00:00Z,Publish,sns.amazonaws.com,e1,{},{}\n",
        csv(&request),
        csv(&forged)
    );
    let loaded = load(&text);
    assert_eq!(texts(&loaded, "event_name"), ["Publish"], "{:?}", wraps::rejects(&loaded));
    assert_eq!(texts(&loaded, "event_id"), ["e1"]);
}

#[test]
fn account_ids_that_became_numbers_are_read_with_their_zeros() {
    let mut odd = record(1);
    odd["recipientAccountId"] = json!(12345678901u64);
    odd["userIdentity"]["accountId"] = json!(123456789012u64);
    odd["resources"] = json!([{"ARN": "a", "accountId": 5, "type": "t"}, {"accountId": "77"}]);
    let loaded = load(wraps::records(std::slice::from_ref(&odd)));
    assert_eq!(texts(&loaded, "recipient_account_id"), ["012345678901"]);
    assert_eq!(texts(&loaded, "account_id"), ["123456789012"]);
    let batch = &loaded.tables["events"][0];
    assert_eq!(rebuild::record(batch, 0), odd);
    let shown = arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch))
        .unwrap()
        .to_string();
    assert!(shown.contains("000000000005") && shown.contains("000000000077"), "{shown}");
}

#[test]
fn text_made_of_beginnings_does_not_hide_the_record_behind_it() {
    for filling in ["{,".repeat(20_000), "{\"a\":\"b\",\n".repeat(5_000), "[{,".repeat(20_000)] {
        let text = format!("{{\"Records\":[{},{filling}{}]}}", record(1), record(2));
        let loaded = load(&text);
        let said = wraps::rejects(&loaded);
        assert_eq!(loaded.books.kept, 2, "{said:?}");
    }
}
