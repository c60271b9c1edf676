//! Messages of all sorts, and what is found in them.

use super::*;

fn parts(headers: &str, body: &str) -> Vec<Part> {
    parse(headers, body).parts().to_vec()
}

fn parse(headers: &str, body: &str) -> Mime {
    let headers = HeaderBlock::parse(headers.as_bytes().to_vec());
    let body = Content::from(body.as_bytes().to_vec());
    let whole = Whole::read(&headers, &body).unwrap();
    let most = whole.most_parts();
    let mime = Mime::parse(whole, None);
    assert!(mime.parts().len() <= most + 1);
    mime
}

#[test]
fn a_message_without_mime_is_one_part() {
    let parts = parts("Subject: x\r\n\r\n", "body\r\n");
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].content_type, "text/plain");
    assert_eq!(parts[0].content, b"body\r\n");
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
    let seen: Vec<_> = parts
        .iter()
        .map(|part| (part.content_type.as_str(), part.parent, part.container))
        .collect();
    assert_eq!(
        seen,
        [
            ("multipart/mixed", 0, true),
            ("multipart/alternative", 0, true),
            ("text/plain", 1, false),
            ("text/html", 1, false),
            ("application/x-thing", 0, false),
            ("message/rfc822", 0, true),
            ("text/plain", 5, false),
        ]
    );
    assert_eq!(parts[4].filename.as_deref(), Some("x.exe"));
    assert_eq!(parts[4].disposition.as_deref(), Some("attachment"));
    assert_eq!(parts[4].content, b"MZ");
}

#[test]
fn garbage_is_still_a_message() {
    for (headers, body) in [
        ("", ""),
        ("\r\n", "\0\u{1}"),
        ("Content-Type: multipart/mixed\r\n\r\n", "--\r\n--"),
        ("Content-Type: ;;;\r\n\r\n", "x"),
    ] {
        assert!(!parts(headers, body).is_empty());
    }
}

#[test]
fn a_message_as_deep_as_it_is_long_does_not_use_up_the_stack() {
    let depth = 30_000;
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(depth);
    let small_stack = std::thread::Builder::new().stack_size(256 << 10);
    let count = small_stack
        .spawn(move || parts("", &nested).len())
        .unwrap()
        .join()
        .unwrap();
    assert!(count > 1);
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
    let first = &parts[1];
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        first.parameters,
        [pair("charset", "ISO-8859-1"), pair("name", "naïve.txt")]
    );
    assert_eq!(first.encoding, "quoted-printable");
    assert_eq!(first.content_id.as_deref(), Some("one@example.org"));
    assert_eq!(first.description.as_deref(), Some("café"));
    assert!(first.is_text);
    assert_eq!(first.content, "café".as_bytes());
    let head = HeaderBlock::parse(first.head.clone());
    assert_eq!(head.text("x-own").as_deref(), Some("thing"));
    assert_eq!(
        (&*parts[0].encoding, &*parts[2].encoding),
        ("7bit", "x-odd")
    );
    assert_eq!(parts[2].parameters, []);
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
    let multipart = "Content-Type: multipart/mixed; boundary=a\r\n\r\n";
    let html = "Content-Type: text/html\r\n\r\n";
    let table = [
        ("Subject: x\r\n\r\n", "one", Some(0), None),
        (html, "<p>one", None, Some(0)),
        (multipart, mixed.as_str(), Some(2), Some(3)),
        (multipart, forwarded.as_str(), None, None),
        ("Content-Type: image/png\r\n\r\n", "x", None, None),
    ];
    for (headers, body, plain, html) in table {
        let mime = parse(headers, body);
        assert_eq!(
            (mime.plain(), mime.html()),
            (plain, html),
            "{headers}{body}"
        );
    }
}
