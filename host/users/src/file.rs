//! The users file as a whole, with edits.

use crate::user::{LineError, NameError, User, check_name};

/// A users file. Comments, blank lines and malformed lines are kept, in any encoding. A byte order mark
/// is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    lines: Vec<Vec<u8>>,
}

/// Why a file has no lines that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// The file has another encoding than UTF-8 or one that is like ASCII.
    #[error("the file is UTF-16 or UTF-32; save it as UTF-8")]
    Wide,
    /// The file has CRs and no LF.
    #[error("the lines end with CR alone; save the file with LF or CRLF")]
    LineEndings,
}

/// A line that is neither blank nor a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line number, counted from 1.
    pub number: usize,
    /// The user, or why the line is malformed.
    pub user: Result<User, LineError>,
}

/// Why a user cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The file has a line with this name.
    #[error("line {0} is about this user already")]
    Taken(
        /// The line number.
        usize,
    ),
}

impl File {
    /// Parses the content of a file. Malformed lines are kept.
    ///
    /// # Errors
    ///
    /// Fails if the file has another encoding than UTF-8 or one like ASCII, or CRs alone end its lines.
    pub fn parse(content: &[u8]) -> Result<Self, EncodingError> {
        let content = without_mark(content)?;
        if !content.contains(&b'\n') && content.trim_ascii_end().contains(&b'\r') {
            return Err(EncodingError::LineEndings);
        }
        let mut lines: Vec<_> = content
            .split(|octet| *octet == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .collect();
        // What follows the last line ending is a line only if there is something.
        lines.pop_if(|last| last.is_empty());
        Ok(Self { lines })
    }

    /// All lines that are neither blank nor a comment.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        let lines = self.lines.iter().zip(1..);
        lines.filter_map(|(line, number)| {
            let user = parse_line(line)?;
            Some(Line { number, user })
        })
    }

    /// The number of the first line with this name, which may be malformed. Returns `None` if there is
    /// none.
    pub fn find(&self, name: &str) -> Option<usize> {
        let is_about = |line: &Vec<u8>| {
            let end = line.iter().position(|octet| *octet == b':');
            end.is_some_and(|end| line[..end] == *name.as_bytes())
        };
        Some(self.lines.iter().position(is_about)? + 1)
    }

    /// Appends a user.
    ///
    /// # Errors
    ///
    /// Fails if the name is invalid or taken.
    pub fn add(&mut self, user: &User) -> Result<(), AddError> {
        check_name(&user.name)?;
        if let Some(number) = self.find(&user.name) {
            return Err(AddError::Taken(number));
        }
        self.lines.push(user.to_string().into_bytes());
        Ok(())
    }

    /// Replaces the line with this number. Has no effect if there is no such line.
    pub fn replace(&mut self, number: usize, user: &User) {
        if let Some(line) = number.checked_sub(1).and_then(|at| self.lines.get_mut(at)) {
            *line = user.to_string().into_bytes();
        }
    }

    /// The content of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines = self.lines.iter();
        lines
            .flat_map(|line| line.iter().copied().chain([b'\n']))
            .collect()
    }

    /// Removes all lines with this name. Returns true if there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let mut is_found = false;
        while let Some(number) = self.find(name) {
            self.lines.remove(number - 1);
            is_found = true;
        }
        is_found
    }
}

/// Parses a line without its LF. Returns `None` for a blank line or a comment.
///
/// # Errors
///
/// The inner result is an error if the line is malformed.
pub fn parse_line(line: &[u8]) -> Option<Result<User, LineError>> {
    if line.trim_ascii().is_empty() || line.starts_with(b"#") {
        return None;
    }
    if line.strip_suffix(b"\r").unwrap_or(line).len() > MAX_LINE {
        return Some(Err(LineError::Length));
    }
    let text = str::from_utf8(line).map_err(|_| LineError::Encoding);
    Some(text.and_then(|text| User::parse(text.trim_end())))
}

/// The content of a file after its byte order mark.
///
/// # Errors
///
/// Fails for the mark of another encoding than UTF-8, and for text that begins as UTF-16 or UTF-32
/// without a mark does.
pub fn without_mark(content: &[u8]) -> Result<&[u8], EncodingError> {
    match content {
        [0xef, 0xbb, 0xbf, content @ ..] => Ok(content),
        // The mark of UTF-32 begins with that of UTF-16, or with zeros. Without a mark, one octet of the
        // first character, which is in ASCII, is zero.
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, _, ..] | [_, 0, ..] => Err(EncodingError::Wide),
        content => Ok(content),
    }
}

/// The longest line of a user in octets, without its line ending.
pub const MAX_LINE: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Password;
    use crate::secret::{Cost, Secret};

    fn user(name: &str) -> User {
        let password = Password::new("x").unwrap();
        User {
            name: name.into(),
            secrets: vec![Secret::scram(&password, [1; 16], Cost::DEFAULT)],
            senders: vec![],
            act_as: vec![],
        }
    }

    #[test]
    fn what_is_no_user_is_kept() {
        let text = "# people\n\nbob\ncarol:x:y\n";
        let mut file = File::parse(text.as_bytes()).unwrap();
        assert_eq!(file.add(&user("alice")), Ok(()));
        assert_eq!(file.add(&user("alice")), Err(AddError::Taken(5)));
        assert_eq!(file.add(&user("carol")), Err(AddError::Taken(4)));
        assert!(file.to_bytes().starts_with(text.as_bytes()));
        let numbers: Vec<_> = file
            .lines()
            .map(|line| (line.number, line.user.is_ok()))
            .collect();
        assert_eq!(numbers, [(3, false), (4, false), (5, true)]);
        file.replace(4, &user("carol"));
        assert!(file.remove("alice"));
        assert!(!file.remove("alice"));
        assert_eq!(file.lines().filter(|line| line.user.is_ok()).count(), 1);
        let kept = b"# people\n\nbob\ncarol:{SCRAM";
        assert!(file.to_bytes().starts_with(kept));
    }

    #[test]
    fn files_come_from_many_editors() {
        let alice = user("alice").to_string();
        for (content, kept) in [
            (
                format!("{alice}\n").into_bytes(),
                format!("{alice}\n").into_bytes(),
            ),
            (
                alice.clone().into_bytes(),
                format!("{alice}\n").into_bytes(),
            ),
            (
                [b"\xef\xbb\xbf", alice.as_bytes(), b"\r\n"].concat(),
                format!("{alice}\n").into_bytes(),
            ),
            (
                [b"# caf\xe9\r\n", alice.as_bytes(), b"\r\n\r\n"].concat(),
                [b"# caf\xe9\n", alice.as_bytes(), b"\n\n"].concat(),
            ),
        ] {
            let file = File::parse(&content).unwrap();
            let mut users = file.lines().map(|line| line.user.unwrap().name);
            assert_eq!(users.next().as_deref(), Some("alice"));
            assert_eq!(users.next(), None);
            assert!(file.find("alice").is_some());
            assert_eq!(file.to_bytes(), kept);
        }
        let latin1 = File::parse(b"caf\xe9:x\n").unwrap();
        let users: Vec<_> = latin1.lines().map(|line| line.user).collect();
        assert_eq!(users, [Err(LineError::Encoding)]);
        for content in [
            &b"\xff\xfea\0"[..],
            b"\xfe\xff\0a",
            b"\0\0\xfe\xff",
            b"a\0l\0",
            b"\0a\0l",
            b"\0\0\0a",
        ] {
            assert_eq!(File::parse(content), Err(EncodingError::Wide));
        }
        for content in [&b"# people\ralice:x\r"[..], b"alice:x\rbob:x"] {
            assert_eq!(File::parse(content), Err(EncodingError::LineEndings));
        }
        let one = File::parse(format!("{alice}\r").as_bytes()).unwrap();
        assert!(one.lines().all(|line| line.user.is_ok()));
        let long = File::parse(format!("{alice}:{}\n", "x".repeat(MAX_LINE)).as_bytes()).unwrap();
        let users: Vec<_> = long.lines().map(|line| line.user).collect();
        assert_eq!(users, [Err(LineError::Length)]);
        assert_eq!(File::parse(b""), Ok(File::default()));
    }
}
