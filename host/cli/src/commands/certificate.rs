//! `postgate certificate`: what clients are shown.

use std::fmt;
use std::path::PathBuf;

use postgate::control::{self, ControlError, Request, Response};
use postgate::tls::{CertificateListing, CertificateStore};

use super::{Failure, RunningGateway};

pub(super) fn run(gateway: &RunningGateway, pem: bool) -> Result<(), Failure> {
    let (listing, origin) = match gateway.socket_if_any()? {
        None => (of_files(gateway)?, Origin::Files),
        Some(socket) => match control::ask(&socket, Request::Certificates) {
            Ok(Response::Certificates(listing)) => (listing, Origin::Gateway),
            Ok(_) => return Err(gateway.unexpected()),
            Err(ControlError::NoGateway { .. }) if !gateway.names_socket() => {
                (of_files(gateway)?, Origin::Nobody(socket))
            }
            Err(error) => return Err(Failure::run_time(error)),
        },
    };
    let is_shown = matches!(origin, Origin::Gateway);
    let mut certificates = listing.certificates.iter();
    if !pem {
        return super::say(Report { listing, origin });
    }
    if !is_shown && certificates.any(|certificate| certificate.is_self_signed) {
        return Err(Failure::run_time(format!("{origin}: {MADE_ANEW}")));
    }
    let pem = listing.certificates.into_iter();
    super::say(pem.map(|certificate| certificate.pem).collect::<String>())
}

fn of_files(gateway: &RunningGateway) -> Result<CertificateListing, Failure> {
    let store = CertificateStore::load(&gateway.config()?).map_err(Failure::mistakes)?;
    Ok(store.listing())
}

struct Report {
    listing: CertificateListing,
    origin: Origin,
}

/// Who says what is shown.
enum Origin {
    /// The files: no gateway can be asked.
    Files,
    /// The gateway that runs.
    Gateway,
    /// The files: no gateway listens on this socket.
    Nobody(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files => f.write_str(
                "read from the files: without control.socket, no running gateway can be asked",
            ),
            Self::Gateway => f.write_str("shown by the running gateway"),
            Self::Nobody(socket) => write!(
                f,
                "read from the files: no gateway listens on {}",
                socket.display()
            ),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listing, origin } = self;
        for certificate in &listing.certificates {
            writeln!(f, "certificate {}", certificate.name)?;
            writeln!(f, "  subject      {}", certificate.subject)?;
            writeln!(f, "  issuer       {}", certificate.issuer)?;
            writeln!(f, "  names        {}", certificate.names.join(" "))?;
            writeln!(f, "  fingerprint  {}", certificate.fingerprint)?;
            writeln!(
                f,
                "  valid        {} to {}",
                certificate.not_before, certificate.not_after
            )?;
            match (certificate.is_self_signed, origin) {
                (false, _) => {}
                (true, Origin::Gateway) => writeln!(f, "  for tests only")?,
                (true, Origin::Files | Origin::Nobody(_)) => writeln!(f, "  {MADE_ANEW}")?,
            }
        }
        for shown in &listing.listeners {
            let names = match &shown.certificates {
                None => "no TLS".to_owned(),
                Some(names) => names.join(" "),
            };
            writeln!(f, "listener {}: {names}", shown.listener)?;
        }
        writeln!(f, "{origin}")
    }
}

const MADE_ANEW: &str = "the certificate for tests is made anew at each start: ask the gateway that runs, over control.socket";
