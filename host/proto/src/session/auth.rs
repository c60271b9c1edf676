//! AUTH in a session: what may be used now, and the exchange (RFC 4954).

use crate::auth::{self, AwaitsKeys, Credentials, Decoy, Exchange, Mechanism, ScramKeys, Terms};
use crate::fault::Fault;
use crate::reply::{Enhanced, Refusal, Reply};
use crate::session::check::Legal;
use crate::session::input::Line;
use crate::session::state::{Client, Question, Stage, State};
use crate::session::{Ask, Auth, Ending, Helo, Session};

/// Why the last attempt failed, to be said once the client has answered the last challenge.
#[derive(Debug)]
pub(super) enum Failure {
    Fault(Fault),
    Refusal(Refusal),
}

impl Session {
    /// Offers no other mechanisms than these, and of these only those that are offered anyway; names
    /// of others mean nothing. It holds until the client introduces itself anew. Of several limits all
    /// hold.
    pub fn limit_mechanisms(&mut self, names: &[impl AsRef<str>]) {
        let is_named = |mechanism: Mechanism| {
            names
                .iter()
                .any(|name| Mechanism::parse(name.as_ref()) == Some(mechanism))
        };
        let limit = self.limit.get_or_insert_with(|| Mechanism::ALL.to_vec());
        limit.retain(|mechanism| is_named(*mechanism));
    }

    /// Makes the keys of unknown users of this from now on: what known users have changes while
    /// sessions are open.
    pub fn set_decoy(&mut self, decoy: Decoy) {
        self.offers.decoy = decoy;
    }

    /// The mechanisms that can be used now, as EHLO lists them.
    pub(super) fn mechanisms(&self) -> String {
        let usable = self.settings.mechanisms.iter().copied();
        let usable = usable.filter(|mechanism| self.check_mechanism(*mechanism).is_ok());
        usable.map(Mechanism::name).collect::<Vec<_>>().join(" ")
    }

    /// RFC 4954 §4: once a session, after EHLO, and not in a transaction.
    pub(super) fn check_auth<'a>(
        &self,
        stage: &Stage,
        mechanism: &str,
        initial: Option<&'a str>,
    ) -> Result<Legal<'a>, Fault> {
        if self.settings.auth == Auth::Off {
            return Err(Fault::AuthNotOffered);
        }
        match stage {
            Stage::Known(client) if client.kind == Helo::Ehlo && !self.authenticated => {
                if !self.is_fit_for_auth() {
                    return Err(Fault::AuthNeedsTls);
                }
                let mechanism = Mechanism::parse(mechanism).ok_or(Fault::AuthMechanism)?;
                self.check_mechanism(mechanism)?;
                Ok(Legal::Auth(mechanism, initial))
            }
            _ => Err(Fault::BadSequence),
        }
    }

    fn check_mechanism(&self, mechanism: Mechanism) -> Result<(), Fault> {
        let channel = self.offers.tls.channel();
        let is_possible = match mechanism {
            Mechanism::External => channel.is_some_and(|channel| channel.client_certificate),
            Mechanism::ScramSha256 => self.offers.scram,
            Mechanism::ScramSha256Plus => {
                self.offers.scram && channel.is_some_and(|channel| channel.exporter.is_some())
            }
            Mechanism::CramMd5
            | Mechanism::Login
            | Mechanism::OauthBearer
            | Mechanism::Plain
            | Mechanism::Xoauth2 => true,
        };
        let is_allowed = self
            .limit
            .as_ref()
            .is_none_or(|limit| limit.contains(&mechanism));
        let is_listed = self.settings.mechanisms.contains(&mechanism);
        match is_possible && is_listed && is_allowed && self.is_fit_for_auth() {
            true => Ok(()),
            false => Err(Fault::AuthMechanism),
        }
    }

    /// Whether anybody may authenticate over this connection. Who listens learns a password or a token
    /// at once, can guess a password by what he has seen of SCRAM and CRAM-MD5, and can send mail of
    /// his own behind any of them.
    fn is_fit_for_auth(&self) -> bool {
        self.offers.tls.channel().is_some() || self.settings.auth_in_clear
    }

    pub(super) fn begin_auth(
        &mut self,
        client: Client,
        mechanism: Mechanism,
        initial: Option<&str>,
    ) {
        self.exchanges += 1;
        let channel = self.offers.tls.channel();
        let terms = Terms {
            hostname: &self.settings.hostname,
            nonce: auth::nonce(&self.offers.seed, self.exchanges),
            exporter: channel.and_then(|channel| channel.exporter),
            offers_binding: self.check_mechanism(Mechanism::ScramSha256Plus).is_ok(),
        };
        let progress = Exchange::begin(mechanism, initial, &terms);
        self.authentication(client, progress);
    }

    /// Takes a line of an exchange.
    pub(super) fn auth_line(&mut self, client: Client, exchange: Exchange, line: Line) {
        let progress = match line {
            Line::Complete(line) => exchange.respond(&line),
            Line::Endless => return self.hang_up(Ending::EndlessLine),
            Line::Incomplete | Line::NoCr => Err(Fault::AuthEncoding),
            Line::TooLong => Err(Fault::AuthLineTooLong),
        };
        self.authentication(client, progress);
    }

    /// Takes the answer to the last challenge, which says nothing.
    pub(super) fn dismissed_line(&mut self, client: Client, failure: Failure, line: &Line) {
        match (line, failure) {
            (Line::Endless, _) => self.hang_up(Ending::EndlessLine),
            (_, Failure::Fault(fault)) => {
                self.object(State::Commands(Stage::Known(client)), fault);
            }
            (_, Failure::Refusal(refusal)) => self.auth_refused(client, &refusal),
        }
    }

    fn authentication(&mut self, client: Client, progress: Result<auth::Progress, Fault>) {
        match progress {
            Ok(auth::Progress::Challenge(challenge, exchange)) => {
                auth::write_challenge(&challenge, &mut self.output.octets);
                self.state = State::Authenticating(client, exchange);
            }
            Ok(auth::Progress::Complete(credentials)) => {
                let Credentials { mechanism, .. } = credentials;
                self.ask(Ask::Auth(credentials), Question::Auth(client, mechanism));
            }
            Ok(auth::Progress::Keys(mechanism, identity, waiting)) => {
                let ask = Ask::AuthKeys {
                    identity,
                    mechanism,
                };
                self.ask(ask, Question::AuthKeys(client, waiting));
            }
            Ok(auth::Progress::Rejected(mechanism)) => {
                self.auth_failed(client, mechanism, Failure::Fault(Fault::AuthRejected));
            }
            Err(fault) => self.object(State::Commands(Stage::Known(client)), fault),
        }
    }

    /// Policy has found the credentials good.
    pub(super) fn authenticated(&mut self, client: Client) {
        self.authenticated = true;
        self.expects_credentials = false;
        self.answer(&AUTHENTICATED, Stage::Known(client));
    }

    /// Goes on with the keys of a user, who may be unknown.
    pub(super) fn keys(&mut self, client: Client, waiting: AwaitsKeys, keys: Option<ScramKeys>) {
        let progress = Exchange::with_keys(waiting, keys, &self.offers.decoy);
        self.authentication(client, Ok(progress));
    }

    /// Says why the credentials are refused; where the mechanism wants it so, after a challenge that
    /// says so too.
    pub(super) fn auth_failed(&mut self, client: Client, mechanism: Mechanism, failure: Failure) {
        let is_final = match &failure {
            Failure::Fault(_) => true,
            Failure::Refusal(refusal) => !refusal.is_temporary(),
        };
        match (mechanism.last_challenge(), failure) {
            (Some(challenge), failure) if is_final => {
                auth::write_challenge(challenge.as_bytes(), &mut self.output.octets);
                self.state = State::Dismissing(client, failure);
            }
            (_, Failure::Fault(fault)) => {
                self.object(State::Commands(Stage::Known(client)), fault);
            }
            (_, Failure::Refusal(refusal)) => self.auth_refused(client, &refusal),
        }
    }

    /// A refusal of policy counts as an error, as a fault does.
    pub(super) fn auth_refused(&mut self, client: Client, refusal: &Refusal) {
        self.note(Fault::AuthRejected);
        self.answer(refusal.reply(), Stage::Known(client));
        self.end_at_too_many_errors();
    }
}

const AUTHENTICATED: Reply = Reply::fixed(235, Enhanced::new(2, 7, 0), "Authentication successful");
