//! `postgate user`: keeps a file of users for the plugin `auth-file`.

mod file;
mod password;

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use postgate_users::{AddError, CannotVerify, Cost, File, LineError, NameError, Secret, User};

use self::password::Password;
use super::{Failure, say};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user, with a password that is asked for.
    Add {
        #[command(flatten)]
        who: Who,
        /// An address that the user may send with, beside its name; `*` stands for any text. May be
        /// given several times.
        #[arg(long, value_name = "ADDRESS")]
        sender: Vec<String>,
        /// Another user or role that the user may act as; `*` stands for any text. May be given
        /// several times.
        #[arg(long, value_name = "NAME")]
        act_as: Vec<String>,
        #[command(flatten)]
        password: Password,
    },
    /// List the users, and what the plugin cannot read.
    List {
        /// The file of users.
        #[arg(long)]
        file: PathBuf,
    },
    /// Give a user another password.
    Passwd {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        password: Password,
    },
    /// Remove a user.
    Remove(Who),
}

#[derive(Args, Debug)]
pub(super) struct Who {
    /// The user: an address, or a name without blanks and colons, in lower case.
    name: String,
    /// The file of users. A running gateway sees a change at the next attempt.
    #[arg(long)]
    file: PathBuf,
}

impl UserCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        file::warn_of_readers(self.file());
        match self {
            Self::Add {
                who,
                sender,
                act_as,
                password,
            } => add(&who, sender, act_as, &password),
            Self::List { file } => list(&file),
            Self::Passwd { who, password } => passwd(&who, &password),
            Self::Remove(who) => remove(&who),
        }
    }

    fn file(&self) -> &Path {
        match self {
            Self::List { file } => file,
            Self::Add { who, .. } | Self::Passwd { who, .. } | Self::Remove(who) => &who.file,
        }
    }
}

/// What is wrong with what the operator wants or has written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Mistake {
    #[error("{name:?}: {error}")]
    Name { name: String, error: NameError },
    #[error("{option} {value:?}: it is empty or holds a blank")]
    Option { option: &'static str, value: String },
    #[error("{file}:{line}: {name} is there already; for another password: postgate user passwd --file {file} {name}", file = file.display())]
    Taken {
        file: PathBuf,
        line: usize,
        name: String,
    },
    #[error("{file}: there is no user {name}; to add one: postgate user add --file {file} {name}", file = file.display())]
    Unknown { file: PathBuf, name: String },
    #[error("{file}:{line}: {error}; mend or remove the line", file = file.display())]
    Line {
        file: PathBuf,
        line: usize,
        error: LineError,
    },
    #[error("{0}")]
    Password(&'static str),
}

fn mistake(mistake: Mistake) -> Failure {
    Failure::mistakes(vec![mistake])
}

fn add(
    who: &Who,
    senders: Vec<String>,
    act_as: Vec<String>,
    password: &Password,
) -> Result<(), Failure> {
    let name = || who.name.clone();
    postgate_users::check_name(&who.name).map_err(|error| {
        mistake(Mistake::Name {
            name: name(),
            error,
        })
    })?;
    check_option("--sender", &senders)?;
    check_option("--act-as", &act_as)?;
    // Before the password is asked for.
    if let Some(line) = file::read_or_new(&who.file)?.find(&who.name) {
        return Err(taken(who, line));
    }
    let user = User {
        name: name(),
        secrets: secrets(&password.read()?)?,
        senders,
        act_as,
    };
    file::change(&who.file, file::read_or_new, |users| {
        users.add(&user).map_err(|error| match error {
            AddError::Name(error) => mistake(Mistake::Name {
                name: name(),
                error,
            }),
            AddError::Taken(line) => taken(who, line),
        })
    })
}

fn taken(who: &Who, line: usize) -> Failure {
    mistake(Mistake::Taken {
        file: who.file.clone(),
        line,
        name: who.name.clone(),
    })
}

fn check_option(option: &'static str, values: &[String]) -> Result<(), Failure> {
    let bad = |value: &&String| value.is_empty() || value.contains(char::is_whitespace);
    match values.iter().find(bad) {
        None => Ok(()),
        Some(value) => {
            let value = value.clone();
            Err(mistake(Mistake::Option { option, value }))
        }
    }
}

fn passwd(who: &Who, password: &Password) -> Result<(), Failure> {
    // Before the password is asked for.
    find(&file::read(&who.file)?, who)?;
    let secrets = secrets(&password.read()?)?;
    file::change(&who.file, file::read, |users| {
        let (line, mut user) = find(users, who)?;
        user.secrets = secrets;
        users.replace(line, &user);
        Ok(())
    })
}

fn find(users: &File, who: &Who) -> Result<(usize, User), Failure> {
    let number = users.find(&who.name).ok_or_else(|| unknown(who))?;
    let line = users.lines().find(|line| line.number == number);
    let user = line.ok_or_else(|| unknown(who))?.user;
    let user = user.map_err(|error| {
        mistake(Mistake::Line {
            file: who.file.clone(),
            line: number,
            error,
        })
    })?;
    Ok((number, user))
}

/// A name that there cannot be needs another remedy than one that is not there.
fn unknown(who: &Who) -> Failure {
    let name = who.name.clone();
    mistake(match postgate_users::check_name(&name) {
        Err(error) => Mistake::Name { name, error },
        Ok(()) => Mistake::Unknown {
            file: who.file.clone(),
            name,
        },
    })
}

fn remove(who: &Who) -> Result<(), Failure> {
    file::change(&who.file, file::read, |users| {
        match users.remove(&who.name) {
            true => Ok(()),
            false => Err(unknown(who)),
        }
    })
}

fn list(file: &Path) -> Result<(), Failure> {
    let users = file::read(file)?;
    let mut names = String::new();
    let mut mistakes = Vec::new();
    for line in users.lines() {
        match line.user {
            // Writing to a String does not fail.
            Ok(user) => _ = writeln!(names, "{}", Shown(&user)),
            Err(error) => mistakes.push(Mistake::Line {
                file: file.to_owned(),
                line: line.number,
                error,
            }),
        }
    }
    say(names)?;
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(Failure::mistakes(mistakes)),
    }
}

/// A user without its secrets.
struct Shown<'a>(&'a User);

impl fmt::Display for Shown<'_> {
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

/// A hash for PLAIN and LOGIN, and keys for SCRAM.
fn secrets(password: &str) -> Result<Vec<Secret>, Failure> {
    let hash = Secret::argon2id(password, salt()?, Cost::DEFAULT)
        .map_err(|error: CannotVerify| Failure::run_time(error))?;
    Ok(vec![hash, Secret::scram(password, salt()?, Cost::DEFAULT)])
}

fn salt() -> Result<[u8; 16], Failure> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Failure::run_time(error.to_string()))?;
    Ok(salt)
}
