//! Refuses clients, HELO names, senders and recipients according to lists.

mod config;
mod network;
mod refused;

use postgate_plugin::prelude::*;

use config::Config;
use refused::Refused;

/// The rules, and how often each has refused in this session.
pub struct Access {
    config: Config,
    refused: Refused,
}

impl Plugin for Access {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self {
            config,
            refused: Refused::default(),
        })
    }
}

impl OnSelfTest for Access {
    /// A denied network must not lie inside an allowed one: the rule would have no effect, and the
    /// operator would not notice.
    fn on_self_test(&mut self) -> Result<(), String> {
        let client = &self.config.client;
        for denied in &client.deny {
            if let Some(allowed) = client.allow.iter().find(|allowed| allowed.covers(denied)) {
                return Err(format!(
                    "client.deny: {denied} is inside {allowed} of client.allow"
                ));
            }
        }
        Ok(())
    }
}

impl OnConnect for Access {
    fn on_connect(&mut self) -> ConnectAnswer {
        let Some(address) = session::remote_ip() else {
            return ConnectAnswer::next();
        };
        let denied = self
            .config
            .client
            .deny
            .iter()
            .find(|network| network.contains(address));
        match denied {
            Some(network) if !self.is_trusted() => {
                self.refused.clients += 1;
                let refusal = Refusal::new(554, "5.7.1", "mail from your address is not welcome");
                ConnectAnswer::refuse(refusal.because(format!("client.deny: {network}")))
            }
            _ => ConnectAnswer::next(),
        }
    }
}

impl OnHelo for Access {
    fn on_helo(&mut self, name: &str) -> HeloAnswer {
        match self.config.helo.check(name, &session::hostname()) {
            Some(refusal) if !self.is_trusted() => {
                self.refused.names += 1;
                HeloAnswer::refuse(refusal)
            }
            _ => HeloAnswer::next(),
        }
    }
}

impl OnAuth for Access {
    /// Only restricts who may authenticate. Other plugins accept credentials.
    fn on_auth(&mut self, _credentials: &Credentials) -> AuthAnswer {
        let (Some(networks), Some(address)) = (&self.config.auth.networks, session::remote_ip())
        else {
            return AuthAnswer::next();
        };
        if networks.iter().any(|network| network.contains(address)) {
            return AuthAnswer::next();
        }
        self.refused.logins += 1;
        let refusal = Refusal::new(
            535,
            "5.7.8",
            "authentication is not offered to your address",
        );
        AuthAnswer::refuse(refusal.because("auth.networks"))
    }
}

impl OnMail for Access {
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        match self.config.sender.check(sender) {
            Some(refusal) if !self.is_trusted() => {
                self.refused.senders += 1;
                MailAnswer::refuse(refusal)
            }
            _ => MailAnswer::next(),
        }
    }
}

impl OnRcpt for Access {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        if self.config.recipients.allow(recipient) {
            return RcptAnswer::next();
        }
        self.refused.recipients += 1;
        RcptAnswer::refuse(Refusal::new(550, "5.1.1", "no such user here").because("recipients"))
    }
}

impl OnData for Access {
    fn on_data(&mut self) -> DataAnswer {
        match self.refuse_bulk_bounce() {
            Some(refusal) => DataAnswer::refuse(refusal),
            None => DataAnswer::next(),
        }
    }
}

/// A message sent with BDAT does not cause a `data` event.
impl OnHeaders for Access {
    fn on_headers(&mut self) -> HeadersAnswer {
        match self.refuse_bulk_bounce() {
            Some(refusal) => HeadersAnswer::refuse(refusal),
            None => HeadersAnswer::next(),
        }
    }
}

impl OnDisconnect for Access {
    fn on_disconnect(&mut self, _summary: &Summary) {
        if self.refused != Refused::default() {
            log::info(self.refused.to_string());
        }
    }
}

postgate_plugin::export!(
    Access: OnSelfTest, OnConnect, OnHelo, OnAuth, OnMail, OnRcpt, OnData, OnHeaders, OnDisconnect
);

impl Access {
    fn is_trusted(&self) -> bool {
        let Some(address) = session::remote_ip() else {
            return false;
        };
        self.config
            .client
            .allow
            .iter()
            .any(|network| network.contains(address))
    }

    /// A notification is about one message and goes to its sender, so one to many recipients is
    /// abuse.
    fn refuse_bulk_bounce(&mut self) -> Option<Refusal> {
        let is_bulk = self.config.sender.refuse_bulk_bounces
            && session::sender().is_some_and(|sender| sender.is_null())
            && session::recipients().len() > 1;
        is_bulk.then(|| {
            self.refused.messages += 1;
            Refusal::new(550, "5.7.1", "a notification has one recipient")
                .because("sender.refuse-bulk-bounces")
        })
    }
}

#[cfg(test)]
mod tests;
