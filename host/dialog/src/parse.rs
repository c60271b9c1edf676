//! The parser for `.smtp` files.

use std::fmt;
use std::path::Path;

use crate::dialog::{Action, Certificate, Dialog, Line};
use crate::pattern::Pattern;
use crate::policy::ScriptedAnswer;
use crate::scope::Scope;

/// A malformed line.
#[derive(Debug)]
pub struct ParseError {
    number: usize,
    reason: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.number, self.reason)
    }
}

impl std::error::Error for ParseError {}

/// Parses all dialogs of a text. Settings before the first title apply to all of them.
pub(super) fn dialogs(file: &Path, text: &str) -> Result<Vec<Dialog>, ParseError> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let blank = Dialog {
        name: stem.into_owned(),
        file: file.into(),
        settings: toml::Table::new(),
        scope: Scope::Everywhere,
        lines: Vec::new(),
    };
    let mut shared = blank.clone();
    let mut dialogs = Vec::new();
    let mut current = blank;
    let mut titled = false;
    for (index, line) in text.lines().enumerate() {
        let failed = |reason| ParseError {
            number: index + 1,
            reason,
        };
        if let Some(title) = line.strip_prefix("== ") {
            match titled {
                true => dialogs.push(current),
                false => shared = current,
            }
            titled = true;
            current = shared.clone();
            title.clone_into(&mut current.name);
            continue;
        }
        read_line(&mut current, index + 1, line).map_err(failed)?;
    }
    dialogs.push(current);
    dialogs.iter_mut().for_each(confine);
    Ok(dialogs)
}

/// Narrows the scope to the servers that have what the dialog needs: plugins exist in the program only,
/// and not every scripted answer can be given by every policy.
fn confine(dialog: &mut Dialog) {
    if dialog.settings.contains_key("plugin") {
        dialog.scope = Scope::Wire;
    }
    let scopes = dialog.script().map(ScriptedAnswer::scope);
    let needed = scopes.filter(|scope| *scope != Scope::Everywhere).last();
    if let (Scope::Everywhere, Some(needed)) = (dialog.scope, needed) {
        dialog.scope = needed;
    }
}

fn read_line(dialog: &mut Dialog, number: usize, line: &str) -> Result<(), String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    if let Some(setting) = line.strip_prefix('@') {
        return set(dialog, setting);
    }
    let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    if append(dialog, mark, rest)? {
        return Ok(());
    }
    let action = action(mark, rest)?;
    // A plugin has its answers before the client connects.
    let is_script = |line: &Line| matches!(line.action, Action::Script(_));
    if mark == "P:" && !dialog.lines.iter().all(is_script) {
        return Err("answers of the policy stand before the conversation".to_owned());
    }
    dialog.lines.push(Line { number, action });
    Ok(())
}

/// Appends to the previous line: consecutive `A:` lines are one list, and consecutive `M:` and `M~`
/// lines are one message. Returns false if there is nothing to append to.
fn append(dialog: &mut Dialog, mark: &str, rest: &str) -> Result<bool, String> {
    let last = dialog.lines.last_mut().map(|line| &mut line.action);
    match (mark, last) {
        ("A:", Some(Action::Asked(questions))) => questions.push(rest.to_owned()),
        ("M:", Some(Action::Stored(octets))) => octets.extend(with_crlf(rest)),
        ("M~", Some(Action::Stored(octets))) => octets.extend(raw(rest)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn action(mark: &str, rest: &str) -> Result<Action, String> {
    Ok(match (mark, rest) {
        ("C:", _) => Action::Send(with_crlf(rest)),
        ("C~", _) => Action::Send(raw(rest)?),
        ("C!", "close") => Action::Hang,
        ("C!", "tls") => Action::Handshake(Certificate::None),
        ("C!", "tls certificate") => Action::Handshake(Certificate::Client),
        ("C!", "wait") => Action::Wait,
        ("S:", _) => Action::Hear(Pattern::new(rest)),
        ("S*", code) => Action::HearReply(
            code.parse()
                .map_err(|_| format!("{code:?} is no reply code"))?,
        ),
        ("S!", "nothing") => Action::HearNothing,
        ("S!", "close") => Action::HearClose,
        ("P:", _) => Action::Script(rest.parse()?),
        ("A:", "nothing") => Action::Asked(Vec::new()),
        ("A:", _) => Action::Asked(vec![rest.to_owned()]),
        ("M:", _) => Action::Stored(with_crlf(rest)),
        ("M~", _) => Action::Stored(raw(rest)?),
        _ => return Err(format!("cannot read \"{mark} {rest}\"")),
    })
}

fn with_crlf(line: &str) -> Vec<u8> {
    [line.as_bytes(), b"\r\n"].concat()
}

/// `@only core`, or a setting with its dotted key as in the configuration file.
fn set(dialog: &mut Dialog, setting: &str) -> Result<(), String> {
    match setting {
        "only core" => dialog.scope = Scope::Core,
        "only wire" => dialog.scope = Scope::Wire,
        _ => {
            let table = setting
                .parse::<toml::Table>()
                .map_err(|error| error.to_string())?;
            merge(&mut dialog.settings, table);
        }
    }
    Ok(())
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Parses quoted strings with escapes and optional repetitions: `"NOOP " "x"*600 "\r\n"`.
fn raw(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let inner = rest
            .strip_prefix('"')
            .ok_or_else(|| format!("expected a quoted string at {rest:?}"))?;
        let (piece, after) = unescape(inner)?;
        let (times, after) = repetition(after)?;
        octets.extend(piece.repeat(times));
        rest = after.trim_start();
    }
    Ok(octets)
}

/// Returns the octets up to the closing quote, and the text after it.
fn unescape(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        rest = &rest[next.len_utf8()..];
        match next {
            '"' => return Ok((octets, rest)),
            '\\' => {
                let (octet, length) = escape(rest)?;
                octets.push(octet);
                rest = &rest[length..];
            }
            other => octets.extend(other.to_string().as_bytes()),
        }
    }
    Err("a string has no end".to_owned())
}

/// Returns the octet of an escape, and the length of the escape without the backslash.
fn escape(text: &str) -> Result<(u8, usize), String> {
    let simple = match text.as_bytes().first() {
        Some(b'r') => b'\r',
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'0') => 0,
        Some(quoted @ (b'"' | b'\\')) => *quoted,
        Some(b'x') => {
            let octet = text
                .get(1..3)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or("\\x needs two hexadecimal digits")?;
            return Ok((octet, 3));
        }
        _ => return Err(format!("unknown escape at {text:?}")),
    };
    Ok((simple, 1))
}

fn repetition(text: &str) -> Result<(usize, &str), String> {
    let Some(rest) = text.strip_prefix('*') else {
        return Ok((1, text));
    };
    let end = rest.find(' ').unwrap_or(rest.len());
    let times = rest[..end]
        .parse()
        .map_err(|_| format!("{:?} is no number of repetitions", &rest[..end]))?;
    Ok((times, &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_several_dialogs_and_shared_settings() {
        let text = "@limits.errors = 3\n== one\nC: NOOP\nS: 250 …\n\n== two\n@limits.recipients = 1\nP: rcpt accept 250 yes\n";
        let dialogs = dialogs(Path::new("x.smtp"), text).unwrap();
        let shown: Vec<_> = dialogs
            .iter()
            .map(|d| (d.name.as_str(), d.settings.to_string(), d.scope))
            .collect();
        assert_eq!(shown[0].0, "one");
        assert_eq!(shown[0].2, Scope::Everywhere);
        assert!(shown[0].1.contains("errors = 3") && !shown[0].1.contains("recipients"));
        assert_eq!(shown[1].0, "two");
        assert_eq!(shown[1].2, Scope::Core);
        assert!(shown[1].1.contains("errors = 3") && shown[1].1.contains("recipients = 1"));
    }

    #[test]
    fn a_file_without_titles_is_one_dialog() {
        let dialogs = dialogs(Path::new("dir/hello.smtp"), "S: 220 …\nC: QUIT\n").unwrap();
        assert_eq!(dialogs.len(), 1);
        assert_eq!(dialogs[0].name, "hello");
        assert_eq!(dialogs[0].client_octets(), b"QUIT\r\n");
    }

    #[test]
    fn raw_octets_are_quoted_escaped_and_repeated() {
        let table: [(&str, Result<&[u8], ()>); 7] = [
            (r#""a\r\n\0\xff\"""#, Ok(b"a\r\n\0\xff\"")),
            (r#""x"*3 "\n""#, Ok(b"xxx\n")),
            (r#""é""#, Ok("é".as_bytes())),
            (r#""a"#, Err(())),
            (r#"a"#, Err(())),
            (r#""\q""#, Err(())),
            (r#""x"*y"#, Err(())),
        ];
        for (text, expected) in table {
            let octets = raw(text);
            assert_eq!(octets.as_deref().map_err(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, expected) in [
            ("== one\nC: NOOP\nZ: what\n", "3: cannot read \"Z: what\""),
            (
                "== one\nC: NOOP\nP: helo proceed\n",
                "3: answers of the policy stand before the conversation",
            ),
        ] {
            let error = dialogs(Path::new("x.smtp"), text).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
