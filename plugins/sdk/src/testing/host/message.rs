//! The message that the test defined.

use crate::message::{Header, MAX_READ, MimeVersionField, Part};
use crate::testing::{Message, WORLD};

/// An installed message is complete, so it always has a part.
pub(crate) fn started_at() -> u32 {
    message(|message| {
        if message.parts.is_empty() {
            0
        } else {
            1_700_000_060
        }
    })
}

pub(crate) fn completed_at() -> u32 {
    message(|message| {
        if message.parts.is_empty() {
            0
        } else {
            1_700_000_061
        }
    })
}

pub(crate) fn headers_complete() -> bool {
    message(|message| !message.parts.is_empty())
}

pub(crate) fn id() -> String {
    super::session::transaction_id()
}

pub(crate) fn size() -> u32 {
    message(|message| {
        let fields = message.headers.iter();
        let block: usize = fields
            .map(|field| field.name.len() + field.value.len() + 3)
            .sum();
        length(block + 2 + message.body.len())
    })
}

pub(crate) fn header_count() -> u32 {
    message(|message| length(message.headers.len()))
}

pub(crate) fn header_at(index: u32) -> Option<Header> {
    message(|message| message.headers.get(index as usize).cloned())
}

pub(crate) fn headers_named(name: &str) -> Vec<Header> {
    message(|message| {
        let fields = message.headers.iter();
        let named = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
        named.cloned().collect()
    })
}

pub(crate) fn header_text(name: &str) -> Option<String> {
    let first = headers_named(name).into_iter().next()?;
    let text = String::from_utf8(first.value).ok()?;
    Some(text.replace("\r\n", "").trim().into())
}

pub(crate) fn body_size() -> u32 {
    message(|message| length(message.body.len()))
}

pub(crate) fn read_body(offset: u32, length: u32) -> Vec<u8> {
    message(|message| cut(&message.body, offset, length))
}

pub(crate) fn part_count() -> u32 {
    message(|message| length(message.parts.len()))
}

pub(crate) fn part_at(index: u32) -> Option<Part> {
    message(|message| {
        let part = message.parts.get(index as usize)?;
        Some(Part {
            parent: 0,
            content_type: part.content_type.clone(),
            filenames: part.filenames.clone(),
            disposition: part.disposition.clone(),
            size: length(part.content.len()),
            container: part.container,
            parameters: part.parameters.clone(),
            encoding: part.encoding.clone(),
            content_id: part.content_id.clone(),
            description: part.description.clone(),
            defects: part.defects.clone(),
        })
    })
}

pub(crate) fn read_part(index: u32, offset: u32, length: u32) -> Vec<u8> {
    message(|message| match message.parts.get(index as usize) {
        Some(part) => cut(&part.content, offset, length),
        None => Vec::new(),
    })
}

pub(crate) fn part_headers(index: u32) -> Vec<Header> {
    message(|message| match (index, message.parts.get(index as usize)) {
        (0, Some(_)) => message.headers.clone(),
        (_, Some(part)) => part.headers.clone(),
        (_, None) => Vec::new(),
    })
}

/// A test writes this field in its usual form, without comments.
pub(crate) fn mime_version() -> Option<MimeVersionField> {
    Some(MimeVersionField {
        version: header_text("mime-version")?,
        comment_before: None,
        comment_after: None,
    })
}

pub(crate) fn plain_part() -> Option<u32> {
    first_of("text/plain")
}

pub(crate) fn html_part() -> Option<u32> {
    first_of("text/html")
}

/// In a test, the content of a part is UTF-8.
pub(crate) fn read_text(index: u32, offset: u32, length: u32) -> Option<String> {
    message(|message| {
        let part = message.parts.get(index as usize)?;
        let text = str::from_utf8(&part.content).ok()?.get(offset as usize..)?;
        let end = text.floor_char_boundary(length.min(MAX_READ) as usize);
        part.content_type
            .starts_with("text/")
            .then(|| text[..end].into())
    })
}

fn first_of(content_type: &str) -> Option<u32> {
    message(|message| {
        let mut parts = message.parts.iter();
        let place = parts.position(|part| {
            part.content_type == content_type && part.disposition.as_deref() != Some("attachment")
        });
        place.map(length)
    })
}

fn message<R>(read: impl FnOnce(&Message) -> R) -> R {
    WORLD.with_borrow(|world| read(&world.message))
}

fn cut(bytes: &[u8], offset: u32, length: u32) -> Vec<u8> {
    let skip = offset as usize;
    let take = length.min(MAX_READ) as usize;
    bytes.iter().skip(skip).take(take).copied().collect()
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
