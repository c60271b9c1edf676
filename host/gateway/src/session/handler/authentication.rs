//! Who the client is: credentials, and how often they may be wrong.

use std::sync::Arc;

use postgate_proto::auth::{Credentials, Mechanism, Proof, ScramLookup};
use postgate_proto::fault::Fault;
use postgate_proto::reply::{Enhanced, Refusal};
use postgate_proto::session::{Answer, Rejection};
use postgate_runtime::context::Authentication;
use postgate_runtime::question::Question;
use postgate_runtime::verdict::Verdict;
use tracing::{info, warn};

use super::answer::answer_of;
use super::core::{Handler, ScramExchange};
use crate::auth::attempts::{Attempt, TooMany};
use crate::id;

impl Handler {
    pub(super) async fn auth(&mut self, credentials: &Credentials) -> Answer {
        let attempt = match self.exchange.take() {
            Some(exchange) if credentials.proof == Proof::Verified => Ok(exchange.attempt),
            _ => self.begin_attempt(credentials.mechanism, &credentials.identity),
        };
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(rejection) => return Answer::Reject(rejection),
        };
        let verdict = self.ask(Question::Auth(credentials)).await;
        let session = &self.context.session;
        let (session, remote) = (&session.id, session.remote.ip());
        let (mechanism, identity) = (credentials.mechanism.name(), &credentials.identity);
        match &verdict {
            Verdict::Authenticate(acts_as) => {
                attempt.succeeded();
                info!(session, %remote, mechanism, identity, acts_as, "authenticated");
                self.authenticated(credentials, acts_as);
            }
            verdict if says_wrong(verdict) => {
                info!(session, %remote, mechanism, identity, "authentication failed");
            }
            _ => {
                attempt.undecided();
                info!(session, %remote, mechanism, identity, "authentication not decided");
            }
        }
        answer_of(verdict)
    }

    fn authenticated(&mut self, credentials: &Credentials, acts_as: &str) {
        let identity = match credentials.identity.as_str() {
            "" => acts_as,
            identity => identity,
        };
        Arc::make_mut(&mut self.context).authentication = Some(Authentication {
            since: id::now(),
            mechanism: credentials.mechanism.name(),
            identity: identity.into(),
            acts_as: acts_as.into(),
        });
    }

    pub(super) async fn auth_keys(&mut self, mechanism: Mechanism, identity: Box<str>) -> Answer {
        self.exchange = None;
        let attempt = match self.begin_attempt(mechanism, &identity) {
            Ok(attempt) => attempt,
            Err(rejection) => return Answer::Reject(rejection),
        };
        let verdict = self.ask(Question::AuthKeys(&identity)).await;
        let keys = match verdict {
            Verdict::Keys(keys) => {
                self.services.secrets.note(&keys);
                ScramLookup::Known(keys)
            }
            Verdict::Next => ScramLookup::Unknown(self.services.secrets.decoy()),
            verdict => {
                // A plugin has failed or refused: no plugin has looked at the client.
                attempt.undecided();
                return answer_of(verdict);
            }
        };
        self.exchange = Some(ScramExchange {
            mechanism,
            identity,
            attempt,
        });
        Answer::Keys(keys)
    }

    /// An exchange that ends in a fault has failed.
    pub(super) fn exchange_failed(&mut self, fault: Fault) {
        let Some(exchange) = self.exchange.take() else {
            return;
        };
        let session = &self.context.session;
        let (id, remote, fault) = (&session.id, session.remote.ip(), fault.name());
        let (mechanism, identity) = (exchange.mechanism.name(), &*exchange.identity);
        info!(session = id, %remote, mechanism, identity, fault, "authentication failed");
    }

    /// Counts an attempt. Beyond a limit no plugin is asked.
    fn begin_attempt(&self, mechanism: Mechanism, identity: &str) -> Result<Attempt, Rejection> {
        let session = &self.context.session;
        let remote = session.remote.ip();
        let too_many = match self.services.attempts.begin(remote, identity) {
            Ok(attempt) => return Ok(attempt),
            Err(too_many) => too_many,
        };
        let (limit, rejection) = match too_many {
            TooMany::Account => (
                "limits.auth-failures-per-account",
                Rejection::Refuse(ACCOUNT_LATER),
            ),
            TooMany::Address => (
                "limits.auth-failures-per-address",
                Rejection::Disconnect(ADDRESS_LATER),
            ),
        };
        let (session, mechanism) = (&session.id, mechanism.name());
        warn!(session, %remote, mechanism, identity, limit, "too many failed authentications");
        Err(rejection)
    }
}

/// True if a verdict says that the credentials are wrong, and not that they cannot be judged, or that
/// another mechanism is needed (RFC 4954 §6).
fn says_wrong(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Next => true,
        Verdict::Disconnect(refused) | Verdict::Refuse(refused) => {
            let refusal = &refused.refusal;
            !refusal.is_temporary() && ![534, 538].contains(&refusal.reply().code())
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
