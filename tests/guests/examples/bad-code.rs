//! Refuses with a reply code that does not exist, which the guest SDK would not let pass.
#![allow(missing_docs, unsafe_code, reason = "generated from the contract")]

use exports::postgate::plugin::on_rcpt::{Guest, RcptAnswer};
use postgate::plugin::types::{Pair, RcptVerdict, Refusal, Reply};

wit_bindgen::generate!({
    path: "../../wit",
    inline: "package tests:bad-code; world bad-code { export postgate:plugin/on-rcpt@0.1.0; }",
    generate_all,
});

struct BadCode;

impl Guest for BadCode {
    fn on_rcpt(_recipient: String, _parameters: Vec<Pair>) -> RcptAnswer {
        let reply = Reply {
            code: 999,
            enhanced: None,
            lines: vec!["no such code".into()],
        };
        RcptAnswer {
            verdict: RcptVerdict::Refuse(Refusal {
                reply,
                reason: None,
            }),
            edits: Vec::new(),
        }
    }
}

#[cfg(target_arch = "wasm32")]
export!(BadCode);
