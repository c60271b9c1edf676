//! The contract from Rust, C, Python and JavaScript: the same policy in all four, and guests that
//! misbehave as their languages do.

use std::fs;
use std::sync::{Mutex, PoisonError};

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::dialog::Dialog;
use postgate_tests::gateway::{Gateway, Setup, guest_file, program, repository};
use postgate_tests::mail::{fields, split};
use postgate_tests::peer::run;
use postgate_tests::player::play;
use postgate_tests::player::wire::Wire;

/// Each language, and the directory of its example.
const LANGUAGES: [(&str, &str); 4] = [
    ("rust", "02-rust"),
    ("c", "03-c"),
    ("python", "04-python"),
    ("javascript", "05-javascript"),
];

/// A gateway with one plugin, and the backend behind it. Compiling a guest in Python takes long on a
/// busy machine: it is done once, by a program for which nobody waits with a clock, and from then on
/// the plugin comes out of the cache.
fn start(guest: &str, sidecar: &str) -> (Gateway, Backend) {
    static STARTING: Mutex<()> = Mutex::new(());
    let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let backend = Backend::working();
    let setup = Setup::new().plugin("10-guest", guest, sidecar);
    let setup = setup.backend(&backend.smtp());
    run(program().args(["check", "--config"]).arg(setup.write()));
    (setup.start(), backend)
}

/// The same policy with its own sidecar.
fn example((language, directory): (&str, &str)) -> (Gateway, Backend) {
    start(&format!("examples/caution-{language}"), &sidecar(directory))
}

fn sidecar(directory: &str) -> String {
    let file = repository().join("examples").join(directory);
    fs::read_to_string(file.join("caution.toml")).expect("an example has a sidecar")
}

#[test]
fn the_dialog_goes_the_same_way_in_each_language() {
    let file = repository().join("examples/caution.smtp");
    let dialogs = Dialog::load(&file).unwrap_or_else(|error| panic!("{error}"));
    for language in LANGUAGES {
        let (gateway, _backend) = example(language);
        for dialog in &dialogs {
            let played = play(dialog, &mut Wire::connect(gateway.address()));
            assert!(played.is_ok(), "{language:?}: {}", played.unwrap_err());
        }
    }
}

/// A message, and the fields that it arrives with.
struct Edited {
    message: &'static str,
    fields: &'static [&'static str],
}

const EDITED: [Edited; 4] = [
    Edited {
        message: "Subject: hello\r\n\r\nPlease send a Gift Card\r\nat once.\r\n",
        fields: &["Subject: hello", "X-Caution: mentions \"gift card\""],
    },
    Edited {
        message: "Subject: hello\r\n\r\nat noon?\r\n",
        fields: &["Subject: hello"],
    },
    // Nobody but the plugin says so.
    Edited {
        message: "x-caution: none\r\nSubject: hello\r\nX-Caution: too\r\n\r\nat noon?\r\n",
        fields: &["Subject: hello"],
    },
    // The octets do not show it: base64, in UTF-16.
    Edited {
        message: "Subject: hello\r\nMIME-Version: 1.0\r\n\
            Content-Type: text/plain; charset=utf-16le\r\n\
            Content-Transfer-Encoding: base64\r\n\r\n\
            YQAgAGcAaQBmAHQAIABjAGEAcgBkAA==\r\n",
        fields: &[
            "Subject: hello",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-16le",
            "Content-Transfer-Encoding: base64",
            "X-Caution: mentions \"gift card\"",
        ],
    },
];

#[test]
fn each_language_makes_the_same_edits() {
    for language in LANGUAGES {
        let (gateway, backend) = example(language);
        for edited in &EDITED {
            let mut client = Client::greeted(gateway.address());
            client.envelope("alice@client.example", &["bob@example.org"]);
            let reply = client.message(edited.message.as_bytes());
            assert!(reply.starts_with("250"), "{language:?}: {reply}");
        }
        for (edited, arrived) in EDITED.iter().zip(backend.taken()) {
            let mut fields = fields(&arrived.content);
            fields.retain(|field| !field.starts_with("Received:"));
            assert_eq!(fields, edited.fields, "{language:?}: {}", edited.message);
            let sent = split(edited.message.as_bytes());
            assert_eq!(split(&arrived.content).1, sent.1, "{language:?}");
        }
    }
}

#[test]
fn a_mistake_in_the_configuration_keeps_each_out() {
    for (language, directory) in LANGUAGES {
        let sidecar = sidecar(directory).replace("gift card", "");
        let setup = Setup::new().plugin(
            "10-guest",
            &format!("examples/caution-{language}"),
            &sidecar,
        );
        let output = run(program().args(["check", "--config"]).arg(setup.write()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{language}: {said}");
        assert!(said.contains("config.phrase"), "{language}: {said}");
    }
}

/// Asks a guest for one deed, in a session of its own.
fn ask(gateway: &Gateway, deed: &str) -> String {
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client
        .ask(&format!("RCPT TO:<{deed}@example.org>"))
        .to_string()
}

/// A deed that fails, and what the log says about it.
const FAILURES: [(&str, &str, &str); 8] = [
    ("python", "raise", "ValueError: not today"),
    ("python", "loop", "exceeded limits.cpu"),
    ("python", "hoard", "exceeded limits.memory"),
    ("python", "exit", "trapped"),
    ("python", "sleep", "exceeded limits.wall"),
    ("javascript", "throw", "not today"),
    ("javascript", "loop", "exceeded limits.cpu"),
    ("javascript", "hoard", "exceeded limits.memory"),
];

#[test]
fn an_exception_costs_its_own_session_only() {
    let python = start(
        "guests/misbehaves-python",
        "breaker.failures = 0\nlimits.cpu = \"1s\"\nlimits.wall = \"10s\"",
    );
    // Filling a memory takes an interpreter some time.
    let javascript = start(
        "guests/misbehaves-javascript",
        "breaker.failures = 0\nlimits.cpu = \"1s\"\nlimits.wall = \"10s\"",
    );
    for (language, deed, expected) in FAILURES {
        let (gateway, _) = match language {
            "python" => &python,
            _ => &javascript,
        };
        let reply = ask(gateway, deed);
        assert!(reply.starts_with("451 4.3.0"), "{language} {deed}: {reply}");
        gateway.log().wait_for(expected, |line| {
            line["level"] == "WARN" && line.to_string().contains(expected)
        });
        // The next session has an instance of its own.
        let reply = ask(gateway, "clock");
        assert!(reply.starts_with("550"), "{language} after {deed}: {reply}");
    }
}

#[test]
fn nothing_of_wasi_is_granted() {
    let (gateway, _backend) = start("guests/misbehaves-python", "");
    let table = [
        ("file", "denied"),
        ("directory", "denied"),
        ("write", "denied"),
        ("tcp", "denied"),
        ("udp", "denied"),
        ("name", "denied"),
        ("environment", "0 variables, 0 arguments"),
        ("clock", "0.0 0.0"),
    ];
    for (deed, expected) in table {
        let reply = ask(&gateway, deed);
        assert!(reply.ends_with(expected), "{deed}: {reply}");
    }
    // Without the grant, chance repeats itself.
    assert_eq!(ask(&gateway, "random"), ask(&gateway, "random"));
}

#[test]
fn clock_and_chance_can_be_granted() {
    let granted = "grants = [\"clock\", \"random\"]";
    let (gateway, _backend) = start("guests/misbehaves-python", granted);
    let clock = ask(&gateway, "clock");
    assert!(!clock.ends_with("0.0 0.0"), "{clock}");
    assert_ne!(ask(&gateway, "random"), ask(&gateway, "random"));
}

#[test]
fn what_is_printed_goes_to_the_log() {
    let (gateway, _backend) = start("guests/misbehaves-python", "");
    assert!(ask(&gateway, "print").starts_with("550"));
    for (level, text) in [("INFO", "to the output"), ("WARN", "to the error\\\\u{7}")] {
        gateway.log().wait_for(text, |line| {
            line["level"] == level
                && line["plugin"] == "10-guest"
                && line["says"].to_string().contains(text)
        });
    }
    let says = |line: &serde_json::Value| line["says"].is_string();
    let before = gateway.log().find(says).len();
    assert!(ask(&gateway, "flood").starts_with("550"));
    gateway.log().wait_for("a count of dropped lines", |line| {
        line["plugin"] == "10-guest" && line["dropped"].is_u64()
    });
    assert_eq!(gateway.log().find(says).len() - before, 64);
}

/// The C library speaks an older WASI, which is translated when the plugin is loaded.
#[test]
fn a_c_library_prints_to_the_log() {
    let (gateway, _backend) = start("guests/prints-c", "");
    assert!(ask(&gateway, "bob").starts_with("250"));
    for text in ["for bob@example.org", "0 parameters, file denied"] {
        gateway
            .log()
            .wait_for(text, |line| line.to_string().contains(text));
    }
}

/// The sizes that `plugins/README.md` compares are about those of the components.
#[test]
fn the_sizes_in_the_documents_are_about_right() {
    let page = repository().join("plugins/README.md");
    let text = fs::read_to_string(page).expect("the page can be read");
    for (language, directory) in LANGUAGES {
        let row = text.split_once(&format!("](../examples/{directory}) | "));
        let size = row.and_then(|(_, cells)| cells.split_once(" |"));
        let (number, unit) = size
            .and_then(|(size, _)| size.split_once(' '))
            .expect("a size with its unit");
        let unit = if unit == "MiB" { 1 << 20 } else { 1 << 10 };
        let documented = number.parse::<f64>().expect("a number") * f64::from(unit);
        let file = guest_file(&format!("examples/caution-{language}"));
        let size = fs::metadata(file).expect("a component").len();
        let ratio = size as f64 / documented;
        assert!((0.75..1.33).contains(&ratio), "{language}: {size} octets");
    }
}

/// The declarations that are checked in are those that the contract gives today.
#[test]
fn the_types_for_javascript_are_current() {
    let directory = repository().join("target/languages/built/caution-javascript");
    assert!(directory.exists(), "run scripts/build-languages");
    let shown = repository().join("examples/05-javascript/types");
    let mut pairs = vec![(
        shown.join("plugin.d.ts"),
        directory.join("types/plugin.d.ts"),
    )];
    let interfaces = fs::read_dir(shown.join("interfaces")).expect("declarations");
    for entry in interfaces {
        let name = entry.expect("an entry").file_name();
        pairs.push((
            shown.join("interfaces").join(&name),
            directory.join("types/interfaces").join(&name),
        ));
    }
    for (checked_in, made) in pairs {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        assert!(
            read(&checked_in) == read(&made),
            "{} is out of date; copy {} there",
            checked_in.display(),
            made.display()
        );
    }
}
