//! Who the client is: credentials, and how often they may be wrong.

use std::sync::Arc;

use postgate_proto::auth::{Credentials, Mechanism, Proof};
use postgate_proto::fault::Fault;
use postgate_proto::reply::{Enhanced, Refusal};
use postgate_proto::session::Answer;
use tracing::{info, warn};

use super::{Desk, answer_of};
use crate::auth::attempts::{Attempt, Attempts, TooMany};
use crate::auth::secrets::Secrets;
use crate::id;
use postgate_contract::Event;
use postgate_runtime::context::{Authentication, Occasion};
use postgate_runtime::pipeline::Decision;

/// What it takes to find out who a client is.
#[derive(Debug)]
pub(crate) struct Login {
    pub(super) secrets: Arc<Secrets>,
    attempts: Arc<Attempts>,
    pending: Option<Pending>,
}

impl Login {
    pub(crate) const fn new(secrets: Arc<Secrets>, attempts: Arc<Attempts>) -> Self {
        Self {
            secrets,
            attempts,
            pending: None,
        }
    }
}

/// An exchange in which the gateway itself finds out whether the client knows the password.
#[derive(Debug)]
struct Pending {
    mechanism: Mechanism,
    identity: Box<str>,
    attempt: Attempt,
}

impl Desk {
    pub(super) async fn auth(&mut self, credentials: Credentials) -> Answer {
        let pending = self.login.pending.take();
        let attempt = match pending {
            Some(pending) if credentials.proof == Proof::Verified => Ok(pending.attempt),
            _ => self.begin_attempt(credentials.mechanism, &credentials.identity),
        };
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(answer) => return answer,
        };
        let (mechanism, identity) = (credentials.mechanism.name(), credentials.identity.clone());
        Arc::make_mut(&mut self.context).credentials = Some(credentials);
        let decision = self.ask(Event::Auth).await;
        let context = Arc::make_mut(&mut self.context);
        context.credentials = None;
        let session = &context.session;
        let (session_id, remote) = (&session.id, session.remote.ip());
        match &decision {
            Decision::Authenticate(acts_as) => {
                attempt.succeeded();
                info!(session = session_id, %remote, mechanism, identity, acts_as, "authenticated");
                context.authentication = Some(Authentication {
                    since: id::now(),
                    mechanism,
                    identity: match identity.is_empty() {
                        true => acts_as.as_str().into(),
                        false => identity.into(),
                    },
                    acts_as: acts_as.as_str().into(),
                });
            }
            decision if says_wrong(decision) => {
                info!(session = session_id, %remote, mechanism, identity, "authentication failed");
            }
            _ => {
                attempt.undecided();
                info!(session = session_id, %remote, mechanism, identity, "authentication not decided");
            }
        }
        answer_of(decision)
    }

    pub(super) async fn auth_keys(&mut self, mechanism: Mechanism, identity: Box<str>) -> Answer {
        self.login.pending = None;
        let attempt = match self.begin_attempt(mechanism, &identity) {
            Ok(attempt) => attempt,
            Err(answer) => return answer,
        };
        let occasion = Occasion::About(identity.clone());
        let answer = self.query(Event::AuthKeys, occasion).await;
        if let Answer::Keys(Some(keys)) = &answer {
            self.login.secrets.note(keys);
        }
        match answer {
            // A plugin has failed or refused: nobody has looked at the client.
            Answer::Refuse(_) | Answer::Disconnect(_) => attempt.undecided(),
            _ => {
                self.login.pending = Some(Pending {
                    mechanism,
                    identity,
                    attempt,
                });
            }
        }
        answer
    }

    /// An exchange that ends in a fault has failed.
    pub(super) fn note_exchange(&mut self, fault: Fault) {
        let Some(pending) = self.login.pending.take() else {
            return;
        };
        let session = &self.context.session;
        let (id, remote, fault) = (&session.id, session.remote.ip(), fault.name());
        let (mechanism, identity) = (pending.mechanism.name(), &*pending.identity);
        info!(session = id, %remote, mechanism, identity, fault, "authentication failed");
    }

    /// Beyond a limit nobody is asked.
    fn begin_attempt(&self, mechanism: Mechanism, identity: &str) -> Result<Attempt, Answer> {
        let session = &self.context.session;
        let remote = session.remote.ip();
        let too_many = match self.login.attempts.begin(remote, identity) {
            Ok(attempt) => return Ok(attempt),
            Err(too_many) => too_many,
        };
        let (limit, answer) = match too_many {
            TooMany::Account => (
                "limits.auth-failures-per-account",
                Answer::Refuse(ACCOUNT_LATER),
            ),
            TooMany::Address => (
                "limits.auth-failures-per-address",
                Answer::Disconnect(ADDRESS_LATER),
            ),
        };
        let (session, mechanism) = (&session.id, mechanism.name());
        warn!(session, %remote, mechanism, identity, limit, "too many failed authentications");
        Err(answer)
    }
}

/// Whether a decision says that the credentials are wrong, and not that they cannot be judged, or
/// that another mechanism is needed (RFC 4954 section 6).
fn says_wrong(decision: &Decision) -> bool {
    match decision {
        Decision::Pass => true,
        Decision::Disconnect(refusal) | Decision::Refuse(refusal) => {
            let code = refusal.reply().code();
            !refusal.is_temporary() && ![534, 538].contains(&code)
        }
        _ => false,
    }
}

const ACCOUNT_LATER: Refusal = Refusal::fixed(
    454,
    Enhanced::new(4, 7, 0),
    "Too many failed attempts, try again later",
);
const ADDRESS_LATER: Refusal = Refusal::fixed(
    421,
    Enhanced::new(4, 7, 0),
    "Too many failed attempts, try again later",
);
