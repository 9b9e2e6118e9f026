//! The WHERE clause of an answer: fixed fragments of SQL, joined by AND, and the values bound to
//! them.

use super::pattern::{has_wildcard, like};
use crate::error::{Error, Result};
use crate::model::time;
use crate::sql::Params;

/// A span of time; `until` does not belong to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// First instant, microseconds since 1970.
    pub since: Option<i64>,
    /// First instant after it.
    pub until: Option<i64>,
}

impl Window {
    /// Reads what was typed after `--since` and `--until`.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn parse(since: Option<&str>, until: Option<&str>, now: i64) -> Result<Window> {
        let read = |name: &str, text: Option<&str>| {
            let instant = |text| {
                time::parse_user_time(text, now).ok_or_else(|| {
                    Error::usage_hint(
                        format!("--{name} {text} is no time"),
                        "write RFC 3339 (2024-05-01T09:00:00Z), a date (2024-05-01), or a span \
                         back from now (24h, 7d)",
                    )
                })
            };
            text.map(instant).transpose()
        };
        let window = Window { since: read("since", since)?, until: read("until", until)? };
        match (window.since, window.until) {
            (Some(since), Some(until)) if since >= until => Err(Error::usage_hint(
                "the window is empty: --until is not after --since",
                "--until itself does not belong to the window",
            )),
            _ => Ok(window),
        }
    }
}

/// Conditions and their values.
#[derive(Debug, Default)]
pub struct Filter {
    conditions: Vec<String>,
    params: Params,
    bound: usize,
}

impl Filter {
    /// That one of the columns fits the text, alone.
    pub fn of_fitting(columns: &[&str], text: &str) -> Filter {
        let mut filter = Filter::default();
        filter.fits(columns, Some(text));
        filter
    }

    /// Adds a condition without values.
    pub fn add(&mut self, condition: impl Into<String>) {
        self.conditions.push(condition.into());
    }

    /// Binds a text; gives the name under which the statement knows it.
    pub fn bind(&mut self, value: &str) -> String {
        let name = format!("p{}", self.bound);
        self.bound += 1;
        self.params = std::mem::take(&mut self.params).text(&name, value);
        format!("${name}")
    }

    /// Binds an instant.
    pub fn bind_instant(&mut self, micros: i64) -> String {
        let name = format!("p{}", self.bound);
        self.bound += 1;
        self.params = std::mem::take(&mut self.params).instant(&name, Some(micros));
        format!("${name}")
    }

    /// Binds texts as the list after IN.
    pub fn bind_list<'t>(&mut self, values: impl IntoIterator<Item = &'t str>) -> String {
        let names: Vec<String> = values.into_iter().map(|value| self.bind(value)).collect();
        names.join(", ")
    }

    /// One of the columns equals the text, or fits it where it has wildcards.
    pub fn fits(&mut self, columns: &[&str], text: Option<&str>) {
        let Some(text) = text else { return };
        let condition = self.fitting(columns, text);
        self.add(condition);
    }

    /// The condition of [`Filter::fits`], to be used inside another one.
    pub fn fitting(&mut self, columns: &[&str], text: &str) -> String {
        let (operator, name) = if has_wildcard(text) {
            ("LIKE", self.bind(&like(text)))
        } else {
            ("=", self.bind(text))
        };
        any_of(columns, operator, &name)
    }

    /// The text stands in one of the columns, whatever the case; with wildcards it must fit.
    pub fn contains(&mut self, columns: &[&str], text: Option<&str>) {
        let Some(text) = text else { return };
        let name = self.bind(&super::pattern::like_anywhere(text));
        self.add(any_of(columns, "ILIKE", &name));
    }

    /// Binds a list of texts, to be asked with `among(column, …)`.
    pub fn bind_texts<'t>(&mut self, values: impl IntoIterator<Item = &'t str>) -> String {
        let name = format!("p{}", self.bound);
        self.bound += 1;
        self.params = std::mem::take(&mut self.params).texts(&name, values);
        format!("${name}")
    }

    /// The condition that a time lies in the window, to be used inside of another statement.
    pub fn between(&mut self, column: &str, window: Window) -> String {
        let since = window.since.map(|since| format!("{column} >= {}", self.bind_instant(since)));
        let until = window.until.map(|until| format!("{column} < {}", self.bind_instant(until)));
        let both: Vec<String> = since.into_iter().chain(until).collect();
        if both.is_empty() { "true".to_owned() } else { both.join(" AND ") }
    }

    /// The event lies in the window; days are named too, so that whole partitions are skipped.
    pub fn events_in(&mut self, window: Window, table: &str) {
        if let Some(since) = window.since {
            let name = self.bind_instant(since);
            self.add(format!("{table}.event_time >= {name}"));
            self.add(format!("{table}.event_date >= CAST({name} AS DATE)"));
        }
        if let Some(until) = window.until {
            let name = self.bind_instant(until);
            self.add(format!("{table}.event_time < {name}"));
            self.add(format!("{table}.event_date <= CAST({name} AS DATE)"));
        }
    }

    /// The session was in use within the window.
    pub fn sessions_in(&mut self, window: Window) {
        if let Some(since) = window.since {
            let name = self.bind_instant(since);
            self.add(format!("last_event_at >= {name}"));
        }
        if let Some(until) = window.until {
            let name = self.bind_instant(until);
            self.add(format!("first_event_at < {name}"));
        }
    }

    /// `WHERE …`, or nothing; and the values.
    pub fn finish(self) -> (String, Params) {
        let clause = match self.conditions.as_slice() {
            [] => String::new(),
            all => format!("WHERE ({})", all.join(") AND (")),
        };
        (clause, self.params)
    }
}

fn any_of(columns: &[&str], operator: &str, name: &str) -> String {
    let each: Vec<String> = columns.iter().map(|c| format!("{c} {operator} {name}")).collect();
    each.join(" OR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_text_never_reaches_the_statement() {
        let mut filter = Filter::default();
        filter.fits(&["role_name", "role_arn"], Some("x' OR 1=1 --"));
        filter.fits(&["origin"], Some("*'*"));
        filter.contains(&["origin"], Some("it's"));
        let (clause, _) = filter.finish();
        assert_eq!(
            clause,
            "WHERE (role_name = $p0 OR role_arn = $p0) AND (origin LIKE $p1) AND (origin ILIKE $p2)"
        );
    }

    #[test]
    fn windows_are_read_and_checked() {
        let now = 1_714_554_012_000_000;
        assert_eq!(Window::parse(None, None, now).unwrap(), Window::default());
        let day = Window::parse(Some("2024-05-01"), Some("2024-05-02"), now).unwrap();
        assert_eq!(day.until.unwrap() - day.since.unwrap(), time::DAY);
        assert!(matches!(Window::parse(Some("soon"), None, now), Err(Error::Usage { .. })));
        assert!(matches!(Window::parse(Some("1h"), Some("2h"), now), Err(Error::Usage { .. })));
    }
}
