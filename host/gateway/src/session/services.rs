//! The services that the sessions of a gateway share.

use std::sync::Arc;

use postgate_config::Config;
use postgate_delivery::{Delivery, Maildir};
use postgate_spool::SpoolSettings;

use crate::auth::AuthSecretError;
use crate::auth::attempts::Attempts;
use crate::auth::secrets::Secrets;
use crate::metrics::Metrics;

/// The services that the sessions of a gateway share, except for the plugins.
#[derive(Debug)]
pub struct Services {
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) delivery: Delivery,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) quarantine: Option<Maildir>,
    pub(crate) secrets: Secrets,
    pub(crate) spool: Arc<SpoolSettings>,
}

/// Why the services cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// The file `auth-secret-file` cannot be used. The operator has to change it.
    #[error(transparent)]
    AuthSecret(#[from] AuthSecretError),
    /// The system has no random octets.
    #[error("cannot get random octets: {0}")]
    Random(#[from] getrandom::Error),
}

impl Services {
    /// Sets up the services of a gateway.
    ///
    /// # Errors
    ///
    /// Fails if `auth-secret-file` cannot be used, or the system has no random octets.
    pub fn new(
        config: &Config,
        delivery: Delivery,
        quarantine: Option<Maildir>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServicesError> {
        let mut secrets = Secrets::generate()?;
        if let Some(file) = &config.auth_secret_file {
            secrets = secrets.with_decoy_secret_from(file)?;
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
                // The sessions enforce `limits.message-size` of their listener.
                limit: u64::from(u32::MAX),
                directory: None,
            }),
        })
    }
}
