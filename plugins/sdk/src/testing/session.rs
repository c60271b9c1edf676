//! A session that a test defines.

use std::collections::BTreeMap;

use super::WORLD;
use crate::bindings::imports::postgate::plugin::types::Pair;
use crate::session::{
    AuthenticationFacts, ClientError, HeloKind, HostCheck, LineEndingMode, Proxy, TlsFacts,
};

/// A builder for a session, which begins with a client that has only connected.
#[derive(Clone, Debug)]
#[must_use]
pub struct Session {
    pub(super) listener: String,
    pub(super) remote_ip: String,
    pub(super) remote_host: String,
    pub(super) remote_host_check: HostCheck,
    pub(super) helo: HeloKind,
    pub(super) helo_name: String,
    pub(super) proxy: Option<Proxy>,
    pub(super) line_endings: LineEndingMode,
    pub(super) encrypted: bool,
    pub(super) tls: Option<TlsFacts>,
    pub(super) authenticated_as: Option<String>,
    pub(super) authentication: Option<AuthenticationFacts>,
    pub(super) sender: Option<String>,
    pub(super) mail_parameters: Vec<Pair>,
    pub(super) recipients: Vec<String>,
    pub(super) recipient_parameters: BTreeMap<u32, Vec<Pair>>,
    pub(super) error_count: u32,
    pub(super) errors: Vec<ClientError>,
    pub(super) tags: Vec<Pair>,
}

impl Session {
    /// A client at `192.0.2.1` has connected to `mx.example.org`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name of the listener.
    pub fn listener(mut self, name: &str) -> Self {
        self.listener = name.into();
        self
    }

    /// The client's address; empty for a Unix socket.
    pub fn remote_ip(mut self, address: &str) -> Self {
        self.remote_ip = address.into();
        self
    }

    /// The client's name from reverse DNS, confirmed.
    pub fn remote_host(mut self, name: &str) -> Self {
        self.remote_host = name.into();
        self
    }

    /// How trustworthy the client's name is.
    pub fn remote_host_check(mut self, check: HostCheck) -> Self {
        self.remote_host_check = check;
        self
    }

    /// The name that the client gave with EHLO.
    pub fn ehlo(mut self, name: &str) -> Self {
        self.helo = HeloKind::Ehlo;
        self.helo_name = name.into();
        self
    }

    /// A proxy has said who the client is.
    pub fn proxy(mut self, header: Proxy) -> Self {
        self.proxy = Some(header);
        self
    }

    /// What the listener does with line endings that are not CRLF.
    pub fn line_endings(mut self, mode: LineEndingMode) -> Self {
        self.line_endings = mode;
        self
    }

    /// The session is encrypted.
    pub fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self
    }

    /// The session is encrypted in this way.
    pub fn tls(mut self, facts: TlsFacts) -> Self {
        self.tls = Some(facts);
        self
    }

    /// The client has authenticated in this way.
    pub fn authentication(mut self, facts: AuthenticationFacts) -> Self {
        self.authenticated_as = Some(facts.acts_as.clone());
        self.authentication = Some(facts);
        self
    }

    /// The client has authenticated.
    pub fn authenticated_as(mut self, identity: &str) -> Self {
        self.authenticated_as = Some(identity.into());
        self
    }

    /// The client has begun a transaction; an empty text is the null reverse-path.
    pub fn sender(mut self, sender: &str) -> Self {
        self.sender = Some(sender.into());
        self
    }

    /// Adds an ESMTP parameter of MAIL; the name is in capitals.
    pub fn mail_parameter(mut self, name: &str, value: &str) -> Self {
        self.mail_parameters.push(Pair {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Adds an accepted recipient.
    pub fn recipient(mut self, recipient: &str) -> Self {
        self.recipients.push(recipient.into());
        self
    }

    /// Adds an ESMTP parameter of the latest recipient; the name is in capitals.
    pub fn recipient_parameter(mut self, name: &str, value: &str) -> Self {
        // A test has a handful of recipients.
        let latest = self.recipients.len().saturating_sub(1) as u32;
        let parameters = self.recipient_parameters.entry(latest).or_default();
        parameters.push(Pair {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Adds a command that was refused because of an error of the client, by the name of the fault.
    pub fn error(mut self, fault: &str) -> Self {
        self.error_count += 1;
        self.errors.push(ClientError {
            at: 1_700_000_000,
            fault: fault.into(),
        });
        self
    }

    /// How many commands were refused because of errors of the client.
    pub fn error_count(mut self, count: u32) -> Self {
        self.error_count = count;
        self
    }

    /// Adds a tag of another plugin.
    pub fn tag(mut self, name: &str, value: &str) -> Self {
        self.tags.push(Pair {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Installs this as the session of the current thread, without a message, and with an empty log
    /// and store.
    pub fn install(self) {
        WORLD.with_borrow_mut(|world| {
            *world = super::World {
                config: std::mem::take(&mut world.config),
                dns: std::mem::take(&mut world.dns),
                session: self,
                ..Default::default()
            };
        });
    }

    /// Replaces the session of the current thread and keeps everything else: the session goes on.
    pub fn update(self) {
        WORLD.with_borrow_mut(|world| world.session = self);
    }
}

impl Default for Session {
    fn default() -> Self {
        Self {
            listener: "mx".into(),
            remote_ip: "192.0.2.1".into(),
            remote_host: "client.example.net".into(),
            remote_host_check: HostCheck::Confirmed,
            helo: HeloKind::None,
            helo_name: String::new(),
            proxy: None,
            line_endings: LineEndingMode::Strict,
            encrypted: false,
            tls: None,
            authenticated_as: None,
            authentication: None,
            sender: None,
            mail_parameters: Vec::new(),
            recipients: Vec::new(),
            recipient_parameters: BTreeMap::new(),
            error_count: 0,
            errors: Vec::new(),
            tags: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::session;

    #[test]
    fn what_a_proxy_said_comes_back() {
        let header = Proxy {
            version: 2,
            protocol: "TCP4".into(),
            source_ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            source_port: 40_000,
            destination_ip: None,
            destination_port: 0,
            authority: Some("mx.example.org".into()),
            alpn: None,
            tls: true,
        };
        Session::new().install();
        assert_eq!(session::proxy(), None);
        Session::new().proxy(header.clone()).install();
        assert_eq!(session::proxy(), Some(header));
        assert_eq!(session::remote_host_check(), HostCheck::Confirmed);
    }
}
