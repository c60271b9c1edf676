//! The password of a user: asked for twice, or the first line of standard input.

use std::io::{self, BufRead as _};

use clap::Args;
use zeroize::Zeroizing;

use super::{Failure, Mistake, mistake};

#[derive(Args, Debug)]
pub(in crate::commands) struct Password {
    /// Take the password from the first line of standard input, and ask for nothing.
    #[arg(long)]
    password_stdin: bool,
}

impl Password {
    pub(super) fn read(&self) -> Result<Zeroizing<String>, Failure> {
        let password = match self.password_stdin {
            true => first_line()?,
            false => asked()?,
        };
        match password.contains('\0') || password.is_empty() {
            true => Err(mistake(Mistake::Password(
                "a password has at least one character, and no NUL",
            ))),
            false => Ok(password),
        }
    }
}

fn first_line() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::run_time(format!("cannot read the password: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    Ok(Zeroizing::new(password.to_owned()))
}

fn asked() -> Result<Zeroizing<String>, Failure> {
    let ask = |prompt| {
        let answer = rpassword::prompt_password(prompt);
        answer.map(Zeroizing::new).map_err(|error| {
            let text = format!(
                "cannot ask for the password: {error}; without a terminal, use --password-stdin"
            );
            Failure::run_time(text)
        })
    };
    let password = ask("Password: ")?;
    match *ask("The same again: ")? == *password {
        true => Ok(password),
        false => Err(mistake(Mistake::Password(
            "the two passwords differ; nothing was changed",
        ))),
    }
}
