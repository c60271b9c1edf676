//! Handshakes and certificates that are not as they should be.

use std::fs;
use std::path::Path;

use postgate_tests::certificate::{Authority, Issued, Validity};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup, program as gateway};
use postgate_tests::peer::{program, run};
use rustls::ClientConnection;
use serde_json::Value;

fn start(authority: &Authority, listener: &str) -> Gateway {
    let setup = Setup::new().certified_by(authority);
    setup.listener(listener).start()
}

/// Waits for the line about a handshake that failed for this reason.
fn failed(gateway: &Gateway, reason: &str) {
    gateway.log().wait_for(reason, |line| {
        line["message"] == "TLS handshake failed"
            && line["reason"]
                .as_str()
                .is_some_and(|told| told.contains(reason))
    });
}

#[test]
fn a_handshake_that_fails_ends_one_connection() {
    let authority = Authority::new("tests");
    let gateway = start(&authority, "tls = \"implicit\"");
    let config = authority.client();
    let mut other = Client::connect_tls(gateway.address(), &config, "mx.example.org");
    other.expect("220 ");
    // A client that speaks plain SMTP, one that speaks SSL 2, and one that says nothing sensible.
    for garbage in [
        &b"EHLO client.example\r\n"[..],
        b"\x80\x2e\x01\0\x02",
        b"\x16\x03\x01\xff\xff\xff\xff",
    ] {
        let mut client = gateway.connect();
        client.write(garbage);
        client.hang_up();
        client.drain();
    }
    failed(&gateway, "the client does not speak TLS");
    // One that speaks SSL 3 knows no extensions, and nothing that is safe.
    let hello = [
        &b"\x16\x03\0\0\x2d\x01\0\0\x29\x03\0"[..],
        &[7; 32],
        b"\0\0\x02\0\x0a\x01\0",
    ];
    let mut client = gateway.connect();
    client.write(&hello.concat());
    client.drain();
    failed(
        &gateway,
        "the client speaks no version of TLS that is taken here",
    );
    // One that takes no certificate of this authority.
    let mut client = gateway.connect();
    let stranger = Authority::new("strangers").client();
    assert!(client.handshake(&stranger, "mx.example.org").is_err());
    failed(&gateway, "the client does not take the certificate");
    // One that goes away.
    drop(gateway.connect());
    failed(&gateway, "the client closed the connection");
    other.says("EHLO client.example", "250");
}

#[test]
fn a_handshake_that_fails_behind_starttls_ends_the_session() {
    let authority = Authority::new("tests");
    let gateway = start(&authority, "tls = \"optional\"");
    let mut client = Client::greeted(gateway.address());
    client.says("STARTTLS", "220 ");
    client.send("MAIL FROM:<alice@client.example>");
    let heard = client.drain();
    assert!(!heard.contains("250"), "{heard}");
    failed(&gateway, "the client does not speak TLS");
}

#[test]
fn what_is_sent_in_clear_behind_starttls_is_never_carried_out() {
    let authority = Authority::new("tests");
    let gateway = start(&authority, "tls = \"optional\"");
    let config = authority.client();
    let mut client = Client::greeted(gateway.address());
    // In one segment with STARTTLS it is thrown away, and what comes later is no handshake.
    client.write(b"STARTTLS\r\nRSET\r\nMAIL FROM:<mallory@evil.example>\r\n");
    client.expect("220 ");
    client.handshake(&config, "mx.example.org").unwrap();
    client.says("RCPT TO:<bob@example.org>", "503 5.5.1 ");
    client.says("EHLO client.example", "250");
    client.says("RCPT TO:<bob@example.org>", "503 5.5.1 ");
    gateway.log().wait_for("the fault", |line| {
        line["fault"] == "plaintext-behind-starttls"
    });
}

#[test]
fn silence_in_place_of_a_handshake_has_an_end() {
    let authority = Authority::new("tests");
    for (mode, says) in [("optional", "STARTTLS"), ("implicit", "")] {
        let settings = format!("tls = \"{mode}\"\nlimits = {{ tls-timeout = \"200ms\" }}");
        let gateway = start(&authority, &settings);
        let mut client = match says {
            "" => gateway.connect(),
            says => {
                let mut client = Client::greeted(gateway.address());
                client.says(says, "220 ");
                client
            }
        };
        client.expect_close();
        failed(&gateway, "not complete within limits.tls-timeout");
    }
}

/// It has as long as one that says nothing.
#[test]
fn a_client_that_stops_in_the_midst_of_its_hello_is_not_waited_for() {
    let authority = Authority::new("tests");
    let settings = "tls = \"implicit\"\nlimits = { tls-timeout = \"500ms\" }";
    let gateway = start(&authority, settings);
    let name = "mx.example.org".try_into().unwrap();
    let mut connection = ClientConnection::new(authority.client(), name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    // Within the header of the record, behind it, and all but the last octet.
    for end in [3, 5, hello.len() / 2, hello.len() - 1] {
        let mut client = gateway.connect();
        client.write(&hello[..end]);
        client.expect_close();
    }
    let is_it = |line: &Value| {
        let reason = line["reason"].as_str().unwrap_or_default();
        reason.contains("not complete within limits.tls-timeout")
    };
    gateway.log().wait_for_all("the deadline", 4, is_it);
}

/// What `postgate serve` says with these files as chain and key, which it must refuse to start with, as
/// `postgate check` refuses them.
fn refused(directory: &Setup, chain: &[u8], key: Option<&[u8]>) -> String {
    let path = |name: &str| directory.directory().join(name);
    fs::write(path("mx.pem"), chain).expect("the chain");
    match key {
        Some(key) => fs::write(path("mx.key"), key).expect("the key"),
        // An error says that it is not there, which is what is wanted.
        None => _ = fs::remove_file(path("mx.key")),
    }
    refused_configuration(&directory.write())
}

fn refused_configuration(file: &Path) -> String {
    let [said, checked] = ["serve", "check"].map(|command| {
        let output = run(gateway().args([command, "--config"]).arg(file));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{command}: {said}");
        said
    });
    assert_eq!(said, checked);
    said
}

#[test]
fn certificates_that_cannot_be_used_are_mistakes() {
    let authority = Authority::new("tests");
    let root = Authority::new("root");
    let Issued { certificate, key } = authority.issue(&["mx.example.org"]);
    let other = authority.issue(&["mx.example.org"]);
    let (certificate, key) = (certificate.as_bytes(), key.as_bytes());
    let setup = Setup::new()
        .listener("tls = \"optional\"")
        .set("certificate = [{ name = \"mx\", chain = \"mx.pem\", key = \"mx.key\" }]");
    let wrong_order = [root.pem().as_bytes(), certificate].concat();
    let cut = &certificate[..certificate.len() / 2];
    let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = encrypted(setup.directory(), key);
    let two_keys = [key, other.key.as_bytes()].concat();
    let (lines, middle) = (lines_of(certificate), root.intermediate("middle"));
    let below = middle.issue(&["mx.example.org"]);
    let gap = [below.certificate.as_bytes(), root.pem().as_bytes()].concat();
    let lost = String::from_utf8_lossy(certificate);
    let lost = lost.replacen("-----END CERTIFICATE-----", "", 1) + &root.pem();
    let same_line = lost.replacen(
        "-----BEGIN CERTIFICATE-----",
        "# -----BEGIN CERTIFICATE-----",
        1,
    );
    let other_character = [
        certificate,
        root.pem().replacen("\nMII", "\nM?I", 1).as_bytes(),
    ]
    .concat();
    let bad_character = format!("mx.pem: line {}: this is no base64", lines + 2);
    let not_issuer = format!(
        "mx.pem: line {}: the certificate of \"CN=root\" did not issue that in line 1",
        lines_of(below.certificate.as_bytes()) + 1
    );
    for (chain, key, told) in [
        (certificate, None, "certificate mx: key: "),
        (certificate, None, "mx.key: cannot be read: No such file"),
        (b"", Some(key), "mx.pem: the file is empty"),
        (b"hello", Some(key), "mx.pem: expected a certificate in PEM"),
        (key, Some(key), "found PRIVATE KEY"),
        (
            certificate,
            Some(certificate),
            "mx.key: expected a private key in PEM",
        ),
        (
            cut,
            Some(key),
            "mx.pem: line 1: `-----BEGIN CERTIFICATE-----` without `-----END CERTIFICATE-----`; the file",
        ),
        (
            garbage,
            Some(key),
            "mx.pem: line 1: the certificate is malformed",
        ),
        (
            lost.as_bytes(),
            Some(key),
            "mx.pem: line 1: `-----BEGIN CERTIFICATE-----` without",
        ),
        (
            same_line.as_bytes(),
            Some(key),
            "mx.pem: line 1: what marks a section is",
        ),
        (&other_character, Some(key), &bad_character),
        (&gap, Some(below.key.as_bytes()), &not_issuer),
        (
            certificate,
            Some(&two_keys),
            "mx.key: line 6: a second private key, after that in line 1",
        ),
        (
            &wrong_order,
            Some(key),
            "mx.key: the key belongs to certificate 2 of the chain",
        ),
        (
            certificate,
            Some(other.key.as_bytes()),
            "mx.key: the key does not belong to the certificate",
        ),
        (
            certificate,
            Some(&encrypted),
            "mx.key: line 1: the key is encrypted; write it without",
        ),
    ] {
        let said = refused(&setup, chain, key);
        assert!(said.contains(told), "no {told:?} in {said}");
        assert!(said.trim_end().ends_with("1 mistake"), "{said}");
    }
}

/// Whoever may read every file cannot read a directory.
#[test]
fn files_that_are_missing_or_unreadable_are_mistakes() {
    let issued = Authority::new("tests").issue(&["mx.example.org"]);
    let directory = "live: cannot be read: Is a directory";
    let nothing = "absent: cannot be read: No such file";
    for (chain, key, told, why) in [
        ("live", "mx.key", "certificate mx: chain: ", directory),
        ("mx.pem", "live", "certificate mx: key: ", directory),
        ("absent", "mx.key", "certificate mx: chain: ", nothing),
        ("mx.pem", "absent", "certificate mx: key: ", nothing),
    ] {
        let setup = Setup::new().listener("tls = \"optional\"");
        issued.write(setup.directory(), "mx");
        fs::create_dir(setup.directory().join("live")).expect("a directory");
        let setup = setup.set(&format!(
            "certificate = [{{ name = \"mx\", chain = \"{chain}\", key = \"{key}\" }}]"
        ));
        let said = refused_configuration(&setup.write());
        assert!(said.contains(told) && said.contains(why), "{said}");
    }
}

fn lines_of(text: &[u8]) -> usize {
    String::from_utf8_lossy(text).lines().count()
}

#[test]
fn authorities_that_cannot_be_read_are_mistakes() {
    let authority = Authority::new("tests");
    let setup = Setup::new().certified_by(&authority).listener(
        "tls = \"optional\"\nclient-certificates = \"optional\"\nclient-ca = \"clients.pem\"",
    );
    let Issued { key, .. } = authority.issue(&["mx.example.org"]);
    let other = Authority::new("other").pem();
    let second = lines_of(authority.pem().as_bytes()) + 1;
    let altered = other.replacen("\nMII", "\nMIA", 1);
    for (text, told) in [
        (
            "# none yet\n".to_owned(),
            "expected a certificate in PEM".to_owned(),
        ),
        (
            key,
            "expected a certificate in PEM (-----BEGIN CERTIFICATE-----), found PRIVATE KEY"
                .to_owned(),
        ),
        (
            authority.pem() + &altered,
            format!("line {second}: the certificate is malformed"),
        ),
        (
            authority.pem() + &other.replace("BEGIN CERTIFICATE", "BEGIN CERT"),
            format!(
                "line {}: `-----END CERTIFICATE-----` behind",
                second + lines_of(other.as_bytes()) - 1
            ),
        ),
    ] {
        fs::write(setup.directory().join("clients.pem"), text).expect("the file");
        let said = refused_configuration(&setup.write());
        let told = format!("clients.pem: {told}");
        assert!(said.contains("listener main: client-ca: "), "{said}");
        assert!(said.contains(&told), "no {told:?} in {said}");
    }
}

/// The key under a passphrase.
fn encrypted(directory: &Path, key: &[u8]) -> Vec<u8> {
    let plain = directory.join("plain.key");
    fs::write(&plain, key).expect("the key");
    let mut command = program("openssl");
    command.args(["pkey", "-aes256", "-passout", "pass:secret", "-in"]);
    run(command.arg(plain)).stdout
}

#[test]
fn a_certificate_that_has_expired_is_told_and_shown() {
    let authority = Authority::new("tests");
    let warnings = [
        (
            Validity::Expired,
            "ERROR",
            "clients that verify will not take this certificate",
        ),
        (
            Validity::Tomorrow,
            "ERROR",
            "clients that verify will not take this certificate",
        ),
        (Validity::Days(10), "WARN", "this certificate expires soon"),
    ];
    for (validity, level, message) in warnings {
        let setup = Setup::new().certified_by(&authority);
        let issued = authority.issue_for(&["mx.example.org"], validity);
        issued.write(setup.directory(), "mx");
        let gateway = setup.listener("tls = \"optional\"").start();
        let line = gateway.log().wait_for_message(message);
        assert_eq!(
            (&line["level"], &line["certificate"]),
            (&level.into(), &"mx".into())
        );
        let file = line["file"].as_str().unwrap();
        assert!(file.ends_with("mx.pem"), "{file}");
        // What has not changed is told again.
        gateway.hang_up();
        let is_it = |line: &Value| line["message"] == message;
        gateway.log().wait_for_all(message, 2, is_it);
    }
}

#[test]
fn settings_of_tls_that_do_not_go_together_are_mistakes() {
    for (settings, told) in [
        ("tls = \"maybe\"", "listener[0].tls: expected"),
        ("tls-profile = \"old\"", "listener[0].tls-profile: expected"),
        (
            "client-certificates = \"optional\"",
            "listener[0].client-certificates: needs TLS",
        ),
        (
            "tls = \"optional\"\nclient-certificates = \"required\"",
            "needs `client-ca`",
        ),
        (
            "tls = \"optional\"\ncertificates = [\"mx\"]",
            "no certificate is called \"mx\"",
        ),
        (
            "address = \"0.0.0.0:0\"\nauth = \"optional\"",
            "listener[0].auth: needs TLS",
        ),
        (
            "tls = \"optional\"\nclient-certificates = \"optional\"\nclient-ca = \"none.pem\"",
            "listener main: client-ca: ",
        ),
    ] {
        let setup = Setup::new().listener(settings);
        let output = run(gateway().args(["check", "--config"]).arg(setup.write()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{settings}: {said}");
        assert!(said.contains(told), "{settings}: {said}");
    }
}

/// Whatever the path of a file leads to, `check` says so, and does not wait for anybody.
#[test]
fn what_is_no_file_is_a_mistake() {
    let secured = "[[backend]]\naddress = \"smtp://mail.example:25\"\ntls = \"starttls\"\n";
    let settings = [
        ("", "[[certificate]]\nchain = \"FILE\""),
        ("auth-secret-file = \"FILE\"\n", ""),
        (
            "",
            "[[listener]]\naddress = \"127.0.0.1:0\"\ntls = \"optional\"\nclient-ca = \"FILE\"\nclient-certificates = \"optional\"",
        ),
        (secured, "tls-ca = \"FILE\""),
        (secured, "tls-certificate = \"FILE\""),
        (secured, "tls-crl = \"FILE\""),
        (secured, "username = \"a\"\npassword-file = \"FILE\""),
    ];
    let directory = tempfile::tempdir().expect("a directory");
    let made = run(program("mkfifo").arg(directory.path().join("pipe")));
    assert!(made.status.success(), "{made:?}");
    let large = fs::File::create(directory.path().join("large")).expect("a file");
    large.set_len(1 << 40).expect("a file of nothing");
    let config = directory.path().join("c.toml");
    for (before, line) in settings {
        for (file, told) in [
            ("pipe", "this is no regular file"),
            ("/dev/zero", "this is no regular file"),
            (".", "Is a directory"),
            ("large", "it is larger than the limit of "),
        ] {
            let text = format!("hostname = \"mx.example.org\"\n{before}{line}\n");
            fs::write(&config, text.replace("FILE", file)).expect("the configuration");
            let output = run(gateway().args(["check", "--config"]).arg(&config));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{line} {file}: {said}");
            assert!(said.contains(told), "{line} {file}: {said}");
        }
    }
    for file in ["pipe", "/dev/zero"] {
        let path = directory.path().join(file);
        let output = run(gateway().args(["user", "list", "--file"]).arg(path));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("this is no regular file"),
            "{said}"
        );
    }
}

#[test]
fn check_warns_of_what_clients_will_not_take() {
    let authority = Authority::new("tests");
    let setup = Setup::new().certified_by(&authority);
    let issued = authority.issue_for(&["mx.example.org"], Validity::Expired);
    issued.write(setup.directory(), "mx");
    let mut command = gateway();
    command.args(["check", "--config"]).arg(setup.write());
    let output = run(command.env("TMPDIR", "/no/such"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for told in [
        "warning   certificate mx: the certificate expired on ",
        "warning   messages that are larger than limits.spool-memory cannot be stored: /no/such: ",
        "TMPDIR",
    ] {
        assert!(said.contains(told), "no {told:?} in {said}");
    }
}

#[test]
fn who_issues_nothing_is_no_authority_for_clients() {
    let authority = Authority::new("tests");
    let setup = Setup::new()
        .certified_by(&authority)
        .listener("tls = \"optional\"\nclient-certificates = \"optional\"\nclient-ca = \"mx.pem\"");
    let issued = authority.issue(&["mx.example.org"]);
    issued.write(setup.directory(), "mx");
    let said = refused_configuration(&setup.write());
    assert!(
        said.contains("client-ca: ") && said.contains("is no authority"),
        "{said}"
    );
}
