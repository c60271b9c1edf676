//! Messages that exceed a limit.

use super::{MULTIPART, parse, parts, read_all};
use crate::decoded::OPAQUE;
use crate::head::{Head, MAX_HEAD};
use crate::scan::Scanner;
use crate::search::MAX_PARTS;

#[test]
fn the_work_is_proportional_to_the_message() {
    let nested = |count| "--a\r\nContent-Type: multipart/x; boundary=q\r\n\r\n".repeat(count);
    let shapes: [(&str, fn(usize) -> String); 6] = [
        ("missing boundaries", |size| {
            "--a\r\nContent-Type: multipart/x; boundary=q\r\n\r\n".repeat(200)
                + &"filler\r\n".repeat(size / 8)
        }),
        ("many boundaries", |size| "--a\r\n\r\n".repeat(size / 7)),
        ("lines that resemble boundaries", |size| {
            "--b\r\n".repeat(size / 5)
        }),
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
fn the_last_of_too_many_parts_is_the_rest() {
    let body = "--a\r\n\r\nx\r\n".repeat(100_000);
    let mime = parse(MULTIPART, body.as_bytes());
    assert_eq!(mime.parts().len(), MAX_PARTS);
    let opaque = mime.parts().iter().filter(|part| part.is_opaque).count();
    assert_eq!(opaque, 1);
    let views = read_all(&mime);
    let rest = &views[MAX_PARTS - 1];
    assert_eq!((rest.facts.content_type.as_str(), rest.parent), (OPAQUE, 0));
    assert_eq!(rest.content.len(), body.len() - (MAX_PARTS - 2) * 10 - 5);
    assert!(rest.content.starts_with(b"\r\nx\r\n--a\r\n"));
    assert_eq!(views[MAX_PARTS - 2].content, b"x");
}

#[test]
fn parts_that_are_nested_too_deeply_are_opaque() {
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
        let views = read_all(&mime);
        assert_eq!(views[32].facts.content_type, OPAQUE);
        assert!(nested.as_bytes().ends_with(&views[32].content));
        assert!(!views[32].content.is_empty());
    }
}

#[test]
fn parts_with_a_long_header_block_are_opaque() {
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
