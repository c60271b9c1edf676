//! TLS with clients: how it begins, which versions and certificates there are, and what plugins and the
//! trace line say of it. What goes wrong stands in `tls_trouble.rs`, renewal in `renewal.rs`.

use std::fs;
use std::path::Path;
use std::process::Command;

use postgate_tests::backend::Backend;
use postgate_tests::certificate::{Authority, Issued};
use postgate_tests::client::Client;
use postgate_tests::control::SOCKET;
use postgate_tests::gateway::{Gateway, Setup, program as gateway};
use postgate_tests::peer::{converse, program, run, s_client, s_client_starttls, swaks};
use postgate_tests::rogue::Rogue;
use serde_json::Value;

/// A gateway with a certificate for mx.example.org of this authority.
fn start(authority: &Authority, listener: &str) -> Gateway {
    let setup = Setup::new().certified_by(authority);
    setup.listener(listener).start()
}

fn ca_file(gateway: &Gateway) -> String {
    gateway.directory().join("ca.pem").display().to_string()
}

fn said(command: &mut Command) -> (bool, String) {
    let output = run(command);
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

const MESSAGE: &[u8] = b"Subject: sealed\r\n\r\nhello\r\n";
const QUIT: &str = "EHLO client.example\nQUIT\n";

#[test]
fn starttls_is_offered_once() {
    let authority = Authority::new("tests");
    let gateway = start(&authority, "tls = \"optional\"");
    let config = authority.client();
    let mut client = gateway.connect();
    client.expect("220 ");
    assert!(client.ask("EHLO client.example").contains("STARTTLS"));
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.says("STARTTLS", "220 2.0.0 Ready to start TLS");
    client.handshake(&config, "mx.example.org").unwrap();
    client.says("MAIL FROM:<alice@client.example>", "503 5.5.1 ");
    let reply = client.ask("EHLO client.example");
    assert!(!reply.contains("STARTTLS"), "{reply}");
    client.says("STARTTLS", "503 5.5.1 ");
    client.says("RSET", "250");
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(MESSAGE).starts_with("250"));
    client.says("QUIT", "221");
    client.expect_close();
}

#[test]
fn implicit_tls_comes_before_the_banner() {
    let authority = Authority::new("tests");
    let gateway = start(&authority, "tls = \"implicit\"");
    let config = authority.client();
    let mut client = Client::connect_tls(gateway.address(), &config, "mx.example.org");
    client.expect("220 mx.example.org ESMTP");
    let reply = client.ask("EHLO client.example");
    assert!(!reply.contains("STARTTLS"), "{reply}");
    client.says("STARTTLS", "503 5.5.1 ");
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(MESSAGE).starts_with("250"));
}

/// What a proxy has said in one segment with the beginning of the handshake is not lost.
#[test]
fn implicit_tls_comes_after_a_proxy_header() {
    let authority = Authority::new("tests");
    let settings = "tls = \"implicit\"\nproxy = \"required\"\nproxy-from = [\"127.0.0.1\"]";
    let gateway = start(&authority, settings);
    let mut client = gateway.connect();
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 465\r\n";
    client
        .handshake_behind(header, &authority.client(), "mx.example.org")
        .unwrap();
    client.expect("220 ");
    let connected = gateway.log().wait_for_message("connected");
    assert_eq!(connected["remote"], "192.0.2.7:4711");
}

#[test]
fn openssl_speaks_both_ways_and_verifies() {
    let authority = Authority::new("tests");
    for (mode, s_client) in [
        ("optional", s_client_starttls as fn(_) -> _),
        ("implicit", s_client),
    ] {
        let gateway = start(&authority, &format!("tls = \"{mode}\""));
        for (name, expected) in [("mx.example.org", true), ("mx.example.net", false)] {
            let mut command = s_client(gateway.address());
            command.args(["-CAfile", &ca_file(&gateway), "-verify_return_error"]);
            command.args(["-verify_hostname", name]);
            let (ended_well, said) = converse(&mut command, QUIT);
            assert_eq!(ended_well, expected, "{mode}, {name}: {said}");
            assert_eq!(
                said.contains("Verification: OK"),
                expected,
                "{mode}: {said}"
            );
            assert_eq!(said.contains("221 2.0.0"), expected, "{mode}: {said}");
        }
    }
}

#[test]
fn gnutls_swaks_and_python_begin_tls() {
    let authority = Authority::new("tests");
    let gateway = start(&authority, "tls = \"required\"");
    let (server, ca) = (gateway.address(), ca_file(&gateway));
    let mut gnutls = program("gnutls-cli");
    gnutls.args(["--starttls-proto=smtp", "--x509cafile", &ca]);
    gnutls.args([
        "--verify-hostname=mx.example.org",
        "--sni-hostname=mx.example.org",
    ]);
    gnutls.args([&format!("--port={}", server.port()), "127.0.0.1"]);
    let (ended_well, said_by_gnutls) = converse(&mut gnutls, "EHLO client.example\r\nQUIT\r\n");
    assert!(ended_well, "{said_by_gnutls}");
    assert!(said_by_gnutls.contains("221 2.0.0"), "{said_by_gnutls}");

    let mut command = swaks(server);
    command.args(["--tls", "--tls-verify", "--tls-ca-path", &ca]);
    let (ended_well, transcript) = said(&mut command);
    assert!(ended_well, "{transcript}");
    assert!(
        transcript.contains("TLS started with cipher"),
        "{transcript}"
    );

    let script = "import smtplib, ssl, sys\n\
        context = ssl.create_default_context(cafile=sys.argv[2])\n\
        context.check_hostname = False\n\
        with smtplib.SMTP('127.0.0.1', int(sys.argv[1])) as smtp:\n\
        \x20   smtp.starttls(context=context)\n\
        \x20   smtp.sendmail('a@client.example', ['bob@example.org'], 'Subject: x\\r\\n\\r\\nx')\n";
    let mut python = program("python3");
    python.args(["-c", script, &server.port().to_string(), &ca]);
    let (ended_well, transcript) = said(&mut python);
    assert!(ended_well, "{transcript}");
}

#[test]
fn versions_are_those_of_the_profile() {
    let authority = Authority::new("tests");
    for (profile, versions) in [
        // By default.
        (
            "",
            [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)],
        ),
        (
            "compatible",
            [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)],
        ),
        (
            "modern",
            [("-tls1_1", false), ("-tls1_2", false), ("-tls1_3", true)],
        ),
    ] {
        let setting = match profile {
            "" => String::new(),
            name => format!("\ntls-profile = \"{name}\""),
        };
        let gateway = start(&authority, &format!("tls = \"optional\"{setting}"));
        for (version, expected) in versions {
            let mut command = s_client_starttls(gateway.address());
            // Debian's openssl does not even offer version 1.1 at its usual level.
            command.args([version, "-cipher", "DEFAULT@SECLEVEL=0"]);
            let (_, said) = converse(&mut command, QUIT);
            assert_eq!(
                said.contains("221 2.0.0"),
                expected,
                "{profile} {version}: {said}"
            );
        }
        let log = gateway.log();
        let too_old = "the client speaks no version of TLS that is taken here";
        log.wait_for(too_old, |line| {
            line["reason"]
                .as_str()
                .is_some_and(|reason| reason.starts_with(too_old))
        });
    }
}

/// The cipher suites of TLS 1.2 that openssl knows, by their names there.
fn suites_of_openssl() -> Vec<String> {
    let mut command = program("openssl");
    let output = run(command.args([
        "ciphers",
        "-s",
        "-tls1_2",
        "ALL:COMPLEMENTOFALL:@SECLEVEL=0",
    ]));
    let names = String::from_utf8(output.stdout).expect("text");
    names.trim().split(':').map(str::to_owned).collect()
}

/// Of all suites of TLS 1.2, a profile has those with forward secrecy and authenticated encryption, or
/// none. With TLS 1.3 there is nothing else.
#[test]
fn ciphers_are_those_of_the_profile() {
    let authority = Authority::new("tests");
    let suites = suites_of_openssl();
    assert!(suites.len() > 20, "{suites:?}");
    for (profile, expected) in [
        (
            "compatible",
            &[
                "ECDHE-ECDSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-AES256-GCM-SHA384",
                "ECDHE-ECDSA-CHACHA20-POLY1305",
                "ECDHE-RSA-AES128-GCM-SHA256",
                "ECDHE-RSA-AES256-GCM-SHA384",
                "ECDHE-RSA-CHACHA20-POLY1305",
            ][..],
        ),
        ("modern", &[]),
    ] {
        let setup = Setup::new().certified_by(&authority);
        made_by_openssl(setup.directory(), "rsa", &["-newkey", "rsa:2048"]);
        let setup = setup.set(
            "certificate = [{ chain = \"mx.pem\", key = \"mx.key\" },\
             { chain = \"rsa.pem\", key = \"rsa.key\" }]",
        );
        let settings = format!("tls = \"implicit\"\ntls-profile = \"{profile}\"");
        let gateway = setup.listener(&settings).start();
        let is_served = |arguments: &[&str]| {
            let (_, said) = converse(s_client(gateway.address()).args(arguments), QUIT);
            said.contains("221 2.0.0")
        };
        let mut taken: Vec<_> = suites.iter().map(String::as_str).collect();
        taken.retain(|suite| {
            let suite = format!("{suite}:@SECLEVEL=0");
            is_served(&["-tls1_2", "-cipher", &suite])
        });
        taken.sort_unstable();
        assert_eq!(taken, expected, "{profile}");
        for suite in [
            "TLS_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
        ] {
            assert!(
                is_served(&["-tls1_3", "-ciphersuites", suite]),
                "{profile} {suite}"
            );
        }
        let ccm = ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"];
        assert!(!is_served(&ccm), "{profile}");
    }
}

/// Has openssl make a self-signed certificate for mx.example.org, as `NAME.pem` and `NAME.key`.
fn made_by_openssl(directory: &Path, name: &str, kind: &[&str]) {
    let path = |extension: &str| directory.join(format!("{name}.{extension}"));
    let mut command = program("openssl");
    command.args([
        "req",
        "-x509",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=mx.example.org",
    ]);
    command
        .args(["-addext", "subjectAltName=DNS:mx.example.org"])
        .args(kind);
    command
        .arg("-keyout")
        .arg(path("key"))
        .arg("-out")
        .arg(path("pem"));
    let (is_well, told) = said(&mut command);
    assert!(is_well, "{told}");
}

/// Keys of all kinds and in all forms that openssl writes, and the text that it writes around them.
#[test]
fn files_of_openssl_are_read() {
    let setup = Setup::new().listener("tls = \"implicit\"");
    let directory = setup.directory().to_owned();
    let openssl = |arguments: &str| {
        let mut command = program("openssl");
        command.current_dir(&directory).args(arguments.split(' '));
        let (is_well, told) = said(&mut command);
        assert!(is_well, "{arguments}: {told}");
    };
    made_by_openssl(&directory, "rsa", &["-newkey", "rsa:2048"]);
    made_by_openssl(&directory, "ed", &["-newkey", "ed25519"]);
    openssl("ecparam -name prime256v1 -genkey -out ec.key");
    openssl(
        "req -x509 -key ec.key -days 30 -subj /CN=mx.example.org -addext subjectAltName=DNS:mx.example.org -out ec.pem",
    );
    openssl("rsa -in rsa.key -traditional -out pkcs1.key");
    openssl("pkcs12 -export -in rsa.pem -inkey rsa.key -passout pass:x -out rsa.p12");
    openssl("pkcs12 -in rsa.p12 -nodes -passin pass:x -out bag.pem");
    openssl("x509 -in rsa.pem -text -out text.pem");
    for (file, sign) in [
        ("ec.key", "BEGIN EC PARAMETERS"),
        ("ec.key", "BEGIN EC PRIVATE KEY"),
        ("pkcs1.key", "BEGIN RSA PRIVATE KEY"),
        ("rsa.key", "BEGIN PRIVATE KEY"),
        ("bag.pem", "Bag Attributes"),
        ("text.pem", "Signature Algorithm"),
    ] {
        let text = fs::read_to_string(directory.join(file)).unwrap();
        assert!(text.contains(sign), "no {sign} in {text}");
    }
    let mut setup = setup;
    for (chain, key) in [
        ("rsa.pem", "rsa.key"),
        ("rsa.pem", "pkcs1.key"),
        ("text.pem", "rsa.key"),
        ("bag.pem", "bag.pem"),
        ("ec.pem", "ec.key"),
        ("ed.pem", "ed.key"),
    ] {
        setup = setup.set(&format!(
            "certificate = [{{ chain = \"{chain}\", key = \"{key}\" }}]"
        ));
        let mut command = gateway();
        let (is_well, told) = said(command.args(["check", "--config"]).arg(setup.write()));
        assert!(is_well, "{chain}, {key}: {told}");
    }
    let gateway = setup.set("certificate = [{ chain = \"bag.pem\" }]").start();
    for (name, expected) in [("mx.example.org", true), ("mx.example.net", false)] {
        let mut command = s_client(gateway.address());
        command.arg("-CAfile").arg(directory.join("rsa.pem"));
        command.args(["-verify_return_error", "-verify_hostname", name]);
        let (_, said) = converse(&mut command, QUIT);
        assert_eq!(said.contains("221 2.0.0"), expected, "{name}: {said}");
    }
}

#[test]
fn certificates_come_as_two_files_a_chain_or_one() {
    let root = Authority::new("root");
    let below = root.intermediate("below");
    let issued = below.issue(&["mx.example.org"]);
    let chain = format!("{}{}", issued.certificate, below.pem());
    let (key, alone) = (&issued.key, root.issue(&["mx.example.org"]));
    let one = format!("{}{}", alone.key, alone.certificate);
    for (kind, chain, key) in [
        ("two files", &alone.certificate, Some(&alone.key)),
        ("a chain", &chain, Some(key)),
        ("one file", &one, None),
    ] {
        let setup = Setup::new().listener("tls = \"implicit\"");
        fs::write(setup.directory().join("chain.pem"), chain).unwrap();
        let mut certificate = "chain = \"chain.pem\"".to_owned();
        if let Some(key) = key {
            fs::write(setup.directory().join("key.pem"), key).unwrap();
            certificate += ", key = \"key.pem\"";
        }
        let setup = setup.set(&format!("certificate = [{{ {certificate} }}]"));
        let gateway = setup.start();
        let mut client = Client::connect(gateway.address());
        let shaken = client.handshake(&root.client(), "mx.example.org");
        assert!(shaken.is_ok(), "{kind}: {shaken:?}");
        let mut client = Client::connect(gateway.address());
        let shaken = client.handshake(&root.client(), "mx.example.net");
        assert!(
            shaken.is_err(),
            "{kind}: a certificate for another name was taken"
        );
    }
}

#[test]
fn the_name_that_a_client_asks_for_decides() {
    let authority = Authority::new("tests");
    let setup = Setup::new();
    let names = ["mx.example.org", "mail.example.net", "*.example.com"];
    let mut certificates = Vec::new();
    for (index, name) in names.iter().enumerate() {
        authority
            .issue(&[name])
            .write(setup.directory(), &index.to_string());
        certificates.push(format!(
            "{{ name = \"{name}\", chain = \"{index}.pem\", key = \"{index}.key\" }}"
        ));
    }
    let setup = setup.set(&format!("certificate = [{}]", certificates.join(", ")));
    let listeners = "listener = [\
        { name = \"main\", address = \"127.0.0.1:0\", tls = \"implicit\" },\
        { name = \"one\", address = \"127.0.0.1:0\", tls = \"implicit\",\
          certificates = [\"mail.example.net\"] }]";
    let gateway = setup.set(listeners).start();
    for (listener, asked, expected) in [
        ("main", "mx.example.org", "CN = mx.example.org"),
        ("main", "mail.example.net", "CN = mail.example.net"),
        ("main", "a.example.com", "CN = *.example.com"),
        ("main", "a.b.example.com", "CN = mx.example.org"),
        ("main", "", "CN = mx.example.org"),
        ("one", "mx.example.org", "CN = mail.example.net"),
    ] {
        let mut command = s_client(gateway.address_of(listener));
        match asked {
            "" => command.arg("-noservername"),
            name => command.args(["-servername", name]),
        };
        let (_, said) = converse(&mut command, QUIT);
        let shown = format!("Peer certificate: {expected}");
        assert!(said.contains(&shown), "{listener}, {asked:?}: {said}");
    }
}

#[test]
fn without_a_certificate_one_is_made_for_tests() {
    let setup = Setup::new().set(
        "listener = [\
         { name = \"main\", address = \"127.0.0.1:0\", tls = \"implicit\" },\
         { name = \"named\", address = \"localhost:0\", tls = \"optional\" }]",
    );
    let gateway = setup.start();
    let made = gateway.log().wait_for("a certificate", |line| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.contains("for tests only"))
    });
    assert_eq!(made["level"], "WARN");
    let names = made["names"].as_str().unwrap();
    for name in ["mx.example.org", "127.0.0.1", "localhost"] {
        assert!(names.split(' ').any(|known| known == name), "{names}");
    }
    // What openssl sees is what the log says, valid for 90 days.
    let file = gateway.directory().join("shown.pem");
    let mut command = program("openssl");
    let server = gateway.address().to_string();
    command.args(["s_client", "-connect", &server, "-showcerts", "-crlf"]);
    let (_, shown) = converse(&mut command, QUIT);
    fs::write(&file, &shown).unwrap();
    let mut command = program("openssl");
    command.args([
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-startdate",
        "-enddate",
        "-ext",
        "subjectAltName",
    ]);
    command.arg("-in").arg(&file);
    let (_, told) = said(&mut command);
    for name in [
        "DNS:mx.example.org",
        "DNS:localhost",
        "IP Address:127.0.0.1",
    ] {
        assert!(told.contains(name), "no {name} in {told}");
    }
    let fingerprint = made["fingerprint"].as_str().unwrap().to_uppercase();
    assert!(told.replace(':', "").contains(&fingerprint), "{told}");
    for (end, expected) in [(89 * 86_400, true), (91 * 86_400, false)] {
        let mut command = program("openssl");
        command.args(["x509", "-noout", "-checkend", &end.to_string()]);
        let (is_valid, told) = said(command.arg("-in").arg(&file));
        assert_eq!(is_valid, expected, "{told}");
    }
}

#[test]
fn the_certificate_for_tests_can_have_other_names_and_another_life() {
    let setup = Setup::new().listener("tls = \"implicit\"");
    let setup =
        setup.set("tls = { self-signed-names = [\"a.example\", \"::1\"], self-signed-days = 2 }");
    let gateway = setup.start();
    let made = gateway.log().wait_for("a certificate", |line| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.contains("for tests only"))
    });
    assert_eq!(made["names"], "a.example ::1");
}

/// What the guest `sealed` has logged about an event, once it has.
fn seen(gateway: &Gateway, event: &str) -> String {
    let says = |line: &Value| {
        let says = line["says"].as_str().unwrap_or_default().trim_matches('"');
        says.split_once(' ')
            .is_some_and(|(first, _)| first == event)
            && line["session"] != "load"
    };
    let line = gateway.log().wait_for(event, says);
    line["says"].as_str().unwrap_or_default().replace('\\', "")
}

/// What the guest `sealed` has logged in the session of a gateway, once that is over, as pairs of an event
/// and what it saw there. `kind` is how its lines begin: `state ` or nothing.
fn all_seen(gateway: &Gateway, kind: &str) -> Vec<(String, String)> {
    let says = |line: &Value| {
        let says = line["says"].as_str().unwrap_or_default().trim_matches('"');
        let says = says
            .strip_prefix(kind)
            .filter(|_| line["session"] != "load");
        let (event, rest) = says?.split_once(' ')?;
        Some((event.to_owned(), rest.replace('\\', "")))
    };
    let is_end = |line: &Value| says(line).is_some_and(|(event, _)| event == "disconnect");
    gateway.log().wait_for("the end of the session", is_end);
    let lines = gateway.log().find(|line| says(line).is_some());
    let lines = lines.iter().filter_map(says);
    lines.filter(|(event, _)| event != "state").collect()
}

/// A gateway that offers STARTTLS and AUTH, in front of this backend, with the guest `sealed`.
fn sealed(authority: &Authority, backend: &Backend) -> Gateway {
    let setup = Setup::new().backend(&backend.smtp());
    let setup = setup.certified_by(authority);
    let setup = setup.listener("tls = \"optional\"\nauth = \"optional\"");
    let sidecar = "limits.log-lines = 1000";
    setup.plugin("10-sealed", "guests/sealed", sidecar).start()
}

/// The events of a session after its handshake.
const LATER_EVENTS: [&str; 16] = [
    "helo",
    "auth-keys",
    "auth",
    "vrfy",
    "expn",
    "help",
    "mail",
    "rcpt",
    "reset",
    "data",
    "headers",
    "body-chunk",
    "message",
    "outcome",
    "command",
    "disconnect",
];

#[test]
fn plugins_see_how_a_session_is_encrypted() {
    let authority = Authority::new("tests");
    let backend = Backend::working();
    let gateway = sealed(&authority, &backend);
    let began = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs();
    let mut client = Client::start_tls(gateway.address(), &authority.client(), "mx.example.org");
    client.says("AUTH SCRAM-SHA-256 biwsbj1ub2JvZHkscj14", "334 ");
    client.says("*", "501 ");
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "235 ");
    client.says("VRFY bob", "252 ");
    client.ask("EXPN staff");
    client.says("HELP", "214 ");
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.says("RSET", "250 ");
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(MESSAGE).starts_with("250"));
    client.says("QUIT", "221 ");
    let seen = all_seen(&gateway, "");
    // The client greets, begins TLS, and greets again.
    let handshake = 1 + seen
        .iter()
        .position(|(event, _)| event == "starttls")
        .unwrap();
    let (before, after) = seen.split_at(handshake);
    for (event, facts) in before {
        assert!(facts.starts_with("false "), "{event}: {facts}");
        assert!(facts.ends_with(" nothing"), "{event}: {facts}");
    }
    let (_, first) = &after[0];
    let facts = &first[first.find("TlsFacts").unwrap()..];
    for fact in [
        "version: \"TLSv1.3\"",
        "cipher: \"TLS_AES_256_GCM_SHA384\"",
        "server-name: Some(\"mx.example.org\")",
        "alpn: None",
        "client-certificate: None",
    ] {
        assert!(facts.contains(fact), "no {fact} in {facts}");
    }
    let since = facts.split_once("since: ").unwrap().1.split(',').next();
    let since: u64 = since.unwrap().parse().unwrap();
    assert!(since >= began && since < began + 600, "{since}");
    for (event, seen) in after {
        assert!(seen.starts_with("true "), "{event}: {seen}");
        assert!(seen.ends_with(facts), "{event}: {seen}");
    }
    let events = after.iter().map(|(event, _)| event.as_str());
    let events: std::collections::BTreeSet<_> = events.collect();
    let missing = LATER_EVENTS.iter().filter(|event| !events.contains(*event));
    assert_eq!(missing.count(), 0, "{events:?}");
}

#[test]
fn rset_ends_the_transaction_and_keeps_the_session() {
    let authority = Authority::new("tests");
    let backend = Backend::working();
    let gateway = sealed(&authority, &backend);
    let mut client = Client::start_tls(gateway.address(), &authority.client(), "mx.example.org");
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "235 ");
    client.envelope(
        "alice@client.example",
        &["bob@example.org", "carol@example.org"],
    );
    client.says("RSET", "250 2.0.0 ");
    client.says("RCPT TO:<dave@example.org>", "503 5.5.1 ");
    client.says("DATA", "503 5.5.1 ");
    client.says("RSET", "250 2.0.0 ");
    // Neither a greeting nor another login is asked for, and neither is possible again.
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "503 5.5.1 ");
    client.envelope("erin@client.example", &["dave@example.org"]);
    assert!(client.message(MESSAGE).starts_with("250"));
    client.says("QUIT", "221 ");
    let taken = backend.taken();
    assert_eq!(taken.len(), 1);
    assert!(taken[0].mail.starts_with("MAIL FROM:<erin@client.example>"));
    assert_eq!(taken[0].recipients.len(), 1);
    assert!(taken[0].recipients[0].starts_with("RCPT TO:<dave@example.org>"));
    let states = all_seen(&gateway, "state ");
    let at = |wanted: &str| {
        let states = states.iter().filter(|(event, _)| event == wanted);
        states.map(|(_, state)| state.clone()).collect::<Vec<_>>()
    };
    let (mail, reset) = (at("mail"), at("reset"));
    let parts = |state: &str| {
        let (transaction, rest) = state.split_once(" helo=").unwrap();
        (transaction.to_owned(), rest.to_owned())
    };
    let ((first, before), (second, after)) = (parts(&mail[0]), parts(&mail[1]));
    assert!(at("rcpt")[1].ends_with("recipients=1"));
    assert_ne!(first, second);
    assert!(first.len() > "transaction=".len() && second.len() > "transaction=".len());
    assert!(
        before.starts_with("client.example as=Some(\"bob\") "),
        "{before}"
    );
    // Nothing of the first transaction is left.
    assert_eq!(
        before.split_once(" sender=").unwrap().0,
        after.split_once(" sender=").unwrap().0
    );
    assert!(
        !after.contains("alice") && after.ends_with("recipients=0"),
        "{after}"
    );
    // One transaction has ended; where there was none, there is nothing to tell.
    assert_eq!(reset.len(), 1, "{reset:?}");
    assert!(reset[0].ends_with("sender=None recipients=0"), "{reset:?}");
    let encrypted = all_seen(&gateway, "");
    let encrypted = encrypted.iter().filter(|(event, _)| event == "mail");
    let encrypted: Vec<_> = encrypted.map(|(_, facts)| facts).collect();
    assert!(
        encrypted[0].starts_with("true ESMTPSA TlsFacts"),
        "{encrypted:?}"
    );
    assert_eq!(encrypted[0], encrypted[1]);
}

#[test]
fn a_plugin_may_refuse_starttls() {
    let authority = Authority::new("tests");
    let setup = Setup::new().certified_by(&authority);
    let setup = setup.listener("tls = \"optional\"");
    let gateway = setup.plugin("10-sealed", "guests/sealed", "").start();
    let mut client = gateway.connect();
    client.expect("220 ");
    client.says("EHLO refuse", "250");
    client.says("STARTTLS", "454 4.7.0 not for you");
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("EHLO client.example", "250");
    client.says("STARTTLS", "220 ");
    client
        .handshake(&authority.client(), "mx.example.org")
        .unwrap();
    client.says("NOOP", "250");
}

#[test]
fn starttls_is_not_available_while_its_plugin_fails() {
    let behaviour = "trap@starttls";
    let rogue = Rogue::start(&[behaviour], "");
    let reply = rogue.provoke(behaviour);
    assert!(reply.starts_with("454 4.7.0 TLS not available"), "{reply}");
}

#[test]
fn certificates_of_clients_are_asked_for() {
    let authority = Authority::new("tests");
    let strangers = Authority::new("strangers");
    let own = authority.issue_to_client("alice@client.example");
    let strange = strangers.issue_to_client("mallory@client.example");
    for (mode, version) in [
        ("optional", "-tls1_3"),
        ("optional", "-tls1_2"),
        ("required", "-tls1_3"),
    ] {
        for (shown, expected) in [
            (Some(&own), Some(true)),
            (Some(&strange), (mode == "optional").then_some(false)),
            (None, None),
        ] {
            let setup = Setup::new().certified_by(&authority);
            let setup = setup.listener(&format!(
                "tls = \"implicit\"\nclient-certificates = \"{mode}\"\nclient-ca = \"ca.pem\""
            ));
            let gateway = setup.plugin("10-sealed", "guests/sealed", "").start();
            let mut command = s_client(gateway.address());
            command.arg(version);
            if let Some(shown) = shown {
                let (chain, key) = shown.write(gateway.directory(), "client");
                command.arg("-cert").arg(chain).arg("-key").arg(key);
            }
            let (_, said) = converse(&mut command, QUIT);
            let is_served = mode == "optional" || expected == Some(true);
            assert_eq!(said.contains("221 2.0.0"), is_served, "{mode}: {said}");
            let Some(verified) = expected else { continue };
            let seen = seen(&gateway, "helo");
            assert!(seen.contains(&format!("verified: {verified}")), "{seen}");
            let fingerprint = shown.unwrap().fingerprint();
            assert!(seen.contains(&fingerprint), "{seen}");
            let subject = if verified {
                "CN=alice@client.example"
            } else {
                "CN=mallory@client.example"
            };
            assert!(seen.contains(subject), "{seen}");
            let issuer = if verified { "CN=tests" } else { "CN=strangers" };
            assert!(seen.contains(&format!("issuer: \"{issuer}\"")), "{seen}");
        }
    }
}

#[test]
fn the_trace_line_says_how_a_message_came() {
    let authority = Authority::new("tests");
    let backend = Backend::working();
    let setup = Setup::new()
        .backend(&backend.smtp())
        .certified_by(&authority);
    let gateway = setup.listener("tls = \"optional\"").start();
    let config = authority.client();
    let mut client = Client::start_tls(gateway.address(), &config, "mx.example.org");
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(MESSAGE).starts_with("250"));
    let content = String::from_utf8(backend.taken().remove(0).content).unwrap();
    let unfolded = content.replace("\r\n ", " ").replace("\r\n\t", " ");
    let line = unfolded.lines().next().unwrap();
    assert!(line.starts_with("Received: from client.example "), "{line}");
    let using =
        "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384) by mx.example.org with ESMTPS id ";
    assert!(line.contains(using), "{line}");
}

#[test]
fn sessions_are_resumed() {
    let authority = Authority::new("tests");
    for version in ["-tls1_2", "-tls1_3"] {
        let gateway = start(&authority, "tls = \"implicit\"");
        let secrets = gateway.directory().join("session");
        let mut first = s_client(gateway.address());
        first.args([version, "-sess_out"]).arg(&secrets);
        let (_, said) = converse(&mut first, QUIT);
        assert!(secrets.exists(), "{version}: {said}");
        let mut second = s_client(gateway.address());
        second.args([version, "-sess_in"]).arg(&secrets);
        let (_, said) = converse(&mut second, QUIT);
        assert!(said.contains("221 2.0.0"), "{version}: {said}");
        let log = gateway.log();
        let encrypted = |line: &Value| line["message"] == "encrypted";
        let lines = log.wait_for_all("encrypted", 2, encrypted);
        let resumed: Vec<_> = lines.iter().map(|line| &line["resumed"]).collect();
        assert_eq!(resumed, [false, true], "{version}");
    }
}

#[test]
fn who_must_not_send_passwords_in_clear_may_over_tls() {
    let authority = Authority::new("tests");
    let setup = Setup::new().certified_by(&authority);
    let settings = "address = \"0.0.0.0:0\"\ntls = \"optional\"\nauth = \"optional\"";
    let gateway = setup.listener(settings).start();
    let local = ([127, 0, 0, 1], gateway.address().port()).into();
    let mut client = Client::greeted(local);
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "538 5.7.11 ");
    client.says("AUTH SCRAM-SHA-256 biwsbj1ub2JvZHkscj14", "538 5.7.11 ");
    let config = authority.client();
    let mut client = Client::start_tls(local, &config, "mx.example.org");
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "535 5.7.8 ");
}

#[test]
fn certificates_can_be_printed() {
    let authority = Authority::new("tests");
    let setup = Setup::new().certified_by(&authority);
    let issued = authority.issue(&["mx.example.org"]);
    issued.write(setup.directory(), "mx");
    let setup = setup.listener("tls = \"optional\"");
    let config = setup.write();
    let (is_well, told) = said(gateway().args(["certificate", "--config"]).arg(&config));
    assert!(is_well, "{told}");
    for part in [
        &*issued.fingerprint(),
        "mx.example.org",
        "listener main: mx",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let (_, pem) = said(
        gateway()
            .args(["certificate", "--pem", "--config"])
            .arg(&config),
    );
    assert_eq!(pem.replace('\r', ""), issued.certificate.replace('\r', ""));
}

#[test]
fn a_running_gateway_prints_the_certificate_that_it_has_made() {
    let setup = Setup::new().set(SOCKET).listener("tls = \"implicit\"");
    let certificate = |config: &Path, more: &[&str]| {
        let mut command = gateway();
        command.args(["certificate", "--config"]).arg(config);
        said(command.args(more))
    };
    // Where none runs, there is none that clients see.
    let config = setup.write();
    let (is_well, told) = certificate(&config, &[]);
    assert!(
        is_well && told.contains("is made anew at each start"),
        "{told}"
    );
    assert!(told.contains("no gateway listens on "), "{told}");
    let (is_well, told) = certificate(&config, &["--pem"]);
    assert!(!is_well && !told.contains("BEGIN"), "{told}");

    let gateway = setup.start();
    let (is_well, certificate_in_pem) = certificate(&config, &["--pem"]);
    assert!(is_well, "{certificate_in_pem}");
    let made = Issued {
        certificate: certificate_in_pem,
        key: String::new(),
    };
    gateway.log().wait_for("the fingerprint", |line| {
        line["certificate"] == "self-signed" && line["fingerprint"] == made.fingerprint()
    });
    let (_, told) = certificate(&config, &[]);
    assert!(told.contains(&made.fingerprint()), "{told}");
    assert!(told.ends_with("shown by the running gateway\n"), "{told}");
}
