//! What the sessions of a gateway share, beside the plugins.

use std::sync::Arc;

use postgate_config::Config;
use postgate_delivery::{Delivery, Maildir};
use postgate_spool::SpoolSettings;

use crate::auth::AuthSecretError;
use crate::auth::attempts::Attempts;
use crate::auth::secrets::Secrets;
use crate::metrics::Metrics;

/// What the sessions of a gateway share, beside the plugins.
#[derive(Debug)]
pub struct Services {
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) delivery: Delivery,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) quarantine: Option<Maildir>,
    pub(crate) secrets: Secrets,
    pub(crate) spool: Arc<SpoolSettings>,
}

/// Why there are no services.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// The file `auth-secret-file` cannot be used.
    #[error(transparent)]
    AuthSecret(#[from] AuthSecretError),
    /// The system has no random octets.
    #[error("cannot draw random octets: {0}")]
    Random(#[from] getrandom::Error),
}

impl Services {
    /// The services of a gateway with this configuration.
    ///
    /// # Errors
    ///
    /// Fails if the secrets of authentication are not available.
    pub fn new(
        config: &Config,
        delivery: Delivery,
        quarantine: Option<Maildir>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServicesError> {
        let mut secrets = Secrets::draw()?;
        if let Some(file) = &config.auth_secret_file {
            secrets = secrets.with_decoys_of(file)?;
        }
        let limits = &config.limits;
        Ok(Self {
            attempts: Arc::new(Attempts::new(limits)),
            delivery,
            metrics,
            quarantine,
            secrets,
            spool: Arc::new(SpoolSettings {
                memory: limits.spool_memory as usize,
                // Each listener has a limit of its own, which its sessions keep.
                limit: u64::from(u32::MAX),
                directory: None,
            }),
        })
    }
}
