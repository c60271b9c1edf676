//! What the Domain Name System says about mail for a domain.

use postgate_plugin::dns::{self, Error, MailExchanger};

/// What becomes of mail for a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// There is a host that may take it.
    Exists,
    /// There is neither a mail exchanger nor an address.
    Missing,
    /// The domain says that it takes none (RFC 7505).
    Null,
    /// The question failed.
    Unknown,
}

/// Looks a domain up as a sender of mail does: its mail exchangers, and where it has none, its
/// addresses (RFC 5321 §5.1).
pub(crate) fn route(domain: &str) -> Route {
    match dns::mx(domain) {
        Ok(exchangers) if is_null(&exchangers) => Route::Null,
        Ok(_) => Route::Exists,
        Err(Error::NotFound) => by_address(domain),
        Err(Error::Invalid) => Route::Missing,
        Err(Error::Failed) => Route::Unknown,
    }
}

/// Whether the domain says that it takes no mail.
pub(crate) fn takes_no_mail(domain: &str) -> bool {
    dns::mx(domain).is_ok_and(|exchangers| is_null(&exchangers))
}

/// One address is enough, even where the question for the other kind fails.
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

/// A null MX stands alone (RFC 7505 §3); beside others it is a mistake that says nothing.
fn is_null(exchangers: &[MailExchanger]) -> bool {
    matches!(exchangers, [only] if only.exchange.is_empty())
}
