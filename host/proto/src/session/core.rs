//! What every state of a session shares.

use std::sync::Arc;

use crate::address::Charset;
use crate::auth::NonceSequence;
use crate::fault::Fault;
use crate::reply::Reply;
use crate::session::ending::Counters;
use crate::session::input::{Input, Line};
use crate::session::offers::{
    ClientIdentity, ClientTrust, Offers, OptionalQuestion, OptionalQuestions, Preamble, Tls,
};
use crate::session::profile::Profile;
use crate::session::settings::Settings;

/// What every state of a session shares.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) settings: Arc<Settings>,
    pub(super) profile: Arc<Profile>,
    pub(super) input: Input,
    /// Replies that have not been written.
    pub(super) output: Vec<u8>,
    /// The charset of replies: UTF-8 from MAIL with SMTPUTF8 to the end of its transaction.
    pub(super) charset: Charset,
    pub(super) counters: Counters,
    /// Commands since the last accepted message that do not lead to one.
    idle_commands: u32,
    /// Commands and messages since the last accepted message that were refused by policy, or as a
    /// whole.
    refusals: u32,
    /// The fault that the driver has not seen. Each transition causes at most one.
    pub(super) fault: Option<Fault>,
    pub(super) service: Service,
    pub(super) tls: Tls,
    pub(super) identity: ClientIdentity,
    pub(super) trust: ClientTrust,
    pub(super) preamble: Preamble,
    pub(super) nonces: NonceSequence,
    questions: OptionalQuestions,
}

/// Whether further commands are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Running,
    /// The client speaks HTTP: nothing but QUIT is carried out, whatever it sends. Its requests may be
    /// those of a web page, which would send mail with the trust in the address of a browser.
    Http,
    /// The session ends after the current command or message.
    Stopping,
}

impl Core {
    pub(super) fn new(settings: Arc<Settings>, offers: Offers) -> Self {
        Self {
            settings,
            profile: Arc::default(),
            input: Input::default(),
            output: Vec::new(),
            charset: Charset::Ascii,
            counters: Counters::default(),
            idle_commands: 0,
            refusals: 0,
            fault: None,
            service: Service::Running,
            tls: offers.tls,
            identity: offers.identity,
            trust: offers.client,
            preamble: offers.preamble,
            nonces: NonceSequence::new(offers.seed),
            questions: offers.questions,
        }
    }

    pub(super) fn send(&mut self, reply: &Reply) {
        reply.write(self.charset, &mut self.output);
    }

    /// Writes the reply to a fault, and records it.
    pub(super) fn reply_to_fault(&mut self, fault: Fault) {
        let reply = self.settings.reply_to(fault);
        self.send(&reply);
        self.record(fault);
    }

    /// Counts a fault, and reports it to the driver.
    pub(super) fn record(&mut self, fault: Fault) {
        if fault.is_error() {
            self.counters.errors = self.counters.errors.saturating_add(1);
        }
        self.fault = Some(fault);
    }

    /// Counts a command that does not lead to a message. Each one beyond the limit is an error.
    pub(super) fn count_idle_command(&mut self) {
        self.idle_commands = self.idle_commands.saturating_add(1);
        let limit = self.settings.max_idle_commands;
        if limit > 0 && self.idle_commands > limit {
            self.counters.errors = self.counters.errors.saturating_add(1);
        }
    }

    pub(super) fn count_message(&mut self) {
        self.counters.messages = self.counters.messages.saturating_add(1);
        self.idle_commands = 0;
        self.refusals = 0;
    }

    /// Counts a refusal. Beyond the limit, each is an error: somebody tries out what is taken.
    pub(super) fn count_refusal(&mut self) {
        self.refusals = self.refusals.saturating_add(1);
        let limit = self.settings.max_refusals;
        if limit > 0 && self.refusals > limit {
            self.counters.errors = self.counters.errors.saturating_add(1);
        }
    }

    pub(super) fn command_line(&mut self) -> Option<Line> {
        let limit = self.input.longest_command();
        self.line(limit)
    }

    pub(super) fn line(&mut self, limit: usize) -> Option<Line> {
        self.input.line(
            limit,
            self.settings.max_discarded,
            self.settings.lenient_commands,
        )
    }

    pub(super) fn has_too_many_errors(&self) -> bool {
        let limit = self.settings.max_errors;
        limit > 0 && self.counters.errors >= limit
    }

    pub(super) const fn asks(&self, question: OptionalQuestion) -> bool {
        self.questions.contains(question)
    }
}
