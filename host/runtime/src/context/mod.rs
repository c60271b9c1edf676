//! The facts that plugins can see: the session, the transaction and the message.

mod facts;
mod message;
mod session;
mod transaction;

pub use self::facts::{
    Authentication, ClientCertificate, ClientError, Faults, Introduction, RemoteHost, SessionFacts,
    TlsFacts,
};
pub use self::message::Message;
pub use self::session::Context;
pub use self::transaction::Transaction;
