//! Conditions in which something is null, against three-valued logic written out.

use std::collections::BTreeMap;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use proptest::prelude::*;
use roletrail::sql::{Params, Source, Sql};

type Text = Option<&'static str>;

/// A row of `(x, y, z)`.
type Row = (Text, Text, Option<bool>);

fn rows() -> Vec<Row> {
    let texts = [Some("a"), Some("b"), None];
    let flags = [Some(true), Some(false), None];
    let pairs = texts.iter().flat_map(|x| texts.iter().map(move |y| (*x, *y)));
    pairs.flat_map(|(x, y)| flags.iter().map(move |z| (x, y, *z))).collect()
}

#[derive(Clone, Copy, Debug)]
enum Operand {
    X,
    Y,
    Literal(Text),
}

impl Operand {
    fn sql(self) -> String {
        match self {
            Operand::X => "x".into(),
            Operand::Y => "y".into(),
            Operand::Literal(Some(text)) => format!("'{text}'"),
            Operand::Literal(None) => "NULL".into(),
        }
    }

    fn of(self, row: Row) -> Text {
        match self {
            Operand::X => row.0,
            Operand::Y => row.1,
            Operand::Literal(text) => text,
        }
    }
}

#[derive(Clone, Debug)]
enum Condition {
    Flag,
    Equals(Operand, Operand),
    IsNull(Box<Condition>),
    Among(Operand, Vec<Operand>),
    /// In the rows of a subquery, without those that equal an operand.
    InRows(Operand, Vec<Text>, Option<Operand>),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Else(Box<Condition>, bool),
}

use Condition::{Among, And, Else, Equals, Flag, InRows, IsNull, Not, Or};

fn equal(a: Text, b: Text) -> Option<bool> {
    Some(a? == b?)
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn among(sought: Text, items: impl Iterator<Item = Text>) -> Option<bool> {
    let mut found = Some(false);
    for item in items {
        found = or(found, equal(sought, item));
    }
    found
}

impl Condition {
    fn sql(&self) -> String {
        match self {
            Flag => "z".into(),
            Equals(a, b) => format!("{} = {}", a.sql(), b.sql()),
            IsNull(inner) => format!("(({}) IS NULL)", inner.sql()),
            Among(sought, items) => {
                let items: Vec<_> = items.iter().map(|item| item.sql()).collect();
                format!("{} IN ({})", sought.sql(), items.join(", "))
            }
            InRows(sought, rows, without) => {
                let rows: Vec<_> =
                    rows.iter().map(|row| format!("({})", Operand::Literal(*row).sql())).collect();
                let without = without.map(|w| format!(" WHERE w <> t.{}", w.sql()));
                let rows =
                    format!("(VALUES {}) u(w){}", rows.join(", "), without.unwrap_or_default());
                format!("{} IN (SELECT w FROM {rows})", sought.sql())
            }
            Not(inner) => format!("NOT ({})", inner.sql()),
            And(a, b) => format!("(({}) AND ({}))", a.sql(), b.sql()),
            Or(a, b) => format!("(({}) OR ({}))", a.sql(), b.sql()),
            Else(inner, value) => format!("coalesce({}, {value})", inner.sql()),
        }
    }

    fn of(&self, row: Row) -> Option<bool> {
        match self {
            Flag => row.2,
            Equals(a, b) => equal(a.of(row), b.of(row)),
            IsNull(inner) => Some(inner.of(row).is_none()),
            Among(sought, items) => among(sought.of(row), items.iter().map(|item| item.of(row))),
            InRows(sought, rows, without) => {
                let stays =
                    |text: &Text| without.is_none_or(|w| equal(*text, w.of(row)) == Some(false));
                among(sought.of(row), rows.iter().copied().filter(stays))
            }
            Not(inner) => inner.of(row).map(|yes| !yes),
            And(a, b) => or(a.of(row).map(|a| !a), b.of(row).map(|b| !b)).map(|no| !no),
            Or(a, b) => or(a.of(row), b.of(row)),
            Else(inner, value) => inner.of(row).or(Some(*value)),
        }
    }
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![Just(Some("a")), Just(Some("b")), Just(Some("c")), Just(None)]
}

fn column() -> impl Strategy<Value = Operand> {
    prop_oneof![Just(Operand::X), Just(Operand::Y)]
}

fn condition() -> impl Strategy<Value = Condition> {
    let operand = || prop_oneof![4 => text().prop_map(Operand::Literal), 1 => column()];
    // One that is not null gives the column its type.
    let texts = prop::collection::vec(text(), 0..3).prop_map(|mut texts| {
        texts.insert(0, Some("b"));
        texts
    });
    let leaf = prop_oneof![
        1 => Just(Flag),
        2 => (column(), operand()).prop_map(|(a, b)| Equals(a, b)),
        4 => (column(), prop::collection::vec(operand(), 1..6)).prop_map(|(a, b)| Among(a, b)),
        3 => (column(), texts, prop::option::weighted(0.3, column()))
            .prop_map(|(sought, rows, without)| InRows(sought, rows, without)),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let one = || inner.clone().prop_map(Box::new);
        prop_oneof![
            3 => (one(), one()).prop_map(|(a, b)| And(a, b)),
            3 => (one(), one()).prop_map(|(a, b)| Or(a, b)),
            3 => one().prop_map(Not),
            1 => one().prop_map(IsNull),
            1 => (one(), any::<bool>()).prop_map(|(inner, value)| Else(inner, value)),
        ]
    })
}

fn ask(sql: &str) -> Vec<RecordBatch> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let session = Sql::open(Source::Memory(BTreeMap::new()), 64 << 20).await.unwrap();
        session.rows(sql, Params::none()).await.unwrap_or_else(|e| panic!("{sql}: {e}"))
    })
}

/// The rows as a table that remembers their places.
fn table() -> String {
    let flag = |z: Option<bool>| z.map_or("NULL".into(), |z| z.to_string());
    let text = |text| Operand::Literal(text).sql();
    let rows = rows().into_iter().enumerate();
    let rows = rows.map(|(i, (x, y, z))| format!("({i}, {}, {}, {})", text(x), text(y), flag(z)));
    format!("(VALUES {}) t(place, x, y, z)", rows.collect::<Vec<_>>().join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_row_is_taken_where_the_condition_is_true(all in prop::collection::vec(condition(), 8)) {
        let table = table();
        let parts = all.iter().enumerate().map(|(n, condition)| {
            format!("SELECT {n} AS n, place FROM {table} WHERE {}", condition.sql())
        });
        let sql = format!(
            "SELECT * FROM ({}) ORDER BY n, place",
            parts.collect::<Vec<_>>().join(" UNION ALL ")
        );
        let mut taken = vec![Vec::new(); all.len()];
        for batch in ask(&sql) {
            let (n, place) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1));
            let place = place.as_primitive::<Int64Type>();
            for (n, place) in n.values().iter().zip(place.values()) {
                taken[usize::try_from(*n).unwrap()].push(usize::try_from(*place).unwrap());
            }
        }
        for (condition, taken) in all.iter().zip(taken) {
            let rows = rows().into_iter().enumerate();
            let wanted: Vec<usize> =
                rows.filter(|(_, row)| condition.of(*row) == Some(true)).map(|(i, _)| i).collect();
            prop_assert_eq!(taken, wanted, "{}", condition.sql());
        }
    }
}

#[test]
fn in_is_unknown_where_null_could_be_what_is_looked_for() {
    let table = "(VALUES ('a'), ('b'), (NULL)) t(x)";
    let batches = ask(&format!(
        "SELECT x NOT IN ('a', NULL) AS beside_null, x IN ('a', 'c') AND x IN ('b', 'd') AS both \
         FROM {table} ORDER BY x NULLS LAST"
    ));
    let batch = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let column = |i: usize| batch.column(i).as_boolean().clone();
    assert_eq!(column(0), BooleanArray::from(vec![Some(false), None, None]));
    assert_eq!(column(1), BooleanArray::from(vec![Some(false), Some(false), None]));
}

#[test]
fn is_distinct_from_binds_tighter_than_and() {
    let table = "(VALUES (true, 1), (NULL, 2), (false, 3)) t(x, n)";
    let batches = ask(&format!(
        "SELECT sum(n) AS s FROM {table} WHERE x IS DISTINCT FROM true AND n < 3 \
         UNION ALL SELECT sum(n) FROM {table} WHERE NOT x IS NOT DISTINCT FROM false OR n = 3 \
         ORDER BY s"
    ));
    let sums: Vec<i64> = batches
        .iter()
        .flat_map(|b| b.column(0).as_primitive::<Int64Type>().values())
        .copied()
        .collect();
    assert_eq!(sums, [2, 6]);
}

/// Else each row would meet all of the subquery's, only to learn whether there is one.
#[test]
fn whether_a_subquery_has_rows_is_told_by_the_first() {
    let rows = "(SELECT w FROM (VALUES ('a'), (NULL)) u(w))";
    let plan =
        ask(&format!("EXPLAIN SELECT x FROM (VALUES ('b')) t(x) WHERE x = 'c' OR x NOT IN {rows}"));
    let plan = arrow::util::pretty::pretty_format_batches(&plan).unwrap().to_string();
    assert!(plan.matches("fetch=1").count() >= 2, "{plan}");
}
