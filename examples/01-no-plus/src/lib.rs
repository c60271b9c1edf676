//! Refuses recipients such as `bob+shop@example.org`.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct NoPlus;

impl OnRcpt for NoPlus {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        match recipient.local_part().contains('+') {
            true => RcptAnswer::refuse(Refusal::new(550, "5.1.1", "no tagged addresses here")),
            false => RcptAnswer::next(),
        }
    }
}

postgate_plugin::export!(NoPlus: OnRcpt);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_refused() {
        let table = [
            ("bob@example.org", true),
            ("bob+shop@example.org", false),
            ("bob@shop+more.example", true),
        ];
        for (recipient, taken) in table {
            let answer = NoPlus.on_rcpt(&Recipient::new(recipient));
            assert_eq!(answer == RcptAnswer::next(), taken, "{recipient}");
        }
    }
}
