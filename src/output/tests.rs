use std::io::Cursor;
use std::sync::Arc;

use ::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array,
    ListBuilder, NullArray, StringArray, StringBuilder, StringViewArray, StructArray,
    TimestampMicrosecondArray, TimestampNanosecondArray,
};
use ::arrow::compute::concat_batches;
use ::arrow::datatypes::{DataType, Field, Int32Type, Schema};
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use super::*;

/// The batches in one text format.
fn text(format: Format, batches: &[RecordBatch], style: &Style) -> String {
    String::from_utf8(bytes(format, batches, style)).unwrap()
}

fn bytes(format: Format, batches: &[RecordBatch], style: &Style) -> Vec<u8> {
    let mut out = Vec::new();
    let all = batches.iter().cloned().map(Ok);
    let rows = write(format, &batches[0].schema(), all, &mut out, style).unwrap();
    assert_eq!(rows, batches.iter().map(|b| b.num_rows() as u64).sum::<u64>());
    out
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .unwrap()
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn lists(values: &[Option<Vec<&str>>]) -> ArrayRef {
    let mut list = ListBuilder::new(StringBuilder::new());
    for value in values {
        for item in value.iter().flatten() {
            list.values().append_value(item);
        }
        list.append(value.is_some());
    }
    Arc::new(list.finish())
}

/// Two rows of nearly everything: one ordinary, one of NULLs.
fn everything() -> RecordBatch {
    let micros = |v| TimestampMicrosecondArray::from(vec![Some(v), None]);
    let pair = StructArray::from(vec![
        (Arc::new(Field::new("arn", DataType::Utf8, true)), strings(&[Some("a,\"b\""), None])),
        (
            Arc::new(Field::new("n", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![None, Some(1)])) as ArrayRef,
        ),
    ]);
    let of_dictionary: DictionaryArray<Int32Type> = vec![Some("GET"), None].into_iter().collect();
    batch(vec![
        ("text", strings(&[Some("=cmd|\u{1b}[1m"), None])),
        ("view", Arc::new(StringViewArray::from(vec![Some("v,w"), None]))),
        ("dict", Arc::new(of_dictionary)),
        ("n", Arc::new(Int64Array::from(vec![Some(-5), None]))),
        ("f", Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN)]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("at", Arc::new(micros(1_714_554_012_000_000).with_timezone("UTC"))),
        ("tokyo", Arc::new(micros(1_714_554_012_000_007).with_timezone("+09:00"))),
        ("local", Arc::new(TimestampNanosecondArray::from(vec![Some(1_500_000_001), None]))),
        ("day", Arc::new(Date32Array::from(vec![Some(19_844), None]))),
        ("chain", lists(&[Some(vec!["alice", "ops", "deploy"]), None])),
        ("keys", lists(&[Some(vec!["x", "\u{202e}y"]), Some(vec![])])),
        ("pair", Arc::new(pair)),
        ("nothing", Arc::new(NullArray::new(2))),
    ])
}

#[test]
fn csv_is_as_promised() {
    assert_eq!(
        text(Format::Csv, &[everything()], &Style::default()),
        "text,view,dict,n,f,b,at,tokyo,local,day,chain,keys,pair,nothing\n\
         '=cmd|\\x1b[1m,\"v,w\",GET,-5,0.5,true,2024-05-01T09:00:12Z,2024-05-01T09:00:12.000007Z,\
         1970-01-01T00:00:01.500000001,2024-05-01,\"[\"\"alice\"\",\"\"ops\"\",\"\"deploy\"\"]\",\
         \"[\"\"x\"\",\"\"\\u202ey\"\"]\",\"{\"\"arn\"\":\"\"a,\\\"\"b\\\"\"\"\",\"\"n\"\":null}\",\n\
         ,,,,NaN,,,,,,,[],\"{\"\"arn\"\":null,\"\"n\"\":1}\",\n"
    );
    let empty =
        batch(vec![("a", strings(&[Some(""), None, Some(" x")])), ("-b", strings(&[None; 3]))]);
    assert_eq!(text(Format::Csv, &[empty], &Style::default()), "a,'-b\n\"\",\n,\n\" x\",\n");
}

#[test]
fn json_is_as_promised() {
    let row = concat!(
        r#"{"text":"=cmd|\u001b[1m","view":"v,w","dict":"GET","n":-5,"f":0.5,"b":true,"#,
        r#""at":"2024-05-01T09:00:12Z","tokyo":"2024-05-01T09:00:12.000007Z","#,
        r#""local":"1970-01-01T00:00:01.500000001","day":"2024-05-01","#,
        r#""chain":["alice","ops","deploy"],"keys":["x","\u202ey"],"#,
        r#""pair":{"arn":"a,\"b\"","n":null},"nothing":null}"#
    );
    let nulls = concat!(
        r#"{"text":null,"view":null,"dict":null,"n":null,"f":null,"b":null,"at":null,"tokyo":null,"#,
        r#""local":null,"day":null,"chain":null,"keys":[],"pair":{"arn":null,"n":1},"nothing":null}"#
    );
    let style = Style::default();
    assert_eq!(text(Format::Ndjson, &[everything()], &style), format!("{row}\n{nulls}\n"));
    let (one, two) = (everything().slice(0, 1), everything().slice(1, 1));
    let array = text(Format::Json, &[one.clone(), one.slice(0, 0), two], &style);
    assert_eq!(array, format!("[\n{row},\n{nulls}\n]\n"));
    let parsed: serde_json::Value = serde_json::from_str(&array).unwrap();
    assert_eq!(parsed[0]["text"], "=cmd|\u{1b}[1m");
    assert_eq!(text(Format::Json, &[one.slice(0, 0)], &style), "[]\n");
    assert_eq!(text(Format::Ndjson, &[one.slice(0, 0)], &style), "");
}

#[test]
fn markdown_is_as_promised() {
    let rows = batch(vec![
        ("who|", strings(&[Some("<b>`x`|\ny"), None])),
        ("n", Arc::new(Int64Array::from(vec![1, 20]))),
        ("chain", lists(&[Some(vec!["a", "[b]"]), Some(vec![])])),
        ("keys", lists(&[Some(vec!["a", "b"]), None])),
    ]);
    assert_eq!(
        text(Format::Markdown, &[rows], &Style::default()),
        "| who\\| | n | chain | keys |\n\
         | --- | ---: | --- | --- |\n\
         | &lt;b&gt;\\`x\\`\\|\\\\ny | 1 | a → \\[b\\] | a, b |\n\
         |  | 20 |  |  |\n"
    );
}

fn people() -> RecordBatch {
    batch(vec![
        ("origin", strings(&[Some("alice"), None, Some("日本\u{1b}")])),
        ("events", Arc::new(Int64Array::from(vec![Some(7), Some(12345), None]))),
        ("chain", lists(&[Some(vec!["alice", "ops"]), None, Some(vec!["b"])])),
    ])
}

#[test]
fn a_table_looks_like_psql() {
    assert_eq!(
        text(Format::Table, &[people()], &Style::default()),
        "  origin  | events |    chain\n\
         ----------+--------+-------------\n \
         alice    |      7 | alice → ops\n          \
         |  12345 |\n \
         日本\\x1b |        | b\n\
         (3 rows)\n"
    );
    let none = text(Format::Table, &[people().slice(0, 0)], &Style::default());
    assert!(none.ends_with("(0 rows)\n"), "{none}");
    let limited = Style { limit: Some(3), color: true, ..Style::default() };
    let shown = text(Format::Table, &[people()], &limited);
    assert!(shown.ends_with("(3 rows; cut at --limit 3, there may be more)\n"), "{shown}");
    assert!(shown.starts_with("\u{1b}[1m  origin"), "{shown}");
    let one = text(Format::Table, &[people().slice(0, 1)], &limited);
    assert!(one.ends_with("(1 row)\n"), "{one}");
}

#[test]
fn a_table_fits_the_terminal() {
    let long = "x".repeat(500);
    let rows = batch(vec![
        ("id", strings(&[Some("abc")])),
        ("user_agent", strings(&[Some(&long)])),
        ("more", strings(&[Some("日本語日本語日本語日本語")])),
    ]);
    for width in 50..140 {
        let style = Style { width: Some(width), ..Style::default() };
        let shown = text(Format::Table, std::slice::from_ref(&rows), &style);
        let widest = shown.lines().map(unicode_width::UnicodeWidthStr::width).max();
        assert!(widest <= Some(width), "{width}:\n{shown}");
        assert!(shown.contains(" abc ") && shown.contains('…'), "{shown}");
    }
    // Not even narrow columns fit: one line a column, in full.
    let style = Style { width: Some(20), ..Style::default() };
    assert_eq!(
        text(Format::Table, std::slice::from_ref(&rows), &style),
        format!(
            "-[ RECORD 1 ]+-\nid         | abc\nuser_agent | {long}\n\
             more       | 日本語日本語日本語日本語\n(1 row)\n"
        )
    );
    // Without a terminal nothing is cut.
    assert!(text(Format::Table, &[rows], &Style::default()).contains(&long));
}

#[test]
fn a_narrow_table_leaves_columns_out_and_says_so() {
    let time = TimestampMicrosecondArray::from(vec![1_714_554_012_000_000]).with_timezone("UTC");
    let long = || strings(&[Some("0123456789012345678901234567890123456789")]);
    let batch = batch(vec![("time", Arc::new(time)), ("a", long()), ("b", long()), ("c", long())]);
    let optional: &[&str] = &["none such", "b", "a"];
    for (width, named) in [(200, "a b c"), (60, "a c"), (45, "c"), (30, "")] {
        let style = Style { width: Some(width), optional, ..Style::default() };
        let shown = text(Format::Table, std::slice::from_ref(&batch), &style);
        let head = shown.lines().next().unwrap();
        let names: Vec<&str> = head.split('|').map(str::trim).skip(1).collect();
        assert_eq!(names.join(" "), named, "{width}:\n{shown}");
        assert!(named.is_empty() || shown.contains("2024-05-01T09:00:12Z"), "{shown}");
        let left = if width == 60 { "too narrow for b:" } else { "too narrow for b, a:" };
        assert_eq!(shown.contains("too narrow"), width < 200, "{shown}");
        assert!(width == 200 || shown.contains(left), "{shown}");
    }
}

#[test]
fn parquet_and_arrow_give_the_batches_back() {
    let rows = batch(vec![
        ("text", strings(&[Some("=\u{1b}\u{202e}"), None])),
        ("view", Arc::new(StringViewArray::from(vec![Some("v"), None]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(7), None]).with_timezone("UTC"))),
        ("chain", lists(&[Some(vec!["a", "b"]), None])),
    ]);
    let check = |found: Vec<RecordBatch>, format: &str| {
        let found = concat_batches(&found[0].schema(), &found).unwrap();
        assert_eq!(found.num_rows(), 4, "{format}");
        assert_eq!(found.column(0).as_string::<i32>().value(2), "=\u{1b}\u{202e}");
        assert_eq!(found.column(1).data_type(), &DataType::Utf8, "{format}: no views");
        assert_eq!(
            found.column(2),
            &::arrow::compute::concat(&[rows.column(2), rows.column(2)]).unwrap()
        );
        assert_eq!(found.slice(0, 2).column(3), rows.column(3), "{format}");
    };
    let twice = [rows.clone(), rows.clone()];
    let (stream, file) = (Style::default(), Style { file: true, ..Style::default() });

    let data = bytes(Format::Arrow, &twice, &stream);
    let reader = ::arrow::ipc::reader::StreamReader::try_new(Cursor::new(data), None).unwrap();
    check(reader.map(|b| b.unwrap()).collect(), "stream");
    let data = bytes(Format::Arrow, &twice, &file);
    let reader = ::arrow::ipc::reader::FileReader::try_new(Cursor::new(data), None).unwrap();
    check(reader.map(|b| b.unwrap()).collect(), "file");
    let temp = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(temp.path(), bytes(Format::Parquet, &twice, &file)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(temp.reopen().unwrap()).unwrap();
    check(reader.build().unwrap().map(|b| b.unwrap()).collect(), "parquet");
}

/// An output that nobody reads.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_told_from_other_errors() {
    let rows = people();
    for format in Format::value_variants() {
        let batches = std::iter::repeat_n(rows.clone(), 5000).map(Ok);
        let error = write(*format, &rows.schema(), batches, &mut Closed, &Style::default());
        assert!(is_broken_pipe(&error.unwrap_err()), "{format:?}");
    }
    assert!(!is_broken_pipe(&Error::usage("no")));
}

#[tokio::test]
async fn a_query_s_stream_is_written() {
    let ctx = datafusion::prelude::SessionContext::new();
    let frame =
        ctx.sql("select 1 as n, 'a' as t union all select 2, null order by n").await.unwrap();
    let mut out = Vec::new();
    let stream = frame.execute_stream().await.unwrap();
    let rows = write_stream(Format::Csv, stream, &mut out, &Style::default()).await.unwrap();
    assert_eq!((rows, String::from_utf8(out).unwrap().as_str()), (2, "n,t\n1,a\n2,\n"));
}

/// Text with a good share of what is special somewhere.
fn hostile() -> impl Strategy<Value = String> {
    "[\u{0}-\u{7f}\u{80}-\u{9f}\u{202a}-\u{202e}é日,;=+@|\"'\\\\\n\r\t-]{0,12}"
}

proptest! {
    #[test]
    fn csv_parses_back(rows in prop::collection::vec((hostile(), hostile()), 1..8)) {
        let column = |of: fn(&(String, String)) -> &String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
        };
        let written = batch(vec![("a", column(|r| &r.0)), ("b", column(|r| &r.1))]);
        let found = text(Format::Csv, &[written], &Style::default());
        prop_assert!(!found.chars().any(|c| c != '\n' && safe::is_hidden(c)));
        let fields = ["a", "b"].map(|n| Field::new(n, DataType::Utf8, true)).to_vec();
        let reader = ::arrow::csv::ReaderBuilder::new(Arc::new(Schema::new(fields)))
            .with_header(true)
            .build(Cursor::new(found))
            .unwrap();
        let parsed: Vec<RecordBatch> = reader.map(|b| b.unwrap()).collect();
        let parsed = concat_batches(&parsed[0].schema(), &parsed).unwrap();
        prop_assert_eq!(parsed.num_rows(), rows.len());
        for (i, (a, b)) in rows.iter().enumerate() {
            for (c, value) in [a, b].into_iter().enumerate() {
                // This reader takes "" for NULL as well.
                let column = parsed.column(c).as_string::<i32>();
                let back = if column.is_null(i) { "" } else { column.value(i) };
                prop_assert_eq!(back, &*safe::csv(value));
            }
        }
    }

    #[test]
    fn ndjson_parses_back(values in prop::collection::vec(hostile(), 1..8)) {
        let written = batch(vec![(
            "\u{202e}\"k",
            Arc::new(StringArray::from_iter_values(&values)) as ArrayRef,
        )]);
        let found = text(Format::Ndjson, &[written], &Style::default());
        prop_assert!(!found.chars().any(|c| c != '\n' && safe::is_hidden(c)));
        let back: Vec<String> = found
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["\u{202e}\"k"]
                .as_str().unwrap().to_owned())
            .collect();
        prop_assert_eq!(back, values);
    }

    #[test]
    fn no_hostile_text_breaks_out_of_a_table(values in prop::collection::vec(hostile(), 1..8), width in 5usize..60) {
        let column = || Arc::new(StringArray::from_iter_values(&values)) as ArrayRef;
        let written = batch(vec![("a", column()), ("b", column())]);
        let style = Style { width: Some(width), ..Style::default() };
        let table = text(Format::Table, std::slice::from_ref(&written), &style);
        prop_assert!(!table.chars().any(|c| c != '\n' && safe::is_hidden(c)));
        let markdown = text(Format::Markdown, &[written], &style);
        prop_assert_eq!(markdown.lines().count(), values.len() + 2);
        for line in markdown.lines() {
            let bars = line.match_indices('|').filter(|(at, _)| {
                line[..*at].chars().rev().take_while(|c| *c == '\\').count() % 2 == 0
            });
            prop_assert_eq!(bars.count(), 3);
        }
    }
}

#[test]
fn one_long_value_does_not_make_all_rows_as_long() {
    let long = "x".repeat(100_000);
    let names: Vec<&str> = std::iter::once(long.as_str()).chain(["short"; 100]).collect();
    let array: ArrayRef = Arc::new(StringArray::from(names));
    let text = text(
        Format::Table,
        &[batch(vec![("name", array.clone()), ("again", array)])],
        &Style::default(),
    );
    assert!(text.contains(&long), "what goes into a pipe is evidence");
    assert!(text.len() < 300_000, "{}", text.len());
}
