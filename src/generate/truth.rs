//! The ground truth: who is really behind an event, known only to the one who invented it.

use std::fmt::Write;
use std::sync::Arc;

/// First line of `truth.csv`.
pub const HEADER: &str = "event_id,origin_type,origin,origin_account_id,depth,resolvable\n";

/// The human, workload or outside identity that started a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The CloudTrail identity type.
    pub kind: &'static str,
    /// The name an answer must give.
    pub name: Arc<str>,
    /// The account it belongs to; empty for identities from outside AWS and for services.
    pub account: Arc<str>,
}

impl Origin {
    /// An origin of an account.
    pub fn of_account(kind: &'static str, name: &str, account: &str) -> Origin {
        Origin { kind, name: name.into(), account: account.into() }
    }

    /// An origin that belongs to no account.
    pub fn outside(kind: &'static str, name: &str) -> Origin {
        Origin::of_account(kind, name, "")
    }
}

/// Who is behind a credential, how far away, and whether the logs can prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Who started the chain.
    pub origin: Origin,
    /// Assumed roles between the origin and the credential.
    pub depth: u32,
    /// False when the records that prove the origin are not in the logs.
    pub provable: bool,
}

impl Behind {
    /// The origin's own credential.
    pub fn own(origin: Origin) -> Behind {
        Behind { origin, depth: 0, provable: true }
    }

    /// One role further away.
    pub fn deeper(&self) -> Behind {
        Behind { depth: self.depth + 1, ..self.clone() }
    }

    /// The same, with proof only as far as `provable` and the proof so far both hold.
    pub fn only_if(mut self, provable: bool) -> Behind {
        self.provable &= provable;
        self
    }

    /// The same, with proof whatever was lost before: the record speaks for itself.
    pub fn proven(mut self) -> Behind {
        self.provable = true;
        self
    }

    /// Appends this event's line of `truth.csv`.
    pub fn write_line(&self, event_id: &str, out: &mut String) {
        let Origin { kind, name, account } = &self.origin;
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "{event_id},{kind},{},{account},{},{}",
            field(name),
            self.depth,
            self.provable
        );
    }
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_quotes_what_needs_it() {
        let mut out = String::new();
        let origin = Origin::outside("SAMLUser", "anna, \"the first\"");
        Behind::own(origin).deeper().only_if(false).write_line("e1", &mut out);
        assert_eq!(out, "e1,SAMLUser,\"anna, \"\"the first\"\"\",,1,false\n");
    }
}
