//! Each limit of a listener: what is configured for it is enforced in place of the general one, and 0
//! switches it off, or is refused where the limit bounds memory or time.

use std::collections::BTreeMap;

use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup, program, repository};
use postgate_tests::peer::run;
use postgate_tests::player::script::sidecar;

/// A limit of a listener.
struct Limit {
    /// The general limit, other than the default. What the listener permits is beyond it.
    general: &'static str,
    /// The limit of the listener.
    own: &'static str,
    /// Other settings of the listener.
    listener: &'static str,
    /// Other limits of the listener.
    beside: &'static str,
    /// What a plugin answers, if there is one.
    answer: Option<&'static str>,
    /// Does what the own limit permits, then what it does not, and asserts that each has the reply that
    /// is due.
    check: fn(&Gateway, Bound),
}

/// What bounds a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// The limit of the listener.
    Own,
    /// Nothing: the limit is 0.
    Off,
}

const fn limit(general: &'static str, own: &'static str, check: fn(&Gateway, Bound)) -> Limit {
    Limit {
        general,
        own,
        listener: "",
        beside: "",
        answer: None,
        check,
    }
}

fn limits() -> BTreeMap<&'static str, Limit> {
    BTreeMap::from([
        ("message-size", limit("1000", "5000", message_size)),
        ("header-size", limit("1000", "5000", header_size)),
        ("text-line", limit("100", "2000", text_line)),
        ("endless-line", limit("3000", "9000", endless_line)),
        ("recipients", limit("1", "3", recipients)),
        ("errors", limit("1", "4", errors)),
        (
            "idle-commands",
            Limit {
                beside: "errors = 1",
                ..limit("2", "5", idle_commands)
            },
        ),
        (
            "refusals",
            Limit {
                beside: "errors = 1",
                ..limit("1", "2", refusals)
            },
        ),
        ("connections", limit("1", "2", connections)),
        (
            "connections-per-address",
            limit("1", "2", connections_per_address),
        ),
        ("connection-rate", limit("1", "3", connection_rate)),
        (
            "plugins-timeout",
            Limit {
                answer: Some("message edit delay 3600000"),
                ..limit("\"9m\"", "\"200ms\"", plugins_timeout)
            },
        ),
        ("slots", limit("1", "2", slots)),
        (
            "tarpit-after",
            Limit {
                beside: "tarpit = \"1h\"",
                ..limit("1", "2", tarpit_after)
            },
        ),
        (
            "tarpit",
            Limit {
                beside: "tarpit-after = 1",
                ..limit("\"1ms\"", "\"1h\"", tarpit)
            },
        ),
        (
            "command-timeout",
            limit("\"1h\"", "\"200ms\"", command_timeout),
        ),
        (
            "message-timeout",
            limit("\"1h\"", "\"200ms\"", message_timeout),
        ),
        (
            "write-timeout",
            Limit {
                beside: "idle-commands = 0",
                ..limit("\"1h\"", "\"200ms\"", write_timeout)
            },
        ),
        (
            "tls-timeout",
            Limit {
                listener: "tls = \"implicit\"",
                ..limit("\"1h\"", "\"200ms\"", tls_timeout)
            },
        ),
    ])
}

/// Limits that are the same for all listeners: they count across them, or are those of the process.
const OF_THE_GATEWAY: [&str; 6] = [
    "auth-failure-window",
    "auth-failures-per-account",
    "auth-failures-per-address",
    "plugin-cpu-per-client",
    "shutdown-grace",
    "spool-memory",
];

fn start(name: &str, limit: &Limit, own: &str) -> Gateway {
    let beside = match limit.beside {
        "" => String::new(),
        beside => format!(", {beside}"),
    };
    let setup = match limit.answer {
        Some(answer) => {
            let answer = answer.parse().expect("an answer");
            let sidecar = format!("limits.delay = \"2h\"\n{}", sidecar([&answer]));
            Setup::new().plugin("10-scripted", "guests/scripted", &sidecar)
        }
        None => Setup::new(),
    };
    setup
        .set(&format!("limits.{name} = {}", limit.general))
        .listener(&format!("limits = {{ {name} = {own}{beside} }}"))
        .listener(limit.listener)
        .start()
}

#[test]
fn the_limit_of_a_listener_is_enforced() {
    for (name, limit) in limits() {
        println!("{name} = {}", limit.own);
        (limit.check)(&start(name, &limit, limit.own), Bound::Own);
    }
}

#[test]
fn zero_switches_a_limit_off_or_is_refused() {
    let documented = documented();
    for (name, limit) in limits() {
        println!("{name} = 0");
        let none = match limit.own.starts_with('"') {
            true => "\"0s\"",
            false => "0",
        };
        if documented[name] == "above 0" {
            let setup = Setup::new().listener(&format!("limits = {{ {name} = {none} }}"));
            let output = run(program().args(["check", "--config"]).arg(setup.write()));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{name}: {said}");
            assert!(
                said.contains(&format!("listener[0].limits.{name}")),
                "{said}"
            );
        } else {
            (limit.check)(&start(name, &limit, none), Bound::Off);
        }
    }
}

#[test]
fn no_limit_is_left_out() {
    let mut documented = documented();
    for name in OF_THE_GATEWAY {
        documented.remove(name).expect("it is documented");
    }
    assert!(limits().into_keys().eq(documented.into_keys()));
}

/// The limits in the documentation, each with `above 0` if it cannot be 0.
fn documented() -> BTreeMap<String, &'static str> {
    let page = repository().join("docs/configuration.md");
    let page = std::fs::read_to_string(page).expect("the documentation");
    page.lines()
        .filter_map(|line| line.strip_prefix("| `limits."))
        .map(|row| {
            let cells: Vec<_> = row.split(" | ").collect();
            let name = cells[0].trim_end_matches('`').to_owned();
            match cells[1].contains(" above 0") {
                true => (name, "above 0"),
                false => (name, ""),
            }
        })
        .take_while(|(name, _)| name != "memory")
        .collect()
}

/// Sends a message, which must get the first reply if a limit is enforced, or else 250.
fn send(gateway: &Gateway, message: &[u8], bound: Bound, refusal: &str) {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let expected = match bound {
        Bound::Own => refusal,
        Bound::Off => "250",
    };
    let reply = client.message(message);
    assert!(reply.starts_with(expected), "{reply}");
    client.says("NOOP", "250");
}

fn message_size(gateway: &Gateway, bound: Bound) {
    let message = |size: usize| [b"A: b\r\n\r\n".to_vec(), b"a line\r\n".repeat(size / 8)].concat();
    send(gateway, &message(4_000), Bound::Off, "");
    send(gateway, &message(8_000), bound, "552 5.3.4");
    let mut client = gateway.connect();
    client.expect("220 ");
    let size = match bound {
        Bound::Own => "SIZE 5000",
        Bound::Off => "SIZE 0",
    };
    let greeting = client.ask("EHLO client.example");
    assert!(
        greeting.lines().any(|line| line.ends_with(size)),
        "{greeting}"
    );
}

fn header_size(gateway: &Gateway, bound: Bound) {
    let message = |size: usize| [b"A: bcdef\r\n".repeat(size / 10), b"\r\n".to_vec()].concat();
    send(gateway, &message(4_000), Bound::Off, "");
    send(gateway, &message(8_000), bound, "55");
}

/// The plugin has no time for the delay that it wants.
fn plugins_timeout(gateway: &Gateway, bound: Bound) {
    send(gateway, b"A: b\r\n\r\n", bound, "250 ");
    gateway
        .log()
        .wait_for_message("plugins would delay the client for too long");
}

fn text_line(gateway: &Gateway, bound: Bound) {
    let message = |size| {
        [
            b"A: b\r\n\r\n".to_vec(),
            b"x".repeat(size),
            b"\r\n".to_vec(),
        ]
        .concat()
    };
    send(gateway, &message(2_000), Bound::Off, "");
    send(gateway, &message(2_001), bound, "554 5.6.0");
}

fn endless_line(gateway: &Gateway, _: Bound) {
    let mut client = Client::greeted(gateway.address());
    client.write(&b"x".repeat(8_000));
    client.write(b"\r\n");
    client.expect("500 5.5.2");
    client.write(&b"x".repeat(20_000));
    client.expect("421 ");
    client.expect_close();
}

fn recipients(gateway: &Gateway, _: Bound) {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["a@example.org", "b@example.org"]);
    client.says("RCPT TO:<c@example.org>", "250");
    client.says("RCPT TO:<d@example.org>", "452 4.5.3");
}

fn errors(gateway: &Gateway, bound: Bound) {
    let mut client = Client::greeted(gateway.address());
    for _ in 0..4 {
        client.says("OINK", "500 5.5.1");
    }
    match bound {
        Bound::Own => _ = client.expect("421 4.7.0"),
        Bound::Off => (0..20).for_each(|_| _ = client.says("OINK", "500 5.5.1")),
    }
}

fn idle_commands(gateway: &Gateway, bound: Bound) {
    let mut client = Client::greeted(gateway.address());
    // EHLO was the first of five.
    for _ in 0..4 {
        client.says("NOOP", "250");
    }
    match bound {
        Bound::Own => _ = client.says("NOOP", "421 4.7.0"),
        Bound::Off => (0..20).for_each(|_| _ = client.says("NOOP", "250")),
    }
}

fn refusals(gateway: &Gateway, bound: Bound) {
    let mut client = Client::greeted(gateway.address());
    let mut refused = |count: usize| {
        for _ in 0..count {
            client.envelope("alice@client.example", &["bob@example.org"]);
            client.says("DATA", "354");
            client.write(b"one\ntwo\r\n.\r\n");
            client.expect("550 5.6.11");
        }
    };
    match bound {
        Bound::Own => {
            refused(3);
            client.expect("421 4.7.0");
        }
        Bound::Off => refused(20),
    }
}

/// Clients that have their banner, and the reply to one more.
fn one_more(gateway: &Gateway, count: usize) -> String {
    let clients: Vec<_> = (0..count)
        .map(|_| Client::greeted(gateway.address()))
        .collect();
    let reply = gateway.connect().reply();
    drop(clients);
    reply
}

fn connections(gateway: &Gateway, _: Bound) {
    let reply = one_more(gateway, 2);
    assert!(reply.starts_with("421 4.3.2"), "{reply}");
}

fn connections_per_address(gateway: &Gateway, bound: Bound) {
    let reply = one_more(gateway, 2);
    let expected = match bound {
        Bound::Own => "421 4.7.0",
        Bound::Off => "220 ",
    };
    assert!(reply.starts_with(expected), "{reply}");
}

fn connection_rate(gateway: &Gateway, bound: Bound) {
    for _ in 0..3 {
        Client::greeted(gateway.address()).says("QUIT", "221");
    }
    let reply = gateway.connect().reply();
    let expected = match bound {
        Bound::Own => "421 4.7.0",
        Bound::Off => "220 ",
    };
    assert!(reply.starts_with(expected), "{reply}");
}

fn slots(gateway: &Gateway, bound: Bound) {
    let mut first = Client::greeted(gateway.address());
    let mut second = Client::greeted(gateway.address());
    let mut third = gateway.connect();
    if bound == Bound::Own {
        first.says("NOOP", "250");
        second.says("NOOP", "250");
        assert!(third.has_heard_nothing());
        second.says("QUIT", "221");
    }
    third.expect("220 ");
}

/// Makes mistakes, each of which is answered. Then the session is delayed by an hour if the number of
/// mistakes is beyond the limit.
fn mistakes(gateway: &Gateway, count: usize, is_delayed: bool) {
    let mut client = Client::greeted(gateway.address());
    for _ in 0..count {
        client.says("OINK", "500 5.5.1");
    }
    match is_delayed {
        true => {
            client.send("NOOP");
            let mut other = Client::greeted(gateway.address());
            (0..100).for_each(|_| _ = other.says("NOOP", "250"));
            assert!(client.has_heard_nothing());
        }
        false => _ = client.says("NOOP", "250"),
    }
}

fn tarpit_after(gateway: &Gateway, bound: Bound) {
    mistakes(gateway, 2, false);
    mistakes(gateway, 3, bound == Bound::Own);
}

fn tarpit(gateway: &Gateway, bound: Bound) {
    mistakes(gateway, 1, false);
    mistakes(gateway, 2, bound == Bound::Own);
}

fn command_timeout(gateway: &Gateway, _: Bound) {
    let mut client = gateway.connect();
    client.expect("220 ");
    client.expect("421 4.4.2");
    client.expect_close();
}

fn message_timeout(gateway: &Gateway, _: Bound) {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.says("DATA", "354");
    client.expect("421 4.4.2");
    client.expect_close();
}

fn write_timeout(gateway: &Gateway, _: Bound) {
    let mut client = gateway.connect();
    client.expect("220 ");
    let commands = b"HELP\r\n".repeat(10_000);
    client.write_until_closed(&commands);
}

fn tls_timeout(gateway: &Gateway, _: Bound) {
    gateway.connect().expect_close();
}
