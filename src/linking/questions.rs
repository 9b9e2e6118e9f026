//! What a stretch of time asked elsewhere; and of what belongs to no time, what was answered.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::Int64Array;
use hashbrown::HashSet;

use super::plan::{Stretch, UNDATED_PART, part_name};
use super::state::{damaged, refuse_gaps};
use crate::error::Result;
use crate::sessions::Linked;
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

/// The answers that the store has to questions that belong to no time, both as numbers.
///
/// # Errors
/// The store's.
pub fn undated_answers(tx: &Transaction) -> Result<BTreeMap<u64, u64>> {
    let parts = tx.parts(&LINKING_QUESTIONS)?;
    let files = parts.get(UNDATED_PART).map_or(&[][..], Vec::as_slice);
    let mut all = BTreeMap::new();
    if files.is_empty() && tx.parts(&LINKING_STATE)?.contains_key(UNDATED_PART) {
        return Err(damaged(tx, &LINKING_QUESTIONS, "lacks its part of what has no date"));
    }
    tx.read_files(&LINKING_QUESTIONS, &["number", "answer"], files, None, |batch| {
        refuse_gaps(tx, &LINKING_QUESTIONS, &batch)?;
        let questions: &Int64Array = typed(&batch, "number")?;
        let answers: &Int64Array = typed(&batch, "answer")?;
        let unsigned = |value: &i64| value.cast_unsigned();
        all.extend(
            questions.values().iter().map(unsigned).zip(answers.values().iter().map(unsigned)),
        );
        Ok(())
    })?;
    Ok(all)
}

/// Whether a stretch asked one of these, when it was last linked. Each has the second from which on it
/// has another answer.
///
/// # Errors
/// The store's.
pub fn asks_one_of(
    tx: &Transaction,
    stretch: &Stretch,
    changed: &BTreeMap<u64, i64>,
) -> Result<bool> {
    let concerned = changed.iter().filter(|(_, since)| **since < stretch.seconds.to);
    let numbers: HashSet<u64> = concerned.map(|(number, _)| *number).collect();
    if numbers.is_empty() {
        return Ok(false);
    }
    let parts = tx.parts(&LINKING_QUESTIONS)?;
    let files = parts.get(&part_name(stretch.seconds.from)).map_or(&[][..], Vec::as_slice);
    let mut asks = false;
    tx.read_files(&LINKING_QUESTIONS, &["number"], files, None, |batch| {
        refuse_gaps(tx, &LINKING_QUESTIONS, &batch)?;
        let asked: &Int64Array = typed(&batch, "number")?;
        asks |= asked.values().iter().any(|number| numbers.contains(&number.cast_unsigned()));
        Ok(())
    })?;
    Ok(asks)
}
