//! A dialog: the lines of a conversation and the settings it needs.

use std::fmt;
use std::path::PathBuf;

use crate::pattern::Pattern;
use crate::policy::ScriptedAnswer;

/// One conversation between a client and the gateway.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// What it shows.
    pub name: String,
    /// The file that it comes from.
    pub file: PathBuf,
    /// The configuration that it needs, beyond what all dialogs share.
    pub settings: toml::Table,
    /// Against what it can be played.
    pub scope: Scope,
    /// What happens, in order.
    pub lines: Vec<Line>,
}

/// Against what a dialog can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The protocol core only: a policy is scripted.
    Core,
    /// The core and the program.
    Everywhere,
    /// The program only: it shows something that the core does not know.
    Wire,
}

/// A line of a dialog.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it stands in the file, from 1.
    pub number: usize,
    /// What it says.
    pub action: Action,
}

/// What happens at one point of a dialog.
#[derive(Clone, Debug)]
pub enum Action {
    /// The client sends these octets. Adjacent ones go out in one write.
    Send(Vec<u8>),
    /// The client closes its side of the connection.
    Hang,
    /// The client begins TLS: behind STARTTLS, or as the first thing where the listener wants it so.
    Handshake(Certificate),
    /// The client sends nothing until its time is over.
    Wait,
    /// The server says this line.
    Hear(Pattern),
    /// The server says a whole reply with this code, of any number of lines.
    HearReply(u16),
    /// The server has said nothing more so far. Only the core can tell.
    HearNothing,
    /// The server closes the connection, having said nothing more.
    HearClose,
    /// The policy's answer to a later question.
    Script(ScriptedAnswer),
    /// The questions that the policy was asked since the last such line. Only the core can tell.
    Asked(Vec<String>),
    /// The content of the message. Only the core can tell.
    Stored(Vec<u8>),
}

/// What a client shows in its TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// A certificate that the server trusts.
    Client,
    /// None.
    None,
}

impl Dialog {
    /// All that the client sends, in one piece, with [`HANDSHAKE`] where it begins TLS.
    pub fn client_octets(&self) -> Vec<u8> {
        let sent = self.lines.iter().filter_map(|line| match &line.action {
            Action::Send(octets) => Some(octets.as_slice()),
            Action::Handshake(_) => Some(HANDSHAKE),
            _ => None,
        });
        sent.collect::<Vec<_>>().concat()
    }
}

impl fmt::Display for Dialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.name)
    }
}

/// What stands for a TLS handshake among octets: how the record of one begins.
pub const HANDSHAKE: &[u8] = b"\x16\x03\x01";
