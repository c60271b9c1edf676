//! The interface `session`: the facts of the session and its transaction.

use postgate_proto::data::LineEndings;
use postgate_proto::envelope::Envelope;
use postgate_proto::session::Helo;

use super::state::HostState;
use crate::bindings::host::{session, types};
use crate::context::{ClientCertificate, RemoteHost};
use crate::convert;

impl session::Host for HostState {
    fn id(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.id.clone())
    }

    fn transaction_id(&mut self) -> wasmtime::Result<String> {
        let transaction = self.transaction()?;
        Ok(transaction.map_or_else(String::new, |transaction| transaction.id.clone()))
    }

    fn connected_at(&mut self) -> wasmtime::Result<u32> {
        Ok(self.context()?.session.connected_at)
    }

    fn listener(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.listener.clone())
    }

    fn hostname(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.hostname.clone())
    }

    fn local_ip(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.local.ip().to_string())
    }

    fn local_port(&mut self) -> wasmtime::Result<u16> {
        Ok(self.context()?.session.local.port())
    }

    fn remote_ip(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.remote.ip().to_string())
    }

    fn remote_port(&mut self) -> wasmtime::Result<u16> {
        Ok(self.context()?.session.remote.port())
    }

    fn remote_host(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.remote_name())
    }

    fn remote_host_check(&mut self) -> wasmtime::Result<session::HostCheck> {
        Ok(match self.context()?.session.remote_host {
            RemoteHost::Confirmed(_) => session::HostCheck::Confirmed,
            RemoteHost::Told(_) => session::HostCheck::Told,
            RemoteHost::Unconfirmed => session::HostCheck::Unconfirmed,
            RemoteHost::Unknown => session::HostCheck::Unknown,
        })
    }

    fn helo_name(&mut self) -> wasmtime::Result<String> {
        let introduction = self.view()?.introduction();
        Ok(introduction.map_or_else(String::new, |client| client.name.to_string()))
    }

    fn helo(&mut self) -> wasmtime::Result<session::HeloKind> {
        Ok(
            match self.view()?.introduction().map(|client| client.kind) {
                None => session::HeloKind::None,
                Some(Helo::Ehlo) => session::HeloKind::Ehlo,
                Some(Helo::Helo) => session::HeloKind::Helo,
            },
        )
    }

    fn protocol(&mut self) -> wasmtime::Result<String> {
        let view = self.view()?;
        Ok(view.context.protocol(view.introduction()).into())
    }

    fn proxy(&mut self) -> wasmtime::Result<Option<session::ProxyHeader>> {
        let header = self.context()?.session.proxy.as_ref();
        Ok(header.map(|header| {
            let (source, destination) = header.addresses.unzip();
            session::ProxyHeader {
                version: header.version,
                protocol: header.protocol().to_owned(),
                source_ip: source.map(|address| address.ip().to_string()),
                source_port: source.map_or(0, |address| address.port()),
                destination_ip: destination.map(|address| address.ip().to_string()),
                destination_port: destination.map_or(0, |address| address.port()),
                authority: header.authority.clone(),
                alpn: header
                    .alpn
                    .as_ref()
                    .and_then(|alpn| String::from_utf8(alpn.clone()).ok()),
                tls: header.tls,
            }
        }))
    }

    fn line_endings(&mut self) -> wasmtime::Result<session::LineEndingMode> {
        Ok(match self.context()?.session.line_endings {
            LineEndings::Ensure | LineEndings::EnsureLegacy => session::LineEndingMode::Ensure,
            LineEndings::Leave => session::LineEndingMode::Leave,
            LineEndings::Strict => session::LineEndingMode::Strict,
        })
    }

    fn banner(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.banner().to_owned())
    }

    fn greeting(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.greeting().to_owned())
    }

    fn encrypted(&mut self) -> wasmtime::Result<bool> {
        Ok(self.context()?.tls.is_some())
    }

    fn tls(&mut self) -> wasmtime::Result<Option<session::TlsFacts>> {
        let facts = self.context()?.tls.as_deref();
        Ok(facts.map(|facts| session::TlsFacts {
            since: facts.since,
            version: facts.version.into(),
            cipher: facts.cipher.clone(),
            server_name: facts.server_name.clone(),
            alpn: facts.alpn.clone(),
            client_certificate: facts.client_certificate.as_ref().map(certificate),
        }))
    }

    fn authenticated_as(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.context()?.authenticated_as().map(Into::into))
    }

    fn authentication(&mut self) -> wasmtime::Result<Option<session::AuthenticationFacts>> {
        let facts = self.context()?.authentication.as_ref();
        Ok(facts.map(|facts| session::AuthenticationFacts {
            since: facts.since,
            mechanism: facts.mechanism.into(),
            identity: facts.identity.to_string(),
            acts_as: facts.acts_as.to_string(),
        }))
    }

    fn sender(&mut self) -> wasmtime::Result<Option<String>> {
        let transaction = self.transaction()?;
        Ok(transaction.map(|transaction| transaction.envelope.sender.as_str().into()))
    }

    fn mail_parameters(&mut self) -> wasmtime::Result<Vec<types::Pair>> {
        let transaction = self.transaction()?;
        let parameters =
            transaction.map_or(&[][..], |transaction| &transaction.envelope.parameters.all);
        Ok(convert::parameters(parameters))
    }

    fn recipients(&mut self) -> wasmtime::Result<Vec<String>> {
        let transaction = self.transaction()?;
        let envelopes = transaction
            .into_iter()
            .map(|transaction| &transaction.envelope);
        let paths = envelopes.flat_map(Envelope::paths);
        Ok(paths.map(|path| path.as_str().into()).collect())
    }

    fn recipient_parameters(&mut self, index: u32) -> wasmtime::Result<Vec<types::Pair>> {
        let parameters = self.transaction()?.and_then(|transaction| {
            let recipient = transaction.envelope.recipients.get(index as usize)?;
            Some(convert::parameters(&recipient.parameters))
        });
        Ok(parameters.unwrap_or_default())
    }

    fn error_count(&mut self) -> wasmtime::Result<u32> {
        Ok(self.context()?.errors)
    }

    fn errors(&mut self) -> wasmtime::Result<Vec<session::ClientError>> {
        let faults = self.context()?.faults.iter();
        Ok(faults
            .map(|error| session::ClientError {
                at: error.at,
                fault: error.fault.into(),
            })
            .collect())
    }

    fn tags(&mut self) -> wasmtime::Result<Vec<types::Pair>> {
        let tags = self.context()?.tags.iter();
        Ok(tags
            .map(|(name, value)| types::Pair {
                name: name.clone(),
                value: value.clone(),
            })
            .collect())
    }
}

fn certificate(certificate: &ClientCertificate) -> session::ClientCertificate {
    session::ClientCertificate {
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        names: certificate.names.clone(),
        fingerprint: certificate.fingerprint.clone(),
        verified: certificate.verified,
    }
}
