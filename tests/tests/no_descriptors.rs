//! A DNS query that cannot be sent says nothing about the name. Alone in its process, whose descriptors
//! it uses up.

use std::time::Duration;

use postgate_dns::{Dns, DnsError};
use postgate_tests::process::limit_own_files;

#[test]
fn a_query_without_a_descriptor_is_the_fault_of_the_host() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let nobody = ([127, 0, 0, 1], 1).into();
    let dns = Dns::new(&[nobody], Duration::from_secs(5));
    let ask = || runtime.block_on(dns.mx("example.org"));
    assert_eq!(ask(), Err(DnsError::Failed), "nobody answers");
    limit_own_files(1);
    assert_eq!(ask(), Err(DnsError::NoResources));
}
