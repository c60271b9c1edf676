//! Tests of the whole plugin, with the stand-in for the host.

use postgate_plugin::testing::{self, Message, Part, Session};

use super::*;

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

#[test]
fn attachments_good_and_bad() {
    let file = |name: &str| Part::attachment("application/octet-stream", name);
    let zip = |name: &str| file("a.zip").content(zip::tests::archive(&[("a.txt", name)], ""));
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
    for extension in config::DANGEROUS {
        let part = Part::attachment("application/octet-stream", &format!("a.{extension}"));
        assert!(refusal("[config]", part).is_some(), "{extension}");
    }
    assert!(config::DANGEROUS.is_sorted());
    let part = Part::attachment("application/pdf", "a.pdf");
    assert_eq!(refusal("[config]", part), None);
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
    let content = zip::tests::archive(&[("a.exe", "a.exe")], "");
    let archive = Part::attachment("application/zip", "a.zip").content(content);
    assert_eq!(refusal("[config]\nlook-into-zip = false", archive), None);
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
