//! Files that change while mail flows.

use std::fs;
use std::sync::Arc;

use postgate_tls::Reloaded;

use super::super::script::play_tls;
use super::super::support::begin;
use super::authority::{Authority, ENVELOPE, HELLO, INSECURE, starting, to};
use crate::Delivery;
use crate::security::ConnectionSecurity;

#[tokio::test]
async fn files_that_change_hold_for_new_connections() {
    let authority = Authority::new();
    let served = authority.server("store.example", |_| ());
    let good = fs::read(authority.file("ca.pem")).unwrap();
    let session = starting(&[&["TLS"], HELLO.as_slice(), &ENVELOPE].concat());
    let refused = starting(&["no TLS"]);
    let connections = vec![session.clone(), refused, session];
    let (address, playing) = play_tls(Some(served.acceptor()), connections).await;
    let delivery = to(address, authority.trusting());
    assert!(delivery.reload_changed().is_none(), "nothing has changed");
    let holds = current(&delivery);
    assert!(matches!(delivery.reload(), Some(Ok(Reloaded::Same))));
    assert!(Arc::ptr_eq(&holds, &current(&delivery)), "connections stay");
    assert_eq!(begin(&delivery).offer("c@d").await, "250 2.1.5 fine");
    // A connection that was made before the reload is not used again.
    fs::write(authority.file("ca.pem"), Authority::new().certificate.pem()).unwrap();
    let reloaded = delivery.reload_changed();
    assert!(matches!(reloaded, Some(Ok(Reloaded::Changed))));
    assert_eq!(begin(&delivery).offer("c@d").await, INSECURE);
    fs::write(authority.file("ca.pem"), good).unwrap();
    assert!(matches!(delivery.reload(), Some(Ok(Reloaded::Changed))));
    // A file that cannot be used changes nothing, and is reported once.
    fs::write(authority.file("ca.pem"), "no certificate").unwrap();
    assert!(matches!(delivery.reload_changed(), Some(Err(_))));
    assert!(delivery.reload_changed().is_none());
    assert!(matches!(delivery.reload(), Some(Err(_))));
    assert_eq!(begin(&delivery).offer("c@d").await, "250 2.1.5 fine");
    drop(delivery);
    playing.await.unwrap();
}

fn current(delivery: &Delivery) -> Arc<ConnectionSecurity> {
    delivery.server().unwrap().security.get()
}
