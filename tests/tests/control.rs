//! The control socket: what a running gateway tells its operator, and nobody else.

use std::fs;
use std::io::Write as _;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Output;

use postgate_tests::client::Client;
use postgate_tests::control::{SOCKET, say, socket};
use postgate_tests::gateway::{Gateway, Setup, program, repository};
use postgate_tests::peer::run;
use serde_json::Value;

fn postgate(gateway: &Gateway, arguments: &[&str]) -> Output {
    let config = gateway.directory().join("postgate.toml");
    run(program().args(arguments).arg("--config").arg(config))
}

fn said(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams
        .map(|stream| String::from_utf8_lossy(stream).into_owned())
        .concat()
}

#[test]
fn the_plugins_of_a_running_gateway_can_be_listed() {
    let sidecar = "grants = [\"store\"]\nevents = [\"rcpt\"]";
    let gateway = Setup::new()
        .set(SOCKET)
        .plugin(
            "20-verdicts",
            "guests/verdicts",
            "events = [\"mail\", \"rcpt\"]",
        )
        .plugin("10-store", "guests/ungranted", sidecar)
        .start();
    let output = postgate(&gateway, &["plugin", "list"]);
    let table = said(&output);
    assert_eq!(output.status.code(), Some(0), "{table}");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 3, "{table}");
    let documented = include_str!("../../docs/operations.md");
    let documented = documented.lines().find(|line| line.starts_with("NAME "));
    let documented: Vec<&str> = documented.unwrap_or_default().split_whitespace().collect();
    assert_eq!(rows[0], documented, "{table}");
    assert_eq!(rows[1][..2], ["10-store", "active"]);
    assert_eq!(rows[1][5..], ["store", "rcpt"]);
    assert_eq!(rows[2][..2], ["20-verdicts", "active"]);
    assert_eq!(rows[2][5..], ["-", "mail,rcpt"]);

    let output = postgate(&gateway, &["plugin", "list", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["generation"], 1, "{json}");
    let plugin = &json["plugins"][0];
    assert_eq!(plugin["name"], "10-store");
    assert_eq!(plugin["generation"], 1);
    assert_eq!(plugin["error"], Value::Null);
    let hash = plugin["sha256"].as_str().unwrap();
    assert_eq!(hash.len(), 64);
    assert_eq!(rows[1][4], &hash[..12]);
}

#[test]
fn without_a_gateway_it_says_so() {
    let setup = Setup::new().set(SOCKET);
    let config = setup.write();
    let list = |config| run(program().args(["plugin", "list", "--config"]).arg(config));
    let output = list(&config);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("no gateway listens here"));
    assert!(said(&output).contains("run/control.sock"));

    let setup = Setup::new();
    let output = list(&setup.write());
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).contains("control.socket"));
}

#[test]
fn the_socket_is_for_its_owner_and_for_one_gateway() {
    let mut gateway = Setup::new().set(SOCKET).start();
    let socket = socket(&gateway);
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let second = Setup::new().set(&format!("control.socket = {socket:?}"));
    let output = run(program().args(["serve", "--config"]).arg(second.write()));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("another gateway listens on it"));

    gateway.terminate();
    gateway.wait();
    assert!(!socket.exists(), "the socket is left behind");
}

/// Whatever comes, there is an answer of one line, and the gateway stays.
#[test]
fn nonsense_is_answered() {
    let gateway = Setup::new().set(SOCKET).start();
    let ask = |octets: &[u8]| say(&gateway, octets);
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"{}\n",
        b"{\"request\":\"no-such\"}\n",
        b"\xff\xfe\n",
        b"[\n",
        // Longer than any request: not kept.
        &[b'x'; 4 << 10],
    ] {
        assert_eq!(ask(nonsense)["response"], "error");
    }
    let good = ask(b"{\"request\":\"plugin-list\"}\n");
    assert_eq!(good["response"], "plugins", "{good}");
    assert_eq!(ask(b"{\"request\":\"plugin-list\"}\n")["generation"], 0);
}

/// Whatever they do, the next one is answered.
#[test]
fn clients_that_are_in_no_hurry_hold_up_nobody() {
    let gateway = Setup::new().set(SOCKET).start();
    let connect = || UnixStream::connect(socket(&gateway)).expect("the gateway can be asked");
    let mut slow: Vec<_> = (0..50).map(|_| connect()).collect();
    for number in 0..50 {
        let mut stream = connect();
        match number % 5 {
            // It never reads, and asks until nobody reads from it either.
            0 | 1 => {
                stream.set_nonblocking(true).expect("a setting");
                while stream.write(b"{\"request\":\"metrics\"}\n").is_ok() {}
            }
            // It does not end its request.
            2 => _ = stream.write(b"{\"request\":"),
            // It says nothing, and that it says nothing more.
            3 => _ = stream.shutdown(Shutdown::Write),
            // It says something else.
            _ => _ = stream.write(&[0xFF; 1_000]),
        }
        slow.push(stream);
        let list = say(&gateway, b"{\"request\":\"plugin-list\"}\n");
        assert_eq!(list["response"], "plugins", "{list}");
    }
    for arguments in [&["metrics"][..], &["plugin", "reload"]] {
        let output = postgate(&gateway, arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    assert_eq!(slow.len(), 100);
}

#[test]
fn what_a_running_gateway_counts_can_be_read() {
    let gateway = Setup::new()
        .set(SOCKET)
        .plugin("10-counter", "guests/counter", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "550");
    let output = postgate(&gateway, &["metrics"]);
    let metrics = said(&output);
    assert_eq!(output.status.code(), Some(0), "{metrics}");
    for line in [
        "postgate_sessions 1",
        "postgate_plugin_call_seconds_count{plugin=\"10-counter\",event=\"rcpt\"} 1",
        "postgate_plugin_instances{plugin=\"10-counter\"} 1",
        "postgate_plugin_breaker_open{plugin=\"10-counter\"} 0",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}:\n{metrics}");
    }
    let documents = ["docs/operations.md", "plugins/README.md"]
        .map(|file| fs::read_to_string(repository().join(file)).expect("a document"))
        .concat();
    let counted: Vec<_> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    assert!(!counted.is_empty(), "{metrics}");
    for name in counted {
        assert!(documents.contains(&format!("`{name}")), "{name}");
    }
}
