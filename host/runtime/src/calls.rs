//! The functions of a component, one an event: found when it is loaded, called with what the context
//! says.

use wasmtime::Store;
use wasmtime::component::{Instance as WasmInstance, InstancePre};

use crate::bindings::events::{
    on_auth, on_auth_keys, on_body_chunk, on_command, on_connect, on_data, on_disconnect, on_expn,
    on_headers, on_helo, on_help, on_init, on_mail, on_message, on_outcome, on_proxy, on_rcpt,
    on_reset, on_self_test, on_starttls, on_vrfy,
};
use crate::context::{Context, Occasion};
use crate::convert;
use crate::host::HostState;
use crate::verdict::Opinion;
use postgate_contract::Event;

/// Says once which field and which interface belong to which event.
macro_rules! functions {
    ($($event:ident => $field:ident: $interface:ident),+ $(,)?) => {
        /// Where the event functions of a component are.
        pub(super) struct Exports {
            pub(super) init: Option<on_init::GuestIndices>,
            pub(super) self_test: Option<on_self_test::GuestIndices>,
            $($field: Option<$interface::GuestIndices>,)+
        }

        /// The event functions of an instance.
        pub(super) struct Guests {
            pub(super) self_test: Option<on_self_test::Guest>,
            $($field: Option<$interface::Guest>,)+
        }

        impl Exports {
            pub(super) fn of(pre: &InstancePre<HostState>) -> Self {
                Self {
                    init: on_init::GuestIndices::new(pre).ok(),
                    self_test: on_self_test::GuestIndices::new(pre).ok(),
                    $($field: $interface::GuestIndices::new(pre).ok(),)+
                }
            }

            pub(super) const fn handles(&self, event: Event) -> bool {
                match event {
                    $(Event::$event => self.$field.is_some(),)+
                }
            }

            /// Looks the functions up in an instance, and checks their types.
            pub(super) fn load(
                &self,
                store: &mut Store<HostState>,
                instance: &WasmInstance,
            ) -> wasmtime::Result<Guests> {
                macro_rules! load {
                    ($name:ident) => {
                        match &self.$name {
                            Some(indices) => Some(indices.load(&mut *store, instance)?),
                            None => None,
                        }
                    };
                }
                Ok(Guests {
                    self_test: load!(self_test),
                    $($field: load!($field),)+
                })
            }
        }
    };
}

functions! {
    Proxy => proxy: on_proxy,
    Connect => connect: on_connect,
    Helo => helo: on_helo,
    StartTls => starttls: on_starttls,
    AuthKeys => auth_keys: on_auth_keys,
    Auth => auth: on_auth,
    Mail => mail: on_mail,
    Rcpt => rcpt: on_rcpt,
    Data => data: on_data,
    Headers => headers: on_headers,
    BodyChunk => body_chunk: on_body_chunk,
    Message => message: on_message,
    Outcome => outcome: on_outcome,
    Reset => reset: on_reset,
    Vrfy => vrfy: on_vrfy,
    Expn => expn: on_expn,
    Help => help: on_help,
    Command => command: on_command,
    Disconnect => disconnect: on_disconnect,
}

impl Guests {
    /// Calls the function of an event with what the context says. An event that the plugin does not
    /// handle, or whose facts are not there, has no objection.
    pub(super) async fn ask(
        &self,
        event: Event,
        store: &mut Store<HostState>,
        context: &Context,
    ) -> wasmtime::Result<Result<Opinion, String>> {
        let charset = context.charset();
        let transaction = context.transaction.as_ref();
        let occasion = context.occasion.as_ref();
        match event {
            Event::Proxy => {
                if let Some(guest) = &self.proxy {
                    return Ok(convert::proxy(guest.call_on_proxy(store).await?));
                }
            }
            Event::Connect => {
                if let Some(guest) = &self.connect {
                    return Ok(convert::connect(guest.call_on_connect(store).await?));
                }
            }
            Event::Helo => {
                if let (Some(guest), Some((_, name))) = (&self.helo, &context.helo) {
                    return Ok(convert::helo(guest.call_on_helo(store, name).await?));
                }
            }
            Event::StartTls => {
                if let Some(guest) = &self.starttls {
                    return Ok(convert::starttls(guest.call_on_starttls(store).await?));
                }
            }
            Event::AuthKeys => {
                if let (Some(guest), Some(Occasion::About(identity))) = (&self.auth_keys, occasion)
                {
                    let keys = guest.call_on_auth_keys(store, identity).await?;
                    return Ok(convert::auth_keys(keys));
                }
            }
            Event::Auth => {
                if let (Some(guest), Some(credentials)) = (&self.auth, &context.credentials) {
                    let credentials = convert::credentials(credentials);
                    return Ok(convert::auth(
                        guest.call_on_auth(store, &credentials).await?,
                    ));
                }
            }
            Event::Mail => {
                if let (Some(guest), Some(transaction)) = (&self.mail, transaction) {
                    let answer = guest
                        .call_on_mail(store, transaction.sender.as_str())
                        .await?;
                    return Ok(convert::mail(answer, charset));
                }
            }
            Event::Rcpt => {
                let candidate = transaction.and_then(|transaction| transaction.candidate.as_ref());
                if let (Some(guest), Some(recipient)) = (&self.rcpt, candidate) {
                    let parameters = convert::parameters(&recipient.parameters);
                    let answer = guest
                        .call_on_rcpt(store, recipient.path.as_str(), &parameters)
                        .await?;
                    return Ok(convert::rcpt(answer, charset));
                }
            }
            Event::Data => {
                if let Some(guest) = &self.data {
                    return Ok(convert::data(guest.call_on_data(store).await?));
                }
            }
            Event::Headers => {
                if let Some(guest) = &self.headers {
                    return Ok(convert::headers(guest.call_on_headers(store).await?));
                }
            }
            Event::BodyChunk => {
                if let (Some(guest), Some(Occasion::BodyChunk(chunk))) =
                    (&self.body_chunk, occasion)
                {
                    let chunk = convert::body_chunk(chunk);
                    let answer = guest.call_on_body_chunk(store, &chunk).await?;
                    return Ok(convert::body_chunk_answer(answer));
                }
            }
            Event::Message => {
                if let Some(guest) = &self.message {
                    return Ok(convert::message(
                        guest.call_on_message(store).await?,
                        charset,
                    ));
                }
            }
            Event::Outcome => {
                if let (Some(guest), Some(Occasion::Outcome(outcome))) = (&self.outcome, occasion) {
                    let outcome = convert::outcome(outcome);
                    guest.call_on_outcome(store, &outcome).await?;
                }
            }
            Event::Reset => {
                if let (Some(guest), Some(Occasion::Reset(cause))) = (&self.reset, occasion) {
                    guest.call_on_reset(store, convert::cause(*cause)).await?;
                }
            }
            Event::Vrfy => {
                if let (Some(guest), Some(Occasion::About(user))) = (&self.vrfy, occasion) {
                    return Ok(convert::vrfy(guest.call_on_vrfy(store, user).await?));
                }
            }
            Event::Expn => {
                if let (Some(guest), Some(Occasion::About(list))) = (&self.expn, occasion) {
                    return Ok(convert::expn(guest.call_on_expn(store, list).await?));
                }
            }
            Event::Help => {
                if let (Some(guest), Some(Occasion::About(topic))) = (&self.help, occasion) {
                    return Ok(convert::help(guest.call_on_help(store, topic).await?));
                }
            }
            Event::Command => {
                if let (Some(guest), Some(Occasion::Command(line))) = (&self.command, occasion) {
                    let command = convert::command_line(line);
                    let answer = guest.call_on_command(store, &command).await?;
                    return Ok(convert::command(answer, line.known));
                }
            }
            Event::Disconnect => {
                if let (Some(guest), Some(Occasion::Disconnect(summary))) =
                    (&self.disconnect, occasion)
                {
                    guest
                        .call_on_disconnect(store, convert::summary(*summary))
                        .await?;
                }
            }
        }
        Ok(Ok(Opinion::NEXT))
    }
}
