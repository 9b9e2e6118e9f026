//! Account ids: twelve digits, which tools that take them for numbers write without their zeros.

use std::borrow::Cow;

/// Digits of an account id.
const DIGITS: usize = 12;

/// The account id that a number in JSON text stands for: `12345678901`, `1.23456789012E11`. `None` when
/// it is no number, or has lost digits that cannot be restored.
pub fn of_number(raw: &str) -> Option<String> {
    let (mantissa, exponent) = match raw.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<usize>().ok()?),
        None => (raw, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if exponent > fraction.len() {
        // 1.5E11: what follows was rounded away, or was zeros; nobody knows.
        return None;
    }
    let (more, rest) = fraction.split_at_checked(exponent)?;
    let digits = format!("{whole}{more}");
    let exact = rest.bytes().all(|b| b == b'0') && !digits.is_empty();
    (exact && digits.len() <= DIGITS && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| padded(&digits))
}

/// An account id given as text, with the zeros that it has lost.
pub fn of_text(text: &str) -> Cow<'_, str> {
    let short = !text.is_empty() && text.len() < DIGITS;
    if short && text.bytes().all(|b| b.is_ascii_digit()) {
        return Cow::Owned(padded(text));
    }
    Cow::Borrowed(text)
}

fn padded(digits: &str) -> String {
    format!("{digits:0>DIGITS$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_come_back_and_lost_digits_do_not() {
        for (raw, id) in [
            ("123456789012", Some("123456789012")),
            ("12345678901", Some("012345678901")),
            ("0", Some("000000000000")),
            ("123456789012.0", Some("123456789012")),
            ("1.23456789012E11", Some("123456789012")),
            ("1.23456789012e+11", Some("123456789012")),
            ("1.23457E+11", None),
            ("1.5e11", None),
            ("-5", None),
            ("1234567890123", None),
            ("1.5", None),
            ("true", None),
            ("null", None),
            ("\"x\"", None),
        ] {
            assert_eq!(of_number(raw).as_deref(), id, "{raw}");
        }
        assert_eq!(of_text("12345678901"), "012345678901");
        for same in ["123456789012", "anonymous", "", "1234567890123"] {
            assert_eq!(of_text(same), same);
        }
    }
}
