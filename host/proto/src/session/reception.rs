//! A message on its way in: decoded, measured, and parted into header block and body.

use std::ops::Range;

use memchr::memchr;

use crate::data::{DataDecoder, Decoded};
use crate::reply::{Enhanced, Refusal};
use crate::session::input::Input;
use crate::session::{Ask, Settings};

/// A message that is being received.
#[derive(Debug)]
pub(super) struct Reception {
    decoder: DataDecoder,
    part: Part,
    size: u32,
    refusal: Option<Refusal>,
}

/// What a reception has come to.
pub(super) enum Progress {
    /// Policy is to be asked.
    Ask(Ask),
    /// The input is used up.
    NeedMore,
    /// The message is complete, and refused.
    Refused(Refusal),
    /// These octets belong to the message.
    Store(Octets),
}

/// Octets of a message.
pub(super) enum Octets {
    /// A CR that was held back from an earlier input.
    HeldCr,
    /// These octets of the input.
    Input(Range<usize>),
}

impl Octets {
    pub(super) fn of(self, input: &Input) -> &[u8] {
        match self {
            Self::HeldCr => b"\r",
            Self::Input(range) => input.octets(range),
        }
    }
}

/// Which part of the message comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The header block; the current line so far is this.
    Header(CurrentLine),
    /// The blank line was read, and policy does not know yet.
    HeaderEnd,
    Body,
    /// The end of the data was read.
    Complete {
        headers_asked: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CurrentLine {
    Cr,
    Empty,
    Text,
}

impl Reception {
    pub(super) const fn new() -> Self {
        Self {
            decoder: DataDecoder::new(),
            part: Part::Header(CurrentLine::Empty),
            size: 0,
            refusal: None,
        }
    }

    /// Refuses the message once it is complete. The first refusal holds.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    pub(super) fn advance(&mut self, input: &mut Input, settings: &Settings) -> Progress {
        loop {
            match self.part {
                Part::HeaderEnd => {
                    self.part = Part::Body;
                    self.note_flaw();
                    if self.refusal.is_none() {
                        return Progress::Ask(Ask::Headers);
                    }
                }
                Part::Complete { headers_asked } => return self.complete(headers_asked),
                Part::Header(_) | Part::Body => {
                    let unused = input.unused();
                    let (consumed, decoded) = self.decoder.decode(&unused[..self.reach(unused)]);
                    let start = input.take(consumed).start;
                    let octets = match decoded {
                        Decoded::End => {
                            let headers_asked = self.part == Part::Body;
                            self.part = Part::Complete { headers_asked };
                            continue;
                        }
                        Decoded::HeldCr => Octets::HeldCr,
                        Decoded::NeedMore if input.unused().is_empty() => {
                            return Progress::NeedMore;
                        }
                        Decoded::NeedMore => continue,
                        Decoded::Text(range) => {
                            Octets::Input(start + range.start..start + range.end)
                        }
                    };
                    self.note(&octets, input, settings);
                    if self.refusal.is_none() {
                        return Progress::Store(octets);
                    }
                }
            }
        }
    }

    /// How far to decode at once: in the header block to the end of a line, so that what is stored
    /// when policy is asked is the header block and nothing of the body.
    fn reach(&self, unused: &[u8]) -> usize {
        match self.part {
            Part::Header(_) => memchr(b'\n', unused).map_or(unused.len(), |index| index + 1),
            _ => unused.len(),
        }
    }

    fn note(&mut self, octets: &Octets, input: &Input, settings: &Settings) {
        let (length, last, only_cr) = match octets {
            Octets::HeldCr => (1, Some(&b'\r'), true),
            Octets::Input(range) => {
                let octets = input.octets(range.clone());
                (
                    octets.len(),
                    octets.last(),
                    octets == b"\r" || octets == b"\r\n",
                )
            }
        };
        self.size = self
            .size
            .saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        if self.size > settings.max_message_size {
            self.refuse(TOO_LARGE);
        }
        let Part::Header(line) = self.part else {
            return;
        };
        if self.size > settings.max_header_size {
            self.refuse(HEADER_TOO_LARGE);
        }
        self.part = match (line, last) {
            (CurrentLine::Empty, Some(b'\n')) if only_cr || length == 1 => Part::HeaderEnd,
            (CurrentLine::Cr, Some(b'\n')) if length == 1 => Part::HeaderEnd,
            (_, Some(b'\n')) => Part::Header(CurrentLine::Empty),
            (CurrentLine::Empty, _) if only_cr => Part::Header(CurrentLine::Cr),
            _ => Part::Header(CurrentLine::Text),
        };
    }

    /// Policy hears of the header block also where no blank line ended it.
    fn complete(&mut self, headers_asked: bool) -> Progress {
        self.note_flaw();
        self.part = Part::Complete {
            headers_asked: true,
        };
        match (self.refusal.take(), headers_asked) {
            (Some(refusal), _) => Progress::Refused(refusal),
            (None, false) => Progress::Ask(Ask::Headers),
            (None, true) => Progress::Ask(Ask::Message),
        }
    }

    fn note_flaw(&mut self) {
        if self.decoder.flaw().is_some() {
            self.refuse(BAD_LINE_ENDING);
        }
    }
}

const TOO_LARGE: Refusal =
    Refusal::fixed(552, Enhanced::new(5, 3, 4), "Message size exceeds limit");
const HEADER_TOO_LARGE: Refusal =
    Refusal::fixed(552, Enhanced::new(5, 3, 4), "Header size exceeds limit");
const BAD_LINE_ENDING: Refusal = Refusal::fixed(
    550,
    Enhanced::new(5, 6, 11),
    "Lines must be terminated by CRLF",
);
