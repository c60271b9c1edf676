//! Answers VRFY and HELP with the code that the client asks for.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Codes;

impl OnVrfy for Codes {
    fn on_vrfy(&mut self, user: &str) -> QueryAnswer {
        answer(user)
    }
}

impl OnHelp for Codes {
    fn on_help(&mut self, topic: &str) -> QueryAnswer {
        answer(topic)
    }
}

fn answer(wanted: &str) -> QueryAnswer {
    let Ok(code) = wanted.parse() else {
        return QueryAnswer::next();
    };
    let enhanced = format!("{}.0.0", code / 100);
    QueryAnswer::reply(code, &enhanced, [format!("this is {code}")])
}

postgate_plugin::export!(Codes: OnVrfy, OnHelp);
