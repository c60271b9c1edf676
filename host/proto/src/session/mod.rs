//! The server side of a connection.
//!
//! A [`Session`] says what its driver does next. The [`Step`] owns the session and returns it once the
//! step is done, so that a driver can neither skip a step nor carry it out twice:
//!
//! ```
//! use std::sync::Arc;
//!
//! use postgate_proto::session::{Answer, Offers, Profile, Session, Settings, Step};
//!
//! let profile = Arc::new(Profile::default());
//! let mut input = [&b"EHLO client.example\r\n"[..], b"QUIT\r\n"].into_iter();
//! let mut output = Vec::new();
//!
//! let mut session = Session::new(Arc::new(Settings::default()), Offers::default());
//! loop {
//!     session = match session.step() {
//!         Step::Ask(_, asking) => asking.decide(Answer::Proceed(None), &profile),
//!         Step::Close(_) => break,
//!         Step::Fault(faulted) => faulted.resume(),
//!         Step::Read(mut reading) => {
//!             let octets = input.next().expect("the client quits");
//!             reading.buffer(octets.len()).extend_from_slice(octets);
//!             reading.received()
//!         }
//!         Step::Reset(resetting) => resetting.done(),
//!         Step::StartTls(_) => unreachable!("TLS is not offered"),
//!         Step::Store(storing) => storing.stored(),
//!         Step::Write(writing) => {
//!             output.extend_from_slice(writing.octets());
//!             writing.written()
//!         }
//!     };
//! }
//! assert!(output.ends_with(b"221 2.0.0 Bye\r\n"));
//! ```
//!
//! Each command is checked first (`check.rs`). If it is legal, policy is asked, and the answer decides
//! what follows (`decide.rs`).

mod advance;
mod answer;
mod ask;
mod authentication;
mod check;
mod commands;
mod core;
mod decide;
mod ending;
mod greeting;
mod input;
mod mechanisms;
mod message;
mod offers;
mod profile;
mod receiving;
mod settings;
mod state;
mod step;
mod transitions;

pub use self::answer::{Answer, Rejection, TLS_NOT_AVAILABLE};
pub use self::ask::{Ask, Helo};
pub use self::ending::{Counters, Ending};
pub use self::input::{MAX_AUTH_LINE, MAX_COMMAND_LINE};
pub use self::offers::{
    Channel, ClientIdentity, ClientTrust, Offers, OptionalQuestion, OptionalQuestions, Preamble,
    Tls,
};
pub use self::profile::{Profile, is_own_keyword};
pub use self::settings::{Auth, Settings, Wait};
pub use self::step::{
    Asking, Closing, Faulted, Reading, Resetting, Session, StartingTls, Step, Storing, Writing,
};
pub use crate::auth::ScramLookup;

#[cfg(test)]
mod tests;
