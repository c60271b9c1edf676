//! Replays a recording with another build of the plugin.

use std::fmt::Display;
use std::sync::Arc;

use postgate_contract::Event;
use serde_json::Value;

use super::answer::answer_json;
use super::frame::{Frame, Recording};
use crate::context::Context;
use crate::error::PluginError;
use crate::host_calls::HostCallLog;
use crate::instance::Instance;
use crate::loaded::LoadedPlugin;
use crate::question::Question;
use crate::store::SessionStores;
use crate::verdict::PluginAnswer;

/// The result of a replay.
#[derive(Clone, Debug, Default)]
pub struct ReplayReport {
    /// The number of calls that were replayed.
    pub calls: usize,
    /// The calls to which the plugin gave another answer.
    pub differences: Vec<Difference>,
    /// The calls that were not replayed, each with its number and the reason.
    pub skipped: Vec<String>,
    /// The host calls whose answers the recording does not contain.
    pub missing: Vec<String>,
}

/// A call with another answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The number of the call in the recording, from 1.
    pub call: usize,
    /// The name of the event.
    pub event: String,
    /// Whom or what the question was about.
    pub subject: String,
    /// The answer of the recorded build.
    pub recorded: Value,
    /// The answer of this build.
    pub now: Value,
}

/// Asks a plugin the questions that another build of it was asked. It can see the same session, and its host
/// calls (DNS, time, random octets, files) have the recorded answers.
pub async fn replay(recording: &Recording, plugin: &LoadedPlugin) -> ReplayReport {
    let mut replay = Replay {
        plugin,
        stores: SessionStores::default(),
        instance: None,
        report: ReplayReport::default(),
    };
    for (index, frame) in recording.frames.iter().enumerate() {
        replay.frame(index + 1, frame).await;
    }
    replay.report
}

/// A replay in progress.
struct Replay<'a> {
    plugin: &'a LoadedPlugin,
    stores: SessionStores,
    instance: Option<Instance>,
    report: ReplayReport,
}

impl Replay<'_> {
    /// Replays the call with this number.
    async fn frame(&mut self, call: usize, frame: &Frame) {
        let Some(event) = frame.event() else {
            let event = &frame.event;
            return self.skip(
                call,
                format_args!("the event {event} is unknown to this gateway"),
            );
        };
        if event == Event::Auth {
            return self.skip(call, "auth, because a recording contains no credentials");
        }
        let mut context = match frame.seen.context(event) {
            Ok(context) => context,
            Err(error) => return self.skip(call, error),
        };
        let facts = match frame.question.facts(event) {
            Ok(facts) => facts,
            Err(error) => return self.skip(call, error),
        };
        context.host_calls = HostCallLog::replayer(frame.outside.clone());
        context.stores = self.stores.clone();
        let context = Arc::new(context);
        let answer = match self.plugin.handles(event) {
            true => self.ask(facts.question(), &context).await,
            false => Ok(PluginAnswer::NEXT),
        };
        self.report.calls += 1;
        self.report.missing.extend(context.host_calls.missing());
        let now = answer_json(&answer.as_ref());
        if now != frame.answer {
            self.report.differences.push(Difference {
                call,
                event: frame.event.clone(),
                subject: frame.subject.clone(),
                recorded: frame.answer.clone(),
                now,
            });
        }
    }

    fn skip(&mut self, call: usize, reason: impl Display) {
        self.report.skipped.push(format!("{call}: {reason}"));
    }

    /// Asks the instance of the session. After a failure a new one is started, as in a gateway.
    async fn ask(
        &mut self,
        question: Question<'_>,
        context: &Arc<Context>,
    ) -> Result<PluginAnswer, PluginError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.plugin.start(context).await?,
        };
        let answer = instance.call(question, context).await?;
        self.instance = Some(instance);
        Ok(answer)
    }
}
