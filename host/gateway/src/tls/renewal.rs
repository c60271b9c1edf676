//! Takes new certificates while mail flows, and says when one comes to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info};

use postgate_tls::{FileChanges, Reloaded};

use super::store::{Store, TlsError};

/// Looks at the files whenever the system says that something has happened to them, and every now
/// and then; and once a day at what the certificates in use say. It does not end by itself.
pub(crate) async fn watch(store: Arc<Store>, rescan: Duration) {
    tokio::join!(renew(&store, rescan), remind(&store, DAY));
}

async fn renew(store: &Arc<Store>, rescan: Duration) {
    if store.files().next().is_none() {
        return;
    }
    let mut changes = FileChanges::of(store.files(), rescan);
    loop {
        let looking = Arc::clone(store);
        let looked = spawn_blocking(move || looking.reload_changed()).await;
        if let Ok(Some(reloaded)) = looked {
            tell(&reloaded);
        }
        changes.next().await;
    }
}

/// A renewal that does not happen changes no file: nothing else would tell of it.
async fn remind(store: &Store, every: Duration) {
    loop {
        sleep(every).await;
        store.log_ends();
    }
}

/// Says what came of reading the certificates again.
pub(crate) fn tell(reloaded: &Result<Reloaded, Vec<TlsError>>) {
    match reloaded {
        Ok(Reloaded::Changed) => info!("certificates reloaded"),
        Ok(Reloaded::Same) => info!("certificates are the same as before"),
        Err(errors) => {
            for error in errors {
                error!(%error, "certificates not reloaded; those from before stay");
            }
        }
    }
}

const DAY: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use tokio::time::timeout;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::tls::tests::store_for;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[tokio::test]
    async fn the_end_of_a_certificate_is_told_again_and_again() {
        let directory = tempfile::tempdir().unwrap();
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone());
        let _guard = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());
        let store = store_for(directory.path(), 10);
        let told = || String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let reminded = async {
            let soon = "this certificate expires soon certificate=\"mx\"";
            while told().matches(soon).count() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = remind(&store, Duration::from_millis(1)) => {}
            reminded = timeout(Duration::from_secs(30), reminded) => reminded.unwrap(),
        }
        assert!(told().contains("mx.pem"), "{}", told());
    }
}
