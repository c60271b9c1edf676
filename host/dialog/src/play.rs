//! Plays dialogs against a server.

use std::fmt;

use crate::dialog::{Action, Certificate, Dialog};
use crate::policy::ScriptedAnswer;
use crate::rules::Rules;

/// A server that dialogs are played against. Methods return `None` if the server cannot tell.
pub trait Server {
    /// The client sends octets.
    fn send(&mut self, octets: &[u8]);
    /// The client closes its side of the connection.
    fn hang_up(&mut self);
    /// The client begins TLS.
    fn begin_tls(&mut self, shows: Certificate);
    /// The client sends nothing until the timeout.
    fn wait(&mut self);
    /// The next action of the server.
    fn hear(&mut self) -> Heard;
    /// Adds an answer to the script of the policy.
    fn script(&mut self, answer: &ScriptedAnswer);
    /// True if the server waits and has sent nothing that was not heard.
    fn is_quiet(&mut self) -> Option<bool>;
    /// The questions to the policy since the last call.
    fn asked(&mut self) -> Option<Vec<String>>;
    /// The content of the last message.
    fn stored(&mut self) -> Option<Vec<u8>>;
    /// What remains at the end: octets that were not heard, or answers that were not used. Returns
    /// `None` if nothing remains.
    fn leftovers(&mut self) -> Option<String>;
}

/// An action of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It sent a line.
    Line(String),
    /// It has closed the connection.
    Close,
    /// It waits for the client.
    Nothing,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "S: {line}"),
            Self::Close => f.write_str("S! close"),
            Self::Nothing => f.write_str("S! nothing"),
        }
    }
}

/// The first difference between a dialog and the server.
#[derive(Debug)]
pub struct Mismatch {
    dialog: String,
    line: usize,
    expected: String,
    got: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dialog,
            line,
            expected,
            got,
        } = self;
        write!(
            f,
            "{dialog} (line {line})\n  expected: {expected}\n       got: {got}"
        )
    }
}

/// Plays a dialog to its end. Besides the lines of the dialog, it checks that every line of the server
/// belongs to a well-formed reply that is allowed for the command.
///
/// # Errors
///
/// Fails at the first difference.
pub fn play(dialog: &Dialog, server: &mut impl Server) -> Result<(), Mismatch> {
    let server = &mut Watched {
        server,
        rules: Rules::default(),
        broken: None,
    };
    let mut unsent = Vec::new();
    for line in &dialog.lines {
        if let Action::Send(octets) = &line.action {
            unsent.extend_from_slice(octets);
            continue;
        }
        if !unsent.is_empty() {
            server.send(&std::mem::take(&mut unsent));
        }
        let stepped = step(&line.action, server);
        let stepped = server.broken.take().map_or(stepped, Err);
        stepped.map_err(|(expected, got)| Mismatch {
            dialog: dialog.to_string(),
            line: line.number,
            expected,
            got,
        })?;
    }
    if !unsent.is_empty() {
        server.send(&unsent);
    }
    match server.leftovers() {
        None => Ok(()),
        Some(got) => Err(Mismatch {
            dialog: dialog.to_string(),
            line: dialog.lines.last().map_or(0, |line| line.number),
            expected: "nothing more".to_owned(),
            got,
        }),
    }
}

/// The expected and the actual action.
type Difference = (String, String);

/// A server whose replies are checked by [`Rules`].
struct Watched<'a, S> {
    server: &'a mut S,
    rules: Rules,
    broken: Option<Difference>,
}

impl<S: Server> Server for Watched<'_, S> {
    fn send(&mut self, octets: &[u8]) {
        self.rules.sent(octets);
        self.server.send(octets);
    }

    fn hang_up(&mut self) {
        self.server.hang_up();
    }

    fn begin_tls(&mut self, shows: Certificate) {
        self.server.begin_tls(shows);
    }

    fn wait(&mut self) {
        self.server.wait();
    }

    fn hear(&mut self) -> Heard {
        let heard = self.server.hear();
        if let Heard::Line(line) = &heard
            && let Err(rule) = self.rules.heard(line)
        {
            self.broken = Some((rule, heard.to_string()));
        }
        heard
    }

    fn script(&mut self, answer: &ScriptedAnswer) {
        self.server.script(answer);
    }

    fn is_quiet(&mut self) -> Option<bool> {
        self.server.is_quiet()
    }

    fn asked(&mut self) -> Option<Vec<String>> {
        self.server.asked()
    }

    fn stored(&mut self) -> Option<Vec<u8>> {
        self.server.stored()
    }

    fn leftovers(&mut self) -> Option<String> {
        self.server.leftovers()
    }
}

fn step(action: &Action, server: &mut impl Server) -> Result<(), Difference> {
    match action {
        Action::Send(octets) => server.send(octets),
        Action::Hang => server.hang_up(),
        Action::Handshake(shows) => server.begin_tls(*shows),
        Action::Wait => server.wait(),
        Action::Script(answer) => server.script(answer),
        Action::Hear(pattern) => {
            let heard = server.hear();
            let fits = matches!(&heard, Heard::Line(line) if pattern.matches(line));
            return same(fits, || format!("S: {pattern}"), || heard.to_string());
        }
        Action::HearReply(code) => return hear_reply(*code, server),
        Action::HearNothing => {
            if let Some(false) = server.is_quiet() {
                return Err(("S! nothing".to_owned(), server.hear().to_string()));
            }
        }
        Action::HearClose => {
            let heard = server.hear();
            let closed = heard == Heard::Close;
            return same(closed, || "S! close".to_owned(), || heard.to_string());
        }
        Action::Asked(expected) => {
            if let Some(asked) = server.asked() {
                return same(
                    asked == *expected,
                    || questions(expected),
                    || questions(&asked),
                );
            }
        }
        Action::Stored(expected) => {
            if let Some(stored) = server.stored() {
                return same(stored == *expected, || octets(expected), || octets(&stored));
            }
        }
    }
    Ok(())
}

fn hear_reply(code: u16, server: &mut impl Server) -> Result<(), Difference> {
    let (more, last) = (format!("{code}-"), format!("{code} "));
    loop {
        match server.hear() {
            Heard::Line(line) if line.starts_with(&last) => return Ok(()),
            Heard::Line(line) if line.starts_with(&more) => {}
            other => return Err((format!("S* {code}"), other.to_string())),
        }
    }
}

fn same(
    same: bool,
    expected: impl FnOnce() -> String,
    got: impl FnOnce() -> String,
) -> Result<(), Difference> {
    match same {
        true => Ok(()),
        false => Err((expected(), got())),
    }
}

fn questions(asked: &[String]) -> String {
    format!("A: {asked:?}")
}

fn octets(octets: &[u8]) -> String {
    format!("M~ \"{}\"", octets.escape_ascii())
}
