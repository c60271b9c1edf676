//! The answers of plugins as JSON.

use postgate_proto::header::HeaderEdit;
use serde_json::{Value, json};

use crate::error::PluginError;
use crate::verdict::{ClientEdit, Edit, EnvelopeEdit, PluginAnswer, ProfileEdit, Refused, Verdict};

/// Converts an answer to `{"verdict": …, "edits": […]}`, with further members for some verdicts, or a
/// failure to `{"error": …}`. Edits have their names in the contract. SCRAM keys are left out.
pub fn answer_json(answer: &Result<&PluginAnswer, &PluginError>) -> Value {
    match answer {
        Ok(answer) => with_edits(answer),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn with_edits(answer: &PluginAnswer) -> Value {
    let edits: Vec<_> = answer.edits.iter().map(edit).collect();
    let mut value = verdict(&answer.verdict);
    if !edits.is_empty() {
        value["edits"] = edits.into();
    }
    value
}

fn verdict(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Accept => json!({ "verdict": "accept" }),
        Verdict::Answer(acceptance) => {
            json!({ "verdict": "answer", "reply": acceptance.reply().to_string() })
        }
        Verdict::Authenticate(identity) => {
            json!({ "verdict": "authenticate", "identity": identity })
        }
        Verdict::Decoy(_) => json!({ "verdict": "decoy" }),
        Verdict::Defer(refused) => refusal("defer", refused),
        Verdict::Discard(reason) => json!({ "verdict": "discard", "reason": reason }),
        Verdict::Disconnect(refused) => refusal("disconnect", refused),
        // SCRAM keys are secrets.
        Verdict::Keys(_) => json!({ "verdict": "keys" }),
        Verdict::Next => json!({ "verdict": "next" }),
        Verdict::Quarantine(reason) => json!({ "verdict": "quarantine", "reason": reason }),
        Verdict::Refuse(refused) => refusal("refuse", refused),
    }
}

fn refusal(verdict: &str, refused: &Refused) -> Value {
    let mut value = json!({ "verdict": verdict, "reply": refused.refusal.reply().to_string() });
    if let Some(reason) = &refused.reason {
        value["reason"] = reason.as_str().into();
    }
    value
}

/// An edit as an object with one member, which has the name of the edit in the contract.
fn edit(edit: &Edit) -> Value {
    match edit {
        Edit::Client(ClientEdit::Host(name)) => json!({ "set-client-host": name }),
        Edit::Client(ClientEdit::Ip(address)) => json!({ "set-client-ip": address.to_string() }),
        Edit::Delay(time) => json!({ "delay": time.as_millis().to_string() + " ms" }),
        Edit::Envelope(envelope) => match envelope {
            EnvelopeEdit::AddRecipient(path) => json!({ "add-recipient": path.as_str() }),
            EnvelopeEdit::RefuseRecipient(path, refused) => {
                json!({ "refuse-recipient": format!("{path} {}", refused.refusal.reply()) })
            }
            EnvelopeEdit::RemoveRecipient(path) => json!({ "remove-recipient": path.as_str() }),
            EnvelopeEdit::RewriteRecipient(path) => json!({ "rewrite-recipient": path.as_str() }),
            EnvelopeEdit::RewriteSender(path) => json!({ "rewrite-sender": path.as_str() }),
        },
        Edit::Header(header) => header_edit(header),
        Edit::PrependHeader(name, value) => {
            json!({ "prepend-header": field(name.as_str(), value) })
        }
        Edit::ReplaceBody(body) => json!({ "replace-body": format!("{} octets", body.len()) }),
        Edit::SetId(id) => json!({ "set-id": id }),
        Edit::Tag(name, value) => json!({ "tag": format!("{name}={value}") }),
        Edit::Profile(profile) => match profile {
            ProfileEdit::AddEhloKeyword(keyword) => json!({ "add-ehlo-keyword": keyword }),
            ProfileEdit::AddMailParameter(name) => json!({ "add-mail-parameter": name }),
            ProfileEdit::AddRcptParameter(name) => json!({ "add-rcpt-parameter": name }),
            ProfileEdit::AddVerb(verb) => json!({ "add-verb": verb }),
            ProfileEdit::LimitMechanisms(names) => {
                let names: Vec<_> = names.iter().map(|mechanism| mechanism.name()).collect();
                json!({ "limit-auth-mechanisms": names.join(" ") })
            }
            ProfileEdit::SetBanner(text) => json!({ "set-banner": text }),
            ProfileEdit::SetGreeting(text) => json!({ "set-greeting": text }),
        },
    }
}

fn header_edit(edit: &HeaderEdit) -> Value {
    match edit {
        HeaderEdit::Append(name, value) => json!({ "append": field(name.as_str(), value) }),
        HeaderEdit::Insert { index, name, value } => {
            json!({ "insert": format!("{index} {}", field(name.as_str(), value)) })
        }
        HeaderEdit::Prepend(name, value) => json!({ "prepend": field(name.as_str(), value) }),
        HeaderEdit::Remove { name, index } => {
            json!({ "remove": format!("{}[{index}]", name.as_str()) })
        }
        HeaderEdit::RemoveAll(name) => json!({ "remove-all": name.as_str() }),
        HeaderEdit::Set(name, value) => json!({ "set": field(name.as_str(), value) }),
        HeaderEdit::Replace { name, index, value } => {
            json!({ "replace": field(&format!("{}[{index}]", name.as_str()), value) })
        }
    }
}

fn field(name: &str, value: &postgate_proto::header::HeaderValue) -> String {
    format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
}
