//! The population of a large world: accounts with their users and roles, and people from outside.

use std::sync::Arc;

use super::dice::Dice;
use super::ids::Ids;
use super::people::{Role, User};

/// One account and who lives in it.
#[derive(Debug)]
pub struct Member {
    /// The account id.
    pub id: Arc<str>,
    /// Its IAM users.
    pub users: Vec<Arc<User>>,
    /// Roles that people and programs assume.
    pub roles: Vec<Arc<Role>>,
    /// Roles of machines.
    pub instance_roles: Vec<Arc<Role>>,
    /// Roles of functions.
    pub function_roles: Vec<Arc<Role>>,
    /// Service-linked roles with the service each is linked to.
    pub linked: Vec<(Arc<Role>, &'static str)>,
    /// Roles that Identity Center made.
    pub reserved: Vec<Arc<Role>>,
}

/// A person known to the outside directory.
#[derive(Debug)]
pub struct Person {
    /// The user name, unique in the world.
    pub name: String,
    /// The id in the identity store.
    pub user_id: String,
    /// Whether the person's portal events have the newer shape, which shows no name.
    pub newer: bool,
}

/// Everybody.
#[derive(Debug)]
pub struct Cast {
    /// The accounts whose logs are delivered; the first one manages the organization.
    pub members: Vec<Member>,
    /// People from the outside directory.
    pub people: Vec<Person>,
    /// Accounts of vendors, which deliver no logs.
    pub vendors: Vec<Arc<str>>,
}

const NAMES: [&str; 12] = [
    "anna", "ben", "carla", "dev", "emma", "farid", "grace", "hugo", "ines", "jonas", "kira",
    "liam",
];
const ROLES: [(&str, &str); 8] = [
    ("/", "SecurityAnalystRole"),
    ("/", "SecurityBreakGlassRole"),
    ("/teams/", "Deployer"),
    ("/teams/", "DataReader"),
    ("/", "OrganizationAccountAccessRole"),
    ("/ops/", "BackupOperator"),
    ("/", "CrossAccountAudit"),
    ("/teams/platform/", "PlatformAdmin"),
];
const LINKED: [(&str, &str); 5] = [
    ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
    ("rds.amazonaws.com", "AWSServiceRoleForRDS"),
    ("inspector2.amazonaws.com", "AWSServiceRoleForAmazonInspector2"),
    ("config.amazonaws.com", "AWSServiceRoleForConfig"),
    ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"),
];

impl Cast {
    /// The population for a number of accounts: the same seed, the same people.
    pub fn new(accounts: u32, seed: u64) -> Cast {
        let mut ids = Ids::new(seed, 0);
        let mut dice = Dice::new(seed, 0);
        let members = (0..accounts).map(|n| member(n, &mut ids, &mut dice)).collect();
        let people = (0..accounts.clamp(4, 40) * 2).map(|n| person(n, &mut dice)).collect();
        let vendors = (0..5_u64).map(|n| format!("{}", 900_000_000_001 + n * 11).into()).collect();
        Cast { members, people, vendors }
    }

    /// The account that manages the organization and holds the Identity Center instance.
    pub fn management(&self) -> &Member {
        &self.members[0]
    }

    /// An account, by number.
    pub fn member(&self, dice: &mut Dice) -> usize {
        dice.below(self.members.len() as u64) as usize
    }

    /// Another account than `this`, where there is one.
    pub fn other(&self, dice: &mut Dice, this: usize) -> usize {
        let step = 1 + dice.below(self.members.len().saturating_sub(1) as u64) as usize;
        (this + step) % self.members.len()
    }

    /// A user of an account.
    pub fn user(&self, dice: &mut Dice, member: usize) -> Arc<User> {
        dice.pick(&self.members[member].users).clone()
    }

    /// An ordinary role of an account.
    pub fn role(&self, dice: &mut Dice, member: usize) -> Arc<Role> {
        dice.pick(&self.members[member].roles).clone()
    }
}

fn member(number: u32, ids: &mut Ids, dice: &mut Dice) -> Member {
    let id: Arc<str> = format!("{}", 210_000_000_000 + u64::from(number) * 7_919_003).into();
    let mut role = |path: &str, name: &str| {
        let (path, name) = (path.to_string(), name.to_string());
        Arc::new(Role { account: id.clone(), path, name, id: ids.role() })
    };
    let roles = ROLES.iter().map(|(path, name)| role(path, name)).collect();
    let instance_roles = ["WebServerRole", "BatchWorkerRole"].map(|n| role("/", n)).into();
    let function_roles =
        ["orders-role-k2x9", "thumbnails-role-7fq1"].map(|n| role("/service-role/", n)).into();
    let linked = LINKED
        .map(|(service, name)| (role(&format!("/aws-service-role/{service}/"), name), service))
        .into();
    let reserved = ["AdministratorAccess", "ReadOnlyAccess"]
        .map(|set| {
            let name = format!("AWSReservedSSO_{set}_{}", dice.hex(16));
            role("/aws-reserved/sso.amazonaws.com/eu-west-1/", &name)
        })
        .into();
    let users = (0..6)
        .map(|n| {
            let name = format!("{}.{number:03}", NAMES[(n + number as usize * 5) % NAMES.len()]);
            Arc::new(User { name, account: id.clone(), id: ids.user(), key: ids.long_term_key() })
        })
        .collect();
    Member { id, users, roles, instance_roles, function_roles, linked, reserved }
}

fn person(number: u32, dice: &mut Dice) -> Person {
    let name = format!("{}{number}@example.com", NAMES[number as usize % NAMES.len()]);
    Person { name, user_id: dice.guid(), newer: number.is_multiple_of(2) }
}
