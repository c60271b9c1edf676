//! The users file as a whole, with edits.

use std::fmt;

use crate::user::{LineError, NameError, User, check_name};

/// A users file. Comments, blank lines and malformed lines are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    lines: Vec<String>,
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
    /// Parses the text of a file. Never fails: malformed lines are kept.
    pub fn parse(text: &str) -> Self {
        Self {
            lines: text.lines().map(ToOwned::to_owned).collect(),
        }
    }

    /// All lines that are neither blank nor a comment.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        let lines = self.lines.iter().zip(1..);
        lines.filter_map(|(line, number)| {
            let is_empty = line.trim().is_empty() || line.starts_with('#');
            let user = || User::parse(line.trim_end());
            (!is_empty).then(|| Line {
                number,
                user: user(),
            })
        })
    }

    /// The number of the first line with this name, which may be malformed. Returns `None` if there is
    /// none.
    pub fn find(&self, name: &str) -> Option<usize> {
        let is_about = |line: &String| line.split_once(':').is_some_and(|(found, _)| found == name);
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
        self.lines.push(user.to_string());
        Ok(())
    }

    /// Replaces the line with this number. Has no effect if there is no such line.
    pub fn replace(&mut self, number: usize, user: &User) {
        if let Some(line) = number.checked_sub(1).and_then(|at| self.lines.get_mut(at)) {
            *line = user.to_string();
        }
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

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Cost, Secret};

    fn user(name: &str) -> User {
        User {
            name: name.into(),
            secrets: vec![Secret::scram("x", [1; 16], Cost::DEFAULT)],
            senders: vec![],
            act_as: vec![],
        }
    }

    #[test]
    fn what_is_no_user_is_kept() {
        let text = "# people\n\nbob\ncarol:x:y\n";
        let mut file = File::parse(text);
        assert_eq!(file.add(&user("alice")), Ok(()));
        assert_eq!(file.add(&user("alice")), Err(AddError::Taken(5)));
        assert_eq!(file.add(&user("carol")), Err(AddError::Taken(4)));
        assert!(file.to_string().starts_with(text));
        let numbers: Vec<_> = file
            .lines()
            .map(|line| (line.number, line.user.is_ok()))
            .collect();
        assert_eq!(numbers, [(3, false), (4, false), (5, true)]);
        file.replace(4, &user("carol"));
        assert!(file.remove("alice"));
        assert!(!file.remove("alice"));
        assert_eq!(file.lines().filter(|line| line.user.is_ok()).count(), 1);
        assert!(
            file.to_string()
                .starts_with("# people\n\nbob\ncarol:{SCRAM")
        );
    }
}
