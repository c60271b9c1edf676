//! Makes a header edit that the guest SDK would not let pass. The local part of the recipient is the number
//! of one of the `cases` in the configuration, which say `edit`, `name`, `value`, and `at` which event.
#![allow(missing_docs, unsafe_code, reason = "generated from the contract")]

use exports::postgate::plugin::{on_data, on_headers, on_message};
use postgate::plugin::types::{
    DataEdit, HeaderEdit, HeaderField, HeaderInsertion, HeaderPosition, HeaderReplacement,
    HeadersEdit, MessageEdit, MessageVerdict, Verdict,
};
use postgate::plugin::{config, session};

wit_bindgen::generate!({
    path: "../../wit",
    inline: "
        package tests:bad-header;
        world bad-header {
            import postgate:plugin/config@0.1.0;
            import postgate:plugin/session@0.1.0;
            export postgate:plugin/on-data@0.1.0;
            export postgate:plugin/on-headers@0.1.0;
            export postgate:plugin/on-message@0.1.0;
        }
    ",
    generate_all,
});

struct BadHeader;

impl on_data::Guest for BadHeader {
    fn on_data() -> on_data::DataAnswer {
        let field = is_at("data").then(|| DataEdit::PrependHeader(field()));
        on_data::DataAnswer {
            verdict: Verdict::Next,
            edits: field.into_iter().collect(),
        }
    }
}

impl on_headers::Guest for BadHeader {
    fn on_headers() -> on_headers::HeadersAnswer {
        let edit = is_at("headers").then(|| HeadersEdit::Header(edit()));
        on_headers::HeadersAnswer {
            verdict: Verdict::Next,
            edits: edit.into_iter().collect(),
        }
    }
}

impl on_message::Guest for BadHeader {
    fn on_message() -> on_message::MessageAnswer {
        let edit = is_at("message").then(|| MessageEdit::Header(edit()));
        on_message::MessageAnswer {
            verdict: MessageVerdict::Next,
            edits: edit.into_iter().collect(),
        }
    }
}

#[cfg(target_arch = "wasm32")]
export!(BadHeader);

fn is_at(event: &str) -> bool {
    get("at") == event
}

/// What the case says.
fn get(key: &str) -> String {
    let recipients = session::recipients();
    let number = recipients.first().and_then(|path| path.split('@').next());
    let path = format!("cases.{}.{key}", number.unwrap_or_default());
    config::get(&path).unwrap_or_default()
}

fn field() -> HeaderField {
    HeaderField {
        name: get("name"),
        value: get("value").into_bytes(),
    }
}

fn edit() -> HeaderEdit {
    let HeaderField { name, value } = field();
    let at = HeaderPosition {
        name: name.clone(),
        index: 0,
    };
    match get("edit").as_str() {
        "append" => HeaderEdit::Append(HeaderField { name, value }),
        "insert" => HeaderEdit::Insert(HeaderInsertion {
            index: 0,
            field: HeaderField { name, value },
        }),
        "prepend" => HeaderEdit::Prepend(HeaderField { name, value }),
        "remove" => HeaderEdit::Remove(at),
        "remove-all" => HeaderEdit::RemoveAll(name),
        "replace" => HeaderEdit::Replace(HeaderReplacement { at, value }),
        _ => HeaderEdit::Set(HeaderField { name, value }),
    }
}
