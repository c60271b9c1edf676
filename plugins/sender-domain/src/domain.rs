//! Looks up in the Domain Name System whether a domain accepts mail.

use postgate_plugin::dns::{self, Error, MailExchanger};

/// Whether a domain can receive mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// There is a host that may accept it.
    Exists,
    /// There is neither a mail exchanger nor an address.
    Missing,
    /// The domain declares that it accepts no mail (RFC 7505).
    Null,
    /// The query failed.
    Unknown,
}

/// Looks a domain up as a sending server does: its mail exchangers, or its addresses if there are
/// none (RFC 5321 §5.1).
pub(crate) fn route(domain: &str) -> Route {
    match dns::mx(domain) {
        Ok(exchangers) if is_null(&exchangers) => Route::Null,
        Ok(_) => Route::Exists,
        Err(Error::NotFound) => by_address(domain),
        Err(Error::Invalid) => Route::Missing,
        Err(Error::Failed) => Route::Unknown,
    }
}

/// True if the domain declares that it accepts no mail.
pub(crate) fn takes_no_mail(domain: &str) -> bool {
    dns::mx(domain).is_ok_and(|exchangers| is_null(&exchangers))
}

/// One address is enough, even if the query for the other kind fails.
fn by_address(domain: &str) -> Route {
    let answers = [dns::ipv4(domain).map(drop), dns::ipv6(domain).map(drop)];
    if answers.contains(&Ok(())) {
        Route::Exists
    } else if answers.contains(&Err(Error::Failed)) {
        Route::Unknown
    } else {
        Route::Missing
    }
}

/// A null MX must be the only record (RFC 7505 §3). Together with others it is a mistake, and
/// ignored.
fn is_null(exchangers: &[MailExchanger]) -> bool {
    matches!(exchangers, [only] if only.exchange.is_empty())
}
