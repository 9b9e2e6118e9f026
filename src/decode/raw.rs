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

            /// The member of this name; `expected` is the number of the one that is likely, as records
            /// mostly have their members in one order.
            pub(super) fn of_bytes(name: &[u8], expected: usize) -> Option<Member> {
                let likely = Member::ALL.get(expected).copied();
                likely.filter(|member| member.name().as_bytes() == name).or_else(|| {
                    const BYTES: &[(&[u8], Member)] = &[$(($name.as_bytes(), Member::$variant)),+];
                    BYTES.iter().find(|(known, _)| *known == name).map(|(_, member)| *member)
                })
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
const _: () = assert!(MEMBERS <= 32, "there is a bit for each");

/// One record, its members not yet looked into.
#[derive(Debug)]
pub struct RawRecord<'a> {
    known: [Option<&'a str>; MEMBERS],
    /// Members without a column, in order of appearance: name, raw text.
    pub others: Vec<(Cow<'a, str>, &'a str)>,
    seen: Seen,
}

/// What was seen of a record while its members were looked for.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    hashes: [u64; MEMBERS],
    /// Which of them are known, a bit each.
    hashed: u32,
    /// Whether nothing in the record can be a session token.
    no_token: bool,
}

impl<'a> RawRecord<'a> {
    /// The raw text of a member; `None` when absent.
    pub fn get(&self, member: Member) -> Option<&'a str> {
        self.known[member as usize]
    }

    /// The hash of what a member holds, if its text is known to be as
    /// [`json::canonical`](super::json::canonical) leaves it.
    pub(super) fn hash_of_canonical(&self, member: Member) -> Option<u64> {
        let known = self.seen.hashed & (1 << member as u32) != 0;
        known.then(|| self.seen.hashes[member as usize])
    }

    /// Whether a text of the record must be searched for session tokens.
    pub(super) fn may_hold_token(&self, text: &str) -> bool {
        !self.seen.no_token && super::redact::may_hold_token(text)
    }

    /// Where in `text`, from which the record was parsed, its members stand.
    pub(super) fn spans(&self, text: &[u8]) -> Spans {
        let span = |value: &str| {
            let start = value.as_ptr().addr() - text.as_ptr().addr();
            start..start + value.len()
        };
        Spans {
            known: self.known.map(|value| value.map(span).unwrap_or_default()),
            others: self.others.iter().map(|(n, v)| (n.clone().into_owned(), span(v))).collect(),
            seen: self.seen,
        }
    }
}

/// A [`RawRecord`] that does not hold on to its text, so that the text may move in between.
#[derive(Default)]
pub(super) struct Spans {
    /// Empty where a member is absent.
    known: [Range<usize>; MEMBERS],
    others: Vec<(String, Range<usize>)>,
    seen: Seen,
}

impl Spans {
    /// The record again, over the same text.
    pub(super) fn over(self, text: &str) -> RawRecord<'_> {
        let cut = |span: Range<usize>| text.get(span).unwrap_or("");
        let others = self.others.into_iter().map(|(n, v)| (Cow::Owned(n), cut(v))).collect();
        let known = self.known.map(|span| (!span.is_empty()).then(|| cut(span)));
        RawRecord { known, others, seen: self.seen }
    }

    /// Notes where a member stands; `None` where it stands twice.
    pub(super) fn set(&mut self, member: Member, at: Range<usize>) -> Option<()> {
        let absent = !self.has(member);
        absent.then(|| self.known[member as usize] = at)
    }

    /// The same of a member without a column; `None` also where there are too many.
    pub(super) fn add_other(&mut self, name: &str, at: Range<usize>) -> Option<()> {
        let twice = self.others.iter().any(|(other, _)| other == name);
        (!twice && self.others.len() < MOST_OTHERS).then(|| self.others.push((name.to_owned(), at)))
    }

    /// Whether a member is there.
    pub(super) fn has(&self, member: Member) -> bool {
        !self.known[member as usize].is_empty()
    }

    /// See [`RawRecord::hash_of_canonical`].
    pub(super) fn set_hash(&mut self, member: Member, hash: u64) {
        self.seen.hashes[member as usize] = hash;
        self.seen.hashed |= 1 << member as u32;
    }

    /// What may hold a token is looked through again.
    pub(super) fn forget_hashes(&mut self) {
        self.seen.hashed = 0;
    }

    /// See [`RawRecord::may_hold_token`].
    pub(super) fn note_no_token(&mut self) {
        self.seen.no_token = true;
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
        let mut record =
            RawRecord { known: [None; MEMBERS], others: Vec::new(), seen: Seen::default() };
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
