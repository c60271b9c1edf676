use super::*;
use InvalidAddress::{NoDomain, NotAscii, Syntax, TooLong};

/// Formats a command in a short form.
fn shown(line: &[u8]) -> Result<String, Fault> {
    shown_under(line, PathSyntax::Lenient)
}

fn shown_under(line: &[u8], path: PathSyntax) -> Result<String, Fault> {
    let rules = Rules {
        extensions: &Extensions::default(),
        registered: &[],
        path,
        default_domain: None,
    };
    Ok(match Command::parse(line)? {
        Command::Bdat { size, last } => format!("bdat {size} {last}"),
        Command::Mail(argument) => {
            let (path, parameters) = parse_sender(argument, &rules)?;
            format!("mail {path} {}", parameters.all.len())
        }
        Command::Rcpt(argument) => {
            let (path, parameters) = parse_recipient(argument, Charset::Ascii, &rules)?;
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
fn a_path_has_500_octets_at_most() {
    let line = format!("MAIL FROM:<@{}:a@b>", "r".repeat(494));
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
        assert!(
            shown_under(line.as_bytes(), PathSyntax::Lenient).is_ok(),
            "{line}"
        );
        assert_eq!(
            shown_under(line.as_bytes(), PathSyntax::Strict),
            Err(Fault::Argument),
            "{line}"
        );
    }
    assert!(shown_under(b"MAIL FROM:<>", PathSyntax::Strict).is_ok());
}

#[test]
fn a_default_domain_completes_addresses() {
    let rules = Rules {
        extensions: &Extensions::default(),
        registered: &[],
        path: PathSyntax::Lenient,
        default_domain: Some("example.org"),
    };
    let (sender, _) = parse_sender("FROM:<oink>", &rules).unwrap();
    assert_eq!(sender.as_str(), "oink@example.org");
    let (recipient, _) = parse_recipient("TO:<oink>", Charset::Ascii, &rules).unwrap();
    assert_eq!(recipient.as_str(), "oink@example.org");
    let (recipient, _) = parse_recipient("TO:<Postmaster>", Charset::Ascii, &rules).unwrap();
    assert_eq!(recipient.as_str(), "Postmaster");
}
