//! What a question asks of a table, as far as the statistics, the bloom filters and the dictionaries of its
//! files can tell that a file has none of it.

use std::collections::HashMap;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use serde_json::Value;

use super::datafile::parse_day;
use super::layout::has_dictionary;
use crate::model::time;
use crate::table::{Kind, TableDef};

/// Texts that are looked for one by one; of more, hardly a file has none.
const MOST_TEXTS: usize = 64;

/// From the least to the greatest time of each column that has any, in microseconds since 1970.
pub(super) type Bounds = HashMap<&'static str, (i64, i64)>;

/// A column compared with a time that is given, or with a day.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'e> {
    /// The column.
    pub column: &'e str,
    /// How, with the column on the left.
    pub op: Operator,
    /// The first microsecond, since 1970, of what it is compared with.
    pub from: i64,
    /// The last one: the same, or the end of the day.
    pub to: i64,
}

impl<'e> Comparison<'e> {
    /// What a condition compares; `None` for other conditions.
    pub fn of(condition: &'e Expr) -> Option<Comparison<'e>> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
        let (column, op, (from, to)) = match (column(left), times(right)) {
            (Some(column), Some(times)) => (column, *op, times),
            _ => (column(right)?, op.swap()?, times(left)?),
        };
        Some(Comparison { column, op, from, to })
    }

    fn of_table(self, def: &TableDef) -> Option<(&'static str, Operator, i64)> {
        let column = def.columns.iter().find(|column| column.name == self.column)?;
        let has_bounds = matches!(column.kind, Kind::Time | Kind::Date);
        has_bounds.then_some((column.name, self.op, self.from))
    }
}

/// From the first to the last microsecond of a constant.
fn times(expr: &Expr) -> Option<(i64, i64)> {
    match expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(micros, _), _) => {
            micros.map(|micros| (micros, micros))
        }
        Expr::Literal(ScalarValue::Date32(day), _) => {
            // A number that was made a day may lie outside of all times.
            let from = i64::from((*day)?).saturating_mul(time::DAY);
            Some((from, from.saturating_add(time::DAY - 1)))
        }
        _ => None,
    }
}

/// Conditions that all rows fulfil that are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Of the column with this number among [`TableDef::lookup`], one of these texts.
    pub texts: Vec<(usize, Vec<String>)>,
    /// Conditions on columns with dictionaries.
    pub worded: Vec<Worded>,
    /// Columns compared with times.
    times: Vec<(&'static str, Operator, i64)>,
}

/// A condition on one text column alone, which the values of the column tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Worded {
    /// The column.
    pub column: &'static str,
    /// The condition.
    pub condition: Expr,
}

impl Worded {
    fn of(def: &TableDef, condition: &Expr) -> Option<Worded> {
        let columns = condition.column_refs();
        let mut names = columns.iter().map(|column| column.name.as_str());
        let (name, None) = (names.next()?, names.next()) else { return None };
        let column = def.columns.iter().find(|column| column.name == name)?;
        let is_told = has_dictionary(def, column)
            && !condition.is_volatile()
            && !condition.contains_outer()
            && !asks_elsewhere(condition);
        is_told.then(|| Worded { column: column.name, condition: condition.clone() })
    }
}

/// Whether a condition asks another plan.
fn asks_elsewhere(condition: &Expr) -> bool {
    let asks = |expr: &Expr| {
        let subquery = matches!(
            expr,
            Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::ScalarSubquery(_)
                | Expr::SetComparison(_)
        );
        Ok(subquery)
    };
    condition.exists(asks).unwrap_or(true)
}

impl Asked {
    /// What the conditions ask for; `None` where they name no text that bloom filters or dictionaries
    /// know.
    pub fn of(def: &TableDef, conditions: &[Expr]) -> Option<Asked> {
        let mut asked = Asked { texts: Vec::new(), worded: Vec::new(), times: Vec::new() };
        for condition in conditions.iter().flat_map(split_conjunction) {
            if let Some((column, texts)) = texts(condition)
                && let Some(number) = def.lookup.iter().position(|name| *name == column)
                && texts.len() <= MOST_TEXTS
            {
                asked.texts.push((number, texts));
            } else if let Some(worded) = Worded::of(def, condition) {
                asked.worded.push(worded);
            } else {
                asked.times.extend(Comparison::of(condition).and_then(|found| found.of_table(def)));
            }
        }
        Some(asked).filter(|asked| !asked.texts.is_empty() || !asked.worded.is_empty())
    }

    /// Whether rows with these bounds may fulfil the conditions on times.
    pub fn may_lie_in(&self, bounds: &Bounds) -> bool {
        self.times.iter().all(|(column, op, time)| match (bounds.get(column), op) {
            (None, _) => true,
            (Some((least, greatest)), Operator::Eq) => (least..=greatest).contains(&time),
            (Some((least, _)), Operator::Lt) => least < time,
            (Some((least, _)), Operator::LtEq) => least <= time,
            (Some((_, greatest)), Operator::Gt) => greatest > time,
            (Some((_, greatest)), Operator::GtEq) => greatest >= time,
            _ => true,
        })
    }
}

/// The bounds of a data file, by its partition and its statistics.
pub(super) fn bounds(def: &TableDef, partition: Option<&str>, stats: Option<&str>) -> Bounds {
    let mut bounds = Bounds::new();
    if let (Some(column), Some(day)) = (def.partition_by, partition.and_then(parse_day)) {
        let day = i64::from(day) * time::DAY;
        bounds.insert(column, (day, day));
    }
    let stats: Value = stats.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let time = |bound: &str, column: &str| time::parse_instant(stats[bound][column].as_str()?);
    for column in def.columns.iter().filter(|column| column.kind == Kind::Time) {
        let both = time("minValues", column.name).zip(time("maxValues", column.name));
        bounds.extend(both.map(|both| (column.name, both)));
    }
    bounds
}

/// The texts that a condition leaves of one column.
fn texts(condition: &Expr) -> Option<(&str, Vec<String>)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            match (column(left), text(right)) {
                (Some(column), Some(text)) => Some((column, vec![text])),
                _ => Some((column(right)?, vec![text(left)?])),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let ((column, mut all), (other, more)) = (texts(left)?, texts(right)?);
            all.extend(more);
            (column == other).then_some((column, all))
        }
        Expr::InList(list) if !list.negated && list.list.len() <= MOST_TEXTS => {
            let texts: Option<Vec<String>> = list.list.iter().map(text).collect();
            Some((column(&list.expr)?, texts?))
        }
        _ => None,
    }
}

fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) => Some(&column.name),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text),
            _,
        ) => text.clone(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{ident, lit};

    use super::*;
    use crate::events::EVENTS;

    /// The texts that are asked for, by column, and how many conditions there are on times.
    type Found = (Vec<(&'static str, Vec<String>)>, usize);

    fn asked(conditions: &[Expr]) -> Option<Found> {
        let asked = Asked::of(&EVENTS, conditions)?;
        let named = asked.texts.into_iter().map(|(number, texts)| (EVENTS.lookup[number], texts));
        Some((named.collect(), asked.times.len()))
    }

    fn moment(micros: i64) -> Expr {
        lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
    }

    #[test]
    fn texts_of_columns_with_bloom_filters_are_found() {
        let id = || ident("event_id");
        let texts =
            |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let one = vec![("event_id", texts(&["a"]))];
        assert_eq!(asked(&[id().eq(lit("a"))]), Some((one.clone(), 0)));
        assert_eq!(asked(&[lit("a").eq(id())]), Some((one, 0)));
        let two = Some((vec![("event_id", texts(&["a", "b"]))], 0));
        assert_eq!(asked(&[id().in_list(vec![lit("a"), lit("b")], false)]), two);
        assert_eq!(asked(&[id().eq(lit("a")).or(id().eq(lit("b")))]), two);
        let both = id().eq(lit("a")).and(ident("access_key_id").eq(lit("k")));
        let then = ident("event_time").gt_eq(moment(5));
        let found = asked(&[both.and(then)]).unwrap();
        assert_eq!((found.0.len(), found.1), (2, 1));
        for nothing in [
            id().in_list(vec![lit("a")], true),
            id().not_eq(lit("a")),
            id().eq(lit("a")).or(ident("access_key_id").eq(lit("a"))),
            id().eq(lit("a")).or(lit(true)),
            id().eq(ident("request_id")),
            ident("event_name").eq(ident("event_source")),
            ident("request_parameters").like(lit("%a%")),
            ident("event_name").eq(lit("a")).or(ident("event_time").gt(moment(5))),
            ident("event_time").gt_eq(moment(5)),
            id().in_list((0..=MOST_TEXTS).map(|n| lit(n.to_string())).collect(), false),
        ] {
            assert_eq!(asked(std::slice::from_ref(&nothing)), None, "{nothing}");
        }
    }

    #[test]
    fn conditions_on_one_column_with_a_dictionary_are_found() {
        let (name, address) = (|| ident("event_name"), || ident("source_ip_address"));
        for (condition, column) in [
            (name().eq(lit("a")), "event_name"),
            (name().ilike(lit("a%")).or(name().eq(lit("b"))), "event_name"),
            (name().is_null(), "event_name"),
            (address().in_list(vec![lit("a")], true), "source_ip_address"),
        ] {
            let then = ident("event_time").gt(moment(5));
            let asked = Asked::of(&EVENTS, &[condition.clone().and(then)]).unwrap();
            assert_eq!(asked.worded, [Worded { column, condition }]);
            assert!(asked.texts.is_empty() && asked.times.len() == 1);
        }
    }

    #[test]
    fn files_of_other_times_have_nothing_and_those_without_bounds_may() {
        let stats = r#"{"minValues":{"event_time":"2024-05-01T10:00:00.000Z"},
            "maxValues":{"event_time":"2024-05-01T11:00:00.500Z"}}"#;
        let here = bounds(&EVENTS, Some("2024-05-01"), Some(stats));
        let at = |text: &str| moment(time::parse_instant(text).unwrap());
        let may = |condition: Expr, bounds: &Bounds| {
            let id = ident("event_id").eq(lit("a"));
            Asked::of(&EVENTS, &[id, condition]).unwrap().may_lie_in(bounds)
        };
        let (time, date) = (|| ident("event_time"), || ident("event_date"));
        let day = |day| lit(ScalarValue::Date32(Some(day)));
        for (condition, expected) in [
            (time().gt_eq(at("2024-05-01T11:00:00.5Z")), true),
            (time().gt(at("2024-05-01T11:00:00.5Z")), false),
            (time().lt_eq(at("2024-05-01T10:00:00Z")), true),
            (time().lt(at("2024-05-01T10:00:00Z")), false),
            (time().eq(at("2024-05-01T10:30:00Z")), true),
            (time().eq(at("2024-05-01T09:30:00Z")), false),
            (at("2024-05-01T09:30:00Z").gt(time()), false),
            (date().eq(day(19_844)), true),
            (date().gt(day(19_844)), false),
            (date().lt_eq(day(19_843)), false),
            (time().not_eq(at("2024-05-01T10:30:00Z")), true),
        ] {
            assert_eq!(may(condition.clone(), &here), expected, "{condition}");
            assert!(may(condition, &Bounds::new()));
        }
        for odd in [None, Some(""), Some("[]"), Some(r#"{"minValues":{"event_time":7}}"#)] {
            assert!(bounds(&EVENTS, None, odd).is_empty());
        }
    }
}
