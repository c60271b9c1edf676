//! Messages that programs read in different ways, and those that only look so.

use super::{MULTIPART, PartView, parts};
use crate::Defect;

/// The defects of each part.
fn defects(views: &[PartView]) -> Vec<&[Defect]> {
    views.iter().map(|view| &*view.facts.defects).collect()
}

#[test]
fn a_boundary_counts_as_each_program_reads_it() {
    let body = "--B=x\r\n\r\none\r\n--B=x--\r\n";
    let table: [(&str, &str, &[Defect]); 10] = [
        ("B=x", body, &[]),
        ("\"B=x\"", "--B\r\n--B=x\r\n\r\none\r\n--B=x--\r\n", &[]),
        (
            "----=_Part_1",
            "------=_Part_1\r\n\r\none\r\n-----\r\n------=_Part_1--\r\n",
            &[],
        ),
        (
            "B=x",
            "--B\r\n\r\n--B=x\r\n\r\none\r\n--B=x--\r\n",
            &[Defect::AmbiguousStructure],
        ),
        (
            "B=x",
            "--B=x\r\n\r\none\r\n--B\r\n--B=x--\r\n",
            &[Defect::AmbiguousStructure],
        ),
        (
            "B=x",
            "--B=x\r\n\r\none\r\n--B=x--\r\n--B-- \r\n",
            &[Defect::AmbiguousStructure],
        ),
        (
            "<B=x>",
            "--<B=x>\r\n\r\none\r\n--B=x\r\n--<B=x>--\r\n",
            &[Defect::AmbiguousStructure],
        ),
        ("\"B=x", body, &[Defect::AmbiguousType]),
        ("B=x(y)", body, &[Defect::AmbiguousType]),
        ("\"=?us-ascii?q?B=x?=\"", body, &[Defect::AmbiguousType]),
    ];
    for (boundary, body, expected) in table {
        let headers = format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n");
        let views = parts(&headers, body);
        let found: Vec<_> = views[0]
            .facts
            .defects
            .iter()
            .filter(|defect| **defect != Defect::NoParts)
            .copied()
            .collect();
        assert_eq!(found, expected, "{boundary} {body:?}");
    }
}

/// A line that is no field may end a header block, be skipped, or be taken for a field.
#[test]
fn a_line_that_is_no_field_is_ambiguous_wherever_the_part_is() {
    let lines = [
        "X : y",
        "Content-Type : application/x",
        "junk",
        ">From x",
        "From : y",
        "From x y",
        ": y",
        "\0",
        "\u{c}",
        "X\0: y",
        "\u{feff}X: y",
        "\u{a0}",
        "\u{85}x",
    ];
    let message = "Content-Type: message/rfc822\r\n";
    for line in lines {
        let part = format!("X: y\r\n{line}\r\nContent-Type: text/html\r\n\r\none\r\n");
        let inner = format!("--a\r\n{part}--a--\r\n");
        let quoted = inner.replace('=', "=3D");
        let table = [
            (MULTIPART, inner.clone()),
            (message, part.clone()),
            (MULTIPART, format!("--a\r\n{message}\r\n{part}--a--\r\n")),
            (message, format!("{MULTIPART}{inner}")),
            (
                "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n",
                format!("{}{quoted}", MULTIPART.replace('=', "=3D")),
            ),
        ];
        for (headers, body) in table {
            let views = parts(&format!("{headers}\r\n"), &body);
            assert!(
                defects(&views)
                    .concat()
                    .contains(&Defect::AmbiguousStructure),
                "{headers}{body:?}"
            );
        }
    }
}

#[test]
fn every_message_is_opened() {
    let inner = "Content-Type: application/x; name=a.exe\r\n\r\none";
    for kind in ["news", "x", "rfc-822", "global-headers", "RFC822"] {
        let body = format!("--a\r\nContent-Type: message/{kind}\r\n\r\n{inner}\r\n--a--\r\n");
        let views = parts(MULTIPART, &body);
        assert_eq!(views.len(), 3, "{kind}");
        assert_eq!(views[2].facts.filenames, ["a.exe"], "{kind}");
    }
    let report = "Reporting-MTA: dns; x\r\n\r\nAction: failed\r\n";
    for (kind, encoding, content, expected) in [
        ("delivery-status", "7bit", inner, true),
        ("delivery-status", "7bit", report, false),
        ("delivery-status", "base64", inner, true),
        (
            "feedback-report",
            "quoted-printable",
            "C=6Fntent-Type: x/y\r\n",
            true,
        ),
        (
            "feedback-report",
            "quoted-printable",
            "Content-Type: x/y=\r\n",
            true,
        ),
        ("feedback-report", "7bit", "Feedback-Type: abuse\r\n", false),
        ("http", "7bit", inner, true),
    ] {
        let body = format!(
            "--a\r\nContent-Type: message/{kind}\r\n\
            Content-Transfer-Encoding: {encoding}\r\n\r\n{content}\r\n--a--\r\n"
        );
        let views = parts(MULTIPART, &body);
        assert_eq!(views.len(), 2, "{kind}");
        let is_ambiguous = views[1].facts.defects.contains(&Defect::AmbiguousType);
        assert_eq!(is_ambiguous, expected, "{kind} {content}");
    }
}
