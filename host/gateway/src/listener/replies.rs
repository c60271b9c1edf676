//! Replies to clients whose connection the gateway closes without a session.

use postgate_proto::reply::{Enhanced, Refusal, Reply};
use postgate_runtime::pipeline;

pub(super) const NO_PROXY_HEADER: Reply =
    Reply::fixed(421, Enhanced::new(4, 3, 2), "This service is not for you");
pub(super) const TOO_BUSY: Reply =
    Reply::fixed(421, Enhanced::new(4, 3, 2), "Too busy, try again later");
pub(super) const TOO_MANY_CONNECTIONS: Reply = Reply::fixed(
    421,
    Enhanced::new(4, 7, 0),
    "Too many connections from your address",
);
/// As a client hears in the middle of a session.
pub(super) const TOO_MUCH_WORK: &Refusal = &pipeline::TOO_MUCH_WORK;
pub(super) const RATE_EXCEEDED: Reply = Reply::fixed(
    421,
    Enhanced::new(4, 7, 0),
    "Too many connections, slow down",
);
pub(super) const EARLY_TALKER: Refusal = Refusal::fixed(
    554,
    Enhanced::new(5, 5, 0),
    "You talk before you are greeted",
);
