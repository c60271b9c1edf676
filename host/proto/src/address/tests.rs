use proptest::prelude::*;

use super::*;
use InvalidAddress::{NoDomain, NotAscii, Syntax, TooLong};

#[test]
fn mailboxes_good_and_bad() {
    let local = "l".repeat(MAX_PATH - "<@example.org>".len());
    let long = format!("{local}l@example.org");
    let fits = format!("{local}@example.org");
    let table: [(&str, Result<(&str, &str), InvalidAddress>); 32] = [
        ("a@b", Ok(("a", "b"))),
        ("a.b+c@Example.ORG", Ok(("a.b+c", "Example.ORG"))),
        ("a@[127.0.0.1]", Ok(("a", "[127.0.0.1]"))),
        ("a@[IPv6:::1]", Ok(("a", "[IPv6:::1]"))),
        (
            "a@[ipv6:::ffff:192.0.2.1]",
            Ok(("a", "[ipv6:::ffff:192.0.2.1]")),
        ),
        ("a@[x-tag:content]", Err(Syntax)),
        ("a@[1111:2222:3333:4444:5555:6666:7777:8888]", Err(Syntax)),
        ("a@[IPv6:192.0.2.1]", Err(Syntax)),
        ("\"a b\"@c", Ok(("\"a b\"", "c"))),
        ("\"a\\\"@b\"@c", Ok(("\"a\\\"@b\"", "c"))),
        ("\"\"@c", Ok(("\"\"", "c"))),
        ("a@under_score.example", Ok(("a", "under_score.example"))),
        (fits.as_str(), Ok((local.as_str(), "example.org"))),
        (long.as_str(), Err(TooLong)),
        ("", Err(Syntax)),
        ("a", Err(NoDomain)),
        ("@b", Err(Syntax)),
        ("a@", Err(Syntax)),
        ("a@@b", Err(Syntax)),
        ("a@b@c", Err(Syntax)),
        ("a..b@c", Err(Syntax)),
        (".a@c", Err(Syntax)),
        ("a.@c", Err(Syntax)),
        ("a b@c", Err(Syntax)),
        ("a@b.", Err(Syntax)),
        ("a@-b", Err(Syntax)),
        ("a@[127.0.0.300]", Err(Syntax)),
        ("a@[IPv6:zz]", Err(Syntax)),
        ("\"a@b", Err(Syntax)),
        ("\"a\tb\"@c", Err(Syntax)),
        ("pelé@example.org", Err(NotAscii)),
        ("a\0b@c", Err(Syntax)),
    ];
    for (text, expected) in table {
        let parsed = Mailbox::parse(text, Charset::Ascii);
        let parts = parsed.as_ref().map(|m| (m.local_part(), m.domain()));
        assert_eq!(parts.map_err(|error| *error), expected, "{text:?}");
    }
}

#[test]
fn international_mailboxes() {
    for text in ["pelé@example.org", "测试@测试.测试", "\"p é\"@example.org"] {
        assert!(Mailbox::parse(text, Charset::Utf8).is_ok(), "{text}");
    }
    for text in [
        "a\u{85}@b",
        // A quoted pair is ASCII.
        "\"a\\é\"@b",
        "\"\\é\"@b",
        // What cannot be an A-label is no domain.
        "a@xn--é.example",
        "a@b＠c.example",
        "a@bücher。",
        "a@\u{ad}.example",
        "a@b\u{202e}.example",
    ] {
        assert_eq!(Mailbox::parse(text, Charset::Utf8), Err(Syntax), "{text}");
    }
    // 23 characters of three octets, whose A-label is short enough.
    let long = format!("a@{}.example", "测".repeat(23));
    assert!(Mailbox::parse(&long, Charset::Utf8).is_ok());
    let longer = format!("a@{}.example", "试测".repeat(40));
    assert_eq!(Mailbox::parse(&longer, Charset::Utf8), Err(Syntax));
}

#[test]
fn paths_are_split_from_what_follows() {
    let table: [(&str, Result<(&str, &str), InvalidAddress>); 9] = [
        ("<a@b>", Ok(("a@b", ""))),
        ("<a@b> SIZE=1", Ok(("a@b", " SIZE=1"))),
        ("<>", Ok(("", ""))),
        ("a@b SIZE=1", Ok(("a@b", " SIZE=1"))),
        ("<\"a>b\"@c> X", Ok(("\"a>b\"@c", " X"))),
        ("<@a,@b:u@d>", Ok(("u@d", ""))),
        ("<@invalid>", Err(Syntax)),
        ("<a@b", Err(Syntax)),
        ("<a@b>>>", Ok(("a@b", ">>"))),
    ];
    for (argument, expected) in table {
        assert_eq!(split_path(argument), expected, "{argument}");
    }
}

#[test]
fn a_domain_has_255_octets_at_most() {
    let label = "d".repeat(62);
    let domain = [label.as_str(); 4].join(".");
    assert_eq!(domain.len(), 251);
    assert!(Mailbox::parse(&format!("a@{domain}"), Charset::Ascii).is_ok());
    let longer = format!("{domain}.example");
    assert_eq!(
        Mailbox::parse(&format!("a@{longer}"), Charset::Ascii),
        Err(TooLong)
    );
}

#[test]
fn spellings_of_one_mailbox() {
    let path = |text| ForwardPath::parse(text, Charset::Utf8).unwrap();
    for (a, b, expected) in [
        ("\"bob\"@d", "bob@D", true),
        ("a@bücher.example", "a@xn--bcher-kva.example", true),
        ("Postmaster", "postmaster", true),
        ("bob@d", "Bob@d", false),
    ] {
        assert_eq!(path(a).is_same(&path(b)), expected, "{a} {b}");
    }
}

proptest! {
    /// Canonical forms are addresses themselves, and the same after they were printed and parsed.
    #[test]
    fn canonical_forms_are_addresses(text in "(\"([a-zé @.]|\\\\[ -~]){0,6}\"|[a-z.é]{1,6})@(xn--)?[a-züß。.A-Z0-9\\-]{1,12}") {
        let Ok(mailbox) = Mailbox::parse(&text, Charset::Utf8) else {
            return Ok(());
        };
        let canonical = mailbox.canonical();
        let again = Mailbox::parse(&canonical, Charset::Utf8);
        prop_assert_eq!(again.map(|again| again.canonical()), Ok(canonical));
    }
}
