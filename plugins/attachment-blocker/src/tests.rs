//! Tests of the whole plugin, with the stand-in for the host.

use postgate_plugin::testing::{self, Message, Part, Session};

use super::*;

mod archives;

const EXAMPLE: &str = include_str!("../example.toml");

/// A plugin with the `[config]` table of a sidecar file.
fn blocker(sidecar: &str) -> Result<AttachmentBlocker, String> {
    let sidecar: toml::Table = sidecar.parse().unwrap();
    testing::plugin(&serde_json::to_string(&sidecar["config"]).unwrap())
}

fn answer(sidecar: &str, parts: &[Part]) -> MessageAnswer {
    Session::new().install();
    let text = Message::new().part(Part::new("text/plain").content("MZ is the first word."));
    parts.iter().cloned().fold(text, Message::part).install();
    blocker(sidecar).unwrap().on_message()
}

fn refusal(sidecar: &str, part: Part) -> Option<String> {
    answer(sidecar, &[part])
        .refusal()
        .map(|refusal| refusal.to_string())
}

/// An archive without compression; each entry has a name in its local header and one in the directory.
fn archive(entries: &[(&str, &str)], comment: &str) -> Vec<u8> {
    let (mut local, mut directory) = (Vec::new(), Vec::new());
    for (in_front, in_directory) in entries {
        local.extend(b"PK\x03\x04");
        local.extend([0; 14]);
        local.extend([4, 0, 0, 0, 4, 0, 0, 0, in_front.len() as u8, 0, 2, 0]);
        local.extend(in_front.as_bytes());
        local.extend(b"XXdata");
        directory.extend(b"PK\x01\x02");
        directory.extend([0; 24]);
        directory.extend([in_directory.len() as u8, 0, 1, 0, 1, 0]);
        directory.extend([0; 12]);
        directory.extend(in_directory.as_bytes());
        directory.extend(b"EC");
    }
    let mut end = b"PK\x05\x06".to_vec();
    end.extend([0; 8]);
    end.extend((directory.len() as u32).to_le_bytes());
    end.extend((local.len() as u32).to_le_bytes());
    end.extend((comment.len() as u16).to_le_bytes());
    [local, directory, end, comment.into()].concat()
}

#[test]
fn attachments_good_and_bad() {
    let file = |name: &str| Part::attachment("application/octet-stream", name);
    let zip = |name: &str| file("a.zip").content(archive(&[("a.txt", name)], ""));
    let table = [
        (file("report.pdf"), None),
        (file("report.pdf.exe"), Some("report.pdf.exe")),
        (
            file("Ключ.exe"),
            Some("\\u{41a}\\u{43b}\\u{44e}\\u{447}.exe"),
        ),
        (
            file("notes.txt").content("MZ\x03\0"),
            Some("notes.txt is a Windows program"),
        ),
        (
            Part::new("image/png").content("\x7fELF\x02"),
            Some("a part without name is a Linux program"),
        ),
        (zip("b.txt"), None),
        (zip("folder/b.js"), Some("folder/b.js in a.zip")),
        (
            Part::new("application/HTA"),
            Some("a part without name of type application/HTA"),
        ),
        (
            Part::new(message::UNPARSED).content("--a"),
            Some("more parts than can be looked into"),
        ),
        (
            file("film.mp4").content(vec![b'x'; 10_485_761]),
            Some("film.mp4 is too large"),
        ),
        (file("film.mp4").content(vec![b'x'; 10_485_760]), None),
    ];
    for (part, expected) in table {
        let expected =
            expected.map(|objection| format!("550 5.7.1 attachment not accepted: {objection}"));
        assert_eq!(refusal(EXAMPLE, part), expected);
    }
}

#[test]
fn the_defaults_block_what_is_dangerous() {
    for extension in extensions::DANGEROUS {
        let part = Part::attachment("application/octet-stream", &format!("a.{extension}"));
        assert!(refusal("[config]", part).is_some(), "{extension}");
    }
    assert!(extensions::DANGEROUS.is_sorted());
    let part = Part::attachment("application/pdf", "a.pdf");
    assert_eq!(refusal("[config]", part), None);
}

#[test]
fn the_page_lists_all_extensions() {
    let page = include_str!("../README.md");
    let (_, section) = page.split_once("\n## Extensions\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let list = section.trim().rsplit("\n\n").next().unwrap();
    let listed: Vec<_> = list
        .split_whitespace()
        .map(|word| word.trim_matches('`'))
        .collect();
    assert_eq!(listed, extensions::DANGEROUS);
}

#[test]
fn attachments_are_counted() {
    let files = vec![Part::attachment("image/png", "a.png"); 21];
    assert_eq!(answer(EXAMPLE, &files[..20]), MessageAnswer::next());
    let refusal = answer(EXAMPLE, &files).refusal().unwrap();
    assert_eq!(
        refusal.to_string(),
        "550 5.7.1 attachment not accepted: more than 20 of them"
    );
    let nameless = vec![Part::new("application/pdf"); 21];
    assert!(answer(EXAMPLE, &nameless).refusal().is_some());
    let shown = vec![Part::new("text/plain"); 21];
    assert_eq!(answer(EXAMPLE, &shown), MessageAnswer::next());
}

#[test]
fn the_operator_chooses_what_happens() {
    let part = [Part::attachment("image/png", "a.exe")];
    let table = [
        ("quarantine", MessageAnswer::quarantine("a.exe")),
        ("tag", MessageAnswer::next().tag("attachment", "a.exe")),
        (
            "refuse",
            MessageAnswer::refuse(Refusal::new(550, "5.7.1", "attachment not accepted: a.exe")),
        ),
    ];
    for (action, expected) in table {
        assert_eq!(
            answer(&format!("[config]\naction = '{action}'"), &part),
            expected
        );
    }
}

#[test]
fn checks_can_be_switched_off() {
    let program = Part::attachment("image/png", "a.png").content("MZ\0");
    assert_eq!(refusal("[config]\nprograms = false", program), None);
    let content = archive(&[("a.exe", "a.exe")], "");
    let archive = Part::attachment("application/zip", "a.zip").content(content);
    assert_eq!(
        refusal("[config]\nlook-into-archives = false", archive),
        None
    );
    let script = Part::attachment("text/plain", "a.js");
    assert_eq!(refusal("[config]\nextensions = ['.EXE']", script), None);
    let program = Part::attachment("text/plain", "a.exe");
    assert!(refusal("[config]\nextensions = ['.EXE']", program).is_some());
}

#[test]
fn mistakes_name_their_place() {
    let table = [
        (
            "[config]\naction = 'strip'",
            "action: unknown variant `strip`, expected one of `quarantine`, `refuse`, `tag`",
        ),
        (
            "[config]\nmax-size = -1",
            "max-size: invalid value: integer `-1`, expected u32",
        ),
        (
            "[config]\ncontent-types = ['']",
            "content-types[0]: a pattern must not be empty",
        ),
    ];
    for (sidecar, expected) in table {
        assert_eq!(blocker(sidecar).map(|_| ()), Err(expected.into()));
    }
}

#[test]
fn what_cannot_be_decided_is_blocked_unless_the_operator_lets_it_pass() {
    let file = || Part::attachment("application/octet-stream", "a.dat").content("some text");
    let undecided = [
        file().defect(PartDefect::AmbiguousEncoding),
        file().defect(PartDefect::AmbiguousFilename),
        file().defect(PartDefect::AmbiguousStructure),
        file().defect(PartDefect::AmbiguousType),
        file().defect(PartDefect::MalformedContent),
        file().defect(PartDefect::NoParts),
        Part::new("message/partial"),
        Part::new("message/external-body"),
    ];
    let encrypted = {
        let mut archive = archive(&[("a.txt", "a.txt")], "");
        archive[6] = 1;
        archive
    };
    let closed = [
        file().content(b"7z\xbc\xaf\x27\x1c"),
        file().content(b"\xfd7zXZ\0"),
        file().content(b"BZh91AY&SY"),
        file().content(b"\x1f\x9d\x90"),
        file().content(b"\x1f\x8b\x08"),
        file().content(b"\x78\x9f\x3e\x22\0\0\x09\0\0\0\0\0\0\0\0"),
        file().content(encrypted),
        file().content("x\r\n(This file must be converted with BinHex 4.0)\r\n"),
    ];
    let kinds = [
        ("undecided", "closed", &undecided[..]),
        ("closed", "undecided", &closed),
    ];
    for (key, other, parts) in kinds {
        for (number, part) in parts.iter().enumerate() {
            let with = |key| refusal(&format!("[config]\n{key} = 'accept'"), part.clone());
            assert!(
                refusal("[config]", part.clone()).is_some(),
                "{key} {number}"
            );
            assert!(with(other).is_some(), "{key} {number}");
            assert_eq!(with(key), None, "{key} {number}");
        }
    }
    let harmless = [
        Part::new("text/plain").defect(PartDefect::MalformedContent),
        Part::new("multipart/mixed").defect(PartDefect::NoParts),
        file().content("7z\u{bc}"),
    ];
    for part in harmless {
        assert_eq!(refusal("[config]", part), None);
    }
}
