//! The reply to a question of the client.

use crate::bindings::imports::postgate::plugin::types::QueryVerdict;
use crate::{QueryAnswer, reply};

impl QueryAnswer {
    /// Answer with a reply: a code, an enhanced status code, and lines of text. The code is 400 to
    /// 599, or one of 200 to 299 that the event allows. The code 421 also closes the connection.
    ///
    /// ```
    /// # use postgate_plugin::QueryAnswer;
    /// let members = ["Alice <alice@example.org>", "Bob <bob@example.org>"];
    /// let answer = QueryAnswer::reply(250, "2.1.5", members);
    /// # assert_ne!(answer, QueryAnswer::next());
    /// ```
    ///
    /// # Panics
    ///
    /// If the code is not one of these, or the enhanced status code does not begin with its first
    /// digit.
    pub fn reply<T: Into<String>>(
        code: u16,
        enhanced: &str,
        lines: impl IntoIterator<Item = T>,
    ) -> Self {
        let lines = lines.into_iter().map(T::into).collect();
        match reply::answering(code, enhanced, lines) {
            Ok(reply) => Self::from(QueryVerdict::Reply(reply)),
            Err(error) => panic!("{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_may_accept_or_refuse() {
        for (code, enhanced) in [(214, "2.0.0"), (421, "4.7.0"), (550, "5.1.1")] {
            let answer = QueryAnswer::reply(code, enhanced, ["one", "two"]).delay(5);
            let QueryVerdict::Reply(reply) = answer.verdict() else {
                panic!("{answer:?}");
            };
            assert_eq!((reply.code, reply.lines.len()), (code, 2));
            assert_eq!(answer.edits().len(), 1);
        }
    }

    #[test]
    #[should_panic = "reply code 354 does not answer"]
    fn a_reply_must_answer() {
        let _ = QueryAnswer::reply(354, "3.0.0", ["go on"]);
    }
}
