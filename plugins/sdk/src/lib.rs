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
mod event;
mod export;
mod glue;
pub mod log;
pub mod message;
mod pattern;
mod refusal;
pub mod session;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use address::{Address, Recipient, Sender};
pub use answer::{
    Answer, AuthAnswer, ConnectAnswer, DataAnswer, HeadersAnswer, HeloAnswer, MailAnswer,
    MessageAnswer, RcptAnswer,
};
pub use bindings::auth::exports::postgate::plugin::on_auth::Credentials;
pub use bindings::disconnect::exports::postgate::plugin::on_disconnect::{Reason, Summary};
pub use bindings::imports::postgate::plugin::types::{
    AuthVerdict, ConnectEdit, DataEdit, HeaderEdit, HeaderField, HeaderInsertion, HeaderPosition,
    HeaderReplacement, HeadersEdit, HeloEdit, MailEdit, MessageEdit, MessageVerdict, RcptEdit,
    SessionEdit, Verdict,
};
pub use event::{
    NoConfig, OnAuth, OnConnect, OnData, OnDisconnect, OnHeaders, OnHelo, OnMail, OnMessage,
    OnRcpt, OnSelfTest, Plugin,
};
pub use pattern::{EmptyPattern, Pattern};
pub use refusal::{InvalidRefusal, Refusal};

/// What nearly every plugin needs: `use postgate_plugin::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Address, AuthAnswer, ConnectAnswer, Credentials, DataAnswer, HeadersAnswer, HeloAnswer,
        MailAnswer, MessageAnswer, OnAuth, OnConnect, OnData, OnDisconnect, OnHeaders, OnHelo,
        OnMail, OnMessage, OnRcpt, OnSelfTest, Plugin, RcptAnswer, Recipient, Refusal, Sender,
        Summary, log, message, session,
    };
}

/// The functions of the host: the real ones in a component, those of [`testing`] elsewhere.
mod host {
    #[cfg(target_arch = "wasm32")]
    pub(crate) use crate::bindings::imports::postgate::plugin::{
        config, log, message, session, store,
    };
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) use crate::testing::host::{config, log, message, session, store};
}

/// What [`export!`] expands to needs these; nothing else should.
#[doc(hidden)]
pub mod private {
    pub use crate::glue::Instance;
}
