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
mod tests {
    use super::*;
    use InvalidAddress::{NoDomain, NotAscii, Syntax, TooLong};

    /// The command in a few words, so that a table stays readable.
    fn shown(line: &[u8]) -> Result<String, Fault> {
        shown_under(line, false)
    }

    fn shown_under(line: &[u8], strict: bool) -> Result<String, Fault> {
        let rules = Rules {
            extensions: &Extensions::default(),
            registered: &[],
            strict,
            default_domain: None,
        };
        Ok(match Command::parse(line)? {
            Command::Bdat { size, last } => format!("bdat {size} {last}"),
            Command::Mail(argument) => {
                let (path, parameters) = parse_sender(argument, &rules)?;
                format!("mail {path} {}", parameters.all.len())
            }
            Command::Rcpt(argument) => {
                let (path, parameters) = parse_recipient(argument, false, &rules)?;
                format!("rcpt {path} {}", parameters.len())
            }
            Command::Auth { mechanism, initial } => format!("auth {mechanism} {initial:?}"),
            Command::Helo(name) => format!("helo {name}"),
            Command::Ehlo(name) => format!("ehlo {name}"),
            Command::Vrfy(argument) => format!("vrfy {argument}"),
            other => format!("{other:?}").to_lowercase(),
        })
    }

    #[test]
    fn lines_good_odd_and_hostile() {
        type Row = (&'static [u8], Result<&'static str, Fault>);
        let table: [Row; 72] = [
            (b"BDAT 10", Ok("bdat 10 false")),
            (b"BDAT 0 LAST", Ok("bdat 0 true")),
            (b"bdat 7 last", Ok("bdat 7 true")),
            (b"BDAT", Err(Fault::Argument)),
            (b"BDAT -1", Err(Fault::Argument)),
            (b"BDAT +1", Err(Fault::Argument)),
            (b"BDAT 123LAST", Err(Fault::Argument)),
            (b"BDAT LAST", Err(Fault::Argument)),
            (b"BDAT 1 LAST x", Err(Fault::Argument)),
            (b"BDAT 99999999999999999999", Err(Fault::Argument)),
            (b"HELO a.example", Ok("helo a.example")),
            (b"eHlO   c.example  ", Ok("ehlo c.example")),
            (b"EHLO it's me", Ok("ehlo it's me")),
            (b"EHLO", Err(Fault::Argument)),
            (b"EHLO ", Err(Fault::Argument)),
            (b"HELO", Err(Fault::Argument)),
            (b"MAIL FROM:<a@b>", Ok("mail <a@b> 0")),
            (b"mail FrOm:<a@b>", Ok("mail <a@b> 0")),
            (b"MAIL FROM: <a@b>", Ok("mail <a@b> 0")),
            (b"MAIL  FROM:<a@b>", Ok("mail <a@b> 0")),
            (b"MAIL FROM:a@b", Ok("mail <a@b> 0")),
            (b"MAIL FROM:<>", Ok("mail <> 0")),
            (b"MAIL FROM:<> SIZE=3", Ok("mail <> 1")),
            (b"MAIL FROM:<a@b> SIZE=1 BODY=7BIT", Ok("mail <a@b> 2")),
            (b"MAIL FROM:<@x,@y:a@b>", Ok("mail <a@b> 0")),
            (b"MAIL FROM:<\"a b\"@c>", Ok("mail <\"a b\"@c> 0")),
            (
                b"MAIL FROM:<\"@a,@b:<user>\"@d>",
                Ok("mail <\"@a,@b:<user>\"@d> 0"),
            ),
            (b"MAIL", Err(Fault::Argument)),
            (b"MAIL oink", Err(Fault::Argument)),
            (b"MAIL FROM", Err(Fault::Argument)),
            (b"MAIL FROM:", Err(Fault::Argument)),
            (b"MAIL TO:<a@b>", Err(Fault::Argument)),
            (b"MAIL FROM:<a>", Err(Fault::Sender(NoDomain))),
            (b"MAIL FROM:<a@b", Err(Fault::Sender(Syntax))),
            (b"MAIL FROM:<a@b>>>", Err(Fault::Sender(Syntax))),
            (b"MAIL FROM:<a@b>SIZE=1", Err(Fault::Sender(Syntax))),
            (b"MAIL FROM:<hi..there@x>", Err(Fault::Sender(Syntax))),
            (b"MAIL FROM:<@invalid>", Err(Fault::Sender(Syntax))),
            (b"MAIL FROM:<a b@c>", Err(Fault::Sender(Syntax))),
            (b"MAIL FROM:<a@b> X-Y=1", Err(Fault::UnknownParameter)),
            (b"MAIL FROM:<a@b> SIZE=x", Err(Fault::ParameterValue)),
            (b"MAIL FROM:<a@b\r>", Err(Fault::CommandEncoding)),
            (b"MAIL FROM:<a@b\0>", Err(Fault::CommandEncoding)),
            (b"MAIL FROM:<a@b> SIZE=1\nRCPT", Err(Fault::CommandEncoding)),
            (b"MAIL FROM:<\xff@b>", Err(Fault::CommandEncoding)),
            ("MAIL FROM:<é@b>".as_bytes(), Err(Fault::Sender(NotAscii))),
            ("MAIL FROM:<é@b> SMTPUTF8".as_bytes(), Ok("mail <é@b> 1")),
            (b"RCPT TO:<a@b>", Ok("rcpt <a@b> 0")),
            (b"RCPT TO:<PostMaster>", Ok("rcpt <PostMaster> 0")),
            (b"RCPT TO:<a@[127.0.0.1]>", Ok("rcpt <a@[127.0.0.1]> 0")),
            (b"RCPT TO:<>", Err(Fault::Recipient(Syntax))),
            (b"RCPT TO:", Err(Fault::Argument)),
            (b"RCPT", Err(Fault::Argument)),
            (b"RCPT oink", Err(Fault::Argument)),
            (b"RCPT TO:<a@b> X=1", Err(Fault::UnknownParameter)),
            (b"RCPT TO:<a@b,c@d>", Err(Fault::Recipient(Syntax))),
            (b"RCPT TO:<oink>", Err(Fault::Recipient(NoDomain))),
            ("RCPT TO:<é@b>".as_bytes(), Err(Fault::Recipient(NotAscii))),
            (b"AUTH PLAIN", Ok("auth PLAIN None")),
            (b"AUTH PLAIN =", Ok("auth PLAIN Some(\"=\")")),
            (b"AUTH PLAIN ab+/=", Ok("auth PLAIN Some(\"ab+/=\")")),
            (b"AUTH", Err(Fault::Argument)),
            (b"DATA x", Err(Fault::ArgumentNotAllowed)),
            (b"RSET x", Err(Fault::ArgumentNotAllowed)),
            (b"QUIT ", Ok("quit")),
            (b"NOOP anything", Ok("noop")),
            (b"VRFY", Err(Fault::Argument)),
            (b"ETRN x", Ok("notimplemented")),
            (b"OINK", Err(Fault::UnknownVerb)),
            (b"", Err(Fault::UnknownVerb)),
            (b"\0\xff", Err(Fault::UnknownVerb)),
            ("čšěř".as_bytes(), Err(Fault::UnknownVerb)),
        ];
        for (line, expected) in table {
            let result = shown(line);
            let result = result.as_ref().map(String::as_str).map_err(|fault| *fault);
            assert_eq!(result, expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_path_has_256_octets_at_most() {
        let line = format!("MAIL FROM:<@{}:a@b>", "r".repeat(250));
        assert_eq!(shown(line.as_bytes()), Err(Fault::Sender(TooLong)));
    }
    #[test]
    fn strict_rules_want_brackets_and_no_blank() {
        for line in [
            "MAIL FROM: <a@b>",
            "MAIL FROM:a@b",
            "RCPT TO: <a@b>",
            "RCPT TO:a@b",
        ] {
            assert!(shown_under(line.as_bytes(), false).is_ok(), "{line}");
            assert_eq!(
                shown_under(line.as_bytes(), true),
                Err(Fault::Argument),
                "{line}"
            );
        }
        assert!(shown_under(b"MAIL FROM:<>", true).is_ok());
    }

    #[test]
    fn a_default_domain_completes_addresses() {
        let rules = Rules {
            extensions: &Extensions::default(),
            registered: &[],
            strict: false,
            default_domain: Some("example.org"),
        };
        let (sender, _) = parse_sender("FROM:<oink>", &rules).unwrap();
        assert_eq!(sender.as_str(), "oink@example.org");
        let (recipient, _) = parse_recipient("TO:<oink>", false, &rules).unwrap();
        assert_eq!(recipient.as_str(), "oink@example.org");
        let (recipient, _) = parse_recipient("TO:<Postmaster>", false, &rules).unwrap();
        assert_eq!(recipient.as_str(), "Postmaster");
    }
}
