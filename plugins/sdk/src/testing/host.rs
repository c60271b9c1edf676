//! The functions of the host, with the names and types that the bindings have.

pub(crate) mod session {
    use crate::bindings::imports::postgate::plugin::session::ProxyHeader;
    use crate::bindings::imports::postgate::plugin::types::Pair;
    use crate::session::{HeloKind, LineEndingMode};
    use crate::testing::{Session, WORLD};

    pub(crate) fn id() -> String {
        "session-1".into()
    }

    pub(crate) fn transaction_id() -> String {
        let transaction = session(|session| session.sender.clone());
        transaction.map_or_else(String::new, |_| "transaction-1".into())
    }

    pub(crate) fn connected_at() -> u32 {
        1_700_000_000
    }

    pub(crate) fn listener() -> String {
        session(|session| session.listener.clone())
    }

    pub(crate) fn hostname() -> String {
        "mx.example.org".into()
    }

    pub(crate) fn local_ip() -> String {
        "192.0.2.25".into()
    }

    pub(crate) fn local_port() -> u16 {
        25
    }

    pub(crate) fn remote_ip() -> String {
        session(|session| session.remote_ip.clone())
    }

    pub(crate) fn remote_port() -> u16 {
        40_000
    }

    pub(crate) fn remote_host() -> String {
        session(|session| session.remote_host.clone())
    }

    pub(crate) fn helo_name() -> String {
        session(|session| session.helo_name.clone())
    }

    pub(crate) fn helo() -> HeloKind {
        session(|session| session.helo)
    }

    pub(crate) fn protocol() -> String {
        session(|session| {
            let extended = if session.helo == HeloKind::Ehlo {
                "E"
            } else {
                ""
            };
            let encrypted = if session.encrypted { "S" } else { "" };
            let authenticated = session.authenticated_as.as_ref().map_or("", |_| "A");
            format!("{extended}SMTP{encrypted}{authenticated}")
        })
    }

    pub(crate) fn proxy() -> Option<ProxyHeader> {
        session(|session| {
            let proxy = session.proxy.clone()?;
            Some(ProxyHeader {
                version: proxy.version,
                source_ip: proxy.source_ip.map(|ip| ip.to_string()),
                source_port: proxy.source_port,
                destination_ip: proxy.destination_ip.map(|ip| ip.to_string()),
                destination_port: proxy.destination_port,
                authority: proxy.authority,
                tls: proxy.tls,
            })
        })
    }

    pub(crate) fn line_endings() -> LineEndingMode {
        session(|session| session.line_endings)
    }

    pub(crate) fn encrypted() -> bool {
        session(|session| session.encrypted)
    }

    pub(crate) fn authenticated_as() -> Option<String> {
        session(|session| session.authenticated_as.clone())
    }

    pub(crate) fn sender() -> Option<String> {
        session(|session| session.sender.clone())
    }

    pub(crate) fn mail_parameters() -> Vec<Pair> {
        session(|session| session.mail_parameters.clone())
    }

    pub(crate) fn recipients() -> Vec<String> {
        session(|session| session.recipients.clone())
    }

    pub(crate) fn error_count() -> u32 {
        session(|session| session.error_count)
    }

    pub(crate) fn tags() -> Vec<Pair> {
        session(|session| session.tags.clone())
    }

    fn session<R>(read: impl FnOnce(&Session) -> R) -> R {
        WORLD.with_borrow(|world| read(&world.session))
    }
}

pub(crate) mod message {
    use crate::message::{Header, MAX_READ, Part};
    use crate::testing::{Message, WORLD};

    /// An installed message is complete; it always has a part.
    pub(crate) fn started_at() -> u32 {
        message(|message| {
            if message.parts.is_empty() {
                0
            } else {
                1_700_000_060
            }
        })
    }

    pub(crate) fn completed_at() -> u32 {
        message(|message| {
            if message.parts.is_empty() {
                0
            } else {
                1_700_000_061
            }
        })
    }

    pub(crate) fn headers_complete() -> bool {
        message(|message| !message.parts.is_empty())
    }

    pub(crate) fn size() -> u32 {
        message(|message| {
            let fields = message.headers.iter();
            let block: usize = fields
                .map(|field| field.name.len() + field.value.len() + 3)
                .sum();
            length(block + 2 + message.body.len())
        })
    }

    pub(crate) fn header_count() -> u32 {
        message(|message| length(message.headers.len()))
    }

    pub(crate) fn header_at(index: u32) -> Option<Header> {
        message(|message| message.headers.get(index as usize).cloned())
    }

    pub(crate) fn headers_named(name: &str) -> Vec<Header> {
        message(|message| {
            let fields = message.headers.iter();
            let named = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
            named.cloned().collect()
        })
    }

    pub(crate) fn header_text(name: &str) -> Option<String> {
        let first = headers_named(name).into_iter().next()?;
        let text = String::from_utf8(first.value).ok()?;
        Some(text.replace("\r\n", "").trim().into())
    }

    pub(crate) fn body_size() -> u32 {
        message(|message| length(message.body.len()))
    }

    pub(crate) fn read_body(offset: u32, length: u32) -> Vec<u8> {
        message(|message| cut(&message.body, offset, length))
    }

    pub(crate) fn part_count() -> u32 {
        message(|message| length(message.parts.len()))
    }

    pub(crate) fn part_at(index: u32) -> Option<Part> {
        message(|message| {
            let part = message.parts.get(index as usize)?;
            Some(Part {
                parent: 0,
                content_type: part.content_type.clone(),
                filename: part.filename.clone(),
                disposition: part.disposition.clone(),
                size: length(part.content.len()),
                container: part.container,
            })
        })
    }

    pub(crate) fn read_part(index: u32, offset: u32, length: u32) -> Vec<u8> {
        message(|message| match message.parts.get(index as usize) {
            Some(part) => cut(&part.content, offset, length),
            None => Vec::new(),
        })
    }

    fn message<R>(read: impl FnOnce(&Message) -> R) -> R {
        WORLD.with_borrow(|world| read(&world.message))
    }

    fn cut(bytes: &[u8], offset: u32, length: u32) -> Vec<u8> {
        let skip = offset as usize;
        let take = length.min(MAX_READ) as usize;
        bytes.iter().skip(skip).take(take).copied().collect()
    }

    fn length(length: usize) -> u32 {
        u32::try_from(length).unwrap_or(u32::MAX)
    }
}

pub(crate) mod log {
    pub(crate) use crate::testing::Level;

    use crate::testing::WORLD;

    pub(crate) fn write(level: Level, text: &str) {
        WORLD.with_borrow_mut(|world| world.log.push((level, text.into())));
    }
}

pub(crate) mod config {
    use crate::testing::WORLD;

    pub(crate) fn json() -> String {
        WORLD.with_borrow(|world| match world.config.as_str() {
            "" => "{}".into(),
            json => json.into(),
        })
    }

    pub(crate) fn get(path: &str) -> Option<String> {
        let pointer = format!("/{}", path.replace('.', "/"));
        let table: serde_json::Value = serde_json::from_str(&json()).ok()?;
        match table.pointer(&pointer)? {
            serde_json::Value::String(text) => Some(text.clone()),
            value => Some(value.to_string()),
        }
    }
}

pub(crate) mod store {
    use crate::bindings::imports::postgate::plugin::store::StoreError;
    use crate::testing::WORLD;

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        WORLD.with_borrow(|world| world.store.get(key).cloned())
    }

    pub(crate) fn set(key: &str, value: &[u8]) -> Result<(), StoreError> {
        WORLD.with_borrow_mut(|world| {
            let others = world.store.iter().filter(|(other, _)| *other != key);
            let (count, size) = others.fold((0, 0), |(count, size), (_, value)| {
                (count + 1, size + value.len())
            });
            if count >= 256 || key.len() > 256 || size + value.len() > 65_536 {
                return Err(StoreError::Full);
            }
            world.store.insert(key.into(), value.into());
            Ok(())
        })
    }

    pub(crate) fn remove(key: &str) {
        WORLD.with_borrow_mut(|world| world.store.remove(key));
    }
}

pub(crate) mod dns {
    use std::net::IpAddr;

    use crate::bindings::imports::postgate::plugin::dns::{DnsError, MailExchanger};
    use crate::testing::{Dns, WORLD};

    pub(crate) fn ipv4(name: &str) -> Result<Vec<String>, DnsError> {
        addresses(name, IpAddr::is_ipv4)
    }

    pub(crate) fn ipv6(name: &str) -> Result<Vec<String>, DnsError> {
        addresses(name, IpAddr::is_ipv6)
    }

    pub(crate) fn mx(name: &str) -> Result<Vec<MailExchanger>, DnsError> {
        dns(|dns| dns.exchangers_of(name))
    }

    pub(crate) fn txt(name: &str) -> Result<Vec<String>, DnsError> {
        dns(|dns| dns.texts_of(name))
    }

    pub(crate) fn ptr(ip: &str) -> Result<Vec<String>, DnsError> {
        dns(|dns| dns.names_of(ip))
    }

    fn addresses(name: &str, wanted: fn(&IpAddr) -> bool) -> Result<Vec<String>, DnsError> {
        let mut found = dns(|dns| dns.addresses_of(name))?;
        found.retain(wanted);
        match found.is_empty() {
            true => Err(DnsError::NotFound),
            false => Ok(found.iter().map(IpAddr::to_string).collect()),
        }
    }

    fn dns<R>(read: impl FnOnce(&Dns) -> R) -> R {
        WORLD.with_borrow(|world| read(&world.dns))
    }
}
