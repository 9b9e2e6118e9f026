//! Records in every container that is read.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder, StructArray};
use arrow::datatypes::{DataType, Field};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use roletrail::pipeline::Loaded;
use serde_json::{Value, json};

/// A plain record with a number.
pub fn record(n: u32) -> Value {
    json!({
        "eventVersion": "1.08", "eventTime": format!("2024-05-01T09:{:02}:{:02}Z", n / 60 % 60, n % 60),
        "eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances",
        "eventID": format!("00000000-0000-4000-8000-{n:012}"), "awsRegion": "eu-west-1",
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "111111111111",
                         "arn": "arn:aws:iam::111111111111:user/anna", "accessKeyId": "AKIAEXAMPLE"},
        "requestParameters": null, "responseElements": null, "readOnly": true,
        "recipientAccountId": "111111111111"
    })
}

/// Records of any content, with numbers of their own.
pub fn any_records() -> impl Strategy<Value = Vec<Value>> {
    let odd = (any_json(), ".{0,20}", any::<u64>(), any::<bool>());
    prop::collection::vec(odd, 1..6).prop_map(|odd| {
        let numbered = (1u32..).zip(odd);
        numbered
            .map(|(n, (value, text, number, flag))| {
                let mut record = record(n);
                record["requestParameters"] = value;
                record["userAgent"] = text.clone().into();
                record["additionalEventData"] =
                    json!({"text": text, "quoted": "{\"a\":\"\\\"\n,}]"});
                record["extraMember"] = json!([number, flag, null]);
                if flag {
                    record["recipientAccountId"] = json!(number % 1_000_000_000_000);
                }
                record
            })
            .collect()
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A log file as CloudTrail writes it.
pub fn records(records: &[Value]) -> Vec<u8> {
    json!({ "Records": records }).to_string().into_bytes()
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A zip of files.
pub fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A tar of files.
pub fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A text in everything that it may be handed over in.
pub fn packed(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (a, b) = text.split_at(text.len() / 2);
    let long = "AWSLogs/111111111111/CloudTrail/eu-west-1/2024/05/01/".repeat(4) + "a.json";
    vec![
        ("gzip", gz(text)),
        ("gzip, two members", [gz(a), gz(b)].concat()),
        ("gzip in gzip", gz(&gz(text))),
        ("zstd", zst(text)),
        ("zstd, two frames", [zst(a), zst(b)].concat()),
        ("zip", zip(&[("case/a.json", text.to_vec())])),
        ("zip of gzip", zip(&[("a.json.gz", gz(text))])),
        ("gzip of zip", gz(&zip(&[("a.json", text.to_vec())]))),
        ("tar", tar(&[("a.json", text.to_vec())])),
        ("tar, long name", tar(&[(&long, text.to_vec())])),
        ("tar.gz", gz(&tar(&[("notes.txt", b"notes".to_vec()), ("a.json.gz", gz(text))]))),
        ("tar.zst", zst(&tar(&[("a.json", text.to_vec())]))),
        ("zip of tar.gz", zip(&[("in.tgz", gz(&tar(&[("a.json", text.to_vec())])))])),
        ("zip of zip", zip(&[("in.zip", zip(&[("a.json", text.to_vec())]))])),
    ]
}

fn lines(values: impl Iterator<Item = String>) -> Vec<u8> {
    values.map(|line| line + "\n").collect::<String>().into_bytes()
}

fn csv_cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A CloudWatch Logs document.
pub fn subscription(records: &[Value]) -> Value {
    let event = |(n, r): (usize, &Value)| json!({"id": n.to_string(), "timestamp": 1, "message": r.to_string()});
    json!({
        "messageType": "DATA_MESSAGE", "owner": "111111111111", "logGroup": "trail",
        "logStream": "s", "subscriptionFilters": ["f"],
        "logEvents": records.iter().enumerate().map(event).collect::<Vec<_>>(),
    })
}

/// A document by which CloudWatch Logs tries out a subscription.
pub fn control() -> Value {
    json!({
        "messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "", "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": 1, "message":
            "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}],
    })
}

/// The records in every form of text.
pub fn texts(records: &[Value]) -> Vec<(&'static str, Vec<u8>)> {
    let each = |form: &dyn Fn(&Value) -> Value| lines(records.iter().map(|r| form(r).to_string()));
    let list = |form: &dyn Fn(&Value) -> Value| records.iter().map(form).collect::<Vec<_>>();
    let document = json!({ "Records": records });
    let pretty = serde_json::to_string_pretty(&document).unwrap();
    let lookup = list(&|r| {
        json!({"EventId": r["eventID"], "EventTime": 1714554000.0, "ReadOnly": "true", "Resources": [],
               "Username": "anna", "CloudTrailEvent": r.to_string()})
    });
    let firehose: String = records
        .chunks(2)
        .map(|few| subscription(few).to_string() + &control().to_string())
        .collect();
    let csv = |column: &str| {
        let head = format!("id,{column},note\r\n");
        let row = |r: &Value| format!("1,{},\"a, b\"\r\n", csv_cell(&r.to_string()));
        (head + &records.iter().map(row).collect::<String>()).into_bytes()
    };
    vec![
        ("Records", document.to_string().into_bytes()),
        ("pretty, CRLF", pretty.replace('\n', "\r\n").into_bytes()),
        ("byte order mark", [b"\xef\xbb\xbf".to_vec(), pretty.into_bytes()].concat()),
        ("another name", json!({"count": 1, "logs": records}).to_string().into_bytes()),
        ("array", Value::from(records.to_vec()).to_string().into_bytes()),
        ("pretty array", serde_json::to_string_pretty(records).unwrap().into_bytes()),
        ("lines", each(&|r| r.clone())),
        ("no separator", records.iter().map(Value::to_string).collect::<String>().into_bytes()),
        (
            "pretty one after the other",
            records
                .iter()
                .map(|r| serde_json::to_string_pretty(r).unwrap() + "\n")
                .collect::<String>()
                .into_bytes(),
        ),
        ("lookup-events", json!({"Events": lookup, "NextToken": "x"}).to_string().into_bytes()),
        (
            "EventBridge",
            each(&|r| {
                json!({"version": "0", "id": "x", "detail-type": "AWS API Call via CloudTrail",
                             "source": "aws.ec2", "time": "x", "detail": r})
            }),
        ),
        (
            "EventBridge array",
            Value::from(list(&|r| json!({"detail": r}))).to_string().into_bytes(),
        ),
        ("subscription", subscription(records).to_string().into_bytes()),
        ("Firehose", firehose.into_bytes()),
        (
            "CloudWatch export",
            lines(records.iter().map(|r| format!("2024-05-01T09:00:00.123Z {r}"))),
        ),
        (
            "syslog",
            lines(records.iter().map(|r| format!("<14>May  1 09:00:00 host trail[7]: {r}"))),
        ),
        ("Splunk", each(&|r| json!({"preview": false, "result": {"_raw": r.to_string()}}))),
        ("_raw", each(&|r| json!({"_raw": r.to_string(), "_time": "x"}))),
        ("Logstash", each(&|r| json!({"@timestamp": "x", "message": r.to_string()}))),
        ("Elastic", each(&|r| json!({"_index": "i", "_source": {"message": r.to_string()}}))),
        ("Elastic, objects", each(&|r| json!({"_index": "i", "_source": r}))),
        (
            "Elastic, ECS",
            each(&|r| json!({"message": "plain words", "event": {"original": r.to_string()}})),
        ),
        ("CSV", csv("CloudTrailEvent")),
        ("CSV, any name", csv("x")),
        (
            "several documents",
            records.iter().map(|r| json!({"Records": [r]}).to_string()).collect::<String>().into(),
        ),
        (
            "array of documents",
            Value::from(list(&|r| json!({"Records": [r]}))).to_string().into_bytes(),
        ),
        (
            "mixed",
            records
                .iter()
                .enumerate()
                .map(|(n, r)| match n % 4 {
                    0 => json!({ "Records": [r] }).to_string(),
                    1 => json!([{ "detail": r }]).to_string(),
                    2 => format!("{r}\n"),
                    _ => subscription(std::slice::from_ref(r)).to_string(),
                })
                .collect::<String>()
                .into_bytes(),
        ),
    ]
}

/// Records in tables of Parquet, small ones.
pub fn parquet(records: &[Value]) -> Vec<(&'static str, Vec<u8>)> {
    use parquet::basic::{Compression, GzipLevel};
    use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

    let names =
        ["eventTime", "eventName", "eventSource", "eventID", "requestParameters", "readOnly"];
    let text = |record: &Value, name: &str| match &record[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let strings = |cell: &dyn Fn(&Value) -> Option<String>| -> ArrayRef {
        Arc::new(records.iter().map(cell).collect::<StringArray>())
    };
    let column = |name: &'static str| (name.to_lowercase(), strings(&|r| text(r, name)));
    let identity = ["type", "principalId", "arn", "accountId"].map(|name| {
        let field = Field::new(name.to_lowercase(), DataType::Utf8, true);
        (Arc::new(field), strings(&|r| text(&r["userIdentity"], name)))
    });
    let identity: ArrayRef = Arc::new(StructArray::from(identity.to_vec()));
    let mut lists = ListBuilder::new(StringBuilder::new());
    records.iter().for_each(|_| lists.append_value([Some("a"), None]));
    let lists: ArrayRef = Arc::new(lists.finish());
    let of_members = names.map(column).into_iter();
    let of_members = of_members.chain([("useridentity".into(), identity), ("other".into(), lists)]);
    let members = RecordBatch::try_from_iter(of_members).unwrap();
    let event = strings(&|r| Some(r.to_string()));
    let events = RecordBatch::try_from_iter([("event", event)]).unwrap();

    let write = |batch: &RecordBatch, codec, version, dictionary| {
        let properties = WriterProperties::builder()
            .set_compression(codec)
            .set_writer_version(version)
            .set_dictionary_enabled(dictionary)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(1))
            .build();
        let mut bytes = Vec::new();
        let schema = batch.schema();
        let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties)).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        bytes
    };
    let (one, two) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    let gzip = Compression::GZIP(GzipLevel::default());
    vec![
        ("members", write(&members, Compression::UNCOMPRESSED, one, false)),
        ("members, gzip", write(&members, gzip, two, true)),
        ("members, snappy", write(&members, Compression::SNAPPY, one, true)),
        ("event", write(&events, Compression::UNCOMPRESSED, one, false)),
    ]
}

/// One file in a folder.
pub struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    pub fn new() -> Case {
        Case { dir: tempfile::tempdir().unwrap() }
    }

    /// A folder with one file, whose name says nothing of what is in it.
    pub fn of(bytes: &[u8]) -> Case {
        let case = Case::new();
        case.file("input.json", bytes);
        case
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn path(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub fn load(&self) -> Loaded {
        super::load(&[self.dir.path()])
    }
}

/// The table of events but for where each was read.
pub fn events(loaded: &Loaded) -> Option<RecordBatch> {
    let batches = &loaded.tables["events"];
    let all = arrow::compute::concat_batches(&batches.first()?.schema(), batches).unwrap();
    let source = ["source_file", "source_record"];
    let keep: Vec<usize> = (0..all.num_columns())
        .filter(|n| !source.contains(&all.schema().field(*n).name().as_str()))
        .collect();
    Some(all.project(&keep).unwrap())
}

/// `source_record` of all events, in their order.
pub fn numbers(loaded: &Loaded) -> Vec<i64> {
    let batches = loaded.tables["events"].iter();
    batches
        .flat_map(|batch| {
            let column = batch.column_by_name("source_record").unwrap();
            let column = column.as_any().downcast_ref::<arrow::array::Int64Array>().unwrap();
            column.values().to_vec()
        })
        .collect()
}

/// Position and reason of every reject.
pub fn rejects(loaded: &Loaded) -> Vec<String> {
    let text = |batch: &RecordBatch, name: &str, row: usize| {
        let column = batch.column_by_name(name).unwrap();
        let column = column.as_any().downcast_ref::<arrow::array::StringArray>().unwrap();
        column.value(row).to_owned()
    };
    let batches = loaded.tables["rejects"].iter();
    batches
        .flat_map(|batch| {
            let row = |n| format!("{}: {}", text(batch, "position", n), text(batch, "reason", n));
            (0..batch.num_rows()).map(row).collect::<Vec<_>>()
        })
        .collect()
}
