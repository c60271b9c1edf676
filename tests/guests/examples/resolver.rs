//! Refuses every recipient with what the Domain Name System says about its domain. The local part
//! is the kind of record: `ipv4`, `ipv6`, `mx`, `txt`, or `ptr` for the client's own address.

use postgate_plugin::dns::{self, MailExchanger};
use postgate_plugin::prelude::*;

#[derive(Default)]
struct Resolver;

impl OnRcpt for Resolver {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let text = match answer(recipient.local_part(), recipient.domain()) {
            Ok(records) => records.join(", "),
            Err(error) => error.to_string(),
        };
        RcptAnswer::refuse(Refusal::new(550, "5.7.1", format!("found: {text}")))
    }
}

postgate_plugin::export!(Resolver: OnRcpt);

fn answer(kind: &str, domain: &str) -> Result<Vec<String>, dns::Error> {
    match kind {
        "ipv4" => dns::ipv4(domain).map(shown),
        "ipv6" => dns::ipv6(domain).map(shown),
        "mx" => dns::mx(domain).map(|found| found.iter().map(exchanger).collect()),
        "txt" => dns::txt(domain),
        "ptr" => dns::ptr(session::remote_ip().ok_or(dns::Error::Invalid)?),
        _ => Err(dns::Error::Invalid),
    }
}

fn shown<T: ToString>(addresses: Vec<T>) -> Vec<String> {
    addresses.iter().map(T::to_string).collect()
}

fn exchanger(exchanger: &MailExchanger) -> String {
    format!("{} {}", exchanger.preference, exchanger.exchange)
}
