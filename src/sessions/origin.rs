//! The answer for one credential: who is behind it, through which roles, and how that is known.

use std::borrow::Cow;
use std::sync::Arc;

use super::candidates::Candidate;
use super::seen_from_outside::PRINCIPAL_AT_TIME;
use crate::model::arn;
use crate::model::strength::Strength;

/// Labels kept of one chain: loops can have thousands of hops.
const MOST_LABELS: usize = 64;

/// Who is behind a credential, and how that is known.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the fields are the columns of `sessions`, described there
pub struct Origin {
    pub origin_type: String,
    pub origin: Option<String>,
    pub account_id: Option<String>,
    pub detail: Option<String>,
    pub depth: Option<u32>,
    pub chain: Vec<Arc<str>>,
    pub link_rule: Option<&'static str>,
    pub link_strength: Strength,
    pub chain_strength: Strength,
    pub unresolved_reason: Option<Cow<'static, str>>,
    /// What tells the bearers of one name apart.
    pub bearer: Option<Arc<Bearer>>,
    /// Index of the credential that obtained this one.
    pub parent: Option<usize>,
    /// Index of the issuing event.
    pub grant: Option<usize>,
}

/// What tells the bearers of one name apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bearer {
    /// The principal id of an IAM user, the id of an Identity Center user: one bearer for ever.
    pub id: Option<String>,
    /// Who vouches for name and id: an identity store, a trust anchor.
    pub vouched_by: Option<String>,
    /// Whether several ids are known to bear the name.
    pub name_shared: bool,
}

impl Origin {
    /// The start of a chain.
    pub(super) fn start(
        origin_type: &str,
        origin: Option<String>,
        account: Option<String>,
    ) -> Origin {
        let label = match (&origin, account.as_deref()) {
            (None, _) => "unknown".to_owned(),
            (Some(name), Some(account)) => format!("{account}/{}", short_name(name)),
            (Some(name), None) => name.clone(),
        };
        Origin {
            origin_type: origin_type.to_owned(),
            origin,
            account_id: account,
            detail: None,
            depth: Some(0),
            chain: vec![label.into()],
            link_rule: None,
            link_strength: Strength::Exact,
            chain_strength: Strength::Exact,
            unresolved_reason: None,
            bearer: None,
            parent: None,
            grant: None,
        }
    }

    pub(super) fn unknown(reason: &'static str, own_label: Option<Arc<str>>) -> Origin {
        let mut origin = Origin::start("Unknown", None, None);
        origin.depth = None;
        origin.chain.extend(own_label);
        origin.link_strength = Strength::None;
        origin.chain_strength = Strength::None;
        origin.unresolved_reason = Some(Cow::Borrowed(reason));
        origin
    }

    /// Whether two origins name the same one.
    pub fn names_same(&self, other: &Origin) -> bool {
        self.origin_type == other.origin_type
            && self.account_id == other.account_id
            && self.provider() == other.provider()
            && self.same_bearer(other)
    }

    /// By id where both show one, else by name: names change, and are given again.
    fn same_bearer(&self, other: &Origin) -> bool {
        let nobody = Bearer::default();
        let [a, b] = [self, other].map(|origin| origin.bearer.as_deref().unwrap_or(&nobody));
        let by_anchor = self.origin_type == "RolesAnywhere";
        let vouched = match (&a.vouched_by, &b.vouched_by) {
            (Some(a), Some(b)) => a == b,
            (None, None) => true,
            _ => !by_anchor,
        };
        let same = match (&a.id, &b.id) {
            (Some(a), Some(b)) => a == b,
            _ => self.plain_name() == other.plain_name() && !a.name_shared && !b.name_shared,
        };
        vouched && same
    }

    /// With what tells it from others of its name.
    pub(super) fn borne_by(mut self, id: Option<&String>, vouched_by: Option<&String>) -> Origin {
        if id.is_some() || vouched_by.is_some() {
            let (id, vouched_by) = (id.cloned(), vouched_by.cloned());
            self.bearer = Some(Arc::new(Bearer { id, vouched_by, name_shared: false }));
        }
        self
    }

    /// Who vouches for the name: what one provider calls `admin` is nobody to another one.
    fn provider(&self) -> Option<&str> {
        let by_provider = matches!(self.origin_type.as_str(), "SAMLUser" | "WebIdentityUser");
        self.detail.as_deref().filter(|_| by_provider)
    }

    /// The name; some service principals have a second spelling in China.
    fn plain_name(&self) -> Option<&str> {
        let name = self.origin.as_deref()?;
        let service = self.origin_type == "AWSService";
        Some(name.strip_suffix(".cn").filter(|_| service).unwrap_or(name))
    }

    /// Rule and strength of the hop that a candidate is, where this is the origin of whoever stands for its
    /// caller: one found by name and time makes no hop surer than that, whatever joins the issuing call to the
    /// credentials that it issued.
    pub(super) fn hop_by(&self, candidate: &Candidate) -> (&'static str, Strength) {
        if self.is_known() && self.link_strength < candidate.strength {
            return (PRINCIPAL_AT_TIME, self.link_strength);
        }
        (candidate.rule, candidate.strength)
    }

    pub(super) fn is_known(&self) -> bool {
        self.unresolved_reason.is_none()
    }

    /// One hop further: a hat over this origin.
    pub(super) fn wearing(&self, label: Arc<str>) -> Origin {
        let mut next = self.clone();
        next.depth = self.depth.map(|depth| depth + 1);
        next.push_label(label);
        next
    }

    pub(super) fn push_label(&mut self, label: Arc<str>) {
        self.chain.push(label);
        if self.chain.len() > MOST_LABELS {
            self.chain[MOST_LABELS / 2] = "…".into();
            self.chain.remove(MOST_LABELS / 2 + 1);
        }
    }
}

/// The last part of an ARN, or the whole of anything else.
fn short_name(name: &str) -> &str {
    match arn::Arn::parse(name) {
        Some(parsed) => parsed.user_name().unwrap_or(parsed.resource),
        None => name,
    }
}
