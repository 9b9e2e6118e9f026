//! The records of sample files, read with none of the tool's own code.

use std::io::Read;

use serde_json::Value;

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

fn within(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

fn list(mut document: Value, name: &str) -> Vec<Value> {
    std::mem::take(document[name].as_array_mut().unwrap())
}

/// The records in a file of this name; none where it is no log.
pub fn records(name: &str, bytes: &[u8]) -> Vec<Value> {
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let file = name.rsplit('/').next().unwrap();
    if name.ends_with(".json.gz") {
        list(json(&inflate(bytes)), "Records")
    } else if name.ends_with(".tar.gz") {
        let tar = inflate(bytes);
        let mut found = Vec::new();
        for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            found.extend(records(&name, &bytes));
        }
        found
    } else if file.starts_with("lookup-events-") {
        list(json(bytes), "Events").iter().map(|e| within(&e["CloudTrailEvent"])).collect()
    } else if file.starts_with("firehose-") {
        let text = inflate(bytes);
        let documents = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
        let documents =
            documents.map(|d| d.unwrap()).filter(|d| d["messageType"] == "DATA_MESSAGE");
        documents.flat_map(|d| list(d, "logEvents")).map(|e| within(&e["message"])).collect()
    } else {
        Vec::new()
    }
}
