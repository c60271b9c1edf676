//! Takes every recipient, and refuses the whole message where one of them is called `late`.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Late;

impl OnMessage for Late {
    fn on_message(&mut self) -> MessageAnswer {
        let recipients = session::recipients();
        match recipients
            .iter()
            .any(|address| address.local_part() == "late")
        {
            true => MessageAnswer::refuse(Refusal::new(550, "5.1.1", "late is not known here")),
            false => MessageAnswer::next(),
        }
    }
}

postgate_plugin::export!(Late: OnMessage);
