//! An instance of a plugin, and the limits on its calls.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::str::Utf8Error;
use std::string::FromUtf8Error;
use std::sync::Arc;
use std::time::Duration;

use postgate_contract::TimeLimits;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::Instrument as _;
use wasmtime::{Store, Trap};

use crate::context::Context;
use crate::error::{HostFault, LimitExceeded, PluginError, is_of_host, log_text};
use crate::exports::{Call, Guests};
use crate::host::{Denied, HostError, HostState, PluginFacts, View};
use crate::meter::{OutOfTime, Remainder};
use crate::metrics::Counted;
use crate::question::Question;
use crate::resources::{Ended, Expected, Resources, Stopped, TICKS_OF_SHORT_CALL};
use crate::verdict::PluginAnswer;

/// An instance of a plugin. It must not be called again after an error, since a trap leaves its memory in an
/// undefined state.
pub struct Instance {
    facts: Arc<PluginFacts>,
    /// What a call needs and takes with it; `None` during a call, and for ever if the call does not end.
    guest: Option<Box<Guest>>,
    /// The permit to use a shared instance, or `None` if the session has the instance for itself.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// What the last call has left of its limits.
    remainder: Remainder,
    /// Counts the instance in the metrics until it is dropped.
    _counted: Counted,
}

/// The memory of an instance and its functions.
pub(super) struct Guest {
    pub(super) store: Store<HostState>,
    pub(super) functions: Guests,
}

impl Instance {
    /// Wraps a guest that was initialised.
    pub(super) fn new(facts: Arc<PluginFacts>, guest: Guest, counted: Counted) -> Self {
        Self {
            facts,
            guest: Some(Box::new(guest)),
            permit: None,
            remainder: Remainder::UNLIMITED,
            _counted: counted,
        }
    }

    /// Asks the plugin a question about an event that it handles.
    ///
    /// # Errors
    ///
    /// Fails if the plugin traps, exceeds a limit, or gives an answer that violates the contract.
    pub async fn call(
        &mut self,
        question: Question<'_>,
        context: &Arc<Context>,
    ) -> Result<PluginAnswer, PluginError> {
        let budget = Budget::of(question.event().time_limits(), &self.facts);
        let view = View::new(Arc::clone(context), &question);
        let call = Call::new(question, context);
        let answer = self.run(&budget, view, |mut guest| async move {
            let answer = guest.functions.ask(call, &mut guest.store).await;
            (guest, answer)
        });
        let answer = answer.await??;
        let limit = self.facts.limits.edits;
        match answer.edits.len() > limit as usize {
            true => Err(PluginError::Limit {
                key: "edits",
                limit,
            }),
            false => Ok(answer),
        }
    }

    /// What the last call has left of its limits, for what its answer has the host do.
    pub(super) const fn remainder(&self) -> Remainder {
        self.remainder
    }

    /// Adds CPU time that the host has used for an answer to that of a client.
    pub(super) fn charge(&self, client: IpAddr, time: Duration) {
        // A client that has had too much is told so at its next command.
        _ = self.facts.resources.clients.charge(client, time);
    }

    /// Calls `on-self-test`, if the plugin exports it.
    ///
    /// # Errors
    ///
    /// Fails if the plugin traps, exceeds a limit, or returns an error.
    pub async fn self_test(&mut self, context: &Arc<Context>) -> Result<(), PluginError> {
        let budget = Budget::of(TimeLimits::Message, &self.facts);
        let view = View::of(Arc::clone(context));
        let tested = self.run(&budget, view, |mut guest| async move {
            let tested = match &guest.functions.self_test {
                None => Ok(Ok(())),
                Some(function) => function.call_on_self_test(&mut guest.store).await,
            };
            (guest, tested)
        });
        tested
            .await?
            .map_err(|text| PluginError::SelfTest(log_text(&text)))
    }

    /// Makes a call within its limits. The guest goes with it, and comes back if it ends.
    async fn run<T, F>(
        &mut self,
        budget: &Budget,
        view: View,
        work: impl FnOnce(Box<Guest>) -> F,
    ) -> Result<T, PluginError>
    where
        T: Send,
        F: Future<Output = (Box<Guest>, wasmtime::Result<T>)> + Send + 'static,
    {
        let Some(mut guest) = self.guest.take() else {
            let text = "the instance has failed and is asked again";
            return Err(PluginError::Trap(wasmtime::format_err!("{text}")));
        };
        let client = view.client();
        budget.begin(&mut guest.store, view);
        let call = work(guest);
        let ended = budget.run(client, &self.facts.resources, call).await?;
        let Ended { output, used, end } = ended;
        let (mut guest, result) = output;
        self.remainder = budget.remainder(end, used);
        let result = budget.finish(guest.store.data_mut(), &self.facts, result);
        self.guest = Some(guest);
        match result {
            // What the host did at the end of the call was not interrupted.
            Ok(_) if used > budget.cpu => Err(budget.out_of_time()),
            result => result,
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("plugin", &self.facts.name)
            .finish_non_exhaustive()
    }
}

/// Converts the error of a host function, or of the engine while it copied data between guest and host.
fn host_error(error: wasmtime::Error, facts: &PluginFacts) -> PluginError {
    if let Some(LimitExceeded { key, limit }) = error.downcast_ref() {
        return PluginError::Limit { key, limit: *limit };
    }
    let error = match error.downcast::<HostError>() {
        Ok(error @ HostError::NoSession) => return PluginError::Trap(error.into()),
        Ok(HostError::Dns) => return HostFault::Dns.into(),
        Ok(HostError::File) => return HostFault::File.into(),
        Ok(HostError::Message(error)) => return HostFault::Message(error).into(),
        Ok(HostError::Random) => return HostFault::Random.into(),
        Ok(HostError::Task(error)) => return HostFault::Task(error).into(),
        Err(error) => error,
    };
    if is_of_host(&error) {
        return HostFault::Room(error).into();
    }
    match is_hostcall_fuel(&error) {
        true => PluginError::Limit {
            key: "hostcall-bytes",
            limit: facts.limits.hostcall_bytes,
        },
        false => PluginError::Trap(error),
    }
}

/// True if the call has copied more data than [`Store::set_hostcall_fuel`] allows.
///
/// The type of this error is private to wasmtime, so it is recognised by exclusion. The other errors of
/// copying data are traps and plain messages, and [`Utf8Error`] or [`FromUtf8Error`] for a string that is
/// not UTF-8. The errors of host functions and of the system are handled before.
fn is_hostcall_fuel(error: &wasmtime::Error) -> bool {
    let is_message = error.is::<String>() || error.is::<&'static str>();
    let is_text = error.is::<Utf8Error>() || error.is::<FromUtf8Error>();
    !is_message && !is_text
}

/// The time limits of one call.
pub(super) struct Budget {
    cpu: Duration,
    cpu_key: &'static str,
    wall: Duration,
    wall_key: &'static str,
}

impl Budget {
    /// Returns the limits of the sidecar for an event, or for work that takes as long as a message.
    pub(super) const fn of(limits: TimeLimits, facts: &PluginFacts) -> Self {
        match limits {
            TimeLimits::Event => Self {
                cpu: facts.limits.cpu,
                cpu_key: "cpu",
                wall: facts.limits.wall,
                wall_key: "wall",
            },
            TimeLimits::Message => Self {
                cpu: facts.limits.message_cpu,
                cpu_key: "message-cpu",
                wall: facts.limits.message_wall,
                wall_key: "message-wall",
            },
        }
    }

    /// Prepares the store for a call that can see `view`.
    pub(super) fn begin(&self, store: &mut Store<HostState>, view: View) {
        store.data_mut().begin_call(view, self.cpu);
        // The callback of the store compares the CPU time with the limit.
        store.set_epoch_deadline(TICKS_OF_SHORT_CALL);
    }

    /// Runs a call for a client, who is charged for its CPU time.
    ///
    /// # Errors
    ///
    /// Fails if the call exceeds its wall-clock time, or the client its processor time.
    pub(super) async fn run<F>(
        &self,
        client: IpAddr,
        resources: &Resources,
        call: F,
    ) -> Result<Ended<F::Output>, PluginError>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        // The lines of its log belong to the session, on whatever thread.
        let call = call.in_current_span();
        let charge = |time| resources.clients.charge(client, time);
        let expected = match resources.clients.is_demanding(client) {
            true => Expected::Long,
            false => Expected::Short,
        };
        let ended = resources
            .long_calls
            .run(client, self.wall, expected, call, charge);
        ended.await.map_err(|stopped| match stopped {
            Stopped::Elapsed => PluginError::Wall {
                key: self.wall_key,
                limit: self.wall,
            },
            Stopped::Exhausted(limit) => HostFault::ClientCpu(limit).into(),
        })
    }

    const fn out_of_time(&self) -> PluginError {
        PluginError::Cpu {
            key: self.cpu_key,
            limit: self.cpu,
        }
    }

    /// What is left until `end` after a call that has used the CPU time `used`.
    const fn remainder(&self, end: Instant, used: Duration) -> Remainder {
        Remainder {
            used,
            cpu: self.cpu,
            cpu_key: self.cpu_key,
            end: Some(end),
            wall: self.wall,
            wall_key: self.wall_key,
        }
    }

    /// Ends a call, and converts its error.
    ///
    /// # Errors
    ///
    /// Fails if the call failed. The error names the limit that was exceeded, if there is one.
    pub(super) fn finish<T>(
        &self,
        state: &mut HostState,
        facts: &PluginFacts,
        result: wasmtime::Result<T>,
    ) -> Result<T, PluginError> {
        state.end_call();
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        match state.memory.denied() {
            Some(Denied::Machine) => return Err(HostFault::Room(error).into()),
            Some(Denied::Budget(limit)) => return Err(HostFault::Memory(limit).into()),
            Some(Denied::Plugin) => return Err(PluginError::Memory(facts.limits.memory)),
            None => {}
        }
        if error.is::<OutOfTime>() {
            return Err(self.out_of_time());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Err(self.out_of_time()),
            Some(_) => Err(PluginError::Trap(error)),
            None => Err(host_error(error, facts)),
        }
    }
}
