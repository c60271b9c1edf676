//! Lets users from a file authenticate, and send only from their own addresses.

mod config;
mod directory;

use postgate_plugin::prelude::*;
use postgate_plugin::{AddressPattern, files};
#[cfg(test)]
use postgate_users::Secret;
#[cfg(not(test))]
use postgate_users::verify;
use postgate_users::{ScramKeys as UserKeys, User};

use config::Config;
use directory::{Directory, Unavailable};
#[cfg(test)]
use tests::verify;

/// The users; each call reads the current file.
pub struct AuthFile {
    config: Config,
    directory: Directory,
}

impl Plugin for AuthFile {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        config.check()?;
        let directory = Directory::new(&config.file, config.budget());
        Ok(Self { config, directory })
    }
}

impl OnSelfTest for AuthFile {
    /// If the file cannot be read, the plugin is not used. Malformed lines only affect single
    /// users, and the log has their numbers.
    fn on_self_test(&mut self) -> Result<(), String> {
        let users = self.directory.check().map_err(|error| match error {
            // The gateway adds the path and the reason.
            Unavailable::File(name, files::Error::Unreadable) => format!(
                "file {name:?} cannot be read; if it is not there yet, make it with \
                 `postgate user add --file FILE NAME`"
            ),
            error => error.to_string(),
        })?;
        log::info(format!("users in the file: {users}"));
        Ok(())
    }
}

impl OnAuthKeys for AuthFile {
    fn on_auth_keys(&mut self, identity: &str) -> Option<ScramKeys> {
        // If the file cannot be read, the attempt fails at its end, in on_auth. The decoy is looked for
        // even if the user has keys, so that the time is the same.
        let decoy = self.directory.decoy_keys(identity).ok()?;
        let user = self.directory.find(identity).ok()?;
        match user.as_ref().and_then(User::scram_keys) {
            Some(keys) => Some(ScramKeys {
                salt: keys.salt.clone(),
                iterations: keys.iterations,
                stored_key: keys.stored_key.to_vec(),
                server_key: keys.server_key.to_vec(),
            }),
            None => decoy.map(|keys| ScramKeys::of_nobody(keys.iterations, keys.salt.len())),
        }
    }
}

impl OnAuth for AuthFile {
    fn on_auth(&mut self, credentials: &Credentials) -> AuthAnswer {
        match self.authenticate(credentials) {
            Ok(Some(identity)) => AuthAnswer::accept(identity),
            // Another plugin may know the user. If none does, the client gets 535.
            Ok(None) => AuthAnswer::next(),
            Err(unavailable) => {
                log::warn(unavailable.to_string());
                let text = "temporary authentication failure";
                let refusal = Refusal::new(454, "4.7.0", text);
                AuthAnswer::refuse(refusal.because(unavailable.to_string()))
            }
        }
    }
}

impl OnMail for AuthFile {
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        let (Some(identity), Some(address)) = (session::authenticated_as(), sender.address())
        else {
            // Unauthenticated clients are left to other plugins, and a notification has no sender.
            return MailAnswer::next();
        };
        if !self.config.sender_must_match {
            return MailAnswer::next();
        }
        match self.owns(&identity, address) {
            Ok(true) => MailAnswer::next(),
            Ok(false) => {
                let refusal = Refusal::new(553, "5.7.1", "this sender address is not yours");
                MailAnswer::refuse(refusal.because(format!("{identity} may not send as it")))
            }
            Err(unavailable) => {
                log::warn(unavailable.to_string());
                let refusal = Refusal::new(451, "4.3.0", "try again later");
                MailAnswer::refuse(refusal.because(unavailable.to_string()))
            }
        }
    }
}

postgate_plugin::export!(AuthFile: OnSelfTest, OnAuthKeys, OnAuth, OnMail);

impl AuthFile {
    /// The identity that the client acts as; `None` if the credentials are not right.
    fn authenticate(&self, credentials: &Credentials) -> Result<Option<String>, Unavailable> {
        let user = match &credentials.proof {
            Proof::Password(password) => self.by_password(&credentials.identity, password)?,
            Proof::Certificate => self.by_certificate(&credentials.act_as)?,
            Proof::Verified => {
                let user = self.directory.find(&credentials.identity)?;
                // The response says only that the client knows the password, which may be empty.
                let has_password = |keys: &UserKeys| !keys.are_of_empty_password();
                user.filter(|user| user.scram_keys().is_some_and(has_password))
            }
            Proof::Response(_) | Proof::Token(_) => None,
        };
        Ok(user.and_then(|user| directory::role(&user, &credentials.act_as)))
    }

    /// Unknown users and wrong passwords take the same time.
    fn by_password(&self, identity: &str, password: &str) -> Result<Option<User>, Unavailable> {
        let user = self.directory.find(identity)?;
        let decoy = self.directory.decoy(identity)?;
        let is_right = verify(user.as_ref(), &decoy, password)
            .map_err(|reason| Unavailable::Memory(reason.to_string()))?;
        Ok(user.filter(|_| is_right))
    }

    /// The user named in the client's certificate, who may act as the requested identity.
    fn by_certificate(&self, act_as: &str) -> Result<Option<User>, Unavailable> {
        let certificate = session::tls().and_then(|facts| facts.client_certificate);
        let Some(certificate) = certificate.filter(|certificate| certificate.verified) else {
            return Ok(None);
        };
        let mut first = None;
        for name in &certificate.names {
            let Some(user) = self.directory.find(name)? else {
                continue;
            };
            if directory::role(&user, act_as).is_some() {
                return Ok(Some(user));
            }
            first = first.or(Some(user));
        }
        Ok(first)
    }

    /// True if an address belongs to the identity that the client acts as, however it is written.
    fn owns(&self, identity: &str, address: &Address) -> Result<bool, Unavailable> {
        let own = match (&self.config.domain, identity.contains('@')) {
            (Some(domain), false) => format!("{identity}@{domain}"),
            _ => identity.to_owned(),
        };
        if Address::new(own).equals_ignore_case(address) {
            return Ok(true);
        }
        let user = self.directory.find(identity)?;
        let is_listed = |pattern: &String| {
            AddressPattern::new(pattern).is_ok_and(|pattern| pattern.matches(address.as_str()))
        };
        Ok(user.is_some_and(|user| user.senders.iter().any(is_listed)))
    }
}

#[cfg(test)]
mod tests;
