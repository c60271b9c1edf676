//! Refuses senders whose domain cannot receive replies, and recipients whose domain accepts no
//! mail.

mod config;
mod domain;

use postgate_plugin::prelude::*;

use config::Config;
use domain::Route;

/// The rules.
pub struct SenderDomain {
    config: Config,
}

impl Plugin for SenderDomain {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { config })
    }
}

impl OnMail for SenderDomain {
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        let Some(domain) = sender.address().and_then(|sender| self.question(sender)) else {
            return MailAnswer::next();
        };
        let refusal = match domain::route(&domain) {
            Route::Exists => return MailAnswer::next(),
            Route::Missing => Refusal::new(550, "5.1.8", "the sender's domain cannot be mailed to")
                .because(format!("{domain} has no mail exchanger and no address")),
            Route::Null => Refusal::new(550, "5.7.27", "the sender's domain takes no mail")
                .because(format!("{domain} has a null MX")),
            Route::Unknown => Refusal::new(451, "4.4.3", "the sender's domain cannot be looked up")
                .because(format!("no answer about {domain}")),
        };
        MailAnswer::refuse(refusal)
    }
}

impl OnRcpt for SenderDomain {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        if !self.config.recipients {
            return RcptAnswer::next();
        }
        match self.question(recipient.address()) {
            Some(domain) if domain::takes_no_mail(&domain) => {
                let refusal = Refusal::new(556, "5.1.10", "the recipient's domain takes no mail");
                RcptAnswer::refuse(refusal.because(format!("{domain} has a null MX")))
            }
            _ => RcptAnswer::next(),
        }
    }
}

postgate_plugin::export!(SenderDomain: OnMail, OnRcpt);

impl SenderDomain {
    /// The domain to look up, as it is in the Domain Name System, if there is one: the bare
    /// `postmaster` has none, and an address literal needs no query.
    fn question(&self, address: &Address) -> Option<String> {
        let domain = address.domain();
        let is_name = !domain.is_empty() && !domain.starts_with('[');
        (is_name && !self.config.allows(domain)).then(|| address.canonical_domain())
    }
}

#[cfg(test)]
mod tests;
