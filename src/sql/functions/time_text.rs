//! Times as the text that Athena's table has. Conditions on the text are conditions on the time
//! behind it, which the files have statistics of.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::scalar::instant;
use crate::model::time;

/// `2024-05-01T09:00:12Z`, whole seconds.
pub(super) const ISO_TEXT: &str = "iso_text";

const ALL: [(&str, Kind); 5] = [
    (ISO_TEXT, Kind::Iso),
    ("day_path_text", Kind::DayPath),
    ("year_text", Kind::Year),
    ("month_text", Kind::Month),
    ("day_text", Kind::Day),
];

pub(super) fn all() -> impl Iterator<Item = ScalarUDF> {
    ALL.into_iter().map(|(name, kind)| {
        let signature = Signature::user_defined(Volatility::Immutable);
        ScalarUDF::new_from_impl(TimeText { name, kind, signature })
    })
}

/// Whether a function of that name is one of these.
pub(super) fn is_one(name: &str) -> bool {
    ALL.iter().any(|(known, _)| *known == name)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Iso,
    DayPath,
    Year,
    Month,
    Day,
}

impl Kind {
    /// The text of a second (of a day for the others) since 1970.
    fn text(self, count: i64) -> String {
        if self == Kind::Iso {
            return time::format_instant(count.saturating_mul(time::SECOND));
        }
        let day = time::format_date(i32::try_from(count).unwrap_or(0));
        match self {
            Kind::Year => day.get(..4).unwrap_or_default().to_owned(),
            Kind::Month => day.get(5..7).unwrap_or_default().to_owned(),
            Kind::Day => day.get(8..).unwrap_or_default().to_owned(),
            _ => day.replace('-', "/"),
        }
    }

    /// Seconds or days until the year 10000, before which texts are in the order of times; `None`
    /// where they are in no order.
    fn end(self) -> Option<i64> {
        const DAYS: i64 = 2_932_897;
        match self {
            Kind::Iso => Some(DAYS * 86_400),
            Kind::DayPath | Kind::Year => Some(DAYS),
            Kind::Month | Kind::Day => None,
        }
    }

    fn value(self, count: i64) -> ScalarValue {
        match self {
            Kind::Iso => {
                let micros = count.saturating_mul(time::SECOND);
                ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))
            }
            _ => ScalarValue::Date32(i32::try_from(count).ok()),
        }
    }

    /// The first count from 1970 on for which `reached` holds; it must hold for all later ones.
    fn first(self, reached: impl Fn(&str) -> bool) -> Option<i64> {
        let (mut from, mut to) = (0, self.end()?);
        while from < to {
            let middle = from + (to - from) / 2;
            if reached(&self.text(middle)) { to = middle } else { from = middle + 1 }
        }
        Some(from)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeText {
    name: &'static str,
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for TimeText {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match (self.kind, given.len()) {
            (Kind::Iso, 1) => Ok(vec![instant()]),
            (_, 1) => Ok(vec![DataType::Date32]),
            _ => plan_err!("{} takes one time", self.name),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(column) = columns.first() else {
            return exec_err!("{} takes one time", self.name);
        };
        let count = |row: usize| -> Option<i64> {
            if column.is_null(row) {
                return None;
            }
            let day =
                column.as_primitive_opt::<Date32Type>().map(|days| i64::from(days.value(row)));
            day.or_else(|| {
                let micros = column.as_primitive_opt::<TimestampMicrosecondType>()?.value(row);
                Some(micros.div_euclid(time::SECOND))
            })
        };
        let texts = (0..column.len()).map(|row| count(row).map(|count| self.kind.text(count)));
        Ok(ColumnarValue::Array(Arc::new(texts.collect::<StringArray>())))
    }

    /// The times whose text is the literal: from the first with a text not before it to the first
    /// with a text after it. Right for every comparison, because texts are in the order of times.
    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        _: &SimplifyContext,
    ) -> Result<PreimageResult> {
        let ([of], Expr::Literal(value, _)) = (args, literal) else {
            return Ok(PreimageResult::None);
        };
        let Some(text) = value.try_as_str().flatten() else { return Ok(PreimageResult::None) };
        let from = self.kind.first(|known| known >= text);
        let to = self.kind.first(|known| known > text);
        let (Some(from), Some(to)) = (from, to) else { return Ok(PreimageResult::None) };
        let interval = Interval::try_new(self.kind.value(from), self.kind.value(to))?;
        Ok(PreimageResult::Range { expr: of.clone(), interval: Box::new(interval) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_on_text_hold_for_the_same_times() {
        let seconds = [0, 1, 86_399, 86_400, 1_714_554_012, 253_402_300_799];
        let literals = [
            "",
            "2",
            "1970",
            "1970-01-02",
            "2024-05-01T09:00:12Z",
            "2024-05-01T09:00:12",
            "2024-05-01 09:00",
            "9999-12-31T23:59:59Z",
            "zzz",
        ];
        for text in literals {
            let from = Kind::Iso.first(|known| known >= text).unwrap();
            let to = Kind::Iso.first(|known| known > text).unwrap();
            for second in seconds {
                let shown = Kind::Iso.text(second);
                assert_eq!(shown.as_str() >= text, second >= from, "{shown} >= {text}");
                assert_eq!(shown.as_str() > text, second >= to, "{shown} > {text}");
                assert_eq!(shown == text, second >= from && second < to, "{shown} = {text}");
            }
        }
        let day = Kind::DayPath.first(|known| known >= "2024/05/01").unwrap();
        assert_eq!((day, Kind::Year.first(|known| known > "2023")), (19_844, Some(19_723)));
    }
}
