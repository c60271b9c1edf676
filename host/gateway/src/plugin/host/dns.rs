//! What a guest can ask the Domain Name System.

use std::net::IpAddr;

use super::HostState;
use crate::dns::DnsError;
use crate::plugin::bindings::host::dns;

type Answer<T> = wasmtime::Result<Result<Vec<T>, dns::DnsError>>;

impl dns::Host for HostState {
    async fn ipv4(&mut self, name: String) -> Answer<String> {
        self.count_dns_query()?;
        let found = self.plugin.dns.ipv4(&name).await;
        Ok(found.map(texts).map_err(dns_error))
    }

    async fn ipv6(&mut self, name: String) -> Answer<String> {
        self.count_dns_query()?;
        let found = self.plugin.dns.ipv6(&name).await;
        Ok(found.map(texts).map_err(dns_error))
    }

    async fn mx(&mut self, name: String) -> Answer<dns::MailExchanger> {
        self.count_dns_query()?;
        let found = self.plugin.dns.mx(&name).await.map_err(dns_error);
        Ok(found.map(|exchangers| {
            let exchangers = exchangers.into_iter();
            exchangers
                .map(|(preference, exchange)| dns::MailExchanger {
                    preference,
                    exchange,
                })
                .collect()
        }))
    }

    async fn txt(&mut self, name: String) -> Answer<String> {
        self.count_dns_query()?;
        Ok(self.plugin.dns.txt(&name).await.map_err(dns_error))
    }

    async fn ptr(&mut self, ip: String) -> Answer<String> {
        self.count_dns_query()?;
        let Ok(address) = ip.parse() else {
            return Ok(Err(dns::DnsError::Invalid));
        };
        Ok(self.plugin.dns.ptr(address).await.map_err(dns_error))
    }
}

fn texts(addresses: Vec<IpAddr>) -> Vec<String> {
    addresses.iter().map(IpAddr::to_string).collect()
}

const fn dns_error(error: DnsError) -> dns::DnsError {
    match error {
        DnsError::Failed => dns::DnsError::Failed,
        DnsError::Invalid => dns::DnsError::Invalid,
        DnsError::NotFound => dns::DnsError::NotFound,
    }
}
