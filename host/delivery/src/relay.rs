//! A transaction with an SMTP or LMTP server.

use std::slice;
use std::sync::Arc;

use postgate_proto::address::ForwardPath;
use postgate_proto::client::Protocol;
use postgate_proto::reply::{Acceptance, Refusal};
use tracing::debug;

use super::connection::{Connection, Opened};
use super::remembered::Remembered;
use super::server::Server;
use super::{DeliveryError, Envelope, Message, Recipient, recognised};

/// One transaction. Dropped between two calls it leaves its connection to the next one; dropped in
/// the midst of a call it takes the connection with it.
#[derive(Debug)]
pub(super) struct Relay {
    server: Arc<Server>,
    /// Who has a message that the client is to send again.
    remembered: Arc<Remembered>,
    state: State,
}

impl Relay {
    pub(super) const fn new(server: Arc<Server>, remembered: Arc<Remembered>) -> Self {
        Self {
            server,
            remembered,
            state: State::New,
        }
    }

    pub(super) async fn offer(
        &mut self,
        envelope: &Envelope,
        recipient: Recipient,
    ) -> Result<Acceptance, DeliveryError> {
        let (mut open, answer) = match self.take() {
            State::Over(refusal) => return Err(self.over(DeliveryError::Refused(refusal))),
            State::New => match self.open(envelope, slice::from_ref(&recipient)).await {
                Err(error) => return Err(self.over(error)),
                Ok((connection, Opened::Refused(refusal))) => {
                    self.server.pool.put(connection);
                    return Err(self.over(DeliveryError::Refused(refusal)));
                }
                Ok((connection, Opened::Answered(answer))) => {
                    (Open::boxed(connection, Vec::new()), answer)
                }
            },
            State::Open(mut open) => match open.connection.recipient(&recipient).await {
                Err(error) => return Err(self.over(error)),
                Ok(answer) => (open, answer),
            },
        };
        if answer.is_ok() {
            open.recipients.push(recipient);
        }
        self.state = State::Open(open);
        answer.map_err(DeliveryError::Refused)
    }

    pub(super) async fn amend(
        &mut self,
        envelope: &Envelope,
        recipients: &[ForwardPath],
    ) -> Result<(), DeliveryError> {
        let (used, known) = match self.take() {
            State::Over(refusal) => return Err(self.over(DeliveryError::Refused(refusal))),
            State::New => (None, Vec::new()),
            State::Open(open) => (Some(open.connection), open.recipients),
        };
        let recipients = with_parameters(recipients, &known);
        match self.replay(used, envelope, &recipients).await {
            Err(error) => Err(self.over(error)),
            Ok(connection) => {
                self.state = State::Open(Open::boxed(connection, recipients));
                Ok(())
            }
        }
    }

    pub(super) async fn deliver(
        &mut self,
        envelope: &Envelope,
        message: &Message<'_>,
    ) -> Result<Acceptance, DeliveryError> {
        let open = match self.take() {
            State::Over(refusal) => return Err(self.over(DeliveryError::Refused(refusal))),
            State::New => return Err(self.over(DeliveryError::NoRecipients)),
            State::Open(open) => open,
        };
        let outcome = self.hand_over(open, envelope, message).await;
        let outcome = outcome.map_err(|error| self.over(error));
        self.state = State::New;
        outcome
    }

    /// Whatever happens before the next state is known, the client is asked to try again.
    const fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Over(Refusal::TRY_LATER))
    }

    /// Nothing more is taken in this transaction: every later recipient gets the same answer.
    fn over(&mut self, error: DeliveryError) -> DeliveryError {
        let backend = &self.server.peer.address;
        debug!(backend, %error, "transaction is over");
        self.state = State::Over(error.refusal());
        error
    }

    /// Opens a transaction on a connection that was used before; where that is of no use, on a new
    /// one.
    async fn open(
        &self,
        envelope: &Envelope,
        recipients: &[Recipient],
    ) -> Result<(Connection, Opened), DeliveryError> {
        if let Some(mut connection) = self.server.used() {
            match connection.open(envelope, recipients).await {
                Ok(opened) => return Ok((connection, opened)),
                Err(error) => self.again(&error),
            }
        }
        let mut connection = self.server.connect().await?;
        let opened = connection.open(envelope, recipients).await?;
        Ok((connection, opened))
    }

    /// Opens a transaction with recipients that were accepted before, and must be again.
    async fn replay(
        &self,
        used: Option<Connection>,
        envelope: &Envelope,
        recipients: &[Recipient],
    ) -> Result<Connection, DeliveryError> {
        let mut reopened = None;
        if let Some(mut connection) = used {
            match connection.open(envelope, recipients).await {
                Ok(opened) => reopened = Some((connection, opened)),
                Err(error) => self.again(&error),
            }
        }
        let (connection, opened) = match reopened {
            Some(reopened) => reopened,
            None => self.open(envelope, recipients).await?,
        };
        match opened {
            Opened::Answered(Ok(_)) => Ok(connection),
            Opened::Answered(Err(refusal)) | Opened::Refused(refusal) => {
                self.server.pool.put(connection);
                Err(DeliveryError::Refused(refusal))
            }
        }
    }

    fn again(&self, error: &DeliveryError) {
        debug!(backend = self.server.peer.address, %error, "trying another connection");
    }

    async fn hand_over(
        &self,
        open: Box<Open>,
        envelope: &Envelope,
        message: &Message<'_>,
    ) -> Result<Acceptance, DeliveryError> {
        let Open {
            mut connection,
            recipients,
        } = *open;
        // The connection may have gone stale while the client was sending the message. Nothing was
        // handed over yet, so that another one can be tried.
        let answer = match connection.begin(message).await {
            Ok(answer) => answer,
            Err(error) => {
                self.again(&error);
                connection = self.replay(None, envelope, &recipients).await?;
                connection.begin(message).await?
            }
        };
        if let Err(refusal) = answer {
            self.server.pool.put(connection);
            return Err(DeliveryError::Refused(refusal));
        }
        connection.send(message).await?;
        match self.server.peer.protocol {
            Protocol::Smtp => {
                let answer = connection.result().await?;
                self.server.pool.put(connection);
                answer.map_err(DeliveryError::Refused)
            }
            Protocol::Lmtp => {
                let answers = self.answers(connection, &recipients, message).await?;
                combined(answers)
            }
        }
    }

    /// The answer for each recipient. Where not all of them get the message, those who do are
    /// remembered.
    async fn answers(
        &self,
        mut connection: Connection,
        recipients: &[Recipient],
        message: &Message<'_>,
    ) -> Result<Vec<Result<Acceptance, Refusal>>, DeliveryError> {
        let mut answers = Vec::with_capacity(recipients.len());
        let mut failure = None;
        for _ in recipients {
            match connection.result().await {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if failure.is_some() || answers.iter().any(Result::is_err) {
            let fingerprint = recognised(message.given).await?;
            for (recipient, answer) in recipients.iter().zip(&answers) {
                if answer.is_ok() {
                    self.remembered.add(&fingerprint, &recipient.path);
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None => {
                self.server.pool.put(connection);
                Ok(answers)
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let State::Open(open) = self.take() {
            self.server.pool.put(open.connection);
        }
    }
}

/// How far a transaction has come.
#[derive(Debug)]
enum State {
    /// The server knows nothing of it.
    New,
    /// The server has accepted the sender, and perhaps recipients.
    Open(Box<Open>),
    /// Nothing more is taken; this is the answer to everything.
    Over(Refusal),
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    /// Those that the server has accepted.
    recipients: Vec<Recipient>,
}

impl Open {
    fn boxed(connection: Connection, recipients: Vec<Recipient>) -> Box<Self> {
        Box::new(Self {
            connection,
            recipients,
        })
    }
}

/// Recipients with the parameters that they were named with before.
fn with_parameters(recipients: &[ForwardPath], known: &[Recipient]) -> Vec<Recipient> {
    let recipient = |path: &ForwardPath| Recipient {
        path: path.clone(),
        parameters: known
            .iter()
            .find(|known| known.path == *path)
            .map_or_else(Vec::new, |known| known.parameters.clone()),
    };
    recipients.iter().map(recipient).collect()
}

/// One reply for the client out of those for each recipient.
fn combined(answers: Vec<Result<Acceptance, Refusal>>) -> Result<Acceptance, DeliveryError> {
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
    // A temporary refusal goes first: the client must come back for that recipient.
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
