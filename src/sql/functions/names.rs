//! What ARNs and access key ids say by themselves.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::doc;
use super::scalar::{Args, Definition, Gives, Takes};
use crate::model::arn::Arn;

pub(super) const FUNCTIONS: &[Definition] = &[
    Definition {
        doc: doc(
            "arn_part",
            "arn, part",
            "one part of an ARN: partition, service, region, account, resource, resource_type or resource_name; NULL where it has none",
            "arn_part('arn:aws:iam::111111111111:role/teams/Deployer', 'resource_name')",
            "Deployer",
        ),
        takes: &[Takes::Text, Takes::Text],
        required: 2,
        gives: Gives::Text,
        run: arn_part,
    },
    Definition {
        doc: doc(
            "access_key_account",
            "access_key_id",
            "account that an access key id (AKIA…, ASIA…) encodes; NULL for keys of the old kind, which do not tell. Not documented by AWS, so a hint and no proof",
            "access_key_account('AKIARTXV5AHDQAXQ6DYP')",
            "111111111111",
        ),
        takes: &[Takes::Text],
        required: 1,
        gives: Gives::Text,
        run: key_account,
    },
];

const PARTS: &str =
    "part of an ARN (partition, service, region, account, resource, resource_type, resource_name)";

fn arn_part(args: &Args) -> Result<ArrayRef> {
    args.texts(|row| {
        let (Some(text), Some(part)) = (args.text(0, row), args.text(1, row)) else {
            return Ok(None);
        };
        let known = [
            "partition",
            "service",
            "region",
            "account",
            "resource",
            "resource_type",
            "resource_name",
        ];
        if !known.contains(&part) {
            return args.unreadable(1, part, PARTS);
        }
        Ok(part_of(text, part).filter(|value| !value.is_empty()).map(str::to_owned))
    })
}

fn part_of<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    let arn = Arn::parse(text)?;
    let split = arn.resource.find(['/', ':']);
    Some(match part {
        "partition" => arn.partition,
        "service" => arn.service,
        "region" => text.split(':').nth(3)?,
        "account" => arn.account,
        "resource" => arn.resource,
        "resource_type" => &arn.resource[..split?],
        // The last step of the path; of an S3 object its whole key would be `resource`.
        _ => arn.resource.rsplit(['/', ':']).next()?,
    })
}

fn key_account(args: &Args) -> Result<ArrayRef> {
    args.texts(|row| Ok(args.text(0, row).and_then(account_of_key)))
}

/// After the four letters of its prefix an access key id is Base32. Its first bit tells the kind of
/// key: 1 where the 40 bits after it are the account.
///
/// Sources: T. Be'ery, "A short note on AWS KEY ID"
/// (<https://medium.com/@TalBeerySec/a-short-note-on-aws-key-id-f88cc4317489>); P. Sivakumaran, "A
/// bitwise analysis of AWS access key identifiers"
/// (<https://labs.withsecure.com/publications/a-bitwise-analysis-of-aws-access-key-identifiers>).
fn account_of_key(key: &str) -> Option<String> {
    let rest = key.strip_prefix("AKIA").or_else(|| key.strip_prefix("ASIA"))?;
    if rest.len() < 12 {
        return None;
    }
    let mut bits = 0_u64;
    for (position, c) in rest.bytes().enumerate() {
        let five = match c {
            b'A'..=b'Z' => c - b'A',
            b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        // Ten characters hold the first 50 bits.
        if position < 10 {
            bits = bits << 5 | u64::from(five);
        }
    }
    let is_new = bits >> 49 == 1;
    let account = bits >> 9 & 0xff_ffff_ffff;
    (is_new && account <= 999_999_999_999).then(|| format!("{account:012}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same layout, written from the account.
    fn key_of(account: u64) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bits = (1_u128 << 79) | (u128::from(account) << 39) | 0x12_3456_789a;
        let letters = (0..16).map(|i| alphabet[(bits >> (75 - 5 * i) & 31) as usize] as char);
        format!("ASIA{}", letters.collect::<String>())
    }

    #[test]
    fn accounts_are_read_from_keys_of_the_new_kind_only() {
        for account in [0, 1, 111_111_111_111, 222_222_222_222, 999_999_999_999] {
            assert_eq!(account_of_key(&key_of(account)), Some(format!("{account:012}")));
        }
        assert_eq!(account_of_key(&key_of(1_000_000_000_000)), None, "there is no such account");
        for old in ["ASIAEXAMPLENQ7BFXLH6", "AKIAIOSFODNN7EXAMPLE", "AKIAJOSFODNN7EXAMPLE"] {
            assert_eq!(account_of_key(old), None, "{old}");
        }
        for hostile in [
            "",
            "AKIA",
            "ASIAQ",
            "ASIAQ€€€€€€€€€€€€",
            "AIDAQNZGKIQY56JQ7WML",
            "ASIAQNZGKIQY56JQ7WM0",
        ] {
            assert_eq!(account_of_key(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn parts_of_arns() {
        let part = |arn, name| part_of(arn, name).filter(|v| !v.is_empty());
        let object = "arn:aws:s3:::archive-prod/2024/a:b";
        assert_eq!(part(object, "account"), None);
        assert_eq!(part(object, "resource"), Some("archive-prod/2024/a:b"));
        assert_eq!(
            part("arn:aws:logs:eu-west-1:1:log-group:x", "resource_type"),
            Some("log-group")
        );
        assert_eq!(part("arn:aws:iam::1:root", "resource_type"), None);
        assert_eq!(part("arn:aws:iam::1:root", "resource_name"), Some("root"));
        assert_eq!(part("arn:aws:logs:eu-west-1:1:x", "region"), Some("eu-west-1"));
        assert_eq!(part("arn:::::", "account"), None);
        assert_eq!(part("arn", "account"), None);
    }
}
