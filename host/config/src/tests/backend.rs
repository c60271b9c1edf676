//! The backend.

use std::path::PathBuf;

use postgate_proto::client::Extension;

use super::*;
use crate::{BackendTls, BackendTrust, TlsStart, TlsVersion};

fn parse_backend(keys: &str) -> Result<Backend, Vec<String>> {
    let text = format!("hostname = \"mx\"\n[[backend]]\n{keys}");
    let parsed = Config::parse(&text, Path::new("postgate.toml"), &Overrides::default());
    parsed
        .map(|config| config.backend.unwrap())
        .map_err(|mistakes| mistakes.iter().map(summary).collect())
}

#[test]
fn reads_tls_and_login() {
    let backend = parse_backend(
        r#"
        address = "smtp://mail.example.org:465"
        tls = "implicit"
        tls-name = "192.0.2.1"
        tls-minimum = "1.3"
        tls-ca = "/ca.pem"
        tls-crl = "/crl.pem"
        tls-certificate = "/own.pem"
        username = "gate"
        password-file = "/password"
        "#,
    )
    .unwrap();
    let file = PathBuf::from;
    assert_eq!(
        backend.tls,
        Some(BackendTls {
            start: TlsStart::Implicit,
            name: "192.0.2.1".into(),
            minimum: TlsVersion::V1_3,
            trust: BackendTrust::Authorities {
                file: Some(file("/ca.pem")),
                revoked: Some(file("/crl.pem")),
            },
            certificate: Some(BackendCertificate {
                chain: file("/own.pem"),
                key: file("/own.pem"),
            }),
        })
    );
    let login = backend.login.unwrap();
    assert_eq!(
        (login.username, login.password_file),
        ("gate".into(), file("/password"))
    );
}

#[test]
fn the_certificate_name_is_the_host_by_default() {
    let backend = parse_backend("address = \"lmtp://[::1]:24\"\ntls = \"starttls\"").unwrap();
    let tls = backend.tls.unwrap();
    assert_eq!((tls.start, tls.name.as_str()), (TlsStart::StartTls, "::1"));
    let system = BackendTrust::Authorities {
        file: None,
        revoked: None,
    };
    assert_eq!(tls.trust, system);
}

#[test]
fn a_password_needs_tls_or_a_local_backend() {
    for (address, tls, is_good) in [
        ("smtp://mail.example.org:25", "off", false),
        ("smtp://192.0.2.1:25", "off", false),
        ("lmtp://[2001:db8::1]:24", "off", false),
        ("smtp://mail.example.org:25", "starttls", true),
        ("smtp://mail.example.org:465", "implicit", true),
        ("smtp://127.0.0.1:25", "off", true),
        ("smtp://[::1]:25", "off", true),
        ("smtp://localhost:25", "off", true),
        ("lmtp+unix:///run/lmtp", "off", true),
    ] {
        let parsed = parse_backend(&format!(
            "address = \"{address}\"\ntls = \"{tls}\"\nusername = \"x\"\npassword-file = \"x\""
        ));
        assert_eq!(parsed.is_ok(), is_good, "{address} {tls}");
    }
}

#[test]
fn conflicting_keys_are_mistakes() {
    let smtp = "address = \"smtp://mail:25\"\n";
    let unix = "address = \"smtp+unix:///x\"\n";
    let maildir = "address = \"maildir:x\"\n";
    let starttls = "tls = \"starttls\"\n";
    for (keys, expected) in [
        (vec![unix, starttls], "4 backend[0].tls makes no sense"),
        (vec![maildir, starttls], "4 backend[0].tls makes no sense"),
        (
            vec![smtp, "tls-name = \"x\""],
            "4 backend[0].tls-name needs",
        ),
        (
            vec![smtp, "tls-minimum = \"1.3\""],
            "4 backend[0].tls-minimum needs",
        ),
        (vec![smtp, "tls-ca = \"x\""], "4 backend[0].tls-ca needs"),
        (
            vec![smtp, "tls-minimum = \"1.1\""],
            "4 backend[0].tls-minimum found",
        ),
        (vec![smtp, "tls = \"optional\""], "4 backend[0].tls found"),
        (
            vec![smtp, starttls, "tls-key = \"x\""],
            "5 backend[0].tls-key needs `tls-certificate`",
        ),
        (
            vec![smtp, starttls, "tls-verify = false\ntls-ca = \"x\""],
            "6 backend[0].tls-ca has no effect",
        ),
        (
            vec![smtp, starttls, "tls-name = \"a b\""],
            "5 backend[0].tls-name found",
        ),
        (
            vec![smtp, starttls, "username = \"x\""],
            "2 backend[0].password-file missing",
        ),
        (
            vec![smtp, starttls, "password-file = \"x\""],
            "2 backend[0].username missing",
        ),
        (
            vec![maildir, "username = \"x\"\npassword-file = \"x\""],
            "4 backend[0].username makes no sense",
        ),
    ] {
        let mistakes = parse_backend(&keys.concat()).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].starts_with(expected), "{mistakes:?}");
    }
}

#[test]
fn extensions_are_used_unless_they_are_switched_off() {
    let unused = |keys: &str| {
        let text = format!("address = \"smtp://mail.example.org:25\"\n{keys}");
        parse_backend(&text).map(|backend| backend.unused_extensions)
    };
    assert_eq!(unused(""), Ok(vec![]));
    assert_eq!(
        unused("extensions.chunking = false\nextensions.pipelining = false"),
        Ok(vec![
            Extension::BinaryMime,
            Extension::Chunking,
            Extension::Pipelining
        ])
    );
    let keys = [
        "binarymime",
        "chunking",
        "dsn",
        "eight-bit-mime",
        "pipelining",
        "requiretls",
        "size",
        "smtputf8",
    ];
    let lines = keys.map(|key| format!("extensions.{key} = false\n"));
    let all = unused(&lines.concat()).unwrap();
    assert_eq!(all.len(), keys.len());
    let mistakes = unused("[backend.extensions]\nchunking = false\nbinarymime = true");
    assert_eq!(
        mistakes,
        Err(vec![
            "6 backend[0].extensions.binarymime needs `chunking = true`, since such messages are \
             sent with BDAT only"
                .to_owned()
        ])
    );
}
