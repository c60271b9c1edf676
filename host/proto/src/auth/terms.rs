//! What an AUTH exchange depends on.

/// What an exchange needs to know about the session in which it takes place.
#[derive(Clone, Copy)]
pub(crate) struct ExchangeTerms<'a> {
    /// The name of the server.
    pub(crate) hostname: &'a str,
    /// Octets that nobody can foresee, for this exchange alone.
    pub(crate) nonce: [u8; 32],
    /// The channel binding, where there is one.
    pub(crate) exporter: Option<[u8; 32]>,
    /// Whether EHLO lists a mechanism with channel binding.
    pub(crate) offers_binding: bool,
}
