//! One call and the CloudTrail record it leaves.

use super::clock::{Seconds, iso};
use super::desk::{Desk, GLOBAL};
use super::dice::Dice;
use super::json::{Obj, list};
use super::truth::Behind;

/// A record on its way to a log file, with the truth about it.
#[derive(Debug, Clone)]
pub struct Record {
    /// The account whose log receives it.
    pub account: String,
    /// The region folder it is delivered to.
    pub region: &'static str,
    /// `eventTime`.
    pub time: Seconds,
    /// `eventID`.
    pub id: String,
    /// The record as JSON text.
    pub json: String,
    /// Who is behind it.
    pub behind: Behind,
}

/// What was asked and answered; who asked and from where comes later.
#[derive(Debug, Clone)]
pub struct Call {
    /// The service, without `.amazonaws.com`.
    pub source: &'static str,
    /// `eventName`.
    pub name: &'static str,
    /// `readOnly`.
    pub read_only: bool,
    /// Whether it is a data event.
    pub data: bool,
    /// `eventType`.
    pub kind: &'static str,
    /// `requestParameters`.
    pub request: Option<String>,
    /// `responseElements`.
    pub response: Option<String>,
    /// `errorCode`.
    pub error_code: Option<String>,
    /// `errorMessage`.
    pub error_message: Option<String>,
    /// `resources`, each entry as JSON.
    pub resources: Vec<String>,
    /// `additionalEventData`.
    pub additional: Option<String>,
    /// `serviceEventDetails`.
    pub details: Option<String>,
    /// `sharedEventID`.
    pub shared: Option<String>,
    /// `sessionCredentialFromConsole`.
    pub from_console: bool,
}

impl Call {
    /// A call that only reads.
    pub fn read(source: &'static str, name: &'static str) -> Call {
        Call {
            source,
            name,
            read_only: true,
            data: false,
            kind: "AwsApiCall",
            request: None,
            response: None,
            error_code: None,
            error_message: None,
            resources: Vec::new(),
            additional: None,
            details: None,
            shared: None,
            from_console: false,
        }
    }

    /// A call that changes something.
    pub fn write(source: &'static str, name: &'static str) -> Call {
        Call { read_only: false, ..Call::read(source, name) }
    }

    /// With request parameters.
    pub fn request(mut self, json: impl Into<String>) -> Call {
        self.request = Some(json.into());
        self
    }

    /// With response elements.
    pub fn response(mut self, json: impl Into<String>) -> Call {
        self.response = Some(json.into());
        self
    }

    /// With additional event data.
    pub fn additional(mut self, json: impl Into<String>) -> Call {
        self.additional = Some(json.into());
        self
    }

    /// With one more resource.
    pub fn resource(mut self, json: String) -> Call {
        self.resources.push(json);
        self
    }

    /// Of another `eventType`.
    pub fn kind(mut self, kind: &'static str) -> Call {
        self.kind = kind;
        self
    }

    /// Refused: no response.
    pub fn error(mut self, code: &str, message: &str) -> Call {
        self.response = None;
        self.error_code = Some(code.to_string());
        self.error_message = Some(message.to_string());
        self
    }

    /// The region that records the call.
    pub fn region(&self, desk: &Desk) -> &'static str {
        match self.source {
            "iam" | "organizations" | "cloudfront" | "route53" => match desk.region {
                region if region.starts_with("cn-") => "cn-north-1",
                region if region.starts_with("us-gov-") => "us-gov-west-1",
                _ => GLOBAL,
            },
            _ => desk.region,
        }
    }
}

/// A call with everything that goes round it.
pub struct Line<'a> {
    /// `userIdentity`.
    pub identity: String,
    /// From where.
    pub desk: &'a Desk,
    /// `eventTime`.
    pub at: Seconds,
    /// `recipientAccountId`.
    pub recipient: &'a str,
    /// The truth.
    pub behind: Behind,
}

impl Line<'_> {
    /// Writes the record, fields in CloudTrail's order.
    pub fn record(self, call: Call, dice: &mut Dice) -> Record {
        let id = dice.guid();
        let region = call.region(self.desk);
        let mut obj = self.what(&call, region, dice);
        if call.kind != "AwsConsoleSignIn" {
            obj = obj.text("requestID", &dice.guid());
        }
        obj = obj.text("eventID", &id).flag("readOnly", call.read_only);
        if !call.resources.is_empty() {
            obj = obj.raw("resources", &list(&call.resources));
        }
        let json = self.rest(obj, &call, region).done();
        let account = self.recipient.to_string();
        Record { account, region, time: self.at, id, json, behind: self.behind }
    }

    /// Who asked what, and what the answer was.
    fn what(&self, call: &Call, region: &str, dice: &mut Dice) -> Obj {
        let version = *dice.pick(&["1.08", "1.09", "1.09", "1.10", "1.11"]);
        Obj::new()
            .text("eventVersion", version)
            .raw("userIdentity", &self.identity)
            .text("eventTime", &iso(self.at))
            .text("eventSource", &format!("{}.{}", call.source, domain(region)))
            .text("eventName", call.name)
            .text("awsRegion", region)
            .text("sourceIPAddress", &self.desk.address)
            .text("userAgent", &self.desk.agent)
            .maybe("errorCode", call.error_code.as_deref())
            .maybe("errorMessage", call.error_message.as_deref())
            .raw("requestParameters", call.request.as_deref().unwrap_or("null"))
            .raw("responseElements", call.response.as_deref().unwrap_or("null"))
            .maybe_raw("additionalEventData", call.additional.as_deref())
    }

    /// What kind of record it is, and for whom.
    fn rest(&self, obj: Obj, call: &Call, region: &str) -> Obj {
        let obj = obj
            .text("eventType", call.kind)
            .flag("managementEvent", !call.data)
            .text("recipientAccountId", self.recipient)
            .maybe("sharedEventID", call.shared.as_deref())
            .maybe("vpcEndpointId", self.desk.endpoint.map(|(id, _)| id))
            .maybe("vpcEndpointAccountId", self.desk.endpoint.map(|(_, account)| account))
            .maybe_raw("serviceEventDetails", call.details.as_deref())
            .text("eventCategory", if call.data { "Data" } else { "Management" })
            .maybe_raw("tlsDetails", tls(call, self.desk, region).as_deref());
        if call.from_console { obj.text("sessionCredentialFromConsole", "true") } else { obj }
    }
}

/// Endpoints of China's regions have a domain of their own.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// Services calling services show no TLS details.
fn tls(call: &Call, desk: &Desk, region: &str) -> Option<String> {
    if !desk.is_address() {
        return None;
    }
    let host = match call.source {
        "iam" => format!("iam.{}", domain(region)),
        "signin" => format!("{region}.signin.aws.amazon.com"),
        source => format!("{source}.{region}.{}", domain(region)),
    };
    let details = Obj::new()
        .text("tlsVersion", "TLSv1.3")
        .text("cipherSuite", "TLS_AES_128_GCM_SHA256")
        .text("clientProvidedHostHeader", &host);
    Some(details.done())
}
