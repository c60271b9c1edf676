//! Mistakes that only the machine can tell, at the key that asks for what is not there.

use std::fs;

use super::*;

/// The mistakes of a file in a directory, without the path of the directory.
fn mistakes(directory: &Path, text: &str) -> Vec<String> {
    let file = directory.join("c.toml");
    fs::write(&file, format!("hostname = \"mx.example.org\"\n{text}")).unwrap();
    let errors = match Config::load(&file, &Overrides::default()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors,
    };
    let prefix = format!("{}/", directory.display());
    let shown = errors
        .iter()
        .map(|error| error.to_string().replace(&prefix, ""));
    shown.collect()
}

#[test]
fn what_cannot_be_made_is_a_mistake() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("plain"), "").unwrap();
    fs::create_dir_all(directory.path().join("mail/new")).unwrap();
    fs::write(directory.path().join("mail/tmp"), "").unwrap();
    let table = [
        (
            "auth-secret-file = \"no/where\"",
            "2: auth-secret-file: no/where cannot be made: there is no directory no;",
        ),
        ("auth-secret-file = \"plain/x\"", ""),
        ("auth-secret-file = \"new\"", ""),
        (
            "[control]\nsocket = \"plain\"",
            "3: control.socket: plain is there and is no socket",
        ),
        (
            "[control]\nsocket = \"plain/s\"",
            "3: control.socket: plain cannot be used: plain is no directory",
        ),
        (
            "[control]\nsocket = \"/proc/x/s\"",
            "3: control.socket: /proc/x cannot be made: cannot write in /proc",
        ),
        ("[control]\nsocket = \"new/dir/s\"", ""),
        (
            "[plugins]\ncache = \"/proc/x\"",
            "3: plugins.cache: /proc/x cannot be made",
        ),
        (
            "[plugins]\ncache = \"plain\"",
            "3: plugins.cache: plain cannot be used",
        ),
        ("[plugins]\ncache = \"cache\"", ""),
        (
            "[quarantine]\nmaildir = \"plain\"",
            "3: quarantine.maildir: plain cannot be used",
        ),
        (
            "[quarantine]\nmaildir = \"mail\"",
            "3: quarantine.maildir: mail/tmp is no directory",
        ),
        (
            "[[backend]]\naddress = \"maildir:plain\"",
            "3: backend[0].address: plain cannot be used",
        ),
        (
            "[[backend]]\naddress = \"maildir:/proc/x\"",
            "3: backend[0].address: /proc/x cannot be made",
        ),
        ("[[backend]]\naddress = \"maildir:new/mail\"", ""),
        (
            "[[listener]]\naddress = \"192.0.2.1:25\"",
            "3: listener[0].address: 192.0.2.1 is no address of this machine: ",
        ),
        ("[[listener]]\naddress = \"127.0.0.1:25\"", ""),
    ];
    for (text, expected) in table {
        let found = mistakes(directory.path(), text);
        match (expected, found.as_slice()) {
            ("", []) => {}
            (expected, [only]) if !expected.is_empty() => {
                let expected = format!("c.toml:{expected}");
                assert!(only.starts_with(&expected), "{text}: {only}");
            }
            _ => panic!("{text}: {found:?}"),
        }
    }
    // None of this leaves anything behind.
    let mut left: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["c.toml", "mail", "plain"]);
}

/// One mistake hides no other, and a table that is read again has its unknown keys once.
#[test]
fn the_machine_and_the_file_are_checked_together() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[plugins]\ncache = \"/proc/x\"\noops = 1\n[[listener]]\naddress = \"192.0.2.1:25\"\n\
                auth = \"maybe\"\n[control]\nsocket = \"/proc/x/s\"\nmore = 1\n";
    let found = mistakes(directory.path(), text);
    let keys: Vec<_> = found
        .iter()
        .map(|text| text.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        keys,
        [
            "c.toml:3 plugins.cache",
            "c.toml:4 plugins.oops",
            "c.toml:6 listener[0].address",
            "c.toml:7 listener[0].auth",
            "c.toml:9 control.socket",
            "c.toml:10 control.more",
        ]
    );
}

#[test]
fn mapped_addresses_are_those_of_ipv4() {
    let listener = |line: &str| parse(&format!("{MINIMAL}[[listener]]\n{line}"));
    let refused = listener("address = \"[::ffff:127.0.0.1]:25\"").unwrap_err();
    assert_eq!(
        refused,
        [
            "conf/postgate.toml:5: listener[0].address: [::ffff:127.0.0.1]:25 is an IPv4 address; write it as 127.0.0.1:25"
        ]
    );
    let networks = r#"["::ffff:127.0.0.1", "::ffff:10.0.0.0/104", "::ffff:0:0/96", "::/0", "::1"]"#;
    let config = listener(&format!(
        "address = \"127.0.0.1:25\"\nxclient-from = {networks}"
    ))
    .unwrap();
    let shown: Vec<_> = config.listeners[0]
        .xclient_from
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        shown,
        ["127.0.0.1/32", "10.0.0.0/8", "0.0.0.0/0", "::/0", "::1/128"]
    );
}

/// Each of these is one mistake, with what to do.
#[test]
fn mistakes_have_their_remedy() {
    let table = [
        (
            "auth-secret-file = \"x\"",
            "auth-secret-file: unknown key in this table: `auth-secret-file` stands above the first table of the file",
        ),
        (
            "auth-mechanisms = [\"DIGEST-MD5\"]",
            "auth-mechanisms[0]: expected ",
        ),
        (
            "auth-mechanisms = []",
            "auth-mechanisms: names no mechanism; ",
        ),
        (
            "certificates = [\"x\"]",
            "certificates: no certificate is called \"x\": there are none; add a [[certificate]]",
        ),
        ("certificates = [1]", "certificates[0]: expected "),
        ("certificates = []", "certificates: is empty; "),
        (
            "name = \"a\\nb\"",
            "name: expected a name without control characters",
        ),
        (
            "greet-delay = \"5m\"",
            "greet-delay: is too long: clients wait for 5m at most",
        ),
        (
            "only-keywords = [\"size 5\"]",
            "only-keywords: \"size 5\": the gateway writes the parameters",
        ),
        (
            "limits = { endless-line = 100 }",
            "limits.endless-line: less than the 2048 octets",
        ),
    ];
    for (line, expected) in table {
        let text = format!("{MINIMAL}[[listener]]\naddress = \"127.0.0.1:25\"\n{line}");
        let found = parse(&text).unwrap_err();
        let expected = format!("conf/postgate.toml:6: listener[0].{expected}");
        assert!(
            found.len() == 1 && found[0].starts_with(&expected),
            "{line}: {found:?}"
        );
    }
    let twice = "[[listener]]\naddress = \"127.0.0.1:0\"\n".repeat(2);
    let found = parse(&format!("{MINIMAL}{twice}")).unwrap_err();
    assert!(
        found[0].ends_with("give each of them a `name` of its own"),
        "{found:?}"
    );
}
