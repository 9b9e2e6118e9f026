//! Callers: a credential in somebody's hands, and the `userIdentity` block its calls show.

use std::sync::Arc;

use super::clock::{Seconds, iso};
use super::json::Obj;
use super::people::{Role, User, partition, root_arn, root_origin};
use super::truth::{Behind, Origin};

/// The principal that a caller's records name.
#[derive(Debug, Clone)]
pub enum Who {
    /// An IAM user, with long-term or temporary credentials.
    User(Arc<User>),
    /// The root user of an account, also when reached by AssumeRoot.
    Root(Arc<str>),
    /// A session of a role.
    Role { role: Arc<Role>, session: String },
    /// A GetFederationToken session.
    Federated { user: Arc<User>, name: String },
    /// An AWS service.
    Service(&'static str),
    /// A caller that shows no account and no key: SAML and web identity users.
    Token { kind: &'static str, principal_id: String, name: String, provider: String },
    /// A principal of another account, as the role owner's record shows it.
    Foreign { account: Arc<str>, principal_id: String },
    /// Anything else: the whole block as it stands.
    Verbatim { account: Arc<str>, block: String },
}

/// A credential, what its records show, and the truth about it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The principal.
    pub who: Who,
    /// The access key its records show.
    pub key: Option<String>,
    /// `creationDate`, for temporary credentials.
    pub created: Option<Seconds>,
    /// `mfaAuthenticated`.
    pub mfa: bool,
    /// `sourceIdentity`, which follows the chain.
    pub source_identity: Option<String>,
    /// Transitive session tags as a JSON object, which follow the chain.
    pub transitive_tags: Option<String>,
    /// `ec2RoleDelivery`.
    pub ec2_delivery: Option<&'static str>,
    /// `signInSessionArn`.
    pub sign_in_session: Option<String>,
    /// `assumedRoot`.
    pub assumed_root: bool,
    /// `webIdFederationData` as JSON.
    pub web_federation: Option<String>,
    /// `onBehalfOf` as JSON.
    pub on_behalf_of: Option<String>,
    /// `inScopeOf` as JSON.
    pub in_scope_of: Option<String>,
    /// `invokedByDelegate.accountId`: a product provider acts by delegated access.
    pub delegate: Option<&'static str>,
    /// `invokedBy`: a service makes the call in the caller's name.
    pub invoked_by: Option<&'static str>,
    /// Who is really behind it.
    pub behind: Behind,
}

impl Caller {
    /// A caller about whom nothing but principal and truth is known.
    pub fn new(who: Who, behind: Behind) -> Caller {
        Caller {
            who,
            key: None,
            created: None,
            mfa: false,
            source_identity: None,
            transitive_tags: None,
            ec2_delivery: None,
            sign_in_session: None,
            assumed_root: false,
            web_federation: None,
            on_behalf_of: None,
            in_scope_of: None,
            delegate: None,
            invoked_by: None,
            behind,
        }
    }

    /// A user with the long-term key.
    pub fn user(user: &Arc<User>) -> Caller {
        let behind = Behind::own(user.origin());
        Caller { key: Some(user.key.clone()), ..Caller::new(Who::User(user.clone()), behind) }
    }

    /// A user or root with temporary credentials of their own: still depth 0.
    pub fn temporary(who: Who, behind: Behind, key: String, created: Seconds) -> Caller {
        Caller { key: Some(key), created: Some(created), ..Caller::new(who, behind) }
    }

    /// The root user of an account, signed in by itself.
    pub fn root(account: &Arc<str>, key: String, created: Seconds) -> Caller {
        let behind = Behind::own(root_origin(account));
        Caller::temporary(Who::Root(account.clone()), behind, key, created)
    }

    /// A role session.
    pub fn role(role: &Arc<Role>, session: &str, behind: Behind, created: Seconds) -> Caller {
        let who = Who::Role { role: role.clone(), session: session.to_string() };
        Caller { created: Some(created), ..Caller::new(who, behind) }
    }

    /// An AWS service acting for itself.
    pub fn service(principal: &'static str) -> Caller {
        let behind = Behind::own(Origin::outside("AWSService", principal));
        Caller::new(Who::Service(principal), behind)
    }

    /// The same session with another access key, or without one.
    pub fn with_key(&self, key: Option<String>) -> Caller {
        Caller { key, ..self.clone() }
    }

    /// The account the credential belongs to; empty for callers from outside.
    pub fn account(&self) -> &str {
        match &self.who {
            Who::User(user) | Who::Federated { user, .. } => &user.account,
            Who::Role { role, .. } => &role.account,
            Who::Root(account) | Who::Foreign { account, .. } | Who::Verbatim { account, .. } => {
                account
            }
            Who::Service(_) | Who::Token { .. } => "",
        }
    }

    /// `userIdentity.principalId`.
    pub fn principal_id(&self) -> String {
        match &self.who {
            Who::User(user) => user.id.clone(),
            Who::Root(account) => account.to_string(),
            Who::Role { role, session } => role.session_id(session),
            Who::Federated { user, name } => format!("{}:{name}", user.account),
            Who::Token { principal_id, .. } | Who::Foreign { principal_id, .. } => {
                principal_id.clone()
            }
            Who::Service(_) | Who::Verbatim { .. } => String::new(),
        }
    }

    /// `userIdentity.arn`; empty where records show none.
    pub fn arn(&self) -> String {
        match &self.who {
            Who::User(user) => user.arn(),
            Who::Root(account) => root_arn(account),
            Who::Role { role, session } => role.session_arn(session),
            Who::Federated { user, name } => {
                format!(
                    "arn:{}:sts::{}:federated-user/{name}",
                    partition(&user.account),
                    user.account
                )
            }
            _ => String::new(),
        }
    }

    /// The role owner's view of this caller: type AWSAccount, without ARN and key.
    pub fn as_foreign(&self, behind: Behind) -> Caller {
        let who =
            Who::Foreign { account: self.account().into(), principal_id: self.principal_id() };
        Caller::new(who, behind)
    }

    /// The `userIdentity` block.
    pub fn identity(&self) -> String {
        match &self.who {
            Who::User(user) => self.principal("IAMUser", Some(&user.name)),
            Who::Root(_) => self.principal("Root", None),
            Who::Role { .. } => self.principal("AssumedRole", None),
            Who::Federated { .. } => self.principal("FederatedUser", None),
            Who::Service(service) => {
                Obj::new().text("type", "AWSService").text("invokedBy", service).done()
            }
            Who::Token { kind, principal_id, name, provider } => Obj::new()
                .text("type", kind)
                .text("principalId", principal_id)
                .text("userName", name)
                .text("identityProvider", provider)
                .done(),
            Who::Foreign { account, principal_id } => Obj::new()
                .text("type", "AWSAccount")
                .text("principalId", principal_id)
                .text("accountId", account)
                .maybe("invokedBy", self.invoked_by)
                .done(),
            Who::Verbatim { block, .. } => block.clone(),
        }
    }

    fn principal(&self, kind: &str, user_name: Option<&str>) -> String {
        Obj::new()
            .text("type", kind)
            .text("principalId", &self.principal_id())
            .text("arn", &self.arn())
            .text("accountId", self.account())
            .maybe("accessKeyId", self.key.as_deref())
            .maybe("userName", user_name)
            .maybe_raw("sessionContext", self.session_context().as_deref())
            .maybe("invokedBy", self.invoked_by)
            .maybe_raw("invokedByDelegate", self.delegate_block().as_deref())
            .maybe_raw("onBehalfOf", self.on_behalf_of.as_deref())
            .maybe_raw("inScopeOf", self.in_scope_of.as_deref())
            .done()
    }

    fn delegate_block(&self) -> Option<String> {
        Some(Obj::new().text("accountId", self.delegate?).done())
    }

    fn session_context(&self) -> Option<String> {
        let attributes = Obj::new()
            .text("creationDate", &iso(self.created?))
            .text("mfaAuthenticated", if self.mfa { "true" } else { "false" })
            .done();
        let mut context = Obj::new();
        if let Some(issuer) = self.session_issuer() {
            let web = self.web_federation.as_deref().unwrap_or("{}");
            context = context.raw("sessionIssuer", &issuer).raw("webIdFederationData", web);
        }
        context = context
            .raw("attributes", &attributes)
            .maybe("sourceIdentity", self.source_identity.as_deref())
            .maybe("ec2RoleDelivery", self.ec2_delivery)
            .maybe("signInSessionArn", self.sign_in_session.as_deref());
        if self.assumed_root {
            context = context.text("assumedRoot", "true");
        }
        Some(context.done())
    }

    fn session_issuer(&self) -> Option<String> {
        let (kind, id, arn, account, name) = match &self.who {
            Who::Role { role, .. } => ("Role", &role.id, role.arn(), &role.account, &role.name),
            Who::Federated { user, .. } => {
                ("IAMUser", &user.id, user.arn(), &user.account, &user.name)
            }
            _ => return None,
        };
        let issuer = Obj::new()
            .text("type", kind)
            .text("principalId", id)
            .text("arn", &arn)
            .text("accountId", account)
            .text("userName", name);
        Some(issuer.done())
    }
}
