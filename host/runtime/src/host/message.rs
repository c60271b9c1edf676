//! The interface `message`: the header block, the body and the MIME parts of the message.

use std::sync::Arc;

use postgate_mime::{Defect, Mime, MimeVersion};
use postgate_proto::header::{Field, HeaderBlock};
use postgate_spool::find_parts;

use super::error::HostError;
use super::parts::{with_part, with_text};
use super::state::HostState;
use crate::bindings::host::message;
use crate::bindings::host::types::Pair;

impl HostState {
    /// Returns the parts of the message, which are parsed at the first call. A large message is parsed on
    /// a blocking thread, since it would delay other sessions.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be read, and outside of a call.
    async fn mime(&self) -> wasmtime::Result<Arc<Mime>> {
        let message = &self.context()?.message;
        if let Some(mime) = message.mime() {
            return Ok(Arc::clone(mime));
        }
        let (headers, body) = (message.headers.clone(), message.body.clone());
        let mime = match body.len() <= MAX_INLINE_PARSE {
            true => find_parts(&headers, body).map_err(HostError::from)?,
            false => tokio::task::spawn_blocking(move || find_parts(&headers, body))
                .await
                .map_err(HostError::from)?
                .map_err(HostError::from)?,
        };
        let mime = Arc::new(mime);
        message.set_mime(Arc::clone(&mime));
        Ok(mime)
    }
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

    fn headers_named(&mut self, name: String) -> wasmtime::Result<Vec<message::Header>> {
        let headers = &self.context()?.message.headers;
        Ok(headers.named(&name).map(header).collect())
    }

    fn header_text(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let headers = &self.context()?.message.headers;
        Ok(headers.text(&name).map(Into::into))
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
        let Some((facts, size)) = with_part(&mime, index, move |mime| mime.facts(index))
            .await
            .map_err(HostError::from)?
        else {
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
        Ok(
            with_part(&mime, index, move |mime| mime.read(index, offset, length))
                .await
                .map_err(HostError::from)?,
        )
    }

    async fn part_headers(&mut self, index: u32) -> wasmtime::Result<Vec<message::Header>> {
        if index == 0 {
            let headers = &self.context()?.message.headers;
            return Ok(headers.fields().map(header).collect());
        }
        let mime = self.mime().await?;
        let head = with_part(&mime, index, move |mime| mime.head(index))
            .await
            .map_err(HostError::from)?;
        let headers = HeaderBlock::parse(head);
        Ok(headers.fields().map(header).collect())
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
        Ok(
            with_text(&mime, index, move |mime| mime.text(index, offset, length))
                .await
                .map_err(HostError::from)?,
        )
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
/// The greatest size in octets of a body that is parsed on the thread of the session.
const MAX_INLINE_PARSE: u64 = 65_536;
