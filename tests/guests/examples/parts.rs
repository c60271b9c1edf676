//! Logs all that can be read of the MIME parts of a message. With `set-type`, it gives the message another
//! Content-Type afterwards.

use postgate_plugin::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    set_type: Option<String>,
}

struct Parts {
    config: Config,
}

impl Plugin for Parts {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { config })
    }
}

impl OnMessage for Parts {
    fn on_message(&mut self) -> MessageAnswer {
        for (index, part) in message::parts() {
            log_part(index, &part);
        }
        let count = message::part_count();
        let beyond = message::part_at(count).is_some()
            || !message::part_headers(count).is_empty()
            || !message::read_part(count, 0, 1).is_empty()
            || message::read_text(count, 0, 1).is_some();
        let (plain, html) = (message::plain_part(), message::html_part());
        log::info(format!(
            "message count={count} plain={plain:?} html={html:?} beyond={beyond}"
        ));
        match &self.config.set_type {
            None => MessageAnswer::next(),
            Some(set_type) => MessageAnswer::next().set_header("Content-Type", set_type),
        }
    }
}

fn log_part(index: u32, part: &message::Part) {
    log::info(format!(
        "{index} parent={} container={} size={}",
        part.parent, part.container, part.size
    ));
    log::info(format!(
        "{index} type={} encoding={} disposition={} filename={}",
        part.content_type,
        part.encoding,
        part.disposition.as_deref().unwrap_or("-"),
        match part.filenames.is_empty() {
            true => "-".into(),
            false => part.filenames.join("|"),
        }
    ));
    log::info(format!(
        "{index} id={} description={}",
        part.content_id.as_deref().unwrap_or("-"),
        part.description.as_deref().unwrap_or("-")
    ));
    let pairs = part.parameters.iter();
    let pairs: Vec<_> = pairs
        .map(|pair| format!("{}={}", pair.name, pair.value))
        .collect();
    log::info(format!("{index} parameters {}", pairs.join(";")));
    if !part.defects.is_empty() {
        log::info(format!("{index} defects {:?}", part.defects));
    }
    for field in message::part_headers(index) {
        let value = String::from_utf8_lossy(&field.value).into_owned();
        log::info(format!("{index} field {}:{}", field.name, unfolded(&value)));
    }
    let content = message::read_part(index, 0, message::MAX_READ);
    log::info(format!("{index} octets {}", content.escape_ascii()));
    let text = message::read_text(index, 0, message::MAX_READ);
    log::info(format!("{index} text {}", text.as_deref().unwrap_or("-")));
    // One octet more than the last, and one octet less.
    let end = part.size;
    let tail = message::read_part(index, end.saturating_sub(1), 2).len();
    let over =
        message::read_part(index, end, 1).len() + message::read_part(index, u32::MAX, 1).len();
    log::info(format!("{index} tail={tail} over={over}"));
}

fn unfolded(value: &str) -> String {
    value.replace("\r\n", "")
}

postgate_plugin::export!(Parts: OnMessage);
