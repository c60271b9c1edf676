//! Authentication: credentials, SCRAM keys, and the limits on failed attempts.

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
use crate::auth::attempts::{Attempt, ExceededLimit};
use crate::clock;

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
            verdict if rejects_credentials(verdict) => {
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
            since: clock::unix_time(),
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
            Verdict::Keys(keys) => ScramLookup::Known(keys),
            Verdict::Decoy(shape) => {
                ScramLookup::Unknown(self.services.secrets.decoy(&identity, Some(shape)))
            }
            Verdict::Next => ScramLookup::Unknown(self.services.secrets.decoy(&identity, None)),
            verdict => {
                // A plugin has failed or refused, and the proof of the client was not verified.
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

    /// Counts an attempt with the empty password, which no plugin is asked about.
    pub(super) fn auth_unproven(&self, mechanism: Mechanism, identity: &str) -> Answer {
        match self.begin_attempt(mechanism, identity) {
            // An attempt that is dropped has failed.
            Ok(_) => {}
            Err(rejection) => return Answer::Reject(rejection),
        }
        let session = &self.context.session;
        let (session, remote) = (&session.id, session.remote.ip());
        let mechanism = mechanism.name();
        let reason = "empty password";
        info!(session, %remote, mechanism, identity, reason, "authentication failed");
        Answer::Proceed(None)
    }

    /// Ends the SCRAM exchange in progress, if there is one, as a failed attempt.
    pub(super) fn fail_exchange(&mut self, fault: Fault) {
        let Some(exchange) = self.exchange.take() else {
            return;
        };
        let session = &self.context.session;
        let (id, remote, fault) = (&session.id, session.remote.ip(), fault.name());
        let (mechanism, identity) = (exchange.mechanism.name(), &*exchange.identity);
        info!(session = id, %remote, mechanism, identity, fault, "authentication failed");
    }

    /// Counts an attempt. Fails if it exceeds a limit; then no plugin is asked.
    fn begin_attempt(&self, mechanism: Mechanism, identity: &str) -> Result<Attempt, Rejection> {
        let session = &self.context.session;
        let remote = session.remote.ip();
        let exceeded = match self.services.attempts.begin(remote, identity) {
            Ok(attempt) => return Ok(attempt),
            Err(exceeded) => exceeded,
        };
        let (limit, rejection) = match exceeded {
            ExceededLimit::Account => (
                "limits.auth-failures-per-account",
                Rejection::Refuse(ACCOUNT_LATER),
            ),
            ExceededLimit::Address => (
                "limits.auth-failures-per-address",
                Rejection::Disconnect(ADDRESS_LATER),
            ),
        };
        let (session, mechanism) = (&session.id, mechanism.name());
        warn!(session, %remote, mechanism, identity, limit, "too many failed authentications");
        Err(rejection)
    }
}

/// Returns true if a verdict means that the credentials are invalid. A temporary refusal, or a request
/// for another mechanism (534 and 538, RFC 4954 §6), does not.
fn rejects_credentials(verdict: &Verdict) -> bool {
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
