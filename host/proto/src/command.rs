//! Command lines: octets in, a typed command or the client's fault out (RFC 5321 §4.1).

use crate::address::{Charset, ForwardPath, InvalidAddress, ReversePath, split_path};
use crate::fault::Fault;
use crate::parameters::{self, Extensions, MailParameters, Parameter};

/// A well-formed command. Whether it is legal now is the session's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Begin an authentication exchange (RFC 4954 §4).
    Auth {
        /// The mechanism as written.
        mechanism: &'a str,
        /// The initial response in base64, where one was given.
        initial: Option<&'a str>,
    },
    /// Send the message.
    Data,
    /// Introduce oneself and ask for extensions.
    Ehlo(&'a str),
    /// Expand a mailing list.
    Expn(&'a str),
    /// Introduce oneself.
    Helo(&'a str),
    /// Ask for help, perhaps on a topic.
    Help(&'a str),
    /// Send a chunk of the message (RFC 3030 §2).
    Bdat {
        /// The number of octets that follow.
        size: u64,
        /// Whether it is the last one.
        last: bool,
    },
    /// Open a transaction; see [`parse_sender`].
    Mail(&'a str),
    /// Do nothing.
    Noop,
    /// A verb that an RFC defines and this server does not serve.
    NotImplemented,
    /// Say who the client is (the PROXY protocol); only legal before the session.
    Proxy,
    /// End the session.
    Quit,
    /// Name a recipient; see [`parse_recipient`].
    Rcpt(&'a str),
    /// Forget the transaction.
    Rset,
    /// Begin TLS (RFC 3207).
    StartTls,
    /// Verify a user.
    Vrfy(&'a str),
    /// Say who the client of the client is (XCLIENT, as Postfix defines it).
    Xclient(&'a str),
}

impl<'a> Command<'a> {
    /// Parses a line without its line ending.
    pub fn parse(line: &'a [u8]) -> Result<Self, Fault> {
        let (verb, argument) = split_verb(line);
        let Some(parse) = parser(verb) else {
            return Err(Fault::UnknownVerb);
        };
        if argument
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            return Err(Fault::CommandEncoding);
        }
        let argument = str::from_utf8(argument).map_err(|_| Fault::CommandEncoding)?;
        parse(argument.trim_matches([' ', '\t']))
    }
}

/// How strictly the arguments of MAIL and RCPT are read, and what may stand in them.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The extensions that are offered.
    pub extensions: &'a Extensions,
    /// Keywords of parameters, in capitals, that policy takes care of.
    pub registered: &'a [Box<str>],
    /// Whether a path needs its angle brackets, and no blank may stand before it (RFC 5321 §3.3).
    pub strict: bool,
    /// The domain of an address that has none. Without it such an address is refused.
    pub default_domain: Option<&'a str>,
}

/// The sender and the parameters in the argument of MAIL.
pub fn parse_sender(
    argument: &str,
    rules: &Rules<'_>,
) -> Result<(ReversePath, MailParameters), Fault> {
    let argument = keyword(argument, "FROM:", rules.strict)?;
    let (path, rest) = split_path(argument).map_err(Fault::Sender)?;
    let rest = after_path(rest).map_err(Fault::Sender)?;
    let parameters = MailParameters::parse(rest, rules.extensions, rules.registered)?;
    let path = with_domain(path, rules, |path| {
        ReversePath::parse(path, charset(parameters.smtputf8))
    });
    Ok((path.map_err(Fault::Sender)?, parameters))
}

/// The recipient and the parameters in the argument of RCPT, in a transaction that is in UTF-8 or
/// not.
pub fn parse_recipient(
    argument: &str,
    smtputf8: bool,
    rules: &Rules<'_>,
) -> Result<(ForwardPath, Vec<Parameter>), Fault> {
    let argument = keyword(argument, "TO:", rules.strict)?;
    let (path, rest) = split_path(argument).map_err(Fault::Recipient)?;
    let rest = after_path(rest).map_err(Fault::Recipient)?;
    let path = with_domain(path, rules, |path| {
        ForwardPath::parse(path, charset(smtputf8))
    });
    let parameters = parameters::parse_rcpt(rest, rules.extensions, rules.registered)?;
    Ok((path.map_err(Fault::Recipient)?, parameters))
}

/// Whether a line has one of the verbs that are served without TLS where TLS is needed for anything
/// else: those of RFC 3207 §4, and RSET, which changes nothing there.
pub(crate) fn is_served_before_tls(line: &[u8]) -> bool {
    let (verb, _) = split_verb(line);
    matches!(
        verb.to_ascii_uppercase().as_slice(),
        b"EHLO" | b"HELO" | b"NOOP" | b"QUIT" | b"RSET" | b"STARTTLS"
    )
}

/// Whether a line has the verb AUTH, whatever follows it.
pub(crate) fn is_auth(line: &[u8]) -> bool {
    let (verb, _) = split_verb(line);
    verb.eq_ignore_ascii_case(b"AUTH")
}

fn split_verb(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| *byte == b' ');
    line.split_at(end.unwrap_or(line.len()))
}

type Parser = for<'a> fn(&'a str) -> Result<Command<'a>, Fault>;

fn parser(verb: &[u8]) -> Option<Parser> {
    Some(match verb.to_ascii_uppercase().as_slice() {
        b"AUTH" => auth,
        b"BDAT" => bdat,
        b"DATA" => |argument| bare(argument, Command::Data),
        b"EHLO" => |argument| required(argument).map(Command::Ehlo),
        b"EXPN" => |argument| required(argument).map(Command::Expn),
        b"HELO" => |argument| required(argument).map(Command::Helo),
        b"HELP" => |argument| Ok(Command::Help(argument)),
        b"MAIL" => |argument| required(argument).map(Command::Mail),
        b"NOOP" => |_| Ok(Command::Noop),
        b"PROXY" => |_| Ok(Command::Proxy),
        b"QUIT" => |argument| bare(argument, Command::Quit),
        b"RCPT" => |argument| required(argument).map(Command::Rcpt),
        b"RSET" => |argument| bare(argument, Command::Rset),
        b"STARTTLS" => |argument| bare(argument, Command::StartTls),
        b"VRFY" => |argument| required(argument).map(Command::Vrfy),
        b"XCLIENT" => |argument| required(argument).map(Command::Xclient),
        b"ATRN" | b"BURL" | b"ETRN" | b"SAML" | b"SEND" | b"SOML" | b"TURN" => {
            |_| Ok(Command::NotImplemented)
        }
        _ => return None,
    })
}

fn required(argument: &str) -> Result<&str, Fault> {
    match argument {
        "" => Err(Fault::Argument),
        _ => Ok(argument),
    }
}

fn bare<'a>(argument: &str, command: Command<'a>) -> Result<Command<'a>, Fault> {
    match argument {
        "" => Ok(command),
        _ => Err(Fault::ArgumentNotAllowed),
    }
}

fn auth(argument: &str) -> Result<Command<'_>, Fault> {
    let argument = required(argument)?;
    let (mechanism, initial) = match argument.split_once(' ') {
        None => (argument, None),
        Some((mechanism, initial)) => (mechanism, Some(initial)),
    };
    Ok(Command::Auth { mechanism, initial })
}

/// `chunk-size [SP "LAST"]` (RFC 3030 §2).
fn bdat(argument: &str) -> Result<Command<'_>, Fault> {
    let (size, rest) = argument.split_once(' ').unwrap_or((argument, ""));
    let rest = rest.trim_start_matches(' ');
    let is_number = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    match size.parse() {
        Ok(size) if is_number && rest.is_empty() => Ok(Command::Bdat { size, last: false }),
        Ok(size) if is_number && rest.eq_ignore_ascii_case("LAST") => {
            Ok(Command::Bdat { size, last: true })
        }
        _ => Err(Fault::Argument),
    }
}

const fn charset(smtputf8: bool) -> Charset {
    match smtputf8 {
        true => Charset::Utf8,
        false => Charset::Ascii,
    }
}

/// Parses an address, and where it lacks a domain once more with the one that the rules give.
fn with_domain<P>(
    path: &str,
    rules: &Rules<'_>,
    parse: impl Fn(&str) -> Result<P, InvalidAddress>,
) -> Result<P, InvalidAddress> {
    match (parse(path), rules.default_domain) {
        (Err(InvalidAddress::NoDomain), Some(domain)) => parse(&format!("{path}@{domain}")),
        (parsed, _) => parsed,
    }
}

/// `FROM:` or `TO:`, in any case. Blanks behind it, and paths without brackets, are common in the
/// wild and harmless.
fn keyword<'a>(argument: &'a str, keyword: &str, strict: bool) -> Result<&'a str, Fault> {
    let (head, rest) = argument
        .split_at_checked(keyword.len())
        .ok_or(Fault::Argument)?;
    let path = rest.trim_start_matches(' ');
    let is_strict = path.len() == rest.len() && path.starts_with('<');
    match head.eq_ignore_ascii_case(keyword) && !path.is_empty() && (is_strict || !strict) {
        true => Ok(path),
        false => Err(Fault::Argument),
    }
}

fn after_path(rest: &str) -> Result<&str, InvalidAddress> {
    match rest.is_empty() || rest.starts_with(' ') {
        true => Ok(rest),
        false => Err(InvalidAddress::Syntax),
    }
}

#[cfg(test)]
mod tests;
