//! Header fields and decoded content of parts.

use postgate_proto::header::HeaderBlock;

use super::{MULTIPART, parse, parts, summary};

#[test]
fn reads_the_fields_of_a_part() {
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
    assert_eq!(parts[1].content, b"caf\xE9");
    let head = HeaderBlock::parse(parts[1].head.clone());
    assert_eq!(head.text("x-own").as_deref(), Some("thing"));
    assert_eq!(
        (&*parts[0].facts.encoding, &*parts[2].facts.encoding),
        ("7bit", "x-odd")
    );
    assert_eq!(parts[2].facts.parameters, []);
}

#[test]
fn finds_parts_in_encoded_messages() {
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
        summary(&parts),
        [
            ("multipart/mixed", String::new(), 0, true),
            ("message/rfc822", String::new(), 0, true),
            ("message/rfc822", String::new(), 1, true),
            ("application/x-thing", "MZ".into(), 2, false),
            ("text/plain", "last".into(), 0, false),
        ]
    );
    assert_eq!(parts[3].facts.filenames, ["x.exe"]);
    // The fourth message within another is not decoded.
    let deep = encode(&encode(&encode(&encode("Subject: x\r\n\r\ny"))));
    let mime = parse(MULTIPART, format!("--a\r\n{deep}--a--\r\n").as_bytes());
    let opaque: Vec<_> = mime.parts().iter().map(|part| part.is_opaque).collect();
    assert_eq!(opaque, [false, false, false, false, true]);
}

#[test]
fn a_large_part_is_read_in_pieces() {
    let body = format!(
        "--a\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        "w6nDqcOp\r\n".repeat(60_000)
    );
    let mime = parse(MULTIPART, body.as_bytes());
    assert_eq!(mime.facts(1).unwrap().unwrap().1, 360_000);
    let text = mime.text(1, 0, 5).unwrap();
    assert_eq!(text.as_deref(), Some("\u{e9}\u{e9}"));
    assert_eq!(mime.text(1, 1, 5).unwrap(), None);
    assert_eq!(mime.text(1, 359_998, 9).unwrap().as_deref(), Some("\u{e9}"));
    assert_eq!(mime.text(1, 360_001, 9).unwrap().as_deref(), Some(""));
    assert_eq!(mime.text(0, 0, 9).unwrap(), None);
    assert_eq!(mime.read(1, 359_999, 9).unwrap(), [0xA9]);
}

#[test]
fn nothing_behind_white_space_is_part_of_a_type() {
    for written in [
        "text/html",
        "text/html folded",
        "text/html\r\n\tfolded",
        "text/html\r folded",
        " TEXT/HTML\t; charset=utf-8",
    ] {
        let found = parts(&format!("Content-Type: {written}\r\n\r\n"), "<p>");
        assert_eq!(found[0].facts.content_type, "text/html", "{written:?}");
    }
}
