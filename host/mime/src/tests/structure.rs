//! Boundaries, nesting, and the parts that mail readers show.

use postgate_proto::header::HeaderBlock;

use super::{MULTIPART, Mime, parse, parts, read_all, summary};
use crate::defect::Defect;
use crate::head::Head;
use crate::scan::Scanner;
use crate::search::MAX_PARTS;

#[test]
fn a_message_without_mime_fields_is_one_part() {
    let parts = parts("Subject: x\r\n\r\n", "body\r\n");
    assert_eq!(
        summary(&parts),
        [("text/plain", "body\r\n".into(), 0, false)]
    );
}

#[test]
fn nested_parts_are_in_the_order_of_the_text() {
    let headers = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n";
    let body = "--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\none\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--b--\r\n\
        --a\r\nContent-Type: Application/X-Thing; name=\"x.exe\"\r\n\
        Content-Disposition: ATTACHMENT\r\nContent-Transfer-Encoding: base64\r\n\r\nTVo=\r\n\
        --a\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--a--\r\n";
    let parts = parts(headers, body);
    assert_eq!(
        summary(&parts),
        [
            ("multipart/mixed", String::new(), 0, true),
            ("multipart/alternative", String::new(), 0, true),
            ("text/plain", "one".into(), 1, false),
            ("text/html", "<p>two".into(), 1, false),
            ("application/x-thing", "MZ".into(), 0, false),
            ("message/rfc822", String::new(), 0, true),
            ("text/plain", "inner".into(), 5, false),
        ]
    );
    assert_eq!(parts[4].facts.filenames, ["x.exe"]);
    assert_eq!(parts[4].facts.disposition.as_deref(), Some("attachment"));
    assert_eq!(parts[6].head, b"Subject: in\r\n");
}

/// Asserts the parts of a `multipart/mixed`: content and parent of each.
fn assert_leaves(boundary: &str, body: &str, leaves: &[(&str, u32)]) {
    let headers = format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n");
    let mut expected = vec![("multipart/mixed", String::new(), 0, true)];
    let leaf =
        |(content, parent): &(&str, u32)| ("text/plain", (*content).to_owned(), *parent, false);
    expected.extend(leaves.iter().map(leaf));
    assert_eq!(summary(&parts(&headers, body)), expected, "{body:?}");
}

#[test]
fn parts_between_boundaries() {
    let table: [(&str, &str, &[(&str, u32)]); 5] = [
        (
            "a",
            "--a\r\n\r\none\r\n--a\r\n\r\ntwo\r\n--a--\r\n",
            &[("one", 0), ("two", 0)],
        ),
        // Lone LF, lone CR, and blanks after the boundary.
        (
            "a",
            "--a\n\none\n--a \t\n\ntwo\n--a--",
            &[("one", 0), ("two", 0)],
        ),
        (
            "a",
            "--a\r\rone\r--a\r\rtwo\r--a--",
            &[("one", 0), ("two", 0)],
        ),
        (
            "\"a b:c\"",
            "--a b:c\r\n\r\none\r\n--a b:c--",
            &[("one", 0)],
        ),
        ("\"a\\\"b\"", "--a\"b\r\n\r\none\r\n--a\"b--", &[("one", 0)]),
    ];
    for (boundary, body, leaves) in table {
        assert_leaves(boundary, body, leaves);
    }
}

#[test]
fn text_outside_boundaries_and_missing_ends() {
    let table: [(&str, &[(&str, u32)]); 7] = [
        // Text before and after the parts belongs to none of them.
        (
            "before\r\n--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\nafter",
            &[("one", 0)],
        ),
        // The closing boundary is missing, and would take the last line ending.
        ("--a\r\n\r\none\r\n", &[("one", 0)]),
        ("--a\r\n\r\none\r\n--a", &[("one", 0), ("", 0)]),
        ("--a\r\nX: y", &[("", 0)]),
        ("--a\r\nX: y\r\n--a\r\n\r\n--a--", &[("", 0), ("", 0)]),
        // A boundary begins a line.
        (
            "--a\r\n\r\none --a\r\n -- a\r\n-a\r\n--A\r\n--a--",
            &[("one --a\r\n -- a\r\n-a\r\n--A", 0)],
        ),
        ("--a\r\n\r\none\r\n\r\n--a--", &[("one\r\n", 0)]),
    ];
    for (body, leaves) in table {
        assert_leaves("a", body, leaves);
    }
}

#[test]
fn a_boundary_may_begin_with_another_one() {
    for (outer, inner) in [("a", "ab"), ("ab", "a")] {
        let headers = format!("Content-Type: multipart/mixed; boundary={outer}\r\n\r\n");
        let body = format!(
            "--{outer}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n\
            --{inner}\r\n\r\none\r\n--{inner}\r\n\r\ntwo\r\n--{inner}--\r\n\
            --{outer}\r\n\r\nthree\r\n--{outer}--\r\n"
        );
        let parts = parts(&headers, &body);
        let parents: Vec<_> = parts.iter().map(|part| part.parent).collect();
        assert_eq!(parents, [0, 0, 1, 1, 0], "{outer} {inner}");
        let contents: Vec<_> = parts.iter().map(|part| part.content.as_slice()).collect();
        let expected: [&[u8]; 5] = [b"", b"", b"one", b"two", b"three"];
        assert_eq!(contents, expected, "{outer} {inner}");
    }
}

#[test]
fn an_outer_boundary_ends_inner_parts() {
    let body = "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n\
        --a\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n\
        --c\r\n\r\ntwo\r\n--a\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\nthree\r\n--a--\r\n";
    let parts = parts(MULTIPART, body);
    let parents: Vec<_> = parts.iter().map(|part| part.parent).collect();
    assert_eq!(parents, [0, 0, 1, 0, 3, 4, 0]);
    assert_eq!(parts[2].content, b"one");
    assert_eq!(parts[5].content, b"two");
    // A multipart without its boundary has no parts.
    assert_eq!(
        (parts[6].container, &*parts[6].content),
        (false, b"three\r\n".as_slice())
    );
}

#[test]
fn a_head_ends_with_the_first_line_that_is_none() {
    let table: [(&str, &[(&str, u32)]); 8] = [
        ("--a\r\ntext\r\n--a--", &[("text", 0)]),
        (
            "--a\r\nX: y\r\ntext\r\n\r\nmore\r\n--a--",
            &[("text\r\n\r\nmore", 0)],
        ),
        ("--a\r\nX : y\r\n\r\n--a--", &[("X : y\r\n", 0)]),
        ("--a\r\n>From y\r\n--a--", &[(">From y", 0)]),
        // These lines are passed over.
        ("--a\r\n folded\r\nX: y\r\n\r\none\r\n--a--", &[("one", 0)]),
        ("--a\r\n: y\r\nX: y\r\n\r\none\r\n--a--", &[("one", 0)]),
        ("--a\r\nFrom y\r\nX: y\r\n\r\none\r\n--a--", &[("one", 0)]),
        (
            "--a\r\nX: y\r\n--a\r\n\r\none--a",
            &[("", 0), ("one--a", 0)],
        ),
    ];
    for (body, leaves) in table {
        assert_leaves("a", body, leaves);
    }
}

#[test]
fn a_boundary_may_follow_the_head_at_once() {
    let multipart = "Content-Type: multipart/mixed; boundary=b\r\n";
    let body = format!(
        "--a\r\n{multipart}--b\r\n\r\none\r\n--b--\r\n\
        --a\r\nContent-Type: message/rfc822\r\n\r\n{multipart}--b\r\n\r\ntwo\r\n--a--\r\n"
    );
    let parts = parts(MULTIPART, &body);
    assert_eq!(
        summary(&parts),
        [
            ("multipart/mixed", String::new(), 0, true),
            ("multipart/mixed", String::new(), 0, true),
            ("text/plain", "one".into(), 1, false),
            ("message/rfc822", String::new(), 0, true),
            ("multipart/mixed", String::new(), 3, true),
            ("text/plain", "two".into(), 4, false),
        ]
    );
    let (headers, body) = HeaderBlock::split([multipart, "--b\r\n\r\none"].concat().into());
    let mime = Mime::find(&headers, body, Vec::new()).unwrap();
    assert_eq!(mime.parts().len(), 2);
}

#[test]
fn boundaries_in_a_row_are_one() {
    for body in [
        "--a\r\n--a\r\n\r\none\r\n--a--",
        "--a\r\n--a--\r\n--a\r\n\r\none\r\n--a--\r\ntext",
    ] {
        assert_leaves("a", body, &[("one", 0)]);
    }
}

#[test]
fn of_equal_boundaries_the_outermost_wins() {
    let inner = "Content-Type: multipart/mixed; boundary=a\r\n\r\n";
    let body = format!("--a\r\n{inner}--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\ntwo");
    let parts = parts(MULTIPART, &body);
    assert_eq!(
        summary(&parts),
        [
            ("multipart/mixed", String::new(), 0, true),
            ("multipart/mixed", String::new(), 0, false),
            ("text/plain", "one".into(), 0, false),
        ]
    );
}

#[test]
fn a_message_without_octets_is_a_part() {
    for body in ["", "\r\n"] {
        let parts = parts("Content-Type: message/rfc822\r\n\r\n", body);
        assert_eq!(
            summary(&parts),
            [
                ("message/rfc822", String::new(), 0, true),
                ("text/plain", String::new(), 0, false),
            ]
        );
    }
}

#[test]
fn malformed_messages_have_parts() {
    for header in MALFORMED_HEADERS {
        for body in MALFORMED_BODIES {
            let mime = parse(header, body.as_bytes());
            for (index, part) in (0..).zip(&read_all(&mime)) {
                assert!(part.parent <= index, "{header}{body}");
                assert!(part.content.is_empty() || !part.container, "{header}{body}");
            }
        }
    }
}

#[test]
fn the_result_does_not_depend_on_the_pieces() {
    let body = "--a\r\nContent-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\nX: y\r\n\
        Content-Type:\r\n text/html\r\n\r\none\r\r\n--ab--\r\n--a\n\ntwo\r\n\r\n--a--\r\n";
    let facts = Head::read(MULTIPART.as_bytes()).facts("text/plain");
    let scan = |size: usize| {
        let mut scanner = Scanner::of_body(&facts, MAX_PARTS);
        for piece in body.as_bytes().chunks(size) {
            scanner.feed(piece);
        }
        scanner.finish(body.len() as u64).parts
    };
    for size in 1..body.len() {
        assert_eq!(scan(size), scan(usize::MAX), "in pieces of {size}");
    }
}

#[test]
fn lines_that_resemble_boundaries_are_content() {
    let dump = "-- Table structure\r\n--\r\nINSERT INTO x VALUES (1);\r\n".repeat(30_000);
    let body = format!("--a\r\nContent-Type: text/plain; name=x.sql\r\n\r\n{dump}--a--\r\n");
    let parts = parts(MULTIPART, &body);
    assert_eq!(parts.len(), 2);
    assert_eq!(&*parts[1].content, &dump.as_bytes()[..dump.len() - 2]);
}

#[test]
fn finds_the_parts_that_mail_readers_show() {
    let alternative = "Content-Type: multipart/alternative; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\none\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--b--\r\n";
    let mixed = format!(
        "--a\r\n{alternative}--a\r\nContent-Type: text/plain\r\n\
        Content-Disposition: attachment\r\n\r\nthree\r\n--a--\r\n"
    );
    let forwarded = format!("--a\r\nContent-Type: message/rfc822\r\n\r\n{alternative}--a--\r\n");
    let named = "--a\r\nContent-Type: image/png\r\n\r\n\r\n\
        --a\r\nContent-Type: text/plain; name=x.txt\r\n\r\none\r\n--a\r\n\r\ntwo\r\n--a--\r\n";
    let html = "Content-Type: text/html\r\n\r\n";
    let table = [
        ("Subject: x\r\n\r\n", "one", Some(0), None),
        (html, "<p>one", None, Some(0)),
        (MULTIPART, mixed.as_str(), Some(2), Some(3)),
        (MULTIPART, forwarded.as_str(), None, None),
        (MULTIPART, named, Some(3), None),
        ("Content-Type: image/png\r\n\r\n", "x", None, None),
    ];
    for (headers, body, plain, html) in table {
        let mime = parse(headers, body.as_bytes());
        assert_eq!(
            (mime.plain(), mime.html()),
            (plain, html),
            "{headers}{body}"
        );
    }
}

const MALFORMED_HEADERS: [&str; 12] = [
    "",
    "\r\n",
    "Content-Type: multipart/mixed\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=a\r\n\r\n",
    "Content-Type: multipart/digest; boundary=a\r\n\r\n",
    "Content-Type: ;;;\r\n\r\n",
    "Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    "Content-Type: text/html; charset*=x'y'%ZZ; charset*1*=%\r\n\r\n",
    "Content-Disposition: =?x?q?y?=; filename*0*=''%\r\n\r\n",
];
const MALFORMED_BODIES: [&str; 14] = [
    "",
    "\0\u{1}",
    "--",
    "--\r\n--",
    "--a",
    "--a--",
    "--a\r\n--a\r\n--a",
    "--a\r\n\r\n",
    "--a\r\nContent-Type",
    "--a\r\nContent-Type:\r\n\r\n--a\r\n\r\n\r\n",
    "--a\r\n :\r\n:\r\n\r\nx\r\n--a--\r\n--a--\r\n",
    "=\r\n=3\r\n==\r\n====",
    "\r\r\n\n\r",
    "Content-Type: message/rfc822\r\n\r\n\r\n\r\n",
];

/// Where one program finds a part, another may find none, or two.
#[test]
fn what_programs_divide_in_different_ways() {
    let table: [(&str, &[usize]); 31] = [
        (
            "--a\r\n\r\none\r\n--a \t\r\nX: y\r\n\r\ntwo\r\n--a--\r\n",
            &[],
        ),
        ("--a\r\n\r\none\r\n--a--\r\n--a--\r\nafter", &[]),
        ("--a\n\none\n--a--\n", &[]),
        ("--a\n\none\r\n--a--\n", &[0]),
        ("--a\r\n\r\none\n--a--\r\n", &[0]),
        ("--a\r\n\r\none\ntwo\rthree\r\n--a--\r\n", &[]),
        ("--a\r\r\none\r\n--a--\r\n", &[0]),
        ("--a\r\n\r\none\r--a--\r\n", &[0]),
        ("--a\r\n\r\none\r\n--a--\r", &[0]),
        ("--a\r\n\rone\r\n--a--\r\n", &[1]),
        ("--a\r\nX: y\rZ: z\r\n\r\none\r\n--a--\r\n", &[1]),
        ("--a\r\nX: y\nZ: z\r\n\r\none\r\n--a--\r\n", &[1]),
        // The header block does not end with an empty line.
        ("--a\r\none\r\n--a--\r\n", &[1]),
        ("--a\r\nX: y\r\none\r\n--a--\r\n", &[1]),
        ("--a\r\nX : y\r\n\r\none\r\n--a--\r\n", &[1]),
        ("--a\r\nX: y\r\n--a\r\n\r\none\r\n--a--\r\n", &[1]),
        ("--a\r\nX: y\r\n--a--\r\n", &[1]),
        ("--a\r\n--a\r\n\r\none\r\n--a--\r\n", &[]),
        ("--a\r\nX: y", &[]),
        (
            "--a\r\nContent-Type: message/rfc822\r\n\r\nX: y\r\n--a--\r\n",
            &[],
        ),
        // Lines that are passed over.
        ("--a\r\n folded\r\nX: y\r\n\r\none\r\n--a--\r\n", &[1]),
        ("--a\r\nX: y\r\n folded\r\n\r\none\r\n--a--\r\n", &[]),
        ("--a\r\nX: y\r\n: z\r\n\r\none\r\n--a--\r\n", &[1]),
        ("--a\r\nX: y\r\nFrom z\r\n\r\none\r\n--a--\r\n", &[1]),
        (
            "--a\r\nContent-Type: message/rfc822\r\n\r\nFrom z\r\nX: y\r\n\r\none\r\n--a--\r\n",
            &[],
        ),
        // Some programs compare only the beginning of a line.
        ("--a\r\n\r\none\r\n--a two\r\n\r\n--a--\r\n", &[0]),
        ("--a\r\n\r\none\r\n--a-\r\n\r\n--a--\r\n", &[0]),
        ("--a\r\n\r\none\r\n--A\r\n-- a\r\n --a\r\n--a--\r\n", &[]),
        // Some go on after the closing boundary.
        ("--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\ntwo\r\n", &[0]),
        ("--a\r\n\r\none\r\n--a--\r\n--ab\r\n", &[0]),
        (
            "--a\r\nContent-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\n\r\none\r\n\
            --ab--\r\n--a\r\n\r\ntwo\r\n--a--\r\n",
            &[],
        ),
    ];
    for (body, expected) in table {
        let found = parts(MULTIPART, body);
        let is_ambiguous = |index: &usize| {
            found[*index]
                .facts
                .defects
                .contains(&Defect::AmbiguousStructure)
        };
        let ambiguous: Vec<_> = (0..found.len()).filter(is_ambiguous).collect();
        assert_eq!(ambiguous, expected, "{body:?}");
    }
    let padding = " ".repeat(20_000);
    let body = format!("--a\r\n\r\none\r\n--a{padding}x\r\n\r\ntwo\r\n--a--\r\n");
    let found = parts(MULTIPART, &body);
    assert_eq!(found[0].facts.defects, [Defect::AmbiguousStructure]);
}
