//! A Domain Name System that a test defines.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::WORLD;
use crate::bindings::imports::postgate::plugin::dns::{DnsError, MailExchanger};

/// The names that exist; all others do not. Letter case does not matter.
///
/// ```
/// use postgate_plugin::{dns, testing};
///
/// testing::Dns::new()
///     .mx("example.org", 10, "mx.example.org")
///     .fails("broken.example")
///     .install();
///
/// assert_eq!(dns::mx("example.org").unwrap()[0].exchange, "mx.example.org");
/// assert_eq!(dns::mx("broken.example"), Err(dns::Error::Failed));
/// assert_eq!(dns::mx("absent.example"), Err(dns::Error::NotFound));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Dns {
    addresses: BTreeMap<String, Vec<IpAddr>>,
    exchangers: BTreeMap<String, Vec<MailExchanger>>,
    texts: BTreeMap<String, Vec<String>>,
    names: BTreeMap<IpAddr, Vec<String>>,
    failing: BTreeSet<String>,
}

impl Dns {
    /// Creates one in which no name exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an address of a name.
    pub fn address(mut self, name: &str, address: impl Into<IpAddr>) -> Self {
        add(&mut self.addresses, key(name), address.into());
        self
    }

    /// Adds a mail exchanger of a domain; an empty one makes it a null MX.
    pub fn mx(mut self, domain: &str, preference: u16, exchange: &str) -> Self {
        let exchange = exchange.into();
        let exchanger = MailExchanger {
            preference,
            exchange,
        };
        add(&mut self.exchangers, key(domain), exchanger);
        self
    }

    /// Adds a TXT record of a name.
    pub fn txt(mut self, name: &str, text: &str) -> Self {
        add(&mut self.texts, key(name), text.into());
        self
    }

    /// Adds a name of an address.
    pub fn ptr(mut self, address: impl Into<IpAddr>, name: &str) -> Self {
        add(&mut self.names, address.into(), name.into());
        self
    }

    /// Makes every query for this name, or for this address in its text form, fail.
    pub fn fails(mut self, name: &str) -> Self {
        self.failing.insert(key(name));
        self
    }

    /// Installs this for the current thread, for all sessions that follow.
    pub fn install(self) {
        WORLD.with_borrow_mut(|world| world.dns = self);
    }

    pub(super) fn addresses_of(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        self.records(&self.addresses, name)
    }

    pub(super) fn exchangers_of(&self, name: &str) -> Result<Vec<MailExchanger>, DnsError> {
        let mut exchangers = self.records(&self.exchangers, name)?;
        exchangers.sort_by_key(|exchanger| exchanger.preference);
        Ok(exchangers)
    }

    pub(super) fn texts_of(&self, name: &str) -> Result<Vec<String>, DnsError> {
        self.records(&self.texts, name)
    }

    pub(super) fn names_of(&self, address: &str) -> Result<Vec<String>, DnsError> {
        let parsed: IpAddr = address.parse().map_err(|_| DnsError::Invalid)?;
        if self.failing.contains(address) {
            return Err(DnsError::Failed);
        }
        self.names.get(&parsed).cloned().ok_or(DnsError::NotFound)
    }

    fn records<T: Clone>(
        &self,
        table: &BTreeMap<String, Vec<T>>,
        name: &str,
    ) -> Result<Vec<T>, DnsError> {
        if !is_name(name) {
            return Err(DnsError::Invalid);
        }
        let key = key(name);
        match table.get(&key) {
            _ if self.failing.contains(&key) => Err(DnsError::Failed),
            Some(records) => Ok(records.clone()),
            None => Err(DnsError::NotFound),
        }
    }
}

fn add<K: Ord, V>(table: &mut BTreeMap<K, Vec<V>>, key: K, value: V) {
    table.entry(key).or_default().push(value);
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase()
}

/// The limits of RFC 1035 §2.3.4.
fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::dns;

    #[test]
    fn names_have_the_records_that_they_were_given() {
        let (ipv4, ipv6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        Dns::new()
            .address("both.example", ipv4)
            .address("both.example", ipv6)
            .address("old.example", ipv4)
            .mx("mail.example", 20, "b.example")
            .mx("mail.example", 10, "a.example")
            .txt("mail.example", "v=spf1 -all")
            .ptr(ipv4, "both.example")
            .install();
        assert_eq!(dns::ipv4("Both.Example."), Ok(vec![ipv4]));
        assert_eq!(dns::ipv6("both.example"), Ok(vec![ipv6]));
        assert_eq!(dns::ipv6("old.example"), Err(dns::Error::NotFound));
        let exchangers = dns::mx("mail.example").unwrap();
        let names: Vec<_> = exchangers.iter().map(|mx| &*mx.exchange).collect();
        assert_eq!(names, ["a.example", "b.example"]);
        assert_eq!(dns::txt("mail.example"), Ok(vec!["v=spf1 -all".into()]));
        assert_eq!(dns::ptr(ipv4.into()), Ok(vec!["both.example".into()]));
        assert_eq!(dns::ptr(ipv6.into()), Err(dns::Error::NotFound));
    }

    #[test]
    fn questions_fail_as_they_were_told_to() {
        Dns::new()
            .mx("broken.example", 10, "a.example")
            .fails("broken.example")
            .fails("192.0.2.1")
            .install();
        let failing = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(dns::mx("broken.example"), Err(dns::Error::Failed));
        assert_eq!(dns::ptr(failing), Err(dns::Error::Failed));
        for name in ["", "a..b", &"x".repeat(64)] {
            assert_eq!(dns::txt(name), Err(dns::Error::Invalid), "{name}");
        }
    }
}
