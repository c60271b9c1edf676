//! What holds at every event.

use postgate_plugin::prelude::*;
use postgate_plugin::session::HeloKind;
use postgate_plugin::{clock, random, store};

use super::facts::{facts, protocol};
use super::{BANNER, Conformance, GREETING, Place};

impl Conformance {
    pub(super) fn check(&mut self, event: &str, holds: bool, what: &str) {
        self.checks += 1;
        if !holds {
            self.violations += 1;
            log::error(format!("violation at {event}: {what}"));
        }
    }

    pub(super) fn equal<T: std::fmt::Debug + PartialEq>(
        &mut self,
        event: &str,
        what: &str,
        got: T,
        want: T,
    ) {
        let text = format!("{what} is {got:?} and not {want:?}");
        self.check(event, got == want, &text);
    }

    /// Each event has its places in a session.
    pub(super) fn enter(&mut self, event: &str, from: &[Place], to: Place) {
        let place = self.place;
        self.check(
            event,
            from.contains(&place),
            &format!("comes after {place:?}"),
        );
        self.place = to;
        if self.session.is_empty() {
            self.session = session::id();
        }
        self.facts(event);
        if self.config.dump {
            for (name, value) in facts() {
                log::info(format!("{event} {name}={value}"));
            }
        }
    }

    /// What holds at every event.
    pub(super) fn facts(&mut self, event: &str) {
        self.equal(event, "id", session::id(), self.session.clone());
        self.check(event, !session::id().is_empty(), "there is no session id");
        self.check(
            event,
            session::connected_at() > 0,
            "there is no connected-at",
        );
        self.check(
            event,
            !session::listener().is_empty(),
            "there is no listener",
        );
        self.equal(
            event,
            "encrypted",
            session::encrypted(),
            session::tls().is_some(),
        );
        let acts_as = session::authentication().map(|facts| facts.acts_as);
        self.equal(
            event,
            "authenticated-as",
            session::authenticated_as(),
            acts_as,
        );
        let is_known = session::helo() != HeloKind::None;
        self.equal(event, "helo", is_known, !session::helo_name().is_empty());
        self.equal(event, "protocol", session::protocol(), protocol());
        let errors = session::errors();
        let kept = session::error_count().min(32) as usize;
        self.equal(event, "the number of errors", errors.len(), kept);
        let is_open = session::sender().is_some();
        self.equal(
            event,
            "transaction-id",
            !session::transaction_id().is_empty(),
            is_open,
        );
        self.equal(event, "message id", !message::id().is_empty(), is_open);
        let count = session::recipients().len() as u32;
        let beyond = session::recipient_parameters(count);
        self.check(event, beyond.is_empty(), "there are parameters of nobody");
        if !message::headers_complete() {
            self.equal(event, "header-count", message::header_count(), 0);
            self.equal(event, "started-at", message::started_at(), None);
        }
        if self.place != Place::Message {
            self.equal(event, "body-size", message::body_size(), 0);
            self.equal(event, "completed-at", message::completed_at(), None);
        }
        let now = clock::now().duration_since(std::time::UNIX_EPOCH);
        let is_later = now.is_ok_and(|now| now.as_secs() >= session::connected_at().into());
        self.check(event, is_later, "now is before the connection");
        self.check(
            event,
            random::octets(16) != random::octets(16),
            "random octets repeat",
        );
        if event != "proxy" && event != "connect" {
            self.equal(event, "banner", session::banner(), BANNER.into());
            self.equal(event, "greeting", session::greeting(), GREETING.into());
            self.equal(
                event,
                "store",
                store::get("kept"),
                Some(b"since connect".to_vec()),
            );
            let tag = ("kept".to_owned(), "since connect".to_owned());
            self.check(event, session::tags().contains(&tag), "the tag is gone");
        }
        if self.config.one_name {
            self.one_name(event);
        }
    }

    /// What one session has said never shows in another.
    pub(super) fn one_name(&mut self, event: &str) {
        let helo = session::helo_name();
        let Some(name) = helo.split('.').next().filter(|name| !name.is_empty()) else {
            return;
        };
        let mut said = Vec::from_iter(session::authenticated_as());
        said.extend(session::sender().map(|sender| sender.as_str().to_owned()));
        said.extend(session::recipients().iter().map(ToString::to_string));
        for text in said {
            let is_mine = text.split('@').next() == Some(name);
            self.check(event, is_mine, &format!("{text} is not of {name}"));
        }
    }

    pub(super) fn begin_transaction(&mut self, sender: &str) {
        let id = session::transaction_id();
        let is_new = !self.transactions.contains(&id);
        self.check("mail", is_new, "the transaction id is an old one");
        self.transactions.push(id);
        self.sender = sender.to_owned();
        self.recipients.clear();
        self.body.clear();
    }
}
