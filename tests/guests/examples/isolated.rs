//! Says at each recipient what is left of the session: in its memory, and in the store. At the
//! recipient `trap` it traps.

use postgate_plugin::prelude::*;
use postgate_plugin::store;

#[derive(Default)]
struct Isolated {
    connects: u32,
    mails: u32,
    recipients: u32,
}

impl OnConnect for Isolated {
    fn on_connect(&mut self) -> ConnectAnswer {
        self.connects += 1;
        ConnectAnswer::next()
    }
}

impl OnMail for Isolated {
    fn on_mail(&mut self, _sender: &Sender) -> MailAnswer {
        self.mails += 1;
        MailAnswer::next()
    }
}

impl OnRcpt for Isolated {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let stored = store::get("recipients").map_or(0, |octets| octets.len()) + 1;
        // It holds more than any test asks for.
        _ = store::set("recipients", &vec![0; stored]);
        assert_ne!(
            recipient.local_part(),
            "trap",
            "this plugin was asked to trap"
        );
        self.recipients += 1;
        let Self {
            connects,
            mails,
            recipients,
        } = self;
        let text = format!("connect {connects} mail {mails} rcpt {recipients} stored {stored}");
        RcptAnswer::refuse(Refusal::new(550, "5.7.1", text))
    }
}

postgate_plugin::export!(Isolated: OnConnect, OnMail, OnRcpt);
