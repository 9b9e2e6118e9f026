//! Keys that the client has no path for: with empty parts (`logs//AWSLogs/…`, as trails write whose prefix
//! ends in a slash), or beginning or ending with one.
//!
//! Where S3 says such a key, its empty parts are marked before the client sees them; where the client asks for a
//! marked key, the marks are taken off again, and the request is signed anew. Keys with parts `.` and `..` or
//! with control characters cannot be asked for at all: they are taken out of listings and remembered.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::path::Path;
use object_store::{ClientOptions, Result};

/// An empty part. A part that consists of marks has one more of them, so that none is mistaken.
const MARK: char = '\u{f8ff}';
/// The same in an address.
const ENCODED: &str = "%EF%A3%BF";
/// Odd keys that are remembered; behind them they are only counted.
const MOST: usize = 1000;

/// What is known of the keys of one bucket.
#[derive(Default)]
pub(super) struct Odd {
    signer: OnceLock<(AwsCredentialProvider, String)>,
    met: Mutex<(Vec<String>, u64)>,
}

impl Odd {
    /// With what requests are signed.
    pub(super) fn sign_with(&self, credentials: AwsCredentialProvider, region: &str) {
        // Only ever set once, by who has made it.
        let _ = self.signer.set((credentials, region.to_owned()));
    }

    /// Keys and prefixes that could not be asked for, met since the last call, and how many more there were.
    pub(super) fn take(&self) -> (Vec<String>, u64) {
        std::mem::take(&mut *self.met.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, key: String) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.0.len() < MOST { met.0.push(key) } else { met.1 += 1 }
    }
}

/// The path of an object with this key.
///
/// # Errors
/// For a part `.` or `..` and control characters.
pub(super) fn object(key: &str) -> Result<Path> {
    Ok(Path::parse(marked(key))?)
}

/// The path of what lies below a prefix.
///
/// # Errors
/// As [`object`].
pub(super) fn folder(prefix: &str) -> Result<Path> {
    match prefix.strip_suffix('/') {
        Some("") => Ok(Path::parse(MARK.to_string())?),
        Some(prefix) => object(prefix),
        None => object(prefix),
    }
}

/// The key that a path stands for.
pub(super) fn key(path: &Path) -> Cow<'_, str> {
    let path = path.as_ref();
    if !path.contains(MARK) {
        return Cow::Borrowed(path);
    }
    let part = |part: &str| match is_marked(part) {
        true => part.chars().skip(1).collect::<String>(),
        false => part.to_owned(),
    };
    Cow::Owned(path.split('/').map(part).collect::<Vec<_>>().join("/"))
}

fn is_marked(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c == MARK)
}

fn marked(key: &str) -> String {
    let part = |part: &str| {
        let odd = part.chars().all(|c| c == MARK);
        if odd { format!("{part}{MARK}") } else { part.to_owned() }
    };
    match key {
        "" => String::new(),
        key => key.split('/').map(part).collect::<Vec<_>>().join("/"),
    }
}

/// Whether no path can be made of it.
fn is_impossible(key: &str) -> bool {
    key.split('/').any(|part| matches!(part, "." | ".."))
        || key.chars().any(|c| c.is_ascii_control())
}

/// Makes connections that know of odd keys.
#[derive(Debug)]
pub(super) struct Connector<C> {
    pub inner: C,
    pub odd: Arc<Odd>,
}

impl std::fmt::Debug for Odd {
    /// It knows credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Odd")
    }
}

impl<C: HttpConnector> HttpConnector for Connector<C> {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        let inner = self.inner.connect(options)?;
        Ok(HttpClient::new(Connection { inner, odd: self.odd.clone() }))
    }
}

#[derive(Debug)]
struct Connection {
    inner: HttpClient,
    odd: Arc<Odd>,
}

#[async_trait]
impl HttpService for Connection {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(plain) = unmarked(&request.uri().to_string()) {
            let uri = plain.parse().map_err(|e| HttpError::new(HttpErrorKind::Unknown, e))?;
            *request.uri_mut() = uri;
            if request.headers().contains_key("authorization") {
                self.sign(&mut request).await?;
            }
        }
        let listing = request.uri().query().is_some_and(|query| query.contains("list-type=2"));
        let answer = self.inner.execute(request).await?;
        if !listing || !answer.status().is_success() {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let body = body.bytes().await?;
        let mended = std::str::from_utf8(&body).ok().and_then(|text| self.odd.listing(text));
        let body = mended.map_or_else(|| body.into(), Into::into);
        Ok(HttpResponse::from_parts(head, body))
    }
}

impl Connection {
    async fn sign(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let Some((credentials, region)) = self.odd.signer.get() else { return Ok(()) };
        let credential = credentials.get_credential().await;
        let credential = credential.map_err(|e| HttpError::new(HttpErrorKind::Unknown, e))?;
        AwsAuthorizer::new(&credential, "s3", region).authorize(request, None);
        Ok(())
    }
}

/// An address without marks, in the path and in the prefix that is listed; `None` when it has none.
fn unmarked(address: &str) -> Option<String> {
    if !address.contains(ENCODED) {
        return None;
    }
    let plain = |parts: &str, slash: &str| {
        let part = |part: &str| {
            let marks = part.len() / ENCODED.len();
            let odd = marks > 0 && part == ENCODED.repeat(marks);
            if odd { part[ENCODED.len()..].to_owned() } else { part.to_owned() }
        };
        parts.split(slash).map(part).collect::<Vec<_>>().join(slash)
    };
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let query = query.split('&').map(|pair| match pair.strip_prefix("prefix=") {
        Some(prefix) => format!("prefix={}", plain(prefix, "%2F")),
        None => pair.to_owned(),
    });
    let query = query.collect::<Vec<_>>().join("&");
    let path = plain(path, "/");
    Some(if query.is_empty() { path } else { format!("{path}?{query}") })
}

impl Odd {
    /// A listing with odd keys marked or taken out; `None` where there are none.
    fn listing(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut done = 0;
        let blocks = [
            ("<Contents>", "</Contents>", "<Key>", "</Key>"),
            ("<CommonPrefixes>", "</CommonPrefixes>", "<Prefix>", "</Prefix>"),
        ];
        loop {
            let rest = text.get(done..)?;
            let next = blocks
                .iter()
                .filter_map(|block| Some((rest.find(block.0)?, block)))
                .min_by_key(|b| b.0);
            let Some((start, (_, close, open_key, close_key))) = next else { break };
            let end = start + rest[start..].find(close)? + close.len();
            let block = &rest[start..end];
            out.push_str(&rest[..start]);
            done += end;
            let from = block.find(open_key)? + open_key.len();
            let to = from + block[from..].find(close_key)?;
            let key = decoded(&block[from..to]);
            // Folders end with a slash, and so does what the console makes for an empty one.
            let is_folder = *open_key == "<Prefix>" || block.contains("<Size>0</Size>");
            let (part, slash) = match key.strip_suffix('/').filter(|_| is_folder) {
                Some(part) => (part, "/"),
                None => (key.as_str(), ""),
            };
            if is_impossible(part) {
                self.note(key);
                continue;
            }
            out.push_str(&block[..from]);
            let marked =
                if part.is_empty() && !slash.is_empty() { MARK.to_string() } else { marked(part) };
            match marked == part {
                true => out.push_str(&block[from..to]),
                false => out.push_str(&format!("{}{slash}", encoded(&marked))),
            }
            out.push_str(&block[to..]);
        }
        out.push_str(text.get(done..)?);
        (out != text).then_some(out)
    }
}

/// The text of an element of XML.
fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find(';') else { break };
        let name = &rest[1..end];
        let number =
            name.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => digits.parse().ok(),
            });
        let letter = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => number.and_then(char::from_u32),
        };
        match letter {
            Some(letter) => out.push(letter),
            None => out.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

fn encoded(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_were() {
        let m = MARK;
        for name in [
            "a/b",
            "a//b",
            "/a",
            "a///b",
            "//",
            "a/",
            &format!("a/{m}/b"),
            &format!("{m}{m}//{m}"),
            "~é&%2F",
        ] {
            let path = object(name).unwrap();
            assert_eq!(key(&path), name);
        }
        assert_eq!(object("").unwrap().as_ref(), "");
        assert_eq!(folder("a//b/").unwrap(), object("a//b").unwrap());
        assert!(object("a/../b").is_err() && object("a\u{1}").is_err());
    }

    #[test]
    fn requests_lose_their_marks() {
        assert_eq!(unmarked("http://x/logs/a/b?list-type=2&prefix=a%2F"), None);
        for (marked, plain) in [
            ("http://x/logs/a/%EF%A3%BF/b", "http://x/logs/a//b"),
            ("http://x/logs/%EF%A3%BF%EF%A3%BF/b", "http://x/logs/%EF%A3%BF/b"),
            ("http://x/logs/a%EF%A3%BF/b?x=1", "http://x/logs/a%EF%A3%BF/b?x=1"),
            (
                "http://x/logs?delimiter=%2F&list-type=2&prefix=a%2F%EF%A3%BF%2F",
                "http://x/logs?delimiter=%2F&list-type=2&prefix=a%2F%2F",
            ),
        ] {
            assert_eq!(unmarked(marked).unwrap(), plain);
        }
    }

    #[test]
    fn listings_are_marked_and_what_is_impossible_is_named() {
        let item =
            |key: &str, size| format!("<Contents><Key>{key}</Key><Size>{size}</Size></Contents>");
        let odd = Odd::default();
        let plain = format!("<X><Prefix>a//</Prefix>{}{}</X>", item("a/b&amp;c", 5), item("d/", 0));
        assert_eq!(odd.listing(&plain), None);
        let text = format!(
            "<X>{}{}{}{}<CommonPrefixes><Prefix>a//</Prefix></CommonPrefixes>\
             <CommonPrefixes><Prefix>/</Prefix></CommonPrefixes></X>",
            item("a//b&amp;", 5),
            item("d/", 7),
            item("x/../y", 1),
            item("a&#x1;b", 1)
        );
        let m = MARK;
        let expected = format!(
            "<X>{}{}<CommonPrefixes><Prefix>a/{m}/</Prefix></CommonPrefixes>\
             <CommonPrefixes><Prefix>{m}/</Prefix></CommonPrefixes></X>",
            item(&format!("a/{m}/b&amp;"), 5),
            item(&format!("d/{m}"), 7)
        );
        assert_eq!(odd.listing(&text), Some(expected));
        assert_eq!(odd.take(), (vec!["x/../y".to_owned(), "a\u{1}b".to_owned()], 0));
        assert_eq!(odd.take().0, Vec::<String>::new());
    }
}
