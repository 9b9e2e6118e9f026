//! The members around a list of elements: found, or stepped over.

use std::io::Read;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::element::{is_element, list_named};
use super::raw::RawRecord;
use super::reject::{Limits, message_of};
use super::stream::Frame;
use super::window::Window;

/// Looks for a list of elements in the object at the position; gives the bytes from there to the list's
/// first element. `None` when the object has none, is a record, is no object, or is too long to be
/// looked through. With `any_name`, a list is known by its first element.
pub(super) fn find_list<R: Read>(
    window: &mut Window<R>,
    any_name: bool,
    limits: &Limits,
) -> Option<(usize, Frame)> {
    let (mut at, mut control) = (1, false);
    loop {
        match byte_at(window, &mut at, limits)? {
            b',' => at += 1,
            b'"' => {
                let name = name_at(window, &mut at, limits).ok()?;
                if name == "eventTime" {
                    return None;
                }
                if byte_at(window, &mut at, limits)? == b'[' {
                    let named = list_named(&name);
                    let unnamed = || any_name.then(|| begins_with_element(window, at, limits))?;
                    if let Some(shown) = named.or_else(unnamed) {
                        let passed = control && name == "logEvents";
                        let frame = if passed { Frame::Passed } else { Frame::List(shown) };
                        return Some((at + 1, frame));
                    }
                }
                let start = at;
                let _: IgnoredAny = value_at(window, &mut at, limits).ok()?;
                let value = window.rest().get(start..at).unwrap_or(&[]);
                control |= name == "messageType" && value == b"\"CONTROL_MESSAGE\"";
            }
            _ => return None,
        }
    }
}

/// Steps over the member at the position, or into it when it is a list of elements.
///
/// # Errors
/// Why there is no member.
pub(super) fn next_member<R: Read>(
    window: &mut Window<R>,
    limits: &Limits,
) -> Result<Option<Frame>, String> {
    let mut at = 0;
    let name = name_at(window, &mut at, limits)?;
    let list = byte_at(window, &mut at, limits) == Some(b'[');
    if let Some(shown) = list_named(&name).filter(|_| list) {
        window.advance(at + 1);
        return Ok(Some(Frame::List(shown)));
    }
    let _: IgnoredAny = value_at(window, &mut at, limits)?;
    window.advance(at);
    Ok(None)
}

/// The name of the member at `at`, which goes behind the colon.
fn name_at<R: Read>(
    window: &mut Window<R>,
    at: &mut usize,
    limits: &Limits,
) -> Result<String, String> {
    let name = value_at(window, at, limits)?;
    if byte_at(window, at, limits) != Some(b':') {
        return Err("not JSON: colon expected".to_owned());
    }
    *at += 1;
    Ok(name)
}

/// Whether the list that begins here has an element first, whatever its name.
fn begins_with_element<R: Read>(
    window: &mut Window<R>,
    list: usize,
    limits: &Limits,
) -> Option<&'static str> {
    let mut at = list + 1;
    if byte_at(window, &mut at, limits)? != b'{' {
        return None;
    }
    loop {
        let rest = window.rest().get(at..)?;
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<RawRecord>();
        match values.next()? {
            Ok(record) => return is_element(&record).then_some(""),
            Err(e) if !e.is_eof() => return None,
            Err(_) => {}
        }
        if !widen(window, limits) {
            return None;
        }
    }
}

/// Bytes of the value at the position.
///
/// # Errors
/// Why there is none.
pub(super) fn value_length<R: Read>(
    window: &mut Window<R>,
    limits: &Limits,
) -> Result<usize, String> {
    let mut at = 0;
    let _: IgnoredAny = value_at(window, &mut at, limits)?;
    Ok(at)
}

/// Reads more behind what is unread; false at the end, or when that is too much already.
fn widen<R: Read>(window: &mut Window<R>, limits: &Limits) -> bool {
    window.rest().len() <= limits.record_bytes && window.refill()
}

/// The next byte at or behind `at` that is no white space; `at` goes there.
fn byte_at<R: Read>(window: &mut Window<R>, at: &mut usize, limits: &Limits) -> Option<u8> {
    loop {
        let rest = window.rest().get(*at..).unwrap_or(&[]);
        if let Some(n) = rest.iter().position(|b| !b.is_ascii_whitespace()) {
            *at += n;
            return rest.get(n).copied();
        }
        if !widen(window, limits) {
            return None;
        }
    }
}

/// Parses the value at `at`, which goes behind it.
fn value_at<R: Read, T: DeserializeOwned>(
    window: &mut Window<R>,
    at: &mut usize,
    limits: &Limits,
) -> Result<T, String> {
    loop {
        let rest = window.rest().get(*at..).unwrap_or(&[]);
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<T>();
        let parsed = values.next();
        let used = values.byte_offset();
        match parsed {
            // A number at the end of the window may go on in the next one.
            Some(Ok(value)) if used < rest.len() || window.at_end() => {
                *at += used;
                return Ok(value);
            }
            Some(Err(e)) if !e.is_eof() => return Err(format!("not JSON: {}", message_of(&e))),
            Some(Ok(_)) | Some(Err(_)) | None => {}
        }
        if window.rest().len() > limits.record_bytes {
            return Err(format!(
                "a value beside Records exceeds {} bytes (--max-record)",
                limits.record_bytes
            ));
        }
        if !window.refill() {
            return Err(window.early_end());
        }
    }
}
