//! Command lines: octets in, a typed command or the client's fault out (RFC 5321 §4.1).

use crate::address::{Charset, ForwardPath, InvalidAddress, ReversePath, split_path};
use crate::fault::Fault;
use crate::parameters::{self, MailParameters, Parameter};

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
    /// Open a transaction.
    Mail(ReversePath, MailParameters),
    /// Do nothing.
    Noop,
    /// A verb that an RFC defines and this server does not serve.
    NotImplemented,
    /// End the session.
    Quit,
    /// Name a recipient. The charset in which it may stand is only known in the session.
    Rcpt(&'a str),
    /// Forget the transaction.
    Rset,
    /// Begin TLS (RFC 3207).
    StartTls,
    /// Verify a user.
    Vrfy(&'a str),
}

impl<'a> Command<'a> {
    /// Parses a line without its line ending.
    pub fn parse(line: &'a [u8]) -> Result<Self, Fault> {
        let verb_end = line.iter().position(|byte| *byte == b' ');
        let (verb, argument) = line.split_at(verb_end.unwrap_or(line.len()));
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

/// The recipient and the parameters in the argument of RCPT.
pub fn parse_recipient(
    argument: &str,
    charset: Charset,
) -> Result<(ForwardPath, Vec<Parameter>), Fault> {
    let argument = keyword(argument, "TO:").ok_or(Fault::Argument)?;
    let (path, rest) = split_path(argument).map_err(Fault::Recipient)?;
    let path = ForwardPath::parse(path, charset).map_err(Fault::Recipient)?;
    Ok((
        path,
        parameters::parse_rcpt(after_path(rest).map_err(Fault::Recipient)?)?,
    ))
}

type Parser = for<'a> fn(&'a str) -> Result<Command<'a>, Fault>;

fn parser(verb: &[u8]) -> Option<Parser> {
    Some(match verb.to_ascii_uppercase().as_slice() {
        b"AUTH" => auth,
        b"DATA" => |argument| bare(argument, Command::Data),
        b"EHLO" => |argument| required(argument).map(Command::Ehlo),
        b"EXPN" => |argument| required(argument).map(Command::Expn),
        b"HELO" => |argument| required(argument).map(Command::Helo),
        b"HELP" => |argument| Ok(Command::Help(argument)),
        b"MAIL" => mail,
        b"NOOP" => |_| Ok(Command::Noop),
        b"QUIT" => |argument| bare(argument, Command::Quit),
        b"RCPT" => |argument| required(argument).map(Command::Rcpt),
        b"RSET" => |argument| bare(argument, Command::Rset),
        b"STARTTLS" => |argument| bare(argument, Command::StartTls),
        b"VRFY" => |argument| required(argument).map(Command::Vrfy),
        b"ATRN" | b"BDAT" | b"BURL" | b"ETRN" | b"SAML" | b"SEND" | b"SOML" | b"TURN" => {
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

fn mail(argument: &str) -> Result<Command<'_>, Fault> {
    let argument = keyword(argument, "FROM:").ok_or(Fault::Argument)?;
    let (path, rest) = split_path(argument).map_err(Fault::Sender)?;
    let rest = after_path(rest).map_err(Fault::Sender)?;
    let parameters = MailParameters::parse(rest)?;
    let charset = match parameters.smtputf8 {
        true => Charset::Utf8,
        false => Charset::Ascii,
    };
    let path = ReversePath::parse(path, charset).map_err(Fault::Sender)?;
    Ok(Command::Mail(path, parameters))
}

/// `FROM:` or `TO:`, in any case. Blanks around it are common in the wild and harmless.
fn keyword<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    let rest = rest.trim_start_matches(' ');
    match head.eq_ignore_ascii_case(keyword) && !rest.is_empty() {
        true => Some(rest),
        false => None,
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
        Ok(match Command::parse(line)? {
            Command::Mail(path, parameters) => format!("mail {path} {}", parameters.all.len()),
            Command::Rcpt(argument) => {
                let (path, parameters) = parse_recipient(argument, Charset::Ascii)?;
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
        let table: [Row; 62] = [
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
        assert_eq!(Command::parse(line.as_bytes()), Err(Fault::Sender(TooLong)));
    }
}
