//! A record split into its top-level members, each still raw text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

macro_rules! members {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// The members of a record that have a column of their own.
        ///
        /// Source: CloudTrail User Guide, "CloudTrail record contents".
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Member { $($variant),+ }

        impl Member {
            /// All of them, in order of declaration.
            pub const ALL: &'static [Member] = &[$(Member::$variant),+];

            /// The name in the record.
            pub fn name(self) -> &'static str {
                match self { $(Member::$variant => $name),+ }
            }

            fn of(name: &str) -> Option<Member> {
                match name { $($name => Some(Member::$variant),)+ _ => None }
            }
        }
    };
}

members! {
    EventVersion = "eventVersion",
    UserIdentity = "userIdentity",
    EventTime = "eventTime",
    EventSource = "eventSource",
    EventName = "eventName",
    AwsRegion = "awsRegion",
    SourceIpAddress = "sourceIPAddress",
    UserAgent = "userAgent",
    ErrorCode = "errorCode",
    ErrorMessage = "errorMessage",
    RequestParameters = "requestParameters",
    ResponseElements = "responseElements",
    AdditionalEventData = "additionalEventData",
    RequestId = "requestID",
    EventId = "eventID",
    EventType = "eventType",
    ReadOnly = "readOnly",
    Resources = "resources",
    RecipientAccountId = "recipientAccountId",
    ServiceEventDetails = "serviceEventDetails",
    SharedEventId = "sharedEventID",
    VpcEndpointId = "vpcEndpointId",
    EventCategory = "eventCategory",
    ManagementEvent = "managementEvent",
    TlsDetails = "tlsDetails",
    SessionCredentialFromConsole = "sessionCredentialFromConsole",
}

/// More unknown members than any future CloudTrail version will add; looking for repeats among them
/// costs the square of their number.
const MOST_OTHERS: usize = 256;
const MEMBERS: usize = Member::ALL.len();

/// One record, its members not yet looked into.
#[derive(Debug)]
pub struct RawRecord<'a> {
    known: [Option<&'a str>; MEMBERS],
    /// Members without a column, in order of appearance: name, raw text.
    pub others: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> RawRecord<'a> {
    /// The raw text of a member; `None` when absent.
    pub fn get(&self, member: Member) -> Option<&'a str> {
        self.known[member as usize]
    }

    /// Where in `text`, from which the record was parsed, its members stand.
    pub(super) fn spans(&self, text: &[u8]) -> Spans {
        let span = |value: &str| {
            let start = value.as_ptr().addr() - text.as_ptr().addr();
            start..start + value.len()
        };
        Spans {
            known: self.known.map(|value| value.map(span)),
            others: self.others.iter().map(|(n, v)| (n.clone().into_owned(), span(v))).collect(),
        }
    }
}

/// A [`RawRecord`] that does not hold on to its text, so that the text may move in between.
pub(super) struct Spans {
    known: [Option<Range<usize>>; MEMBERS],
    others: Vec<(String, Range<usize>)>,
}

impl Spans {
    /// The record again, over the same text.
    pub(super) fn over(self, text: &str) -> RawRecord<'_> {
        let cut = |span: Range<usize>| text.get(span).unwrap_or("");
        let others = self.others.into_iter().map(|(n, v)| (Cow::Owned(n), cut(v))).collect();
        RawRecord { known: self.known.map(|span| span.map(cut)), others }
    }
}

impl RawRecord<'_> {
    /// What the record is, when it is none of a call: Insights and aggregated events lie in files of
    /// the same form as logs, but name no caller.
    /// Source: CloudTrail User Guide, "CloudTrail record contents for Insights events"; the form of
    /// aggregated records is not documented, so anything that calls itself so is taken for one.
    pub fn other_than_call(&self) -> Option<&'static str> {
        let kinds = [Member::EventType, Member::EventCategory];
        let says =
            |word: &str| kinds.iter().any(|m| self.get(*m).is_some_and(|t| t.contains(word)));
        let insight = self.others.iter().any(|(name, _)| name == "insightDetails");
        if insight || says("Insight") {
            Some("Insights")
        } else if says("Aggregat") {
            Some("aggregated")
        } else {
            None
        }
    }
}

impl<'de> Deserialize<'de> for RawRecord<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = RawRecord<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a record (JSON object)")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawRecord<'de>, A::Error> {
        let mut record = RawRecord { known: [None; MEMBERS], others: Vec::new() };
        while let Some(name) = map.next_key_seed(Name)? {
            let value = map.next_value::<&'de RawValue>()?.get();
            let repeated = match Member::of(&name) {
                Some(member) => record.known[member as usize].replace(value).is_some(),
                None if record.others.len() == MOST_OTHERS => {
                    return Err(de::Error::custom(
                        "more than 256 members that CloudTrail does not have",
                    ));
                }
                None => {
                    let repeated = record.others.iter().any(|(other, _)| *other == name);
                    record.others.push((name.clone(), value));
                    repeated
                }
            };
            if repeated {
                // Keeping one of two values would lose the other without a word.
                return Err(de::Error::custom(format_args!("member {name:?} occurs twice")));
            }
        }
        Ok(record)
    }
}

/// A member's name, borrowed from the input unless it has escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// The content of a JSON string given as raw text; `None` for any other kind of value, and for
/// strings that have no text (lone surrogates).
pub fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}
