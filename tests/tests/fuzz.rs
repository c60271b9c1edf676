//! A bounded run of the fuzz targets: octets that mean nothing, and dialogs with octets changed.

use postgate_tests::dialog::{Dialog, HANDSHAKE};
use postgate_tests::fuzz::TARGETS;
use postgate_tests::gateway::repository;
use proptest::prelude::*;
use proptest::sample::{Index, select};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn noise(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        feed(&octets);
    }

    /// Octets that mean something to one reader or another, in any order.
    #[test]
    fn fragments(pieces in prop::collection::vec(select(FRAGMENTS), 0..40)) {
        feed(&pieces.concat());
    }

    #[test]
    fn changed_dialogs(
        seed in select(seeds()),
        changes in prop::collection::vec((any::<Index>(), change()), 0..8),
    ) {
        let mut octets = seed;
        for (place, change) in changes {
            if octets.is_empty() {
                break;
            }
            let at = place.index(octets.len());
            match change {
                Change::Set(octet) => octets[at] = octet,
                Change::Insert(fragment) => _ = octets.splice(at..at, fragment.iter().copied()),
                Change::Cut => octets.truncate(at),
                Change::Drop => _ = octets.remove(at),
            }
        }
        feed(&octets);
    }
}

fn feed(octets: &[u8]) {
    for target in TARGETS {
        target(octets);
    }
}

#[derive(Clone, Debug)]
enum Change {
    Cut,
    Drop,
    Insert(&'static [u8]),
    Set(u8),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => Just(Change::Cut),
        2 => Just(Change::Drop),
        4 => select(FRAGMENTS).prop_map(Change::Insert),
        2 => any::<u8>().prop_map(Change::Set),
    ]
}

const FRAGMENTS: &[&[u8]] = &[
    b"\r\n",
    b"\r",
    b"\n",
    b".",
    b"..",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r\n.\r",
    b"\0",
    b"\xff",
    b" ",
    b"\t",
    b"EHLO client.example\r\n",
    b"HELO c\r\n",
    b"MAIL FROM:<a@client.example>\r\n",
    b"MAIL FROM:<>\r\n",
    b"RCPT TO:<bob@example.org>\r\n",
    b"DATA\r\n",
    b"RSET\r\n",
    b"AUTH PLAIN\r\n",
    b"AUTH LOGIN\r\n",
    b"AUTH SCRAM-SHA-256 biwsbj1ib2Iscj14\r\n",
    b"AUTH SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIsLG49Ym9iLHI9eA==\r\n",
    b"AUTH EXTERNAL =\r\n",
    b"AUTH XOAUTH2 dXNlcj1ib2IBYXV0aD1CZWFyZXIgeAEB\r\n",
    b"AUTH CRAM-MD5\r\n",
    b"n,,n=bob,r=x",
    b"p=tls-exporter,,n=bob,r=x",
    b"c=biws,r=x,p=",
    b"n,a=bob,\x01auth=Bearer x\x01\x01",
    b"user=bob\x01auth=Bearer x\x01\x01",
    b"STARTTLS\r\n",
    HANDSHAKE,
    b"AGJvYgBzZWNyZXQ=\r\n",
    b"QUIT\r\n",
    b"NOOP\r\n",
    b"Subject: x\r\n",
    b"X-Long: ",
    b" folded\r\n",
    b"a@b",
    b"\"",
    b"\\",
    b"<",
    b">",
    b"@",
    b":",
    b"[IPv6:::1]",
    b"220 ",
    b"250-",
    b"250 ",
    b"354 ",
    b"250-PIPELINING\r\n",
    b"250 2.1.0 Ok\r\n",
    b"354 go\r\n",
    b"220 go\r\n",
    b"235 2.7.0 yes\r\n",
    b"334 \r\n",
    b"334 VXNlcm5hbWU6\r\n",
    // Of SCRAM, for a nonce of zeros: the salt and the rounds.
    b"334 cj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFtb3JlLHM9YzJGc2RBPT0saT00MDk2\r\n",
    b"421 4.3.2 bye\r\n",
    "é".as_bytes(),
    &[b'x'; 600],
    b"BDAT 7\r\n",
    b"BDAT 3 LAST\r\n",
    b" BODY=BINARYMIME",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n",
    b"PROXY UNKNOWN",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
    b"XCLIENT ADDR=192.0.2.1\r\n",
    b"ADDR=[UNAVAILABLE]",
    b"NAME=",
    b"+0D",
    b"EXPN staff\r\n",
];

/// What the clients of all dialogs send. Very long ones are left out: they show nothing more here.
fn seeds() -> Vec<Vec<u8>> {
    let dialogs = Dialog::load_all(&repository().join("tests/dialogs"));
    let dialogs = dialogs.unwrap_or_else(|error| panic!("{error}"));
    let seeds = dialogs.iter().map(Dialog::client_octets);
    seeds.filter(|octets| octets.len() < 10_000).collect()
}
