#![doc = include_str!("../README.md")]

mod address;
mod address_pattern;
mod answer;
mod auth;
#[doc(hidden)]
#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    reason = "generated from the contract"
)]
pub mod bindings;
pub mod clock;
pub mod config;
pub mod dns;
mod event;
mod export;
pub mod files;
mod glue;
pub mod log;
pub mod message;
pub mod name;
mod pattern;
pub mod random;
mod refusal;
mod reply;
pub mod session;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use address::{Address, Recipient, Sender};
pub use address_pattern::{AddressPattern, DomainPattern, LocalPartPattern};
pub use answer::{
    Answer, AuthAnswer, BodyChunkAnswer, ConnectAnswer, DataAnswer, HeadersAnswer, HeloAnswer,
    MailAnswer, MessageAnswer, ProxyAnswer, QueryAnswer, RcptAnswer, StarttlsAnswer,
};
pub use auth::{ChallengeResponse, Credentials, Proof};
pub use bindings::auth_keys::exports::postgate::plugin::on_auth_keys::ScramKeys;
pub use bindings::body_chunk::exports::postgate::plugin::on_body_chunk::BodyChunk;
pub use bindings::command::exports::postgate::plugin::on_command::Command;
pub use bindings::disconnect::exports::postgate::plugin::on_disconnect::{Reason, Summary};
pub use bindings::imports::postgate::plugin::types::{
    AuthVerdict, ConnectEdit, DataEdit, HeaderEdit, HeaderField, HeaderInsertion, HeaderPosition,
    HeaderReplacement, HeadersEdit, HeloEdit, MailEdit, MessageEdit, MessageVerdict, ProxyEdit,
    QueryVerdict, RcptEdit, RcptVerdict, RecipientRefusal, Reply, SessionEdit, Verdict,
};
pub use bindings::outcome::exports::postgate::plugin::on_outcome::{Fate, Outcome};
pub use bindings::reset::exports::postgate::plugin::on_reset::Cause;
pub use event::{
    NoConfig, OnAuth, OnAuthKeys, OnBodyChunk, OnCommand, OnConnect, OnData, OnDisconnect, OnExpn,
    OnHeaders, OnHelo, OnHelp, OnMail, OnMessage, OnOutcome, OnProxy, OnRcpt, OnReset, OnSelfTest,
    OnStarttls, OnVrfy, Plugin,
};
pub use pattern::{EmptyPattern, Pattern};
pub use refusal::Refusal;
pub use reply::InvalidReply;

/// Names that nearly every plugin needs: `use postgate_plugin::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Address, AuthAnswer, BodyChunk, BodyChunkAnswer, Cause, Command, ConnectAnswer,
        Credentials, DataAnswer, HeadersAnswer, HeloAnswer, MailAnswer, MessageAnswer, OnAuth,
        OnAuthKeys, OnBodyChunk, OnCommand, OnConnect, OnData, OnDisconnect, OnExpn, OnHeaders,
        OnHelo, OnHelp, OnMail, OnMessage, OnOutcome, OnProxy, OnRcpt, OnReset, OnSelfTest,
        OnStarttls, OnVrfy, Outcome, Plugin, Proof, ProxyAnswer, QueryAnswer, RcptAnswer,
        Recipient, Refusal, ScramKeys, Sender, StarttlsAnswer, Summary, log, message, session,
    };
}

/// The functions of the host: the real ones in a component, those of [`testing`] on other targets.
mod host {
    #[cfg(target_arch = "wasm32")]
    pub(crate) use crate::bindings::imports::postgate::plugin::{
        clock, config, dns, files, log, message, random, session, store,
    };
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) use crate::testing::host::{
        clock, config, dns, files, log, message, random, session, store,
    };
}

/// The code of the guide for plugin authors, compiled with the examples of this crate.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../docs/plugins/events.md")]
    mod events {}
    #[doc = include_str!("../../../docs/plugins/first.md")]
    mod first {}
}

/// Only for the expansion of [`export!`].
#[doc(hidden)]
pub mod private {
    pub use crate::glue::Instance;
}
