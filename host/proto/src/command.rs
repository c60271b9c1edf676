//! The parser for command lines (RFC 5321 §4.1).

use crate::address::{BLANKS, Charset, ForwardPath, InvalidAddress, ReversePath, split_path};
use crate::fault::Fault;
use crate::parameters::{self, Extensions, MailParameters, Parameter};

/// A well-formed command. It may be illegal in the current state of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// AUTH (RFC 4954 §4).
    Auth {
        /// The name of the mechanism as sent.
        mechanism: &'a str,
        /// The initial response in base64.
        initial: Option<&'a str>,
    },
    /// DATA.
    Data,
    /// EHLO with the name of the client.
    Ehlo(&'a str),
    /// EXPN with the name of a mailing list.
    Expn(&'a str),
    /// HELO with the name of the client.
    Helo(&'a str),
    /// HELP with a topic, which may be empty.
    Help(&'a str),
    /// BDAT (RFC 3030 §2).
    Bdat {
        /// The size of the chunk in octets.
        size: u64,
        /// True for the last chunk of the message.
        last: bool,
    },
    /// MAIL with its argument, for [`parse_sender`].
    Mail(&'a str),
    /// NOOP.
    Noop,
    /// A verb that an RFC defines and this server does not implement.
    NotImplemented,
    /// A header of the PROXY protocol, which is legal before the session only.
    Proxy,
    /// QUIT.
    Quit,
    /// RCPT with its argument, for [`parse_recipient`].
    Rcpt(&'a str),
    /// RSET.
    Rset,
    /// STARTTLS (RFC 3207).
    StartTls,
    /// VRFY with a user name or an address.
    Vrfy(&'a str),
    /// XCLIENT with its attributes (Postfix XCLIENT_README).
    Xclient(&'a str),
}

impl<'a> Command<'a> {
    /// Parses a line without its line ending.
    ///
    /// # Errors
    ///
    /// Fails if the verb is unknown or the argument is malformed.
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
        parse(argument.trim_matches(BLANKS))
    }
}

/// The rules for the arguments of MAIL and RCPT.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The available extensions.
    pub extensions: &'a Extensions,
    /// The keywords of additional parameters, in upper case.
    pub registered: &'a [Box<str>],
    /// The accepted syntax of a path.
    pub path: PathSyntax,
    /// The domain appended to addresses without one. If `None`, such addresses are malformed.
    pub default_domain: Option<&'a str>,
}

/// The accepted syntax of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathSyntax {
    /// Angle brackets may be missing, and spaces may precede the path, as many clients send it.
    Lenient,
    /// As RFC 5321 §3.3 requires.
    Strict,
}

/// Parses the argument of MAIL.
///
/// # Errors
///
/// Fails if the path or a parameter is malformed, or if a parameter is unknown.
pub fn parse_sender(
    argument: &str,
    rules: &Rules<'_>,
) -> Result<(ReversePath, MailParameters), Fault> {
    let argument = keyword(argument, "FROM:", rules.path)?;
    let (path, rest) = split_path(argument).map_err(Fault::Sender)?;
    let rest = after_path(rest).map_err(Fault::Sender)?;
    let parameters = MailParameters::parse(rest, rules.extensions, rules.registered)?;
    let path = with_domain(path, rules, |path| {
        ReversePath::parse(path, parameters.charset())
    });
    Ok((path.map_err(Fault::Sender)?, parameters))
}

/// Parses the argument of RCPT in a transaction with this charset.
///
/// # Errors
///
/// Fails if the path or a parameter is malformed, or if a parameter is unknown.
pub fn parse_recipient(
    argument: &str,
    charset: Charset,
    rules: &Rules<'_>,
) -> Result<(ForwardPath, Vec<Parameter>), Fault> {
    let argument = keyword(argument, "TO:", rules.path)?;
    let (path, rest) = split_path(argument).map_err(Fault::Recipient)?;
    let rest = after_path(rest).map_err(Fault::Recipient)?;
    let path = with_domain(path, rules, |path| ForwardPath::parse(path, charset));
    let parameters = parameters::parse_rcpt(rest, rules.extensions, rules.registered)?;
    Ok((path.map_err(Fault::Recipient)?, parameters))
}

/// True if the verb of a line is legal before TLS when TLS is required: those of RFC 3207 §4, and RSET,
/// which has no effect then.
pub(crate) fn is_served_before_tls(line: &[u8]) -> bool {
    let (verb, _) = split_verb(line);
    matches!(
        verb.to_ascii_uppercase().as_slice(),
        b"EHLO" | b"HELO" | b"NOOP" | b"QUIT" | b"RSET" | b"STARTTLS"
    )
}

/// True if the verb of a line is AUTH.
pub(crate) fn is_auth(line: &[u8]) -> bool {
    let (verb, _) = split_verb(line);
    verb.eq_ignore_ascii_case(b"AUTH")
}

/// Splits a line before the white space that ends the verb.
pub(crate) fn split_verb(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
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
    let (mechanism, initial) = match argument.split_once(BLANKS) {
        None => (argument, None),
        Some((mechanism, initial)) => (mechanism, Some(initial)),
    };
    Ok(Command::Auth { mechanism, initial })
}

/// `chunk-size [SP "LAST"]` (RFC 3030 §2).
fn bdat(argument: &str) -> Result<Command<'_>, Fault> {
    let (size, rest) = argument.split_once(BLANKS).unwrap_or((argument, ""));
    let rest = rest.trim_start_matches(BLANKS);
    let is_number = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    match size.parse() {
        Ok(size) if is_number && rest.is_empty() => Ok(Command::Bdat { size, last: false }),
        Ok(size) if is_number && rest.eq_ignore_ascii_case("LAST") => {
            Ok(Command::Bdat { size, last: true })
        }
        _ => Err(Fault::Argument),
    }
}

/// Parses a path, with the default domain if it has none.
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

/// Strips `FROM:` or `TO:` in any letter case. Returns the path and what follows it.
fn keyword<'a>(argument: &'a str, keyword: &str, syntax: PathSyntax) -> Result<&'a str, Fault> {
    let (head, rest) = argument
        .split_at_checked(keyword.len())
        .ok_or(Fault::Argument)?;
    let path = rest.trim_start_matches(BLANKS);
    let is_strict = path.len() == rest.len() && path.starts_with('<');
    match head.eq_ignore_ascii_case(keyword)
        && !path.is_empty()
        && (is_strict || syntax == PathSyntax::Lenient)
    {
        true => Ok(path),
        false => Err(Fault::Argument),
    }
}

fn after_path(rest: &str) -> Result<&str, InvalidAddress> {
    match rest.is_empty() || rest.starts_with(BLANKS) {
        true => Ok(rest),
        false => Err(InvalidAddress::Syntax),
    }
}

#[cfg(test)]
mod tests;
