//! Shows a recorded session to another build of a plugin.

use std::sync::Arc;

use serde_json::Value;

use super::answer;
use super::frame::Recording;
use crate::context::Context;
use crate::error::PluginError;
use crate::host_calls::HostCallLog;
use crate::question::Question;
use crate::verdict::Opinion;
use crate::{Instance, LoadedPlugin, SessionStores};
use postgate_contract::Event;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// How many calls were made again.
    pub calls: usize,
    /// Where the plugin answered otherwise.
    pub differences: Vec<Difference>,
    /// Calls that were not made, and why.
    pub skipped: Vec<String>,
    /// What the plugin wanted to know from outside, and the recording does not hold.
    pub missing: Vec<String>,
}

/// One call with another answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The place of the call in the recording, from 1.
    pub call: usize,
    /// The name of the event.
    pub event: String,
    /// Whom or what it was about.
    pub subject: String,
    /// What the recorded build answered.
    pub recorded: Value,
    /// What this one answers.
    pub now: Value,
}

/// Asks a plugin what another build of it was asked. What both see is the same, down to the answers of
/// the Domain Name System, the time and random octets.
pub async fn replay(recording: &Recording, plugin: &LoadedPlugin) -> Replayed {
    let mut replayed = Replayed::default();
    let stores = SessionStores::default();
    let mut instance = None;
    for (index, frame) in recording.frames.iter().enumerate() {
        let call = index + 1;
        let Some(event) = frame.event() else {
            let why = format!("{call}: this gateway knows no event {}", frame.event);
            replayed.skipped.push(why);
            continue;
        };
        if event == Event::Auth {
            let why = format!("{call}: auth, since a recording holds no credentials");
            replayed.skipped.push(why);
            continue;
        }
        let mut context = match frame.seen.context(event) {
            Ok(context) => context,
            Err(reason) => {
                replayed.skipped.push(format!("{call}: {reason}"));
                continue;
            }
        };
        let facts = match frame.question.facts(event) {
            Ok(facts) => facts,
            Err(reason) => {
                replayed.skipped.push(format!("{call}: {reason}"));
                continue;
            }
        };
        context.host_calls = HostCallLog::replayer(frame.outside.clone());
        context.stores = stores.clone();
        let context = Arc::new(context);
        let answer = match plugin.handles(event) {
            true => ask(plugin, &mut instance, facts.question(), &context).await,
            false => Ok(Opinion::NEXT),
        };
        replayed.calls += 1;
        replayed.missing.extend(context.host_calls.missing());
        let now = answer::answer(&answer.as_ref());
        if now != frame.answer {
            replayed.differences.push(Difference {
                call,
                event: frame.event.clone(),
                subject: frame.subject.clone(),
                recorded: frame.answer.clone(),
                now,
            });
        }
    }
    replayed
}

/// An instance that failed is not asked again, as in a session.
async fn ask(
    plugin: &LoadedPlugin,
    instance: &mut Option<Instance>,
    question: Question<'_>,
    context: &Arc<Context>,
) -> Result<Opinion, PluginError> {
    let mut current = match instance.take() {
        Some(current) => current,
        None => plugin.start(context).await?,
    };
    let answer = current.call(question, context).await?;
    *instance = Some(current);
    Ok(answer)
}
