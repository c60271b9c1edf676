//! Where the gateway listens, and what it says of it.

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup, program};
use postgate_tests::log::Log;
use postgate_tests::peer::{free_address, run};
use postgate_tests::process::listening_sockets;
use serde_json::Value;
use tempfile::TempDir;

fn two_listeners(first: &str, second: &str) -> String {
    format!("listener = [{{ name = \"first\", {first} }}, {{ name = \"second\", {second} }}]")
}

/// What the recorder has seen of connections.
fn connections(gateway: &Gateway, count: usize) -> Vec<String> {
    let is_connect = |line: &Value| {
        line["plugin"] == "10-recorder" && line["says"].to_string().contains("connect ")
    };
    let lines = gateway.log().wait_for_all("connections", count, |line| {
        is_connect(line) && !line["says"].to_string().contains("disconnect")
    });
    lines.iter().map(|line| line["says"].to_string()).collect()
}

/// `check` says where a gateway would listen, without taking the port.
#[test]
fn an_empty_configuration_listens_on_loopback_only() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("empty.toml");
    std::fs::write(&file, "").unwrap();
    let output = run(program().args(["check", "--config"]).arg(&file));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let listening: Vec<_> = said.lines().filter(|line| line.contains(":2525")).collect();
    assert_eq!(listening.len(), 1, "{said}");
    assert!(listening[0].contains("127.0.0.1:2525"), "{said}");
    assert!(!said.contains("0.0.0.0"), "{said}");
}

/// The sockets of the process say where it listens. It has a network of its own, so that the port of the
/// default address is free.
#[test]
fn with_an_empty_configuration_no_socket_listens_elsewhere() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("empty.toml");
    std::fs::write(&file, "").unwrap();
    let mut child = Command::new("unshare")
        .args([
            "--net",
            "sh",
            "-c",
            "ip link set lo up && exec \"$0\" \"$@\"",
        ])
        .arg(program().get_program())
        .args(["serve", "--log-format", "json", "--config"])
        .arg(&file)
        .current_dir(directory.path())
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare is there");
    let log = Log::collect(child.stderr.take().expect("stderr is piped"));
    log.wait_for_message("listening");
    let sockets = listening_sockets(child.id());
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(sockets, ["tcp 127.0.0.1:2525"]);
}

#[test]
fn each_listener_has_its_own_settings() {
    let gateway = Setup::new()
        .set(&two_listeners(
            "address = \"127.0.0.1:0\", banner = \"ESMTP one\"",
            "address = \"127.0.0.1:0\", banner = \"ESMTP two\", strict-mail = true",
        ))
        .plugin("10-recorder", "guests/recorder", "")
        .start();
    for (name, mail) in [("first", "250"), ("second", "501 5.5.4")] {
        let address = gateway.address_of(name);
        let mut client = Client::connect(address);
        let banner = match name {
            "first" => "220 mx.example.org ESMTP one",
            _ => "220 mx.example.org ESMTP two",
        };
        assert_eq!(client.reply(), banner);
        client.says("EHLO client.example", "250");
        client.says("MAIL FROM: <alice@client.example>", mail);
    }
    let connections = connections(&gateway, 2);
    for (name, connection) in ["first", "second"].into_iter().zip(&connections) {
        let port = format!("port={}", gateway.address_of(name).port());
        assert!(
            connection.contains(&format!("listener={name}")),
            "{connections:?}"
        );
        assert!(connection.contains(&port), "{connections:?}");
    }
}

#[test]
fn ipv6_is_served() {
    let gateway = Setup::new()
        .listener("address = \"[::1]:0\"")
        .plugin("10-recorder", "guests/recorder", "")
        .start();
    assert!(gateway.address().is_ipv6());
    Client::greeted(gateway.address());
    let connections = connections(&gateway, 1);
    assert!(connections[0].contains("connect ::1 "), "{connections:?}");
}

#[test]
fn all_interfaces_and_names_can_be_listened_on() {
    let gateway = Setup::new().listener("address = \"0.0.0.0:0\"").start();
    let port = gateway.address().port();
    for host in [[127, 0, 0, 1], [127, 9, 9, 9]] {
        Client::greeted(SocketAddr::from((host, port)));
    }
    let gateway = Setup::new().listener("address = \"localhost:0\"").start();
    assert!(gateway.address().ip().is_loopback());
    Client::greeted(gateway.address());
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = free_address();
    let _holder = std::net::TcpListener::bind(taken).unwrap();
    let setup = Setup::new().listener(&format!("address = \"{taken}\""));
    let output = run(program().args(["serve", "--config"]).arg(setup.write()));
    assert_ne!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&taken.to_string()), "{said}");
}

#[test]
fn start_and_end_are_logged() {
    let mut gateway = Setup::new()
        .set(&two_listeners(
            "address = \"127.0.0.1:0\"",
            "address = \"127.0.0.1:0\"",
        ))
        .start();
    let lines = gateway
        .log()
        .wait_for_all("listening", 2, |line| line["message"] == "listening");
    for line in lines {
        assert_eq!(line["hostname"], "mx.example.org");
        assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
        let address: SocketAddr = line["address"].as_str().unwrap().parse().unwrap();
        assert!(TcpStream::connect(address).is_ok());
    }
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
    gateway.log().wait_for_message("stopped");
}

/// An operator sees whom the gateway relays for, and that it relays at all.
#[test]
fn relaying_is_logged() {
    let gateway = Setup::new().start();
    let line = gateway.log().wait_for_message("relaying is on");
    assert!(
        line["domains"].to_string().contains("example.org"),
        "{line}"
    );
    let gateway = Setup::new().set("relay.domains = []").start();
    Client::greeted(gateway.address()).says("QUIT", "221");
    let lines = gateway
        .log()
        .find(|line| line["message"] == "relaying is on");
    assert_eq!(lines, [Value::Null; 0]);
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "550 5.7.1");
}

/// The system would refuse the second one, and `serve` would blame another program.
#[test]
fn addresses_that_overlap_are_mistakes() {
    let port = free_address().port();
    for (first, second) in [
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", "*"),
        ("[::]", "[::1]"),
        ("localhost", "0.0.0.0"),
    ] {
        let settings = two_listeners(
            &format!("address = \"{first}:{port}\""),
            &format!("address = \"{second}:{port}\""),
        );
        let file = Setup::new().set(&settings);
        for command in ["check", "serve"] {
            let output = run(program().args([command, "--config"]).arg(file.write()));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{first} {second}: {said}");
            assert!(said.contains("listener[1].address"), "{said}");
            assert!(said.contains("overlaps"), "{said}");
        }
    }
    // Different families do not overlap, and neither do different addresses.
    let settings = two_listeners(
        &format!("address = \"0.0.0.0:{port}\""),
        &format!("address = \"[::1]:{port}\""),
    );
    let setup = Setup::new().set(&settings);
    let output = run(program().args(["check", "--config"]).arg(setup.write()));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Mistakes of each kind, each found before anything is bound: the address is taken, which is an error of
/// another kind as soon as it is tried.
#[test]
fn mistakes_end_the_start() {
    let taken = free_address();
    let _holder = std::net::TcpListener::bind(taken).unwrap();
    let auth = "auth = \"optional\"\nauth-in-clear = true\n";
    let unsupported = format!("{auth}auth-mechanisms = [\"NTLM\"]");
    let certificate = "[{ name = \"mx\", chain = \"missing.pem\" }]";
    let of_the_listener = [
        ("proxy = \"sometimes\"", "listener[0].proxy"),
        ("proxy = \"required\"", "listener[0].proxy"),
        ("auth = \"optional\"", "listener[0].auth"),
        ("line-endings = \"lax\"", "listener[0].line-endings"),
        ("bannner = \"x\"", "listener[0].bannner"),
        ("limits = { slots = 20, connections = 10 }", "slots"),
        (unsupported.as_str(), "listener[0].auth-mechanisms"),
        (
            "tls = \"optional\"\nclient-certificates = \"optional\"\nclient-ca = \"missing.pem\"",
            "missing.pem",
        ),
    ];
    let general = [
        (format!("certificate = {certificate}\n"), "missing.pem"),
        ("limits.message-sise = 1".to_owned(), "limits.message-sise"),
        (
            "plugins.directory = \"nowhere\"".to_owned(),
            "plugins.directory",
        ),
        ("log.level = \"loud\"".to_owned(), "log.level"),
    ];
    let setup = || Setup::new().listener(&format!("address = \"{taken}\""));
    let of_the_listener = of_the_listener
        .into_iter()
        .map(|(settings, sign)| (setup().listener(settings), settings.to_owned(), sign));
    let general = general.into_iter().map(|(settings, sign)| {
        (
            setup().listener("tls = \"optional\"").set(&settings),
            settings,
            sign,
        )
    });
    for (setup, settings, sign) in of_the_listener.chain(general) {
        let (code, said) = serve(&setup);
        assert_eq!(code, Some(64), "{settings}: {said}");
        assert!(said.contains(sign), "{settings}: {said}");
        assert!(!said.contains("cannot listen"), "{settings}: {said}");
    }
    let (code, said) = serve(&setup());
    assert_ne!(code, Some(64), "{said}");
    assert!(said.contains("cannot listen"), "{said}");
}

/// The exit code of `serve`, and what it said.
fn serve(setup: &Setup) -> (Option<i32>, String) {
    let output = run(program()
        .args(["serve", "--config"])
        .arg(setup.write())
        .current_dir(setup.directory()));
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said.into_owned())
}

/// Every address of a name, as the machine has them.
#[test]
fn every_address_of_a_name_is_listened_on() {
    let script = "printf '127.0.0.2 many.example\\n127.0.0.3 many.example\\n::1 many.example\\n' > hosts && \
        mount --bind hosts /etc/hosts && exec \"$0\" \"$@\"";
    let gateway = Setup::new()
        .set("listener = [{ name = \"main\", address = \"many.example:0\" }]")
        .under(&["unshare", "--mount", "sh", "-c", script])
        .start();
    let lines = gateway
        .log()
        .wait_for_all("listeners", 3, |line| line["message"] == "listening");
    let mut bound: Vec<_> = lines
        .iter()
        .filter_map(|line| line["address"].as_str()?.parse::<SocketAddr>().ok())
        .map(|address| address.ip().to_string())
        .collect();
    bound.sort();
    assert_eq!(bound, ["127.0.0.2", "127.0.0.3", "::1"]);
}
