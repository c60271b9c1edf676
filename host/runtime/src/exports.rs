//! The event functions of a component: found when the component is loaded, and called with the facts of a
//! question.

use postgate_contract::{Event, for_each_event};
use postgate_proto::address::Charset;
use wasmtime::Store;
use wasmtime::component::{Instance as WasmInstance, InstancePre};

use crate::bindings::events::{
    on_auth, on_auth_keys, on_body_chunk, on_command, on_connect, on_data, on_disconnect, on_expn,
    on_headers, on_helo, on_help, on_init, on_mail, on_message, on_outcome, on_proxy, on_rcpt,
    on_reset, on_self_test, on_starttls, on_vrfy,
};
use crate::context::Context;
use crate::convert::{self, Arguments, Unchecked};
use crate::error::PluginError;
use crate::host::HostState;
use crate::question::Question;
use crate::verdict::{PluginAnswer, Verdict};

/// Defines the types below from the table of events.
macro_rules! functions {
    ($($event:ident $name:literal $interface:ident $answer:ident $limits:ident,)+) => {
        /// The indices of the functions that a component exports, or `None` for those that it does not.
        pub(crate) struct Exports {
            pub(crate) init: Option<on_init::GuestIndices>,
            pub(crate) self_test: Option<on_self_test::GuestIndices>,
            $($interface: Option<$interface::GuestIndices>,)+
        }

        /// The event functions of an instance, or `None` for those that its component does not export.
        pub(crate) struct Guests {
            pub(crate) self_test: Option<on_self_test::Guest>,
            $($interface: Option<$interface::Guest>,)+
        }

        impl Exports {
            /// Finds the functions that a component exports.
            pub(crate) fn of(pre: &InstancePre<HostState>) -> Self {
                Self {
                    init: on_init::GuestIndices::new(pre).ok(),
                    self_test: on_self_test::GuestIndices::new(pre).ok(),
                    $($interface: $interface::GuestIndices::new(pre).ok(),)+
                }
            }

            /// True if the component exports the function of an event.
            pub(crate) const fn has(&self, event: Event) -> bool {
                match event {
                    $(Event::$event => self.$interface.is_some(),)+
                }
            }

            /// Looks the functions up in an instance.
            ///
            /// # Errors
            ///
            /// Fails if a function does not have the type of the contract.
            pub(crate) fn load(
                &self,
                store: &mut Store<HostState>,
                instance: &WasmInstance,
            ) -> wasmtime::Result<Guests> {
                macro_rules! load {
                    ($field:ident) => {
                        match &self.$field {
                            Some(indices) => Some(indices.load(&mut *store, instance)?),
                            None => None,
                        }
                    };
                }
                Ok(Guests {
                    self_test: load!(self_test),
                    $($interface: load!($interface),)+
                })
            }
        }
    };
}

for_each_event!(functions);

/// The result of a call. The outer error is one of the engine, the inner one of the answer.
type CallResult = wasmtime::Result<Result<Unchecked, PluginError>>;

/// A call of an event function, which belongs to no session.
pub(crate) struct Call {
    event: Event,
    arguments: Arguments,
    /// The characters that addresses in the answer may have.
    charset: Charset,
    /// True for a command that the gateway knows.
    is_known: bool,
}

impl Call {
    /// The call that asks a question.
    pub(crate) fn new(question: Question<'_>, context: &Context) -> Self {
        Self {
            event: question.event(),
            charset: question.charset(context),
            is_known: matches!(question, Question::Command(line) if line.known),
            arguments: Arguments::of(question),
        }
    }
}

/// Calls the function of an event. If the component does not export it, the enclosing function
/// returns [`PluginError::NotExported`]: a plugin that cannot answer has failed, and has not said "next".
macro_rules! call {
    ($guests:ident.$interface:ident.$call:ident($($argument:expr),*), $event:ident) => {
        match &$guests.$interface {
            Some(function) => function.$call($($argument),*).await?,
            None => return Ok(Err(PluginError::NotExported(Event::$event))),
        }
    };
}

impl Guests {
    /// Makes a call.
    ///
    /// # Errors
    ///
    /// The outer error means that the guest trapped or exceeded a limit, the inner one that its answer is
    /// invalid.
    pub(crate) async fn ask(
        &self,
        call: Call,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<Result<PluginAnswer, PluginError>> {
        let answer = match self.call(call, store).await? {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let mut meter = store.data().meter();
        Ok(answer.check(&mut meter).await?.map_err(PluginError::from))
    }

    async fn call(&self, call: Call, store: &mut Store<HostState>) -> CallResult {
        let Call {
            event,
            arguments,
            charset,
            is_known,
        } = call;
        let answer = match (event, arguments) {
            (Event::Proxy, _) => convert::proxy(call!(self.on_proxy.call_on_proxy(store), Proxy)),
            (Event::Connect, _) => {
                convert::connect(call!(self.on_connect.call_on_connect(store), Connect))
            }
            (Event::Helo, Arguments::Text(name)) => {
                convert::helo(call!(self.on_helo.call_on_helo(store, &name), Helo))
            }
            (Event::StartTls, _) => {
                convert::starttls(call!(self.on_starttls.call_on_starttls(store), StartTls))
            }
            (Event::AuthKeys, Arguments::Text(identity)) => convert::auth_keys(call!(
                self.on_auth_keys.call_on_auth_keys(store, &identity),
                AuthKeys
            )),
            (Event::Auth, Arguments::Credentials(credentials)) => {
                convert::auth(call!(self.on_auth.call_on_auth(store, &credentials), Auth))
            }
            (Event::Mail, Arguments::Text(sender)) => convert::mail(
                call!(self.on_mail.call_on_mail(store, &sender), Mail),
                charset,
            ),
            (Event::Rcpt, Arguments::Recipient(path, parameters)) => {
                let answer = call!(self.on_rcpt.call_on_rcpt(store, &path, &parameters), Rcpt);
                convert::rcpt(answer, charset)
            }
            (Event::Data, _) => convert::data(call!(self.on_data.call_on_data(store), Data)),
            (Event::Headers, _) => {
                convert::headers(call!(self.on_headers.call_on_headers(store), Headers))
            }
            (Event::BodyChunk, Arguments::BodyChunk(chunk)) => {
                let answer = call!(
                    self.on_body_chunk.call_on_body_chunk(store, &chunk),
                    BodyChunk
                );
                convert::body_chunk_answer(answer)
            }
            (Event::Message, _) => convert::message(
                call!(self.on_message.call_on_message(store), Message),
                charset,
            ),
            (event, arguments) => {
                return self
                    .ask_beside_mail(event, arguments, is_known, store)
                    .await;
            }
        };
        Ok(answer.map_err(PluginError::from))
    }

    /// Asks for the reply to a command that is no step of a transaction, or gives notice.
    async fn ask_beside_mail(
        &self,
        event: Event,
        arguments: Arguments,
        is_known: bool,
        store: &mut Store<HostState>,
    ) -> CallResult {
        let answer = match (event, arguments) {
            (Event::Vrfy, Arguments::Text(user)) => {
                convert::vrfy(call!(self.on_vrfy.call_on_vrfy(store, &user), Vrfy))
            }
            (Event::Expn, Arguments::Text(list)) => {
                convert::expn(call!(self.on_expn.call_on_expn(store, &list), Expn))
            }
            (Event::Help, Arguments::Text(topic)) => {
                convert::help(call!(self.on_help.call_on_help(store, &topic), Help))
            }
            (Event::Command, Arguments::Command(command)) => {
                let answer = call!(self.on_command.call_on_command(store, &command), Command);
                convert::command(answer, is_known)
            }
            (Event::Outcome, Arguments::Outcome(outcome)) => {
                call!(self.on_outcome.call_on_outcome(store, &outcome), Outcome);
                Ok(Unchecked::of(Verdict::Next))
            }
            (Event::Reset, Arguments::Reset(cause)) => {
                call!(self.on_reset.call_on_reset(store, cause), Reset);
                Ok(Unchecked::of(Verdict::Next))
            }
            (Event::Disconnect, Arguments::Disconnect(summary)) => {
                call!(
                    self.on_disconnect.call_on_disconnect(store, summary),
                    Disconnect
                );
                Ok(Unchecked::of(Verdict::Next))
            }
            // It does not happen. The compiler demands a value, and an error is safer than "next".
            (event, _) => return Ok(Err(PluginError::NotExported(event))),
        };
        Ok(answer.map_err(PluginError::from))
    }
}
