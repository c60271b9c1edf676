//! The rules, as written by the operator.

use std::collections::BTreeMap;

use postgate_plugin::{Pattern, Recipient, Refusal, Sender};
use serde::Deserialize;

use crate::network::Network;

/// The `[config]` table. An absent rule refuses nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    pub(crate) client: Client,
    pub(crate) helo: Helo,
    pub(crate) auth: Auth,
    pub(crate) sender: SenderRules,
    pub(crate) recipients: Recipients,
}

/// Rules for the client's address.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Client {
    /// Not refused for their address, HELO name or sender.
    pub(crate) allow: Vec<Network>,
    /// Refused when they connect.
    pub(crate) deny: Vec<Network>,
}

/// Rules for the name in HELO, EHLO or LHLO.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Helo {
    refuse: Vec<Pattern>,
    refuse_own_name: bool,
    require_fqdn: bool,
}

impl Helo {
    /// The refusal of a name, if a rule refuses it.
    pub(crate) fn check(&self, name: &str, hostname: &str) -> Option<Refusal> {
        let name = name.trim_end_matches('.');
        if self.refuse_own_name && name.eq_ignore_ascii_case(hostname) {
            let refusal = Refusal::new(550, "5.7.1", "you are not me");
            return Some(refusal.because("helo.refuse-own-name"));
        }
        if self.require_fqdn && !is_fully_qualified(name) {
            let refusal = Refusal::new(504, "5.5.2", "a fully qualified name is needed");
            return Some(refusal.because("helo.require-fqdn"));
        }
        let pattern = self.refuse.iter().find(|pattern| pattern.matches(name))?;
        let refusal = Refusal::new(550, "5.7.1", "mail from this name is not welcome");
        Some(refusal.because(format!("helo.refuse: {pattern}")))
    }
}

/// A name of at least two labels, or an address literal (RFC 5321 §4.1.3).
fn is_fully_qualified(name: &str) -> bool {
    let is_literal = name.starts_with('[') && name.ends_with(']');
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    is_literal || (name.contains('.') && name.split('.').all(is_label))
}

/// Rules for authentication.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Auth {
    /// The networks from which clients may authenticate; if absent, all.
    pub(crate) networks: Option<Vec<Network>>,
}

/// Rules for the reverse-path.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct SenderRules {
    allow: Vec<Pattern>,
    refuse: Vec<Pattern>,
    pub(crate) refuse_bulk_bounces: bool,
}

impl SenderRules {
    /// The refusal of a sender, if a rule refuses it. The null sender has no address that a pattern
    /// could match.
    pub(crate) fn check(&self, sender: &Sender) -> Option<Refusal> {
        let address = sender.address()?.as_str();
        if self.allow.iter().any(|pattern| pattern.matches(address)) {
            return None;
        }
        let pattern = self
            .refuse
            .iter()
            .find(|pattern| pattern.matches(address))?;
        let refusal = Refusal::new(550, "5.7.1", "mail from this sender is not welcome");
        Some(refusal.because(format!("sender.refuse: {pattern}")))
    }
}

/// The local parts that exist, by domain.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<String, Vec<Pattern>>")]
pub(crate) struct Recipients(BTreeMap<String, Vec<Pattern>>);

impl Recipients {
    /// False if the list of its domain does not contain the recipient. Every domain has a
    /// postmaster (RFC 5321 §4.5.1).
    pub(crate) fn allow(&self, recipient: &Recipient) -> bool {
        let Some(listed) = self.0.get(&recipient.domain().to_lowercase()) else {
            return true;
        };
        let local_part = recipient.local_part();
        local_part.eq_ignore_ascii_case("postmaster")
            || listed.iter().any(|pattern| pattern.matches(local_part))
    }
}

impl From<BTreeMap<String, Vec<Pattern>>> for Recipients {
    fn from(table: BTreeMap<String, Vec<Pattern>>) -> Self {
        let entries = table.into_iter();
        Self(
            entries
                .map(|(domain, list)| (domain.to_lowercase(), list))
                .collect(),
        )
    }
}
