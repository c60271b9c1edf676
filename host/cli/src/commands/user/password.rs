//! Reads the password of a user from the terminal, or from the first line of standard input.

use std::io::{self, BufRead as _};

use clap::Args;
use postgate_users::Password;
use zeroize::Zeroizing;

use super::error::{UserError, UserIoError};
use crate::commands::failure::Failure;

#[derive(Args, Debug)]
pub(in crate::commands) struct PasswordSource {
    /// Read the password from the first line of standard input instead of the terminal.
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    pub(super) fn read(&self) -> Result<Password, Failure> {
        let password = match self.password_stdin {
            true => first_line()?,
            false => prompt()?,
        };
        match password.contains('\0') {
            true => Err(UserError::Password("a password has no NUL").into()),
            false => Ok(Password::new(&password).map_err(UserError::EmptyPassword)?),
        }
    }
}

fn first_line() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(UserIoError::ReadPassword)?;
    let password = line.trim_end_matches(['\r', '\n']);
    Ok(Zeroizing::new(password.to_owned()))
}

/// Asks for the password twice.
fn prompt() -> Result<Zeroizing<String>, Failure> {
    let ask = |prompt| {
        let answer = rpassword::prompt_password(prompt);
        answer
            .map(Zeroizing::new)
            .map_err(UserIoError::PromptPassword)
    };
    let password = ask("Password: ")?;
    match *ask("Repeat the password: ")? == *password {
        true => Ok(password),
        false => Err(UserError::Password("the two passwords differ; nothing was changed").into()),
    }
}
