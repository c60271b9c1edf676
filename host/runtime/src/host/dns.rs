//! What a guest can ask the Domain Name System.

use std::future::Future;
use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::HostState;
use crate::bindings::host::dns;
use postgate_dns::DnsError;

type Answer<T> = wasmtime::Result<Result<Vec<T>, dns::DnsError>>;

impl dns::Host for HostState {
    async fn ipv4(&mut self, name: String) -> Answer<String> {
        self.count_dns_query()?;
        let ask = async { self.plugin.dns.ipv4(&name).await.map(texts) };
        self.look_up("dns.ipv4", &name, ask).await
    }

    async fn ipv6(&mut self, name: String) -> Answer<String> {
        self.count_dns_query()?;
        let ask = async { self.plugin.dns.ipv6(&name).await.map(texts) };
        self.look_up("dns.ipv6", &name, ask).await
    }

    async fn mx(&mut self, name: String) -> Answer<dns::MailExchanger> {
        self.count_dns_query()?;
        let found = self
            .look_up("dns.mx", &name, self.plugin.dns.mx(&name))
            .await?;
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
        self.look_up("dns.txt", &name, self.plugin.dns.txt(&name))
            .await
    }

    async fn ptr(&mut self, ip: String) -> Answer<String> {
        self.count_dns_query()?;
        let ask = async {
            match ip.parse() {
                Ok(address) => self.plugin.dns.ptr(address).await,
                Err(_) => Err(DnsError::Invalid),
            }
        };
        self.look_up("dns.ptr", &ip, ask).await
    }
}

impl HostState {
    async fn look_up<T: Serialize + DeserializeOwned>(
        &self,
        call: &str,
        question: &str,
        ask: impl Future<Output = Result<Vec<T>, DnsError>>,
    ) -> Answer<T> {
        let unknown = || Err(NOT_RECORDED.to_owned());
        let ask = async { ask.await.map_err(|error| name_of(error).to_owned()) };
        let found = self
            .outside(call, || json!([question]), unknown, ask)
            .await?;
        Ok(found.map_err(|error| error_of(&error)))
    }
}

fn texts(addresses: Vec<IpAddr>) -> Vec<String> {
    addresses.iter().map(IpAddr::to_string).collect()
}

const fn name_of(error: DnsError) -> &'static str {
    match error {
        DnsError::Failed => "failed",
        DnsError::Invalid => "invalid",
        DnsError::NotFound => "not-found",
    }
}

fn error_of(name: &str) -> dns::DnsError {
    match name {
        "invalid" => dns::DnsError::Invalid,
        "not-found" => dns::DnsError::NotFound,
        _ => dns::DnsError::Failed,
    }
}

const NOT_RECORDED: &str = "failed";
