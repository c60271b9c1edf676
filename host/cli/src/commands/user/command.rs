//! The subcommands of `postgate user`.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use postgate_users::{AddError, CannotVerify, Cost, File, Password, Secret, User};

use super::error::UserError;
use super::file;
use super::password::PasswordSource;
use crate::commands::failure::Failure;
use crate::commands::output::print;

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum UserCommand {
    /// Add a user. Asks for the password.
    Add {
        #[command(flatten)]
        user: UserArguments,
        /// An address that the user may send from, besides its name; `*` stands for any text. May be
        /// given several times.
        #[arg(long, value_name = "ADDRESS")]
        sender: Vec<String>,
        /// Another user or role that the user may act as; `*` stands for any text. May be given
        /// several times.
        #[arg(long, value_name = "NAME")]
        act_as: Vec<String>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List the users, and the lines that the plugin cannot read.
    List {
        /// The file of users.
        #[arg(long)]
        file: PathBuf,
    },
    /// Change the password of a user.
    Passwd {
        #[command(flatten)]
        user: UserArguments,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Remove a user.
    Remove(UserArguments),
}

#[derive(Args, Debug)]
pub(in crate::commands) struct UserArguments {
    /// The user: an address, or a name without blanks and colons, in lower case.
    name: String,
    /// The file of users. A running gateway sees a change at the next attempt.
    #[arg(long)]
    file: PathBuf,
}

impl UserCommand {
    pub(in crate::commands) fn run(self) -> Result<(), Failure> {
        file::warn_if_readable(self.file());
        match self {
            Self::Add {
                user,
                sender,
                act_as,
                password,
            } => add(&user, sender, act_as, &password),
            Self::List { file } => list(&file),
            Self::Passwd { user, password } => passwd(&user, &password),
            Self::Remove(user) => remove(&user),
        }
    }

    fn file(&self) -> &Path {
        match self {
            Self::List { file } => file,
            Self::Add { user, .. } | Self::Passwd { user, .. } | Self::Remove(user) => &user.file,
        }
    }
}

fn add(
    user: &UserArguments,
    senders: Vec<String>,
    act_as: Vec<String>,
    password: &PasswordSource,
) -> Result<(), Failure> {
    let name = || user.name.clone();
    postgate_users::check_name(&user.name).map_err(|error| UserError::Name {
        name: name(),
        error,
    })?;
    check_option("--sender", &senders)?;
    check_option("--act-as", &act_as)?;
    // Checked before the program asks for the password.
    if let Some(line) = file::read_or_new(&user.file)?.find(&user.name) {
        return Err(exists(user, line));
    }
    let new = User {
        name: name(),
        secrets: secrets(&password.read()?)?,
        senders,
        act_as,
    };
    file::change(&user.file, file::read_or_new, |users| {
        users.add(&new).map_err(|error| match error {
            AddError::Name(error) => UserError::Name {
                name: name(),
                error,
            }
            .into(),
            AddError::Taken(line) => exists(user, line),
        })
    })
}

fn exists(user: &UserArguments, line: usize) -> Failure {
    let error = UserError::Exists {
        file: user.file.clone(),
        line,
        name: user.name.clone(),
    };
    error.into()
}

fn check_option(option: &'static str, values: &[String]) -> Result<(), Failure> {
    let bad = |value: &&String| value.is_empty() || value.contains(char::is_whitespace);
    match values.iter().find(bad) {
        None => Ok(()),
        Some(value) => {
            let value = value.clone();
            Err(UserError::Option { option, value }.into())
        }
    }
}

fn passwd(user: &UserArguments, password: &PasswordSource) -> Result<(), Failure> {
    // Checked before the program asks for the password.
    find(&file::read(&user.file)?, user)?;
    let secrets = secrets(&password.read()?)?;
    file::change(&user.file, file::read, |users| {
        let (line, mut changed) = find(users, user)?;
        changed.secrets = secrets;
        users.replace(line, &changed);
        Ok(())
    })
}

fn find(users: &File, user: &UserArguments) -> Result<(usize, User), Failure> {
    let number = users.find(&user.name).ok_or_else(|| unknown(user))?;
    let line = users.lines().find(|line| line.number == number);
    let found = line.ok_or_else(|| unknown(user))?.user;
    let found = found.map_err(|error| UserError::Line {
        file: user.file.clone(),
        line: number,
        error,
    })?;
    Ok((number, found))
}

/// Returns the error for a name that is not in the file. An invalid name has another remedy than an
/// unknown one.
fn unknown(user: &UserArguments) -> Failure {
    let name = user.name.clone();
    let error = match postgate_users::check_name(&name) {
        Err(error) => UserError::Name { name, error },
        Ok(()) => UserError::Unknown {
            file: user.file.clone(),
            name,
        },
    };
    error.into()
}

fn remove(user: &UserArguments) -> Result<(), Failure> {
    file::change(&user.file, file::read, |users| {
        match users.remove(&user.name) {
            true => Ok(()),
            false => Err(unknown(user)),
        }
    })
}

fn list(file: &Path) -> Result<(), Failure> {
    let users = file::read(file)?;
    let mut names = String::new();
    let mut errors = Vec::new();
    for line in users.lines() {
        match line.user {
            // Writing to a String does not fail.
            Ok(user) => _ = writeln!(names, "{}", WithoutSecrets(&user)),
            Err(error) => errors.push(UserError::Line {
                file: file.to_owned(),
                line: line.number,
                error,
            }),
        }
    }
    print(names)?;
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Failure::input(errors)),
    }
}

/// Formats a user without its secrets.
struct WithoutSecrets<'a>(&'a User);

impl fmt::Display for WithoutSecrets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(user) = self;
        f.write_str(&user.name)?;
        for sender in &user.senders {
            write!(f, " sender={sender}")?;
        }
        user.act_as
            .iter()
            .try_for_each(|role| write!(f, " act-as={role}"))
    }
}

/// Derives a hash for PLAIN and LOGIN, and keys for SCRAM.
fn secrets(password: &Password) -> Result<Vec<Secret>, Failure> {
    let hash = Secret::argon2id(password, salt()?, Cost::DEFAULT)
        .map_err(|error: CannotVerify| Failure::runtime(error))?;
    Ok(vec![hash, Secret::scram(password, salt()?, Cost::DEFAULT)])
}

fn salt() -> Result<[u8; 16], Failure> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(Failure::runtime)?;
    Ok(salt)
}
