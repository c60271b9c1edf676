//! Messages and the parts that are found in them.

mod content;
mod limits;
mod readings;
mod structure;

use postgate_proto::header::HeaderBlock;

use super::{Facts, MAX_PARTS, Mime};

/// A part with everything that can be read of it.
#[derive(Debug)]
struct PartView {
    parent: u32,
    container: bool,
    facts: Facts,
    head: Vec<u8>,
    content: Vec<u8>,
}

fn parts(headers: &str, body: &str) -> Vec<PartView> {
    read_all(&parse(headers, body.as_bytes()))
}

fn read_all(mime: &Mime) -> Vec<PartView> {
    let mut views = Vec::new();
    for (index, part) in (0..).zip(mime.parts()) {
        let (facts, size) = mime.facts(index).unwrap().unwrap();
        let content = mime.read(index, 0, u32::MAX).unwrap();
        assert_eq!(content.len() as u64, size);
        views.push(PartView {
            parent: part.parent,
            container: part.container,
            facts,
            head: mime.head(index).unwrap(),
            content,
        });
    }
    views
}

fn parse(headers: &str, body: &[u8]) -> Mime {
    let headers = HeaderBlock::parse(headers.as_bytes().to_vec());
    let mime = Mime::find(&headers, body.to_vec(), Vec::new()).unwrap();
    assert!((1..=MAX_PARTS).contains(&mime.parts().len()));
    mime
}

/// Type, content, parent and `container` of each part.
fn summary(views: &[PartView]) -> Vec<(&str, String, u32, bool)> {
    let text = |view: &PartView| String::from_utf8_lossy(&view.content).into_owned();
    views
        .iter()
        .map(|view| {
            (
                view.facts.content_type.as_str(),
                text(view),
                view.parent,
                view.container,
            )
        })
        .collect()
}

const MULTIPART: &str = "Content-Type: multipart/mixed; boundary=a\r\n\r\n";
