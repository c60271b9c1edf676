//! LMTP has one reply to a message for each recipient, and SMTP has one for all (RFC 2033 §4.2).

use postgate_proto::address::ForwardPath;
use postgate_proto::reply::{Acceptance, Refusal};

use crate::error::{DeliveryError, Mixed};

/// The reply of the server for one recipient.
pub(super) type Answered<'a> = (&'a ForwardPath, Result<Acceptance, Refusal>);

/// Makes one reply for the client out of the replies for each recipient.
///
/// # Errors
///
/// Fails if a recipient was refused: with the first refusal if all are permanent or all are
/// temporary and nobody has the message, and otherwise with [`DeliveryError::Mixed`].
pub(super) fn combined(answers: Vec<Answered<'_>>) -> Result<Acceptance, DeliveryError> {
    let mixed = match divided(answers) {
        (Some(acceptance), mixed) if mixed.refused.is_empty() => return Ok(acceptance),
        (_, mixed) => mixed,
    };
    let first = mixed.refused.first().map(|(_, refusal)| refusal.clone());
    let Some(first) = first else {
        return Err(DeliveryError::NoRecipients);
    };
    let is_alike = |(_, other): &(_, Refusal)| other.is_temporary() == first.is_temporary();
    match mixed.delivered.is_empty() && mixed.refused.iter().all(is_alike) {
        true => Err(DeliveryError::Refused(first)),
        false => Err(DeliveryError::Mixed(mixed)),
    }
}

/// The error after a connection that broke before the server had answered for all recipients.
pub(super) fn broken(
    answers: Vec<Answered<'_>>,
    recipients: usize,
    error: DeliveryError,
) -> DeliveryError {
    if answers.is_empty() {
        return error;
    }
    let (_, mixed) = divided(answers);
    DeliveryError::Mixed(Mixed {
        recipients,
        cause: Some(Box::new(error)),
        ..mixed
    })
}

/// The last acceptance, and who was accepted and who refused.
fn divided(answers: Vec<Answered<'_>>) -> (Option<Acceptance>, Mixed) {
    let mut mixed = Mixed {
        recipients: answers.len(),
        ..Mixed::default()
    };
    let mut last = None;
    for (path, answer) in answers {
        match answer {
            Ok(acceptance) => {
                mixed.delivered.push(path.clone());
                last = Some(acceptance);
            }
            Err(refusal) => mixed.refused.push((path.clone(), refusal)),
        }
    }
    (last, mixed)
}

#[cfg(test)]
mod tests {
    use postgate_proto::address::Charset;
    use postgate_proto::client::Stage;
    use postgate_proto::reply::Reply;

    use super::*;

    fn answer(code: u16) -> Result<Acceptance, Refusal> {
        let reply = Reply::new(code, None, vec![format!("said {code}")]).unwrap();
        Acceptance::new(reply.clone()).map_err(|_| Refusal::new(reply).unwrap())
    }

    fn shown(result: Result<Acceptance, DeliveryError>) -> (String, bool) {
        match result {
            Ok(acceptance) => (acceptance.reply().to_string(), false),
            Err(error) => (error.refusal().reply().to_string(), error.is_in_part()),
        }
    }

    #[test]
    fn one_reply_out_of_many() {
        let path = ForwardPath::parse("c@d", Charset::Ascii).unwrap();
        let timeout = || DeliveryError::Timeout {
            stage: Stage::Message,
        };
        // The reply, and whether some recipients have the message. After a 0, the connection breaks.
        let table: [(&[u16], &str, bool); 10] = [
            (&[250], "250 2.0.0 said 250", false),
            (&[250, 251], "251 2.1.5 said 251", false),
            (&[550], "550 5.7.1 said 550", false),
            (&[550, 450, 552], "450 4.2.0 said 450", false),
            (&[552, 550], "552 5.2.2 said 552", false),
            (&[450, 451], "450 4.2.0 said 450", false),
            (&[250, 550], "451 4.3.0 Not yet", true),
            (&[0], "451 4.4.2 ", false),
            (&[550, 0], "451 4.4.2 ", false),
            (&[250, 0], "451 4.4.2 ", true),
        ];
        for (codes, expected, is_in_part) in table {
            let answers = codes.iter().filter(|code| **code > 0);
            let answers = answers.map(|code| (&path, answer(*code))).collect();
            let result = match codes.contains(&0) {
                true => Err(broken(answers, codes.len(), timeout())),
                false => combined(answers),
            };
            let (reply, has_part) = shown(result);
            assert!(reply.starts_with(expected), "{codes:?}: {reply}");
            assert_eq!(has_part, is_in_part, "{codes:?}");
        }
    }
}
