//! Logs what a proxy says about the client, and makes of it the client that its configuration
//! names.

use std::net::{IpAddr, Ipv4Addr};

use postgate_plugin::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    client_ip: Option<IpAddr>,
    client_host: Option<String>,
}

struct Proxied {
    config: Config,
}

impl Plugin for Proxied {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { config })
    }
}

impl OnProxy for Proxied {
    /// The source `192.0.2.66` is refused.
    fn on_proxy(&mut self) -> ProxyAnswer {
        let Some(header) = session::proxy() else {
            log::error("no header at on-proxy");
            return ProxyAnswer::next();
        };
        log::info(format!("proxy {header:?}"));
        if header.source_ip == Some(IpAddr::V4(REFUSED)) {
            let refusal = Refusal::new(554, "5.7.1", "not from there");
            return ProxyAnswer::refuse(refusal.because("source 192.0.2.66"));
        }
        let mut answer = ProxyAnswer::next();
        if let Some(address) = self.config.client_ip {
            answer = answer.set_client_ip(address);
        }
        if let Some(name) = &self.config.client_host {
            answer = answer.set_client_host(name);
        }
        answer
    }
}

impl OnConnect for Proxied {
    fn on_connect(&mut self) -> ConnectAnswer {
        let address = session::remote_ip().map_or_else(|| "-".into(), |ip| ip.to_string());
        let (name, check) = (session::remote_host(), session::remote_host_check());
        log::info(format!("connect {address} {name} {check:?}"));
        ConnectAnswer::next()
    }
}

postgate_plugin::export!(Proxied: OnProxy, OnConnect);

const REFUSED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
