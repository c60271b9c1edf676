//! The types and traits that wasmtime generates from the contract.

#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    dead_code,
    clippy::all,
    reason = "generated code; the WIT files are documented"
)]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "all-events",
        imports: {
            "postgate:plugin/dns": async | trappable,
            "postgate:plugin/files": async | trappable,
            "postgate:plugin/message.header-text": async | trappable,
            "postgate:plugin/message.headers-named": async | trappable,
            "postgate:plugin/message.html-part": async | trappable,
            "postgate:plugin/message.part-at": async | trappable,
            "postgate:plugin/message.part-count": async | trappable,
            "postgate:plugin/message.part-headers": async | trappable,
            "postgate:plugin/message.plain-part": async | trappable,
            "postgate:plugin/message.read-part": async | trappable,
            "postgate:plugin/message.read-text": async | trappable,
            default: trappable,
        },
        exports: { default: async },
    });
}

pub(super) use generated::AllEvents;
pub(super) use generated::exports::postgate::plugin as events;
pub(super) use generated::postgate::plugin as host;
