//! LMTP has one reply to a message for each recipient, and SMTP has one for all (RFC 2033 §4.2).

use postgate_proto::reply::{Acceptance, Refusal};

use crate::error::DeliveryError;

/// Makes one reply for the client out of the replies for each recipient.
///
/// # Errors
///
/// Fails if a recipient was refused: with [`DeliveryError::Mixed`] if others have the message, and
/// otherwise with the first refusal, or the first temporary one if there is any.
pub(super) fn combined(
    answers: Vec<Result<Acceptance, Refusal>>,
) -> Result<Acceptance, DeliveryError> {
    let recipients = answers.len();
    let mut acceptances = Vec::new();
    let mut refusals = Vec::new();
    for answer in answers {
        match answer {
            Ok(acceptance) => acceptances.push(acceptance),
            Err(refusal) => refusals.push(refusal),
        }
    }
    let delivered = acceptances.len();
    // A temporary refusal goes first: the client must try again for that recipient.
    refusals.sort_by_key(|refusal| !refusal.is_temporary());
    match (refusals.into_iter().next(), acceptances.pop()) {
        (None, Some(acceptance)) => Ok(acceptance),
        (None, None) => Err(DeliveryError::NoRecipients),
        (Some(refusal), _) if delivered == 0 => Err(DeliveryError::Refused(refusal)),
        (Some(_), _) => Err(DeliveryError::Mixed {
            delivered,
            recipients,
        }),
    }
}

#[cfg(test)]
mod tests {
    use postgate_proto::reply::Reply;

    use super::*;

    fn answer(code: u16) -> Result<Acceptance, Refusal> {
        let reply = Reply::new(code, None, vec![format!("said {code}")]).unwrap();
        Acceptance::new(reply.clone()).map_err(|_| Refusal::new(reply).unwrap())
    }

    #[test]
    fn one_reply_out_of_many() {
        let table: [(&[u16], &str); 6] = [
            (&[250], "250 2.0.0 said 250"),
            (&[250, 251], "251 2.1.5 said 251"),
            (&[550], "550 5.7.1 said 550"),
            (&[550, 450, 552], "450 4.2.0 said 450"),
            (&[552, 550], "552 5.2.2 said 552"),
            (&[250, 550], "451 4.3.0 Not yet"),
        ];
        for (codes, expected) in table {
            let answers = codes.iter().map(|code| answer(*code)).collect();
            let shown = match combined(answers) {
                Ok(acceptance) => acceptance.reply().to_string(),
                Err(error) => error.refusal().reply().to_string(),
            };
            assert!(shown.starts_with(expected), "{codes:?}: {shown}");
        }
    }
}
