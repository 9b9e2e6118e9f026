//! From credential to credential up to whoever started it.
//!
//! Solved for all credentials at once, parents before children, so that depth costs nothing and no
//! recursion is needed. What remains in a circle is unknown: a circle has no beginning.

use hashbrown::HashMap;

use super::by_record::{is_old_identity_center, is_sso, label, label_of, service_by_record};
use super::candidates::{Candidate, Candidates, LOGIN_PROFILE};
use super::facts::CredentialFacts;
use super::forwarded;
use super::origin::Origin;
use super::outside::{Answer, Outside};
use super::plausible::contradicts_itself;
use super::roots::{Root, roots};
use super::seen_from_outside::PRINCIPAL_AT_TIME;
use super::twins::WholeGrant;
use super::workload;
use crate::model::arn::Arn;
use crate::model::strength::Strength;

/// A credential on its way to an origin.
pub struct Node<'f> {
    /// Its id.
    pub id: &'f str,
    /// What the records say of it.
    pub facts: &'f CredentialFacts,
    /// What could have started it.
    pub candidates: &'f Candidates,
    /// Those for one of whom it stands, as indices; none for all others.
    pub may_be: &'f [usize],
    /// Who is behind it, where it is linked elsewhere.
    pub given: Option<&'f Answer>,
}

/// Solves all nodes; the result has their order. `callers` are the nodes that stand for callers of grants
/// whom only another account's record shows.
pub fn solve(
    nodes: &[Node],
    grants: &[WholeGrant],
    callers: &HashMap<usize, usize>,
    outside: Outside,
) -> Vec<Origin> {
    let by_id: HashMap<&str, usize> = nodes.iter().enumerate().map(|(i, n)| (n.id, i)).collect();
    let own = nodes.iter().filter(|node| node.given.is_none()).map(|node| node.facts);
    let solver = Solver { nodes, grants, outside, by_id, callers, roots: roots(own) };
    let parents: Vec<Vec<usize>> = nodes
        .iter()
        .map(|node| {
            if !node.may_be.is_empty() {
                return node.may_be.to_vec();
            }
            let user = node.facts.identity_type.as_deref() == Some("IAMUser");
            if user || node.given.is_some() {
                // Its records name the user, whoever made the key: nothing to wait for.
                return Vec::new();
            }
            node.candidates.found.iter().filter_map(|c| solver.caller_of(c.grant)).collect()
        })
        .collect();
    let mut solved: Vec<Option<Origin>> = vec![None; nodes.len()];
    let mut waiting: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (child, parents) in parents.iter().enumerate() {
        parents.iter().for_each(|parent| children[*parent].push(child));
    }
    let mut ready: Vec<usize> = (0..nodes.len()).filter(|i| waiting[*i] == 0).collect();
    while let Some(i) = ready.pop() {
        solved[i] = Some(solver.origin(i, &solved));
        for child in &children[i] {
            waiting[*child] -= 1;
            if waiting[*child] == 0 {
                ready.push(*child);
            }
        }
    }
    let in_circles: Vec<usize> = (0..nodes.len()).filter(|i| solved[*i].is_none()).collect();
    let late: Vec<Origin> = in_circles.iter().map(|i| solver.origin(*i, &solved)).collect();
    for (i, origin) in in_circles.into_iter().zip(late) {
        solved[i] = Some(origin);
    }
    let missing = || Origin::unknown("circular_evidence", None);
    solved.into_iter().map(|origin| origin.unwrap_or_else(missing)).collect()
}

struct Solver<'n> {
    nodes: &'n [Node<'n>],
    grants: &'n [WholeGrant<'n>],
    outside: Outside<'n>,
    by_id: HashMap<&'n str, usize>,
    callers: &'n HashMap<usize, usize>,
    /// What the sessions of root show, by id.
    roots: HashMap<&'n str, Root>,
}

impl Solver<'_> {
    fn origin(&self, i: usize, solved: &[Option<Origin>]) -> Origin {
        if let Some(given) = self.nodes[i].given {
            return given.origin();
        }
        let mut origin = self.origin_of(i, solved);
        workload::note_delegate(self.nodes[i].facts, &mut origin.detail);
        origin
    }

    fn origin_of(&self, i: usize, solved: &[Option<Origin>]) -> Origin {
        let facts = self.nodes[i].facts;
        if !self.nodes[i].may_be.is_empty() {
            return self.one_of(i, solved);
        }
        let mut origin = match facts.identity_type.as_deref() {
            _ if facts.claimed_only => {
                let mut origin = Origin::unknown("sign_in_failed", None);
                let claim = facts.user_name.as_ref().or(facts.principal_id.as_ref());
                origin.detail = claim.map(|name| format!("claimed to be {name}"));
                return origin;
            }
            _ if contradicts_itself(facts) => {
                let mut origin = Origin::unknown("identity_contradicts_itself", label_of(facts));
                origin.detail = facts.principal_arn.clone().or_else(|| facts.invoked_by.clone());
                return origin;
            }
            Some("IAMUser") => self.user(facts),
            Some("Root") => return self.root(i, solved),
            Some("AssumedRole") => return self.role(i, solved),
            Some("FederatedUser") => return self.federated(i, solved),
            _ => self.outside(facts),
        };
        self.note_link(i, &mut origin);
        if facts.identity_type.as_deref() == Some("IAMUser") {
            forwarded::note(facts, &mut origin, |session| {
                self.by_id.get(self.outside.only_key(session)?).copied()
            });
        }
        origin
    }

    /// Fills in how the credential was obtained, without changing who is behind it.
    fn note_link(&self, i: usize, origin: &mut Origin) {
        let found = &self.nodes[i].candidates.found;
        let Some(first) = found.first().filter(|c| c.rule != LOGIN_PROFILE) else { return };
        origin.link_rule = Some(first.rule);
        origin.link_strength = found.iter().map(|c| c.strength).min().unwrap_or(Strength::None);
        if let [only] = found.as_slice() {
            origin.grant = Some(only.grant);
            origin.parent = self.caller_of(only.grant).filter(|parent| *parent != i);
        }
    }

    /// Who made the call; nobody can with credentials that did not exist yet.
    fn caller_of(&self, grant: usize) -> Option<usize> {
        if let Some(caller) = self.callers.get(&grant) {
            return Some(*caller);
        }
        let grant = self.grants[grant].grant;
        let caller = self.by_id.get(grant.obtained_by().credential_id.as_str());
        caller.copied().filter(|_| !grant.precedes_its_caller())
    }

    /// An IAM user's record names the user, whatever credentials it used.
    fn user(&self, facts: &CredentialFacts) -> Origin {
        let account = facts.account_id.as_deref();
        let arn = facts
            .principal_arn
            .as_deref()
            .filter(|arn| Arn::parse(arn).is_some())
            .or_else(|| self.outside.names.user_arn(account, facts.principal_id.as_deref()));
        let name = arn.or(facts.user_name.as_deref()).or(facts.principal_id.as_deref());
        if name.is_none() {
            return Origin::unknown("identity_not_recorded", None);
        }
        let mut origin =
            Origin::start("IAMUser", name.map(str::to_owned), facts.account_id.clone());
        self.outside.names.tell_apart(&mut origin, facts.principal_id.as_deref());
        origin
    }

    /// One of several credentials that another account's record does not tell apart.
    fn one_of(&self, i: usize, solved: &[Option<Origin>]) -> Origin {
        let Node { facts, may_be, .. } = &self.nodes[i];
        let parents: Vec<Option<&Origin>> = may_be.iter().map(|m| solved[*m].as_ref()).collect();
        let mut origin = match (agreed(&parents), parents.as_slice()) {
            (Ok(origin), _) => origin.clone(),
            (Err(_), [Some(origin)]) => Origin::clone(origin),
            (Err(reason), _) => {
                let mut origin = Origin::unknown(reason, None);
                let account = facts.account_id.as_deref().unwrap_or("?");
                let id = facts.principal_id.as_deref().unwrap_or("?");
                origin.chain.push(format!("{account}/{id}").into());
                origin
            }
        };
        let all = || parents.iter().flatten();
        if all().any(|parent| parent.depth != origin.depth) {
            origin.depth = None;
        }
        if origin.is_known() && all().any(|parent| parent.chain != origin.chain) {
            let ends = [origin.chain.first().cloned(), origin.chain.last().cloned()];
            let [first, last] = ends.map(Option::unwrap_or_default);
            origin.chain = vec![first, "…".into(), last];
        }
        // Within one session nothing but the key is open.
        let strength = match (origin.is_known(), facts.session_id.is_some()) {
            (true, true) => Strength::Inferred,
            (true, false) => Strength::Ambiguous,
            (false, _) => Strength::None,
        };
        origin.link_rule = Some(PRINCIPAL_AT_TIME);
        origin.link_strength = strength;
        origin.chain_strength =
            all().map(|parent| parent.chain_strength).min().unwrap_or(strength).min(strength);
        (origin.parent, origin.grant) = (None, None);
        origin
    }

    fn root_itself(&self, facts: &CredentialFacts) -> Origin {
        let arn = facts.principal_arn.clone().or_else(|| {
            let account = facts.account_id.as_ref()?;
            Some(format!("arn:{}:iam::{account}:root", facts.partition))
        });
        if arn.is_none() {
            return Origin::unknown("identity_not_recorded", None);
        }
        Origin::start("Root", arn, facts.account_id.clone())
    }

    /// Root's own sessions, and those that AssumeRoot made: both show type `Root`, and the flag that
    /// would tell them apart is not on every record.
    fn root(&self, i: usize, solved: &[Option<Origin>]) -> Origin {
        let Node { facts, candidates, .. } = &self.nodes[i];
        let granted = |kind| {
            let mut kinds = candidates.found.iter().map(|c| &self.grants[c.grant].grant.kind);
            !candidates.found.is_empty() && kinds.all(|k| (k == "AssumeRoot") == kind)
        };
        if granted(true) || candidates.more > 0 {
            return self.inherited(i, solved);
        }
        if granted(false) || (facts.created.is_none() && !facts.assumed_root) {
            let mut origin = self.root_itself(facts);
            self.note_link(i, &mut origin);
            return origin;
        }
        if self.roots.get(facts.session_id.as_deref().unwrap_or("")) == Some(&Root::Itself) {
            return self.root_itself(facts);
        }
        Origin::unknown("root_session_without_grant", label_of(facts))
    }

    fn role(&self, i: usize, solved: &[Option<Origin>]) -> Origin {
        let Node { facts, candidates, .. } = &self.nodes[i];
        let assumed_by_hand =
            candidates.found.iter().any(|c| self.grants[c.grant].grant.kind == "AssumeRole");
        if is_sso(facts) && !assumed_by_hand {
            // Identity Center alone can assume these roles, and it sets the session name.
            let mut start =
                Origin::start("IdentityCenterUser", facts.session_name().map(str::to_owned), None);
            start.chain_strength = Strength::Inferred;
            let (id, store) = (facts.on_behalf_of_user_id.as_ref(), facts.vouched_by.as_ref());
            start.detail =
                id.map(|id| self.outside.names.identity_center_id(id, store.map(String::as_str)));
            start = start.borne_by(id, store);
            let mut origin = start.wearing(label(facts));
            origin.link_rule = Some("identity_center");
            origin.link_strength = Strength::Inferred;
            self.note_link(i, &mut origin);
            origin.chain_strength = origin.link_strength;
            return origin;
        }
        if !candidates.found.is_empty() {
            return self.inherited(i, solved);
        }
        if let Some((service, rule, detail)) = service_by_record(facts) {
            let mut start = Origin::start("AWSService", Some(service), None);
            start.detail = detail;
            return shown_by_record(start, rule, facts);
        }
        if let Some((provider, subject)) = &facts.web_identity {
            // Role sessions keep the token that they were made with; those made by another role have none.
            let mut start = Origin::start("WebIdentityUser", Some(subject.clone()), None);
            start.detail = Some(format!("provider {provider}"));
            return shown_by_record(start, "web_id_federation_data", facts);
        }
        let reason = if candidates.takes_itself {
            "circular_evidence"
        } else if candidates.contested {
            "grant_contested"
        } else if !candidates.refused.is_empty() {
            "grant_issued_another_key"
        } else if facts.created.is_none() && facts.access_key_id.is_none() {
            "no_key_and_no_creation_date"
        } else {
            "grant_missing"
        };
        Origin::unknown(reason, label_of(facts))
    }

    fn federated(&self, i: usize, solved: &[Option<Origin>]) -> Origin {
        let Node { facts, candidates, .. } = &self.nodes[i];
        let known =
            if candidates.found.is_empty() { None } else { Some(self.inherited(i, solved)) };
        let known = known.filter(Origin::is_known);
        let issuer = facts.issuer_type.as_deref().zip(facts.issuer_arn.clone());
        let Some((kind @ ("IAMUser" | "Root"), issuer)) = issuer else {
            return known.unwrap_or_else(|| Origin::unknown("grant_missing", label_of(facts)));
        };
        if let Some(origin) = known {
            // AWS itself writes the issuer into every call; a grant that says otherwise is another's.
            let ids = origin.bearer.as_ref().and_then(|bearer| bearer.id.as_ref());
            let same = match ids.zip(facts.issuer_principal_id.as_ref()) {
                Some((known, issuer)) => known == issuer, // the name may have changed meanwhile
                None => origin.origin.as_ref() == Some(&issuer),
            };
            let agrees = origin.origin_type == kind && same;
            return if agrees { origin } else { disagreeing(origin, facts) };
        }
        let account = facts.issuer_account_id.clone().or_else(|| facts.account_id.clone());
        let mut origin = Origin::start(kind, Some(issuer), account);
        if kind == "IAMUser" {
            self.outside.names.tell_apart(&mut origin, facts.issuer_principal_id.as_deref());
        }
        origin.push_label(label(facts));
        origin.link_rule = Some("session_issuer");
        origin.link_strength = Strength::Inferred;
        origin.chain_strength = Strength::Inferred;
        origin
    }

    /// The origin of whoever made the issuing call, if all candidates agree on it.
    fn inherited(&self, i: usize, solved: &[Option<Origin>]) -> Origin {
        let Node { facts, candidates, .. } = &self.nodes[i];
        let parents: Vec<Option<&Origin>> = candidates
            .found
            .iter()
            .map(|c| self.caller_of(c.grant).and_then(|parent| solved[parent].as_ref()))
            .collect();
        let agreed = match candidates.more {
            0 => agreed(&parents),
            _ => Err("too_many_candidates"),
        };
        let mut origin = match agreed {
            Ok(parent) => self.one_hop_from(parent, &parents, i),
            Err(reason) => {
                let young = |c: &Candidate| self.grants[c.grant].grant.precedes_its_caller();
                let young = candidates.more == 0 && candidates.found.iter().any(young);
                let reason = if young { "started_before_parent" } else { reason };
                let mut origin = Origin::unknown(reason, None);
                if let [Some(parent)] = parents.as_slice() {
                    origin.chain.clone_from(&parent.chain);
                    origin.detail.clone_from(&parent.detail);
                }
                origin.push_label(label(facts));
                origin
            }
        };
        self.note_link(i, &mut origin);
        let hops = candidates.found.iter().filter_map(|candidate| {
            let stand_in = self.callers.get(&candidate.grant)?;
            Some(solved[*stand_in].as_ref()?.hop_by(candidate))
        });
        if let Some((rule, strength)) = hops.min_by_key(|(_, strength)| *strength)
            && strength < origin.link_strength
        {
            (origin.link_rule, origin.link_strength) = (Some(rule), strength);
        }
        origin.chain_strength = origin.chain_strength.min(origin.link_strength);
        origin
    }

    fn one_hop_from(&self, parent: &Origin, parents: &[Option<&Origin>], i: usize) -> Origin {
        let Node { facts, candidates, .. } = &self.nodes[i];
        let mut found = candidates.found.iter();
        let goes_on = found.all(|c| self.grants[c.grant].grant.join.goes_on_as_itself());
        let mut origin = if goes_on {
            parent.clone()
        } else if facts.identity_type.as_deref() == Some("FederatedUser") {
            let mut origin = parent.clone();
            origin.push_label(label(facts));
            origin
        } else {
            parent.wearing(label(facts))
        };
        let all = || parents.iter().flatten();
        origin.chain_strength = all().map(|p| p.chain_strength).min().unwrap_or(Strength::None);
        let unsure = candidates.takes_itself;
        if unsure || all().any(|p| p.depth != parent.depth) {
            origin.depth = None;
        }
        if unsure || all().any(|p| p.chain != parent.chain) {
            let first = parent.chain.first().cloned().into_iter();
            origin.chain = first.chain(["…".into(), label(facts)]).collect();
        }
        if parent.origin_type == "AWSService" && parent.depth == Some(0) {
            let found = candidates.found.iter();
            let grants = found.map(|candidate| self.grants[candidate.grant].grant);
            let service = parent.origin.as_deref().unwrap_or("");
            origin.detail = workload::detail(service, facts, grants);
        }
        origin
    }

    /// Callers that have no session: what their record says is all there is.
    fn outside(&self, facts: &CredentialFacts) -> Origin {
        let text = |field: &Option<String>| field.clone();
        // Of a name in two parts the second may be hidden, or empty: then it names nobody.
        let names_one = |name: &String| {
            let last = name.rsplit(':').next().unwrap_or("");
            !last.is_empty() && last != "HIDDEN_DUE_TO_SECURITY_REASONS"
        };
        let names = [&facts.user_name, &facts.principal_id];
        let named = || names.into_iter().flatten().find(|name| names_one(name)).cloned();
        match facts.identity_type.as_deref() {
            Some("AWSService") | None if facts.invoked_by.is_some() => {
                Origin::start("AWSService", text(&facts.invoked_by), None)
            }
            Some(kind @ ("SAMLUser" | "WebIdentityUser")) if named().is_some() => {
                let mut origin = Origin::start(kind, named(), None);
                let provider = facts.identity_provider.as_ref().map(|p| format!("provider {p}"));
                let pod = facts.user_name.as_deref().and_then(workload::service_account);
                let detail: Vec<String> = pod.into_iter().chain(provider).collect();
                origin.detail = Some(detail.join(", ")).filter(|detail| !detail.is_empty());
                origin
            }
            Some("RolesAnywhere") if facts.user_name.is_some() => {
                let name = text(&facts.user_name);
                let mut origin = Origin::start("RolesAnywhere", name, text(&facts.account_id));
                origin.detail = text(&facts.identity_provider);
                origin.borne_by(None, facts.vouched_by.as_ref())
            }
            Some("AWSAccount") => self.other_account(facts),
            Some("IdentityCenterUser") => self.identity_center_user(facts),
            Some("Unknown") if is_old_identity_center(facts) => self.identity_center_user(facts),
            _ => {
                let mut origin = Origin::unknown("identity_not_recorded", None);
                origin.detail = named()
                    .or_else(|| text(&facts.principal_arn))
                    .or_else(|| text(&facts.account_id));
                origin
            }
        }
    }

    fn other_account(&self, facts: &CredentialFacts) -> Origin {
        let account = facts.account_id.as_deref();
        let principal = facts.principal_id.as_deref();
        if let Some(arn) = self.outside.names.user_arn(account, principal) {
            // A user's id belongs to one user for ever; the ARN comes from the user's own records.
            let mut origin =
                Origin::start("IAMUser", Some(arn.to_owned()), facts.account_id.clone());
            origin.chain_strength = Strength::Inferred;
            self.outside.names.tell_apart(&mut origin, principal);
            return origin;
        }
        match (principal, account) {
            // Root's principal id is the account's. Source: CloudTrail User Guide, "userIdentity element".
            (Some(principal), Some(account)) if principal == account => {
                let arn = format!("arn:{}:iam::{account}:root", facts.partition);
                let mut origin = Origin::start("Root", Some(arn), Some(account.to_owned()));
                origin.chain_strength = Strength::Inferred;
                origin
            }
            (None, None) => Origin::unknown("identity_not_recorded", None),
            (principal, account) => Origin::start(
                "AWSAccount",
                principal.or(account).map(str::to_owned),
                account.map(str::to_owned),
            ),
        }
    }

    fn identity_center_user(&self, facts: &CredentialFacts) -> Origin {
        let id = facts.on_behalf_of_user_id.as_deref();
        let store = facts.vouched_by.as_deref();
        let learned = id.and_then(|id| self.outside.names.identity_center_user(id, store));
        let name = facts.user_name.as_deref().or(learned).or(id).or(facts.principal_id.as_deref());
        let Some(name) = name else {
            return Origin::unknown("identity_not_recorded", None);
        };
        let mut origin = Origin::start("IdentityCenterUser", Some(name.to_owned()), None);
        origin.detail = id.map(|id| self.outside.names.identity_center_id(id, store));
        origin.borne_by(facts.on_behalf_of_user_id.as_ref(), facts.vouched_by.as_ref())
    }
}

/// A role over an origin that its own records show, without any grant.
fn shown_by_record(start: Origin, rule: &'static str, facts: &CredentialFacts) -> Origin {
    let mut origin = start.wearing(label(facts));
    origin.link_rule = Some(rule);
    origin.link_strength = Strength::Inferred;
    origin.chain_strength = Strength::Inferred;
    origin
}

/// Unknown, because the grant names another one than the calls.
fn disagreeing(origin: Origin, facts: &CredentialFacts) -> Origin {
    let mut unknown = Origin::unknown("candidates_disagree", label_of(facts));
    unknown.link_rule = origin.link_rule;
    unknown
}

/// The one origin that all candidates' callers share.
fn agreed<'o>(parents: &[Option<&'o Origin>]) -> Result<&'o Origin, &'static str> {
    let mut known = Vec::with_capacity(parents.len());
    for parent in parents {
        match parent {
            None => return Err("circular_evidence"),
            Some(parent) if !parent.is_known() => return Err("parent_unresolved"),
            Some(parent) => known.push(*parent),
        }
    }
    let first = known.first().copied().ok_or("grant_missing")?;
    if known.iter().all(|other| other.names_same(first)) {
        Ok(first)
    } else {
        Err("candidates_disagree")
    }
}
