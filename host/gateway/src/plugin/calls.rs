//! The functions of a component, one an event: found when it is loaded, called with what the context
//! says.

use wasmtime::Store;
use wasmtime::component::{Instance as WasmInstance, InstancePre};

use crate::config::sidecar::Event;
use crate::plugin::bindings::events::{
    on_auth, on_command, on_connect, on_data, on_disconnect, on_expn, on_headers, on_helo, on_help,
    on_init, on_mail, on_message, on_proxy, on_rcpt, on_self_test, on_vrfy,
};
use crate::plugin::context::{Context, Query};
use crate::plugin::convert;
use crate::plugin::host::HostState;
use crate::plugin::verdict::Opinion;

/// Where the event functions of a component are.
pub(super) struct Exports {
    pub(super) init: Option<on_init::GuestIndices>,
    self_test: Option<on_self_test::GuestIndices>,
    proxy: Option<on_proxy::GuestIndices>,
    connect: Option<on_connect::GuestIndices>,
    helo: Option<on_helo::GuestIndices>,
    auth: Option<on_auth::GuestIndices>,
    mail: Option<on_mail::GuestIndices>,
    rcpt: Option<on_rcpt::GuestIndices>,
    data: Option<on_data::GuestIndices>,
    headers: Option<on_headers::GuestIndices>,
    message: Option<on_message::GuestIndices>,
    vrfy: Option<on_vrfy::GuestIndices>,
    expn: Option<on_expn::GuestIndices>,
    help: Option<on_help::GuestIndices>,
    command: Option<on_command::GuestIndices>,
    disconnect: Option<on_disconnect::GuestIndices>,
}

/// The event functions of an instance.
pub(super) struct Guests {
    pub(super) self_test: Option<on_self_test::Guest>,
    proxy: Option<on_proxy::Guest>,
    connect: Option<on_connect::Guest>,
    helo: Option<on_helo::Guest>,
    auth: Option<on_auth::Guest>,
    mail: Option<on_mail::Guest>,
    rcpt: Option<on_rcpt::Guest>,
    data: Option<on_data::Guest>,
    headers: Option<on_headers::Guest>,
    message: Option<on_message::Guest>,
    vrfy: Option<on_vrfy::Guest>,
    expn: Option<on_expn::Guest>,
    help: Option<on_help::Guest>,
    command: Option<on_command::Guest>,
    disconnect: Option<on_disconnect::Guest>,
}

impl Exports {
    pub(super) fn of(pre: &InstancePre<HostState>) -> Self {
        Self {
            init: on_init::GuestIndices::new(pre).ok(),
            self_test: on_self_test::GuestIndices::new(pre).ok(),
            proxy: on_proxy::GuestIndices::new(pre).ok(),
            connect: on_connect::GuestIndices::new(pre).ok(),
            helo: on_helo::GuestIndices::new(pre).ok(),
            auth: on_auth::GuestIndices::new(pre).ok(),
            mail: on_mail::GuestIndices::new(pre).ok(),
            rcpt: on_rcpt::GuestIndices::new(pre).ok(),
            data: on_data::GuestIndices::new(pre).ok(),
            headers: on_headers::GuestIndices::new(pre).ok(),
            message: on_message::GuestIndices::new(pre).ok(),
            vrfy: on_vrfy::GuestIndices::new(pre).ok(),
            expn: on_expn::GuestIndices::new(pre).ok(),
            help: on_help::GuestIndices::new(pre).ok(),
            command: on_command::GuestIndices::new(pre).ok(),
            disconnect: on_disconnect::GuestIndices::new(pre).ok(),
        }
    }

    pub(super) const fn handles(&self, event: Event) -> bool {
        match event {
            Event::Proxy => self.proxy.is_some(),
            Event::Connect => self.connect.is_some(),
            Event::Helo => self.helo.is_some(),
            Event::Auth => self.auth.is_some(),
            Event::Mail => self.mail.is_some(),
            Event::Rcpt => self.rcpt.is_some(),
            Event::Data => self.data.is_some(),
            Event::Headers => self.headers.is_some(),
            Event::Message => self.message.is_some(),
            Event::Vrfy => self.vrfy.is_some(),
            Event::Expn => self.expn.is_some(),
            Event::Help => self.help.is_some(),
            Event::Command => self.command.is_some(),
            Event::Disconnect => self.disconnect.is_some(),
        }
    }

    /// Looks the functions up in an instance, and checks their types.
    pub(super) fn load(
        &self,
        store: &mut Store<HostState>,
        instance: &WasmInstance,
    ) -> wasmtime::Result<Guests> {
        macro_rules! load {
            ($event:ident) => {
                match &self.$event {
                    Some(indices) => Some(indices.load(&mut *store, instance)?),
                    None => None,
                }
            };
        }
        Ok(Guests {
            self_test: load!(self_test),
            proxy: load!(proxy),
            connect: load!(connect),
            helo: load!(helo),
            auth: load!(auth),
            mail: load!(mail),
            rcpt: load!(rcpt),
            data: load!(data),
            headers: load!(headers),
            message: load!(message),
            vrfy: load!(vrfy),
            expn: load!(expn),
            help: load!(help),
            command: load!(command),
            disconnect: load!(disconnect),
        })
    }
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
        let query = context.query.as_ref();
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
                if let (Some(guest), Some((recipient, parameters))) = (&self.rcpt, candidate) {
                    let parameters = convert::parameters(parameters);
                    let answer = guest
                        .call_on_rcpt(store, recipient.as_str(), &parameters)
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
            Event::Message => {
                if let Some(guest) = &self.message {
                    return Ok(convert::message(
                        guest.call_on_message(store).await?,
                        charset,
                    ));
                }
            }
            Event::Vrfy => {
                if let (Some(guest), Some(Query::About(user))) = (&self.vrfy, query) {
                    return Ok(convert::vrfy(guest.call_on_vrfy(store, user).await?));
                }
            }
            Event::Expn => {
                if let (Some(guest), Some(Query::About(list))) = (&self.expn, query) {
                    return Ok(convert::expn(guest.call_on_expn(store, list).await?));
                }
            }
            Event::Help => {
                if let (Some(guest), Some(Query::About(topic))) = (&self.help, query) {
                    return Ok(convert::help(guest.call_on_help(store, topic).await?));
                }
            }
            Event::Command => {
                if let (Some(guest), Some(Query::Command(line))) = (&self.command, query) {
                    let command = convert::command_line(line);
                    let answer = guest.call_on_command(store, &command).await?;
                    return Ok(convert::command(answer, line.known));
                }
            }
            Event::Disconnect => {
                if let (Some(guest), Some(summary)) = (&self.disconnect, context.summary) {
                    guest
                        .call_on_disconnect(store, convert::summary(summary))
                        .await?;
                }
            }
        }
        Ok(Ok(Opinion::NEXT))
    }
}
