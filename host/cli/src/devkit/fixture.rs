//! The client and the configuration of a session of the harness.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use postgate::clock;
use postgate_config::{Config, Overrides};
use postgate_dialog::Certificate;
use postgate_runtime::context::{ClientCertificate, TlsFacts};
use toml::Table;

use super::error::HarnessError;

/// The client of a session.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address.
    pub ip: IpAddr,
    /// The host name by reverse DNS; `None` if it is unknown.
    pub host: Option<String>,
    /// The identity as which the client is authenticated when the session begins.
    pub authenticated_as: Option<String>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            // An address for documentation (RFC 5737).
            ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            host: None,
            authenticated_as: None,
        }
    }
}

/// Returns the facts of a simulated handshake.
pub(super) fn tls_facts(certificate: Certificate) -> TlsFacts {
    let name = "client.example".to_owned();
    let client_certificate = || ClientCertificate {
        subject: format!("CN={name}"),
        issuer: "CN=nobody but this test".to_owned(),
        names: vec![name.clone()],
        fingerprint: "0".repeat(64),
        verified: true,
    };
    TlsFacts {
        since: clock::unix_time(),
        version: "TLSv1.3",
        cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
        server_name: None,
        alpn: None,
        client_certificate: (certificate == Certificate::Client).then(client_certificate),
        is_resumed: false,
    }
}

/// Removes the table `client` from the settings, since it is no part of the configuration of a gateway.
pub(super) fn client_of(settings: &mut Table) -> Result<Client, HarnessError> {
    let mut client = Client::default();
    let Some(table) = settings.remove("client") else {
        return Ok(client);
    };
    let invalid = |key: &str| HarnessError::Client(key.to_owned());
    let table = table.as_table().ok_or_else(|| invalid("*"))?;
    for (key, value) in table {
        let text = value.as_str().ok_or_else(|| invalid(key))?;
        match key.as_str() {
            "ip" => client.ip = text.parse().map_err(|_| invalid(key))?,
            "host" => client.host = Some(text.to_owned()),
            "authenticated-as" => client.authenticated_as = Some(text.to_owned()),
            _ => return Err(invalid(key)),
        }
    }
    Ok(client)
}

/// Merges the settings of a dialog into [`BASE`], and returns the configuration.
pub(super) fn config_of(mut settings: Table) -> Result<Config, HarnessError> {
    // A dialog may name the plugin that it is for, which is the one under test.
    settings.remove("plugin");
    let mut base: Table = BASE.parse()?;
    if let Some(listener) = settings.remove("listener") {
        let all = base.get_mut("listener").and_then(|all| all.get_mut(0));
        if let (Some(toml::Value::Table(into)), toml::Value::Table(from)) = (all, listener) {
            merge(into, from);
        }
    }
    merge(&mut base, settings);
    let file = Path::new("settings of the dialog");
    Config::parse(&base.to_string(), file, &Overrides::default()).map_err(HarnessError::Config)
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The configuration to which the settings of a dialog are added.
const BASE: &str = r#"
hostname = "mx.example.org"

[[listener]]
name = "mx"
address = "127.0.0.1:2525"
auth = "optional"
auth-in-clear = true

[relay]
domains = ["example.org"]
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_merged_and_the_client_is_removed() {
        let mut settings: Table = "client.ip = \"2001:db8::1\"\nlimits.recipients = 3\n\
             listener.banner = \"hello\""
            .parse()
            .unwrap();
        let client = client_of(&mut settings).unwrap();
        assert_eq!(client.ip.to_string(), "2001:db8::1");
        let config = config_of(settings).unwrap();
        assert_eq!(config.listeners[0].banner, "hello");
        assert_eq!(config.listeners[0].limits.recipients, 3);
    }

    #[test]
    fn errors_in_settings_name_the_key() {
        for (text, key) in [
            ("client.ip = \"nowhere\"", "client.ip"),
            ("client.colour = \"red\"", "client.colour"),
            ("limits.recipient = 3", "limits.recipient"),
        ] {
            let mut settings: Table = text.parse().unwrap();
            let error = client_of(&mut settings)
                .and_then(|_| config_of(settings))
                .unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }
}
