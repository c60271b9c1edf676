//! `postgate certificate`: what clients would be shown.

use std::fmt;

use postgate::config::{Config, TlsMode};
use postgate::tls::{Certificate, Store};

use super::{Failure, Source};

pub(super) fn run(source: &Source, pem: bool) -> Result<(), Failure> {
    let config = source.load()?;
    let store = Store::load(&config).map_err(Failure::mistakes)?;
    match pem {
        true => super::say(store.all().iter().map(Certificate::pem).collect::<String>()),
        false => super::say(Report(&config, &store)),
    }
}

struct Report<'a>(&'a Config, &'a Store);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(config, store) = self;
        for certificate in store.all() {
            let Certificate { name, facts, .. } = &certificate;
            writeln!(f, "certificate {name}")?;
            writeln!(f, "  subject      {}", facts.subject)?;
            writeln!(f, "  issuer       {}", facts.issuer)?;
            writeln!(f, "  names        {}", facts.names.join(" "))?;
            writeln!(f, "  fingerprint  {}", facts.fingerprint)?;
            writeln!(
                f,
                "  valid        {} to {}",
                facts.not_before, facts.not_after
            )?;
            if certificate.is_self_signed {
                writeln!(f, "  for tests only, and made anew at each start")?;
            }
        }
        for (index, listener) in config.listeners.iter().enumerate() {
            let shown = store.shown_at(index);
            let names: Vec<_> = shown.iter().map(|shown| shown.name.as_str()).collect();
            let names = match listener.tls {
                TlsMode::Off => "no TLS".to_owned(),
                _ => names.join(" "),
            };
            writeln!(f, "listener {}: {names}", listener.name)?;
        }
        Ok(())
    }
}
