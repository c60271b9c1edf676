//! Tries to smuggle in a header field behind another one, which the guest SDK would not let pass:
//! at `on-headers`, or at `on-message` where the configuration says `at = "message"`.
#![allow(missing_docs, unsafe_code, reason = "generated from the contract")]

use exports::postgate::plugin::{on_headers, on_message};
use postgate::plugin::config;
use postgate::plugin::types::Verdict;
use postgate::plugin::types::{HeaderEdit, HeaderField, HeadersEdit, MessageEdit, MessageVerdict};

wit_bindgen::generate!({
    path: "../../wit",
    inline: "
        package tests:bad-header;
        world bad-header {
            import postgate:plugin/config@0.1.0;
            export postgate:plugin/on-headers@0.1.0;
            export postgate:plugin/on-message@0.1.0;
        }
    ",
    generate_all,
});

struct BadHeader;

impl on_headers::Guest for BadHeader {
    fn on_headers() -> on_headers::HeadersAnswer {
        let edits = match at_message() {
            true => Vec::new(),
            false => vec![HeadersEdit::Header(smuggle())],
        };
        on_headers::HeadersAnswer {
            verdict: Verdict::Next,
            edits,
        }
    }
}

impl on_message::Guest for BadHeader {
    fn on_message() -> on_message::MessageAnswer {
        let edits = match at_message() {
            true => vec![MessageEdit::Header(smuggle())],
            false => Vec::new(),
        };
        on_message::MessageAnswer {
            verdict: MessageVerdict::Next,
            edits,
        }
    }
}

#[cfg(target_arch = "wasm32")]
export!(BadHeader);

fn at_message() -> bool {
    config::get("at").as_deref() == Some("message")
}

fn smuggle() -> HeaderEdit {
    HeaderEdit::Prepend(HeaderField {
        name: "X-Note".into(),
        value: b"harmless\r\nInjected: yes".to_vec(),
    })
}
