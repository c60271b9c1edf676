//! What is packed in attachments.

use super::*;

#[test]
fn archives_are_read_wherever_they_begin() {
    let file = |content: Vec<u8>| Part::attachment("text/plain", "a.zip").content(content);
    let clean = archive(&[("a.txt", "a.txt"); 2], "");
    let layouts: [fn(&[u8]) -> Vec<u8>; 6] = [
        |archive| archive.to_vec(),
        |archive| [b"GIF89a\n", archive].concat(),
        |archive| [b"PK00", archive].concat(),
        |archive| [archive, b"PK\x05\x06"].concat(),
        |archive| [archive, &[b'P'; 300_000]].concat(),
        |archive| [&[0; 262_100], archive].concat(),
    ];
    for names in [("a.txt", "b.js"), ("b.js", "a.txt"), ("a.txt", "x/b.js\0")] {
        for (number, layout) in layouts.iter().enumerate() {
            let bad = archive(&[("a.txt", "a.txt"), names], "");
            for content in [layout(&bad), [layout(&bad), clean.clone()].concat()] {
                assert!(
                    refusal("[config]", file(content)).is_some(),
                    "{number} {names:?}"
                );
            }
            assert_eq!(refusal("[config]", file(layout(&clean))), None, "{number}");
        }
    }
}

#[test]
fn a_name_may_end_with_what_names_no_file() {
    let file = |name| {
        let content = archive(&[(name, name)], "");
        Part::attachment("application/zip", "a.zip").content(content)
    };
    for name in ["x/b.js/.", "b.js/..", "b.js\\", "b.js/", "b.js\\.\\"] {
        assert!(refusal("[config]", file(name)).is_some(), "{name}");
    }
    for name in ["b.js/a.txt", "b.js\\a.txt", "x/"] {
        assert_eq!(refusal("[config]", file(name)), None, "{name}");
    }
    let directories = |name: &str| {
        let mut octets = archive(&[(name, name)], "");
        octets[18..26].fill(0);
        let at = octets.windows(4).position(|four| four == b"PK\x01\x02");
        octets[at.unwrap() + 20..at.unwrap() + 28].fill(0);
        Part::attachment("application/zip", "a.zip").content(octets)
    };
    for name in ["node.js/", "x\\node.js\\"] {
        assert_eq!(refusal("[config]", directories(name)), None, "{name}");
    }
    assert!(refusal("[config]", directories("node.js")).is_some());
}

/// Programs that extract archives skip what is in front of them.
#[test]
fn other_archives_are_known_wherever_they_begin() {
    let film = |offset: usize, octets: &[u8]| {
        let content = [&vec![b'x'; offset], octets, &[b'x'; 100]].concat();
        Part::attachment("video/mp4", "film.mp4").content(content)
    };
    let lenient = "[config]\nclosed = 'accept'";
    for offset in [0, 1, 600, 262_141, 300_000] {
        for octets in [
            b"Rar!\x1a\x07\x01\0".as_slice(),
            b"Rar!\x1a\x07\0",
            b"7z\xbc\xaf\x27\x1c\0\x04",
        ] {
            assert!(refusal("[config]", film(offset, octets)).is_some());
            assert_eq!(refusal(lenient, film(offset, octets)), None);
        }
        if offset > 0 {
            assert_eq!(refusal("[config]", film(offset, b"Rar! 7z\xbc")), None);
        }
    }
}

#[test]
fn attachments_that_are_encoded_in_a_text_have_names() {
    let table = [
        ("begin 644 a.exe\r\nM35J0\r\n", true),
        ("x\r\nbegin 0644 a b.exe\n", true),
        ("x\nbegin-base64 644 a.exe\n", true),
        ("x\r\n=ybegin line=128 size=1 name=a.exe\r\n", true),
        ("begin 644 a.txt\r\n", false),
        ("To begin 644 a.exe\r\n", false),
        ("begin with a.exe\r\n", false),
    ];
    for (text, expected) in table {
        let part = Part::new("text/plain").content(text);
        assert_eq!(refusal("[config]", part).is_some(), expected, "{text}");
    }
}

/// A file in uuencode: lines of up to 45 octets.
fn uuencoded(content: &[u8]) -> String {
    let digit = |bits: u32| char::from(b' ' + (bits & 63) as u8);
    let lines = content.chunks(45).map(|line| {
        let groups = line.chunks(3).flat_map(|group| {
            let octet = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
            let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
            [18, 12, 6, 0].map(|shift| digit(bits >> shift))
        });
        let groups: String = groups.collect();
        // Some programs remove blanks at the end of a line.
        format!("{}{}\r\n", digit(line.len() as u32), groups.trim_end())
    });
    let lines: String = lines.collect();
    format!("begin 644 a.txt\r\n{lines}`\r\nend\r\n")
}

#[test]
fn attachments_that_are_encoded_in_a_text_have_content() {
    let program = [b"\x7fELF\x02\x01\x01\0".as_slice(), &[0; 200]].concat();
    let escaped = |octet: &u8| match octet.wrapping_add(42) {
        critical @ (0 | b'\n' | b'\r' | b'=') => vec![b'=', critical.wrapping_add(64)],
        octet => vec![octet],
    };
    let yenc = |content: &[u8]| {
        let octets: Vec<u8> = content.iter().flat_map(escaped).collect();
        let begin = b"=ybegin line=128 size=208 name=a.txt\r\n=ypart begin=1 end=208\r\n";
        [begin.as_slice(), &octets, b"\r\n=yend size=208\r\n"].concat()
    };
    let zip = archive(&[("a.txt", "a.exe")], "");
    let table: [(Vec<u8>, bool); 7] = [
        (uuencoded(&program).into(), true),
        (uuencoded(&zip).into(), true),
        (uuencoded(b"The minutes of the meeting").into(), false),
        (yenc(&program), true),
        (yenc(b"The minutes of the meeting"), false),
        (
            b"begin-base64 644 a\r\nf0VMRgIBAQ==\r\n====\r\n".to_vec(),
            true,
        ),
        (
            b"begin-base64 644 a\r\naGVsbG8=\r\n====\r\n".to_vec(),
            false,
        ),
    ];
    for (number, (text, expected)) in table.into_iter().enumerate() {
        let part = Part::new("text/plain").content(text);
        assert_eq!(refusal("[config]", part).is_some(), expected, "{number}");
    }
}

#[test]
fn names_of_encrypted_files_count_whatever_happens_to_the_rest() {
    let mut archive = archive(&[("a.txt", "a.txt"), ("b.js", "b.js")], "");
    archive[6] = 1;
    let file = Part::attachment("application/zip", "a.zip").content(archive);
    let expected = "550 5.7.1 attachment not accepted: b.js in a.zip";
    let found = refusal("[config]\nclosed = 'accept'", file);
    assert_eq!(found.as_deref(), Some(expected));
}

/// Octets of pictures and films contain the signatures of ZIP archives by accident.
#[test]
fn a_signature_by_accident_is_no_archive() {
    for signature in [b"PK\x03\x04", b"PK\x01\x02"] {
        let mut content = vec![0xb7; 100_000];
        content[50_000..50_004].copy_from_slice(signature);
        let film = Part::attachment("video/mp4", "film.mp4").content(content);
        assert_eq!(refusal("[config]", film), None);
    }
}

#[test]
fn a_tar_archive_has_one_size_for_each_file() {
    let block = |name: &str, kind: u8, size: &str| {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..124 + size.len()].copy_from_slice(size.as_bytes());
        header[148..156].fill(b' ');
        header[156] = kind;
        let sum: u32 = header.iter().map(|octet| u32::from(*octet)).sum();
        header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        header.to_vec()
    };
    let record = |text: &str| {
        let mut octets = text.as_bytes().to_vec();
        octets.resize(512, 0);
        octets
    };
    let pax = |text: &str| {
        [
            block("pax", b'x', &format!("{:o}", text.len())),
            record(text),
        ]
        .concat()
    };
    let text = record("hello");
    let table: [(Vec<u8>, bool); 7] = [
        ([block("a.txt", b'0', "5"), text.clone()].concat(), false),
        ([block("a.js", b'0', "5"), text.clone()].concat(), true),
        (
            [pax("12 size=5\n"), block("a.txt", b'0', "5"), text.clone()].concat(),
            false,
        ),
        (
            [pax("12 size=9\n"), block("a.txt", b'0', "5"), text.clone()].concat(),
            true,
        ),
        (
            [
                pax("13 path=a.js\n"),
                block("a.txt", b'0', "5"),
                text.clone(),
            ]
            .concat(),
            true,
        ),
        ([block("a.txt", b'0', "x"), text.clone()].concat(), true),
        (
            [block("a.txt", b'0', "5"), text, vec![1; 512]].concat(),
            true,
        ),
    ];
    for (number, (content, expected)) in table.into_iter().enumerate() {
        let part = Part::attachment("application/x-tar", "a").content(content);
        assert_eq!(refusal("[config]", part).is_some(), expected, "{number}");
    }
}
