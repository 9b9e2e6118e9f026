//! Records written by hand, for cases that happen once in a million: every test says exactly what
//! stands in the log. All of it on 2024-05-01; times are given as `09:00:00`.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use roletrail::pipeline::Loaded;
use roletrail::sql::{Params, Source, Sql};
use serde_json::{Value, json};

use super::agree;

pub const HOME: &str = "111111111111";
pub const AWAY: &str = "222222222222";

/// Somebody who calls: the `userIdentity` of their records.
#[derive(Debug, Clone)]
pub struct Caller(pub Value);

impl Caller {
    /// An IAM user with a long-term key.
    pub fn user(account: &str, name: &str) -> Caller {
        Caller(json!({
            "type": "IAMUser", "principalId": format!("AIDA{}", name.to_uppercase()),
            "arn": format!("arn:aws:iam::{account}:user/{name}"), "accountId": account,
            "accessKeyId": format!("AKIA{}", name.to_uppercase()), "userName": name,
        }))
    }

    pub fn service(name: &str) -> Caller {
        Caller(json!({ "type": "AWSService", "invokedBy": name }))
    }

    /// The same with another key, or with none.
    pub fn with_key(&self, key: Option<&str>) -> Caller {
        self.with("/accessKeyId", key.map_or(Value::Null, Value::from))
    }

    /// The same with one member of the identity replaced; `Null` removes it.
    pub fn with(&self, pointer: &str, value: Value) -> Caller {
        let mut identity = self.0.clone();
        let (path, last) = pointer.rsplit_once('/').unwrap();
        let block = identity.pointer_mut(path).unwrap().as_object_mut().unwrap();
        match value {
            Value::Null => block.remove(last),
            value => block.insert(last.to_owned(), value),
        };
        Caller(identity)
    }

    pub fn with_source_identity(&self, name: &str) -> Caller {
        self.with("/sessionContext/sourceIdentity", name.into())
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer)?.as_str()
    }

    /// As the owner of the role sees a caller of another account.
    fn seen_from_outside(&self) -> Caller {
        Caller(json!({
            "type": "AWSAccount", "principalId": self.0["principalId"],
            "accountId": self.0["accountId"],
        }))
    }
}

/// A role; made again under its old name it has another id.
#[derive(Debug, Clone)]
pub struct Role {
    pub arn: String,
    pub id: String,
}

impl Role {
    pub fn new(account: &str, name: &str) -> Role {
        let plain = name.rsplit('/').next().unwrap();
        Role {
            arn: format!("arn:aws:iam::{account}:role/{name}"),
            id: format!("AROA{}{}", plain.to_uppercase(), &account[..2]),
        }
    }

    pub fn made_again(&self) -> Role {
        Role { id: format!("{}AGAIN", self.id), ..self.clone() }
    }

    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap()
    }

    pub fn name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap()
    }

    /// A session of the role as its calls show it.
    pub fn session(&self, name: &str, since: &str, key: &str) -> Caller {
        let (account, role) = (self.account(), self.name());
        Caller(json!({
            "type": "AssumedRole", "principalId": format!("{}:{name}", self.id),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
            "accountId": account, "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "principalId": self.id, "arn": self.arn,
                    "accountId": account, "userName": role
                },
                "attributes": { "creationDate": instant(since), "mfaAuthenticated": "false" }
            }
        }))
    }
}

fn instant(time: &str) -> String {
    format!("2024-05-01T{time}Z")
}

/// A log.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    pub records: Vec<Value>,
}

impl Scene {
    /// Writes a record; `more` is laid over it. Returns its event id.
    pub fn record(&mut self, time: &str, caller: &Caller, call: &str, more: Value) -> String {
        let (service, name) = call.split_once(':').unwrap();
        let id = format!("{:08}-0000-4000-8000-000000000000", self.records.len());
        let mut record = json!({
            "eventVersion": "1.08", "eventID": id, "eventTime": instant(time),
            "eventSource": format!("{service}.amazonaws.com"), "eventName": name,
            "awsRegion": "eu-west-1", "sourceIPAddress": "192.0.2.1", "userAgent": "aws-cli/2.15",
            "requestParameters": null, "responseElements": null, "readOnly": false,
            "eventType": "AwsApiCall", "userIdentity": caller.0,
            "recipientAccountId": caller.0["accountId"],
        });
        for (member, value) in more.as_object().unwrap() {
            record[member] = value.clone();
        }
        self.records.push(record);
        id
    }

    pub fn call(&mut self, time: &str, caller: &Caller, call: &str) -> String {
        self.record(time, caller, call, json!({}))
    }

    /// Takes a role and returns its session. Of a call between accounts only the caller's half is
    /// written.
    pub fn assume(
        &mut self,
        time: &str,
        caller: &Caller,
        role: &Role,
        name: &str,
        key: &str,
    ) -> Caller {
        self.assume_with(time, caller, role, name, key, json!({}))
    }

    /// The same with more request parameters.
    pub fn assume_with(
        &mut self,
        time: &str,
        caller: &Caller,
        role: &Role,
        name: &str,
        key: &str,
        request: Value,
    ) -> Caller {
        let granted = granted(time, role, name, key, request);
        self.record(time, caller, "sts:AssumeRole", granted);
        self.child(time, caller, role, name, key)
    }

    /// Both halves of a call between accounts; `keep` says which are in the log: caller's, owner's.
    pub fn assume_across(
        &mut self,
        time: &str,
        caller: &Caller,
        role: &Role,
        name: &str,
        key: &str,
        keep: (bool, bool),
    ) -> Caller {
        let mut granted = granted(time, role, name, key, json!({}));
        granted["sharedEventID"] = format!("shared-{time}-{key}").into();
        if keep.0 {
            self.record(time, caller, "sts:AssumeRole", granted.clone());
        }
        if keep.1 {
            granted["recipientAccountId"] = role.account().into();
            self.record(time, &caller.seen_from_outside(), "sts:AssumeRole", granted);
        }
        self.child(time, caller, role, name, key)
    }

    fn child(&self, time: &str, caller: &Caller, role: &Role, name: &str, key: &str) -> Caller {
        let child = role.session(name, time, key);
        match caller.text("/sessionContext/sourceIdentity") {
            Some(inherited) => child.with_source_identity(inherited),
            None => child,
        }
    }

    pub fn denied(&mut self, time: &str, caller: &Caller, role: &Role, clause: &str) -> String {
        let who = caller.text("/arn").unwrap_or("x");
        let message = format!(
            "User: {who} is not authorized to perform: sts:AssumeRole on resource: {}{clause}",
            role.arn
        );
        let error = json!({ "errorCode": "AccessDenied", "errorMessage": message });
        self.record(time, caller, "sts:AssumeRole", error)
    }

    /// Loads the log, checks that its order and the slow twin change nothing, and hands it over.
    pub fn load(&self) -> Loaded {
        let loaded = self.load_in_any_order();
        agree::assert_agree(&loaded, &self.records);
        loaded
    }

    /// The same without the slow twin, who does not expect everything.
    pub fn load_in_any_order(&self) -> Loaded {
        let loaded = self.load_alone();
        let dir = tempfile::tempdir().unwrap();
        let mut reversed = self.records.clone();
        reversed.reverse();
        for (i, part) in reversed.chunks(3).enumerate() {
            super::write_log(&dir.path().join(format!("{i:05}.json.gz")), part);
        }
        assert_eq!(
            agree::linked_tables(&super::load(&[dir.path()]).tables),
            agree::linked_tables(&loaded.tables),
            "the order of the records changes the answer"
        );
        loaded
    }

    /// Loads the log without comparing: the slow twin is slow.
    pub fn load_alone(&self) -> Loaded {
        let dir = tempfile::tempdir().unwrap();
        super::write_log(&dir.path().join("log.json.gz"), &self.records);
        super::load(&[dir.path()])
    }

    /// The rows that a statement gives, one line each.
    pub fn ask(&self, sql: &str) -> Vec<String> {
        ask(self.load(), sql)
    }
}

/// Request and response of a call that gave out a role.
pub fn granted(time: &str, role: &Role, name: &str, key: &str, request: Value) -> Value {
    let mut parameters = json!({ "roleArn": role.arn, "roleSessionName": name });
    for (member, value) in request.as_object().unwrap() {
        parameters[member] = value.clone();
    }
    let asked = parameters["durationSeconds"].as_i64().unwrap_or(3600);
    let start = chrono::DateTime::parse_from_rfc3339(&instant(time)).unwrap();
    let expires = start + chrono::TimeDelta::seconds(asked);
    json!({
        "readOnly": true,
        "requestParameters": parameters,
        "responseElements": {
            "credentials": {
                "accessKeyId": key,
                "expiration": expires.format("%b %-d, %Y, %-I:%M:%S %p").to_string()
            },
            "assumedRoleUser": {
                "assumedRoleId": format!("{}:{name}", role.id),
                "arn": format!("arn:aws:sts::{}:assumed-role/{}/{name}", role.account(), role.name())
            },
            "sourceIdentity": parameters["sourceIdentity"]
        }
    })
}

pub fn ask(loaded: Loaded, sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"));
    let batches = runtime.block_on(async {
        let tables = Sql::open(Source::Memory(loaded.tables), 256 << 20).await.unwrap();
        tables.rows(sql, Params::none()).await.unwrap()
    });
    let mut lines = Vec::new();
    for batch in &batches {
        let cells: Vec<_> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let line: Vec<_> = cells.iter().map(|cell| cell.value(row).to_string()).collect();
            lines.push(line.join(" | "));
        }
    }
    lines
}
