//! Reads the backend.

use std::net::IpAddr;
use std::time::Duration;

use postgate_proto::client::Extension;

use crate::address::{BackendAddress, HostPort};
use crate::backend::{
    Backend, BackendCertificate, BackendLogin, BackendTls, BackendTrust, CertificateName,
    TlsChoice, TlsVersion,
};
use crate::document::Section;
use crate::value::Name;

/// Reads the only backend. Returns `None` if there is none, or after a mistake.
pub(super) fn only(root: &mut Section<'_>) -> Option<Backend> {
    let mut only = None;
    let mut count = 0;
    root.each_table("backend", |section| {
        only = backend(section);
        count += 1;
        if count > 1 {
            section.conflict("address", "there can be only one backend".to_owned());
        }
    });
    if count == 0 && root.is_overridden("backend.address") {
        only = root.absent_table("backend", backend);
    }
    only
}

fn backend(section: &mut Section<'_>) -> Option<Backend> {
    let name = section.value_or("name", Name("backend".to_owned())).0;
    let address = section.required("address", r#"write one such as "lmtp://127.0.0.1:24""#);
    let unused_extensions = section.table("extensions", unused_extensions);
    let tls = tls(section, address.as_ref());
    let login = login(section, address.as_ref(), tls.is_some());
    let connect_timeout = section.timeout("connect-timeout", Duration::from_secs(10));
    let command_timeout = section.timeout("command-timeout", Duration::from_mins(1));
    let data_timeout = section.timeout("data-timeout", Duration::from_mins(5));
    let max_idle = section.value_or("max-idle", 16);
    let idle_timeout = section.timeout("idle-timeout", Duration::from_secs(30));
    let address = match address? {
        BackendAddress::Maildir(path) => BackendAddress::Maildir(section.resolve("address", &path)),
        elsewhere => elsewhere,
    };
    Some(Backend {
        name,
        address,
        unused_extensions,
        tls,
        login,
        connect_timeout,
        command_timeout,
        data_timeout,
        max_idle,
        idle_timeout,
    })
}

/// The extensions that are switched off.
fn unused_extensions(section: &mut Section<'_>) -> Vec<Extension> {
    let chunking = section.value_or("chunking", true);
    let binarymime: Option<bool> = section.value("binarymime");
    if binarymime == Some(true) && !chunking {
        let text = "needs `chunking = true`, since such messages are sent with BDAT only";
        section.conflict("binarymime", text.to_owned());
    }
    let switches = [
        (Extension::BinaryMime, binarymime.unwrap_or(chunking)),
        (Extension::Chunking, chunking),
        (Extension::Dsn, section.value_or("dsn", true)),
        (
            Extension::EightBitMime,
            section.value_or("eight-bit-mime", true),
        ),
        (Extension::Pipelining, section.value_or("pipelining", true)),
        (Extension::RequireTls, section.value_or("requiretls", true)),
        (Extension::Size, section.value_or("size", true)),
        (Extension::SmtpUtf8, section.value_or("smtputf8", true)),
    ];
    let off = switches.into_iter().filter(|(_, is_on)| !is_on);
    off.map(|(extension, _)| extension).collect()
}

fn tls(section: &mut Section<'_>, address: Option<&BackendAddress>) -> Option<BackendTls> {
    let choice = section.value_or("tls", TlsChoice::Off);
    let name = section.value("tls-name").map(|CertificateName(name)| name);
    let minimum = section.value_or("tls-minimum", TlsVersion::default());
    let trust = trust(section);
    let certificate = certificate(section);
    let start = match choice {
        TlsChoice::Off => {
            needs_tls(section, minimum);
            return None;
        }
        TlsChoice::On(start) => start,
    };
    let host = match address? {
        BackendAddress::Lmtp(HostPort { host, .. })
        | BackendAddress::Smtp(HostPort { host, .. }) => host.clone(),
        BackendAddress::LmtpUnix(_) | BackendAddress::Maildir(_) | BackendAddress::SmtpUnix(_) => {
            let text = "makes no sense: the connection does not leave this machine; leave it out";
            section.conflict("tls", text.to_owned());
            return None;
        }
    };
    Some(BackendTls {
        start,
        name: name.unwrap_or(host),
        minimum,
        trust,
        certificate,
    })
}

/// Reports keys that have no effect without TLS.
fn needs_tls(section: &mut Section<'_>, minimum: TlsVersion) {
    let mut meant = vec![
        "tls-name",
        "tls-ca",
        "tls-crl",
        "tls-certificate",
        "tls-key",
    ];
    if minimum != TlsVersion::default() {
        meant.push("tls-minimum");
    }
    for key in meant {
        if section.has(key) {
            let text = r#"needs `tls = "starttls"` or `tls = "implicit"`"#;
            section.conflict(key, text.to_owned());
        }
    }
}

fn trust(section: &mut Section<'_>) -> BackendTrust {
    let file = section.path("tls-ca");
    let revoked = section.path("tls-crl");
    if section.value_or("tls-verify", true) {
        return BackendTrust::Authorities { file, revoked };
    }
    for key in ["tls-ca", "tls-crl"] {
        if section.has(key) {
            let text = "has no effect with `tls-verify = false`; leave one of them out";
            section.conflict(key, text.to_owned());
        }
    }
    BackendTrust::Anybody
}

fn certificate(section: &mut Section<'_>) -> Option<BackendCertificate> {
    let (chain, key) = (section.path("tls-certificate"), section.path("tls-key"));
    if chain.is_none() && section.has("tls-key") {
        let text = "needs `tls-certificate`, the certificate for this key";
        section.conflict("tls-key", text.to_owned());
    }
    let chain = chain?;
    Some(BackendCertificate {
        key: key.unwrap_or_else(|| chain.clone()),
        chain,
    })
}

fn login(
    section: &mut Section<'_>,
    address: Option<&BackendAddress>,
    is_encrypted: bool,
) -> Option<BackendLogin> {
    let username: Option<String> = section.value("username");
    let password_file = section.path("password-file");
    if section.has("username") && !section.has("password-file") {
        section.missing(
            "password-file",
            "write the path of the file with the password",
        );
    }
    if section.has("password-file") && !section.has("username") {
        section.missing("username", "write the user name for the password");
    }
    let login = BackendLogin {
        username: username?,
        password_file: password_file?,
    };
    match address? {
        BackendAddress::Maildir(_) => {
            let text = "makes no sense: a Maildir needs no credentials; leave it out";
            section.conflict("username", text.to_owned());
        }
        BackendAddress::Lmtp(HostPort { host, .. })
        | BackendAddress::Smtp(HostPort { host, .. })
            if !is_encrypted && !is_loopback(host) =>
        {
            let text = "needs TLS, such as `tls = \"starttls\"`: nobody should send a password in \
                        clear over a network";
            section.conflict("username", text.to_owned());
        }
        _ => {}
    }
    Some(login)
}

fn is_loopback(host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    address.map_or(host == "localhost", |address| address.is_loopback())
}
