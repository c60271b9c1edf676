//! Converts the verdicts and replies of an answer, and checks them.

use postgate_proto::reply::{Acceptance, Enhanced, Refusal, Reply};

use super::edit::one_line;
use super::invalid_answer::InvalidAnswer;
use crate::bindings::host::types;
use crate::verdict::{Refused, Verdict};

pub(super) fn verdict(verdict: types::Verdict) -> Result<Verdict, InvalidAnswer> {
    Ok(match verdict {
        types::Verdict::Accept => Verdict::Accept,
        types::Verdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        types::Verdict::Next => Verdict::Next,
        types::Verdict::Refuse(refusal) => Verdict::Refuse(refused(refusal)?),
    })
}

/// Converts the verdict on a command that asks for information. `is_answer` tells which codes a positive
/// reply can have; a negative reply can have any code.
pub(super) fn query_verdict(
    verdict: types::QueryVerdict,
    is_answer: fn(u16) -> bool,
) -> Result<Verdict, InvalidAnswer> {
    Ok(match verdict {
        types::QueryVerdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        types::QueryVerdict::Next => Verdict::Next,
        types::QueryVerdict::Reply(reply) => {
            let reply = checked_reply(reply)?;
            match Acceptance::new(reply.clone()) {
                Ok(_) if !is_answer(reply.code()) => {
                    return Err(InvalidAnswer::ReplyCode(reply.code()));
                }
                Ok(acceptance) => Verdict::Answer(acceptance),
                Err(_) => Verdict::Refuse(Refused {
                    refusal: Refusal::new(reply)?,
                    reason: None,
                }),
            }
        }
    })
}

fn checked_reply(reply: types::Reply) -> Result<Reply, InvalidAnswer> {
    let enhanced = match reply.enhanced {
        None => None,
        Some(code) => Some(
            Enhanced::checked(code.class, code.subject, code.detail)
                .ok_or(InvalidAnswer::EnhancedCode)?,
        ),
    };
    let lines = beginning(reply.lines);
    Ok(Reply::new(reply.code, enhanced, lines)?.shortened())
}

/// The beginning of a text, of at most [`MAX_LINE`] octets of each line and [`MAX_TEXT`] of all: there is more
/// in it than a reply can hold, unless most of it are line breaks.
fn beginning(mut lines: Vec<String>) -> Vec<String> {
    let mut room = MAX_TEXT;
    let mut kept = 0;
    for line in &mut lines {
        if room == 0 {
            break;
        }
        line.truncate(line.floor_char_boundary(room.min(MAX_LINE)));
        // A line counts even if it is empty.
        room -= room.min(line.len() + 1);
        kept += 1;
    }
    lines.truncate(kept);
    lines
}

pub(super) fn refused(refusal: types::Refusal) -> Result<Refused, InvalidAnswer> {
    let reply = checked_reply(refusal.reply)?;
    Ok(Refused {
        refusal: Refusal::new(reply)?,
        reason: refusal.reason.as_deref().map(one_line),
    })
}

/// The part of a line of a reply that is looked at, in octets.
const MAX_LINE: usize = 8_192;
/// The part of the text of a reply that is looked at, in octets.
const MAX_TEXT: usize = 262_144;

#[cfg(test)]
pub(super) mod tests {
    use postgate_proto::address::Charset;

    use super::*;

    pub(in crate::convert) fn refusal(
        code: u16,
        enhanced: Option<(u8, u16, u16)>,
        line: &str,
    ) -> types::Refusal {
        types::Refusal {
            reply: types::Reply {
                code,
                enhanced: enhanced.map(|(class, subject, detail)| types::EnhancedCode {
                    class,
                    subject,
                    detail,
                }),
                lines: vec![line.into()],
            },
            reason: None,
        }
    }

    #[test]
    fn a_reply_is_no_longer_than_a_client_is_to_read() {
        let long = "\u{e9}".repeat(2_000_000);
        let mut given = refusal(550, None, &long);
        given.reply.lines.push("a\r\n".repeat(170_000));
        let refused = refused(given).unwrap();
        let lines: Vec<_> = refused.refusal.reply().lines().collect();
        assert_eq!(lines.len(), 100);
        assert_eq!((lines[0].len(), lines[99]), (512, "a"));
        let mut out = Vec::new();
        refused.refusal.reply().write(Charset::Utf8, &mut out);
        assert_eq!(out.iter().filter(|octet| **octet == b'\n').count(), 100);
    }

    #[test]
    fn refusals_are_filled_in_and_checked() {
        let table = [
            (refusal(550, None, "no"), Ok("550 5.7.1 no")),
            (
                refusal(450, None, ""),
                Ok("450 4.2.0 Mailbox temporarily unavailable"),
            ),
            (
                refusal(550, Some((5, 1, 1)), "a\r\nb"),
                Ok("550 5.1.1 a / b"),
            ),
            (
                refusal(999, None, ""),
                Err("reply code 999 is not allowed here"),
            ),
            (
                refusal(250, None, ""),
                Err("reply code 250 is not allowed here"),
            ),
            (
                refusal(550, Some((4, 0, 0)), ""),
                Err("enhanced code 4.0.0 does not go with reply code 550"),
            ),
            (
                refusal(550, Some((3, 0, 0)), ""),
                Err("this is no enhanced status code"),
            ),
        ];
        for (given, expected) in table {
            let got = refused(given).map(|refused| refused.refusal.reply().to_string());
            let got = got.map_err(|error| error.to_string());
            assert_eq!(got.as_deref().map_err(String::as_str), expected);
        }
    }
}
