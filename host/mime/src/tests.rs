//! Messages of all sorts, and what is found in them.

use super::*;

/// A part with all that can be read of it.
#[derive(Debug)]
struct Seen {
    parent: u32,
    container: bool,
    facts: Facts,
    head: Vec<u8>,
    content: Vec<u8>,
}

fn parts(headers: &str, body: &str) -> Vec<Seen> {
    seen(&parse(headers, body.as_bytes()))
}

fn seen(mime: &Mime) -> Vec<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let mut seen = Vec::new();
        for (index, part) in (0..).zip(mime.parts()) {
            let (facts, size) = mime.facts(index).await.unwrap().unwrap();
            let content = mime.read(index, 0, u32::MAX).await.unwrap();
            assert_eq!(content.len() as u64, size);
            seen.push(Seen {
                parent: part.parent,
                container: part.container,
                facts,
                head: mime.head(index).await.unwrap(),
                content,
            });
        }
        seen
    })
}

fn parse(headers: &str, body: &[u8]) -> Mime {
    let headers = HeaderBlock::parse(headers.as_bytes().to_vec());
    let mime = Mime::find(&headers, Content::from(body.to_vec())).unwrap();
    assert!((1..=MAX_PARTS).contains(&mime.parts().len()));
    mime
}

/// Type, content, parent and whether it is a container, in short.
fn shown(seen: &[Seen]) -> Vec<(&str, String, u32, bool)> {
    let show = |part: &Seen| String::from_utf8_lossy(&part.content).into_owned();
    seen.iter()
        .map(|part| {
            (
                part.facts.content_type.as_str(),
                show(part),
                part.parent,
                part.container,
            )
        })
        .collect()
}

const MULTIPART: &str = "Content-Type: multipart/mixed; boundary=a\r\n\r\n";

#[test]
fn a_message_without_mime_is_one_part() {
    let parts = parts("Subject: x\r\n\r\n", "body\r\n");
    assert_eq!(shown(&parts), [("text/plain", "body\r\n".into(), 0, false)]);
}

#[test]
fn nested_parts_come_in_the_order_of_the_text() {
    let headers = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n";
    let body = "--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\none\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--b--\r\n\
        --a\r\nContent-Type: Application/X-Thing; name=\"x.exe\"\r\n\
        Content-Disposition: ATTACHMENT\r\nContent-Transfer-Encoding: base64\r\n\r\nTVo=\r\n\
        --a\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--a--\r\n";
    let parts = parts(headers, body);
    assert_eq!(
        shown(&parts),
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
    assert_eq!(parts[4].facts.filename.as_deref(), Some("x.exe"));
    assert_eq!(parts[4].facts.disposition.as_deref(), Some("attachment"));
    assert_eq!(parts[6].head, b"Subject: in\r\n");
}

#[test]
fn boundaries_as_they_come() {
    let leaf = |content: &str, parent| ("text/plain", content.to_owned(), parent, false);
    let root = ("multipart/mixed", String::new(), 0, true);
    let table: [(&str, &str, Vec<_>); 12] = [
        (
            "a",
            "--a\r\n\r\none\r\n--a\r\n\r\ntwo\r\n--a--\r\n",
            vec![leaf("one", 0), leaf("two", 0)],
        ),
        // Only LF, only CR, and blanks behind the boundary.
        (
            "a",
            "--a\n\none\n--a \t\n\ntwo\n--a--",
            vec![leaf("one", 0), leaf("two", 0)],
        ),
        (
            "a",
            "--a\r\rone\r--a\r\rtwo\r--a--",
            vec![leaf("one", 0), leaf("two", 0)],
        ),
        (
            "\"a b:c\"",
            "--a b:c\r\n\r\none\r\n--a b:c--",
            vec![leaf("one", 0)],
        ),
        (
            "\"a\\\"b\"",
            "--a\"b\r\n\r\none\r\n--a\"b--",
            vec![leaf("one", 0)],
        ),
        // What stands around the parts belongs to none.
        (
            "a",
            "before\r\n--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\nbehind",
            vec![leaf("one", 0)],
        ),
        // The end is missing.
        ("a", "--a\r\n\r\none\r\n", vec![leaf("one\r\n", 0)]),
        (
            "a",
            "--a\r\n\r\none\r\n--a",
            vec![leaf("one", 0), leaf("", 0)],
        ),
        ("a", "--a\r\nX: y", vec![leaf("", 0)]),
        (
            "a",
            "--a\r\nX: y\r\n--a\r\n\r\n--a--",
            vec![leaf("", 0), leaf("", 0)],
        ),
        // A boundary stands at the beginning of a line.
        (
            "a",
            "--a\r\n\r\none --a\r\n -- a\r\n-a\r\n--A\r\n--a--",
            vec![leaf("one --a\r\n -- a\r\n-a\r\n--A", 0)],
        ),
        ("a", "--a\r\n\r\none\r\n\r\n--a--", vec![leaf("one\r\n", 0)]),
    ];
    for (boundary, body, expected) in table {
        let headers = format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n");
        let parts = parts(&headers, body);
        let mut wanted = vec![root.clone()];
        wanted.extend(expected);
        assert_eq!(shown(&parts), wanted, "{body:?}");
    }
}

#[test]
fn one_boundary_may_begin_with_another() {
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
fn the_boundary_of_a_holder_ends_what_it_holds() {
    let body = "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n\
        --a\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n\
        --c\r\n\r\ntwo\r\n--a\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\nthree\r\n--a--\r\n";
    let parts = parts(MULTIPART, body);
    let parents: Vec<_> = parts.iter().map(|part| part.parent).collect();
    assert_eq!(parents, [0, 0, 1, 0, 3, 4, 0]);
    assert_eq!(parts[2].content, b"one");
    assert_eq!(parts[5].content, b"two");
    // A multipart whose boundary never comes is content.
    assert_eq!(
        (parts[6].container, &*parts[6].content),
        (false, b"three".as_slice())
    );
}

#[test]
fn garbage_is_still_a_message() {
    let headers = [
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
    let bodies = [
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
    for header in headers {
        for body in bodies {
            let mime = parse(header, body.as_bytes());
            let seen = seen(&mime);
            for (index, part) in (0..).zip(&seen) {
                assert!(part.parent <= index, "{header}{body}");
                assert!(part.content.is_empty() || !part.container, "{header}{body}");
            }
        }
    }
}

#[test]
fn any_cut_of_a_message_into_pieces_gives_the_same() {
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
fn the_work_grows_with_the_message() {
    let nested = |count| "--a\r\nContent-Type: multipart/x; boundary=q\r\n\r\n".repeat(count);
    let shapes: [(&str, fn(usize) -> String); 6] = [
        ("missing boundaries", |size| {
            "--a\r\nContent-Type: multipart/x; boundary=q\r\n\r\n".repeat(200)
                + &"filler\r\n".repeat(size / 8)
        }),
        ("boundaries without end", |size| {
            "--a\r\n\r\n".repeat(size / 7)
        }),
        ("lines like boundaries", |size| "--b\r\n".repeat(size / 5)),
        ("messages in messages", |size| {
            "--a\r\n".to_owned() + &"Content-Type: message/rfc822\r\n\r\n".repeat(size / 32)
        }),
        ("short fields", |size| {
            "--a\r\n".to_owned() + &"a:\r\n".repeat(size / 4)
        }),
        ("one line", |size| {
            "--a\r\n\r\n".to_owned() + &"-".repeat(size)
        }),
    ];
    let facts = Head::read(MULTIPART.as_bytes()).facts("text/plain");
    for (shape, make) in shapes {
        let work = |size: usize| {
            let body = make(size);
            let mut scanner = Scanner::of_body(&facts, MAX_PARTS);
            scanner.feed(body.as_bytes());
            scanner.finish(body.len() as u64).work
        };
        let (once, twice) = (work(100_000), work(200_000));
        assert!(twice <= 2 * once + 100, "{shape}: {once} and {twice}");
        assert!(once <= 34 * 100_000, "{shape}: {once}");
    }
    assert!(parse(MULTIPART, nested(20_000).as_bytes()).parts().len() <= MAX_PARTS);
}

#[test]
fn lines_like_boundaries_are_no_parts() {
    let dump = "-- Table structure\r\n--\r\nINSERT INTO x VALUES (1);\r\n".repeat(30_000);
    let body = format!("--a\r\nContent-Type: text/plain; name=x.sql\r\n\r\n{dump}--a--\r\n");
    let parts = parts(MULTIPART, &body);
    assert_eq!(parts.len(), 2);
    assert_eq!(&*parts[1].content, &dump.as_bytes()[..dump.len() - 2]);
}

#[test]
fn the_last_of_too_many_parts_is_the_rest() {
    let body = "--a\r\n\r\nx\r\n".repeat(100_000);
    let mime = parse(MULTIPART, body.as_bytes());
    assert_eq!(mime.parts().len(), MAX_PARTS);
    let opaque = mime.parts().iter().filter(|part| part.is_opaque).count();
    assert_eq!(opaque, 1);
    let seen = seen(&mime);
    let rest = &seen[MAX_PARTS - 1];
    assert_eq!((rest.facts.content_type.as_str(), rest.parent), (OPAQUE, 0));
    assert_eq!(rest.content.len(), body.len() - (MAX_PARTS - 2) * 10 - 5);
    assert!(rest.content.starts_with(b"\r\nx\r\n--a\r\n"));
    assert_eq!(seen[MAX_PARTS - 2].content, b"x");
}

#[test]
fn what_is_too_deep_is_not_looked_into() {
    for nested in [
        "Content-Type: message/rfc822\r\n\r\n".repeat(30_000),
        (0..30_000)
            .map(|depth| {
                format!(
                    "Content-Type: multipart/mixed; boundary=b{depth:05}\r\n\r\n--b{depth:05}\r\n"
                )
            })
            .collect(),
    ] {
        let (headers, body) = nested.split_at(nested.find("\r\n\r\n").unwrap() + 4);
        let mime = parse(headers, body.as_bytes());
        assert_eq!(mime.parts().len(), 33);
        let last = mime.parts().last().unwrap();
        assert!(last.is_opaque && !last.container);
        let seen = seen(&mime);
        assert_eq!(seen[32].facts.content_type, OPAQUE);
        assert!(nested.as_bytes().ends_with(&seen[32].content));
        assert!(!seen[32].content.is_empty());
    }
}

#[test]
fn a_header_block_that_is_too_long_is_not_trusted() {
    let long = "a:\r\n".repeat(100_000);
    let wide = format!("Content-Type: text/plain;{}\r\n", " x=y;".repeat(4_000));
    let many = format!("Content-Type: text/plain;{}\r\n", " x=y;".repeat(300));
    for head in [&long, &wide, &many] {
        let body = format!(
            "--a\r\n{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--a--\r\n"
        );
        let parts = parts(MULTIPART, &body);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[1].facts.content_type, OPAQUE);
        assert_eq!(parts[1].content, b"--b\r\n\r\nx");
        assert!(parts[1].head.len() as u64 <= MAX_HEAD);
        assert!(parts[1].head.ends_with(b"\n"));
    }
}

#[test]
fn messages_that_have_to_be_decoded_are_looked_into() {
    let encode = |text: &str| {
        let encoded: String = text.bytes().map(|octet| format!("={octet:02X}")).collect();
        format!(
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            {encoded}\r\n"
        )
    };
    let inner = "Subject: in\r\nContent-Type: application/x-thing; name=x.exe\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nTVo=";
    let body = format!(
        "--a\r\n{}--a\r\n\r\nlast\r\n--a--\r\n",
        encode(&encode(inner))
    );
    let parts = parts(MULTIPART, &body);
    assert_eq!(
        shown(&parts),
        [
            ("multipart/mixed", String::new(), 0, true),
            ("message/rfc822", String::new(), 0, true),
            ("message/rfc822", String::new(), 1, true),
            ("application/x-thing", "MZ".into(), 2, false),
            ("text/plain", "last".into(), 0, false),
        ]
    );
    assert_eq!(parts[3].facts.filename.as_deref(), Some("x.exe"));
    // The fourth within one another stays closed.
    let deep = encode(&encode(&encode(&encode("Subject: x\r\n\r\ny"))));
    let mime = parse(MULTIPART, format!("--a\r\n{deep}--a--\r\n").as_bytes());
    let opaque: Vec<_> = mime.parts().iter().map(|part| part.is_opaque).collect();
    assert_eq!(opaque, [false, false, false, false, true]);
}

#[test]
fn a_large_part_is_decoded_once_and_read_in_pieces() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let body = format!(
        "--a\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        "w6nDqcOp\r\n".repeat(60_000)
    );
    let mime = parse(MULTIPART, body.as_bytes());
    runtime.block_on(async {
        assert_eq!(mime.facts(1).await.unwrap().unwrap().1, 360_000);
        let text = mime.text(1, 0, 5).await.unwrap();
        assert_eq!(text.as_deref(), Some("\u{e9}\u{e9}"));
        assert_eq!(mime.text(1, 1, 5).await.unwrap(), None);
        assert_eq!(
            mime.text(1, 359_998, 9).await.unwrap().as_deref(),
            Some("\u{e9}")
        );
        assert_eq!(mime.text(1, 360_001, 9).await.unwrap().as_deref(), Some(""));
        assert_eq!(mime.text(0, 0, 9).await.unwrap(), None);
        assert_eq!(mime.read(1, 359_999, 9).await.unwrap(), [0xA9]);
        assert_eq!(mime.decoded.lock().await.scratch.len(), 360_000);
    });
}

#[test]
fn what_the_fields_of_a_part_say() {
    let headers = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n";
    let body = "--a\r\nContent-Type: TEXT/Plain; Charset=ISO-8859-1;\r\n \
        name*0*=utf-8''na%C3%AF;\r\n name*1=ve.txt\r\n\
        Content-Transfer-Encoding: Quoted-Printable\r\nContent-ID: <one@example.org>\r\n\
        Content-Description: =?utf-8?q?caf=C3=A9?=\r\nX-Own: thing\r\n\r\n\
        caf=E9\r\n--a\r\nContent-Transfer-Encoding: X-odd\r\n\r\nplain\r\n--a--\r\n";
    let parts = parts(headers, body);
    let first = &parts[1].facts;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        first.parameters,
        [pair("charset", "ISO-8859-1"), pair("name", "naïve.txt")]
    );
    assert_eq!(first.encoding, "quoted-printable");
    assert_eq!(first.content_id.as_deref(), Some("one@example.org"));
    assert_eq!(first.description.as_deref(), Some("café"));
    assert!(first.is_text());
    assert_eq!(parts[1].content, "café".as_bytes());
    let head = HeaderBlock::parse(parts[1].head.clone());
    assert_eq!(head.text("x-own").as_deref(), Some("thing"));
    assert_eq!(
        (&*parts[0].facts.encoding, &*parts[2].facts.encoding),
        ("7bit", "x-odd")
    );
    assert_eq!(parts[2].facts.parameters, []);
}

#[test]
fn what_a_reader_is_shown() {
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
