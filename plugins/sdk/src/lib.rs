#![doc = include_str!("../README.md")]

mod address;
mod answer;
#[doc(hidden)]
#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    reason = "generated from the contract"
)]
pub mod bindings;
pub mod config;
pub mod dns;
mod event;
mod export;
mod glue;
pub mod log;
pub mod message;
mod pattern;
mod refusal;
mod reply;
pub mod session;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use address::{Address, Recipient, Sender};
pub use answer::{
    Answer, AuthAnswer, ConnectAnswer, DataAnswer, HeadersAnswer, HeloAnswer, MailAnswer,
    MessageAnswer, ProxyAnswer, QueryAnswer, RcptAnswer,
};
pub use bindings::auth::exports::postgate::plugin::on_auth::Credentials;
pub use bindings::command::exports::postgate::plugin::on_command::Command;
pub use bindings::disconnect::exports::postgate::plugin::on_disconnect::{Reason, Summary};
pub use bindings::imports::postgate::plugin::types::{
    AuthVerdict, ConnectEdit, DataEdit, HeaderEdit, HeaderField, HeaderInsertion, HeaderPosition,
    HeaderReplacement, HeadersEdit, HeloEdit, MailEdit, MessageEdit, MessageVerdict, ProxyEdit,
    QueryVerdict, RcptEdit, SessionEdit, Verdict,
};
pub use event::{
    NoConfig, OnAuth, OnCommand, OnConnect, OnData, OnDisconnect, OnExpn, OnHeaders, OnHelo,
    OnHelp, OnMail, OnMessage, OnProxy, OnRcpt, OnSelfTest, OnVrfy, Plugin,
};
pub use pattern::{EmptyPattern, Pattern};
pub use refusal::Refusal;
pub use reply::InvalidReply;

/// What nearly every plugin needs: `use postgate_plugin::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Address, AuthAnswer, Command, ConnectAnswer, Credentials, DataAnswer, HeadersAnswer,
        HeloAnswer, MailAnswer, MessageAnswer, OnAuth, OnCommand, OnConnect, OnData, OnDisconnect,
        OnExpn, OnHeaders, OnHelo, OnHelp, OnMail, OnMessage, OnProxy, OnRcpt, OnSelfTest, OnVrfy,
        Plugin, ProxyAnswer, QueryAnswer, RcptAnswer, Recipient, Refusal, Sender, Summary, log,
        message, session,
    };
}

/// The functions of the host: the real ones in a component, those of [`testing`] elsewhere.
mod host {
    #[cfg(target_arch = "wasm32")]
    pub(crate) use crate::bindings::imports::postgate::plugin::{
        config, dns, log, message, session, store,
    };
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) use crate::testing::host::{config, dns, log, message, session, store};
}

/// What [`export!`] expands to needs these; nothing else should.
#[doc(hidden)]
pub mod private {
    pub use crate::glue::Instance;
}
