//! The stock plugin `attachment-blocker` in its default configuration: a file that it blocks is
//! refused however it is packed, named and encoded; another is taken in all usual ways.

use std::cell::RefCell;

use postgate_tests::attachment::{Archive, Encoding, File, Method, Wrapping, Zip, message, packed};
use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

/// How a file gets into a message.
#[derive(Clone, Debug)]
struct Path {
    file: File,
    archives: Vec<(Archive, &'static str)>,
    encoding: Encoding,
    fields: &'static str,
    wrappings: Vec<Wrapping>,
}

impl Path {
    fn message(&self) -> Vec<u8> {
        let archives = self.archives.iter();
        let file = archives.fold(self.file.clone(), |file, (archive, name)| {
            packed(archive, &file, name)
        });
        message(&file, self.encoding, self.fields, &self.wrappings)
    }
}

#[test]
fn a_dangerous_file_is_refused_however_it_is_packed() {
    let paths = paths(dangerous(), archives(odd_zip(), &ODD_NAMES), odd_encoding());
    check(&paths, "550 5.7.1 attachment not accepted");
}

#[test]
fn a_clean_file_is_taken_in_all_usual_ways() {
    let encodings = select(&USUAL_ENCODINGS);
    let paths = paths(clean(), archives(usual_zip(), &USUAL_NAMES), encodings);
    check(&paths, "250");
}

/// Every way in which such a file gets into a message, in such archives and encodings.
fn paths(
    file: impl Strategy<Value = File> + 'static,
    archives: impl Strategy<Value = Vec<(Archive, &'static str)>> + 'static,
    encoding: impl Strategy<Value = (Encoding, &'static str)> + 'static,
) -> BoxedStrategy<Path> {
    (file, archives, encoding, wrappings())
        .prop_map(|(file, archives, (encoding, fields), wrappings)| Path {
            file,
            archives,
            encoding,
            fields,
            wrappings,
        })
        .boxed()
}

fn check(paths: &BoxedStrategy<Path>, expected: &str) {
    let (gateway, _backend) = start();
    let client = RefCell::new(Client::greeted(gateway.address()));
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(paths, |path| {
        let mut client = client.borrow_mut();
        client.envelope("alice@client.example", &["bob@example.org"]);
        let reply = client.message(&path.message());
        prop_assert!(reply.starts_with(expected), "{}", reply);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn start() -> (Gateway, Backend) {
    let backend = Backend::working();
    let setup = Setup::new()
        .backend(&backend.smtp())
        .set("limits.refusals = 0");
    let setup = setup.plugin("30-attachment-blocker", "attachment-blocker", "");
    (setup.start(), backend)
}

fn dangerous() -> impl Strategy<Value = File> {
    let by_name = select(
        &[
            "run.js",
            "setup.EXE",
            "a.lnk",
            "x.search-ms",
            "a.pdf.scr",
            "a.exe. ",
        ][..],
    );
    let by_name = by_name.prop_map(|name| File::new(name, "The minutes of the meeting.\r\n"));
    let mut disc = vec![0; 40_000];
    disc[32_769..32_774].copy_from_slice(b"CD001");
    let mut windows = b"MZ\x90\0".to_vec();
    windows.resize(60, 0);
    windows.extend(b"\x40\0\0\0PE\0\0");
    windows.resize(900, 7);
    let contents = [
        windows,
        [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 500]].concat(),
        [b"\xcf\xfa\xed\xfe".as_slice(), &[0; 500]].concat(),
        disc,
        b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(),
    ];
    let by_content = (
        select(&["notes.txt", "photo.jpg", "data"][..]),
        select(contents.to_vec()),
    );
    let by_content = by_content.prop_map(|(name, content)| File::new(name, content));
    prop_oneof![by_name, by_content]
}

fn clean() -> impl Strategy<Value = File> {
    let names = select(
        &[
            "minutes.txt",
            "report.pdf",
            "photo.jpg",
            "table.xlsx",
            "Größe.odt",
        ][..],
    );
    let text = Just(b"The minutes of the meeting.\r\n".repeat(50));
    let noise = prop::collection::vec(any::<u8>(), 600..3_000);
    let noise = noise.prop_map(|noise| [b"%PDF-1.7\n".as_slice(), &noise].concat());
    (names, prop_oneof![text, noise]).prop_map(|(name, content)| File::new(name, content))
}

fn archives(
    zip: BoxedStrategy<Archive>,
    names: &'static [&'static str],
) -> impl Strategy<Value = Vec<(Archive, &'static str)>> {
    let archive = prop_oneof![4 => zip, 1 => Just(Archive::Gzip), 1 => Just(Archive::Tar)];
    prop::collection::vec((archive, select(names)), 0..4)
}

fn method() -> impl Strategy<Value = Method> {
    select(&[Method::Deflated, Method::Stored][..])
}

fn usual_zip() -> BoxedStrategy<Archive> {
    let zip = (method(), any::<bool>(), any::<bool>());
    let zip = zip.prop_map(|(method, is_streamed, is_64)| Zip {
        is_streamed,
        is_64,
        ..Zip::usual(method)
    });
    zip.prop_map(Archive::Zip).boxed()
}

fn odd_zip() -> BoxedStrategy<Archive> {
    let prefix = prop_oneof![
        Just(Vec::new()),
        Just(b"PK00".to_vec()),
        Just(b"GIF89a".to_vec()),
        prop::collection::vec(any::<u8>(), 1..2_000),
    ];
    let other_name = prop::option::of(Just("readme.txt".to_owned()));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let zip = (method(), flags, prefix, other_name);
    let zip = zip.prop_map(|(method, flags, prefix, other_name)| {
        let (is_streamed, is_64, is_misnamed) = flags;
        Archive::Zip(Zip {
            method,
            is_streamed,
            is_64,
            prefix,
            other_name,
            is_misnamed,
        })
    });
    zip.boxed()
}

fn odd_encoding() -> impl Strategy<Value = (Encoding, &'static str)> {
    let syntaxes = select(&SYNTAXES).prop_map(|fields| (Encoding::Base64, fields));
    let usual = select(&USUAL_ENCODINGS);
    let uu = Just((Encoding::Uu, "Content-Type: text/plain"));
    prop_oneof![3 => syntaxes, 1 => usual, 1 => uu]
}

fn wrappings() -> impl Strategy<Value = Vec<Wrapping>> {
    let all = [
        Wrapping::Message,
        Wrapping::MessageInBase64,
        Wrapping::Multipart,
    ];
    prop::collection::vec(select(all.to_vec()), 0..3)
}

/// Names that say nothing about an archive, or something wrong.
const ODD_NAMES: [&str; 6] = ["a.zip", "a", "a.txt", "a.docx.bin", "photo.jpg", "a.tar.gz"];
const USUAL_NAMES: [&str; 3] = ["a.zip", "files.zip", "archive.tgz"];
/// Fields with a name that not every program reads.
const SYNTAXES: [&str; 6] = [
    "Content-Type: application/octet-stream; name=\"{name}\"",
    "Content-Type: image/png\r\nContent-Disposition: filename=\"{name}\"",
    "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt; filename=\"{name}\"",
    "Content-Type: text/plain; name=a.txt\r\nContent-Disposition: inline; filename*=utf-8''{name}",
    "Content-Type: x/y\r\nContent-Disposition: attachment; filename=\"{name}\"\r\nContent-Disposition: inline",
    "Content-Type: text/html; charset=utf-16; name=\"{name}\"",
];
const USUAL_ENCODINGS: [(Encoding, &str); 3] = [
    (
        Encoding::Base64,
        "Content-Type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Disposition: attachment; filename=\"{name}\"",
    ),
    (
        Encoding::QuotedPrintable,
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"",
    ),
    (
        Encoding::Base64,
        "Content-Type: text/plain; charset=utf-8; name=\"{name}\"",
    ),
];
