//! The interface `message`: the header block, the body and the MIME parts of the message.

use std::ops::Range;
use std::sync::Arc;

use postgate_mime::{Defect, Mime, MimeVersion};
use postgate_proto::header::{Field, HeaderBlock};
use postgate_spool::find_parts;

use super::error::HostError;
use super::parts::{elsewhere, with_part, with_text};
use super::state::HostState;
use crate::bindings::host::message;
use crate::bindings::host::types::Pair;
use crate::meter::check_piece;

impl HostState {
    /// Returns the parts of the message, which are parsed at the first call. A large message is parsed on
    /// a blocking thread, since it would delay other sessions.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be read, and outside of a call.
    async fn mime(&self) -> wasmtime::Result<Arc<Mime>> {
        let context = &self.view()?.context;
        let message = &context.message;
        if let Some(mime) = message.mime() {
            return Ok(Arc::clone(mime));
        }
        let body = message.body.clone();
        let mime = match message.size() <= MAX_INLINE_PARSE {
            true => find_parts(&message.headers, body, check_piece).map_err(HostError::from)?,
            false => {
                let context = Arc::clone(context);
                let find = move || find_parts(&context.message.headers, body, check_piece);
                elsewhere(&self.meter(), find).await?
            }
        };
        let mime = Arc::new(mime);
        message.set_mime(Arc::clone(&mime));
        Ok(mime)
    }
}

/// The lines of a header block, in pieces that do not take long.
fn pieces(headers: &HeaderBlock) -> impl Iterator<Item = Range<usize>> {
    let all = headers.lines();
    let begins = (0..all).step_by(LINES);
    begins.map(move |begin| begin..all.min(begin + LINES))
}

fn header(field: Field<'_>) -> message::Header {
    message::Header {
        name: field.name().into(),
        value: field.value().to_vec(),
    }
}

/// Converts a count or a size. The contract has them as `u32`, and a greater number becomes the greatest
/// `u32`.
fn clamped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl message::Host for HostState {
    fn started_at(&mut self) -> wasmtime::Result<u32> {
        Ok(self.context()?.message.started_at)
    }

    fn completed_at(&mut self) -> wasmtime::Result<u32> {
        Ok(self.context()?.message.completed_at)
    }

    fn headers_complete(&mut self) -> wasmtime::Result<bool> {
        Ok(self.context()?.message.headers_complete)
    }

    fn id(&mut self) -> wasmtime::Result<String> {
        Ok(self.view()?.message_id().into())
    }

    fn size(&mut self) -> wasmtime::Result<u32> {
        Ok(clamped(self.context()?.message.size()))
    }

    fn header_count(&mut self) -> wasmtime::Result<u32> {
        Ok(clamped(self.context()?.message.headers.len() as u64))
    }

    fn header_at(&mut self, index: u32) -> wasmtime::Result<Option<message::Header>> {
        let headers = &self.context()?.message.headers;
        Ok(headers.field(index as usize).map(header))
    }

    async fn headers_named(&mut self, name: String) -> wasmtime::Result<Vec<message::Header>> {
        let headers = &self.context()?.message.headers;
        let mut meter = self.meter();
        let mut found = Vec::new();
        if name.len() > MAX_NAME {
            return Ok(found);
        }
        for lines in pieces(headers) {
            found.extend(headers.named_among(lines, &name).map(header));
            meter.count(PIECE).await?;
        }
        Ok(found)
    }

    async fn header_text(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let headers = &self.context()?.message.headers;
        let mut meter = self.meter();
        if name.len() > MAX_NAME {
            return Ok(None);
        }
        for lines in pieces(headers) {
            if let Some(field) = headers.named_among(lines, &name).next() {
                return Ok(field.text().map(Into::into));
            }
            meter.count(PIECE).await?;
        }
        Ok(None)
    }

    fn body_size(&mut self) -> wasmtime::Result<u32> {
        Ok(clamped(self.context()?.message.body.len()))
    }

    fn read_body(&mut self, offset: u32, length: u32) -> wasmtime::Result<Vec<u8>> {
        let body = &self.context()?.message.body;
        let left = body.len().saturating_sub(offset.into());
        let mut octets = vec![0; clamped(left).min(length).min(MAX_READ) as usize];
        let count = body
            .read_at(offset.into(), &mut octets)
            .map_err(HostError::from)?;
        octets.truncate(count);
        Ok(octets)
    }

    async fn part_count(&mut self) -> wasmtime::Result<u32> {
        let message = &self.context()?.message;
        match message.body.is_empty() {
            true if message.headers.is_empty() => Ok(0),
            _ => Ok(clamped(self.mime().await?.parts().len() as u64)),
        }
    }

    async fn part_at(&mut self, index: u32) -> wasmtime::Result<Option<message::Part>> {
        let mime = self.mime().await?;
        let Some(part) = mime.parts().get(index as usize) else {
            return Ok(None);
        };
        let meter = self.meter();
        let facts = with_part(&meter, &mime, index, move |mime| mime.facts(index));
        let Some((facts, size)) = facts.await? else {
            return Ok(None);
        };
        Ok(Some(message::Part {
            parent: part.parent,
            size: clamped(size),
            container: part.container,
            content_type: facts.content_type,
            filenames: facts.filenames,
            disposition: facts.disposition,
            parameters: pairs(facts.parameters),
            encoding: facts.encoding,
            content_id: facts.content_id,
            description: facts.description,
            defects: facts.defects.into_iter().map(defect).collect(),
        }))
    }

    async fn read_part(
        &mut self,
        index: u32,
        offset: u32,
        length: u32,
    ) -> wasmtime::Result<Vec<u8>> {
        let mime = self.mime().await?;
        let length = length.min(MAX_READ);
        let read = move |mime: &Mime| mime.read(index, offset, length);
        with_part(&self.meter(), &mime, index, read).await
    }

    async fn part_headers(&mut self, index: u32) -> wasmtime::Result<Vec<message::Header>> {
        let mut meter = self.meter();
        let head;
        let headers = match index {
            0 => &self.context()?.message.headers,
            _ => {
                let mime = self.mime().await?;
                let read = with_part(&meter, &mime, index, move |mime| mime.head(index));
                head = HeaderBlock::parse(read.await?);
                &head
            }
        };
        let mut found = Vec::new();
        for lines in pieces(headers) {
            found.extend(headers.fields_among(lines).map(header));
            meter.count(PIECE).await?;
        }
        Ok(found)
    }

    fn mime_version(&mut self) -> wasmtime::Result<Option<message::MimeVersionField>> {
        let value = self.context()?.message.headers.text("MIME-Version");
        let found = value.and_then(|value| MimeVersion::parse(&value));
        Ok(found.map(|found| message::MimeVersionField {
            version: found.version,
            comment_before: found.comment_before,
            comment_after: found.comment_after,
        }))
    }

    async fn plain_part(&mut self) -> wasmtime::Result<Option<u32>> {
        Ok(self.mime().await?.plain())
    }

    async fn html_part(&mut self) -> wasmtime::Result<Option<u32>> {
        Ok(self.mime().await?.html())
    }

    async fn read_text(
        &mut self,
        index: u32,
        offset: u32,
        length: u32,
    ) -> wasmtime::Result<Option<String>> {
        let mime = self.mime().await?;
        let length = length.min(MAX_READ);
        let read = move |mime: &Mime| mime.text(index, offset, length);
        with_text(&self.meter(), &mime, index, read).await
    }
}

const fn defect(defect: Defect) -> message::PartDefect {
    match defect {
        Defect::AmbiguousEncoding => message::PartDefect::AmbiguousEncoding,
        Defect::AmbiguousFilename => message::PartDefect::AmbiguousFilename,
        Defect::AmbiguousStructure => message::PartDefect::AmbiguousStructure,
        Defect::AmbiguousType => message::PartDefect::AmbiguousType,
        Defect::MalformedContent => message::PartDefect::MalformedContent,
        Defect::NoParts => message::PartDefect::NoParts,
    }
}

fn pairs(parameters: Vec<(String, String)>) -> Vec<Pair> {
    let parameters = parameters.into_iter();
    parameters
        .map(|(name, value)| Pair { name, value })
        .collect()
}

/// The greatest number of octets that one read of a body or a part returns.
const MAX_READ: u32 = 262_144;
/// The greatest size in octets of a message that is parsed on the thread of the session.
const MAX_INLINE_PARSE: u64 = 65_536;
/// The number of lines of a header block in a piece.
const LINES: usize = 1_024;
/// What a piece counts for, in octets.
const PIECE: usize = 32_768;
/// The greatest length of the name of a field, as of a line (RFC 5322 §2.1.1).
const MAX_NAME: usize = 998;
