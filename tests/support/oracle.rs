//! Linking once more, in the slowest and most obvious way: straight over the JSON of all records,
//! one event at a time, searching everything each time. It shares no code with the tool; the two
//! must agree on every input.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

/// Who is behind an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    pub origin_type: String,
    pub origin: Option<String>,
    pub account: Option<String>,
    pub depth: Option<i64>,
    /// What tells the bearers of one name apart: an id, and who vouches for it. Not compared with the
    /// tool, which tells it in other words.
    pub bearer: (Option<String>, Option<String>),
}

impl Answer {
    fn unknown() -> Answer {
        Answer {
            origin_type: "Unknown".into(),
            origin: None,
            account: None,
            depth: None,
            bearer: (None, None),
        }
    }

    fn of(origin_type: &str, origin: Option<&str>, account: Option<&str>) -> Answer {
        Answer {
            origin_type: origin_type.into(),
            origin: origin.map(Into::into),
            account: account.map(Into::into),
            depth: Some(0),
            bearer: (None, None),
        }
    }

    fn borne_by(mut self, id: Option<&str>, vouched_by: Option<&str>) -> Answer {
        self.bearer = (id.map(Into::into), vouched_by.map(Into::into));
        self
    }

    fn one_deeper(mut self) -> Answer {
        self.depth = self.depth.map(|depth| depth + 1);
        self
    }

    /// Whether both name the same one.
    fn same_as(&self, other: &Answer) -> bool {
        let (a, b) = (&self.bearer, &other.bearer);
        let strict =
            ["SAMLUser", "WebIdentityUser", "RolesAnywhere"].contains(&self.origin_type.as_str());
        let vouched = match strict {
            true => a.1 == b.1,
            false => a.1.is_none() || b.1.is_none() || a.1 == b.1,
        };
        let same = match a.0.is_some() && b.0.is_some() {
            true => a.0 == b.0,
            // Some services have a second spelling in China.
            false => [self, other]
                .map(|a| Some(a.origin.as_ref()?.trim_end_matches(".cn")))
                .windows(2)
                .all(|o| o[0] == o[1]),
        };
        vouched && same && self.origin_type == other.origin_type && self.account == other.account
    }
}

type Record<'r> = &'r Value;
/// The credentials on the way from the question.
type Path<'r> = Vec<(Session<'r>, Option<&'r str>)>;

fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    let text = value.pointer(path)?.as_str()?;
    (!text.is_empty() && text != "HIDDEN_DUE_TO_SECURITY_REASONS").then_some(text)
}

fn time_of(record: Record) -> i64 {
    chrono::DateTime::parse_from_rfc3339(record["eventTime"].as_str().unwrap()).unwrap().timestamp()
}

fn kind(record: Record<'_>) -> &str {
    text(record, "/userIdentity/type").unwrap_or("")
}

/// Whether type, ARN, account and names of the identity cannot all be true.
fn contradicts_itself(record: Record) -> bool {
    let account = text(record, "/userIdentity/accountId");
    let parts: Vec<&str> = text(record, "/userIdentity/arn").unwrap_or("").splitn(6, ':').collect();
    let fits = |service: &str, start: &str| {
        parts.len() < 6 || parts[2] == service && parts[5].starts_with(start)
    };
    let own_account = parts.len() < 6 || account.is_none_or(|account| parts[4] == account);
    match kind(record) {
        "IAMUser" => {
            let name = text(record, "/userIdentity/userName").filter(|_| parts.len() == 6);
            let last = parts.last().and_then(|resource| resource.rsplit('/').next());
            let other = name.is_some_and(|name| Some(name) != last);
            !fits("iam", "user/") || !own_account || other
        }
        "Root" => !fits("iam", "root") || !own_account,
        "AssumedRole" => !fits("sts", "assumed-role/") && !fits("iam", "role/"),
        "FederatedUser" => !fits("sts", "federated-user/"),
        "AWSService" | "" => {
            text(record, "/userIdentity/invokedBy").is_some_and(|name| name.contains('@'))
        }
        _ => false,
    }
}

fn event_name(record: Record<'_>) -> &str {
    text(record, "/eventName").unwrap_or("")
}

fn at_sign_in_service(record: Record) -> bool {
    text(record, "/eventSource").is_some_and(|s| s.starts_with("signin.amazonaws.com"))
}

fn is_sign_in(record: Record) -> bool {
    let names = ["ConsoleLogin", "SwitchRole", "RenewRole", "CheckMfa"];
    at_sign_in_service(record) && (names.contains(&event_name(record)) || is_hop(record))
}

/// The console's record of coming from another principal.
fn is_hop(record: Record) -> bool {
    at_sign_in_service(record)
        && event_name(record) != "ExitRole"
        && text(record, "/additionalEventData/SwitchFrom").is_some()
}

/// Records after which the same principal goes on, in the console or in a program.
fn goes_on(record: Record) -> bool {
    let names = ["ConsoleLogin", "GetSigninToken", "CreateOAuth2Token"];
    at_sign_in_service(record) && names.contains(&event_name(record))
}

fn failed_sign_in(record: Record) -> bool {
    let failure = record["responseElements"].to_string().contains("\"Failure\"");
    is_sign_in(record)
        && (event_name(record) == "CheckMfa"
            || failure
            || text(record, "/errorCode").is_some()
            || text(record, "/errorMessage").is_some())
}

/// When the credentials behind a record were issued.
fn created(record: Record) -> Option<i64> {
    let date = text(record, "/userIdentity/sessionContext/attributes/creationDate");
    let date = date.map(|d| chrono::DateTime::parse_from_rfc3339(d).unwrap().timestamp());
    date.or_else(|| (is_sign_in(record) && !failed_sign_in(record)).then(|| time_of(record)))
}

/// Type, account, principal, creation: equal for all calls of one session.
type Session<'r> = (&'r str, Option<&'r str>, Option<&'r str>, Option<i64>);

fn session(record: Record<'_>) -> Session<'_> {
    let account = text(record, "/userIdentity/accountId");
    (kind(record), account, text(record, "/userIdentity/principalId"), created(record))
}

fn key(record: Record<'_>) -> Option<&str> {
    text(record, "/userIdentity/accessKeyId")
}

fn role_name(arn: &str) -> Option<&str> {
    let resource = arn.splitn(6, ':').nth(5)?;
    if let Some(rest) = resource.strip_prefix("assumed-role/") {
        return rest.split('/').next();
    }
    resource.strip_prefix("role/")?.rsplit('/').next()
}

fn arn_account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|a| !a.is_empty())
}

const STS: [&str; 6] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "GetSessionToken",
    "GetFederationToken",
];

/// Services that hand out a role's key by themselves.
fn hands_out(record: Record) -> bool {
    let source = text(record, "/eventSource").unwrap_or("");
    match event_name(record) {
        "CreateSession" => source == "rolesanywhere.amazonaws.com",
        "GetCredentialsForIdentity" => source == "cognito-identity.amazonaws.com",
        _ => false,
    }
}

fn issues(record: Record) -> bool {
    let sts = text(record, "/eventSource").is_some_and(|s| s.starts_with("sts."))
        && STS.contains(&event_name(record));
    (sts || hands_out(record)) && text(record, "/errorCode").is_none()
}

/// What the response says of the credentials.
fn issue(grant: Record<'_>) -> &Value {
    match event_name(grant) {
        "CreateSession" => &grant["responseElements"]["credentialSet"][0],
        _ => &grant["responseElements"],
    }
}

fn issued_key(grant: Record<'_>) -> Option<&str> {
    text(issue(grant), "/credentials/accessKeyId")
}

fn target_account(grant: Record<'_>) -> Option<&str> {
    match event_name(grant) {
        "AssumeRoot" => {
            let target = text(grant, "/requestParameters/targetPrincipal")?;
            Some(arn_account(target).unwrap_or(target))
        }
        "GetSessionToken" | "GetFederationToken" => text(grant, "/userIdentity/accountId"),
        "GetCredentialsForIdentity" => text(grant, "/recipientAccountId"),
        _ => text(grant, "/requestParameters/roleArn").and_then(arn_account),
    }
}

fn target_principal(grant: Record<'_>) -> Option<&str> {
    match event_name(grant) {
        "AssumeRoot" => target_account(grant),
        "GetSessionToken" => text(grant, "/userIdentity/principalId"),
        "GetFederationToken" => text(grant, "/responseElements/federatedUser/federatedUserId"),
        _ => text(issue(grant), "/assumedRoleUser/assumedRoleId"),
    }
}

fn target_partition(grant: Record<'_>) -> &str {
    let role = text(grant, "/requestParameters/roleArn").and_then(|arn| arn.split(':').nth(1));
    role.unwrap_or_else(|| partition(grant))
}

fn target_kind(grant: Record<'_>) -> &str {
    match event_name(grant) {
        "AssumeRoot" => "Root",
        "GetSessionToken" => kind(grant),
        "GetFederationToken" => "FederatedUser",
        _ => "AssumedRole",
    }
}

/// Calls that only users of Identity Center make, wherever they are recorded.
fn signs_in_at_portal(record: Record) -> bool {
    let calls = ["Authenticate", "CreateToken", "CreateTokenWithIAM", "Federate"];
    calls.contains(&event_name(record))
        && text(record, "/eventSource").is_some_and(|source| source.starts_with("signin."))
}

/// Holders of certificates and identities of pools, whom only request and response name.
fn named_by_request(record: Record) -> Option<Answer> {
    if text(record, "/errorCode").is_some() || kind(record) != "Unknown" {
        return None;
    }
    let source = text(record, "/eventSource").unwrap_or("");
    match event_name(record) {
        "CreateSession" if source == "rolesanywhere.amazonaws.com" => {
            let subject = text(issue(record), "/sourceIdentity").filter(|s| s.starts_with("CN="));
            let subject = subject.or_else(|| text(record, "/responseElements/subjectArn"))?;
            let account = text(record, "/recipientAccountId");
            let anchor = text(record, "/requestParameters/trustAnchorArn");
            Some(Answer::of("RolesAnywhere", Some(subject), account).borne_by(None, anchor))
        }
        "GetCredentialsForIdentity" | "GetOpenIdToken"
            if source == "cognito-identity.amazonaws.com" =>
        {
            let id = text(record, "/requestParameters/identityId")?;
            Some(Answer::of("WebIdentityUser", Some(id), None))
        }
        _ => None,
    }
}

/// The certificate for which Roles Anywhere assumed a role.
fn certificate(grant: Record) -> Option<Answer> {
    let service = text(grant, "/userIdentity/invokedBy")?;
    let subject = text(grant, "/requestParameters/sourceIdentity")?;
    let known = service == "rolesanywhere.amazonaws.com" && subject.starts_with("CN=");
    let account = text(grant, "/recipientAccountId");
    let anchor = text(grant, "/requestParameters/trustAnchorArn");
    known.then(|| Answer::of("RolesAnywhere", Some(subject), account).borne_by(None, anchor))
}

fn made_by_console(grant: Record) -> bool {
    let agent = text(grant, "/userAgent").unwrap_or("");
    text(grant, "/sourceIPAddress") == Some("AWS Internal")
        || text(grant, "/userIdentity/invokedBy") == Some("AWS Internal")
        || agent == "AWS Internal"
        || agent.starts_with("AWS Signin, aws-internal/")
}

/// All records, and the question asked of them.
pub struct Oracle<'r> {
    records: Vec<Record<'r>>,
    /// The same, each call once, put right by later records of it.
    calls: Vec<Record<'r>>,
    /// Issuing events, each call once: found beforehand only to keep the tests' time in bounds.
    grants: Vec<Record<'r>>,
    /// What was found before, for the same reason.
    found: RefCell<HashMap<Caller<'r>, Found<'r>>>,
    /// The records of every credential and of every session, for the same reason; one record of each
    /// credential that has a session.
    by_credential: HashMap<(Session<'r>, Option<&'r str>), Vec<Record<'r>>>,
    by_session: HashMap<Session<'r>, Vec<Record<'r>>>,
    credentials: Vec<Record<'r>>,
    /// What was issued under keys that no call shows, as a call would show it.
    unused: Vec<Record<'r>>,
    /// Credentials whose candidates are contested, or not.
    contested: RefCell<HashMap<Caller<'r>, bool>>,
}

/// Issuing events on one rung of the ladder.
#[derive(Clone)]
struct Found<'r> {
    grants: Vec<Record<'r>>,
    /// One of its own calls would fit as well.
    doubled: bool,
    rung: usize,
    /// When a role or federated user signed in to the console, if it is a sign-in.
    signed_in: Option<i64>,
}

const HAVE_SESSIONS: [&str; 4] = ["AssumedRole", "FederatedUser", "IAMUser", "Root"];

/// The rung of bridges, below all joins by key or second.
const BRIDGE: usize = 5;

/// Session, key and ARN.
type Caller<'r> = (Session<'r>, Option<&'r str>, Option<&'r str>);

/// The answer for every event, by event id.
pub fn answers(records: &[Value]) -> HashMap<String, Answer> {
    let mut seen = BTreeSet::new();
    let distinct: Vec<Record> =
        records.iter().filter(|r| seen.insert(r["eventID"].as_str().unwrap())).collect();
    let calls = put_right(&distinct);
    let issued: Vec<(Record, Value)> =
        calls.iter().filter(|c| issues(c)).filter_map(|c| Some((c, as_called(c)?))).collect();
    let mut oracle = Oracle {
        records: distinct.clone(),
        calls: calls.iter().collect(),
        grants: Vec::new(),
        found: RefCell::default(),
        by_credential: HashMap::new(),
        by_session: HashMap::new(),
        credentials: Vec::new(),
        unused: Vec::new(),
        contested: RefCell::default(),
    };
    for record in distinct.iter().filter(|r| !failed_sign_in(r)) {
        let same = oracle.by_credential.entry((session(record), key(record))).or_default();
        if same.is_empty() && HAVE_SESSIONS.contains(&kind(record)) {
            oracle.credentials.push(record);
        }
        same.push(record);
        oracle.by_session.entry(session(record)).or_default().push(record);
    }
    let grants = calls.iter().filter(|r| issues(r) && !oracle.is_second_half(r));
    oracle.grants = grants.collect();
    let unused = issued
        .iter()
        .filter(|(grant, call)| oracle.is_unused(grant) && oracle.same_credential(call).is_empty());
    oracle.unused = unused.map(|(_, call)| call).collect();
    let by_id = |r: Record| r["eventID"].as_str().unwrap().to_owned();
    let who = |r| Answer { bearer: (None, None), ..oracle.who(r, &mut Vec::new()) };
    distinct.into_iter().map(|r| (by_id(r), who(r))).collect()
}

/// The CreateAccessKey calls whose key its owner used later on.
pub fn used_keys(records: &[Value]) -> BTreeSet<String> {
    let made = records.iter().filter(|r| {
        event_name(r) == "CreateAccessKey"
            && text(r, "/eventSource") == Some("iam.amazonaws.com")
            && text(r, "/errorCode").is_none()
    });
    let used = made.filter(|made| {
        let made_key = text(made, "/responseElements/accessKey/accessKeyId");
        let owner = text(made, "/responseElements/accessKey/userName");
        let calls: Vec<Record> = records
            .iter()
            .filter(|r| kind(r) == "IAMUser" && created(r).is_none() && !failed_sign_in(r))
            .filter(|r| made_key.is_some() && key(r) == made_key)
            .filter(|r| text(r, "/userIdentity/userName") == owner)
            .filter(|r| r["userIdentity"]["accountId"] == made["recipientAccountId"])
            .filter(|r| (session(r), key(r)) != (session(made), key(made)))
            .collect();
        calls.iter().map(|r| time_of(r)).min().is_some_and(|first| first >= time_of(made))
    });
    used.map(|made| made["eventID"].as_str().unwrap().to_owned()).collect()
}

/// The record that a record puts right.
fn original(record: Record<'_>) -> Option<&str> {
    let addendum = &record["addendum"];
    let updates =
        addendum["reason"] == "UPDATED_DATA" && record["eventID"] != addendum["originalEventID"];
    addendum["originalEventID"].as_str().filter(|_| updates)
}

fn corrects(later: Record, first: Record) -> bool {
    let same = ["recipientAccountId", "eventName", "eventTime"];
    original(later).is_some()
        && original(later) == first["eventID"].as_str()
        && same.iter().all(|member| later[member] == first[member])
}

/// All calls, each once: later records of a call are merged into its first one, in their order.
fn put_right(records: &[Record]) -> Vec<Value> {
    let mut calls = Vec::new();
    let mut merged: BTreeSet<&str> = BTreeSet::new();
    let id = |r: &Value| r["eventID"].as_str().unwrap().to_owned();
    for record in records {
        if records.iter().any(|first| corrects(record, first)) {
            continue;
        }
        let mut call = (*record).clone();
        let mut round = vec![*record];
        let mut disputed = false;
        loop {
            let next: Vec<Record> = records
                .iter()
                .filter(|r| round.iter().any(|first| corrects(r, first)))
                .copied()
                .collect();
            let Some(later) = next.first() else { break };
            merged.extend(next.iter().map(|r| r["eventID"].as_str().unwrap()));
            let mut said: Vec<Value> = next.iter().map(|r| (*r).clone()).collect();
            said.iter_mut().for_each(|r| r["eventID"] = Value::Null);
            // Two that differ: nobody knows which is the later one.
            disputed |= said.windows(2).any(|two| two[0] != two[1]);
            let named = later["addendum"]["updatedFields"].to_string();
            for (member, value) in later.as_object().unwrap().iter().filter(|_| !disputed) {
                let always = named == "null" && member != "eventID";
                if always || named.contains(member.as_str()) {
                    call[member] = value.clone();
                }
            }
            round = next;
        }
        calls.push(call);
    }
    // A circle of corrections has no first one.
    let left = records.iter().filter(|r| {
        records.iter().any(|first| corrects(r, first)) && !merged.contains(id(r).as_str())
    });
    calls.extend(left.map(|r| (*r).clone()));
    calls
}

impl<'r> Oracle<'r> {
    fn same_credential(&self, record: Record<'r>) -> Vec<Record<'r>> {
        self.by_credential.get(&(session(record), key(record))).cloned().unwrap_or_default()
    }

    /// Whether no call shows the key that was issued.
    fn is_unused(&self, grant: Record<'r>) -> bool {
        let is_grant = |g: &Record<'r>| g["eventID"] == grant["eventID"];
        self.grants.iter().any(is_grant)
            && !self.credentials.iter().any(|r| {
                let mine = self.same_credential(r);
                let found = self.found_of(r, &mine);
                found.rung < 2
                    && found.grants.iter().any(is_grant)
                    && !self.grants_of(r, &mine).0.is_empty()
            })
    }

    fn same_session(&self, record: Record<'r>) -> Vec<Record<'r>> {
        self.by_session.get(&session(record)).cloned().unwrap_or_default()
    }

    /// `path` holds the credentials on the way from the question: meeting one again is a circle.
    fn who(&self, record: Record<'r>, path: &mut Path<'r>) -> Answer {
        if failed_sign_in(record) {
            return Answer::unknown();
        }
        let account = text(record, "/userIdentity/accountId");
        let principal = text(record, "/userIdentity/principalId");
        let user = text(record, "/userIdentity/userName");
        if let Some(outside) = named_by_request(record) {
            return outside;
        }
        if contradicts_itself(record) {
            return Answer::unknown();
        }
        match kind(record) {
            "AWSAccount" => self.other_account(record, path),
            "IAMUser" => {
                let arn = text(record, "/userIdentity/arn").filter(|arn| arn.starts_with("arn:"));
                let arn = arn.or_else(|| self.last_name(record));
                let name = arn.or(user).or(principal);
                Answer::of("IAMUser", name, account).borne_by(principal, None)
            }
            "SAMLUser" | "WebIdentityUser" => {
                let provider = text(record, "/userIdentity/identityProvider");
                let hidden = |name: &&str| {
                    name.ends_with(':') || name.ends_with(":HIDDEN_DUE_TO_SECURITY_REASONS")
                };
                let named = [user, principal].into_iter().flatten().find(|name| !hidden(name));
                named.map_or_else(Answer::unknown, |name| {
                    Answer::of(kind(record), Some(name), None).borne_by(None, provider)
                })
            }
            "AWSService" | "" => match text(record, "/userIdentity/invokedBy") {
                Some(service) => Answer::of("AWSService", Some(service), None),
                None => Answer::unknown(),
            },
            "IdentityCenterUser" => self.portal_user(record),
            "Unknown"
                if user.is_some() && (signs_in_at_portal(record) || self.calls_portal(record)) =>
            {
                self.portal_user(record)
            }
            "AssumedRole" | "Root" | "FederatedUser" => {
                let me = (session(record), key(record));
                if path.contains(&me) {
                    return Answer::unknown();
                }
                path.push(me);
                let answer = self.holder(record, path);
                path.pop();
                answer
            }
            _ => Answer::unknown(),
        }
    }

    fn calls_portal(&self, record: Record<'r>) -> bool {
        let identity = &record["userIdentity"];
        self.records.iter().filter(|r| r["userIdentity"] == *identity).any(|r| {
            text(r, "/eventSource").is_some_and(|s| {
                s.starts_with("sso.") || s.starts_with("sso-") || s.contains(".sso.")
            })
        })
    }

    fn portal_user(&self, record: Record<'r>) -> Answer {
        let id = text(record, "/userIdentity/onBehalfOf/userId");
        let store = text(record, "/userIdentity/onBehalfOf/identityStoreArn");
        let names: BTreeSet<&str> = self
            .records
            .iter()
            .filter(|r| kind(r) == "AssumedRole" && self.sso_name(r).is_some())
            .filter(|r| id.is_some() && text(r, "/userIdentity/onBehalfOf/userId") == id)
            .filter(|r| text(r, "/userIdentity/onBehalfOf/identityStoreArn") == store)
            .filter_map(|r| self.sso_name(r))
            .collect();
        let learned = names.first().copied().filter(|_| names.len() == 1);
        let own = text(record, "/userIdentity/userName");
        let name = own.or(learned).or(id).or(text(record, "/userIdentity/principalId"));
        name.map_or_else(Answer::unknown, |name| {
            Answer::of("IdentityCenterUser", Some(name), None).borne_by(id, store)
        })
    }

    /// Session name, if the role belongs to Identity Center.
    fn sso_name(&self, record: Record<'r>) -> Option<&'r str> {
        let (_, hex) = self.role(record)?.strip_prefix("AWSReservedSSO_")?.rsplit_once('_')?;
        let reserved =
            self.issuer(record).is_none_or(|arn| arn.contains("/aws-reserved/sso.amazonaws.com/"));
        if hex.len() != 16 || !reserved {
            return None;
        }
        text(record, "/userIdentity/principalId")?.split_once(':').map(|(_, name)| name)
    }

    fn issuer(&self, record: Record<'r>) -> Option<&'r str> {
        let path = "/userIdentity/sessionContext/sessionIssuer/arn";
        self.same_credential(record).iter().filter_map(|r| text(r, path)).min()
    }

    fn role(&self, record: Record<'r>) -> Option<&'r str> {
        let named = self.issuer(record).and_then(role_name);
        named.or_else(|| text(record, "/userIdentity/arn").and_then(role_name))
    }

    fn other_account(&self, record: Record<'r>, path: &mut Path<'r>) -> Answer {
        if let Some(copy) = self.caller_copy(record) {
            return self.who(copy, path);
        }
        let account = text(record, "/userIdentity/accountId");
        let principal = text(record, "/userIdentity/principalId");
        if let Some(arn) = self.last_name(record) {
            return Answer::of("IAMUser", Some(arn), account).borne_by(principal, None);
        }
        if principal.is_some() && principal == account {
            let arn = format!("arn:{}:iam::{}:root", partition(record), account.unwrap());
            return Answer::of("Root", Some(&arn), account);
        }
        self.seen_from_outside(record, path)
            .unwrap_or_else(|| Answer::of("AWSAccount", principal.or(account), account))
    }

    /// The last name of the IAM user with this record's principal id.
    fn last_name(&self, record: Record<'r>) -> Option<&'r str> {
        let account = text(record, "/userIdentity/accountId")?;
        let principal = text(record, "/userIdentity/principalId")?;
        let own = self.records.iter().filter(|r| kind(r) == "IAMUser" && !failed_sign_in(r));
        let own = own.map(|r| (r, "/userIdentity", "/arn"));
        let issuer = "/userIdentity/sessionContext/sessionIssuer";
        let issuers = self.records.iter().filter(|r| {
            kind(r) == "FederatedUser" && text(r, &format!("{issuer}/type")) == Some("IAMUser")
        });
        let names = own.chain(issuers.map(|r| (r, issuer, "/arn"))).filter(|(r, block, _)| {
            text(r, &format!("{block}/principalId")) == Some(principal)
                && text(r, &format!("{block}/accountId")) == Some(account)
        });
        let names = names
            .filter_map(|(r, block, arn)| Some((time_of(r), text(r, &format!("{block}{arn}"))?)))
            .filter(|(_, arn)| {
                let parts: Vec<&str> = arn.splitn(6, ':').collect();
                parts.len() == 6 && parts[4] == account && parts[5].starts_with("user/")
            });
        names.max().map(|(_, arn)| arn)
    }

    /// The sessions of a principal that were live when another account recorded a call of it.
    fn seen_from_outside(&self, record: Record<'r>, path: &mut Path<'r>) -> Option<Answer> {
        let principal = text(record, "/userIdentity/principalId")?;
        let account = text(record, "/userIdentity/accountId")?;
        let of_its_logs = |r: &Record<'r>| {
            HAVE_SESSIONS.contains(&kind(r)) && text(r, "/userIdentity/accountId") == Some(account)
        };
        if !self.records.iter().any(of_its_logs) {
            return None;
        }
        let at = time_of(record);
        let live = |r: &&Record<'r>| {
            ["AssumedRole", "FederatedUser"].contains(&kind(r))
                && text(r, "/userIdentity/principalId") == Some(principal)
                && text(r, "/userIdentity/accountId") == Some(account)
                && partition(r) == partition(record)
                && self.is_live(r, at)
        };
        let all = self.credentials.iter().chain(&self.unused).filter(live);
        let answers: Vec<Answer> = all.map(|r| self.who(r, path)).collect();
        (!answers.is_empty()).then(|| agreed(&answers))
    }

    fn is_live(&self, record: Record<'r>, at: i64) -> bool {
        let longest = if kind(record) == "FederatedUser" { 36 * 3600 } else { 12 * 3600 };
        let mine = self.same_credential(record);
        let times = || mine.iter().map(|r| time_of(r));
        let (begin, end) = match created(record) {
            Some(born) => {
                let (grants, _) = self.grants_of(record, &mine);
                let expires = grants.iter().filter_map(|g| expiry(g)).max();
                (born, expires.unwrap_or(born + longest))
            }
            None => (times().min().unwrap(), times().min().unwrap() + longest),
        };
        at - begin <= 36 * 3600
            && (begin - 1..=times().max().unwrap_or(end).max(end) + 60).contains(&at)
    }

    fn caller_copy(&self, owner: Record<'r>) -> Option<Record<'r>> {
        let shared = text(owner, "/sharedEventID")?;
        let principal = text(owner, "/userIdentity/principalId");
        let fits = |r: &&Record<'r>| {
            let other = text(r, "/userIdentity/principalId");
            text(r, "/sharedEventID") == Some(shared)
                && !["AWSAccount", "AWSService", ""].contains(&kind(r))
                && r["eventTime"] == owner["eventTime"]
                && event_name(r) == event_name(owner)
                && (principal.is_none() || other.is_none() || principal == other)
        };
        let copies: Vec<Record> = self.records.iter().filter(fits).copied().collect();
        let first = *copies.first()?;
        let arn = |r: Record<'r>| text(r, "/userIdentity/arn").filter(|_| kind(r) == "IAMUser");
        let one = copies
            .iter()
            .all(|c| session(c) == session(first) && key(c) == key(first) && arn(c) == arn(first));
        one.then_some(first)
    }

    /// Whether the service's own record of the same issue is there; a key that stands in several was
    /// rewritten.
    fn shown_by_service(&self, grant: Record<'r>) -> bool {
        let one_issue = |own: Record<'r>, by_sts: Record<'r>| {
            let service = text(by_sts, "/userIdentity/invokedBy");
            issued_key(own).is_some()
                && service.is_some_and(|name| name.starts_with("rolesanywhere."))
                && issued_key(own) == issued_key(by_sts)
                && (time_of(own) - time_of(by_sts)).abs() <= 1
                && own["requestParameters"]["roleArn"] == by_sts["requestParameters"]["roleArn"]
        };
        let by_sts = |r: &&Record<'r>| issues(r) && kind(r) == "AWSService";
        let own = self.records.iter().filter(|r| issues(r) && event_name(r) == "CreateSession");
        let pairs: Vec<(Record, Record)> = own
            .filter_map(|own| {
                let mut all = self.records.iter().filter(by_sts).filter(|r| one_issue(own, r));
                let first = *all.next()?;
                all.next().is_none().then_some((*own, first))
            })
            .collect();
        pairs.iter().filter(|(_, by_sts)| by_sts["eventID"] == grant["eventID"]).count() == 1
    }

    /// Owners' copies that stand for a call whose caller's copy is there as well.
    fn is_second_half(&self, grant: Record<'r>) -> bool {
        if kind(grant) == "AWSService" && self.shown_by_service(grant) {
            return true;
        }
        if kind(grant) != "AWSAccount" {
            return false;
        }
        let agree = |a: Option<&str>, b: Option<&str>| a.is_none() || b.is_none() || a == b;
        let role = |r: Record<'r>| text(r, "/requestParameters/roleArn");
        let copy = self.caller_copy(grant).filter(|copy| {
            issues(copy)
                && agree(issued_key(copy), issued_key(grant))
                && agree(role(copy), role(grant))
        });
        if copy.is_some() {
            return true;
        }
        let mates = self.calls.iter().filter(|r| {
            issues(r)
                && kind(r) != "AWSAccount"
                && issued_key(r).is_some()
                && issued_key(r) == issued_key(grant)
                && r["eventTime"] == grant["eventTime"]
                && role(r).is_some()
                && role(r) == role(grant)
                && agree(
                    text(r, "/userIdentity/principalId"),
                    text(grant, "/userIdentity/principalId"),
                )
                && text(r, "/userIdentity/accountId").is_some_and(|a| Some(a) != target_account(r))
        });
        mates.count() == 1
    }

    /// Who holds the credentials of a role, root or federated session.
    fn holder(&self, record: Record<'r>, path: &mut Path<'r>) -> Answer {
        let mine = self.same_credential(record);
        let (grants, doubled) = self.grants_of(record, &mine);
        let depth = |answer: Answer| Answer { depth: answer.depth.filter(|_| !doubled), ..answer };
        let by_hand = grants.iter().any(|g| event_name(g) == "AssumeRole");
        if let Some(name) = self.sso_name(record).filter(|_| !by_hand) {
            let on_behalf = |of: &str| {
                let path = format!("/userIdentity/onBehalfOf/{of}");
                mine.iter().filter_map(|r| text(r, &path)).min()
            };
            return Answer::of("IdentityCenterUser", Some(name), None)
                .borne_by(on_behalf("userId"), on_behalf("identityStoreArn"))
                .one_deeper();
        }
        let account = text(record, "/userIdentity/accountId");
        match kind(record) {
            "AssumedRole" if grants.is_empty() => self.service_by_record(record, &mine),
            "AssumedRole" if grants.iter().all(|g| goes_on(g)) => depth(self.common(&grants, path)),
            "AssumedRole" => depth(self.common(&grants, path)).one_deeper(),
            "FederatedUser" => {
                let known = depth(self.common(&grants, path));
                let issuer = "/userIdentity/sessionContext/sessionIssuer";
                let issuer_kind = text(record, &format!("{issuer}/type"));
                match (known.origin_type.as_str(), issuer_kind, self.issuer(record)) {
                    ("Unknown", Some(kind @ ("IAMUser" | "Root")), Some(arn)) => {
                        let account = text(record, &format!("{issuer}/accountId")).or(account);
                        Answer::of(kind, Some(arn), account)
                    }
                    (origin_type, Some(kind @ ("IAMUser" | "Root")), Some(arn))
                        if (origin_type, known.origin.as_deref()) != (kind, Some(arn)) =>
                    {
                        Answer::unknown()
                    }
                    _ => known,
                }
            }
            _ => {
                let assumed = grants.iter().filter(|g| event_name(g) == "AssumeRoot").count();
                let root = Answer::of("Root", text(record, "/userIdentity/arn"), account);
                let flag = |r: &Record<'r>| {
                    text(r, "/userIdentity/sessionContext/assumedRoot") == Some("true")
                };
                let session = self.same_session(record);
                let flagged = match created(record) {
                    Some(_) => session.iter().any(flag),
                    None => mine.iter().any(flag),
                };
                let by_itself = match grants.len() {
                    0 => {
                        !flagged
                            && (created(record).is_none() || surely_root(&session, created(record)))
                    }
                    _ => assumed == 0,
                };
                if by_itself && root.origin.is_none() && account.is_none() {
                    Answer::unknown()
                } else if by_itself {
                    root
                } else if assumed > 0 && assumed == grants.len() {
                    depth(self.common(&grants, path)).one_deeper()
                } else {
                    Answer::unknown()
                }
            }
        }
    }

    fn common(&self, grants: &[Record<'r>], path: &mut Path<'r>) -> Answer {
        let answers: Vec<Answer> = grants.iter().map(|g| self.caller(g, path)).collect();
        agreed(&answers)
    }

    fn service_by_record(&self, record: Record<'r>, mine: &[Record<'r>]) -> Answer {
        let resource = self.issuer(record).and_then(|arn| arn.splitn(6, ':').nth(5));
        let linked = resource.and_then(|r| r.strip_prefix("role/aws-service-role/"));
        if let Some(service) = linked.and_then(|r| r.split('/').next()) {
            return Answer::of("AWSService", Some(service), None).one_deeper();
        }
        let delivery = "/userIdentity/sessionContext/ec2RoleDelivery";
        if mine.iter().any(|r| text(r, delivery).is_some()) {
            let china = partition(record) == "aws-cn";
            let ec2 = if china { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
            return Answer::of("AWSService", Some(ec2), None).one_deeper();
        }
        let scopes: BTreeSet<&str> =
            mine.iter().filter_map(|r| text(r, "/userIdentity/inScopeOf/issuerType")).collect();
        let service = match scopes.first() {
            Some(&"AWS::Lambda::Function") => "lambda.amazonaws.com",
            Some(&"AWS::EC2::Instance") => "ec2.amazonaws.com",
            Some(&"AWS::ECS::Task") => "ecs-tasks.amazonaws.com",
            _ => return by_token(mine),
        };
        Answer::of("AWSService", Some(service), None).one_deeper()
    }

    /// As `find_grants`, save what is contested.
    fn grants_of(&self, record: Record<'r>, mine: &[Record<'r>]) -> (Vec<Record<'r>>, bool) {
        let found = self.found_of(record, mine);
        let of = (session(record), key(record), text(record, "/userIdentity/arn"));
        let known = self.contested.borrow().get(&of).copied();
        let contested = known.unwrap_or_else(|| self.is_contested(&found));
        self.contested.borrow_mut().insert(of, contested);
        if contested { (Vec::new(), false) } else { (found.grants, found.doubled) }
    }

    /// Whether more sessions claim the same events, by evidence as good, than there are events.
    fn is_contested(&self, found: &Found<'r>) -> bool {
        let claimed = |found: &Found<'r>| -> Vec<Record<'r>> {
            let follows = |g: &Record| found.signed_in == Some(time_of(g) + 1);
            let by_issue =
                |g: &Record| issues(g) && found.rung < BRIDGE && found.rung != 2 && !follows(g);
            let by_request = |g: &Record| event_name(g) == "AssumeRoleForPodIdentity";
            found.grants.iter().copied().filter(|g| by_issue(g) || by_request(g)).collect()
        };
        let events = claimed(found);
        if events.is_empty() || events.len() < found.grants.len() {
            return false;
        }
        let same = |a: Record, b: Record| a["eventID"] == b["eventID"];
        let mut claimants: BTreeSet<(&str, Option<i64>)> = BTreeSet::new();
        for other in &self.credentials {
            let of = self.found_of(other, &self.same_credential(other));
            let rival = claimed(&of).iter().any(|g| events.iter().any(|e| same(e, g)));
            let principal = text(other, "/userIdentity/principalId");
            let principal = principal.or_else(|| self.principal_by_arn(other));
            if let Some(principal) = principal.filter(|_| rival && of.rung <= found.rung) {
                claimants.insert((principal, created(other)));
            }
        }
        let spent = self.grants.iter().filter(|g| {
            text(g, "/userIdentity/invokedBy").is_some_and(|s| s.starts_with("pods.eks."))
                && events.iter().any(|request| answers_request(g, request))
        });
        for issue in spent {
            let name = text(issue, "/requestParameters/roleSessionName").unwrap_or("");
            claimants.insert((target_principal(issue).unwrap_or(name), Some(time_of(issue))));
        }
        let dated: BTreeSet<&str> =
            claimants.iter().filter(|(_, born)| born.is_some()).map(|(who, _)| *who).collect();
        claimants.retain(|(who, born)| born.is_some() || !dated.contains(who));
        claimants.len() > events.len()
    }

    /// The principal id that other calls show with the ARN of one that shows none.
    fn principal_by_arn(&self, record: Record<'r>) -> Option<&'r str> {
        let arn = |r: Record<'r>| {
            let mine = self.same_credential(r);
            mine.into_iter().filter_map(|r| text(r, "/userIdentity/arn")).min()
        };
        let own = arn(record)?;
        let same = self
            .credentials
            .iter()
            .filter(|r| created(r).is_some() && created(r) == created(record))
            .filter(|r| arn(r) == Some(own))
            .filter_map(|r| text(r, "/userIdentity/principalId"));
        Some(same.min().unwrap_or(own))
    }

    /// As `find_grants`, which gives the same for all calls of a credential.
    fn found_of(&self, record: Record<'r>, mine: &[Record<'r>]) -> Found<'r> {
        let of = (session(record), key(record), text(record, "/userIdentity/arn"));
        if let Some(known) = self.found.borrow().get(&of) {
            return known.clone();
        }
        let found = self.find_grants(record, mine);
        self.found.borrow_mut().insert(of, found.clone());
        found
    }

    /// The issuing events on the best rung that holds any; and whether one of its own calls would fit
    /// as well.
    fn find_grants(&self, record: Record<'r>, mine: &[Record<'r>]) -> Found<'r> {
        let me = (session(record), key(record));
        let others = |g: &Record<'r>| (session(g), key(g)) != me;
        let all: Vec<Record> = self.grants.to_vec();
        let born = created(record);
        let fits = |g: &Record<'r>| {
            // A key is not used a minute before it is issued.
            let early = mine.iter().any(|r| time_of(g) - time_of(r) > 60);
            target_kind(g) == kind(record)
                && target_partition(g) == partition(record)
                && target_account(g) == text(record, "/userIdentity/accountId")
                && !(born.is_none() && early)
        };
        let off = |g: &Record<'r>| born.map_or(0, |b| (b - time_of(g)).abs());
        let pick = |rung: &dyn Fn(&Record<'r>) -> bool| -> Vec<Record<'r>> {
            all.iter().filter(|g| fits(g) && rung(g)).copied().collect()
        };
        let borrowed = ["AssumedRole", "FederatedUser"].contains(&kind(record));
        let by_key = |g: &Record<'r>| self.key_fits(record, g);
        let silent = |g: &Record<'r>| {
            born.is_some()
                && !by_key(g)
                && self.principal_fits(record, g)
                && !refuted(mine, g)
                && self.keys_allow(record, mine, g)
        };
        let rungs: [Vec<Record>; 5] = [
            pick(&|g| by_key(g) && off(g) == 0),
            pick(&|g| by_key(g) && off(g) == 1),
            self.sign_in_session(record, mine),
            pick(&|g| silent(g) && off(g) == 0),
            pick(&|g| silent(g) && off(g) == 1),
        ];
        // A session does not take itself: where it seems so, two of them show as one.
        let own = rungs.iter().position(|rung| rung.iter().any(|g| !others(g)));
        let rungs = rungs.map(|rung| rung.into_iter().filter(others).collect::<Vec<_>>());
        let best = rungs.iter().position(|rung| !rung.is_empty());
        if best.is_some_and(|rung| rung >= 3) && self.session_lacks_a_grant(record) {
            return Found { grants: Vec::new(), doubled: false, rung: BRIDGE, signed_in: None };
        }
        let doubled = best.is_some() && own.is_some_and(|own| Some(own) <= best);
        let found = rungs.into_iter().find(|rung| !rung.is_empty()).map(|mut rung| {
            // A switch by somebody else than those who are found by second is a rival of theirs.
            if best >= Some(3) {
                let mut others = self.switched_from(record);
                others.retain(|switch| !rung.iter().any(|g| may_have_switched(g, switch)));
                rung.extend(others);
            }
            rung
        });
        let grants = found.unwrap_or_else(|| {
            let mut switched = self.switched_from(record);
            switched.extend(self.asked_for_pod(record));
            let signed_in = mine.iter().any(|r| is_sign_in(r));
            if switched.is_empty() {
                switched = self.sign_ins_of_role(record);
            }
            if switched.is_empty() && signed_in {
                switched = self.taken_to_console(record);
            }
            if !switched.is_empty() || !signed_in || !borrowed {
                return switched;
            }
            pick(&|g| {
                others(g)
                    && target_principal(g).is_some()
                    && target_principal(g) == text(record, "/userIdentity/principalId")
                    && !refuted(mine, g)
                    && born.is_some_and(|b| (0..=900).contains(&(b - time_of(g))))
            })
        });
        let signs_in = borrowed && best == Some(4) && mine.iter().any(|r| is_sign_in(r));
        let signed_in = born.filter(|_| signs_in);
        Found { grants, doubled, rung: best.unwrap_or(BRIDGE), signed_in }
    }

    /// Whether some direct call of the session used a key that none of its grants issued.
    fn session_lacks_a_grant(&self, record: Record<'r>) -> bool {
        self.same_session(record).into_iter().any(|r| {
            let mine = self.same_credential(r);
            let near: Vec<&Record<'r>> = self
                .grants
                .iter()
                .filter(|g| target_kind(g) == kind(r))
                .filter(|g| target_account(g) == text(r, "/userIdentity/accountId"))
                .filter(|g| created(r).is_some_and(|b| (b - time_of(g)).abs() <= 1))
                .filter(|g| (session(g), key(g)) != (session(r), key(r)))
                .collect();
            let announced = |g: &&&Record<'r>| self.key_fits(r, g);
            let fits = |g: &&&Record<'r>| self.principal_fits(r, g) && !refuted(&mine, g);
            let other = |g: &&&Record<'r>| fits(g) && !self.keys_allow(r, &mine, g);
            key(r).is_some()
                    && !near.iter().any(|g| announced(&g))
                    && !near.iter().any(|g| fits(&g) && self.keys_allow(r, &mine, g))
                    && near.iter().any(|g| other(&g))
                    // Last, because it takes longest.
                    && self.asked_for_pod(r).is_empty()
                    && self.sign_in_session(r, &mine).is_empty()
        })
    }

    /// The console's own records of switching to this role session.
    fn switched_from(&self, record: Record<'r>) -> Vec<Record<'r>> {
        let fits = |r: &&Record<'r>| {
            is_hop(r)
                && !failed_sign_in(r)
                && kind(record) == "AssumedRole"
                && text(r, "/userIdentity/accountId") == text(record, "/userIdentity/accountId")
                && text(r, "/userIdentity/principalId").is_some()
                && text(r, "/userIdentity/principalId") == text(record, "/userIdentity/principalId")
                && created(record).is_some_and(|b| (b - time_of(r)).abs() <= 1)
        };
        self.records.iter().filter(fits).copied().collect()
    }

    /// Tokens for the sign-in session that the calls name.
    fn sign_in_session(&self, record: Record<'r>, mine: &[Record<'r>]) -> Vec<Record<'r>> {
        let path = "/userIdentity/sessionContext/signInSessionArn";
        let Some(arn) = mine.iter().filter_map(|r| text(r, path)).min() else { return Vec::new() };
        let first = mine.iter().map(|r| time_of(r)).min();
        let role = !["IAMUser", "Root"].contains(&kind(record));
        let Some(began) = created(record).or(first.filter(|_| role)) else { return Vec::new() };
        let fits = |r: &&Record<'r>| {
            event_name(r) == "CreateOAuth2Token"
                && (time_of(r) - began).abs() <= 12 * 3600
                && at_sign_in_service(r)
                && text(r, "/errorCode").is_none()
                && text(r, "/additionalEventData/signInSessionArn") == Some(arn)
                && kind(r) == kind(record)
                && r["userIdentity"]["principalId"] == record["userIdentity"]["principalId"]
                && (session(r), key(r)) != (session(record), key(record))
        };
        self.records.iter().filter(fits).copied().collect()
    }

    /// Calls of a role's console session under other credentials: the sign-in that began it.
    fn sign_ins_of_role(&self, record: Record<'r>) -> Vec<Record<'r>> {
        let fits = |r: &&Record<'r>| {
            kind(record) == "AssumedRole"
                && event_name(r) == "ConsoleLogin"
                && is_sign_in(r)
                && !failed_sign_in(r)
                && session(r) == session(record)
                && created(r) == Some(time_of(r))
                && key(r) != key(record)
        };
        self.records.iter().filter(fits).copied().collect()
    }

    /// Sessions of the same principal that asked for a sign-in token shortly before.
    fn taken_to_console(&self, record: Record<'r>) -> Vec<Record<'r>> {
        let fits = |r: &&Record<'r>| {
            event_name(r) == "GetSigninToken"
                && at_sign_in_service(r)
                && text(r, "/errorCode").is_none()
                && ["AssumedRole", "FederatedUser"].contains(&kind(r))
                && created(r).is_some()
                && kind(r) == kind(record)
                && r["userIdentity"]["principalId"] == record["userIdentity"]["principalId"]
                && r["userIdentity"]["accountId"] == record["userIdentity"]["accountId"]
                && created(record).is_some_and(|b| (0..=900).contains(&(b - time_of(r))))
                && (session(r), key(r)) != (session(record), key(record))
        };
        self.records.iter().filter(fits).copied().collect()
    }

    /// The nodes' own records of asking for a pod's credentials.
    fn asked_for_pod(&self, record: Record<'r>) -> Vec<Record<'r>> {
        let principal = text(record, "/userIdentity/principalId").unwrap_or("");
        let name = principal.split_once(':').map_or("", |(_, name)| name);
        let fits = |r: &&Record<'r>| {
            let cluster = text(r, "/requestParameters/clusterName").unwrap_or("?");
            event_name(r) == "AssumeRoleForPodIdentity"
                && text(r, "/errorCode").is_none()
                && kind(record) == "AssumedRole"
                && text(r, "/recipientAccountId") == text(record, "/userIdentity/accountId")
                && name.starts_with(&format!("eks-{cluster}-"))
                && created(record).is_some_and(|b| (b - time_of(r)).abs() <= 1)
        };
        self.records.iter().filter(fits).copied().collect()
    }

    /// Who made an issuing call; the switch page names the previous principal by ARN alone.
    fn caller(&self, grant: Record<'r>, path: &mut Path<'r>) -> Answer {
        if event_name(grant) == "AssumeRoleForPodIdentity" {
            return Answer::of("AWSService", Some("pods.eks.amazonaws.com"), None);
        }
        if let Some(holder) = certificate(grant).filter(|_| kind(grant) == "AWSService") {
            return holder;
        }
        if !is_hop(grant) {
            // Nobody calls with credentials that do not exist yet.
            let too_early = !is_sign_in(grant)
                && created(grant).is_some_and(|began| began > time_of(grant) + 1);
            return if too_early { Answer::unknown() } else { self.who(grant, path) };
        }
        let previous = text(grant, "/additionalEventData/SwitchFrom").unwrap_or("");
        let account = arn_account(previous);
        let resource = previous.splitn(6, ':').nth(5).unwrap_or("");
        match (resource.split('/').next(), role_name(previous)) {
            (Some("user"), _) => Answer::of("IAMUser", Some(previous), account),
            (Some("root"), _) => Answer::of("Root", Some(previous), account),
            (Some("assumed-role"), Some(role)) if role.starts_with("AWSReservedSSO_") => {
                let user = resource.splitn(3, '/').nth(2);
                Answer::of("IdentityCenterUser", user, None).one_deeper()
            }
            _ => Answer::unknown(),
        }
    }

    fn keys_allow(&self, record: Record<'r>, mine: &[Record<'r>], grant: &Record<'r>) -> bool {
        let forwarded = mine.iter().all(|r| text(r, "/userIdentity/invokedBy").is_some());
        let console_session = || {
            let all = self.same_session(record);
            all.iter().any(|r| shows_console(r) || at_sign_in_service(r))
        };
        key(record).is_none()
            || issued_key(grant).is_none()
            || forwarded
            || made_by_console(grant)
            || console_session()
    }

    /// `None` where nothing can be compared.
    fn role_agrees(&self, record: Record<'r>, grant: &Record<'r>) -> Option<bool> {
        let calling = text(record, "/userIdentity/principalId");
        if let (Some(issued), Some(calling)) = (target_principal(grant), calling) {
            return Some(issued == calling);
        }
        let asked = text(grant, "/requestParameters/roleArn")?;
        match self.issuer(record) {
            Some(issuer) => Some(asked == issuer),
            None => Some(role_name(asked)? == self.role(record)?),
        }
    }

    fn key_fits(&self, record: Record<'r>, grant: &Record<'r>) -> bool {
        let same = |g: &&Record<'r>| key(record).is_some() && issued_key(g) == key(record);
        let once = || self.grants.iter().filter(same).count() == 1;
        same(&grant) && self.role_agrees(record, grant).unwrap_or_else(once)
    }

    fn principal_fits(&self, record: Record<'r>, grant: &Record<'r>) -> bool {
        let calling = text(record, "/userIdentity/principalId");
        if let (Some(issued), Some(calling)) = (target_principal(grant), calling) {
            return issued == calling;
        }
        let name = calling.and_then(|c| c.split_once(':')).map(|(_, name)| name);
        self.role_agrees(record, grant) == Some(true)
            && name.is_some()
            && text(grant, "/requestParameters/roleSessionName") == name
    }
}

/// What all answers have in common.
fn agreed(answers: &[Answer]) -> Answer {
    let Some(first) = answers.first().cloned() else { return Answer::unknown() };
    if answers.iter().any(|a| a.origin_type == "Unknown" || !a.same_as(&first)) {
        return Answer::unknown();
    }
    let same_depth = answers.iter().all(|a| a.depth == first.depth);
    Answer { depth: first.depth.filter(|_| same_depth), ..first }
}

fn partition(record: Record<'_>) -> &str {
    let arns = ["/userIdentity/arn", "/userIdentity/sessionContext/sessionIssuer/arn"];
    let arn = arns.iter().find_map(|path| text(record, path)?.split(':').nth(1));
    arn.unwrap_or_else(|| match text(record, "/awsRegion").unwrap_or("") {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    })
}

/// When issued credentials end.
fn expiry(grant: Record) -> Option<i64> {
    let shown = text(issue(grant), "/credentials/expiration");
    let formats = ["%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%SZ"];
    let parse = |shown: &str| {
        let parsed = |f| chrono::NaiveDateTime::parse_from_str(shown, f).ok();
        formats.iter().find_map(|format| parsed(format)).map(|time| time.and_utc().timestamp())
    };
    let asked = || Some(time_of(grant) + grant["requestParameters"]["durationSeconds"].as_i64()?);
    shown.and_then(parse).or_else(asked)
}

/// What was issued, as a call would show it.
fn as_called(grant: Record) -> Option<Value> {
    let principal = target_principal(grant)?;
    let role = text(grant, "/requestParameters/roleArn");
    Some(serde_json::json!({
        "eventTime": grant["eventTime"], "awsRegion": grant["awsRegion"],
        "userIdentity": {
            "type": target_kind(grant), "principalId": principal,
            "accountId": target_account(grant)?, "accessKeyId": issued_key(grant)?,
            "sessionContext": {
                "sessionIssuer": { "arn": role },
                "attributes": { "creationDate": grant["eventTime"] }
            }
        }
    }))
}

/// Whether EKS's issue answers a node's request for a pod's role.
fn answers_request(issue: Record, request: Record) -> bool {
    let name = text(issue, "/requestParameters/roleSessionName").unwrap_or("");
    let cluster = text(request, "/requestParameters/clusterName").unwrap_or("?");
    event_name(request) == "AssumeRoleForPodIdentity"
        && name.starts_with(&format!("eks-{cluster}-"))
        && target_account(issue) == text(request, "/recipientAccountId")
        && (time_of(issue) - time_of(request)).abs() <= 1
}

/// Whether whoever made an issuing call may be the previous principal of a role switch.
fn may_have_switched(issue: Record, switch: Record) -> bool {
    let previous = text(switch, "/additionalEventData/SwitchFrom").unwrap_or("");
    let arn = text(issue, "/userIdentity/arn");
    if arn == Some(previous) {
        return true;
    }
    let resource = previous.splitn(6, ':').nth(5).unwrap_or("");
    let session = resource.strip_prefix("assumed-role/").and_then(|r| r.split('/').nth(1));
    let same_name = match (arn, text(issue, "/userIdentity/principalId")) {
        (Some(arn), _) => session.is_some() && session == arn.rsplit('/').next(),
        (None, Some(id)) => id.split_once(':').map(|(_, name)| name) == session,
        (None, None) => false,
    };
    let account = text(issue, "/userIdentity/accountId");
    made_by_console(issue) && same_name && account.is_some() && account == arn_account(previous)
}

/// The subject of the token that a role session was made with.
fn by_token(mine: &[Record]) -> Answer {
    let subjects = mine.iter().filter_map(|r| {
        let data = &r["userIdentity"]["sessionContext"]["webIdFederationData"];
        let provider = text(data, "/federatedProvider")?;
        let attributes = data["attributes"].as_object()?;
        let (_, subject) = attributes.iter().find(|(name, _)| name.ends_with(":sub"))?;
        Some((provider, subject.as_str()?))
    });
    let Some((_, subject)) = subjects.min() else { return Answer::unknown() };
    Answer::of("WebIdentityUser", Some(subject), None).one_deeper()
}

fn shows_console(record: Record) -> bool {
    text(record, "/sessionCredentialFromConsole") == Some("true")
        || is_sign_in(record)
        || text(record, "/eventType") == Some("AwsConsoleAction")
}

fn surely_root(session: &[Record], born: Option<i64>) -> bool {
    let reach = ["iam.amazonaws.com", "s3.amazonaws.com", "sqs.amazonaws.com", "sts.amazonaws.com"];
    let own_success = |r: Record| {
        ["/errorCode", "/errorMessage", "/userIdentity/invokedBy"]
            .iter()
            .all(|member| text(r, member).is_none())
    };
    session.iter().any(|r| {
        let far = !reach.contains(&text(r, "/eventSource").unwrap_or(""));
        let late = born.is_some_and(|b| time_of(r) - b > 960);
        shows_console(r) || own_success(r) && (far || late)
    })
}

/// Whether a call's own content rules out a grant that fits by principal and second.
fn refuted(mine: &[Record], grant: Record) -> bool {
    let inherited = "/userIdentity/sessionContext/sourceIdentity";
    let shown = mine.iter().filter_map(|r| text(r, inherited)).min();
    let members =
        ["/requestParameters/sourceIdentity", "/responseElements/sourceIdentity", inherited];
    let set = members.iter().find_map(|member| text(grant, member));
    let in_console = event_name(grant) == "AssumeRoot" && mine.iter().any(|r| shows_console(r));
    in_console || shown.is_some() && set.is_some() && shown != set
}
