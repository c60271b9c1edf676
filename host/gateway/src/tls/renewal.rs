//! Reloads certificates when their files change, and warns daily of those that expire.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info};

use postgate_tls::{FileChanges, Reloaded};

use super::error::TlsError;
use super::store::CertificateStore;
use crate::error_chain::Chain;

/// Reloads certificates when the system reports a change of their files, and at the interval `rescan`.
/// Once a day, checks the validity of the certificates in use. Does not return.
pub(crate) async fn watch(store: Arc<CertificateStore>, rescan: Duration) {
    tokio::join!(
        reload_on_change(&store, rescan),
        warn_periodically(&store, DAY)
    );
}

async fn reload_on_change(store: &Arc<CertificateStore>, rescan: Duration) {
    if store.files().next().is_none() {
        return;
    }
    let mut changes = FileChanges::of(store.files(), rescan);
    loop {
        let reloading = Arc::clone(store);
        // File systems can be slow.
        let result = spawn_blocking(move || reloading.reload_changed()).await;
        if let Ok(Some(reloaded)) = result {
            log_reload(&reloaded);
        }
        changes.next().await;
    }
}

/// Warns of certificates that expire, since a renewal that fails changes no file.
async fn warn_periodically(store: &CertificateStore, interval: Duration) {
    loop {
        sleep(interval).await;
        store.log_validity();
    }
}

/// Logs the result of a reload.
pub(crate) fn log_reload(reloaded: &Result<Reloaded, Vec<TlsError>>) {
    match reloaded {
        Ok(Reloaded::Changed) => info!("certificates reloaded"),
        Ok(Reloaded::Same) => info!("certificates are the same as before"),
        Err(errors) => {
            for error in errors {
                error!(error = %Chain(error), "certificates not reloaded; those from before stay");
            }
        }
    }
}

const DAY: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Write as _};
    use std::sync::{Mutex, MutexGuard};

    use tokio::time::timeout;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;
    use crate::tls::tests::store_for;

    /// Collects events as text.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);

    impl Log {
        fn text(&self) -> MutexGuard<'_, String> {
            self.0.lock().unwrap()
        }
    }

    impl Visit for Log {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.text(), "{field}={value:?} ").unwrap();
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[tokio::test]
    async fn an_expiring_certificate_is_logged_repeatedly() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let store = store_for(directory.path(), 10);
        let logged_twice = async {
            while log.text().matches("this certificate expires soon").count() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = warn_periodically(&store, Duration::from_millis(1)) => {}
            result = timeout(Duration::from_secs(30), logged_twice) => result.unwrap(),
        }
        let text = log.text();
        assert!(text.contains("certificate=\"mx\""), "{text}");
        assert!(text.contains("mx.pem"), "{text}");
    }
}
