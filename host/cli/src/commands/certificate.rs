//! `postgate certificate`: prints the certificates in use.

use std::fmt;
use std::path::PathBuf;

use postgate::control::{self, ControlError, Request, Response};
use postgate::tls::{CertificateListing, CertificateStore};

use super::failure::Failure;
use super::output::print;
use super::running_gateway::RunningGateway;

pub(super) fn run(gateway: &RunningGateway, pem: bool) -> Result<(), Failure> {
    let (listing, origin) = match gateway.socket_if_any()? {
        None => (of_files(gateway)?, Origin::Files),
        Some(socket) => match control::ask(&socket, Request::Certificates) {
            Ok(Response::Certificates(listing)) => (listing, Origin::Gateway),
            Ok(_) => return Err(gateway.unexpected_response()),
            Err(ControlError::NoGateway { .. }) if !gateway.names_socket() => {
                (of_files(gateway)?, Origin::NotRunning(socket))
            }
            Err(error) => return Err(Failure::runtime(error)),
        },
    };
    let is_from_gateway = matches!(origin, Origin::Gateway);
    let mut certificates = listing.certificates.iter();
    if !pem {
        return print(CertificateReport { listing, origin });
    }
    if !is_from_gateway && certificates.any(|certificate| certificate.is_self_signed) {
        return Err(Failure::runtime(format!("{origin}: {GENERATED_AT_START}")));
    }
    let pem = listing.certificates.into_iter();
    print(pem.map(|certificate| certificate.pem).collect::<String>())
}

fn of_files(gateway: &RunningGateway) -> Result<CertificateListing, Failure> {
    let store = CertificateStore::load(&gateway.config()?).map_err(Failure::input)?;
    Ok(store.listing())
}

struct CertificateReport {
    listing: CertificateListing,
    origin: Origin,
}

/// The origin of a listing.
enum Origin {
    /// The files, since no control socket is configured.
    Files,
    /// The running gateway.
    Gateway,
    /// The files, since no gateway listens on this socket.
    NotRunning(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files => f.write_str(
                "read from the files: without control.socket, no running gateway can be asked",
            ),
            Self::Gateway => f.write_str("shown by the running gateway"),
            Self::NotRunning(socket) => write!(
                f,
                "read from the files: no gateway listens on {}",
                socket.display()
            ),
        }
    }
}

impl fmt::Display for CertificateReport {
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
                (true, Origin::Files | Origin::NotRunning(_)) => {
                    writeln!(f, "  {GENERATED_AT_START}")?;
                }
            }
        }
        for listener in &listing.listeners {
            let names = match &listener.certificates {
                None => "no TLS".to_owned(),
                Some(names) => names.join(" "),
            };
            writeln!(f, "listener {}: {names}", listener.listener)?;
        }
        writeln!(f, "{origin}")
    }
}

const GENERATED_AT_START: &str = "the certificate for tests is made anew at each start: ask the gateway that runs, over control.socket";
