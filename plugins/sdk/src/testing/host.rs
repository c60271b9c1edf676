//! The functions of the host, with the names and types that the bindings have.

pub(crate) mod message;
pub(crate) mod session;

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

pub(crate) mod clock {
    use crate::bindings::imports::postgate::plugin::clock::Instant;

    pub(crate) const fn now() -> Instant {
        Instant {
            seconds: 1_700_000_000,
            nanoseconds: 0,
        }
    }
}

pub(crate) mod random {
    /// The same octets each time, so that a test can predict the result.
    pub(crate) fn octets(length: u32) -> Vec<u8> {
        (0..=u8::MAX)
            .cycle()
            .take(length.min(4_096) as usize)
            .collect()
    }
}

pub(crate) mod files {
    use crate::bindings::imports::postgate::plugin::files::FileError;
    use crate::testing::WORLD;

    pub(crate) fn size(name: &str) -> Result<u32, FileError> {
        content(name, |content| {
            u32::try_from(content.len()).unwrap_or(u32::MAX)
        })
    }

    pub(crate) fn read(name: &str, offset: u32, length: u32) -> Result<Vec<u8>, FileError> {
        let (skip, take) = (offset as usize, length.min(262_144) as usize);
        content(name, |content| {
            content.iter().skip(skip).take(take).copied().collect()
        })
    }

    pub(crate) fn find_line(name: &str, prefix: &[u8]) -> Result<Option<Vec<u8>>, FileError> {
        content(name, |content| {
            let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
            let mut lines = content.split(|octet| *octet == b'\n');
            let line = lines.find(|line| line.starts_with(prefix))?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            (line.len() <= 65_536).then(|| line.to_vec())
        })
    }

    fn content<R>(name: &str, read: impl FnOnce(&[u8]) -> R) -> Result<R, FileError> {
        WORLD.with_borrow(|world| {
            let content = world.files.get(name).ok_or(FileError::NotListed)?;
            Ok(read(content))
        })
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
