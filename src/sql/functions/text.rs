//! Trino's functions over text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringArray, StringBuilder};
use arrow::compute::kernels::regexp::regexp_match;
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::doc;
use super::scalar::{Args, Definition, Gives, Takes};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    Definition {
        doc: doc("regexp_extract", "text, pattern[, group]", "the first place that a regular expression fits, or one of its groups", "regexp_extract('arn:aws:iam::111111111111:user/anna', 'user/(.+)$', 1)", "anna"),
        takes: &[Takes::Text, Takes::Text, Takes::Int], required: 2, gives: Gives::Text, run: regexp_extract,
    },
    Definition {
        doc: doc("split", "text, delimiter", "the parts of a text as a list", "split('a:b:c', ':')", "[a, b, c]"),
        takes: &[Takes::Text, Takes::Text], required: 2, gives: Gives::TextList, run: split,
    },
    Definition {
        doc: doc("url_decode", "text", "text with %XX and + undone; NULL where that is no UTF-8", "url_decode('a%20b+c')", "a b c"),
        takes: &[Takes::Text], required: 1, gives: Gives::Text, run: url_decode,
    },
    Definition {
        doc: doc("url_encode", "text", "text as it stands in a query of a URL", "url_encode('a b/c')", "a+b%2Fc"),
        takes: &[Takes::Text], required: 1, gives: Gives::Text, run: url_encode,
    },
];

/// The kernel gives the groups of a pattern; one more group around all of it gives the whole, too.
fn regexp_extract(args: &Args) -> Result<ArrayRef> {
    let text: StringArray = (0..args.rows()).map(|row| args.text(0, row)).collect();
    let whole = |row| args.text(1, row).map(|pattern| format!("({pattern})"));
    let patterns: StringArray = (0..args.rows()).map(whole).collect();
    let found = regexp_match(&text, &patterns, None)?;
    let found = found.as_list::<i32>();
    args.texts(|row| {
        let group = if args.has(2) { args.int(2, row) } else { Some(0) };
        let group = group.and_then(|n| usize::try_from(n).ok());
        let Some(group) = group.filter(|_| found.is_valid(row)) else { return Ok(None) };
        let groups = found.value(row);
        let groups = groups.as_string::<i32>();
        Ok((group < groups.len() && groups.is_valid(group)).then(|| groups.value(group).to_owned()))
    })
}

/// Builds lists of text row by row.
fn lists<'t>(
    args: &'t Args,
    mut each: impl FnMut(usize) -> Result<Option<Vec<&'t str>>>,
) -> Result<ArrayRef> {
    let field = crate::table::list_item(DataType::Utf8);
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(field);
    for row in 0..args.rows() {
        let items = each(row)?;
        items.iter().flatten().for_each(|item| lists.values().append_value(item));
        lists.append(items.is_some());
    }
    Ok(Arc::new(lists.finish()))
}

fn split(args: &Args) -> Result<ArrayRef> {
    lists(args, |row| {
        let (Some(text), Some(delimiter)) = (args.text(0, row), args.text(1, row)) else {
            return Ok(None);
        };
        if delimiter.is_empty() {
            return args.unreadable(1, delimiter, "delimiter");
        }
        Ok(Some(text.split(delimiter).collect()))
    })
}

fn url_decode(args: &Args) -> Result<ArrayRef> {
    args.texts(|row| {
        let Some(text) = args.text(0, row) else { return Ok(None) };
        // One value of a query, whatever stands in it; it is decoded with a mark where it is no UTF-8.
        let value = format!("v={}", text.replace('&', "%26"));
        let decoded = url::form_urlencoded::parse(value.as_bytes()).next();
        let decoded = decoded.map(|(_, text)| text.into_owned());
        Ok(decoded.filter(|decoded| !decoded.contains('\u{fffd}') || text.contains('\u{fffd}')))
    })
}

fn url_encode(args: &Args) -> Result<ArrayRef> {
    args.texts(|row| {
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        Ok(args.text(0, row).map(encode))
    })
}
