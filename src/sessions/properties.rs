//! What a session carries beside its origin, followed down the chain: session tags, source identity;
//! and what in its records cannot be true at once.
//!
//! Sources: IAM User Guide, "Passing session tags in AWS STS", "Monitor and control actions taken
//! with assumed roles", "Roles terms and concepts" (chaining, one hour).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::by_record::is_sso;
use super::candidates::Candidates;
use super::facts::CredentialFacts;
use super::link::expiry;
use super::names::Names;
use super::origin::Origin;
use super::outside::Answer;
use super::twins::WholeGrant;
use crate::grants::Grant;
use crate::model::{arn, time};

/// Clocks and long requests: what a call may be late without meaning anything.
const TOLERANCE: i64 = 60 * time::SECOND;

/// Longest session of a role that a role session took.
const CHAINED: i64 = 3600;

/// Session tags, by key.
pub type Tags = Map<String, Value>;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties {
    /// Tags in force: passed to this session, or inherited.
    pub tags: Option<Arc<Tags>>,
    /// Those among them that sessions further down inherit.
    pub transitive_tags: Option<Arc<Tags>>,
    /// `sourceIdentity`, from calls or grant.
    pub source_identity: Option<Arc<str>>,
    /// The first session of the chain that carries it.
    pub source_identity_session_id: Option<Arc<str>>,
    /// Names of what contradicts itself, in text order.
    pub contradictions: BTreeSet<&'static str>,
}

/// What is needed to tell properties, in the order of the credentials.
pub struct Chains<'c, 'f, F> {
    /// What the records say of each credential.
    pub facts: &'c [F],
    /// What could have started it.
    pub found: &'c [Candidates],
    /// Who is behind it.
    pub origins: &'c [Origin],
    /// All grants.
    pub grants: &'c [WholeGrant<'f>],
    /// What is known of those that are linked elsewhere.
    pub given: &'c [Option<&'c Answer>],
    /// Names of people.
    pub names: &'c Names,
}

impl<F: AsRef<CredentialFacts>> Chains<'_, '_, F> {
    /// The properties of all credentials, parents before their children.
    pub fn properties(&self) -> Vec<Properties> {
        let given = self.given.iter();
        let mut done: Vec<Option<Properties>> =
            given.map(|answer| answer.map(Answer::properties)).collect();
        let mut met: Vec<bool> = done.iter().map(Option::is_some).collect();
        for start in 0..self.facts.len() {
            let mut path = Vec::new();
            let mut at = Some(start);
            // A circle ends where it began; the credential met twice counts as having no parent.
            while let Some(i) = at.filter(|i| !met[*i]) {
                met[i] = true;
                path.push(i);
                at = self.origins[i].parent;
            }
            while let Some(i) = path.pop() {
                let parent = self.origins[i].parent.filter(|parent| done[*parent].is_some());
                let inherited = parent.and_then(|parent| done[parent].as_ref());
                done[i] = Some(self.of(i, inherited));
            }
        }
        done.into_iter().map(Option::unwrap_or_default).collect()
    }

    fn of(&self, i: usize, inherited: Option<&Properties>) -> Properties {
        let facts = self.facts[i].as_ref();
        let hops = self.found[i].found.iter().filter(|candidate| candidate.is_hop());
        let grants: Vec<&Grant> = hops.map(|c| self.grants[c.grant].grant).collect();
        let mut properties = Properties::default();
        let mut wrong = BTreeSet::new();
        tags(&mut properties, &grants, facts, inherited, &mut wrong);
        let granted = common(&grants, |grant| grant.source_identity.as_deref());
        let own = facts.source_identity.as_deref().or(granted);
        let above = inherited.and_then(|p| Some((p.source_identity.as_deref()?, p)));
        let changed = own.zip(granted).is_some_and(|(own, granted)| own != granted)
            || own.zip(above).is_some_and(|(own, (above, _))| own != above);
        if changed {
            wrong.insert("source_identity_changed");
        }
        if let Some(own) = own {
            let same = above.filter(|(above, _)| *above == own);
            properties.source_identity_session_id = match same {
                Some((_, p)) => p.source_identity_session_id.clone(),
                None => facts.session_id.as_deref().map(Arc::from),
            };
            properties.source_identity =
                Some(match same.and_then(|(_, p)| p.source_identity.clone()) {
                    Some(shared) => shared,
                    None => own.into(),
                });
        }
        of_time(facts, &grants, &mut wrong);
        of_names(facts, &grants, &self.origins[i], self.names, &mut wrong);
        properties.contradictions = wrong;
        properties
    }
}

/// The value that all grants which could have started a credential agree on.
pub fn common<'g, T: PartialEq>(
    grants: &[&'g Grant],
    value: impl Fn(&'g Grant) -> Option<T>,
) -> Option<T> {
    let (first, others) = grants.split_first()?;
    let first = value(first)?;
    others.iter().all(|grant| value(grant).as_ref() == Some(&first)).then_some(first)
}

/// Seconds from the issuing event to the expiry.
pub fn seconds_given(grant: &Grant) -> Option<i64> {
    let micros = expiry(grant)?.checked_sub(grant.event_time)?;
    Some(micros.div_euclid(time::SECOND))
}

fn tags(
    properties: &mut Properties,
    grants: &[&Grant],
    facts: &CredentialFacts,
    parent: Option<&Properties>,
    wrong: &mut BTreeSet<&'static str>,
) {
    let object = |text: &str| match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    };
    let passed = common(grants, |grant| grant.tags.as_deref()).and_then(object);
    let shown = common(grants, |grant| grant.incoming_transitive_tags.as_deref()).and_then(object);
    let is_role = facts.identity_type.as_deref() == Some("AssumedRole");
    let followed = parent.filter(|_| is_role).and_then(|parent| parent.transitive_tags.clone());
    if let (Some(shown), Some(followed)) = (&shown, &followed)
        && !same_tags(shown, followed)
    {
        wrong.insert("transitive_tags_differ");
    }
    // What AWS wrote into the record counts more than what was put together here.
    let inherited = shown.map(Arc::new).or(followed);
    let Some(passed) = passed else {
        properties.tags.clone_from(&inherited);
        properties.transitive_tags = inherited;
        return;
    };
    let keys = common(grants, |grant| Some(grant.transitive_tag_keys.as_slice()));
    let is_transitive =
        |key: &str| keys.into_iter().flatten().any(|named| named.eq_ignore_ascii_case(key));
    let onward = passed.iter().filter(|(key, _)| is_transitive(key));
    let mut transitive: Tags = onward.map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut all = passed;
    for (key, value) in inherited.iter().flat_map(|tags| tags.iter()) {
        all.insert(key.clone(), value.clone());
        transitive.insert(key.clone(), value.clone());
    }
    properties.tags = Some(Arc::new(all));
    properties.transitive_tags = Some(Arc::new(transitive)).filter(|tags| !tags.is_empty());
}

/// Tag keys keep their case, but it does not tell them apart.
fn same_tags(a: &Tags, b: &Tags) -> bool {
    let lower = |tags: &Tags| -> BTreeSet<(String, String)> {
        tags.iter().map(|(key, value)| (key.to_lowercase(), value.to_string())).collect()
    };
    lower(a) == lower(b)
}

/// What the times of a credential and of its grants say that cannot be.
fn of_time(facts: &CredentialFacts, grants: &[&Grant], wrong: &mut BTreeSet<&'static str>) {
    let all =
        |holds: &dyn Fn(&Grant) -> bool| !grants.is_empty() && grants.iter().all(|g| holds(g));
    let chained = |grant: &Grant| {
        let by_role = grant.caller.identity_type.as_deref() == Some("AssumedRole");
        // One second more is a matter of rounding; services and the console have other limits.
        grant.kind == "AssumeRole"
            && by_role
            && grant.caller.invoked_by.is_none()
            && !grant.console_made
            && seconds_given(grant).is_some_and(|given| given > CHAINED + 1)
    };
    if all(&chained) {
        wrong.insert("chained_over_one_hour");
    }
    let over = |grant: &Grant| {
        let last = expiry(grant).zip(facts.last_success_at);
        // The console renews credentials by itself.
        !facts.from_console
            && !grant.console_made
            && last.is_some_and(|(expires, last)| last.saturating_sub(expires) > TOLERANCE)
    };
    if all(&over) {
        wrong.insert("calls_after_expiry");
    }
    let early = facts.first_event_at.zip(facts.created);
    if early.is_some_and(|(first, created)| created.saturating_sub(first) > TOLERANCE) {
        wrong.insert("calls_before_creation");
    }
    if all(&Grant::precedes_its_caller) {
        wrong.insert("started_before_parent");
    }
    let without_mfa = facts.events > 0 && facts.mfa_authenticated == Some(false);
    let with_mfa = |grant: &Grant| grant.kind == "GetSessionToken" && grant.mfa_serial.is_some();
    if without_mfa && all(&with_mfa) {
        wrong.insert("mfa_differs");
    }
}

/// What the names of a credential say that its origin does not bear out.
fn of_names(
    facts: &CredentialFacts,
    grants: &[&Grant],
    origin: &Origin,
    names: &Names,
    wrong: &mut BTreeSet<&'static str>,
) {
    let account = facts.account_id.as_deref();
    let kind = facts.identity_type.as_deref();
    let of_account = matches!(kind, Some("IAMUser" | "Root" | "AssumedRole" | "FederatedUser"));
    let named = [facts.principal_arn.as_deref().and_then(arn::account)];
    let issuer = facts.issuer_account_id.as_deref().filter(|_| kind == Some("AssumedRole"));
    if of_account && named.into_iter().chain([issuer]).flatten().any(|a| Some(a) != account) {
        wrong.insert("account_differs");
    }
    if !matches!(kind, Some("AssumedRole" | "FederatedUser")) {
        return;
    }
    let Some(name) = facts.session_name() else { return };
    let known = origin.unresolved_reason.is_none();
    let by_service = origin.origin_type == "AWSService";
    if looks_like_an_instance(name) && !by_service && !shows_ec2(facts, grants) {
        wrong.insert(if known { "named_after_somebody_else" } else { "instance_name_unproven" });
    }
    // Of a principal of an account without logs, nobody knows the name.
    let nameless = by_service || origin.origin_type == "AWSAccount" || is_sso(facts);
    let person = origin.origin.as_deref().map(person);
    let imitates =
        names.knows_person(&name.to_lowercase()) && person.as_deref() != Some(&*person_of(name));
    if known && !nameless && imitates {
        wrong.insert("named_after_somebody_else");
    }
}

/// `i-` and 8 or 17 hexadecimal digits. Source: EC2 User Guide, "Resource IDs".
fn looks_like_an_instance(name: &str) -> bool {
    let digits = name.strip_prefix("i-").unwrap_or("");
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn shows_ec2(facts: &CredentialFacts, grants: &[&Grant]) -> bool {
    let issued = |grant: &&Grant| {
        grant.caller.invoked_by.as_deref().is_some_and(|service| service.starts_with("ec2."))
    };
    facts.ec2_role_delivery.is_some()
        || facts.in_scope_of.as_ref().is_some_and(|(kind, _)| kind == "AWS::EC2::Instance")
        || grants.iter().any(issued)
}

/// Who an origin is, without account and domain: session names often lack them.
fn person(origin: &str) -> String {
    let parsed = arn::Arn::parse(origin);
    person_of(parsed.and_then(|arn| arn.user_name()).unwrap_or(origin))
}

fn person_of(name: &str) -> String {
    name.split('@').next().unwrap_or(name).to_lowercase()
}
