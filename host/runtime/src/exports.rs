//! The event functions of a component: found when the component is loaded, and called with the facts of a
//! question.

use postgate_contract::{Event, for_each_event};
use wasmtime::Store;
use wasmtime::component::{Instance as WasmInstance, InstancePre};

use crate::bindings::events::{
    on_auth, on_auth_keys, on_body_chunk, on_command, on_connect, on_data, on_disconnect, on_expn,
    on_headers, on_helo, on_help, on_init, on_mail, on_message, on_outcome, on_proxy, on_rcpt,
    on_reset, on_self_test, on_starttls, on_vrfy,
};
use crate::context::Context;
use crate::convert;
use crate::error::PluginError;
use crate::host::HostState;
use crate::question::Question;
use crate::verdict::PluginAnswer;

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
type CallResult = wasmtime::Result<Result<PluginAnswer, PluginError>>;

/// Evaluates to the function of an event. If the component does not export it, the enclosing function
/// returns [`PluginError::NotExported`]: a plugin that cannot answer has failed, and has not said "next".
macro_rules! function {
    ($guests:ident.$interface:ident, $event:ident) => {
        match &$guests.$interface {
            Some(function) => function,
            None => return Ok(Err(PluginError::NotExported(Event::$event))),
        }
    };
}

impl Guests {
    /// Calls the function of a question with its facts.
    ///
    /// # Errors
    ///
    /// The outer error means that the guest trapped or exceeded a limit, the inner one that its answer is
    /// invalid.
    pub(crate) async fn ask(
        &self,
        question: Question<'_>,
        store: &mut Store<HostState>,
        context: &Context,
    ) -> CallResult {
        match question {
            Question::Proxy
            | Question::Connect
            | Question::Helo(_)
            | Question::StartTls
            | Question::AuthKeys(_)
            | Question::Auth(_) => self.ask_about_client(question, store).await,
            Question::Mail(_)
            | Question::Rcpt(_)
            | Question::Data
            | Question::Headers
            | Question::BodyChunk(_)
            | Question::Message => self.ask_about_mail(question, store, context).await,
            Question::Vrfy(_) | Question::Expn(_) | Question::Help(_) | Question::Command(_) => {
                self.ask_for_reply(question, store).await
            }
            Question::Outcome(_) | Question::Reset(_) | Question::Disconnect(_) => {
                self.notify(question, store).await
            }
        }
    }

    async fn ask_about_client(
        &self,
        question: Question<'_>,
        store: &mut Store<HostState>,
    ) -> CallResult {
        let answer = match question {
            Question::Proxy => {
                let function = function!(self.on_proxy, Proxy);
                convert::proxy(function.call_on_proxy(store).await?)
            }
            Question::Connect => {
                let function = function!(self.on_connect, Connect);
                convert::connect(function.call_on_connect(store).await?)
            }
            Question::Helo(introduction) => {
                let function = function!(self.on_helo, Helo);
                convert::helo(function.call_on_helo(store, &introduction.name).await?)
            }
            Question::StartTls => {
                let function = function!(self.on_starttls, StartTls);
                convert::starttls(function.call_on_starttls(store).await?)
            }
            Question::AuthKeys(identity) => {
                let function = function!(self.on_auth_keys, AuthKeys);
                convert::auth_keys(function.call_on_auth_keys(store, identity).await?)
            }
            Question::Auth(credentials) => {
                let function = function!(self.on_auth, Auth);
                let credentials = convert::credentials(credentials);
                convert::auth(function.call_on_auth(store, &credentials).await?)
            }
            other => return misrouted(other),
        };
        Ok(answer.map_err(PluginError::from))
    }

    async fn ask_about_mail(
        &self,
        question: Question<'_>,
        store: &mut Store<HostState>,
        context: &Context,
    ) -> CallResult {
        let charset = question.charset(context);
        let answer = match question {
            Question::Mail(transaction) => {
                let function = function!(self.on_mail, Mail);
                let sender = transaction.envelope.sender.as_str();
                convert::mail(function.call_on_mail(store, sender).await?, charset)
            }
            Question::Rcpt(recipient) => {
                let function = function!(self.on_rcpt, Rcpt);
                let parameters = convert::parameters(&recipient.parameters);
                let path = recipient.path.as_str();
                let answer = function.call_on_rcpt(store, path, &parameters).await?;
                convert::rcpt(answer, charset)
            }
            Question::Data => {
                let function = function!(self.on_data, Data);
                convert::data(function.call_on_data(store).await?)
            }
            Question::Headers => {
                let function = function!(self.on_headers, Headers);
                convert::headers(function.call_on_headers(store).await?)
            }
            Question::BodyChunk(chunk) => {
                let function = function!(self.on_body_chunk, BodyChunk);
                let chunk = convert::body_chunk(chunk);
                convert::body_chunk_answer(function.call_on_body_chunk(store, &chunk).await?)
            }
            Question::Message => {
                let function = function!(self.on_message, Message);
                convert::message(function.call_on_message(store).await?, charset)
            }
            other => return misrouted(other),
        };
        Ok(answer.map_err(PluginError::from))
    }

    async fn ask_for_reply(
        &self,
        question: Question<'_>,
        store: &mut Store<HostState>,
    ) -> CallResult {
        let answer = match question {
            Question::Vrfy(user) => {
                let function = function!(self.on_vrfy, Vrfy);
                convert::vrfy(function.call_on_vrfy(store, user).await?)
            }
            Question::Expn(list) => {
                let function = function!(self.on_expn, Expn);
                convert::expn(function.call_on_expn(store, list).await?)
            }
            Question::Help(topic) => {
                let function = function!(self.on_help, Help);
                convert::help(function.call_on_help(store, topic).await?)
            }
            Question::Command(line) => {
                let function = function!(self.on_command, Command);
                let command = convert::command_line(line);
                let answer = function.call_on_command(store, &command).await?;
                convert::command(answer, line.known)
            }
            other => return misrouted(other),
        };
        Ok(answer.map_err(PluginError::from))
    }

    async fn notify(&self, question: Question<'_>, store: &mut Store<HostState>) -> CallResult {
        match question {
            Question::Outcome(outcome) => {
                let function = function!(self.on_outcome, Outcome);
                let outcome = convert::outcome(outcome);
                function.call_on_outcome(store, &outcome).await?;
            }
            Question::Reset(cause) => {
                let function = function!(self.on_reset, Reset);
                let cause = convert::cause(cause);
                function.call_on_reset(store, cause).await?;
            }
            Question::Disconnect(summary) => {
                let function = function!(self.on_disconnect, Disconnect);
                let summary = convert::summary(summary);
                function.call_on_disconnect(store, summary).await?;
            }
            other => return misrouted(other),
        }
        Ok(Ok(PluginAnswer::NEXT))
    }
}

/// The result for a question that [`Guests::ask`] passed to the wrong function, which does not happen. The
/// compiler demands a value, and an error is safer than "next".
fn misrouted(question: Question<'_>) -> CallResult {
    Ok(Err(PluginError::NotExported(question.event())))
}
