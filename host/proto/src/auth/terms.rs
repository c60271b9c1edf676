//! The inputs of an AUTH exchange.

/// The inputs of an exchange from its session.
#[derive(Clone, Copy)]
pub(crate) struct ExchangeTerms<'a> {
    /// The host name of the server.
    pub(crate) hostname: &'a str,
    /// Unpredictable octets for this exchange alone.
    pub(crate) nonce: [u8; 32],
    /// The channel binding `tls-exporter`.
    pub(crate) exporter: Option<[u8; 32]>,
    /// True if EHLO lists a mechanism with channel binding.
    pub(crate) offers_binding: bool,
}
