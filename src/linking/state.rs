//! Keeps the facts of linking between ingests, so that old events need not be read again: rows of
//! **linking_state**, ordered by time, so that a stretch of time can be read alone.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use hashbrown::{HashMap, HashSet};
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::recent::Told;
use super::spill::{Head, Spill, SpillFile, Writer};
use super::without_date::Encoded;
use crate::error::{Error, Result};
use crate::grants::{Grant, Join};
use crate::model::{ids, time};
use crate::sessions::Facts;
use crate::sessions::facts::{CredentialFacts, SharedCall};
use crate::sessions::names::Names;
use crate::sessions::outside::{Answer, Question};
use crate::sessions::packed::{PackedGrant, pack, unpack};
use crate::store::columns::LINKING_STATE;
use crate::store::{DataFile, Place, Select, Transaction};
use crate::table::build::RowsBuilder;
use crate::table::{TableDef, typed};

const ANSWER: &str = "answer";
const CREDENTIAL: &str = "credential";
const GRANT: &str = "grant";
const MENTIONED: &str = "mentioned";
const NAMES: &str = "names";
const SHARED_CALL: &str = "shared_call";

/// The time of what has none.
pub const UNDATED: i64 = i64::MIN;

/// How parts are cut; another number for every other way.
const LAYOUT: u32 = 2;

/// Names and order of all fields that are kept, of the values of [`Join`], and [`LAYOUT`], as a number. What
/// is kept does not describe itself, so that of another version must not be read as if it were ours.
static FORMAT: LazyLock<i64> = LazyLock::new(|| {
    let version = (env!("CARGO_PKG_VERSION"), LAYOUT);
    let call = SharedCall::default();
    let (facts, grant, names) = (CredentialFacts::default(), Grant::default(), Names::default());
    let fields = (version, Join::ALL, facts, grant, call, names, Answer::nobody());
    let described = serde_json::to_vec(&fields).unwrap_or_default();
    xxh3_64(&described).cast_signed()
});

/// A range of seconds since 1970; the last one is not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds {
    /// First second.
    pub from: i64,
    /// The second after the last one.
    pub to: i64,
}

impl Seconds {
    /// All times.
    pub const ALL: Seconds = Seconds { from: i64::MIN, to: i64::MAX };

    /// Whether the range has a second.
    pub fn holds(self, second: i64) -> bool {
        (self.from..self.to).contains(&second)
    }

    /// The range with as much before and behind it.
    pub fn widened(self, seconds: i64) -> Seconds {
        Seconds { from: self.from.saturating_sub(seconds), to: self.to.saturating_add(seconds) }
    }
}

/// The range of what belongs to no time.
pub fn no_time() -> Vec<Seconds> {
    single(std::iter::once(UNDATED))
}

/// Single seconds as ranges.
pub fn single(seconds: impl Iterator<Item = i64>) -> Vec<Seconds> {
    seconds.map(|from| Seconds { from, to: from.saturating_add(1) }).collect()
}

/// What was read.
#[derive(Default)]
pub struct Kept {
    /// The facts.
    pub facts: Facts,
    /// What was last said of those who obtained credentials, by credential id.
    pub answers: HashMap<String, Answer>,
}

/// Which rows to read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// When: ranges in order, apart from each other.
    pub seconds: &'w [Seconds],
    /// Which facts of then.
    pub facts: Choice<'w>,
    /// Which answers of then.
    pub answers: Choice<'w>,
}

/// Some of the rows of a time.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'w> {
    /// None.
    None,
    /// All.
    All,
    /// Those with these keys: of credentials and answers, credential ids.
    Of(&'w HashSet<&'w str>),
    /// Answers about these principals, see [`number_of_principal`]; credentials and grants of these
    /// sign-in sessions, see [`number_of_sign_in_session`].
    About(&'w HashSet<i64>),
    /// Grants.
    Grants,
    /// Names.
    Names,
    /// All but [`Choice::WithoutSession`].
    WithSession,
    /// Callers that have no session at all, a share of them.
    WithoutSession(Share),
}

/// One of so many shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which one, from zero.
    pub number: u64,
    /// How many there are.
    pub of: u64,
}

impl Share {
    /// The number of the share in which a caller is, by its id.
    pub fn number_of(id: &str, of: u64) -> u64 {
        xxh3_64(id.as_bytes()) % of.max(1)
    }
}

impl Wanted<'_> {
    /// Whether an answer is wanted; see [`Choice::About`].
    pub fn holds_answer(&self, second: i64, id: &str, about: i64) -> bool {
        self.holds(second, ANSWER, id, about)
    }

    fn holds(&self, second: i64, kind: &str, key: &str, about: i64) -> bool {
        let next = self.seconds.partition_point(|seconds| seconds.to <= second);
        let then = self.seconds.get(next).is_some_and(|seconds| seconds.holds(second));
        let choice = if kind == ANSWER { self.answers } else { self.facts };
        then && choice.holds(kind, key, about)
    }
}

impl Choice<'_> {
    fn holds(self, kind: &str, key: &str, about: i64) -> bool {
        match self {
            Choice::None => false,
            Choice::All => true,
            Choice::Of(keys) => keys.contains(key),
            Choice::About(numbers) => numbers.contains(&about),
            Choice::Grants => kind == GRANT,
            Choice::Names => kind == NAMES,
            Choice::WithSession => !has_no_session(kind, key),
            Choice::WithoutSession(Share { number, of }) => {
                has_no_session(kind, key) && Share::number_of(key, of) == number
            }
        }
    }
}

/// Whether a fact is of a caller without session, whatever else is known of it.
fn has_no_session(kind: &str, key: &str) -> bool {
    matches!(kind, CREDENTIAL | MENTIONED) && ids::is_external(key)
}

/// A number that stands for account and principal. Two with one number would only make work.
pub fn number_of_principal(principal: Option<(&str, &str)>) -> i64 {
    let number = |(account, id)| Question::SessionsOf(account, id).number().cast_signed();
    principal.map_or(0, number)
}

/// The same of the ARN of a sign-in session.
pub fn number_of_sign_in_session(arn: Option<&String>) -> i64 {
    arn.map_or(0, |arn| Question::SignInSession(arn).number().cast_signed())
}

impl Kept {
    /// Adds what is wanted out of some files.
    ///
    /// # Errors
    /// The store's; [`Error::Store`] when another version of the program wrote them.
    pub fn read(&mut self, tx: &Transaction, files: &[PathBuf], wanted: Wanted) -> Result<()> {
        let last = |seconds: &Seconds| (seconds.from, seconds.to.saturating_sub(1));
        let ranges: Vec<(i64, i64)> = wanted.seconds.iter().map(last).collect();
        let select = Select {
            column: "at",
            ranges: &ranges,
            judge_by: &["at", "kind", "key", "about", "format"],
            judge: &mut |batch| {
                refuse_gaps(tx, &LINKING_STATE, batch)?;
                let formats: &Int64Array = typed(batch, "format")?;
                if formats.values().iter().any(|format| *format != *FORMAT) {
                    let what = "was written by another version of roletrail";
                    return Err(damaged(tx, &LINKING_STATE, what));
                }
                judged(batch, wanted)
            },
        };
        tx.read_files(&LINKING_STATE, &["kind", "key", "value"], files, Some(select), |batch| {
            refuse_gaps(tx, &LINKING_STATE, &batch)?;
            let kinds: &StringArray = typed(&batch, "kind")?;
            let keys: &StringArray = typed(&batch, "key")?;
            let values: &BinaryArray = typed(&batch, "value")?;
            for row in 0..batch.num_rows() {
                self.take(kinds.value(row), keys.value(row), values.value(row))
                    .map_err(|e| damaged(tx, &LINKING_STATE, &format!("cannot be read ({e})")))?;
            }
            Ok(())
        })
    }

    /// Adds what is wanted out of a spill.
    ///
    /// # Errors
    /// [`Error::Io`]; the decoder's: a defect of ours.
    pub fn read_spill(&mut self, spill: &Spill, wanted: Wanted) -> Result<()> {
        let holds = |head: Head| wanted.holds(head.second, head.kind, head.key, head.about);
        spill.read(wanted.seconds, holds, |head, value| self.take(head.kind, head.key, value))
    }

    fn take(&mut self, kind: &str, key: &str, value: &[u8]) -> Result<()> {
        fn parsed<T: DeserializeOwned>(value: &[u8]) -> Result<T> {
            unpack(value)
        }
        match kind {
            ANSWER => _ = self.answers.insert(key.to_owned(), parsed(value)?),
            CREDENTIAL => self.facts.add_credential(key.to_owned(), parsed(value)?),
            GRANT => {
                let mut grant: Box<Grant> = parsed(value)?;
                key.clone_into(&mut grant.event_id);
                self.facts.add_grant((grant.event_id.clone(), grant.record_hash), grant);
            }
            MENTIONED => self.facts.mention(key.to_owned(), parsed(value)?),
            NAMES => self.facts.names.merge(parsed(value)?),
            SHARED_CALL => {
                let call = SharedCall { event_id: key.to_owned(), ..parsed(value)? };
                self.facts.shared_calls.insert(call);
            }
            _ => return Err(Error::Encoding(format!("there is no kind {kind:?}"))),
        }
        Ok(())
    }
}

/// Which rows of a batch are wanted.
fn judged(batch: &RecordBatch, wanted: Wanted) -> Result<BooleanArray> {
    let seconds: &Int64Array = typed(batch, "at")?;
    let kinds: &StringArray = typed(batch, "kind")?;
    let keys: &StringArray = typed(batch, "key")?;
    let about: &Int64Array = typed(batch, "about")?;
    let holds =
        |row| wanted.holds(seconds.value(row), kinds.value(row), keys.value(row), about.value(row));
    Ok((0..batch.num_rows()).map(|row| Some(holds(row))).collect())
}

/// Rows of one batch; the bytes of all facts at once would take more memory than the facts.
const BATCH_ROWS: usize = 512;

/// One row before it is encoded: time, kind, key, value.
struct Row<'f>(i64, &'static str, &'f str, Value<'f>);

enum Value<'f> {
    Answer(&'f Told),
    Credential(&'f CredentialFacts),
    Grant(&'f Grant),
    PackedGrant(&'f PackedGrant),
    EncodedCredential(&'f CredentialFacts, &'f [u8]),
    EncodedGrant(&'f Grant, &'f [u8]),
    Names(&'f Names),
    SharedCall(&'f SharedCall),
}

impl Value<'_> {
    /// What [`Choice::About`] chooses by.
    fn about(&self) -> i64 {
        match self {
            Value::Answer(told) => told.about(),
            Value::Credential(facts) | Value::EncodedCredential(facts, _) => {
                number_of_sign_in_session(facts.sign_in_session_arn.as_ref())
            }
            Value::Grant(grant) | Value::EncodedGrant(grant, _) => {
                number_of_sign_in_session(grant.sign_in_session_arn.as_ref())
            }
            Value::PackedGrant(grant) => {
                number_of_sign_in_session(grant.sign_in_session_arn.as_ref())
            }
            Value::Names(_) | Value::SharedCall(_) => 0,
        }
    }

    fn packed(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Value::Answer(told) => return Ok(Cow::Borrowed(&told.packed)),
            Value::Credential(value) => pack(*value),
            Value::Grant(value) => pack(*value),
            Value::PackedGrant(grant) => return Ok(Cow::Borrowed(&grant.bytes)),
            Value::EncodedCredential(_, bytes) | Value::EncodedGrant(_, bytes) => {
                return Ok(Cow::Borrowed(bytes));
            }
            Value::Names(value) => pack(*value),
            Value::SharedCall(value) => pack(*value),
        }
        .map(Cow::Owned)
    }
}

/// What is to be written.
pub struct Rows<'f>(Vec<Row<'f>>);

impl<'f> Rows<'f> {
    /// All facts that belong into a range of time.
    pub fn dated(facts: &'f Facts, seconds: Seconds) -> Rows<'f> {
        let credentials = facts.credentials.iter().filter_map(|(id, facts)| {
            Some(Row(facts.second()?, CREDENTIAL, id, Value::Credential(facts)))
        });
        let grants = facts.grants.values();
        let grants =
            grants.map(|grant| Row(grant.second(), GRANT, &grant.event_id, Value::Grant(grant)));
        let calls = facts.shared_calls.iter().map(|call| {
            let second = call.event_time.div_euclid(time::SECOND);
            Row(second, SHARED_CALL, &call.event_id, Value::SharedCall(call))
        });
        let all = credentials.chain(grants).chain(calls);
        Rows(all.filter(|row| seconds.holds(row.0)).collect())
    }

    /// All facts that belong to no time, and the grants that bear on them.
    pub fn undated(facts: &'f Facts) -> Rows<'f> {
        let credentials = facts.credentials.iter();
        let credentials =
            credentials.map(|(id, facts)| Row(UNDATED, CREDENTIAL, id, Value::Credential(facts)));
        let grants = facts.grants.values();
        let grants = grants.map(|grant| Row(UNDATED, GRANT, &grant.event_id, Value::Grant(grant)));
        Rows(credentials.chain(grants).chain(mentioned(facts)).collect())
    }

    /// The same of facts that are encoded already.
    pub fn encoded(facts: &'f Facts, encoded: &'f Encoded) -> Rows<'f> {
        let credentials = encoded.credentials.iter().map(|(id, facts, bytes)| {
            Row(UNDATED, CREDENTIAL, id, Value::EncodedCredential(facts, bytes))
        });
        let grants = encoded.grants.iter().map(|(grant, bytes)| {
            Row(UNDATED, GRANT, &grant.event_id, Value::EncodedGrant(grant, bytes))
        });
        Rows(credentials.chain(grants).chain(mentioned(facts)).collect())
    }

    /// Names, which belong to no time either.
    pub fn names(names: &'f Names) -> Rows<'f> {
        Rows(vec![Row(UNDATED, NAMES, "", Value::Names(names))])
    }

    /// Grants that are encoded already.
    pub fn packed(grants: impl Iterator<Item = (&'f str, &'f PackedGrant)>) -> Rows<'f> {
        let row = |(event_id, grant): (&'f str, &'f PackedGrant)| {
            Row(grant.second, GRANT, event_id, Value::PackedGrant(grant))
        };
        Rows(grants.map(row).collect())
    }

    /// These and others.
    pub fn and(mut self, mut others: Rows<'f>) -> Rows<'f> {
        self.0.append(&mut others.0);
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an answer to the question who is behind a credential.
    pub fn add_answer(&mut self, told: &'f Told) {
        self.0.push(Row(told.second, ANSWER, &told.id, Value::Answer(told)));
    }

    /// Puts them out of memory, in order of time.
    ///
    /// # Errors
    /// [`Error::Io`]; the encoder's: a defect of ours.
    pub fn spill(mut self, file: Arc<SpillFile>) -> Result<Spill> {
        self.0.sort_by_key(|row| row.0);
        let mut writer = Writer::new(file)?;
        for Row(second, kind, key, value) in &self.0 {
            let head = Head { second: *second, kind, key, about: value.about() };
            writer.push(head, &value.packed()?)?;
        }
        writer.finish()
    }

    /// Writes them as one file, in order.
    ///
    /// # Errors
    /// The store's; the encoder's: a defect of ours.
    pub fn write(mut self, tx: &Transaction, place: Place) -> Result<DataFile> {
        self.0.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        let mut builder = RowsBuilder::new(&LINKING_STATE);
        let batches = self.0.chunks(BATCH_ROWS).map(|rows| {
            for Row(second, kind, key, value) in rows {
                builder.push(vec![
                    (*second).into(),
                    (*kind).into(),
                    (*key).into(),
                    value.about().into(),
                    (*FORMAT).into(),
                    value.packed()?.into(),
                ]);
            }
            builder.finish()
        });
        let batches: &mut dyn Iterator<Item = Result<RecordBatch>> = &mut { batches };
        tx.write_sorted(&LINKING_STATE, place, self.0.len(), batches)
    }
}

/// Callers that only grants name.
fn mentioned(facts: &Facts) -> impl Iterator<Item = Row<'_>> {
    let mentioned = facts.mentioned.iter();
    mentioned.map(|(id, facts)| Row(UNDATED, MENTIONED, id, Value::Credential(facts)))
}

/// Calls `each` with the second of every fact in some files.
///
/// # Errors
/// The store's.
pub fn count_stored(tx: &Transaction, files: &[PathBuf], mut each: impl FnMut(i64)) -> Result<()> {
    tx.read_files(&LINKING_STATE, &["at", "kind"], files, None, |batch| {
        let seconds: &Int64Array = typed(&batch, "at")?;
        let kinds: &StringArray = typed(&batch, "kind")?;
        let facts = (0..batch.num_rows()).filter(|row| kinds.value(*row) != ANSWER);
        facts.for_each(|row| each(seconds.value(row)));
        Ok(())
    })
}

/// Refuses a batch in which a value is missing: linking writes all of them, and a row without its key or
/// number would be taken for another one.
///
/// # Errors
/// [`Error::Store`], with the table and the column.
pub fn refuse_gaps(tx: &Transaction, def: &TableDef, batch: &RecordBatch) -> Result<()> {
    let schema = batch.schema();
    let mut columns = schema.fields().iter().zip(batch.columns());
    match columns.find(|(_, column)| column.null_count() > 0) {
        Some((field, _)) => Err(damaged(tx, def, &format!("lacks values of {}", field.name()))),
        None => Ok(()),
    }
}

/// What is said of a table that linking keeps for itself and cannot use.
pub fn damaged(tx: &Transaction, def: &TableDef, what: &str) -> Error {
    let name = def.name;
    Error::Store {
        path: tx.location().path(),
        message: format!("its table {name} {what}; ingest the logs into a new store"),
    }
}
