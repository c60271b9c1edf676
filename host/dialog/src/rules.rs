//! Rules for all replies.

/// Checks the replies of a conversation.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The code of the reply whose last line has not arrived.
    open: Option<String>,
    /// The verb of the command that the next reply answers. `None` if it is not known.
    verb: Option<String>,
    /// True after 334 and 354: the client sends no command next.
    is_text: bool,
}

impl Rules {
    /// Records octets of the client.
    pub(super) fn sent(&mut self, octets: &[u8]) {
        let text = String::from_utf8_lossy(octets);
        let line = text.strip_suffix("\r\n");
        let line = line.filter(|line| !self.is_text && !line.contains(['\r', '\n', '\0']));
        let verb = line.and_then(|line| line.split([' ', '\t']).next());
        self.verb = verb.map(str::to_ascii_uppercase);
    }

    /// Checks a line of the server without its line ending.
    ///
    /// # Errors
    ///
    /// Returns what the line should be.
    pub(super) fn heard(&mut self, line: &str) -> Result<(), String> {
        if line.len() > 510 {
            return Err("a line of at most 512 octets".to_owned());
        }
        let (code, rest) = line.split_at_checked(3).unwrap_or((line, ""));
        if !code.bytes().all(|octet| octet.is_ascii_digit()) || !rest.starts_with([' ', '-']) {
            return Err("a code, and a blank or a hyphen".to_owned());
        }
        let is_first = self.open.is_none();
        if self.open.take().is_some_and(|open| open != code) {
            return Err("the code of the lines before".to_owned());
        }
        if rest.starts_with('-') {
            self.open = Some(code.to_owned());
        }
        let verb = self.verb.clone();
        if self.open.is_none() {
            self.is_text = matches!(code, "334" | "354");
            self.verb = None;
        }
        enhanced(code, &rest[1..], is_first, verb.as_deref())?;
        match verb {
            Some(verb) if !is_allowed(&verb, code) => Err(format!("a reply that {verb} may have")),
            _ => Ok(()),
        }
    }
}

/// Checks the enhanced status code. All replies have one of the same class as the reply code, except
/// the banner, the replies to EHLO and HELO, and codes 3xx (RFC 2034 §4).
fn enhanced(code: &str, text: &str, is_first: bool, verb: Option<&str>) -> Result<(), String> {
    let is_greeting = code == "220" || (code == "250" && matches!(verb, Some("EHLO" | "HELO")));
    let is_banner_or_helo = is_greeting || text.starts_with("mx.example.org");
    // With pipelining, the verb is not known. Then these lines are taken for a reply to EHLO.
    let is_keyword = code == "250" && !is_first && verb.is_none();
    if code.starts_with('3') || is_banner_or_helo || is_keyword {
        return Ok(());
    }
    let word = text.split(' ').next().unwrap_or_default();
    let numbers: Vec<_> = word.split('.').collect();
    let is_number = |part: &&str| matches!(part.len(), 1..=3) && part.parse::<u16>().is_ok();
    match numbers.len() == 3 && numbers.iter().all(is_number) && code.starts_with(numbers[0]) {
        true => Ok(()),
        false => Err(format!("an enhanced code of class {}", &code[..1])),
    }
}

/// True if RFC 5321 §4.3.2 or the RFC of an extension allows the code for the command. The codes of
/// `ANY` are allowed for all commands.
fn is_allowed(verb: &str, code: &str) -> bool {
    const ANY: [&str; 4] = ["421", "500", "501", "503"];
    let own: &[&str] = match verb {
        "AUTH" => &[
            "235", "334", "432", "450", "454", "502", "504", "530", "534", "535", "538", "550",
            "554",
        ],
        "BDAT" => &[
            "250", "450", "451", "452", "502", "530", "550", "552", "554",
        ],
        "DATA" => &["354", "450", "451", "452", "530", "550", "552", "554"],
        "EHLO" | "HELO" => &["250", "450", "502", "504", "550", "554"],
        "EXPN" => &["250", "252", "502", "504", "530", "550", "553"],
        "HELP" => &["211", "214", "502", "504", "530"],
        "MAIL" => &[
            "250", "450", "451", "452", "455", "530", "550", "552", "553", "554", "555",
        ],
        "NOOP" | "RSET" => &["250"],
        "QUIT" => &["221"],
        "RCPT" => &[
            "250", "251", "450", "451", "452", "455", "530", "550", "551", "552", "553", "554",
            "555", "556",
        ],
        "STARTTLS" => &["220", "454", "502", "550", "554"],
        "VRFY" => &[
            "250", "251", "252", "502", "504", "530", "550", "551", "553",
        ],
        _ => return true,
    };
    ANY.contains(&code) || own.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result for the lines of the server after a command.
    fn after(command: &str, lines: &[&str]) -> Result<(), String> {
        let mut rules = Rules::default();
        rules.sent(format!("{command}\r\n").as_bytes());
        lines.iter().try_for_each(|line| rules.heard(line))
    }

    #[test]
    fn replies_as_they_must_be() {
        for (command, lines) in [
            ("", &["220 mx.example.org ESMTP"][..]),
            ("EHLO c", &["250-mx.example.org", "250-SIZE 7", "250 HELP"]),
            ("HELO c", &["250 mx.example.org"]),
            ("MAIL FROM:<>", &["250 2.1.0 Ok"]),
            ("MAIL FROM:<>", &["550-5.7.1 one", "550 5.7.1 two"]),
            ("DATA", &["354 go ahead"]),
            ("QUIT", &["221 2.0.0 Bye"]),
            ("OINK", &["500 5.5.1 What?"]),
        ] {
            assert_eq!(after(command, lines), Ok(()), "{command} {lines:?}");
        }
    }

    #[test]
    fn replies_as_they_must_not_be() {
        let long = format!("250 2.0.0 {}", "x".repeat(501));
        for (command, lines) in [
            ("NOOP", &["250 Ok"][..]),
            ("NOOP", &["250 5.0.0 Ok"]),
            ("NOOP", &["250 2.0 Ok"]),
            ("NOOP", &["2.0.0 Ok"]),
            ("NOOP", &["250"]),
            ("NOOP", &[&long]),
            ("NOOP", &["550 5.7.1 no"]),
            ("QUIT", &["450 4.7.0 stay"]),
            ("DATA", &["250 2.0.0 Ok"]),
            ("MAIL FROM:<>", &["550-5.7.1 one", "551 5.7.1 two"]),
            ("MAIL FROM:<>", &["550-5.7.1 one", "550 two"]),
        ] {
            assert!(after(command, lines).is_err(), "{command} {lines:?}");
        }
    }

    #[test]
    fn the_lines_of_a_message_are_no_commands() {
        let mut rules = Rules::default();
        rules.sent(b"DATA\r\n");
        assert_eq!(rules.heard("354 go ahead"), Ok(()));
        rules.sent(b"NOOP\r\n");
        assert_eq!(rules.heard("554 5.7.1 no"), Ok(()));
    }
}
