//! What a part asked elsewhere; and of what belongs to no time, what was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::Int64Array;
use hashbrown::HashSet;

use super::state::{damaged, refuse_gaps};
use crate::error::Result;
use crate::sessions::Linked;
use crate::sessions::names::Names;
use crate::sessions::outside::Question;
use crate::store::columns::{LINKING_QUESTIONS, LINKING_STATE};
use crate::store::{DataFile, Place, Transaction};
use crate::table::build::RowsBuilder;
use crate::table::typed;

/// Numbers of all questions that the linking of a stretch may have asked; rather too many than too few.
pub fn asked(linked: &Linked, principals: &BTreeSet<(String, String)>) -> BTreeSet<u64> {
    let mut asked = BTreeSet::new();
    let mut ask = |question: Question| _ = asked.insert(question.number());
    let home: HashSet<&str> =
        linked.credentials.iter().filter(|c| c.home).map(|c| c.id.as_ref()).collect();
    for grant in &linked.grants {
        let caller = grant.grant.obtained_by().credential_id.as_str();
        if !home.contains(caller) && (grant.home || !grant.grant.is_only_a_hint()) {
            ask(Question::Answer(caller));
        }
        let key = grant.grant.issued_access_key_id.as_deref();
        if let Some(key) = key.filter(|_| grant.home) {
            ask(Question::Key(key));
        }
    }
    // Of accounts without logs as well: they may come.
    for (account, id) in principals {
        ask(Question::SessionsOf(account, id));
        ask(Question::HasLogs(account));
    }
    let arns = linked.grants.iter().map(|grant| &grant.grant.sign_in_session_arn);
    let arns = arns.chain(linked.credentials.iter().map(|c| &c.facts.sign_in_session_arn));
    arns.flatten().for_each(|arn| ask(Question::SignInSession(arn)));
    for credential in linked.credentials.iter().filter(|c| c.given) {
        ask(Question::Answer(&credential.id));
    }
    for credential in linked.credentials.iter().filter(|c| c.home) {
        let facts = &credential.facts;
        let account = facts.account_id.as_deref().unwrap_or("");
        let user = facts.identity_type.as_deref() == Some("IAMUser");
        let user = [(&facts.account_id, &facts.principal_id, &facts.principal_arn)]
            .into_iter()
            .filter(|_| user);
        let issuer = [(&facts.issuer_account_id, &facts.issuer_principal_id, &facts.issuer_arn)];
        for (account, id, arn) in user.chain(issuer) {
            let account = account.as_deref().or(facts.account_id.as_deref());
            if let Some((account, id)) = account.zip(id.as_deref()) {
                ask(Question::UserArn(account, id));
            }
            let user = arn.as_deref().filter(|arn| arn.contains(":user/"));
            user.into_iter().for_each(|arn| ask(Question::Bearers(arn)));
        }
        if let Some(user) = facts.on_behalf_of_user_id.as_deref() {
            ask(Question::IdentityCenterUser(user));
        }
        if let Some(user) = facts.iam_user_name().filter(|_| facts.signed_in) {
            ask(Question::Passwords(account, user));
        }
        if let Some(session) = crate::sessions::long_term_session(facts) {
            ask(Question::OnlyKeyOf(&session));
        }
        if let Some(key) = facts.access_key_id.as_deref().filter(|_| facts.lacks_date()) {
            ask(Question::Key(key));
        }
        let by_role =
            matches!(facts.identity_type.as_deref(), Some("AssumedRole" | "FederatedUser"));
        if let Some(name) = facts.session_name().filter(|_| by_role) {
            ask(Question::Person(&name.to_lowercase()));
        }
    }
    asked
}

/// The same of callers without session: all that they ask for is names.
pub fn asked_of_names(linked: &Linked, names: &Names) -> BTreeSet<u64> {
    let mut asked = BTreeSet::new();
    let mut ask = |question: Question| _ = asked.insert(question.number());
    for credential in linked.credentials.iter().filter(|c| c.home) {
        let facts = &credential.facts;
        let (account, id) = (facts.account_id.as_deref(), facts.principal_id.as_deref());
        if let Some((account, id)) = account.zip(id) {
            ask(Question::UserArn(account, id));
        }
        names.user_arn(account, id).into_iter().for_each(|arn| ask(Question::Bearers(arn)));
        if let Some(user) = facts.on_behalf_of_user_id.as_deref() {
            ask(Question::IdentityCenterUser(user));
        }
    }
    asked
}

/// Writes questions, in order, for the part `part` of the table; with numbers of their answers, where those
/// belong to no time.
///
/// # Errors
/// The store's.
pub fn write(
    tx: &Transaction,
    part: &str,
    questions: impl Iterator<Item = (u64, Option<u64>)>,
) -> Result<DataFile> {
    let signed =
        |(number, answer): (u64, Option<u64>)| (number.cast_signed(), answer.map(u64::cast_signed));
    let mut sorted: Vec<(i64, Option<i64>)> = questions.map(signed).collect();
    sorted.sort_unstable();
    let mut builder = RowsBuilder::new(&LINKING_QUESTIONS);
    for (number, answer) in &sorted {
        builder.push(vec![(*number).into(), (*answer).into()]);
    }
    let batch = std::iter::once(builder.finish());
    tx.write_sorted(&LINKING_QUESTIONS, Place::Part(part), sorted.len(), batch)
}

/// What the parts of the store asked when they were last linked, and what was answered by those that belong
/// to no time.
pub struct Asked<'t> {
    tx: &'t Transaction,
    files: BTreeMap<String, Vec<PathBuf>>,
}

impl<'t> Asked<'t> {
    /// Of the store as it is.
    ///
    /// # Errors
    /// The store's; [`Error::Store`](crate::error::Error::Store) where a part lacks it.
    pub fn of_store(tx: &'t Transaction) -> Result<Asked<'t>> {
        let files = tx.parts(&LINKING_QUESTIONS)?;
        let lacking = tx.parts(&LINKING_STATE)?.into_keys().find(|part| !files.contains_key(part));
        match lacking {
            Some(part) => Err(damaged(tx, &LINKING_QUESTIONS, &format!("lacks its part {part}"))),
            None => Ok(Asked { tx, files }),
        }
    }

    fn files_of(&self, part: &str) -> &[PathBuf] {
        self.files.get(part).map_or(&[], Vec::as_slice)
    }

    /// Whether a part asked one of these questions.
    ///
    /// # Errors
    /// The store's.
    pub fn one_of(&self, part: &str, numbers: &HashSet<u64>) -> Result<bool> {
        if numbers.is_empty() {
            return Ok(false);
        }
        let (tx, mut asks) = (self.tx, false);
        tx.read_files(&LINKING_QUESTIONS, &["number"], self.files_of(part), None, |batch| {
            refuse_gaps(tx, &LINKING_QUESTIONS, &batch)?;
            let asked: &Int64Array = typed(&batch, "number")?;
            asks |= asked.values().iter().any(|number| numbers.contains(&number.cast_unsigned()));
            Ok(())
        })?;
        Ok(asks)
    }

    /// The answers that a part gave to questions that belong to no time, both as numbers.
    ///
    /// # Errors
    /// The store's.
    pub fn answers(&self, part: &str) -> Result<BTreeMap<u64, u64>> {
        let (tx, mut all) = (self.tx, BTreeMap::new());
        let columns = &["number", "answer"];
        tx.read_files(&LINKING_QUESTIONS, columns, self.files_of(part), None, |batch| {
            let questions: &Int64Array = typed(&batch, "number")?;
            let answers: &Int64Array = typed(&batch, "answer")?;
            let answered = questions.iter().zip(answers.iter()).filter_map(|(q, a)| q.zip(a));
            all.extend(answered.map(|(q, a)| (q.cast_unsigned(), a.cast_unsigned())));
            Ok(())
        })?;
        Ok(all)
    }
}
