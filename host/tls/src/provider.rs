//! The cryptography of all TLS connections.

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

/// The cryptography of all TLS connections of the gateway.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}
