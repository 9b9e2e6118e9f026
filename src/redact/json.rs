//! JSON: records before they are decoded, and the JSON that columns hold. The text is walked, not
//! parsed into values, so that numbers, order and repeated members stay what they were.

use super::Redactor;
use super::words;

/// Members whose text stays, apart from accounts, keys and the like in it: what AWS writes there are
/// words of its own, ids of calls and times. In lower case.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "action", "apiversion", "architecture", "architectures", "authenticationmethod", "awsregion",
    "awsservingregion", "ciphersuite", "consolelogin", "createdate", "creationdate",
    "credentialtype", "ec2roledelivery", "effect", "encryptionalgorithm", "endpointtype",
    "errorcode", "eventcategory", "eventid", "eventname", "eventsource", "eventtime", "eventtype",
    "eventversion", "exitrole", "expiration", "instancetype", "invocationtype", "invokedby",
    "issuertype", "keyspec", "lastmodified", "lastupdatestatus", "mfaauthenticated", "mfaused",
    "mobileversion", "notaction", "originaleventid", "originalrequestid", "packagetype", "reason",
    "region", "renewrole", "requestid", "runtime", "sharedeventid", "signatureversion", "state",
    "status", "subjecttype", "switchrole", "tenancy", "tlsversion", "transitivetagkeys", "type",
    "updatedfields", "version", "virtualizationtype", "volumetype",
];

/// Members that hold messages.
const MESSAGES: &[&str] = &["errormessage", "message", "statusreason"];

/// JSON in strings in JSON: deeper than that it is taken for text.
const MOST_NESTED: usize = 4;

/// What the walk is inside of.
struct Inside {
    /// Of the member whose value this is, in lower case.
    member: String,
    is_object: bool,
    /// Whether this is a list or map of tags, whose names stay.
    tags: bool,
}

impl Redactor {
    /// A record, or any other valid JSON, with everything in it replaced that tells who somebody is.
    pub fn json(&self, text: &str) -> String {
        self.walk(text, "", MOST_NESTED)
    }

    fn walk(&self, text: &str, member: &str, nested: usize) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 4);
        let mut around: Vec<Inside> = Vec::new();
        // The member at whose value the walk is.
        let mut name = member.to_owned();
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let end = match byte {
                b'"' => string_end(bytes, at),
                b if b.is_ascii_alphanumeric() || *b == b'-' => plain_end(bytes, at),
                _ => at + 1,
            };
            let piece = text.get(at..end).unwrap_or("");
            match byte {
                b'{' | b'[' => {
                    let tags = around.last().is_some_and(|a| a.tags) || is_tags(&name);
                    let is_object = *byte == b'{';
                    around.push(Inside { member: name.clone(), is_object, tags });
                    out.push_str(piece);
                }
                b'}' | b']' => {
                    // The elements of a list bear the name of the list.
                    around.pop();
                    name = around.last().map_or(member, |a| &a.member).to_owned();
                    out.push_str(piece);
                }
                b'"' if is_name(bytes, end) && around.last().is_some_and(|a| a.is_object) => {
                    let said = decoded(piece);
                    name = said.to_lowercase();
                    push_string(&mut out, &self.member_name(&said));
                }
                b'"' => {
                    let said = decoded(piece);
                    let tag_name = name == "key" && around.last().is_some_and(|a| a.tags);
                    let value = if tag_name {
                        self.member_name(&said)
                    } else {
                        self.value(&name, &said, nested)
                    };
                    push_string(&mut out, &value);
                }
                b if b.is_ascii_digit() => out.push_str(&self.number(&name, piece)),
                _ => out.push_str(piece),
            }
            at = end.max(at + 1);
        }
        out
    }

    fn value(&self, name: &str, text: &str, nested: usize) -> String {
        if name == "useragent" {
            return self.agent(text);
        }
        if KEPT.contains(&name) {
            return if is_guid(text) { text.to_owned() } else { self.kept(text) };
        }
        if MESSAGES.contains(&name) {
            return self.message(text);
        }
        if name.ends_with("accountid") && is_short_account(text) {
            return self.account(&format!("{text:0>12}"));
        }
        let structured = text.starts_with(['{', '[']) && nested > 0;
        if structured && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
            return self.walk(text, name, nested - 1);
        }
        self.text(text)
    }

    /// Short text of AWS's own words, in which nobody is named.
    fn kept(&self, text: &str) -> String {
        if text.contains("arn:") || text.contains('@') || text.len() > 256 {
            return self.text(text);
        }
        self.agent(text)
    }

    /// Names of members are AWS's or a tag's; some hold a host, an account or an address.
    fn member_name(&self, name: &str) -> String {
        if name.starts_with("x-amz") || words::is_plain(name) {
            return name.to_owned();
        }
        let named = |step: &str| match step.contains(['.', '@']) || words::is_account(step) {
            true => self.known_form(step).unwrap_or_else(|| self.parts(step)),
            false => self.known_form(step).unwrap_or_else(|| step.to_owned()),
        };
        if name.starts_with("arn:") {
            return self.text(name);
        }
        name.split(':').map(named).collect::<Vec<_>>().join(":")
    }

    /// Accounts that a tool took for numbers.
    fn number(&self, name: &str, digits: &str) -> String {
        let account = name.ends_with("accountid") || name == "principalid" || digits.len() == 12;
        if !account || digits.len() > 12 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return digits.to_owned();
        }
        let hidden = self.account(&format!("{digits:0>12}"));
        let hidden = hidden.trim_start_matches('0');
        if hidden.is_empty() { "0".to_owned() } else { hidden.to_owned() }
    }
}

/// Where the string that begins at `at` ends.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(n) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += n;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

fn plain_end(bytes: &[u8], at: usize) -> usize {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
    let rest = bytes.get(at..).unwrap_or(&[]);
    at + rest.iter().position(|b| !plain(b)).unwrap_or(rest.len())
}

/// Whether a colon follows.
fn is_name(bytes: &[u8], end: usize) -> bool {
    let rest = bytes.get(end..).unwrap_or(&[]);
    rest.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':')
}

/// The text of a string as written; what has no text (lone surrogates) as it stands.
fn decoded(raw: &str) -> String {
    serde_json::from_str(raw).unwrap_or_else(|_| raw.trim_matches('"').to_owned())
}

fn push_string(out: &mut String, text: &str) {
    // Text always has a form in JSON.
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn is_tags(name: &str) -> bool {
    name.contains("tag") && !name.contains("stage")
}

fn is_short_account(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_guid(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
