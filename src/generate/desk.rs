//! Where a call comes from: address, user agent and region.

use super::dice::Dice;

/// The place and tool a caller works with.
#[derive(Debug, Clone)]
pub struct Desk {
    /// `sourceIPAddress`.
    pub address: String,
    /// `userAgent`.
    pub agent: String,
    /// The region called, unless the service is global.
    pub region: &'static str,
    /// `vpcEndpointId` and `vpcEndpointAccountId`: calls go through an endpoint of that account.
    pub endpoint: Option<(&'static str, &'static str)>,
}

/// The first region holds the calls that are never lost as a whole.
pub const REGIONS: [&str; 4] = ["eu-west-1", "us-east-1", "us-west-2", "ap-southeast-2"];
/// The region whose folder survives in every account.
pub const HOME: &str = REGIONS[0];
/// Where global services are recorded.
pub const GLOBAL: &str = "us-east-1";

/// What browsers send.
pub const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36";
/// What services show as address and agent when they do not show their name.
pub const INTERNAL: &str = "AWS Internal";
/// The command line tool.
pub const CLI: &str = "aws-cli/2.15.40 md/awscrt#0.19.19 ua/2.0 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off";

const AGENTS: [&str; 7] = [
    CLI,
    "Boto3/1.34.84 md/Botocore#1.34.84 ua/2.0 os/linux#5.10.210-201.852.amzn2.x86_64 md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.84",
    "APN/1.0 HashiCorp/1.0 Terraform/1.8.2 (+https://www.terraform.io) terraform-provider-aws/5.47.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.26.1 os/linux lang/go#1.22.2 md/GOOS#linux md/GOARCH#amd64",
    "aws-sdk-java/2.25.40 Linux/5.10.210 OpenJDK_64-Bit_Server_VM/17.0.11+9-LTS Java/17.0.11 vendor/Amazon.com_Inc. io/sync http/Apache cfg/retry-mode/legacy",
    "aws-sdk-go/1.51.30 (go1.22.2; linux; amd64) S3Manager",
    "aws-sdk-js/3.565.0 ua/2.1 os/linux#5.10.213 lang/js md/nodejs#20.12.2 api/dynamodb#3.565.0 m/E",
    "aws-cli/1.32.90 md/Botocore#1.34.90 ua/2.0 os/macos#23.4.0 md/arch#arm64 lang/python#3.12.3 md/pyimpl#CPython cfg/retry-mode#legacy botocore/1.34.90",
];

impl Desk {
    /// A desk by its parts.
    pub fn new(address: &str, agent: &str, region: &'static str) -> Desk {
        let (address, agent) = (address.to_string(), agent.to_string());
        Desk { address, agent, region, endpoint: None }
    }

    /// Somebody with a command line or a program, half of the time in the home region.
    pub fn program(dice: &mut Dice) -> Desk {
        let region = if dice.chance(500) { HOME } else { *dice.pick(&REGIONS) };
        let (address, agent) = (dice.address(), (*dice.pick(&AGENTS)).to_string());
        Desk { address, agent, region, endpoint: None }
    }

    /// Somebody at the console.
    pub fn browser(dice: &mut Dice) -> Desk {
        Desk { agent: BROWSER.to_string(), ..Desk::program(dice) }
    }

    /// A service, which shows its name instead of an address.
    pub fn service(principal: &str, region: &'static str) -> Desk {
        Desk::new(principal, principal, region)
    }

    /// The same place calling another region.
    pub fn in_region(&self, region: &'static str) -> Desk {
        Desk { region, ..self.clone() }
    }

    /// Whether the address is one, and not the name of a service.
    pub fn is_address(&self) -> bool {
        self.address.starts_with(|c: char| c.is_ascii_digit())
    }
}
