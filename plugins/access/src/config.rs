//! The rules, as written by the operator.

use std::collections::BTreeMap;

use postgate_plugin::{
    AddressPattern, DomainPattern, LocalPartPattern, Recipient, Refusal, Sender, name,
};
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
    refuse: Vec<DomainPattern>,
    refuse_own_name: bool,
    require_fqdn: bool,
}

impl Helo {
    /// The refusal of a name, if a rule refuses it.
    pub(crate) fn check(&self, name: &str, hostname: &str) -> Option<Refusal> {
        if self.refuse_own_name && name::is_same(name, hostname) {
            let refusal = Refusal::new(550, "5.7.1", "you are not me");
            return Some(refusal.because("helo.refuse-own-name"));
        }
        if self.require_fqdn && !name::is_fully_qualified(name) && !name::is_literal(name) {
            let refusal = Refusal::new(504, "5.5.2", "a fully qualified name is needed");
            return Some(refusal.because("helo.require-fqdn"));
        }
        let pattern = self.refuse.iter().find(|pattern| pattern.matches(name))?;
        let refusal = Refusal::new(550, "5.7.1", "mail from this name is not welcome");
        Some(refusal.because(format!("helo.refuse: {pattern}")))
    }
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
    allow: Vec<AddressPattern>,
    refuse: Vec<AddressPattern>,
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

/// The local parts that exist, by the canonical form of the domain.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<String, Vec<LocalPartPattern>>")]
pub(crate) struct Recipients(BTreeMap<String, Vec<LocalPartPattern>>);

impl Recipients {
    /// False if the list of its domain does not contain the recipient. Every domain has a
    /// postmaster (RFC 5321 §4.5.1).
    pub(crate) fn allow(&self, recipient: &Recipient) -> bool {
        let address = recipient.address();
        let Some(listed) = self.0.get(&address.canonical_domain()) else {
            return true;
        };
        address
            .canonical_local_part()
            .eq_ignore_ascii_case("postmaster")
            || listed
                .iter()
                .any(|pattern| pattern.matches(address.local_part()))
    }
}

impl From<BTreeMap<String, Vec<LocalPartPattern>>> for Recipients {
    /// The lists of one domain in several spellings are one list.
    fn from(table: BTreeMap<String, Vec<LocalPartPattern>>) -> Self {
        let mut lists = BTreeMap::<_, Vec<_>>::new();
        for (domain, list) in table {
            lists
                .entry(name::canonical(&domain))
                .or_default()
                .extend(list);
        }
        Self(lists)
    }
}
