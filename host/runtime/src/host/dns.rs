//! The interface `dns`: DNS queries.

use std::future::Future;
use std::net::IpAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error::HostError;
use super::state::HostState;
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
    /// Makes a query, or answers it from a recording.
    async fn look_up<T: Serialize + DeserializeOwned>(
        &self,
        call: &str,
        question: &str,
        ask: impl Future<Output = Result<Vec<T>, DnsError>>,
    ) -> Answer<T> {
        let unknown = || Err(RecordedError::Failed);
        let mut is_of_host = false;
        let ask = async {
            let found = ask.await;
            is_of_host = matches!(found, Err(DnsError::NoResources));
            found.map_err(RecordedError::from)
        };
        let found = self
            .external_call(call, || json!([question]), unknown, ask)
            .await?;
        if is_of_host {
            return Err(HostError::Dns.into());
        }
        Ok(found.map_err(dns::DnsError::from))
    }
}

fn texts(addresses: Vec<IpAddr>) -> Vec<String> {
    addresses.iter().map(IpAddr::to_string).collect()
}

/// An error as recordings contain it. A name of a later version counts as `Failed`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RecordedError {
    Invalid,
    NotFound,
    #[serde(other)]
    Failed,
}

impl From<DnsError> for RecordedError {
    fn from(error: DnsError) -> Self {
        match error {
            DnsError::Failed | DnsError::NoResources => Self::Failed,
            DnsError::Invalid => Self::Invalid,
            DnsError::NotFound => Self::NotFound,
        }
    }
}

impl From<RecordedError> for dns::DnsError {
    fn from(error: RecordedError) -> Self {
        match error {
            RecordedError::Failed => Self::Failed,
            RecordedError::Invalid => Self::Invalid,
            RecordedError::NotFound => Self::NotFound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_recorded_by_their_names() {
        let table = [
            (DnsError::Failed, "failed"),
            (DnsError::Invalid, "invalid"),
            (DnsError::NotFound, "not-found"),
        ];
        for (error, name) in table {
            let recorded = json!(RecordedError::from(error));
            assert_eq!(recorded, name);
            let read: RecordedError = serde_json::from_value(recorded).unwrap();
            assert_eq!(json!(read), name);
        }
        let later: RecordedError = serde_json::from_value(json!("refused")).unwrap();
        assert_eq!(json!(later), "failed");
    }
}
