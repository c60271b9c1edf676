//! The macro that exports a plugin as a component.

/// Exports the type as a component that handles the named events.
///
/// The component exports only these, and `on-init`, which creates the plugin from its
/// configuration. It carries the version of the crate, which `postgate plugin list` shows.
///
/// ```
/// use postgate_plugin::prelude::*;
///
/// #[derive(Default)]
/// struct Counter {
///     recipients: u32,
/// }
///
/// impl OnRcpt for Counter {
///     fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
///         self.recipients += 1;
///         RcptAnswer::next()
///     }
/// }
///
/// impl OnDisconnect for Counter {
///     fn on_disconnect(&mut self, _summary: &Summary) {
///         log::info(format!("{} recipients", self.recipients));
///     }
/// }
///
/// postgate_plugin::export!(Counter: OnRcpt, OnDisconnect);
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ident: $($event:ident),+ $(,)?) => {
        const _: () = {
            impl $crate::private::Instance for $plugin {
                fn slot() -> &'static ::std::thread::LocalKey<::std::cell::RefCell<Option<Self>>> {
                    ::std::thread_local! {
                        static SLOT: ::std::cell::RefCell<Option<$plugin>> =
                            const { ::std::cell::RefCell::new(None) };
                    }
                    &SLOT
                }
            }

            $(
                const _: () = {
                    const fn handles<P: $crate::$event>() {}
                    handles::<$plugin>()
                };
            )+

            // On other targets, the names of the exports would clash if two plugins are linked into
            // one program, for example into a test.
            #[cfg(target_arch = "wasm32")]
            const _: () = {
                /// Where component tools look for the version of a component.
                #[used]
                #[unsafe(link_section = "version")]
                static VERSION: [u8; ::core::env!("CARGO_PKG_VERSION").len()] =
                    *::core::env!("CARGO_PKG_VERSION").as_bytes().first_chunk().unwrap();

                $crate::export_event!($plugin: OnInit);
                $($crate::export_event!($plugin: $event);)+
            };
        };
    };
}

/// The exports of one event.
#[doc(hidden)]
#[macro_export]
macro_rules! export_event {
    ($plugin:ident: OnInit) => {
        $crate::bindings::init::export!($plugin with_types_in $crate::bindings::init);
    };
    ($plugin:ident: OnSelfTest) => {
        $crate::bindings::self_test::export!($plugin with_types_in $crate::bindings::self_test);
    };
    ($plugin:ident: OnProxy) => {
        $crate::bindings::proxy::export!($plugin with_types_in $crate::bindings::proxy);
    };
    ($plugin:ident: OnConnect) => {
        $crate::bindings::connect::export!($plugin with_types_in $crate::bindings::connect);
    };
    ($plugin:ident: OnHelo) => {
        $crate::bindings::helo::export!($plugin with_types_in $crate::bindings::helo);
    };
    ($plugin:ident: OnStarttls) => {
        $crate::bindings::starttls::export!($plugin with_types_in $crate::bindings::starttls);
    };
    ($plugin:ident: OnAuthKeys) => {
        $crate::bindings::auth_keys::export!($plugin with_types_in $crate::bindings::auth_keys);
    };
    ($plugin:ident: OnAuth) => {
        $crate::bindings::auth::export!($plugin with_types_in $crate::bindings::auth);
    };
    ($plugin:ident: OnMail) => {
        $crate::bindings::mail::export!($plugin with_types_in $crate::bindings::mail);
    };
    ($plugin:ident: OnRcpt) => {
        $crate::bindings::rcpt::export!($plugin with_types_in $crate::bindings::rcpt);
    };
    ($plugin:ident: OnData) => {
        $crate::bindings::data::export!($plugin with_types_in $crate::bindings::data);
    };
    ($plugin:ident: OnHeaders) => {
        $crate::bindings::headers::export!($plugin with_types_in $crate::bindings::headers);
    };
    ($plugin:ident: OnBodyChunk) => {
        $crate::bindings::body_chunk::export!($plugin with_types_in $crate::bindings::body_chunk);
    };
    ($plugin:ident: OnMessage) => {
        $crate::bindings::message::export!($plugin with_types_in $crate::bindings::message);
    };
    ($plugin:ident: OnOutcome) => {
        $crate::bindings::outcome::export!($plugin with_types_in $crate::bindings::outcome);
    };
    ($plugin:ident: OnReset) => {
        $crate::bindings::reset::export!($plugin with_types_in $crate::bindings::reset);
    };
    ($plugin:ident: OnVrfy) => {
        $crate::bindings::vrfy::export!($plugin with_types_in $crate::bindings::vrfy);
    };
    ($plugin:ident: OnExpn) => {
        $crate::bindings::expn::export!($plugin with_types_in $crate::bindings::expn);
    };
    ($plugin:ident: OnHelp) => {
        $crate::bindings::help::export!($plugin with_types_in $crate::bindings::help);
    };
    ($plugin:ident: OnCommand) => {
        $crate::bindings::command::export!($plugin with_types_in $crate::bindings::command);
    };
    ($plugin:ident: OnDisconnect) => {
        $crate::bindings::disconnect::export!($plugin with_types_in $crate::bindings::disconnect);
    };
}
