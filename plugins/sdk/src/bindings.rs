//! Code generated from the contract: one module for the imports of a plugin, and one for each
//! event.
//!
//! Every event has a world of its own, so that a plugin exports only the events that it names. All
//! of them share the types of [`imports`].

/// The types of the contract and the functions of the host.
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "imports",
        additional_derives: [PartialEq, Eq],
        generate_unused_types: true,
    });
}

/// Generates the module of one event; `with types` if its answer uses types of the contract.
macro_rules! event {
    ($module:ident, $world:literal $(, with $types:ident)?) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                inline: $world,
                with: {
                    $("postgate:plugin/types@0.1.0": crate::bindings::imports::postgate::plugin::$types)?
                },
                additional_derives: [PartialEq, Eq],
                pub_export_macro: true,
            });
        }
    };
}

event!(
    init,
    "package sdk:init; world sdk-init { export postgate:plugin/on-init@0.1.0; }"
);
event!(
    self_test,
    "package sdk:self-test; world sdk-self-test { export postgate:plugin/on-self-test@0.1.0; }"
);
event!(
    proxy,
    "package sdk:proxy; world sdk-proxy { export postgate:plugin/on-proxy@0.1.0; }",
    with types
);
event!(
    connect,
    "package sdk:connect; world sdk-connect { export postgate:plugin/on-connect@0.1.0; }",
    with types
);
event!(
    helo,
    "package sdk:helo; world sdk-helo { export postgate:plugin/on-helo@0.1.0; }",
    with types
);
event!(
    starttls,
    "package sdk:starttls; world sdk-starttls { export postgate:plugin/on-starttls@0.1.0; }",
    with types
);
event!(
    auth_keys,
    "package sdk:auth-keys; world sdk-auth-keys { export postgate:plugin/on-auth-keys@0.1.0; }"
);
event!(
    auth,
    "package sdk:auth; world sdk-auth { export postgate:plugin/on-auth@0.1.0; }",
    with types
);
event!(
    mail,
    "package sdk:mail; world sdk-mail { export postgate:plugin/on-mail@0.1.0; }",
    with types
);
event!(
    rcpt,
    "package sdk:rcpt; world sdk-rcpt { export postgate:plugin/on-rcpt@0.1.0; }",
    with types
);
event!(
    data,
    "package sdk:data; world sdk-data { export postgate:plugin/on-data@0.1.0; }",
    with types
);
event!(
    headers,
    "package sdk:headers; world sdk-headers { export postgate:plugin/on-headers@0.1.0; }",
    with types
);
event!(
    body_chunk,
    "package sdk:body-chunk; world sdk-body-chunk { export postgate:plugin/on-body-chunk@0.1.0; }",
    with types
);
event!(
    message,
    "package sdk:message; world sdk-message { export postgate:plugin/on-message@0.1.0; }",
    with types
);
event!(
    outcome,
    "package sdk:outcome; world sdk-outcome { export postgate:plugin/on-outcome@0.1.0; }",
    with types
);
event!(
    reset,
    "package sdk:reset; world sdk-reset { export postgate:plugin/on-reset@0.1.0; }"
);
event!(
    vrfy,
    "package sdk:vrfy; world sdk-vrfy { export postgate:plugin/on-vrfy@0.1.0; }",
    with types
);
event!(
    expn,
    "package sdk:expn; world sdk-expn { export postgate:plugin/on-expn@0.1.0; }",
    with types
);
event!(
    help,
    "package sdk:help; world sdk-help { export postgate:plugin/on-help@0.1.0; }",
    with types
);
event!(
    command,
    "package sdk:command; world sdk-command { export postgate:plugin/on-command@0.1.0; }",
    with types
);
event!(
    disconnect,
    "package sdk:disconnect; world sdk-disconnect { export postgate:plugin/on-disconnect@0.1.0; }"
);
