//! The receiver of a message: decodes it, limits its size, and finds the end of the header block.

use std::ops::Range;

use memchr::memchr;

use crate::data::{DataDecoder, Decoded, LineEndings};
use crate::fault::Fault;
use crate::header::HeaderScanner;
use crate::parameters::Body;
use crate::reply::{Enhanced, Refusal};
use crate::session::input::Input;
use crate::session::settings::Settings;

/// A message that is being received.
#[derive(Debug)]
pub(super) struct MessageReceiver {
    framing: Framing,
    part: Part,
    size: u32,
    refusal: Option<Refusal>,
}

/// The result of [`MessageReceiver::advance`].
#[derive(Debug)]
pub(super) enum Received {
    /// A chunk of this many octets is complete, and it is not the last.
    Chunk(u64),
    /// The header block is complete.
    Headers,
    /// The message is complete.
    Message,
    /// There is no more input.
    NeedMore,
    /// The message is refused, and it or the current chunk is complete.
    Refused(Refusal),
    /// Octets of the message.
    Store(Octets),
}

/// Octets of a message.
#[derive(Debug)]
pub(super) enum Octets {
    /// Octets that the decoder has added.
    Fixed(&'static [u8]),
    /// A range of the input.
    Input(Range<usize>),
}

impl Octets {
    pub(super) fn of<'a>(&self, input: &'a Input) -> &'a [u8] {
        match self {
            Self::Fixed(octets) => octets,
            Self::Input(range) => input.octets(range.clone()),
        }
    }
}

/// How the end of the message is found.
#[derive(Debug)]
enum Framing {
    /// The size of a chunk: BDAT (RFC 3030 §2). Without BODY=BINARYMIME, its octets are text.
    Chunk {
        size: u64,
        left: u64,
        last: bool,
        text: Option<DataDecoder>,
    },
    /// A line with a single dot: DATA (RFC 5321 §4.5.2).
    Dot(DataDecoder),
}

/// The part of the message that comes next.
#[derive(Debug)]
enum Part {
    /// The header block, as far as it was scanned.
    Header(HeaderScanner),
    /// The end of the header block was read and not reported.
    HeaderEnd,
    Body,
    /// The end of the message was read in the header block.
    EndInHeader,
    /// The end of the message was read after the header block was reported.
    End,
}

impl MessageReceiver {
    /// A receiver for DATA.
    pub(super) const fn of_data(line_endings: LineEndings) -> Self {
        Self::new(Framing::Dot(DataDecoder::new(line_endings)))
    }

    /// A receiver for BDAT with this BODY parameter. [`begin_chunk`](Self::begin_chunk) begins the first
    /// chunk.
    pub(super) const fn of_chunks(body: Option<Body>, line_endings: LineEndings) -> Self {
        Self::new(Framing::Chunk {
            size: 0,
            left: 0,
            last: false,
            text: match body {
                Some(Body::BinaryMime) => None,
                _ => Some(DataDecoder::of_chunks(line_endings)),
            },
        })
    }

    const fn new(framing: Framing) -> Self {
        Self {
            framing,
            part: Part::Header(HeaderScanner::new()),
            size: 0,
            refusal: None,
        }
    }

    /// Begins the next chunk.
    pub(super) const fn begin_chunk(&mut self, octets: u64, is_last: bool) {
        if let Framing::Chunk {
            size, left, last, ..
        } = &mut self.framing
        {
            (*size, *left, *last) = (octets, octets, is_last);
        }
    }

    /// Refuses the message after its end. If it is refused several times, the first refusal is kept.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    /// Refuses the message with the configured reply to a fault, or with the default one if the
    /// configured reply does not refuse.
    fn refuse_for(&mut self, fault: Fault, settings: &Settings) {
        let worded = Refusal::new(settings.reply_to(fault));
        if let Ok(refusal) = worded.or_else(|_| Refusal::new(fault.into())) {
            self.refuse(refusal);
        }
    }

    pub(super) fn advance(&mut self, input: &mut Input, settings: &Settings) -> Received {
        loop {
            match self.part {
                Part::HeaderEnd => {
                    self.part = Part::Body;
                    self.note_flaws(settings);
                    if self.refusal.is_none() {
                        return Received::Headers;
                    }
                }
                // Policy is asked about the header block also if no blank line ends it.
                Part::EndInHeader => {
                    self.part = Part::End;
                    return self.complete(Received::Headers, settings);
                }
                Part::End => return self.complete(Received::Message, settings),
                Part::Header(_) | Part::Body => {
                    let is_used_up = input.unused().is_empty();
                    let octets = match self.take(input) {
                        Taken::End => {
                            self.part = match self.part {
                                Part::Body => Part::End,
                                _ => Part::EndInHeader,
                            };
                            continue;
                        }
                        Taken::EndOfChunk(size) => {
                            self.note_flaws(settings);
                            return match self.refusal.take() {
                                Some(refusal) => Received::Refused(refusal),
                                None => Received::Chunk(size),
                            };
                        }
                        Taken::Nothing if is_used_up => return Received::NeedMore,
                        Taken::Nothing => continue,
                        Taken::Octets(octets) => octets,
                    };
                    self.note(&octets, input, settings);
                    if self.refusal.is_none() {
                        return Received::Store(octets);
                    }
                }
            }
        }
    }

    /// Takes the next octets of the message out of the input. In the header block they end with a
    /// line, so that little of the body is stored before policy is asked about the header block: its
    /// first line, if no blank line comes before it, or lines that end with a lone CR.
    fn take(&mut self, input: &mut Input) -> Taken {
        let unused = input.unused();
        let reach = match self.part {
            Part::Header(_) => memchr(b'\n', unused).map_or(unused.len(), |index| index + 1),
            _ => unused.len(),
        };
        let (decoder, reach) = match &mut self.framing {
            Framing::Chunk {
                left: 0,
                last: true,
                text,
                ..
            } => {
                return match text.as_mut().map(DataDecoder::finish) {
                    Some(Decoded::Fixed(octets)) => Taken::Octets(Octets::Fixed(octets)),
                    _ => Taken::End,
                };
            }
            Framing::Chunk { left: 0, size, .. } => return Taken::EndOfChunk(*size),
            Framing::Chunk { left, text, .. } => {
                let count = usize::try_from(*left).map_or(reach, |left| left.min(reach));
                (text.as_mut(), count)
            }
            Framing::Dot(decoder) => (Some(decoder), reach),
        };
        let (consumed, decoded) = match decoder {
            Some(decoder) => decoder.decode(&unused[..reach]),
            None if reach == 0 => (0, Decoded::NeedMore),
            None => (reach, Decoded::Text(0..reach)),
        };
        if let Framing::Chunk { left, .. } = &mut self.framing {
            // A usize has at most 64 bits, and the count is at most `left`.
            *left -= consumed as u64;
        }
        let start = input.take(consumed).start;
        match decoded {
            Decoded::End => Taken::End,
            Decoded::Fixed(octets) => Taken::Octets(Octets::Fixed(octets)),
            Decoded::NeedMore => Taken::Nothing,
            Decoded::Text(range) => {
                Taken::Octets(Octets::Input(start + range.start..start + range.end))
            }
        }
    }

    fn note(&mut self, octets: &Octets, input: &Input, settings: &Settings) {
        let octets = octets.of(input);
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        self.size = self.size.saturating_add(length);
        if self.size > settings.max_message_size {
            self.refuse_for(Fault::MessageTooLarge, settings);
        }
        let Part::Header(scanner) = &mut self.part else {
            return;
        };
        let has_ended = scanner.scan(octets);
        let is_large = scanner.size() > settings.max_header_size as usize;
        if has_ended {
            self.part = Part::HeaderEnd;
        }
        if is_large {
            self.refuse(HEADER_TOO_LARGE);
        }
    }

    fn complete(&mut self, received: Received, settings: &Settings) -> Received {
        self.note_flaws(settings);
        match self.refusal.take() {
            Some(refusal) => Received::Refused(refusal),
            None => received,
        }
    }

    fn note_flaws(&mut self, settings: &Settings) {
        let (Framing::Dot(decoder)
        | Framing::Chunk {
            text: Some(decoder),
            ..
        }) = &self.framing
        else {
            return;
        };
        let flawed = decoder.flaw().is_some() && settings.line_endings == LineEndings::Strict;
        let overlong = decoder.longest_line() > settings.max_text_line;
        if flawed {
            self.refuse(BAD_LINE_ENDING);
        }
        if overlong {
            self.refuse(LINE_TOO_LONG);
        }
    }
}

/// The next element of the input.
enum Taken {
    End,
    EndOfChunk(u64),
    Nothing,
    Octets(Octets),
}

const HEADER_TOO_LARGE: Refusal =
    Refusal::fixed(552, Enhanced::new(5, 3, 4), "Header size exceeds limit");
const BAD_LINE_ENDING: Refusal = Refusal::fixed(
    550,
    Enhanced::new(5, 6, 11),
    "Lines must be terminated by CRLF",
);
const LINE_TOO_LONG: Refusal = Refusal::fixed(
    554,
    Enhanced::new(5, 6, 0),
    "Message has a line that is too long",
);
